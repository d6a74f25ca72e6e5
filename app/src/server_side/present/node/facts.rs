//! Both sets of statistics of a node, fact by fact, with the source that counts where they disagree, and beside each
//! fact what a source said of it that can't be true.

use crate::view::amounts;
use crate::view::node::FactView;
use grid::UnixMillis;
use grid::map::{Disagreement, Fact, MapNode};
use grid::sample::{HypervisorSample, ImageSample, Source, UtilitySample};
use grid::sanitise::Flag;
use grid::wording::Counted;

/// A fact: its name, what each source says, and which disagreement would be about it.
struct Row {
    name: &'static str,
    hypervisor: Option<String>,
    utility: Option<String>,
    fact: Option<Fact>,
    /// The sample's fields that it is made of.
    fields: &'static [&'static str],
}

impl Row {
    const fn new(name: &'static str, hypervisor: Option<String>, utility: Option<String>) -> Self {
        Self { name, hypervisor, utility, fact: None, fields: &[] }
    }

    fn of(self, fields: &'static [&'static str]) -> Self {
        Self { fields, ..self }
    }

    fn about(self, fact: Fact) -> Self {
        Self { fact: Some(fact), ..self }
    }
}

pub(super) fn facts(node: &MapNode, as_of: UnixMillis) -> Vec<FactView> {
    let age = |at: UnixMillis| format!("{} ago", amounts::duration(as_of.apart(at)));
    let hypervisor = node.hypervisor.as_ref().map(|reading| &reading.sample);
    let utility = node.utility.as_ref().map(|reading| &reading.sample);
    let heard = Row::new(
        "Last heard",
        node.hypervisor.as_ref().map(|reading| age(reading.at)),
        node.utility.as_ref().map(|reading| age(reading.at)),
    );
    let shared = shared_rows(hypervisor, utility);
    let only = hypervisor.map(hypervisor_rows).into_iter().chain(utility.map(utility_rows)).flatten();
    let rows: Vec<Row> = [heard].into_iter().chain(shared).chain(only).collect();
    let is_shown = |flag: &Flag| rows.iter().any(|row| row.fields.contains(&flag.field.as_str()));
    let others = node.flags.iter().filter(|(_, flag)| !is_shown(flag));
    let others: Vec<String> = others.map(|(source, flag)| unbelievable(*source, flag, &flag.field)).collect();
    let mut views: Vec<FactView> = rows.into_iter().map(|row| view(row, &node.disagreements, &node.flags)).collect();
    if !others.is_empty() {
        let fact = "Other figures".to_owned();
        views.push(FactView { fact, hypervisor: None, utility: None, counted: None, flags: others });
    }
    views
}

/// `The utility module's word can't be true: 200,000 is more than the whole of 102,400, 0 counts.`
fn unbelievable(source: Source, flag: &Flag, about: &str) -> String {
    let about = if about.is_empty() { String::new() } else { format!(" about {about}") };
    format!("The {}'s word{about} can't be true: {}.", source.in_words(), flag.problem)
}

fn view(row: Row, disagreements: &[Disagreement], flags: &[(Source, Flag)]) -> FactView {
    let mine = flags.iter().filter(|(_, flag)| row.fields.contains(&flag.field.as_str()));
    let flags = mine.map(|(source, flag)| unbelievable(*source, flag, "")).collect();
    let found = row.fact.and_then(|fact| disagreements.iter().find(|each| each.fact == fact));
    FactView {
        fact: row.name.to_owned(),
        hypervisor: row.hypervisor,
        utility: row.utility,
        counted: found.map(|disagreement| disagreement.counted.as_str().to_owned()),
        flags,
    }
}

/// What both can tell.
fn shared_rows(hypervisor: Option<&HypervisorSample>, utility: Option<&UtilitySample>) -> Vec<Row> {
    let pool = hypervisor.and_then(|sample| sample.pool);
    let node_seen = utility.filter(|sample| sample.sees_node);
    vec![
        Row::new(
            "Pool, capacity",
            pool.map(|pool| amounts::mib(pool.capacity_mib)),
            utility.map(|sample| amounts::mib(sample.pool.capacity_mib)),
        )
        .about(Fact::PoolCapacity)
        .of(&["pool.capacity_mib"]),
        Row::new(
            "Pool, free",
            pool.map(|pool| amounts::mib(pool.free_mib)),
            utility.map(|sample| amounts::mib(sample.pool.free_mib)),
        )
        .about(Fact::PoolFree)
        .of(&["pool.free_mib"]),
        Row::new(
            "Node's memory",
            hypervisor.map(|sample| amounts::mib(sample.memory_total_mib)),
            node_seen.and_then(|sample| sample.node_memory_total_mib).map(amounts::mib),
        )
        .about(Fact::NodeMemory)
        .of(&["memory_total_mib", "node_memory_total_mib"]),
        Row::new(
            "Node's memory, free",
            hypervisor.map(|sample| amounts::mib(sample.memory_free_mib)),
            node_seen.and_then(|sample| sample.node_memory_free_mib).map(amounts::mib),
        )
        .about(Fact::NodeMemoryFree)
        .of(&["memory_free_mib", "node_memory_free_mib"]),
        Row::new(
            "VMs",
            hypervisor.map(|sample| Counted(sample.domains.len() as u64, "domain").to_string()),
            utility.map(|sample| format!("{} deployed", sample.deployed.len())),
        ),
        Row::new("Version", hypervisor.map(versions), utility.map(|sample| sample.version.clone())),
    ]
}

