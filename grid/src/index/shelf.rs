//! A persistent sorted map of small keys and values: a B+ tree whose blocks are shared between versions and copied when
//! they are written to. Smaller and quicker to change than a general one, for it knows that all it holds can be copied.

use arrayvec::ArrayVec;
use std::sync::Arc;

const ENTRIES: usize = 32;
const PARTS: usize = 16;

#[derive(Clone, Debug)]
pub(super) struct Shelf<K, V> {
    root: Arc<Part<K, V>>,
    len: usize,
}

#[derive(Clone, Debug)]
enum Part<K, V> {
    Leaf {
        keys: ArrayVec<K, ENTRIES>,
        values: ArrayVec<V, ENTRIES>,
    },
    /// The first key of each part (of the first one: anything not above), and the parts.
    Branch {
        starts: ArrayVec<K, PARTS>,
        parts: ArrayVec<Arc<Self>, PARTS>,
    },
}

impl<K: Copy + Ord, V: Copy> Default for Shelf<K, V> {
    fn default() -> Self {
        Self { root: Arc::new(Part::EMPTY), len: 0 }
    }
}

impl<K: Copy + Ord, V: Copy> Shelf<K, V> {
    /// A shelf of many entries at once, in the order of their keys, no key twice.
    pub(super) fn of(sorted: &[(K, V)]) -> Self {
        let leaf = |entries: &[(K, V)]| {
            let start = entries.first()?.0;
            let (keys, values) =
                (entries.iter().map(|each| each.0).collect(), entries.iter().map(|each| each.1).collect());
            Some((start, Arc::new(Part::Leaf { keys, values })))
        };
        let branch = |below: &[(K, Arc<Part<K, V>>)]| {
            let start = below.first()?.0;
            let (starts, parts) =
                (below.iter().map(|each| each.0).collect(), below.iter().map(|each| each.1.clone()).collect());
            Some((start, Arc::new(Part::Branch { starts, parts })))
        };
        let mut level: Vec<(K, Arc<Part<K, V>>)> = sorted.chunks(ENTRIES * 7 / 8).filter_map(leaf).collect();
        while level.len() > 1 {
            level = level.chunks(PARTS * 7 / 8).filter_map(branch).collect();
        }
        level.pop().map_or_else(Self::default, |(_, root)| Self { root, len: sorted.len() })
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: K) -> Option<V> {
        let mut part = &self.root;
        loop {
            match part.as_ref() {
                Part::Leaf { keys, values } => return values.get(keys.binary_search(&key).ok()?).copied(),
                Part::Branch { starts, parts } => part = parts.get(route(starts, key))?,
            }
        }
    }

    /// Puts a value in; tells which was there before.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (before, split) = own(&mut self.root).insert(key, value);
        if let Some((start, right)) = split {
            let (mut starts, mut parts) = (ArrayVec::new(), ArrayVec::new());
            starts.extend([key.min(start), start]);
            parts.extend([self.root.clone(), Arc::new(right)]);
            self.root = Arc::new(Part::Branch { starts, parts });
        }
        self.len += usize::from(before.is_none());
        before
    }

    pub(super) fn remove(&mut self, key: K) -> Option<V> {
        let before = own(&mut self.root).remove(key)?;
        self.len -= 1;
        if let Part::Branch { parts, .. } = self.root.as_ref()
            && let [only] = parts.as_slice()
        {
            self.root = only.clone();
        }
        Some(before)
    }

    /// The keys from this one on, in order, for as long as `more` says.
    pub(super) fn from(&self, key: K, mut more: impl FnMut(K) -> bool) {
        self.root.from(key, &mut more);
    }
}

impl<K: Copy + Ord, V: Copy> Part<K, V> {
    const EMPTY: Self = Self::Leaf { keys: ArrayVec::new_const(), values: ArrayVec::new_const() };

    fn insert(&mut self, key: K, value: V) -> (Option<V>, Option<(K, Self)>) {
        match self {
            Self::Leaf { keys, values } => match keys.binary_search(&key) {
                Ok(position) => (values.get_mut(position).map(|slot| std::mem::replace(slot, value)), None),
                Err(position) if keys.len() < ENTRIES => {
                    keys.insert(position, key);
                    values.insert(position, value);
                    (None, None)
                }
                Err(_) => {
                    let (start, mut right) = self.split();
                    let half = if key < start { self } else { &mut right };
                    half.insert(key, value);
                    (None, Some((start, right)))
                }
            },
            Self::Branch { starts, parts } => {
                let position = route(starts, key);
                let Some(part) = parts.get_mut(position) else { return (None, None) };
                let (before, split) = own(part).insert(key, value);
                let Some((start, right)) = split else { return (before, None) };
                if parts.len() < PARTS {
                    starts.insert(position + 1, start);
                    parts.insert(position + 1, Arc::new(right));
                    return (before, None);
                }
                let (middle, mut upper) = self.split();
                let half = if start < middle { self } else { &mut upper };
                if let Self::Branch { starts, parts } = half {
                    let position = route(starts, start) + 1;
                    starts.insert(position, start);
                    parts.insert(position, Arc::new(right));
                }
                (before, Some((middle, upper)))
            }
        }
    }

