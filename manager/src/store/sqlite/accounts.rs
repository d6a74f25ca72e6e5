//! Tenants, users, sessions and audit in SQLite.

use super::columns::{Columns, bind_resources, each_resource, for_each_resource, role_word};
use super::many::{Amounts, found, insert_all, resources};
use super::{SqliteStore, begin, constraint, database};
use crate::store::rows::{AuditRow, NewUser, SessionRow, TenantStanding, UserRow};
use crate::store::{AccountStore, StoreError};
use async_trait::async_trait;
use grid::offer::Quota;
use grid::{TenantId, UnixMillis, UserId};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::collections::{HashMap, HashSet};

/// Of each of the tenants.
pub(super) const STANDINGS: &str = concat!(
    "SELECT json_group_array(json_array(tenant.id, quota_vms, json_array(",
    each_resource!("quota_", ""),
    "), used_vms, json_array(",
    each_resource!("used_", ""),
    "))) FROM json_each(?) AS asked CROSS JOIN tenant ON tenant.id = asked.value"
);

/// What that finds of a tenant: its quota, and what it uses.
type Standing = (TenantId, u32, Amounts, u32, Amounts);

const USER_BY_EMAIL: &str = "SELECT id, tenant, email, password_hash, role FROM user_account WHERE email = ?";

const USER_BY_ID: &str = "SELECT id, tenant, email, password_hash, role FROM user_account WHERE id = ?";

/// What of these tenants is known.
pub(super) async fn standings(
    connection: &mut SqliteConnection,
    tenants: &HashSet<TenantId>,
) -> Result<HashMap<TenantId, TenantStanding>, StoreError> {
    if tenants.is_empty() {
        return Ok(HashMap::new());
    }
    let standings: Vec<Standing> = found(connection, STANDINGS, tenants).await?;
    let standing = |(tenant, quota_vms, quota, vms, used): Standing| {
        let quota = Quota { limit: resources(quota), vms: quota_vms };
        (tenant, TenantStanding { quota, used: resources(used), vms })
    };
    Ok(standings.into_iter().map(standing).collect())
}

pub(super) async fn audit(connection: &mut SqliteConnection, row: &AuditRow) -> Result<(), StoreError> {
    audit_all(connection, std::slice::from_ref(row)).await
}

pub(super) async fn audit_all(connection: &mut SqliteConnection, rows: &[AuditRow]) -> Result<(), StoreError> {
    let into = "INSERT INTO audit (at_ms, actor, tenant, action, target, outcome) ";
    insert_all(connection, into, rows, |tuple, row| {
        tuple
            .push_bind(row.at.0)
            .push_bind(row.actor.map(|actor| actor.to_string()))
            .push_bind(row.tenant.map(|tenant| tenant.to_string()))
            .push_bind(row.action.clone())
            .push_bind(row.target.clone())
            .push_bind(row.outcome.clone());
    })
    .await
    .map_err(database)
}

fn user(row: &SqliteRow) -> Result<UserRow, StoreError> {
    let columns = Columns(row);
    Ok(UserRow {
        id: columns.parsed("id")?,
        tenant: columns.parsed("tenant")?,
        email: columns.text("email")?,
        password_hash: columns.text("password_hash")?,
        role: columns.role("role")?,
    })
}

#[async_trait]
impl AccountStore for SqliteStore {
    async fn tenant_put(&self, tenant: TenantId, name: &str, quota: Quota) -> Result<(), StoreError> {
        let statement = sqlx::query(concat!(
            "INSERT INTO tenant (id, name, quota_vms, ",
            each_resource!("quota_", ""),
            ") VALUES (?, ?, ?",
            for_each_resource!(", ?"),
            ") ON CONFLICT (id) DO UPDATE SET quota_vms = excluded.quota_vms, ",
            each_resource!("quota_", " = excluded.quota_", "")
        ));
        let statement = statement.bind(tenant.to_string()).bind(name).bind(i64::from(quota.vms));
        bind_resources(statement, quota.limit)?.execute(&mut *self.writer.lock().await).await.map_err(database)?;
        Ok(())
    }

    async fn tenant_standing(&self, tenant: TenantId) -> Result<TenantStanding, StoreError> {
        self.standings.ask(tenant).await?.ok_or(StoreError::NotFound)
    }

