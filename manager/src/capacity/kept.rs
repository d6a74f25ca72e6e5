//! The answers to the capacity questions, kept for a while: they cost more than looking something up, and every page of
//! an admin asks for them whenever a sample has come in.
//!
//! They are worked out off the asynchronous threads, by one at a time; who comes meanwhile waits for the same. They are
//! good for their map's version and offers, and for [`REST`] times as long as they took, so that a large grid's server
//! never works at them for more than a part of its time.

use crate::ManagerError;
use crate::store::StoreError;
use grid::map::{Answers, LossOf, Obstacle, ResourceMap, answers};
use grid::offer::Offer;
use grid::vm::Vm;
use grid::{UnixMillis, VmId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// Of the time since they were asked for, at most one part in so many goes into them.
const REST: u32 = 20;

/// Of a map, with all that puts them into words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapacityAnswers {
    pub as_of: UnixMillis,
    /// In the order of the offers in `answers`.
    pub offers: Vec<Offer>,
    pub answers: Answers,
    /// The nodes' names, and the names of the VMs that an obstacle is about.
    pub named: Named,
}

/// Names of what the answers know by ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub nodes: BTreeMap<grid::NodeId, String>,
    pub vms: BTreeMap<VmId, String>,
}

#[derive(Debug, Default)]
pub(crate) struct KeptAnswers(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    answers: Arc<CapacityAnswers>,
    version: u64,
    began: Instant,
    took: Duration,
}

impl Kept {
    fn is_good_for(&self, map: &ResourceMap, offers: &[Offer]) -> bool {
        let rests = self.began.elapsed() < self.took.saturating_mul(REST);
        self.answers.offers == offers && (self.version == map.version || rests)
    }
}

impl KeptAnswers {
    /// The kept answers where they are still good, else new ones of this map; only then are the VMs asked for.
    pub(crate) async fn get(
        &self,
        map: Arc<ResourceMap>,
        offers: Vec<Offer>,
        vms: impl Future<Output = Result<Vec<Vm>, StoreError>>,
    ) -> Result<Arc<CapacityAnswers>, ManagerError> {
        let mut kept = self.0.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.is_good_for(&map, &offers)) {
            return Ok(Arc::clone(&kept.answers));
        }
        let vms = vms.await?;
        let (began, version) = (Instant::now(), map.version);
        let made = spawn_blocking(move || make(&map, offers, &vms)).await;
        let answers = made.map(Arc::new).map_err(|error| {
            tracing::error!(%error, "the capacity questions could not be answered");
            ManagerError::Internal
        })?;
        *kept = Some(Kept { answers: Arc::clone(&answers), version, began, took: began.elapsed() });
        Ok(answers)
    }
}

fn make(map: &ResourceMap, offers: Vec<Offer>, vms: &[Vm]) -> CapacityAnswers {
    let answers = answers(map, &offers);
    let named = named(map, &answers, vms);
    CapacityAnswers { as_of: map.as_of, offers, named, answers }
}

fn named(map: &ResourceMap, answers: &Answers, vms: &[Vm]) -> Named {
    let lost = answers.losses.iter().filter_map(|loss| match loss.of {
        LossOf::Node(node) => Some(node),
        LossOf::FailureDomain(_) => None,
    });
    let nodes = lost.chain(answers.not_drainable.iter().map(|(node, _)| *node));
    let obstacles = answers.losses.iter().map(|loss| &loss.obstacle);
    let obstacles = obstacles.chain(answers.not_drainable.iter().map(|(_, obstacle)| obstacle));
    let asked: std::collections::BTreeSet<VmId> = obstacles.filter_map(Obstacle::vm).collect();
    Named {
        nodes: nodes.filter_map(|id| Some((id, map.get(id)?.node.name.clone()))).collect(),
        vms: vms.iter().filter(|vm| asked.contains(&vm.id)).map(|vm| (vm.id, vm.name.clone())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(name: &str) -> Vec<Offer> {
        vec![Offer { name: name.to_owned(), size: grid::Size::SMALLEST }]
    }

    fn nobody() -> std::future::Ready<Result<Vec<Vm>, StoreError>> {
        std::future::ready(Ok(Vec::new()))
    }

    #[tokio::test]
    async fn answers_of_the_same_map_and_offers_are_made_once() {
        let kept = KeptAnswers::default();
        let map = Arc::new(ResourceMap::default());
        let first = kept.get(Arc::clone(&map), offer("a"), nobody()).await.unwrap();
        let second = kept.get(Arc::clone(&map), offer("a"), nobody()).await.unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        let other = kept.get(map, offer("b"), nobody()).await.unwrap();
        assert!(!Arc::ptr_eq(&first, &other));
    }

    #[tokio::test]
    async fn answers_that_took_long_outlive_their_map_for_a_while() {
        let kept = KeptAnswers::default();
        let map = ResourceMap::default();
        let first = kept.get(Arc::new(map.clone()), offer("a"), nobody()).await.unwrap();
        let next = Arc::new(map.with_policies(map.policies()));
        for (took, is_kept) in [(Duration::from_mins(1), true), (Duration::ZERO, false)] {
            if let Some(kept) = kept.0.lock().await.as_mut() {
                kept.took = took;
            }
            let again = kept.get(Arc::clone(&next), offer("a"), nobody()).await.unwrap();
            assert_eq!(Arc::ptr_eq(&first, &again), is_kept);
        }
    }
}
