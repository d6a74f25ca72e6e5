//! Seeding a grid: tenants, people, offers and VMs from a file, and the lab file that says what came of it.
//!
//! A seed is planted once. A start that was cut short is gone on with: everything is looked for before it is made. When
//! all of it is there the store knows, and later starts leave to people what is theirs: a VM that its owner deleted
//! stays deleted. VMs are deployed as a customer would, one after the other. Passwords are random, made once, and kept
//! beside the lab file only.

use crate::configuration::Configuration;
use crate::people::random_password;
use crate::seed_file::{SeedFile, SizeEntry, UserEntry, VmEntry};
use grid::OperationId;
use grid::map::Condition;
use grid::node::Node;
use grid::operation::OperationState;
use grid::vm::VmState;
use manager::accounts::{NewAccount, Principal, Role};
use manager::catalogue::offer_set;
use manager::store::Store;
use manager::vms::DeployRequest;
use manager::{Manager, ManagerError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the nodes may take to be ready, and one VM to be deployed, under software emulation.
const PATIENCE: Duration = Duration::from_mins(5);
/// The same at a later start: people shall not wait long for a node that is down.
const PATIENCE_AGAIN: Duration = Duration::from_secs(20);

/// What the lab file says: for people, and for the end-to-end tests.
#[derive(Debug, Serialize, Deserialize)]
struct LabFile {
    url: String,
    simulated: bool,
    nodes: Vec<LabNode>,
    users: Vec<LabUser>,
    vms: Vec<LabVm>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LabNode {
    name: String,
    kind: String,
    uri: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct LabUser {
    email: String,
    password: String,
    role: Role,
}

#[derive(Debug, Serialize, Deserialize)]
struct LabVm {
    id: String,
    name: String,
    owner: String,
    node: String,
    size: SizeEntry,
}

/// Why seeding stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SeedError {
    #[error("{path}: {reason}")]
    File { path: PathBuf, reason: String },
    #[error("store: {0}")]
    Store(#[from] manager::store::StoreError),
    #[error("{what}: {error}")]
    Manager { what: String, error: manager::ManagerError },
    #[error("the nodes are not all ready after {0} s: {1}")]
    NotReady(u64, String),
    #[error("the VM {0} names an unknown owner")]
    UnknownOwner(String),
    #[error("the VM {name} is not as it should be: {reason}")]
    NotDone { name: String, reason: String },
}

fn in_file(path: &Path) -> impl FnOnce(String) -> SeedError + '_ {
    move |reason| SeedError::File { path: path.to_owned(), reason }
}

/// Seeds what is missing, writes the lab file, prints address and sign-ins.
pub(crate) async fn seed(
    manager: &Manager,
    store: &Arc<dyn Store>,
    configuration: &Configuration,
    nodes: &[Node],
    seed_path: &Path,
    lab_path: &Path,
) -> Result<(), SeedError> {
    let text = std::fs::read_to_string(seed_path).map_err(|error| in_file(seed_path)(error.to_string()))?;
    let file: SeedFile = config::Config::builder()
        .add_source(config::File::from_str(&text, config::FileFormat::Toml))
        .build()
        .and_then(config::Config::try_deserialize)
        .map_err(|error| in_file(seed_path)(error.to_string()))?;
    // Beside the lab file, which is written when all is there: a seed that was cut short must not lose a password.
    let mut sign_ins = SignIns::read(lab_path.with_file_name("sign-ins.json"));
    if store.seeded().await? {
        // It is as people left it: a node that doesn't answer, or is cordoned, keeps nobody from the others.
        if let Err(waiting) = wait_for_nodes(manager, nodes, PATIENCE_AGAIN).await {
            tracing::warn!("not heard of yet: {waiting}");
        }
    } else {
        plant(manager, store, nodes, &file, &mut sign_ins).await?;
        store.seeded_set(manager::clock::now()).await?;
    }

    let lab = LabFile {
        url: configuration.web.url.clone(),
        simulated: configuration.is_simulated(),
        nodes: nodes
            .iter()
            .map(|node| LabNode { name: node.name.clone(), kind: node.kind.to_string(), uri: node.uri.clone() })
            .collect(),
        users: file.users.iter().map(|user| sign_ins.of(user)).collect(),
        vms: lab_vms(store, nodes).await?,
    };
    write_private(lab_path, &lab)?;
    announce(&lab);
    Ok(())
}

async fn plant(
    manager: &Manager,
    store: &Arc<dyn Store>,
    nodes: &[Node],
    file: &SeedFile,
    sign_ins: &mut SignIns,
) -> Result<(), SeedError> {
    let people = seed_people(manager, store, file, sign_ins).await?;
    for offer in &file.offers {
        let failed = |error| SeedError::Manager { what: offer.name.clone(), error };
        offer_set(store.as_ref(), &offer.name, offer.size.into()).await.map_err(failed)?;
    }
    let waited = wait_for_nodes(manager, nodes, PATIENCE).await;
    waited.map_err(|waiting| SeedError::NotReady(PATIENCE.as_secs(), waiting))?;
    for vm in &file.vms {
        let principal = people.get(&vm.owner).ok_or_else(|| SeedError::UnknownOwner(vm.name.clone()))?;
        seed_vm(manager, principal, vm).await?;
    }
    Ok(())
}

/// Passwords by email. Only their hashes are in the store; without this file nobody knows them any more.
struct SignIns {
    path: PathBuf,
    passwords: BTreeMap<String, String>,
}

impl SignIns {
    fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).ok();
        let passwords = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        Self { path, passwords }
    }

    /// A password for who has none yet, kept before anybody can be told: the one that a start which was cut short has kept
    /// already, or a new one.
    fn make(&mut self, email: &str) -> Result<String, SeedError> {
        if let Some(kept) = self.passwords.get(email) {
            return Ok(kept.clone());
        }
        let password = random_password();
        self.passwords.insert(email.to_owned(), password.clone());
        write_private(&self.path, &self.passwords)?;
        Ok(password)
    }

    fn of(&self, user: &UserEntry) -> LabUser {
        let password = self.passwords.get(&user.email).cloned().unwrap_or_default();
        LabUser { email: user.email.clone(), password, role: user.role }
    }
}

