//! VMs in words, and their usage as charts.

use super::{catalogue, operation, schedule, time};
use crate::AppError;
use crate::charts::{self, Line, Unit};
use crate::server_side::door::Door;
use crate::view::amounts;
use crate::view::chart::ChartView;
use crate::view::vm::{MoveAskedView, MoveGivenView, RevertView, VmCard, VmListView, VmPageView};
use grid::relocation::MoveConsent;
use grid::{HypervisorKind, VmId};
use manager::history::HistoryRange;
use manager::vms::{Revert, VmView};

/// How far back the charts of a VM go.
const CHARTED_MS: i64 = 60 * 60 * 1000;
/// Points of a line.
const POINTS: u32 = 120;
/// Operations on a VM's page.
const OPERATIONS: u32 = 20;

/// The lines of each chart: the chart's title and unit, then metric and legend of each line.
type Charted = (&'static str, Unit, &'static [(&'static str, &'static str)]);

const CHARTS: [Charted; 4] = [
    ("CPU", Unit::Permille, &[("cpu_permille", "In use, of its vCPUs")]),
    ("Memory", Unit::Mib, &[("memory_mib", "Configured"), ("memory_resident_mib", "Resident on its node")]),
    ("Disk", Unit::BytesPerSecond, &[("block_read_bytes_per_s", "Read"), ("block_write_bytes_per_s", "Written")]),
    (
        "Network",
        Unit::BytesPerSecond,
        &[("network_receive_bytes_per_s", "Received"), ("network_transmit_bytes_per_s", "Sent")],
    ),
];

/// Why more can be resident than is configured.
const MEMORY_NOTE: &str = "Resident is all that its node's memory holds for it: the guest's and what the hypervisor \
                           needs to run it. So it can be a little more than is configured.";

/// What a container writes goes to its node's memory first, and from there to the disk in the node's own name.
const CONTAINER_DISK_NOTE: &str = "Of a container only what goes to the disk at once is counted, where its node counts \
                                   that at all; not what its node's memory holds, and writes later.";

/// The list of VMs.
pub fn list(door: &Door, vms: Vec<VmView>, quota: manager::catalogue::QuotaView) -> VmListView {
    VmListView {
        vms: vms.into_iter().map(|vm| card(door, vm)).collect(),
        quota: catalogue::quota(quota),
        is_admin: door.is_admin(),
        as_of: time::moment(door.manager.map().as_of),
    }
}

/// The page of one VM.
pub async fn page(door: &Door, id: VmId) -> Result<VmPageView, AppError> {
    let (manager, principal) = (&door.manager, &door.principal);
    let view = door.pass(manager.vm_get(principal, id).await)?;
    let operations = door.pass(manager.vm_operations(principal, id, OPERATIONS).await)?;
    let back = door.pass(manager.vm_revert(principal, id).await)?;
    let name = view.vm.name.clone();
    Ok(VmPageView {
        mac: view.vm.mac.clone(),
        created_at: time::moment(view.vm.created_at),
        maximum_vcpus: view.vm.maxima.vcpus.0,
        maximum_memory_mib: view.vm.maxima.memory.0,
        charts: history(door, id, view.vm.kind).await?,
        operations: operations.iter().map(|each| operation::line(each, &name)).collect(),
        revert: back.map(revert),
        schedules: schedule::list(door, id).await?,
        move_asked: door.pass(manager.vm_move_asked(principal, id).await)?.map(move_asked),
        idempotency_key: catalogue::key(),
        as_of: time::moment(manager.map().as_of),
        vm: card(door, view),
    })
}

fn move_asked(asked: MoveConsent) -> MoveAskedView {
    let given = asked.given.map(|given| MoveGivenView {
        opens: schedule::moment(given.window.opens),
        closes: schedule::moment(given.window.closes),
        is_over: given.window.is_over(time::now()),
        force_off: given.force_off,
    });
    let downtime = amounts::expected(asked.estimate.downtime_ms);
    let agreed = asked.given.map(|given| given.window);
    let proposed = schedule::proposed_instead(agreed, time::now());
    MoveAskedView { drain: asked.relocation.to_string(), downtime, given, proposed }
}

fn revert(back: Revert) -> RevertView {
    RevertView { to: back.to, disk_has_grown: back.disk_was.is_some(), until: time::moment(back.until) }
}

/// A VM in a list.
pub fn card(door: &Door, view: VmView) -> VmCard {
    let vm = view.vm;
    VmCard {
        id: vm.id.to_string(),
        state: vm.state,
        size: vm.size,
        kind: vm.kind.as_str().to_owned(),
        region: vm.region,
        address: vm.address.to_string(),
        image: vm.image,
        owner: door.is_admin().then_some(view.owner_email),
        node: view.node_name,
        out_of_service: view.out_of_service,
        stands_still: view.stands_still,
        operation: view.operation.map(|running| operation::line(&running, &vm.name)),
        cpu_permille: view.usage.map(|usage| usage.cpu_permille.into()),
        memory_resident_mib: view.usage.and_then(|usage| usage.memory_resident_mib),
        name: vm.name,
    }
}

async fn history(door: &Door, vm: VmId, kind: HypervisorKind) -> Result<Vec<ChartView>, AppError> {
    let to = time::now();
    let range = HistoryRange { from: grid::UnixMillis(to.0 - CHARTED_MS), to, points: POINTS };
    let mut drawn = Vec::with_capacity(CHARTS.len());
    for (title, unit, metrics) in CHARTS {
        let mut lines = Vec::with_capacity(metrics.len());
        for (metric, name) in metrics {
            let points = door.pass(door.manager.vm_history(&door.principal, vm, metric, range).await)?;
            lines.push(Line { name: (*name).to_owned(), points });
        }
        let chart = charts::chart(title, unit, &lines, (range.from, range.to));
        let note = match title {
            "Memory" => Some(MEMORY_NOTE),
            "Disk" if kind.is_container() => Some(CONTAINER_DISK_NOTE),
            _ => None,
        };
        drawn.push(ChartView { note: note.map(str::to_owned), ..chart });
    }
    Ok(drawn)
}
