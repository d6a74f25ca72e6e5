//! What was heard of each node last, from both sources, and how an entry of the map is built from it.

use super::lately::Lately;
use super::records::{Changed, Records};
use crate::clock;
use crate::refusal_log::escaped;
use crate::shared::Shared;
use crate::store::rows::{LastSample, VmRecord};
use crate::store::{Store, StoreError};
use crate::vms::VmUsage;
use grid::map::{MapNode, NodeInputs, Reading};
use grid::rates::rates;
use grid::sample::{DomainState, HypervisorSample, Source, UTILITY_DOMAIN, UtilitySample};
use grid::sanitise::{Flag, Problem, sanitise_hypervisor, sanitise_utility};
use grid::vm::commitment;
use grid::{Gib, NodeId, OperationId, Resources, Size, UnixMillis, Vcpus, VmId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// So many last samples are read at once.
const REMEMBERED_TOGETHER: u32 = 1_000;

/// How many MACs there are.
const MACS: u32 = 1 << 24;

/// Characters of a flag in the log.
const LONGEST_FLAG: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) records: Records,
    /// How manieth reading of the store was begun last, and which of all of it is the one held.
    records_asked: u64,
    records_held: u64,
    /// The VMs that were read by themselves since, and by how manieth reading.
    read_alone: BTreeMap<VmId, u64>,
    /// What is chosen, and not in the store yet.
    chosen: BTreeMap<NodeId, BTreeMap<OperationId, Resources>>,
    pub(super) macs_chosen: BTreeSet<String>,
    /// The one that was given out last.
    last_mac: u32,
    nodes: BTreeMap<NodeId, HeardOfNode>,
    /// VMs that were on a node until then: an older sample still shows them, and they are no strangers.
    gone: Lately<(NodeId, VmId)>,
    /// VMs on which an operation worked until then: older samples show them as they were before.
    let_go: Lately<VmId>,
}

#[derive(Debug, Default)]
struct HeardOfNode {
    hypervisor: Option<Reading<HypervisorSample>>,
    previous: Option<HypervisorSample>,
    utility: Option<Reading<UtilitySample>>,
    /// When this process heard its utility module last, by a clock that nobody sets.
    utility_heard: Option<Instant>,
    /// When the utility VM was last seen not to run.
    utility_off: Option<UnixMillis>,
    usage: BTreeMap<VmId, VmUsage>,
    /// What the last sample of each source said that can't be true: the log is told when that begins.
    flags: (Vec<Flag>, Vec<Flag>),
}

impl Heard {
    pub(super) fn new(records: Records) -> Self {
        Self { records, last_mac: Uuid::new_v4().as_fields().0 % MACS, ..Self::default() }
    }

    /// Takes up what an earlier run heard last, so that a restarted manager knows what it knew; its age tells that it
    /// is old.
    pub(super) async fn remember(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let mut last = None;
        loop {
            let samples = store.sample_list(last, REMEMBERED_TOGETHER).await?;
            let Some(newest) = samples.last() else { return Ok(()) };
            last = Some((newest.node, newest.source));
            for sample in samples {
                if self.records.nodes.contains_key(&sample.node) {
                    let heard = self.nodes.entry(sample.node).or_default();
                    match sample.source {
                        Source::Hypervisor => heard.hypervisor = read(&sample),
                        Source::Utility => heard.utility = read(&sample),
                    }
                }
            }
        }
    }

    pub(super) fn nodes(&self) -> Vec<NodeId> {
        self.records.nodes.keys().copied().collect()
    }

    /// A reading of the store begins: the newest begun wins, whichever ends last.
    pub(super) fn records_asked(&mut self) -> u64 {
        self.records_asked += 1;
        self.records_asked
    }

    /// All of the store was read; what was read of a VM by a later reading stands.
    pub(super) fn records_came(&mut self, asked: u64, mut records: Records) {
        if asked <= self.records_held {
            return;
        }
        self.records_held = asked;
        self.read_alone.retain(|_, read| *read > asked);
        for vm in self.read_alone.keys() {
            self.records.take(*vm, &mut records);
        }
        let now = clock::now();
        for left in self.records.lost_since(&records) {
            self.gone.put(left, now);
        }
        for vm in self.records.worked_on.difference(&records.worked_on) {
            self.let_go.put(*vm, now);
        }
        self.records = records;
    }

    /// One VM was read; answers the nodes on which that counts.
    pub(super) fn record_came(&mut self, asked: u64, vm: VmId, record: VmRecord) -> BTreeSet<NodeId> {
        let read = self.read_alone.entry(vm).or_default();
        if asked <= self.records_held.max(*read) {
            return BTreeSet::new();
        }
        *read = asked;
        let Changed { nodes, left, let_go } = self.records.put(vm, record);
        let now = clock::now();
        for node in left {
            self.gone.put((node, vm), now);
        }
        if let_go {
            self.let_go.put(vm, now);
        }
        nodes
    }

