//! Nodes in words: both sets of statistics, fact by fact.

use super::history::{self, Subject};
use super::{capacity, operation, time};
use crate::AppError;
use crate::charts::Unit;
use crate::server_side::door::{Door, OperationFilter};
use crate::view::amounts;
use crate::view::chart::ChartView;
use crate::view::node::{NodeLine, NodePageView, SettingsView, Tone};
use grid::map::{Condition, Freshness, Holder, MapNode, how_many_fit_on};
use grid::node::{Node, NodeSettings};
use grid::sample::Source;
use grid::{Resource, UnixMillis};

mod change;
pub mod drain;
mod facts;
pub mod fence;
mod sizes;

pub use change::{administration_set, settings_set};

/// Operations on a node's page.
const OPERATIONS: u32 = 15;

/// A node in a list, its ages as they were at `as_of`.
pub fn line(node: &MapNode, as_of: UnixMillis) -> NodeLine {
    let age = |at: Option<UnixMillis>| at.map(|at| amounts::duration(as_of.apart(at)));
    let vms = node.commitments.iter().filter(|commitment| matches!(commitment.holder, Holder::Vm(_))).count();
    NodeLine {
        name: node.node.name.clone(),
        kind: node.kind().as_str().to_owned(),
        region: node.node.region.clone(),
        failure_domain: node.failure_domain.clone(),
        condition: node.condition.to_string(),
        tone: match node.condition {
            Condition::Ready => Tone::Good,
            Condition::Cordoned | Condition::Draining => Tone::Warning,
            _ => Tone::Bad,
        },
        figures: capacity::figures(node),
        vms: u32::try_from(vms).unwrap_or(u32::MAX),
        disagreements: u32::try_from(node.disagreements.len()).unwrap_or(u32::MAX),
        hypervisor_age: age(node.hypervisor.as_ref().map(|reading| reading.at)),
        utility_age: age(node.utility.as_ref().map(|reading| reading.at)),
    }
}

/// The page of one node.
pub async fn page(door: &Door, name: &str) -> Result<NodePageView, AppError> {
    let (manager, principal) = (&door.manager, &door.principal);
    let node = door.pass(manager.node_get(principal, name).await)?;
    let vms = door.pass(manager.node_vms(principal, name).await)?;
    let offers = door.pass(manager.offer_list(principal).await)?;
    let as_of = time::now();
    let filter = OperationFilter { node: Some(node.node.id), limit: OPERATIONS, ..OperationFilter::default() };
    Ok(NodePageView {
        line: line(&node, as_of),
        uri: node.node.uri.clone(),
        administration: node.node.administration,
        can_fence: node.condition != Condition::Fenced && !node.condition.hypervisor_answers(),
        facts: facts::facts(&node, as_of),
        more: offers.iter().map(|offer| (offer.name.clone(), how_many_fit_on(&node, offer))).collect(),
        stale: stale(&node, manager.freshness(), as_of),
        vms: sizes::vms(&node, &vms),
        charts: charts_of(door, &node).await?,
        operations: operation::lines(door, filter).await?,
        as_of: time::moment(as_of),
    })
}

/// The sets of statistics that are too old to count, each by its own age.
fn stale(node: &MapNode, freshness: Freshness, now: UnixMillis) -> Vec<Source> {
    let heard = [
        (Source::Hypervisor, node.hypervisor.as_ref().map(|reading| reading.at)),
        (Source::Utility, node.utility.as_ref().map(|reading| reading.at)),
    ];
    let is_stale =
        |(source, at)| (node.condition.stale_source() == Some(source) || freshness.is_stale(at, now)).then_some(source);
    heard.into_iter().filter_map(is_stale).collect()
}

/// What the settings' form starts with.
pub async fn settings_get(door: &Door, name: &str) -> Result<SettingsView, AppError> {
    let node = door.pass(door.manager.node_get(&door.principal, name).await)?;
    Ok(settings(&node.node))
}

fn settings(node: &Node) -> SettingsView {
    let NodeSettings { reserve, overcommit, network_mbit } = node.settings;
    let reserves = Resource::ALL.map(|each| (each.reserve_field(), reserve.get(each).to_string()));
    let ratios = Resource::ALL.map(|each| (each.overcommit_field(), amounts::times(overcommit.permille(each))));
    let network = ("network_mbit", network_mbit.to_string());
    let domain = ("failure_domain", node.failure_domain.clone().unwrap_or_default());
    reserves.into_iter().chain(ratios).chain([network, domain]).collect()
}

async fn charts_of(door: &Door, node: &MapNode) -> Result<Vec<ChartView>, AppError> {
    let subject = Subject::Node(&node.node.name);
    let mut drawn = history::capacity(door, subject, node.physical).await?;
    let pool = [("pool_free_mib/hypervisor", "Hypervisor says"), ("pool_free_mib/utility", "Utility module says")];
    drawn.push(history::of_metrics(door, subject, "Pool, free", Unit::Mib, &pool).await?);
    Ok(drawn)
}
