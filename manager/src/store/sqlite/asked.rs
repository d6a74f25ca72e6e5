//! What every request asks for first: those who ask at once are answered by one reading.

use super::line::Desk;
use super::{accounts, database, nodes};
use crate::store::StoreError;
use crate::store::rows::TenantStanding;
use grid::TenantId;
use grid::offer::Offer;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqlitePool};

/// What is for sale.
pub(super) struct Offers(pub(super) SqlitePool);

impl Desk for Offers {
    type Question = ();
    type Answer = Vec<Offer>;
    type Connection = PoolConnection<Sqlite>;

    async fn connect(&self) -> Result<Self::Connection, StoreError> {
        self.0.acquire().await.map_err(database)
    }

    async fn answer(reader: &mut Self::Connection, questions: &[()]) -> Result<Vec<Vec<Offer>>, StoreError> {
        Ok(vec![nodes::offers(reader).await?; questions.len()])
    }
}

/// Where tenants stand; none of one that isn't there.
pub(super) struct Standings(pub(super) SqlitePool);

impl Desk for Standings {
    type Question = TenantId;
    type Answer = Option<TenantStanding>;
    type Connection = PoolConnection<Sqlite>;

    async fn connect(&self) -> Result<Self::Connection, StoreError> {
        self.0.acquire().await.map_err(database)
    }

    async fn answer(reader: &mut Self::Connection, tenants: &[TenantId]) -> Result<Vec<Self::Answer>, StoreError> {
        let found = accounts::standings(reader, &tenants.iter().copied().collect()).await?;
        Ok(tenants.iter().map(|tenant| found.get(tenant).copied()).collect())
    }
}
