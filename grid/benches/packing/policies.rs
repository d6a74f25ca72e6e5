//! The policies that are compared: each a cost of leaving a server with this much free; the least wins, then the lower
//! number. All are whole numbers. The well-known ones look at the shares that stay free; ours are those of `grid::policy`.

use grid::Resources;
use grid::index::Vector;
use grid::policy::Policy;

/// Free vCPUs and memory after placement, and the server's.
pub(crate) type Cost = fn([u64; 2], [u64; 2]) -> i64;

pub(crate) const KNOWN: [(&str, Option<Cost>); 4] = [
    ("first-fit", Some(|_, _| 0)),
    ("best-fit", Some(shares)),
    ("worst-fit", Some(|free, server| -shares(free, server))),
    ("random", None),
];

pub(crate) const OURS: [(&str, Option<Cost>); 4] = [
    ("pack", Some(|free, server| ours(Policy::Pack, free, server))),
    ("spread", Some(|free, server| ours(Policy::Spread, free, server))),
    ("balanced", Some(|free, server| ours(Policy::Balanced, free, server))),
    ("tight", Some(|free, server| ours(Policy::Tight, free, server))),
];

/// The sum of both, in 960ths of the server.
fn shares(free: [u64; 2], server: [u64; 2]) -> i64 {
    let share = |at: usize| i64::try_from(free[at] * 960 / server[at].max(1)).unwrap_or(i64::MAX / 2);
    share(0) + share(1)
}

fn ours(policy: Policy, free: [u64; 2], server: [u64; 2]) -> i64 {
    let vector = |[vcpus, memory_mib]: [u64; 2]| Vector::of_node(Resources::new(vcpus, memory_mib, 0));
    i64::try_from(policy.cost(vector(server).into(), vector(free))).unwrap_or(i64::MAX)
}
