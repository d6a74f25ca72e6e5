//! The snapshot for what-if questions, and the first result.

use super::time;
use crate::AppError;
use crate::server_side::door::{Door, refuse};
use crate::view::what_if::{WhatIfPageView, WhatIfTyped, result};

/// The result is worked out off the asynchronous threads: every answer is given twice.
pub async fn page(door: &Door, typed: WhatIfTyped) -> Result<WhatIfPageView, AppError> {
    let (snapshot, offers) = door.pass(door.manager.what_if_snapshot(&door.principal).await)?;
    let made = tokio::task::spawn_blocking(move || WhatIfPageView {
        as_of: time::moment(snapshot.as_of),
        result: result(&snapshot, &offers, &typed),
        snapshot,
        offers,
        typed,
    });
    made.await.map_err(|error| {
        tracing::error!(%error, "a what-if question could not be answered");
        refuse(AppError::Internal)
    })
}
