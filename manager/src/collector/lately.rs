//! What was so until a moment ago: samples that are older still show it.

use grid::UnixMillis;
use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

/// A sample that shows what ended longer ago shows something else.
const FORGOTTEN_AFTER_MS: u64 = 60_000;

/// When each of these ended, the last time.
#[derive(Debug)]
pub(super) struct Lately<K> {
    ended: BTreeMap<K, UnixMillis>,
    /// In the order in which they ended.
    order: VecDeque<(K, UnixMillis)>,
}

impl<K> Default for Lately<K> {
    fn default() -> Self {
        Self { ended: BTreeMap::new(), order: VecDeque::new() }
    }
}

impl<K: Copy + Ord> Lately<K> {
    /// It has ended now.
    pub(super) fn put(&mut self, key: K, now: UnixMillis) {
        self.forget(now);
        self.ended.insert(key, now);
        self.order.push_back((key, now));
    }

    /// What ended too long ago is forgotten; so is what ended at a time that is far ahead since the clock was set back.
    pub(super) fn forget(&mut self, now: UnixMillis) {
        while let Some((old, at)) = self.order.front().copied()
            && now.apart(at) >= FORGOTTEN_AFTER_MS
        {
            self.order.pop_front();
            if self.ended.get(&old) == Some(&at) {
                self.ended.remove(&old);
            }
        }
    }

    /// Whether it ended at this time or later.
    pub(super) fn since(&self, key: K, time: UnixMillis) -> bool {
        self.ended.get(&key).is_some_and(|at| time <= *at)
    }

    /// Those of the range that ended at this time or later.
    pub(super) fn all_since(&self, range: RangeInclusive<K>, time: UnixMillis) -> impl Iterator<Item = K> {
        self.ended.range(range).filter(move |(_, at)| time <= **at).map(|(key, _)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_is_known_for_a_while_and_no_longer() {
        let mut lately = Lately::default();
        lately.put(1, UnixMillis(1_000));
        lately.put(2, UnixMillis(2_000));
        lately.put(1, UnixMillis(3_000));
        assert!(lately.since(1, UnixMillis(3_000)) && !lately.since(1, UnixMillis(3_001)));
        assert_eq!(lately.all_since(0..=9, UnixMillis(2_001)).collect::<Vec<_>>(), [1]);
        lately.put(3, UnixMillis(62_500));
        assert!(!lately.since(2, UnixMillis(0)), "it is forgotten");
        assert!(lately.since(1, UnixMillis(0)), "it ended again since");
    }

    #[test]
    fn what_ended_before_the_clock_was_set_back_is_forgotten_too() {
        let mut lately = Lately::default();
        let tomorrow = UnixMillis(24 * 60 * 60 * 1000);
        lately.put(1, tomorrow);
        lately.forget(UnixMillis(tomorrow.0 + 5));
        assert!(lately.since(1, tomorrow));
        lately.forget(UnixMillis(5));
        assert!(!lately.since(1, UnixMillis(5)), "it ended long before this sample");
    }
}
