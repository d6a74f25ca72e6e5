//! What decisions depend on, read once for all that are decided about in one transaction, and kept as they are decided.

use super::accept::Request;
use super::columns::{Columns, each_resource};
use super::many::{Amounts, found, read, resources, rows_of};
use super::{accounts, begin, database, vms};
use crate::store::rows::{NewOperation, NewVm, RoomCheck, TenantStanding};
use crate::store::{Begun, StoreError};
use grid::vm::Vm;
use grid::{NodeId, OperationId, Resource, Resources, TenantId, UserId, VmId};
use sqlx::sqlite::SqliteConnection;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::Ipv4Addr;
use std::vec;

pub(super) const BY_KEY: &str = "
    SELECT operation.id, actor, idempotency_key FROM json_each(?) AS asked
    CROSS JOIN operation ON actor = asked.value ->> 0 AND idempotency_key = asked.value ->> 1";

pub(super) const WORKING_ON: &str = "
    SELECT operation.id, vm FROM json_each(?) AS asked
    CROSS JOIN operation ON vm = asked.value AND ended_ms IS NULL";

pub(super) const VMS: &str = "SELECT vm.* FROM json_each(?) AS asked CROSS JOIN vm ON vm.id = asked.value";

pub(super) const NAMES: &str = "
    SELECT tenant, name FROM json_each(?) AS asked
    CROSS JOIN vm ON tenant = asked.value ->> 0 AND name = asked.value ->> 1";

pub(super) const TAKEN: &str = concat!(
    "SELECT json_group_array(json_array(node.id, json_array(",
    each_resource!("taken_", ""),
    "))) FROM json_each(?) AS asked CROSS JOIN node ON node.id = asked.value"
);

/// The first free ones from the first argument to the second, as many as the third says.
const FREE_ADDRESSES: &str = "
    WITH RECURSIVE candidate (address) AS (
        SELECT ?1 WHERE ?1 <= ?2 UNION ALL SELECT address + 1 FROM candidate WHERE address < ?2
    )
    SELECT json_group_array(address) FROM (
        SELECT address FROM candidate WHERE NOT EXISTS (SELECT 1 FROM vm WHERE vm.address = candidate.address) LIMIT ?3
    )";

/// An operation that was decided about, as it goes on from there.
pub(super) struct Decided<'a> {
    pub(super) new: &'a NewOperation,
    /// What room was looked at for.
    pub(super) room: &'a [RoomCheck],
    /// The VM that it works on: a new one with its address.
    pub(super) vm: Vm,
}

#[derive(Debug, Default)]
pub(super) struct Facts {
    keys: HashMap<(UserId, String), OperationId>,
    working: HashMap<VmId, OperationId>,
    vms: HashMap<VmId, Vm>,
    tenants: HashMap<TenantId, TenantStanding>,
    names: HashSet<(TenantId, String)>,
    taken: HashMap<NodeId, Resources>,
    /// The free ones that come next.
    addresses: vec::IntoIter<Ipv4Addr>,
}

/// What the nodes' VMs commit and operations reserve there.
pub(super) async fn taken(
    connection: &mut SqliteConnection,
    nodes: &BTreeSet<NodeId>,
) -> Result<HashMap<NodeId, Resources>, StoreError> {
    let taken: Vec<(NodeId, Amounts)> = found(connection, TAKEN, nodes).await?;
    Ok(taken.into_iter().map(|(node, amounts)| (node, resources(amounts))).collect())
}

impl RoomCheck {
    /// What the node still has: usable, less what is taken, and what is held outside.
    pub(super) fn available(&self, taken: &HashMap<NodeId, Resources>) -> Resources {
        self.usable.minus(taken.get(&self.node).copied().unwrap_or(Resources::ZERO)).minus(self.outside)
    }
}

impl Facts {
    /// All that deciding about these depends on. An error also where they can't be decided about together.
    pub(super) async fn read(tx: &mut SqliteConnection, requests: &[Request]) -> Result<Self, StoreError> {
        let news = || requests.iter().map(|(new, _)| new);
        let deploys = || news().filter_map(|new| new.deploy.as_ref());
        let mut facts = Self::default();

        let asked: Vec<_> = news().map(|new| (new.actor, &new.idempotency_key)).collect();
        for row in rows_of(tx, BY_KEY, &asked).await? {
            let columns = Columns(&row);
            facts.keys.insert((columns.parsed("actor")?, columns.text("idempotency_key")?), columns.parsed("id")?);
        }
        let asked: Vec<_> = news().map(|new| new.kind.vm()).collect();
        for row in rows_of(tx, WORKING_ON, &asked).await? {
            facts.working.insert(Columns(&row).parsed("vm")?, Columns(&row).parsed("id")?);
        }
        let asked: Vec<_> = news().filter(|new| new.deploy.is_none()).map(|new| new.kind.vm()).collect();
        if !asked.is_empty() {
            for row in rows_of(tx, VMS, &asked).await? {
                let vm = vms::vm(&row)?;
                facts.vms.insert(vm.id, vm);
            }
        }
        let asked: HashSet<_> = news().filter(|new| asks_quota(new)).map(|new| new.tenant).collect();
        facts.tenants = accounts::standings(tx, &asked).await?;
        let asked: Vec<_> = deploys().map(|deploy| (deploy.vm.tenant, &deploy.vm.name)).collect();
        if !asked.is_empty() {
            for row in rows_of(tx, NAMES, &asked).await? {
                facts.names.insert((Columns(&row).parsed("tenant")?, Columns(&row).text("name")?));
            }
        }
        let asked: BTreeSet<_> = requests.iter().flat_map(|(_, room)| room).map(|check| check.node).collect();
        facts.taken = taken(tx, &asked).await?;
        let asked: Vec<_> = deploys().map(|deploy| deploy.addresses).collect();
        facts.addresses = next_addresses(tx, &asked).await?.into_iter();
        Ok(facts)
    }

