//! Why one node was chosen and all others weren't, in lines for admins.

use crate::map::{Loss, LossOf, Obstacle, ResourceMap};
use crate::placement::{Candidate, Lack, Request, Tally, Why};
use crate::wording::{Amount, Counted, Grouped, Named};
use crate::{NodeId, Resources, VmId};
use std::fmt::Write;

/// What was looked for, the chosen node with its score in parts, the runners-up, and the reasons against all others by
/// how many nodes each holds for.
pub fn explain_tally(map: &ResourceMap, request: &Request, tally: &Tally) -> String {
    let mut text = format!("asked: {}, {}", request.kind, amounts(request.resources));
    if let Some(chosen) = &tally.chosen {
        let _ = write!(text, "\nchosen of {}: {}", Counted(tally.candidates, "node"), candidate(map, chosen));
    } else {
        let _ = write!(text, "\nno node can take it, of {}", Counted(tally.rejected(), "node"));
    }
    for next in &tally.runners_up {
        let _ = write!(text, "\nthen: {}", candidate(map, next));
    }
    for (why, nodes) in &tally.reasons {
        let _ = write!(text, "\n{}: {}", Counted(*nodes, "node"), explain_why(map, why));
    }
    text
}

/// What can't be lost, and why, in a line.
pub fn explain_loss(map: &ResourceMap, loss: &Loss) -> String {
    let of = match &loss.of {
        LossOf::Node(node) => format!("node {}", name(map, *node)),
        LossOf::FailureDomain(domain) => format!("failure domain {domain}"),
    };
    format!("{of}: {}", explain_obstacle(&loss.obstacle))
}

/// Why a node can't be emptied, or a loss absorbed.
pub fn explain_obstacle(obstacle: &Obstacle) -> String {
    explain_obstacle_naming(obstacle, &|vm| vm.to_string())
}

/// The same with VMs by the names that people know them by.
pub fn explain_obstacle_naming(obstacle: &Obstacle, name_of: &dyn Fn(VmId) -> String) -> String {
    match obstacle {
        Obstacle::NoAnswer => "its hypervisor doesn't answer, so nothing can be moved from there".to_owned(),
        Obstacle::Stranger { vm } => format!("domain {} is not Hostgrid's to move", name_of(*vm)),
        Obstacle::FitsNowhere { vm, size } => format!("no other node can take VM {} ({size})", name_of(*vm)),
        Obstacle::TooLittleInAll { kind, region, resource, needed, free } => {
            let [needed, free] = [needed, free].map(|amount| Named(*resource, *amount));
            format!("all {kind} nodes of {region} together have {free} free, its VMs take {needed}")
        }
        Obstacle::NoRoomBesideOthers { vm, size } => {
            format!("once the larger VMs have found a place there is none for VM {} ({size})", name_of(*vm))
        }
    }
}

fn candidate(map: &ResourceMap, candidate: &Candidate) -> String {
    let Candidate { node, policy, cost, measured_bp, free_after, fullness_bp } = candidate;
    let [full, busy] = [fullness_bp, measured_bp].map(|bp| bp / 100);
    format!(
        "{} ({} cost {}: {} stay free; {full}% full, {busy}% busy)",
        name(map, *node),
        policy.as_str(),
        Grouped(*cost),
        amounts(*free_after),
    )
}

/// One sort of reason against nodes.
pub fn explain_why(map: &ResourceMap, why: &Why) -> String {
    match why {
        Why::Excluded => "excluded from the search".to_owned(),
        Why::OtherKind => "another hypervisor kind".to_owned(),
        Why::OtherRegion => "another region".to_owned(),
        Why::OtherFailureDomain => "another failure domain, or none known".to_owned(),
        Why::Group { group, rule } => format!("group {group}: {rule}"),
        Why::NotReady { condition } => condition.clone(),
        Why::NoRoom { lacks } => {
            let lacks: Vec<String> = lacks.iter().map(|each| lack(map, each)).collect();
            lacks.join("; and ")
        }
        Why::Incompatible => "no live move: something that the VM's node has is missing".to_owned(),
    }
}

fn lack(map: &ResourceMap, lack: &Lack) -> String {
    let Lack { resource, asked, most_free, most_free_on } = lack;
    let [asked, most_free] = [asked, most_free].map(|amount| Amount(*resource, *amount));
    format!("{}, asked {asked}, most free {most_free} on {}", resource.as_str(), name(map, *most_free_on))
}

fn amounts(resources: Resources) -> String {
    let named = resources.parts().map(|(resource, amount)| Named(resource, amount).to_string());
    named.collect::<Vec<String>>().join(", ")
}

fn name(map: &ResourceMap, node: NodeId) -> String {
    map.get(node).map_or_else(|| node.to_string(), |found| found.node.name.clone())
}
