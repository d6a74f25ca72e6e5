//! Where a new VM goes, or why it can't.

use super::refusal::{Refusal, RefusalReason, no_room, not_in_steps, only_not_ready, out_of_limits};
use super::room::largest_new;
use crate::map::{Condition, ResourceMap};
use crate::placement::{Placement, Request, choose, place};
use crate::vm::commitment;
use crate::{HypervisorKind, Resource, Resources, Size};

/// The node for a new VM; of the others nothing is said where one takes it. `quota_left` is what its tenant may still add; without it no quota counts.
pub fn place_new(
    map: &ResourceMap,
    kind: HypervisorKind,
    region: Option<&str>,
    size: Size,
    quota_left: Option<Resources>,
) -> Result<Placement, Box<Refusal>> {
    if let Some(reason) = out_of_limits(size).or_else(|| not_in_steps(size)) {
        return Err(Box::new(Refusal::plain(reason, size)));
    }
    let asked = Resources::from(size);
    if let Some(left) = quota_left
        && let Some(resource) = Resource::ALL.into_iter().find(|&resource| asked.get(resource) > left.get(resource))
    {
        let reason = RefusalReason::QuotaExceeded { resource, asked: asked.get(resource), left: left.get(resource) };
        return Err(Box::new(Refusal::plain(reason, size)));
    }
    let request = Request { region: region.map(str::to_owned), ..Request::new(kind, commitment(kind, size)) };
    match choose(map, &request) {
        Some(chosen) => Ok(Placement { chosen: Some(chosen), ..Placement::default() }),
        None => Err(Box::new(refuse_new(map, &request, size))),
    }
}

/// Why no node takes a new VM of this size, which is what the request asks room for.
pub fn refuse_new(map: &ResourceMap, request: &Request, size: Size) -> Refusal {
    let nodes = place(map, request).rejected;
    let eligible = map.iter().filter(|node| {
        node.kind() == request.kind
            && node.condition == Condition::Ready
            && request.region.as_ref().is_none_or(|region| *region == node.node.region)
            && !request.excluded.contains(&node.node.id)
    });
    let largest = largest_new(request.kind, size, eligible);
    let reason = match only_not_ready(&nodes) {
        Some(condition) => RefusalReason::NotReady { condition },
        None => no_room(size, largest, &nodes),
    };
    Refusal { reason, asked: size, largest, nodes }
}