async fn seed_people(
    manager: &Manager,
    store: &Arc<dyn Store>,
    file: &SeedFile,
    sign_ins: &mut SignIns,
) -> Result<BTreeMap<String, Principal>, SeedError> {
    let mut people = BTreeMap::new();
    for user in &file.users {
        let failed = |error| SeedError::Manager { what: user.email.clone(), error };
        let quota = file.tenants.iter().find(|entry| entry.name == user.tenant).map(|entry| &entry.quota);
        let quota = quota.ok_or_else(|| SeedError::UnknownOwner(user.email.clone()))?;
        let tenant = manager.accounts().tenant_set(&user.tenant, quota.into()).await.map_err(failed)?;
        let (email, role) = (user.email.clone(), user.role);
        let id = if let Some(row) = store.user_by_email(&email).await? {
            row.id
        } else {
            let account = NewAccount { email: email.clone(), password: sign_ins.make(&email)?, tenant, role };
            manager.accounts().user_create(account).await.map_err(failed)?
        };
        people.insert(email.clone(), Principal { user: id, tenant, email, role });
    }
    Ok(people)
}

/// Until both sets of statistics of every node are there; or those that are still waited for.
async fn wait_for_nodes(manager: &Manager, nodes: &[Node], patience: Duration) -> Result<(), String> {
    let begun = Instant::now();
    let mut told = String::new();
    loop {
        let map = manager.map();
        let waiting: Vec<String> = nodes
            .iter()
            .filter_map(|node| {
                let condition = map.get(node.id).map(|entry| entry.condition);
                match condition {
                    Some(Condition::Ready | Condition::Cordoned | Condition::Draining | Condition::Fenced) => None,
                    Some(condition) => Some(format!("{} ({condition})", node.name)),
                    None => Some(node.name.clone()),
                }
            })
            .collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let waiting = waiting.join(", ");
        if begun.elapsed() > patience {
            return Err(waiting);
        }
        if waiting != told {
            println!("hostgrid: waiting for both sets of statistics: {waiting}");
            told = waiting;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

async fn seed_vm(manager: &Manager, owner: &Principal, vm: &VmEntry) -> Result<(), SeedError> {
    let failed = |error| SeedError::Manager { what: vm.name.clone(), error };
    let there = manager.vm_list(owner).await.map_err(failed)?;
    if let Some(view) = there.iter().find(|view| view.vm.name == vm.name) {
        if view.vm.state != VmState::Failed {
            return Ok(());
        }
        // Left by a start that went wrong.
        let key = format!("seed-remove-{}", view.vm.id);
        let removal = manager.vm_delete(owner, view.vm.id, &key).await.map_err(failed)?;
        wait_for(manager, owner, removal, &vm.name).await?;
    }
    println!("hostgrid: deploying {} ({}, {})", vm.name, vm.image, vm.offer);
    let region = manager.region_list(owner).await.map_err(failed)?.into_iter().next().map(|(region, _)| region);
    let request = DeployRequest {
        name: vm.name.clone(),
        image: vm.image.clone(),
        offer: vm.offer.clone(),
        region: region.unwrap_or_default(),
        keys: String::new(),
        idempotency_key: format!("seed-{}", uuid::Uuid::new_v4()),
    };
    let operation = match manager.vm_deploy(owner, request).await {
        Ok((_, operation)) => operation,
        // A grid of one kind has no use for the other's images.
        Err(ManagerError::Invalid { field: "image", message }) => {
            println!("hostgrid: {} is left out: {message}", vm.name);
            return Ok(());
        }
        Err(error) => return Err(failed(error)),
    };
    wait_for(manager, owner, operation, &vm.name).await
}

async fn wait_for(
    manager: &Manager,
    principal: &Principal,
    operation: OperationId,
    name: &str,
) -> Result<(), SeedError> {
    let not_done = |reason| SeedError::NotDone { name: name.to_owned(), reason };
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let view = manager.operation_get(principal, operation).await;
        let view = view.map_err(|error| SeedError::Manager { what: name.to_owned(), error })?.operation;
        if view.state == OperationState::Succeeded {
            return Ok(());
        }
        if view.state.is_over() {
            return Err(not_done(view.reason.unwrap_or_else(|| view.state.as_str().to_owned())));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(not_done("it takes too long".to_owned()))
}

async fn lab_vms(store: &Arc<dyn Store>, nodes: &[Node]) -> Result<Vec<LabVm>, SeedError> {
    let mut vms = Vec::new();
    for vm in store.vm_list(None).await? {
        let owner = store.user_get(vm.owner).await?.map(|user| user.email).unwrap_or_default();
        let node = nodes.iter().find(|node| node.id == vm.node).map(|node| node.name.clone()).unwrap_or_default();
        vms.push(LabVm { id: vm.id.to_string(), name: vm.name, owner, node, size: vm.size.into() });
    }
    Ok(vms)
}

/// What holds passwords: only its owner may read it. Written whole or not at all.
fn write_private(path: &Path, what: &impl Serialize) -> Result<(), SeedError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let new = path.with_extension("json.new");
    let text = serde_json::to_string_pretty(what).map_err(|error| in_file(path)(error.to_string()))?;
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&new, path))
        .map_err(|error| in_file(path)(error.to_string()))
}

fn announce(lab: &LabFile) {
    println!();
    println!("  Hostgrid is ready: {}", lab.url);
    if lab.simulated {
        println!("  The grid is simulated: its nodes and VMs exist in this program only.");
    }
    println!();
    for user in &lab.users {
        let role = if user.role == Role::Admin { "admin" } else { "customer" };
        let password = if user.password.is_empty() { "(its password is lost)" } else { &user.password };
        println!("    {role:<9} {:<24} {password}", user.email);
    }
    println!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lab_s_seed_can_be_read() {
        let text = include_str!("../../lab/seed.toml");
        let file: SeedFile = config::Config::builder()
            .add_source(config::File::from_str(text, config::FileFormat::Toml))
            .build()
            .and_then(config::Config::try_deserialize)
            .unwrap();
        assert!(file.users.iter().any(|user| user.role == Role::Admin));
        for vm in &file.vms {
            assert!(file.users.iter().any(|user| user.email == vm.owner), "{}", vm.owner);
            assert!(file.offers.iter().any(|offer| offer.name == vm.offer), "{}", vm.offer);
        }
    }
}
