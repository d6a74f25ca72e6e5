//! Capacity, for admins: what there is of each hypervisor kind, what is left, and what still fits.

use crate::accounts::Principal;
use crate::history::HistoryRange;
use crate::store::rows::MetricSeries;
use crate::{Manager, ManagerError, admin_only, history};
use grid::map::{KindTotals, how_many_fit, largest_fit};
use grid::offer::Offer;
use grid::{HypervisorKind, Size, UnixMillis};
use serde::{Deserialize, Serialize};

/// The whole grid's capacity, kind by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    pub as_of: UnixMillis,
    pub kinds: Vec<KindCapacity>,
}

/// The capacity of one hypervisor kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindCapacity {
    pub totals: KindTotals,
    /// The largest VM that fits on one node now.
    pub largest: Option<Size>,
    /// How many more of each offer fit.
    pub offers: Vec<(Offer, u64)>,
}

impl Manager {
    pub async fn capacity(&self, principal: &Principal) -> Result<Capacity, ManagerError> {
        admin_only(principal)?;
        let offers = self.shared.store.offer_list().await?;
        let map = self.map();
        let kind_capacity = |totals: KindTotals| KindCapacity {
            totals,
            largest: largest_fit(&map, totals.kind, None),
            offers: offers.iter().map(|offer| (offer.clone(), how_many_fit(&map, totals.kind, None, offer))).collect(),
        };
        Ok(Capacity { as_of: map.as_of, kinds: map.totals().into_iter().map(kind_capacity).collect() })
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
