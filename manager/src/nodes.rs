//! Nodes, for admins: what the map says of them, their VMs, their history, and what an admin decides about them.

mod fence;

use crate::accounts::Principal;
use crate::attempt::{Refused, accepted};
use crate::history::HistoryRange;
use crate::store::rows::MetricSeries;
use crate::{Change, Manager, ManagerError, admin_only, history};
use grid::UnixMillis;
use grid::map::MapNode;
use grid::node::{Administration, NodeSettings, is_failure_domain};
use grid::vm::Vm;
use std::sync::Arc;

/// What the audit calls them.
const SETTINGS_SET: &str = "node_settings_set";
const FAILURE_DOMAIN_SET: &str = "node_failure_domain_set";
const ADMINISTRATION_SET: &str = "node_administration_set";

impl Manager {
    /// All nodes, by name.
    #[expect(clippy::unused_async, reason = "use cases are asynchronous, whatever they wait for today")]
    pub async fn node_list(&self, principal: &Principal) -> Result<Vec<Arc<MapNode>>, ManagerError> {
        admin_only(principal)?;
        let mut nodes: Vec<Arc<MapNode>> = self.map().nodes().values().cloned().collect();
        nodes.sort_by(|a, b| a.node.name.cmp(&b.node.name));
        Ok(nodes)
    }

    #[expect(clippy::unused_async, reason = "use cases are asynchronous, whatever they wait for today")]
    pub async fn node_get(&self, principal: &Principal, name: &str) -> Result<Arc<MapNode>, ManagerError> {
        admin_only(principal)?;
        self.node_named(name)
    }

    /// The VMs whose home it is, by name.
    pub async fn node_vms(&self, principal: &Principal, name: &str) -> Result<Vec<Vm>, ManagerError> {
        admin_only(principal)?;
        let node = self.node_named(name)?.node.id;
        let all = self.shared.store.vm_list(None).await?;
        Ok(all.into_iter().filter(|vm| vm.node == node).collect())
    }

    /// Points of a metric of a node, oldest first: `usable_`, `committed_`, `reserved_`, `available_` and `measured_`
    /// of [`grid::Resource::field`]; `pool_free_mib/hypervisor`, `pool_free_mib/utility`;
    /// `write_latency_us`. A name that isn't known has no points.
    pub async fn node_history(
        &self,
        principal: &Principal,
        name: &str,
        metric: &str,
        range: HistoryRange,
    ) -> Result<Vec<(UnixMillis, f64)>, ManagerError> {
        admin_only(principal)?;
        let subject = self.node_named(name)?.node.id.to_string();
        let series = MetricSeries { subject, metric: metric.to_owned() };
        history::read(self.shared.store.as_ref(), &series, range).await
    }

    /// Sets what is kept back for the host and how many times over the rest is sold.
    pub async fn node_settings_set(
        &self,
        principal: &Principal,
        name: &str,
        settings: NodeSettings,
    ) -> Result<(), ManagerError> {
        let set = self.settings_set(principal, name, settings).await;
        self.attempted(principal, SETTINGS_SET, name, set).await
    }

    async fn settings_set(&self, principal: &Principal, name: &str, settings: NodeSettings) -> Result<(), Refused> {
        admin_only(principal)?;
        if let Some((field, message)) = settings.wrong().into_iter().next() {
            return Err(ManagerError::Invalid { field, message }.into());
        }
        let (node, row) = (self.node_named(name)?.node.id, accepted(principal, SETTINGS_SET, name));
        self.shared.store.node_settings_set(node, settings, &row).await.map_err(Refused::by_store)?;
        self.node_counts().await
    }

    /// Sets what fails together with it; empty where nothing is known to.
    pub async fn node_failure_domain_set(
        &self,
        principal: &Principal,
        name: &str,
        domain: &str,
    ) -> Result<(), ManagerError> {
        let set = self.failure_domain_set(principal, name, domain).await;
        self.attempted(principal, FAILURE_DOMAIN_SET, name, set).await
    }

    async fn failure_domain_set(&self, principal: &Principal, name: &str, domain: &str) -> Result<(), Refused> {
        admin_only(principal)?;
        let node = self.node_named(name)?.node.id;
        if !domain.is_empty() && !is_failure_domain(domain) {
            let message = "Use letters, digits, and - _ . between them; at most 63.".to_owned();
            return Err(ManagerError::Invalid { field: "failure_domain", message }.into());
        }
        let to = Some(domain).filter(|domain| !domain.is_empty());
        let row = accepted(principal, FAILURE_DOMAIN_SET, name);
        self.shared.store.node_failure_domain_set(node, to, &row).await.map_err(Refused::by_store)?;
        self.node_counts().await
    }

    /// Opens, cordons or drains it, as far as new VMs are concerned; it is fenced by [`Self::node_fence`] only.
    pub async fn node_administration_set(
        &self,
        principal: &Principal,
        name: &str,
        to: Administration,
    ) -> Result<(), ManagerError> {
        let set = self.administration_set(principal, name, to).await;
        self.attempted(principal, ADMINISTRATION_SET, name, set).await
    }

    async fn administration_set(&self, principal: &Principal, name: &str, to: Administration) -> Result<(), Refused> {
        admin_only(principal)?;
        if to == Administration::Fenced {
            return Err(ManagerError::Unavailable { reason: "a node is fenced by its own form".to_owned() }.into());
        }
        let (node, row) = (self.node_named(name)?.node.id, accepted(principal, ADMINISTRATION_SET, name));
        self.shared.store.node_administration_set(node, to, &row).await.map_err(Refused::by_store)?;
        self.node_counts().await
    }

    fn node_named(&self, name: &str) -> Result<Arc<MapNode>, ManagerError> {
        let map = self.map();
        map.nodes().values().find(|node| node.node.name == name).cloned().ok_or(ManagerError::NotFound)
    }

    /// The map counts what was decided, which the audit has.
    async fn node_counts(&self) -> Result<(), Refused> {
        self.collector.records_changed().await.map_err(|error| Refused::Told(error.into()))?;
        self.shared.tell(Change::Map);
        Ok(())
    }
}