    /// Checks in the order in which a person should hear of it. What is accepted counts for those that come after it.
    pub(super) fn decide<'a>(
        &mut self,
        new: &'a NewOperation,
        room: &'a [RoomCheck],
    ) -> Result<(Begun, Option<Decided<'a>>), StoreError> {
        if let Some(refused) = self.refusal(new, room)? {
            return Ok((refused, None));
        }
        let vm = match &new.deploy {
            None => self.vms.get(&new.kind.vm()).cloned().ok_or(StoreError::NotFound)?,
            Some(NewVm { vm, .. }) => match self.addresses.next() {
                Some(address) => Vm { address, ..vm.clone() },
                None => return Ok((Begun::NoAddressLeft, None)),
            },
        };
        let decided = Decided { new, room, vm };
        self.count(&decided);
        Ok((Begun::Started(new.id), Some(decided)))
    }

    fn refusal(&self, new: &NewOperation, room: &[RoomCheck]) -> Result<Option<Begun>, StoreError> {
        if let Some(id) = self.keys.get(&(new.actor, new.idempotency_key.clone())) {
            return Ok(Some(Begun::Already(*id)));
        }
        if let Some(id) = self.working.get(&new.kind.vm()) {
            return Ok(Some(Begun::Busy(*id)));
        }
        if new.deploy.is_none() {
            let vm = self.vms.get(&new.kind.vm()).ok_or(StoreError::NotFound)?;
            if new.generation.is_some_and(|planned| planned != vm.generation) {
                return Ok(Some(Begun::Changed));
            }
        }
        if let Some(refused) = self.over_quota(new)? {
            return Ok(Some(refused));
        }
        if let Some(NewVm { vm, .. }) = &new.deploy
            && self.names.contains(&(vm.tenant, vm.name.clone()))
        {
            return Ok(Some(Begun::NameTaken));
        }
        let refused = room.iter().find_map(|check| {
            let (node, asked, available) = (check.node, check.asked, check.available(&self.taken));
            (!available.covers(&asked)).then_some(Begun::NoRoom { node, asked, available })
        });
        Ok(refused)
    }

    /// Only what grows is measured against the quota: who is over it may still start, stop and shrink.
    fn over_quota(&self, new: &NewOperation) -> Result<Option<Begun>, StoreError> {
        if !asks_quota(new) {
            return Ok(None);
        }
        let TenantStanding { quota, used, vms } = *self.tenants.get(&new.tenant).ok_or(StoreError::NotFound)?;
        if new.deploy.is_some() && vms >= quota.vms {
            return Ok(Some(Begun::TooManyVms { limit: quota.vms }));
        }
        let after = used.plus(new.quota_delta);
        let exceeds = |resource| new.quota_delta.get(resource) > 0 && after.get(resource) > quota.limit.get(resource);
        Ok(Resource::ALL.into_iter().any(exceeds).then_some(Begun::OverQuota { limit: quota.limit, used }))
    }

    fn count(&mut self, Decided { new, vm, .. }: &Decided<'_>) {
        self.keys.insert((new.actor, new.idempotency_key.clone()), new.id);
        self.working.insert(vm.id, new.id);
        if let Some(standing) = self.tenants.get_mut(&new.tenant) {
            let is_new = new.deploy.is_some();
            standing.used = standing.used.plus(if is_new { vm.size.into() } else { new.quota_delta });
            standing.vms += u32::from(is_new);
        }
        let mut held = begin::reservations(new);
        if new.deploy.is_some() {
            self.names.insert((vm.tenant, vm.name.clone()));
            self.vms.insert(vm.id, vm.clone());
            held.push((vm.node, vm.commitment()));
        }
        for (node, amount) in held {
            let taken = self.taken.entry(node).or_insert(Resources::ZERO);
            *taken = taken.plus(amount);
        }
    }
}

fn asks_quota(new: &NewOperation) -> bool {
    new.quota_delta != Resources::ZERO || new.deploy.is_some()
}

/// The next free ones after the one that was given out last, round and round: one for each of these.
async fn next_addresses(
    tx: &mut SqliteConnection,
    ranges: &[(Ipv4Addr, Ipv4Addr)],
) -> Result<Vec<Ipv4Addr>, StoreError> {
    let Some((first, last)) = ranges.first().copied() else { return Ok(Vec::new()) };
    if ranges.iter().any(|range| *range != (first, last)) {
        return Err(StoreError::Conflict("they are of different ranges"));
    }
    let (first, last) = (i64::from(first.to_bits()), i64::from(last.to_bits()));
    let next: i64 =
        sqlx::query_scalar("SELECT next FROM address_cursor").fetch_one(&mut *tx).await.map_err(database)?;
    let next = if (first..=last).contains(&next) { next } else { first };
    let mut free = free_addresses(tx, (next, last), ranges.len()).await?;
    if free.len() < ranges.len() {
        let missing = ranges.len() - free.len();
        free.extend(free_addresses(tx, (first, next - 1), missing).await?);
    }
    Ok(free)
}

async fn free_addresses(
    tx: &mut SqliteConnection,
    (first, last): (i64, i64),
    count: usize,
) -> Result<Vec<Ipv4Addr>, StoreError> {
    let found: String = sqlx::query_scalar(FREE_ADDRESSES)
        .bind(first)
        .bind(last)
        .bind(i64::try_from(count).unwrap_or(i64::MAX))
        .fetch_one(tx)
        .await
        .map_err(database)?;
    Ok(read::<Vec<u32>>(&found)?.into_iter().map(Ipv4Addr::from_bits).collect())
}
