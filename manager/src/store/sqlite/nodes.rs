//! Nodes, offers and the keys of utility modules in SQLite.

use super::accounts::audit;
use super::columns::{Columns, Statement, administration_word, each_resource, ratios, stored, stored_resources};
use super::many::{put_all, rows_of};
use super::{SqliteStore, begin, constraint, database, met};
use crate::store::rows::AuditRow;
use crate::store::{NodeStore, StoreError};
use async_trait::async_trait;
use grid::node::{Administration, Node, NodeSettings};
use grid::offer::Offer;
use grid::{NodeId, OperationId, Resource, Resources, UnixMillis};
use sqlx::sqlite::{SqliteConnection, SqliteRow};

fn node(row: &SqliteRow) -> Result<Node, StoreError> {
    let columns = Columns(row);
    Ok(Node {
        id: columns.parsed("id")?,
        name: columns.text("name")?,
        kind: columns.parsed("kind")?,
        region: columns.text("region")?,
        uri: columns.text("uri")?,
        settings: NodeSettings {
            reserve: columns.resources("reserve_")?,
            overcommit: columns.overcommit()?,
            network_mbit: columns.amount("network_mbit")?,
        },
        administration: columns.administration("administration")?,
        failure_domain: columns.text_or_none("failure_domain")?,
    })
}

/// What is kept back of each resource, how many times over each is sold, and what the network carries.
fn settings(settings: NodeSettings) -> Result<Vec<i64>, StoreError> {
    let mut all = stored_resources(settings.reserve)?.to_vec();
    all.extend(settings.overcommit.0.values().into_iter().map(i64::from));
    all.push(stored(settings.network_mbit)?);
    Ok(all)
}

/// Those of these names, in their order.
const BY_NAME: &str = "
    SELECT node.* FROM json_each(?) AS asked CROSS JOIN node ON node.name = asked.value ORDER BY asked.key";

/// Why nothing else is decided about a fenced node.
pub(super) const FENCED: &str = "the node is fenced";

/// [`StoreError::NotFound`] where it isn't there.
pub(super) async fn is_fenced(tx: &mut SqliteConnection, node: NodeId) -> Result<bool, StoreError> {
    let fenced: Option<bool> = sqlx::query_scalar("SELECT administration = ? FROM node WHERE id = ?")
        .bind(administration_word(Administration::Fenced))
        .bind(node.to_string())
        .fetch_optional(tx)
        .await
        .map_err(database)?;
    fenced.ok_or(StoreError::NotFound)
}

pub(super) async fn administer(tx: &mut SqliteConnection, node: NodeId, to: Administration) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE node SET administration = ? WHERE id = ?")
        .bind(administration_word(to))
        .bind(node.to_string())
        .execute(tx)
        .await
        .map_err(database)?;
    met(done.rows_affected())
}

/// What is for sale, by size.
pub(super) async fn offers(connection: &mut SqliteConnection) -> Result<Vec<Offer>, StoreError> {
    let rows = sqlx::query("SELECT * FROM offer ORDER BY vcpus, memory_mib, disk_gib, network_mbit, name")
        .fetch_all(connection)
        .await
        .map_err(database)?;
    let offer = |row: &SqliteRow| Ok(Offer { name: Columns(row).text("name")?, size: Columns(row).size()? });
    rows.iter().map(offer).collect()
}