    async fn user_create(&self, user: &NewUser) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        standings(&mut tx, &HashSet::from([user.tenant])).await?.remove(&user.tenant).ok_or(StoreError::NotFound)?;
        sqlx::query("INSERT INTO user_account (id, tenant, email, password_hash, role) VALUES (?, ?, ?, ?, ?)")
            .bind(user.id.to_string())
            .bind(user.tenant.to_string())
            .bind(&user.email)
            .bind(&user.password_hash)
            .bind(role_word(user.role))
            .execute(&mut *tx)
            .await
            .map_err(constraint("the email is taken"))?;
        tx.commit().await.map_err(database)
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<UserRow>, StoreError> {
        self.one(sqlx::query(USER_BY_EMAIL).bind(email), user).await
    }

    async fn user_get(&self, id: UserId) -> Result<Option<UserRow>, StoreError> {
        self.one(sqlx::query(USER_BY_ID).bind(id.to_string()), user).await
    }

    async fn seeded_set(&self, now: UnixMillis) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO seeded (at_ms) VALUES (?)")
            .bind(now.0)
            .execute(&mut *self.writer.lock().await)
            .await
            .map_err(database)?;
        Ok(())
    }

    async fn seeded(&self) -> Result<bool, StoreError> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM seeded)").fetch_one(&self.readers).await.map_err(database)
    }

    async fn session_put(&self, session: &SessionRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO session (id, user_account, data, expires_ms) VALUES (?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET
                user_account = excluded.user_account, data = excluded.data, expires_ms = excluded.expires_ms",
        )
        .bind(&session.id)
        .bind(session.user.map(|user| user.to_string()))
        .bind(&session.data)
        .bind(session.expires.0)
        .execute(&mut *self.writer.lock().await)
        .await
        .map_err(constraint("the session's user is not there"))?;
        Ok(())
    }

    async fn session_update(&self, session: &SessionRow) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE session SET user_account = ?, data = ?, expires_ms = ? WHERE id = ?")
            .bind(session.user.map(|user| user.to_string()))
            .bind(&session.data)
            .bind(session.expires.0)
            .bind(&session.id)
            .execute(&mut *self.writer.lock().await)
            .await
            .map_err(constraint("the session's user is not there"))?;
        Ok(done.rows_affected() > 0)
    }

    async fn session_get(&self, id: &str) -> Result<Option<SessionRow>, StoreError> {
        self.one(sqlx::query("SELECT id, user_account, data, expires_ms FROM session WHERE id = ?").bind(id), session)
            .await
    }

    async fn session_delete(&self, id: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM session WHERE id = ?")
            .bind(id)
            .execute(&mut *self.writer.lock().await)
            .await
            .map_err(database)?;
        Ok(())
    }

    async fn sessions_delete_of(&self, user: UserId) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM session WHERE user_account = ?")
            .bind(user.to_string())
            .execute(&mut *self.writer.lock().await)
            .await
            .map_err(database)?;
        Ok(done.rows_affected())
    }

    async fn sessions_delete_expired(&self, now: UnixMillis) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM session WHERE expires_ms <= ?")
            .bind(now.0)
            .execute(&mut *self.writer.lock().await)
            .await
            .map_err(database)?;
        Ok(done.rows_affected())
    }

    async fn audit_add(&self, row: &AuditRow) -> Result<(), StoreError> {
        audit(&mut *self.writer.lock().await, row).await
    }

    async fn audit_list(&self, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let statement =
            sqlx::query("SELECT at_ms, actor, tenant, action, target, outcome FROM audit ORDER BY id DESC LIMIT ?");
        self.all(statement.bind(i64::from(limit)), audited).await
    }
}

fn session(row: &SqliteRow) -> Result<SessionRow, StoreError> {
    let columns = Columns(row);
    Ok(SessionRow {
        id: columns.text("id")?,
        user: columns.parsed_or_none("user_account")?,
        data: columns.text("data")?,
        expires: columns.time("expires_ms")?,
    })
}

fn audited(row: &SqliteRow) -> Result<AuditRow, StoreError> {
    let columns = Columns(row);
    Ok(AuditRow {
        at: columns.time("at_ms")?,
        actor: columns.parsed_or_none("actor")?,
        tenant: columns.parsed_or_none("tenant")?,
        action: columns.text("action")?,
        target: columns.text("target")?,
        outcome: columns.text("outcome")?,
    })
}
