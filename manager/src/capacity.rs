//! Capacity, for admins: what there is of each hypervisor kind, what is left, and what still fits.

use crate::accounts::Principal;
use crate::history::HistoryRange;
use crate::store::rows::MetricSeries;
use crate::{Manager, ManagerError, admin_only, history};
use grid::map::KindTotals;
use grid::offer::Offer;
use grid::what_if::Snapshot;
use grid::{HypervisorKind, UnixMillis};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

mod kept;

pub(crate) use kept::KeptAnswers;
pub use kept::{CapacityAnswers, Named};

/// The whole grid's capacity, kind by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    pub as_of: UnixMillis,
    pub kinds: Vec<KindTotals>,
}

impl Manager {
    #[expect(clippy::unused_async, reason = "use cases are asynchronous, whatever they wait for today")]
    pub async fn capacity(&self, principal: &Principal) -> Result<Capacity, ManagerError> {
        admin_only(principal)?;
        let map = self.map();
        Ok(Capacity { as_of: map.as_of, kinds: map.totals() })
    }

    /// What fits, what is stranded, what could be lost or drained. Not necessarily of the newest map, see [`KeptAnswers`].
    pub async fn capacity_answers(&self, principal: &Principal) -> Result<Arc<CapacityAnswers>, ManagerError> {
        admin_only(principal)?;
        let offers = self.shared.store.offer_list().await?;
        self.answers.get(self.map(), offers, self.shared.store.vm_list(None)).await
    }

    /// The grid as it is and the offers, for what-if questions.
    pub async fn what_if_snapshot(&self, principal: &Principal) -> Result<(Snapshot, Vec<Offer>), ManagerError> {
        admin_only(principal)?;
        let vms = self.shared.store.vm_list(None).await?;
        Ok((Snapshot::of(&self.map(), &vms), self.shared.store.offer_list().await?))
    }

    /// Points of a kind's metric, oldest first; the metrics are those of a node, summed.
    pub async fn capacity_history(
        &self,
        principal: &Principal,
        kind: HypervisorKind,
        metric: &str,
        range: HistoryRange,
    ) -> Result<Vec<(UnixMillis, f64)>, ManagerError> {
        admin_only(principal)?;
        let series = MetricSeries { subject: kind.as_str().to_owned(), metric: metric.to_owned() };
        history::read(self.shared.store.as_ref(), &series, range).await
    }
}
