//! Reading the history of samples.

use crate::ManagerError;
use crate::store::Store;
use crate::store::rows::MetricSeries;
use grid::UnixMillis;
use serde::{Deserialize, Serialize};

/// No answer has more points than this.
const MOST_POINTS: u32 = 2_000;

/// A stretch of the history, thinned to at most `points` points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRange {
    pub from: UnixMillis,
    pub to: UnixMillis,
    pub points: u32,
}

pub(crate) async fn read(
    store: &dyn Store,
    series: &MetricSeries,
    range: HistoryRange,
) -> Result<Vec<(UnixMillis, f64)>, ManagerError> {
    let points = range.points.clamp(1, MOST_POINTS);
    Ok(store.metrics_read(series, range.from, range.to, points).await?)
}
