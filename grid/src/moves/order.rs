//! In which order chosen moves can be carried out, each finished before the next begins.

use super::Layout;
use crate::Resources;
use std::collections::BTreeMap;

/// An order in which every destination has room when its VM arrives, live moves as early as can be. None where there
/// is none. All orders are tried, so the caller keeps the number of moves small.
pub(super) fn order(layout: &Layout, chosen: &[(u32, u32)]) -> Option<Vec<(u32, u32)>> {
    let mut sorted: Vec<(u32, u32)> = chosen.to_vec();
    sorted.sort_by_key(|&(guest, to)| {
        (layout.guest(guest).and_then(|each| layout.way(each, to)).map(|(manner, _)| manner), guest, to)
    });
    let mut done = Vec::with_capacity(sorted.len());
    extend(layout, &sorted, &mut BTreeMap::new(), &mut done).then_some(done)
}

fn extend(
    layout: &Layout,
    left: &[(u32, u32)],
    taken: &mut BTreeMap<u32, Resources>,
    done: &mut Vec<(u32, u32)>,
) -> bool {
    if left.is_empty() {
        return true;
    }
    for (at, &(position, to)) in left.iter().enumerate() {
        let Some((guest, site)) = layout.guest(position).zip(layout.site(to)) else { return false };
        let now = |taken: &BTreeMap<u32, Resources>, site: u32| {
            taken.get(&site).copied().or_else(|| layout.site(site).map(|each| each.taken)).unwrap_or_default()
        };
        let (there, here) = (now(taken, to), now(taken, guest.home));
        if !site.usable.minus(there).covers(&guest.takes) {
            continue;
        }
        let before = [(to, there), (guest.home, here)];
        taken.insert(to, there.plus(guest.takes));
        taken.insert(guest.home, here.minus(guest.takes));
        done.push((position, to));
        let rest: Vec<(u32, u32)> =
            left.iter().enumerate().filter(|&(other, _)| other != at).map(|(_, &each)| each).collect();
        if extend(layout, &rest, taken, done) {
            return true;
        }
        done.pop();
        taken.extend(before);
    }
    false
}