    fn remove(&mut self, key: K) -> Option<V> {
        match self {
            Self::Leaf { keys, values } => {
                let position = keys.binary_search(&key).ok()?;
                keys.remove(position);
                values.pop_at(position)
            }
            Self::Branch { starts, parts } => {
                let position = route(starts, key);
                let part = own(parts.get_mut(position)?);
                let before = part.remove(key);
                let left = part.entries();
                if left == 0 && parts.len() > 1 {
                    starts.remove(position);
                    parts.remove(position);
                } else if left <= ENTRIES / 8 {
                    merge(starts, parts, position);
                    merge(starts, parts, position.wrapping_sub(1));
                }
                before
            }
        }
    }

    fn from(&self, key: K, more: &mut impl FnMut(K) -> bool) -> bool {
        match self {
            Self::Leaf { keys, .. } => {
                let first = keys.partition_point(|each| *each < key);
                keys.iter().skip(first).all(|each| more(*each))
            }
            Self::Branch { starts, parts } => parts.iter().skip(route(starts, key)).all(|part| part.from(key, more)),
        }
    }

    fn entries(&self) -> usize {
        match self {
            Self::Leaf { keys, .. } => keys.len(),
            Self::Branch { parts, .. } => parts.len(),
        }
    }

    /// Moves the upper half away; tells its first key.
    fn split(&mut self) -> (K, Self) {
        match self {
            Self::Leaf { keys, values } => {
                let (half, middle) = (keys.len() / 2, keys[keys.len() / 2]);
                let right = Self::Leaf { keys: keys.drain(half..).collect(), values: values.drain(half..).collect() };
                (middle, right)
            }
            Self::Branch { starts, parts } => {
                let (half, middle) = (starts.len() / 2, starts[starts.len() / 2]);
                let right =
                    Self::Branch { starts: starts.drain(half..).collect(), parts: parts.drain(half..).collect() };
                (middle, right)
            }
        }
    }
}

/// Merges the part at a position with the one after it, where both are there and fit into one.
fn merge<K: Copy + Ord, V: Copy>(
    starts: &mut ArrayVec<K, PARTS>,
    parts: &mut ArrayVec<Arc<Part<K, V>>, PARTS>,
    position: usize,
) {
    let after = position.wrapping_add(1);
    let Some([left, right]) = parts.get_mut(position..).and_then(|rest| rest.get_mut(..2)) else { return };
    match (Arc::make_mut(left), right.as_ref()) {
        (Part::Leaf { keys, values }, Part::Leaf { keys: more, values: theirs })
            if keys.len() + more.len() <= ENTRIES * 3 / 4 =>
        {
            keys.extend(more.iter().copied());
            values.extend(theirs.iter().copied());
        }
        (Part::Branch { starts: mine, parts: own }, Part::Branch { starts: more, parts: theirs })
            if own.len() + theirs.len() <= PARTS * 3 / 4 =>
        {
            mine.extend(more.iter().copied());
            own.extend(theirs.iter().cloned());
        }
        _ => return,
    }
    starts.remove(after);
    parts.remove(after);
}

/// The part, copied if another version has it too.
fn own<K: Copy + Ord, V: Copy>(part: &mut Arc<Part<K, V>>) -> &mut Part<K, V> {
    if Arc::strong_count(part) > 1
        && let Part::Branch { parts, .. } = part.as_ref()
    {
        // As with the branches of the trees: what is looked at all at once comes in without waiting in turn.
        std::hint::black_box(parts.iter().map(Arc::strong_count).sum::<usize>());
    }
    Arc::make_mut(part)
}

/// The part in which a key is, or would be.
fn route<K: Ord>(starts: &[K], key: K) -> usize {
    starts.partition_point(|start| *start <= key).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn it_holds_what_a_map_of_the_standard_library_holds(
            first in prop::collection::btree_map(0_u32..3_000, any::<u16>(), 0..900),
            changes in prop::collection::vec((0_u32..3_000, prop::option::weighted(0.4, any::<u16>())), 0..3_000),
        ) {
            let sorted: Vec<(u32, u16)> = first.iter().map(|(key, value)| (*key, *value)).collect();
            let (mut shelf, mut map) = (Shelf::of(&sorted), first.clone());
            let (before, untouched) = (shelf.clone(), first);
            for (key, value) in changes {
                if let Some(value) = value {
                    prop_assert_eq!(shelf.insert(key, value), map.insert(key, value));
                } else {
                    prop_assert_eq!(shelf.remove(key), map.remove(&key));
                }
            }
            for (shelf, map) in [(&shelf, &map), (&before, &untouched)] {
                let mut held = BTreeMap::new();
                shelf.from(0, |key| {
                    held.insert(key, shelf.get(key).unwrap());
                    true
                });
                prop_assert_eq!(&held, map);
                prop_assert_eq!(shelf.len(), map.len());
            }
        }
    }
}
