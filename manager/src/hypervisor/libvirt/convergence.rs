//! Whether a live move comes to its end, and what to do where it doesn't.
//!
//! QEMU carries a guest's memory in rounds: each carries what was written during the one before. It hands over when the
//! rest can be carried within the downtime that it is allowed. A guest that writes faster than the network carries never
//! gets there. The downtime allowed begins small and is raised in steps, each after two rounds that left no less than the
//! best before them; meanwhile libvirt brakes the guest more and more (auto-converge). A guest that is not carried after
//! the last step and the full brake is left where it runs.

use std::time::Duration;

/// What a guest may stand still at its hand-over, one step after the other.
const ALLOWED: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
];
/// Rounds in vain before more is allowed.
const ROUNDS: u32 = 2;
/// Rounds in vain after the last step: the brake is at its full by then.
const LAST_ROUNDS: u32 = 20;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    Wait,
    /// Let the guest stand still for this long.
    Allow(Duration),
    /// It does not converge.
    GiveUp,
}

/// What was seen of one live move so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Convergence {
    step: usize,
    round: u64,
    /// The fewest bytes that a round left.
    least: u64,
    in_vain: u32,
}

impl Convergence {
    pub(super) const FIRST: Duration = ALLOWED[0];

    pub(super) const fn new() -> Self {
        Self { step: 0, round: 0, least: u64::MAX, in_vain: 0 }
    }

    /// Takes a look at the move: which round of its memory it is in, and how many bytes are left of it. Rounds that came
    /// and went between two looks count as one.
    pub(super) fn look(&mut self, round: u64, left: u64) -> Advice {
        if round <= self.round {
            return Advice::Wait;
        }
        // The first round carries everything; what it leaves is seen when the second has begun.
        let is_first = self.round == 0;
        self.round = round;
        if is_first {
            return Advice::Wait;
        }
        if left < self.least {
            (self.least, self.in_vain) = (left, 0);
            return Advice::Wait;
        }
        self.in_vain += 1;
        match ALLOWED.get(self.step + 1) {
            Some(next) if self.in_vain >= ROUNDS => {
                (self.step, self.in_vain) = (self.step + 1, 0);
                Advice::Allow(*next)
            }
            None if self.in_vain >= LAST_ROUNDS => Advice::GiveUp,
            _ => Advice::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is advised, look by look, for these rounds and what they leave.
    fn advised(looks: impl IntoIterator<Item = (u64, u64)>) -> Vec<Advice> {
        let mut convergence = Convergence::new();
        let all = looks.into_iter().map(|(round, left)| convergence.look(round, left));
        all.filter(|advice| *advice != Advice::Wait).collect()
    }

    #[test]
    fn a_guest_that_each_round_leaves_less_of_is_left_alone() {
        assert_eq!(advised((1..200).map(|round| (round, 1_000_000 / round))), []);
    }

    #[test]
    fn many_looks_at_one_round_say_nothing_new() {
        assert_eq!(advised((0..500).map(|_| (1, 1_000_000))), []);
        assert_eq!(advised((0..500).map(|look| (2, 1_000_000 - look))), []);
        assert_eq!(advised((0..500).map(|_| (0, 0))), [], "the disk is carried before the memory");
    }

    #[test]
    fn a_guest_that_writes_as_fast_as_it_is_carried_is_allowed_more_in_steps_and_then_given_up() {
        let all = advised((1..=2 + 8 + 20).map(|round| (round, 64 << 20)));
        let allowed: Vec<u128> = all
            .iter()
            .filter_map(|advice| match advice {
                Advice::Allow(time) => Some(time.as_millis()),
                Advice::Wait | Advice::GiveUp => None,
            })
            .collect();
        assert_eq!(allowed, [200, 400, 800, 1600]);
        assert_eq!(all.last(), Some(&Advice::GiveUp));
        assert_eq!(all.len(), 5, "given up once: {all:?}");
    }

    #[test]
    fn a_round_that_leaves_less_than_any_before_it_starts_the_count_afresh() {
        let looks = (1..400).map(|round| (round, if round % 2 == 0 { 10_000_000 - round } else { 20_000_000 }));
        assert_eq!(advised(looks), [], "every second round leaves less");
    }
}
