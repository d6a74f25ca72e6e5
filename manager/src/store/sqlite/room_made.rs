//! Giving an operation that waited for room the plan that it is carried out by, and the room.

use super::begin::grant;
use super::facts::taken;
use super::holding::Holding;
use super::many::json;
use super::{SqliteStore, begin, database, vms};
use crate::store::rows::RoomCheck;
use crate::store::{Begun, StoreError};
use grid::operation::OperationKind;
use grid::{OperationId, Resources};
use std::collections::BTreeSet;

impl SqliteStore {
    /// See [`crate::store::OperationStore::operation_room_made`].
    pub(super) async fn room_made(
        &self,
        operation: OperationId,
        kind: &OperationKind,
        steps: &[&'static str],
        room: &RoomCheck,
    ) -> Result<Begun, StoreError> {
        let OperationKind::Resize { plan, .. } = kind else {
            return Err(StoreError::Conflict("only a resize waits for room"));
        };
        let id = operation.to_string();
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let vm = vms::get(&mut tx, &plan.vm.to_string()).await?.ok_or(StoreError::NotFound)?;
        if vm.generation != plan.generation {
            return Ok(Begun::Changed);
        }
        let available = room.available(&taken(&mut tx, &BTreeSet::from([room.node])).await?);
        if !available.covers(&room.asked) {
            return Ok(Begun::NoRoom { node: room.node, asked: room.asked, available });
        }
        grant(&mut tx, std::iter::once(room)).await?;
        let done = sqlx::query(
            "UPDATE operation SET body = ?, steps = ?, source = ?, destination = ?
             WHERE id = ? AND vm = ? AND state = 'pending' AND waiting_ms IS NULL AND cancelled_by IS NULL
               AND steps = '[]'",
        )
        .bind(json(kind)?)
        .bind(json(&steps)?)
        .bind(plan.source.to_string())
        .bind(plan.destination.map(|node| node.to_string()))
        .bind(&id)
        .bind(plan.vm.to_string())
        .execute(&mut *tx)
        .await
        .map_err(database)?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict("the operation waits for no room"));
        }
        // Its quota it holds since it was accepted.
        let holding = Holding { operation: id, quota: Resources::ZERO };
        holding.hold(&mut tx, room.node, room.asked).await?;
        tx.commit().await.map_err(database)?;
        Ok(Begun::Started(operation))
    }
}
