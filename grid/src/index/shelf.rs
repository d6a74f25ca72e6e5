//! A persistent sorted set of numbers: a B+ tree whose blocks are shared between versions and copied when they are
//! written to. Smaller than a general one, for it knows that all it holds can be copied.

use arrayvec::ArrayVec;
use triomphe::Arc;

/// As many as fill what a branch takes.
const ENTRIES: usize = 65;
const PARTS: usize = 32;
#[cfg(target_pointer_width = "64")]
const _: () = assert!(
    size_of::<ArrayVec<u64, ENTRIES>>() <= size_of::<ArrayVec<u64, PARTS>>() + size_of::<ArrayVec<Arc<Part>, PARTS>>()
);

#[derive(Clone, Debug)]
pub(super) struct Shelf {
    root: Arc<Part>,
    len: usize,
}

#[derive(Clone, Debug)]
enum Part {
    Leaf(ArrayVec<u64, ENTRIES>),
    /// The first number of each part (of the first one: anything not above), and the parts.
    Branch {
        starts: ArrayVec<u64, PARTS>,
        parts: ArrayVec<Arc<Self>, PARTS>,
    },
}

impl Default for Shelf {
    fn default() -> Self {
        Self { root: Arc::new(Part::Leaf(ArrayVec::new_const())), len: 0 }
    }
}

impl Shelf {
    /// A shelf of many numbers at once, in their order, none twice.
    pub(super) fn of(sorted: &[u64]) -> Self {
        let leaf = |numbers: &[u64]| Some((*numbers.first()?, Arc::new(Part::Leaf(numbers.iter().copied().collect()))));
        let branch = |below: &[(u64, Arc<Part>)]| {
            let (start, _) = *below.first()?;
            let (starts, parts) = below.iter().cloned().unzip::<u64, Arc<Part>, Vec<_>, Vec<_>>();
            let (starts, parts) = (starts.into_iter().collect(), parts.into_iter().collect());
            Some((start, Arc::new(Part::Branch { starts, parts })))
        };
        let mut level: Vec<(u64, Arc<Part>)> = sorted.chunks(ENTRIES * 31 / 32).filter_map(leaf).collect();
        while level.len() > 1 {
            level = level.chunks(PARTS * 7 / 8).filter_map(branch).collect();
        }
        level.pop().map_or_else(Self::default, |(_, root)| Self { root, len: sorted.len() })
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Puts a number in; tells whether it is new.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        let (new, split) = Arc::make_mut(&mut self.root).insert(number);
        if let Some((start, right)) = split {
            let (mut starts, mut parts) = (ArrayVec::new(), ArrayVec::new());
            starts.extend([0, start]);
            parts.extend([self.root.clone(), Arc::new(right)]);
            self.root = Arc::new(Part::Branch { starts, parts });
        }
        self.len += usize::from(new);
        new
    }

    /// Takes a number out; tells whether it was there.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        let was = Arc::make_mut(&mut self.root).remove(number);
        self.len -= usize::from(was);
        if let Part::Branch { parts, .. } = self.root.as_ref()
            && let [only] = parts.as_slice()
        {
            self.root = only.clone();
        }
        was
    }

    /// The numbers from this one on, in order, for as long as `more` says.
    pub(super) fn from(&self, number: u64, mut more: impl FnMut(u64) -> bool) {
        self.root.from(number, &mut more);
    }
}

impl Part {
    fn insert(&mut self, number: u64) -> (bool, Option<(u64, Self)>) {
        match self {
            Self::Leaf(numbers) => match numbers.binary_search(&number) {
                Ok(_) => (false, None),
                Err(position) if numbers.len() < ENTRIES => {
                    numbers.insert(position, number);
                    (true, None)
                }
                Err(_) => {
                    let (start, mut right) = self.split();
                    let half = if number < start { self } else { &mut right };
                    half.insert(number);
                    (true, Some((start, right)))
                }
            },
            Self::Branch { starts, parts } => {
                let position = route(starts, number);
                let Some(part) = parts.get_mut(position) else { return (false, None) };
                let (new, split) = Arc::make_mut(part).insert(number);
                let Some((start, right)) = split else { return (new, None) };
                if parts.len() < PARTS {
                    starts.insert(position + 1, start);
                    parts.insert(position + 1, Arc::new(right));
                    return (new, None);
                }
                let (middle, mut upper) = self.split();
                let half = if start < middle { self } else { &mut upper };
                if let Self::Branch { starts, parts } = half {
                    let position = route(starts, start) + 1;
                    starts.insert(position, start);
                    parts.insert(position, Arc::new(right));
                }
                (new, Some((middle, upper)))
            }
        }
    }

