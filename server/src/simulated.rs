//! The simulated grid, as the configuration names it: the same story without libvirt.

use crate::configuration::Configuration;
use crate::serve::ServeError;
use grid::node::Node;
use manager::hypervisor::Hypervisor;
use manager::hypervisor::simulated::{Hardware, SimulatedGrid};
use manager::simulation;
use manager::store::Store;
use manager::utility::UtilityHub;
use manager::utility::simulated::SimulatedTransfers;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Each node has 8 CPUs, 16 GiB and a pool of 4 GiB.
const HARDWARE: (u32, u64, u64) = (8, 16_384, 4096);
/// A start, a shutdown, a tenth of a migration: slow enough to be watched.
const PACE: Duration = Duration::from_millis(300);
const REPORT_EVERY: Duration = Duration::from_secs(3);

/// The nodes of the configuration in a grid that is kept beside the store.
pub(crate) async fn hypervisors(
    configuration: &Configuration,
    store: &Arc<dyn Store>,
    nodes: &[Node],
    hub: &Arc<UtilityHub>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<Vec<Arc<dyn Hypervisor>>, ServeError> {
    let kept = configuration.storage.directory.join("simulated-grid.json");
    let grid = SimulatedGrid::kept_at(kept).map_err(ServeError::SimulatedGrid)?;
    grid.set_pace(PACE);
    let transfers = SimulatedTransfers::default();
    let vms = store.vm_list(None).await?;
    let mut hypervisors = Vec::with_capacity(nodes.len());
    for node in nodes {
        let hardware = Hardware::new(HARDWARE.0, HARDWARE.1, HARDWARE.2);
        let (hypervisor, module) = simulation::add_node(&grid, hub, &transfers, node, hardware, &vms);
        let reporting = module.report_for_ever(Arc::clone(hub), REPORT_EVERY);
        tasks.spawn(stop.clone().run_until_cancelled_owned(reporting));
        hypervisors.push(hypervisor);
    }
    Ok(hypervisors)
}
