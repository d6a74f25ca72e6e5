//! Giving an operation that waited for room the plan that it is carried out by, and the room.

use super::begin::{available, grant, write_steps};
use super::holding::Holding;
use super::{SqliteStore, begin, database, vms};
use crate::store::rows::RoomCheck;
use crate::store::{Begun, StoreError};
use grid::operation::OperationKind;
use grid::{OperationId, Resources};

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
        let body = serde_json::to_string(kind).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let id = operation.to_string();
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let vm = vms::get(&mut tx, &plan.vm.to_string()).await?.ok_or(StoreError::NotFound)?;
        if vm.generation != plan.generation {
            return Ok(Begun::Changed);
        }
        let available = available(&mut tx, room).await?;
        if !available.covers(&room.asked) {
            return Ok(Begun::NoRoom { node: room.node, asked: room.asked, available });
        }
        grant(&mut tx, room).await?;
        let done = sqlx::query(
            "UPDATE operation SET body = ?1, source = ?2, destination = ?3
             WHERE id = ?4 AND vm = ?5 AND state = 'pending' AND waiting_ms IS NULL AND cancelled_by IS NULL
               AND NOT EXISTS (SELECT 1 FROM operation_step WHERE operation = ?4)",
        )
        .bind(body)
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
        write_steps(&mut tx, &id, steps).await?;
        // Its quota it holds since it was accepted.
        let holding = Holding { operation: id, quota: Resources::ZERO };
        holding.hold(&mut tx, room.node, room.asked).await?;
        tx.commit().await.map_err(database)?;
        Ok(Begun::Started(operation))
    }
}
