//! The cheapest plan by trying every sequence of moves there is, up to a bound.

use super::referee::{admits, admits_new};
use grid::HypervisorKind;
use grid::moves::{Ask, Cost, Layout, Manner};

/// The least that any sequence of at most `left` moves costs after which the VM fits; no VM moves twice, the one that
/// asks moves last.
pub(super) fn cheapest(now: &mut Layout, ask: &Ask, left: usize, moved: &mut Vec<usize>) -> Option<Cost> {
    let ends = ends(now, ask, left);
    if ends == Some(Cost::default()) {
        return ends;
    }
    let mut best = ends;
    for vm in (0..now.guests.len()).filter(|_| left > 0) {
        if moved.contains(&vm) || asks(ask) == Some(vm) {
            continue;
        }
        let (home, takes) = (now.guests[vm].home as usize, now.guests[vm].takes);
        for to in 0..now.sites.len() {
            let there = &now.sites[to];
            let Some(cost) = allowed(now, vm, to).filter(|_| there.usable.minus(there.taken).covers(&takes)) else {
                continue;
            };
            let before = (now.sites[home].taken, now.sites[to].taken);
            (now.sites[home].taken, now.sites[to].taken) = (before.0.minus(takes), before.1.plus(takes));
            now.guests[vm].home = u32::try_from(to).unwrap();
            moved.push(vm);
            let rest = cheapest(now, ask, left - 1, moved);
            moved.pop();
            now.guests[vm].home = u32::try_from(home).unwrap();
            (now.sites[home].taken, now.sites[to].taken) = before;
            best = [best, rest.map(|rest| rest.plus(cost))].into_iter().flatten().min();
        }
    }
    best
}

fn asks(ask: &Ask) -> Option<usize> {
    match ask {
        Ask::Grow { guest, .. } | Ask::Leave { guest } => Some(*guest as usize),
        Ask::New { .. } => None,
    }
}

/// What it costs to end the plan here: nothing where the VM fits, or its own move.
fn ends(now: &Layout, ask: &Ask, left: usize) -> Option<Cost> {
    let (guest, arrives, to) = match ask {
        Ask::New { kind, region, domain, takes, groups } => {
            let fits = (0..now.sites.len()).any(|at| {
                let site = &now.sites[at];
                site.ready
                    && site.kind == *kind
                    && region.is_none_or(|region| region == site.region)
                    && domain.is_none_or(|domain| domain == site.domain)
                    && site.usable.minus(site.taken).covers(takes)
                    && admits_new(now, groups, at)
            });
            return fits.then(Cost::default);
        }
        Ask::Grow { guest, arrives, to } => (*guest as usize, *arrives, *to),
        Ask::Leave { guest } => (*guest as usize, now.guests[*guest as usize].takes, now.guests[*guest as usize].takes),
    };
    let takes = now.guests[guest].takes;
    let home = &now.sites[now.guests[guest].home as usize];
    let grows = matches!(ask, Ask::Grow { .. }) && home.answers;
    if grows && home.usable.minus(home.taken).covers(&to.minus(takes)) {
        return Some(Cost::default());
    }
    let room = |at: &usize| now.sites[*at].usable.minus(now.sites[*at].taken).covers(&to.larger(arrives));
    (0..now.sites.len()).filter(|_| left > 0).filter(room).filter_map(|at| allowed(now, guest, at)).min()
}

/// What the move costs, where all but room allows it.
fn allowed(now: &Layout, vm: usize, to: usize) -> Option<Cost> {
    let guest = &now.guests[vm];
    let (here, there) = (&now.sites[guest.home as usize], &now.sites[to]);
    let allowed = guest.movable
        && guest.home as usize != to
        && here.answers
        && there.ready
        && there.kind == here.kind
        && there.region == here.region
        && guest.domain.is_none_or(|domain| domain == there.domain)
        && admits(now, vm, to);
    let same = here.compatibility == there.compatibility;
    let passes = same || now.passes.contains(&(here.compatibility, there.compatibility));
    let (manner, bytes) = match (guest.running, passes && here.kind != HypervisorKind::Lxc) {
        (false, _) => (Manner::Stopped, guest.disk_bytes),
        (true, true) => (Manner::Live, guest.disk_bytes + guest.memory_bytes),
        (true, false) => (Manner::Cold, guest.disk_bytes),
    };
    allowed.then(|| Cost::of(manner, bytes))
}
