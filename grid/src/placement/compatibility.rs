//! What a live move needs of its destination.

use crate::sample::Compatibility;
use std::collections::BTreeSet;

/// What a node's hypervisor told of itself: what a live move compares, and its version. Nothing where it never spoke.
pub(crate) type Told<'a> = Option<(&'a Compatibility, u64)>;

/// What the destination lacks to receive a running VM of the source: the same CPU model, all its CPU features and
/// machine types, a hypervisor that isn't older. What neither tells (containers have no CPU model) isn't compared;
/// of a node that never told anything all is missing.
pub(crate) fn missing_for_live_move(source: Told<'_>, destination: Told<'_>) -> Vec<String> {
    let (Some((needs, source_version)), Some((has, version))) = (source, destination) else {
        return vec!["a known CPU on both nodes".to_owned()];
    };
    let mut missing = Vec::new();
    if needs.cpu_model != has.cpu_model {
        missing.push(format!("CPU model {}", needs.cpu_model));
    }
    let not_in = |wanted: &[String], there: &[String]| -> Vec<String> {
        let there: BTreeSet<&String> = there.iter().collect();
        wanted.iter().filter(|each| !there.contains(each)).cloned().collect()
    };
    missing
        .extend(not_in(&needs.cpu_features, &has.cpu_features).into_iter().map(|name| format!("CPU feature {name}")));
    missing.extend(
        not_in(&needs.machine_types, &has.machine_types).into_iter().map(|name| format!("machine type {name}")),
    );
    if version < source_version {
        let (major, minor, release) = (source_version / 1_000_000, source_version / 1000 % 1000, source_version % 1000);
        missing.push(format!("hypervisor version {major}.{minor}.{release}"));
    }
    missing
}