    /// A choice counts at once, before the store has it.
    pub(super) fn chosen(&mut self, operation: OperationId, node: NodeId, amount: Resources) {
        self.chosen.entry(node).or_default().insert(operation, amount);
    }

    /// The store has it, or will never: it counts by its record, or not at all.
    pub(super) fn chosen_no_more(&mut self, operation: OperationId, node: NodeId) {
        if let Some(of_node) = self.chosen.get_mut(&node) {
            of_node.remove(&operation);
            if of_node.is_empty() {
                self.chosen.remove(&node);
            }
        }
    }

    /// A MAC that is nobody's, under the prefix that QEMU's makers have. They are given out in their order, round and round:
    /// what comes together stands together in the store.
    pub(super) fn next_mac(&mut self) -> String {
        loop {
            self.last_mac = (self.last_mac + 1) % MACS;
            let [_, first, second, third] = self.last_mac.to_be_bytes();
            let mac = format!("52:54:00:{first:02x}:{second:02x}:{third:02x}");
            if !self.records.has_mac(&mac) && !self.macs_chosen.contains(&mac) {
                return mac;
            }
        }
    }

    /// What operations hold on a node: those that are recorded, and those that are chosen only.
    pub(super) fn reserved(&self, node: NodeId) -> Resources {
        let chosen = self.chosen.get(&node);
        let is_chosen = |operation: &OperationId| chosen.is_some_and(|chosen| chosen.contains_key(operation));
        let recorded = self.records.reserved(node).filter(|(operation, _)| !is_chosen(operation));
        let all = recorded.map(|(_, amount)| amount).chain(chosen.into_iter().flat_map(BTreeMap::values).copied());
        all.fold(Resources::ZERO, Resources::plus)
    }

    /// Whether the node's last samples know of this VM.
    pub(super) fn shows(&self, node: NodeId, vm: VmId) -> bool {
        let Some(HeardOfNode { hypervisor, utility, .. }) = self.nodes.get(&node) else { return false };
        let by_hypervisor = hypervisor.iter().flat_map(|it| &it.sample.domains).any(|domain| domain.id == vm);
        let samples = || utility.iter().map(|it| &it.sample);
        let by_utility = samples().flat_map(|it| &it.disks).any(|disk| disk.vm == vm)
            || samples().flat_map(|it| &it.deployed).any(|deployed| deployed.vm == vm);
        by_hypervisor || by_utility
    }

    pub(super) fn hypervisor_answered(&mut self, node: NodeId, at: UnixMillis, sample: HypervisorSample) {
        self.gone.forget(at);
        self.let_go.forget(at);
        let heard = self.nodes.entry(node).or_default();
        heard.previous = heard.hypervisor.take().map(|reading| reading.sample);
        let (sample, flags) = sanitise_hypervisor(sample, heard.previous.as_ref(), at);
        note(node, Source::Hypervisor, flags, &mut heard.flags.0);
        if let Some(previous) = &heard.previous {
            heard.usage = usage(previous, &sample);
        }
        if !sample.domains.iter().any(|domain| domain.name == UTILITY_DOMAIN && domain.state == DomainState::Running) {
            heard.utility_off = Some(at);
        }
        heard.hypervisor = Some(Reading { at, sample });
    }

    /// The utility VM was looked for, and does not run.
    pub(super) fn utility_is_off(&mut self, node: NodeId, at: UnixMillis) {
        self.nodes.entry(node).or_default().utility_off = Some(at);
    }

    pub(super) fn utility_reported(&mut self, node: NodeId, at: UnixMillis, sample: UtilitySample) {
        let heard = self.nodes.entry(node).or_default();
        let before = heard.utility.take().map(|reading| reading.sample);
        let (sample, flags) = sanitise_utility(sample, before.as_ref(), at);
        note(node, Source::Utility, flags, &mut heard.flags.1);
        heard.utility = Some(Reading { at, sample });
        heard.utility_heard = Some(Instant::now());
    }

    /// Whether the utility module has reported within this time, whatever the wall clock did meanwhile.
    pub(super) fn utility_is_heard(&self, node: NodeId, within: Duration) -> bool {
        let heard = self.nodes.get(&node).and_then(|heard| heard.utility_heard);
        heard.is_some_and(|at| at.elapsed() <= within)
    }

    pub(super) fn usage(&self, vm: VmId) -> Option<VmUsage> {
        self.nodes.values().find_map(|heard| heard.usage.get(&vm).copied())
    }

    /// The VMs' use on one node.
    pub(super) fn usage_on(&self, node: NodeId) -> BTreeMap<VmId, VmUsage> {
        self.nodes.get(&node).map(|heard| heard.usage.clone()).unwrap_or_default()
    }

