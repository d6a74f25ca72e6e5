//! Which server carries operations out.

use super::columns::Columns;
use super::{SqliteStore, begin, database};
use crate::store::rows::LeaseRow;
use crate::store::{LeaseStore, StoreError};
use async_trait::async_trait;

#[async_trait]
impl LeaseStore for SqliteStore {
    async fn lease_take(&self, holder: &str, over: Option<&LeaseRow>) -> Result<Option<LeaseRow>, StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let found =
            sqlx::query("SELECT holder, renewals FROM lease").fetch_optional(&mut *tx).await.map_err(database)?;
        if let Some(row) = found {
            let columns = Columns(&row);
            let held = LeaseRow { holder: columns.text("holder")?, renewals: columns.amount("renewals")? };
            if held.holder != holder && Some(&held) != over {
                return Ok(Some(held));
            }
        }
        sqlx::query(
            "INSERT INTO lease (one, holder, renewals) VALUES (1, ?, 0)
             ON CONFLICT (one) DO UPDATE SET holder = excluded.holder, renewals = renewals + 1",
        )
        .bind(holder)
        .execute(&mut *tx)
        .await
        .map_err(database)?;
        tx.commit().await.map_err(database)?;
        Ok(None)
    }

    async fn lease_give_back(&self, holder: &str) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let statement = sqlx::query("DELETE FROM lease WHERE holder = ?").bind(holder);
        statement.execute(&mut *writer).await.map(drop).map_err(database)
    }
}