    fn remove(&mut self, number: u64) -> bool {
        match self {
            Self::Leaf(numbers) => numbers.binary_search(&number).ok().and_then(|at| numbers.pop_at(at)).is_some(),
            Self::Branch { starts, parts } => {
                let position = route(starts, number);
                let Some(part) = parts.get_mut(position).map(Arc::make_mut) else { return false };
                let was = part.remove(number);
                let left = part.entries();
                if left == 0 && parts.len() > 1 {
                    starts.remove(position);
                    parts.remove(position);
                } else if left <= PARTS / 4 {
                    merge(starts, parts, position);
                    merge(starts, parts, position.wrapping_sub(1));
                }
                was
            }
        }
    }

    fn from(&self, number: u64, more: &mut impl FnMut(u64) -> bool) -> bool {
        match self {
            Self::Leaf(numbers) => {
                let first = numbers.partition_point(|each| *each < number);
                numbers.iter().skip(first).all(|each| more(*each))
            }
            Self::Branch { starts, parts } => {
                parts.iter().skip(route(starts, number)).all(|part| part.from(number, more))
            }
        }
    }

    fn entries(&self) -> usize {
        match self {
            Self::Leaf(numbers) => numbers.len(),
            Self::Branch { parts, .. } => parts.len(),
        }
    }

    /// Moves the upper half away; tells its first number.
    fn split(&mut self) -> (u64, Self) {
        match self {
            Self::Leaf(numbers) => {
                let (half, middle) = (numbers.len() / 2, numbers[numbers.len() / 2]);
                (middle, Self::Leaf(numbers.drain(half..).collect()))
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
fn merge(starts: &mut ArrayVec<u64, PARTS>, parts: &mut ArrayVec<Arc<Part>, PARTS>, position: usize) {
    let after = position.wrapping_add(1);
    let begin = starts.get(after).copied();
    let Some([left, right]) = parts.get_mut(position..).and_then(|rest| rest.get_mut(..2)) else { return };
    match (Arc::make_mut(left), right.as_ref()) {
        (Part::Leaf(numbers), Part::Leaf(more)) if numbers.len() + more.len() <= ENTRIES * 3 / 4 => {
            numbers.extend(more.iter().copied());
        }
        (Part::Branch { starts: mine, parts: own }, Part::Branch { starts: more, parts: theirs })
            if own.len() + theirs.len() <= PARTS * 3 / 4 =>
        {
            mine.extend(begin.into_iter().chain(more.iter().skip(1).copied()));
            own.extend(theirs.iter().cloned());
        }
        _ => return,
    }
    starts.remove(after);
    parts.remove(after);
}

/// The part in which a number is, or would be. Where the first one begins doesn't matter: all that comes before the
/// second is in it.
fn route(starts: &[u64], number: u64) -> usize {
    starts.get(1..).unwrap_or_default().partition_point(|start| *start <= number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn it_holds_what_a_set_of_the_standard_library_holds(
            first in prop::collection::btree_set(6_000_u64..9_000, 0..3_000),
            changes in prop::collection::vec((0_u64..9_000, prop::bool::weighted(0.4)), 0..9_000),
        ) {
            let sorted: Vec<u64> = first.iter().copied().collect();
            let (mut shelf, mut set) = (Shelf::of(&sorted), first.clone());
            let (before, untouched) = (shelf.clone(), first);
            for (number, comes) in changes {
                if comes {
                    prop_assert_eq!(shelf.insert(number), set.insert(number));
                } else {
                    prop_assert_eq!(shelf.remove(number), set.remove(&number));
                }
            }
            for (shelf, set) in [(&shelf, &set), (&before, &untouched)] {
                let mut held = Vec::new();
                shelf.from(0, |number| {
                    held.push(number);
                    true
                });
                prop_assert_eq!(&held, &set.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(shelf.len(), set.len());
            }
        }
    }
}