    /// The VMs that operations hold on a node, and those that left it after it was sampled.
    fn held(&self, node: NodeId, sampled_at: Option<UnixMillis>) -> Vec<VmId> {
        let held = self.records.held.get(&node).into_iter().flatten().copied();
        let of_node = (node, VmId(Uuid::nil()))..=(node, VmId(Uuid::max()));
        let left = sampled_at.into_iter().flat_map(|sampled_at| self.gone.all_since(of_node.clone(), sampled_at));
        held.chain(left.map(|(_, vm)| vm)).collect()
    }

    /// Whether an operation works on the VM, or still worked on it at that time.
    pub(super) fn is_worked_on(&self, vm: VmId, since: Option<UnixMillis>) -> bool {
        self.records.worked_on.contains(&vm) || since.is_some_and(|since| self.let_go.since(vm, since))
    }

    pub(super) fn build(&self, node: NodeId, now: UnixMillis, shared: &Shared) -> Option<MapNode> {
        let recorded = self.records.nodes.get(&node)?.clone();
        let nothing = HeardOfNode::default();
        let heard = self.nodes.get(&node).unwrap_or(&nothing);
        let held = self.held(node, heard.hypervisor.as_ref().map(|reading| reading.at));
        let vms = self.records.vms.get(&node).map_or(&[][..], Vec::as_slice);
        let (older, ids) = (heard.older(), vms.iter().map(|vm| vm.id));
        let worked_on: BTreeSet<VmId> = ids.filter(|vm| self.is_worked_on(*vm, older)).collect();
        let entry = MapNode::build(NodeInputs {
            hypervisor: heard.hypervisor.clone(),
            previous: heard.previous.as_ref(),
            utility: heard.utility.clone(),
            utility_off: heard.utility_off,
            vms,
            reserved: self.reserved(node),
            held: &held,
            worked_on: &worked_on,
            utility_vm: utility_vm(&recorded, shared),
            now,
            limits: shared.pace.freshness,
            node: recorded,
        });
        Some(MapNode { flags: heard.flags(), ..entry })
    }
}

impl HeardOfNode {
    /// When the older of its two samples came.
    fn older(&self) -> Option<UnixMillis> {
        let first = self.hypervisor.as_ref().map(|reading| reading.at);
        first.min(self.utility.as_ref().map(|reading| reading.at))
    }

    fn flags(&self) -> Vec<(Source, Flag)> {
        let (first, second) = &self.flags;
        let of = |source, flags: &[Flag]| flags.iter().map(move |flag| (source, flag.clone())).collect::<Vec<_>>();
        [of(Source::Hypervisor, first), of(Source::Utility, second)].concat()
    }
}

/// What a node's utility VM takes: one vCPU and its memory; its files are in the pool's own figures.
fn utility_vm(node: &grid::node::Node, shared: &Shared) -> Resources {
    let size = Size::new(Vcpus(1), shared.utility.memory, Gib(0));
    commitment(node.kind, size)
}

/// Counts what can't be true, keeps the lies, and says it once, not at each sample.
fn note(node: NodeId, source: Source, flags: Vec<Flag>, kept: &mut Vec<Flag>) {
    metrics::counter!("hostgrid_sample_flags_total", "source" => source.as_str()).increment(flags.len() as u64);
    // A restarted domain's counters begin anew: that is no lie.
    let is_lie = |flag: &Flag| !matches!(flag.problem, Problem::Backwards { .. });
    let lies: Vec<Flag> = flags.into_iter().filter(is_lie).collect();
    if let Some(first) = lies.first()
        && kept.is_empty()
    {
        let (count, first) = (lies.len(), escaped(&first.to_string(), LONGEST_FLAG));
        tracing::warn!(%node, source = source.as_str(), count, %first, "a sample says what can't be true");
    }
    *kept = lies;
}

fn read<S: serde::de::DeserializeOwned>(last: &LastSample) -> Option<Reading<S>> {
    let sample = serde_json::from_str(&last.json);
    if let Err(error) = &sample {
        let (node, source) = (last.node, last.source.as_str());
        tracing::warn!(%error, %node, source, "the last sample is of another version");
    }
    Some(Reading { at: last.at, sample: sample.ok()? })
}

fn usage(previous: &HypervisorSample, current: &HypervisorSample) -> BTreeMap<VmId, VmUsage> {
    let memory: BTreeMap<VmId, Option<u64>> = current
        .domains
        .iter()
        .filter(|domain| domain.state == DomainState::Running)
        .map(|domain| (domain.id, domain.memory_resident_mib))
        .collect();
    let running = rates(previous, current).into_iter().filter_map(|rate| Some((rate, *memory.get(&rate.id)?)));
    running
        .map(|(rate, memory_resident_mib)| {
            let usage = VmUsage {
                cpu_permille: rate.cpu_permille,
                memory_resident_mib,
                block_read_bytes_per_s: rate.block_read,
                block_write_bytes_per_s: rate.block_write,
                network_receive_bytes_per_s: rate.network_receive,
                network_transmit_bytes_per_s: rate.network_transmit,
            };
            (rate.id, usage)
        })
        .collect()
}

#[cfg(test)]
mod tests;