fn versions(sample: &HypervisorSample) -> String {
    format!("libvirt {}, hypervisor {}", version(sample.library_version), version(sample.hypervisor_version))
}

/// `9_000_000` as `9.0.0`.
fn version(number: u64) -> String {
    format!("{}.{}.{}", number / 1_000_000, number / 1000 % 1000, number % 1000)
}

fn hypervisor_rows(sample: &HypervisorSample) -> Vec<Row> {
    let only = |name, text: String| Row::new(name, Some(text), None);
    let kinds: Vec<&str> = sample.domain_kinds.iter().map(|kind| kind.as_str()).collect();
    let cell = |cell: &grid::sample::NumaCell| {
        let (memory, free) = (amounts::mib(cell.memory_mib), amounts::mib(cell.free_mib));
        format!("{}: {} CPUs, {memory}, {free} free", cell.id, cell.cpus)
    };
    let cells: Vec<String> = sample.numa_cells.iter().map(cell).collect();
    let model = &sample.compatibility.cpu_model;
    vec![
        only("Pool, allocated", sample.pool_allocated_mib.map_or("–".to_owned(), amounts::mib))
            .of(&["pool_allocated_mib"]),
        only("CPUs", sample.cpus.to_string()).of(&["cpus"]),
        only("CPU model", if model.is_empty() { "–".to_owned() } else { model.clone() }),
        only("Domain types", kinds.join(", ")),
        only("NUMA cells", cells.join("; ")),
    ]
}

/// Its name, and as much of its checksum as tells it from others.
fn image(image: &ImageSample) -> String {
    format!("{} (SHA-256 {}…)", image.name, image.checksum.chars().take(12).collect::<String>())
}

fn utility_rows(sample: &UtilitySample) -> Vec<Row> {
    let only = |name, text: String| Row::new(name, None, Some(text));
    let load = format!("{}.{:02}", sample.load_permille / 1000, sample.load_permille % 1000 / 10);
    let images: Vec<String> = sample.images.iter().map(image).collect();
    let real = sample.disks.iter().fold(0_u64, |sum, disk| sum.saturating_add(disk.real_bytes));
    let available = sample.node_memory_available_mib.filter(|_| sample.sees_node).map_or("–".to_owned(), amounts::mib);
    vec![
        only("Write of 4 KiB", format!("{}.{:03} ms", sample.write_latency_us / 1000, sample.write_latency_us % 1000)),
        only(if sample.sees_node { "Node's load" } else { "Module's own load" }, load),
        only("Node's memory, with caches", available).of(&["node_memory_available_mib"]),
        only("CPU time withheld", amounts::permille(sample.steal_permille)),
        only("Disks, really taken", format!("{} in {} disks", amounts::bytes(real), sample.disks.len())),
        only("Images held", if images.is_empty() { "none".to_owned() } else { images.join(", ") }),
        only(
            "Module's memory",
            format!(
                "{} of {} free",
                amounts::mib(sample.own_memory_available_mib),
                amounts::mib(sample.own_memory_total_mib)
            ),
        ),
        only("Module's uptime", amounts::duration(sample.uptime_seconds.saturating_mul(1000))),
        only("Boot id", sample.boot_id.clone()),
        only("Process namespace", sample.process_namespace.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid::map::{Freshness, NodeInputs};
    use grid::node::{Administration, Node, NodeSettings};
    use grid::sanitise::Problem;
    use grid::{HypervisorKind, NodeId, Resources};
    use uuid::Uuid;

    fn never_heard() -> MapNode {
        let node = Node {
            id: NodeId(Uuid::nil()),
            name: "a".into(),
            kind: HypervisorKind::Qemu,
            region: "north".into(),
            uri: "simulated:///a".into(),
            settings: NodeSettings::default(),
            administration: Administration::Open,
            failure_domain: None,
        };
        MapNode::build(NodeInputs {
            node,
            hypervisor: None,
            previous: None,
            utility: None,
            utility_off: None,
            vms: &[],
            reserved: Resources::ZERO,
            held: &[],
            worked_on: &std::collections::BTreeSet::new(),
            utility_vm: Resources::ZERO,
            now: UnixMillis(0),
            limits: Freshness { stale_after_ms: 1 },
        })
    }

    #[test]
    fn what_cannot_be_true_stands_beside_its_fact_or_under_other_figures() {
        let problem = Problem::MoreThanWhole { given: 1 << 63, whole: 4096, kept: 0 };
        let flag = |field: &str| Flag { field: field.into(), problem };
        let flags = vec![(Source::Utility, flag("pool.free_mib")), (Source::Hypervisor, flag("numa_cells.0.free_mib"))];
        let facts = facts(&MapNode { flags, ..never_heard() }, UnixMillis(0));
        let flags_of = |name: &str| facts.iter().find(|fact| fact.fact == name).unwrap().flags.clone();
        let words = "can't be true: 9,223,372,036,854,775,808 is more than the whole of 4,096, 0 counts.";
        assert_eq!(flags_of("Pool, free"), [format!("The utility module's word {words}")]);
        assert_eq!(flags_of("Other figures"), [format!("The hypervisor's word about numa_cells.0.free_mib {words}")]);
        assert_eq!(flags_of("Pool, capacity"), Vec::<String>::new());
        assert!(super::facts(&never_heard(), UnixMillis(0)).iter().all(|fact| fact.fact != "Other figures"));
    }

    #[test]
    fn a_version_number_is_written_with_points() {
        assert_eq!(version(9_000_000), "9.0.0");
        assert_eq!(version(7_002_013), "7.2.13");
    }
}
