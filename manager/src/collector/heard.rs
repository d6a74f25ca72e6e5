//! What was heard of each node last, from both sources, and how an entry of the map is built from it.

use super::records::Records;
use crate::clock;
use crate::refusal_log::escaped;
use crate::shared::Shared;
use crate::store::Store;
use crate::vms::VmUsage;
use grid::map::{MapNode, NodeInputs, Reading};
use grid::rates::rates;
use grid::sample::{DomainState, HypervisorSample, Source, UTILITY_DOMAIN, UtilitySample};
use grid::sanitise::{Flag, Problem, sanitise_hypervisor, sanitise_utility};
use grid::vm::commitment;
use grid::{Gib, NodeId, Resources, Size, UnixMillis, Vcpus, VmId};
use std::collections::{BTreeMap, BTreeSet};

/// A sample that shows a VM which left its node longer ago shows a stranger.
const FORGOTTEN_AFTER_MS: u64 = 60_000;
/// Characters of a flag in the log.
const LONGEST_FLAG: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) records: Records,
    /// How manieth reading of the store was begun last, and which is the one held.
    records_asked: u64,
    records_held: u64,
    nodes: BTreeMap<NodeId, HeardOfNode>,
    /// VMs that were on a node until then: an older sample still shows them, and they are no strangers.
    gone: Vec<(NodeId, VmId, UnixMillis)>,
    /// VMs on which an operation worked until then: older samples show them as they were before.
    let_go: Vec<(VmId, UnixMillis)>,
}

#[derive(Debug, Default)]
struct HeardOfNode {
    hypervisor: Option<Reading<HypervisorSample>>,
    previous: Option<HypervisorSample>,
    utility: Option<Reading<UtilitySample>>,
    /// When the utility VM was last seen not to run.
    utility_off: Option<UnixMillis>,
    usage: BTreeMap<VmId, VmUsage>,
    /// What the last sample of each source said that can't be true: the log is told when that begins.
    flags: (Vec<Flag>, Vec<Flag>),
}

impl Heard {
    pub(super) fn new(records: Records) -> Self {
        Self { records, ..Self::default() }
    }

    /// Takes up what an earlier run heard last, so that a restarted manager knows what it knew; its age tells that it
    /// is old.
    pub(super) async fn remember(&mut self, store: &dyn Store) {
        let nodes: Vec<NodeId> = self.nodes();
        for node in nodes {
            let hypervisor = last(store, node, Source::Hypervisor).await;
            let utility = last(store, node, Source::Utility).await;
            let heard = self.nodes.entry(node).or_default();
            (heard.hypervisor, heard.utility) = (hypervisor, utility);
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

    pub(super) fn records_came(&mut self, asked: u64, records: Records) {
        if asked <= self.records_held {
            return;
        }
        self.records_held = asked;
        let now = clock::now();
        self.gone.retain(|(_, _, at)| now.since(*at) < FORGOTTEN_AFTER_MS);
        self.gone.extend(self.records.lost_since(&records).map(|(node, vm)| (node, vm, now)));
        self.let_go.retain(|(_, at)| now.since(*at) < FORGOTTEN_AFTER_MS);
        self.let_go.extend(self.records.worked_on.difference(&records.worked_on).map(|vm| (*vm, now)));
        self.records = records;
    }

    pub(super) fn hypervisor_answered(&mut self, node: NodeId, at: UnixMillis, sample: HypervisorSample) {
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
    }

    /// When the utility module was last heard.
    pub(super) fn utility_at(&self, node: NodeId) -> Option<UnixMillis> {
        self.nodes.get(&node)?.utility.as_ref().map(|reading| reading.at)
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
        let of_node = self.gone.iter().filter(|(from, _, _)| *from == node);
        let left = of_node.filter(|(_, _, at)| sampled_at.is_some_and(|sampled_at| sampled_at <= *at));
        held.chain(left.map(|(_, vm, _)| *vm)).collect()
    }

    /// The VMs on which operations work, and those on which they still worked at that time.
    fn worked_on(&self, since: Option<UnixMillis>) -> BTreeSet<VmId> {
        let lately = self.let_go.iter().filter(|(_, at)| since.is_some_and(|since| since <= *at));
        self.records.worked_on.iter().copied().chain(lately.map(|(vm, _)| *vm)).collect()
    }

    pub(super) fn build(&self, node: NodeId, now: UnixMillis, shared: &Shared) -> Option<MapNode> {
        let recorded = self.records.nodes.get(&node)?.clone();
        let nothing = HeardOfNode::default();
        let heard = self.nodes.get(&node).unwrap_or(&nothing);
        let held = self.held(node, heard.hypervisor.as_ref().map(|reading| reading.at));
        let entry = MapNode::build(NodeInputs {
            hypervisor: heard.hypervisor.clone(),
            previous: heard.previous.as_ref(),
            utility: heard.utility.clone(),
            utility_off: heard.utility_off,
            vms: self.records.vms.get(&node).map_or(&[], Vec::as_slice),
            reserved: self.records.reserved.get(&node).copied().unwrap_or(Resources::ZERO),
            held: &held,
            worked_on: &self.worked_on(heard.older()),
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
    let size = Size { vcpus: Vcpus(1), memory: shared.utility.memory, disk: Gib(0) };
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

async fn last<S: serde::de::DeserializeOwned>(store: &dyn Store, node: NodeId, source: Source) -> Option<Reading<S>> {
    let (at, json) = match store.sample_get(node, source).await {
        Ok(found) => found?,
        Err(error) => {
            tracing::warn!(%error, %node, source = source.as_str(), "the last sample could not be read");
            return None;
        }
    };
    let sample = serde_json::from_str(&json);
    if let Err(error) = &sample {
        tracing::warn!(%error, %node, source = source.as_str(), "the last sample is of another version");
    }
    Some(Reading { at, sample: sample.ok()? })
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
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_vm_is_in_an_operations_hands_until_samples_came_after_it() {
        let vm = VmId(Uuid::from_u128(1));
        let records = Records { worked_on: [vm].into(), ..Records::default() };
        let mut heard = Heard::new(records);
        assert_eq!(heard.worked_on(None), [vm].into());
        let before = clock::now();
        let asked = heard.records_asked();
        heard.records_came(asked, Records::default());
        assert_eq!(heard.worked_on(Some(before)), [vm].into());
        assert_eq!(heard.worked_on(Some(UnixMillis(clock::now().0 + 1))), BTreeSet::new());
    }
}
