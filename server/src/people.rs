//! Who may use a grid and what they can choose from, said on the command line: tenants with their quotas, people, offers.
//! Can be said beside the server, which takes it into account at once.

use crate::configuration::{Configuration, ConfigurationError};
use clap::{Args, Subcommand, ValueEnum};
use grid::form::{parse_disk_gib, parse_memory_mib, parse_network_mbit, parse_vcpus};
use grid::offer::Quota;
use grid::{Gib, Mbit, Mib, Resource, Resources, Size, Vcpus};
use manager::ManagerError;
use manager::accounts::{Accounts, NewAccount, Role, tenant_id};
use manager::catalogue::offer_set;
use manager::store::sqlite::SqliteStore;
use manager::store::{Store, StoreError};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Make a tenant where it isn't there, and set what its VMs may take altogether.
    Set {
        name: String,
        #[arg(long)]
        vcpus: u64,
        #[arg(long)]
        memory_mib: u64,
        #[arg(long)]
        disk_gib: u64,
        /// Bandwidth in Mbit/s, summed over its VMs; not limited where it is left out.
        #[arg(long)]
        network_mbit: Option<u64>,
        /// How many VMs it may have.
        #[arg(long)]
        vms: u32,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Let somebody sign in; prints the password, which nobody is told again.
    Add {
        email: String,
        /// The name of the tenant, which must be there.
        #[arg(long)]
        tenant: String,
        #[arg(long, value_enum, default_value = "customer")]
        role: RoleWord,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum OfferCommand {
    /// Make an offer where it isn't there, and set its size.
    Set {
        name: String,
        #[arg(long, value_parser = parse_vcpus)]
        vcpus: Vcpus,
        #[arg(long, value_parser = parse_memory_mib)]
        memory_mib: Mib,
        #[arg(long, value_parser = parse_disk_gib)]
        disk_gib: Gib,
        /// Bandwidth that is promised, and more of it isn't given, in Mbit/s; 0 for none.
        #[arg(long, value_parser = parse_network_mbit, default_value = "0")]
        network_mbit: Mbit,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Debug, Args)]
pub(crate) struct At {
    /// The configuration of the server, which may be running.
    #[arg(long, default_value = "hostgrid.toml")]
    config: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RoleWord {
    Customer,
    Admin,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum PeopleError {
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    #[error("store: {0}")]
    Store(#[from] StoreError),
    #[error("there is no tenant {0:?}; hostgrid tenant set makes one")]
    NoTenant(String),
    #[error(transparent)]
    Manager(#[from] ManagerError),
}

impl At {
    /// The store as the server left it, or holds it.
    async fn store(&self) -> Result<Arc<dyn Store>, PeopleError> {
        let directory = Configuration::load(&self.config)?.storage.directory;
        Ok(Arc::new(SqliteStore::open_unchanged(&directory).await?))
    }
}

pub(crate) async fn tenant(command: TenantCommand) -> Result<(), PeopleError> {
    let TenantCommand::Set { name, vcpus, memory_mib, disk_gib, network_mbit, vms, at } = command;
    let network = network_mbit.unwrap_or(Quota::NO_LIMIT);
    let limit = Resources::new(vcpus, memory_mib, Gib(disk_gib).to_mib().0).with(Resource::Network, network);
    Accounts::new(at.store().await?).tenant_set(&name, Quota { limit, vms }).await?;
    let network = network_mbit.map(|mbit| format!(", {mbit} Mbit/s of network")).unwrap_or_default();
    println!("{name}: {vcpus} vCPUs, {memory_mib} MiB of memory, {disk_gib} GiB of disk{network}, {vms} VMs");
    Ok(())
}

pub(crate) async fn user(command: UserCommand) -> Result<(), PeopleError> {
    let UserCommand::Add { email, tenant, role, at } = command;
    let role = match role {
        RoleWord::Customer => Role::Customer,
        RoleWord::Admin => Role::Admin,
    };
    let password = random_password();
    let account =
        NewAccount { email: email.clone(), password: password.clone(), tenant: tenant_id(tenant.trim()), role };
    match Accounts::new(at.store().await?).user_create(account).await {
        Ok(_) => println!("{email}  {password}"),
        Err(ManagerError::NotFound) => return Err(PeopleError::NoTenant(tenant)),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

pub(crate) async fn offer(command: OfferCommand) -> Result<(), PeopleError> {
    let OfferCommand::Set { name, vcpus, memory_mib: memory, disk_gib: disk, network_mbit: network, at } = command;
    offer_set(at.store().await?.as_ref(), &name, Size { vcpus, memory, disk, network }).await?;
    let network = if network == Mbit(0) { String::new() } else { format!(", {network} of network") };
    println!("{name}: {vcpus} vCPUs, {memory} of memory, {disk} of disk{network}");
    Ok(())
}

/// 120 bits, in the letters of base 32 that can't be mistaken for each other.
pub(crate) fn random_password() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    rand::random::<[u8; 24]>().iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_differ() {
        assert_ne!(random_password(), random_password());
        assert_eq!(random_password().len(), 24);
    }
}