#[async_trait]
impl NodeStore for SqliteStore {
    async fn nodes_put(&self, new: &[Node]) -> Result<Vec<Node>, StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let settled = |new: &Node| Ok((new.clone(), settings(new.settings)?));
        let rows = new.iter().map(settled).collect::<Result<Vec<_>, StoreError>>()?;
        let into = concat!(
            "INSERT INTO node (id, name, kind, region, uri, administration, failure_domain, ",
            each_resource!("reserve_", ""),
            ", ",
            ratios!(""),
            ", network_mbit) ",
        );
        let then = " ON CONFLICT (name) DO UPDATE SET
                kind = excluded.kind, region = excluded.region, uri = excluded.uri";
        put_all(&mut tx, into, then, &rows, |tuple, (node, settings)| {
            tuple
                .push_bind(node.id.to_string())
                .push_bind(node.name.clone())
                .push_bind(node.kind.as_str())
                .push_bind(node.region.clone())
                .push_bind(node.uri.clone())
                .push_bind(administration_word(node.administration))
                .push_bind(node.failure_domain.clone());
            for amount in settings {
                tuple.push_bind(*amount);
            }
        })
        .await
        .map_err(constraint("another node has this id"))?;
        let names: Vec<&str> = new.iter().map(|node| node.name.as_str()).collect();
        let rows = rows_of(&mut tx, BY_NAME, &names).await?;
        tx.commit().await.map_err(database)?;
        rows.iter().map(node).collect()
    }

    async fn node_list(&self) -> Result<Vec<Node>, StoreError> {
        // Put in order here: by the index of names, each row would be looked for by itself.
        let mut nodes = self.all(sqlx::query("SELECT * FROM node"), node).await?;
        nodes.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(nodes)
    }

    async fn node_settings_set(&self, node: NodeId, settings: NodeSettings, row: &AuditRow) -> Result<(), StoreError> {
        let statement = sqlx::query(concat!(
            "UPDATE node SET ",
            each_resource!("reserve_", " = ?"),
            ", ",
            ratios!(" = ?"),
            ", network_mbit = ? WHERE id = ?"
        ));
        let statement = self::settings(settings)?.into_iter().fold(statement, Statement::bind);
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let done = statement.bind(node.to_string()).execute(&mut *tx).await.map_err(database)?;
        met(done.rows_affected())?;
        audit(&mut tx, row).await?;
        tx.commit().await.map_err(database)
    }

    async fn node_administration_set(
        &self,
        node: NodeId,
        to: Administration,
        row: &AuditRow,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let is_fenced = is_fenced(&mut tx, node).await?;
        if is_fenced {
            return Err(StoreError::Conflict(FENCED));
        }
        administer(&mut tx, node, to).await?;
        audit(&mut tx, row).await?;
        tx.commit().await.map_err(database)
    }

    async fn node_fenced_set(&self, node: NodeId, fenced: bool, row: &AuditRow) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let to = match (is_fenced(&mut tx, node).await?, fenced) {
            (true, true) => return Err(StoreError::Conflict(FENCED)),
            (false, false) => return Err(StoreError::Conflict("the node is not fenced")),
            (false, true) => Administration::Fenced,
            (true, false) => Administration::Cordoned,
        };
        administer(&mut tx, node, to).await?;
        audit(&mut tx, row).await?;
        tx.commit().await.map_err(database)
    }

    async fn grant_list(&self) -> Result<Vec<(NodeId, Resources)>, StoreError> {
        let granted = |row: &SqliteRow| {
            let mut granted = Resources::ZERO;
            for resource in Resource::ALL {
                let column = format!("granted_{}", resource.field());
                granted.set(resource, Columns(row).amount_or_none(&column)?.unwrap_or(u64::MAX));
            }
            Ok((Columns(row).parsed("id")?, granted))
        };
        self.all(sqlx::query(concat!("SELECT id, ", each_resource!("granted_", ""), " FROM node")), granted).await
    }

    async fn node_failure_domain_set(&self, node: NodeId, to: Option<&str>, row: &AuditRow) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let done = sqlx::query("UPDATE node SET failure_domain = ? WHERE id = ?")
            .bind(to)
            .bind(node.to_string())
            .execute(&mut *tx)
            .await
            .map_err(constraint("a failure domain is a word of at most 63 characters"))?;
        met(done.rows_affected())?;
        audit(&mut tx, row).await?;
        tx.commit().await.map_err(database)
    }

    async fn reservation_list(&self) -> Result<Vec<(NodeId, OperationId, Resources)>, StoreError> {
        let held = |row: &SqliteRow| {
            let columns = Columns(row);
            Ok((columns.parsed("node")?, columns.parsed("operation")?, columns.resources("")?))
        };
        self.all(sqlx::query("SELECT * FROM reservation ORDER BY node, operation"), held).await
    }

    async fn reservation_free_ended(&self) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "DELETE FROM reservation
             WHERE operation IN (SELECT id FROM operation WHERE ended_ms IS NOT NULL AND id = reservation.operation)",
        )
        .execute(&mut *self.writer.lock().await)
        .await
        .map_err(database)?;
        Ok(done.rows_affected())
    }

    async fn offer_put(&self, offer: &Offer) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO offer (name, vcpus, memory_mib, disk_gib, network_mbit) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (name) DO UPDATE SET
                vcpus = excluded.vcpus, memory_mib = excluded.memory_mib, disk_gib = excluded.disk_gib,
                network_mbit = excluded.network_mbit",
        )
        .bind(&offer.name)
        .bind(i64::from(offer.size.vcpus.0))
        .bind(stored(offer.size.memory.0)?)
        .bind(stored(offer.size.disk.0)?)
        .bind(stored(offer.size.network.0)?)
        .execute(&mut *self.writer.lock().await)
        .await
        .map_err(constraint("the offer's size is out of bounds"))?;
        Ok(())
    }

    async fn offer_list(&self) -> Result<Vec<Offer>, StoreError> {
        self.offers.ask(()).await
    }

    async fn utility_key_put(&self, node: NodeId, hash: &str, now: UnixMillis) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO utility_key (node, hash, created_ms) VALUES (?, ?, ?)
             ON CONFLICT (node) DO UPDATE SET hash = excluded.hash, created_ms = excluded.created_ms",
        )
        .bind(node.to_string())
        .bind(hash)
        .bind(now.0)
        .execute(&mut *self.writer.lock().await)
        .await
        .map_err(constraint("the node is not there, or another has this key"))?;
        Ok(())
    }

    async fn utility_key_find(&self, hash: &str) -> Result<Option<NodeId>, StoreError> {
        let node = |row: &SqliteRow| Columns(row).parsed("node");
        self.one(sqlx::query("SELECT node FROM utility_key WHERE hash = ?").bind(hash), node).await
    }

    async fn utility_token_put(&self, node: NodeId, hash: &str, expires: UnixMillis) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        sqlx::query("DELETE FROM utility_token WHERE node = ?")
            .bind(node.to_string())
            .execute(&mut *tx)
            .await
            .map_err(database)?;
        sqlx::query("INSERT INTO utility_token (hash, node, expires_ms) VALUES (?, ?, ?)")
            .bind(hash)
            .bind(node.to_string())
            .bind(expires.0)
            .execute(&mut *tx)
            .await
            .map_err(constraint("the node is not there, or the token is not new"))?;
        tx.commit().await.map_err(database)
    }

    async fn utility_token_take(&self, hash: &str, now: UnixMillis) -> Result<Option<NodeId>, StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        sqlx::query("DELETE FROM utility_token WHERE expires_ms <= ?")
            .bind(now.0)
            .execute(&mut *tx)
            .await
            .map_err(database)?;
        let row = sqlx::query("DELETE FROM utility_token WHERE hash = ? RETURNING node")
            .bind(hash)
            .fetch_optional(&mut *tx)
            .await
            .map_err(database)?;
        tx.commit().await.map_err(database)?;
        row.map(|row| Columns(&row).parsed("node")).transpose()
    }
}
