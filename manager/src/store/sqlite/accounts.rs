//! Tenants, users, sessions and audit in SQLite.

use super::columns::{Columns, bind_resources, each_resource, for_each_resource, role_word};
use super::{SqliteStore, begin, constraint, database};
use crate::store::rows::{AuditRow, NewUser, SessionRow, UserRow};
use crate::store::{AccountStore, StoreError};
use async_trait::async_trait;
use grid::offer::Quota;
use grid::{Resources, TenantId, UnixMillis, UserId};
use sqlx::sqlite::{SqliteConnection, SqliteRow};

/// What the tenant's VMs take of its quota, with what its running operations add. A VM whose deployment failed takes
/// only its place among the number of VMs.
const TENANT_USAGE: &str = concat!(
    "SELECT ",
    each_resource!("COALESCE(SUM(", "), 0) AS ", ""),
    ", (SELECT COUNT(*) FROM vm WHERE tenant = ?1) AS vms
    FROM (
        SELECT SUM(vcpus) AS vcpus, SUM(memory_mib) AS memory_mib, SUM(disk_gib) * 1024 AS disk_mib,
               SUM(network_mbit) AS network_mbit
        FROM vm WHERE tenant = ?1 AND state <> 'failed'
        UNION ALL
        SELECT ",
    each_resource!("SUM(quota_", ")"),
    " FROM operation WHERE tenant = ?1 AND ended_ms IS NULL
    )"
);

const USER_BY_EMAIL: &str = "SELECT id, tenant, email, password_hash, role FROM user_account WHERE email = ?";

const USER_BY_ID: &str = "SELECT id, tenant, email, password_hash, role FROM user_account WHERE id = ?";

pub(super) async fn quota(connection: &mut SqliteConnection, tenant: &str) -> Result<Quota, StoreError> {
    let row = sqlx::query(concat!("SELECT ", each_resource!("quota_", ""), ", quota_vms FROM tenant WHERE id = ?"))
        .bind(tenant)
        .fetch_optional(connection)
        .await
        .map_err(database)?
        .ok_or(StoreError::NotFound)?;
    let columns = Columns(&row);
    Ok(Quota { limit: columns.resources("quota_")?, vms: columns.count("quota_vms")? })
}

pub(super) async fn usage(connection: &mut SqliteConnection, tenant: &str) -> Result<(Resources, u32), StoreError> {
    let row = sqlx::query(TENANT_USAGE).bind(tenant).fetch_one(connection).await.map_err(database)?;
    let columns = Columns(&row);
    Ok((columns.resources("")?, columns.count("vms")?))
}

pub(super) async fn audit(connection: &mut SqliteConnection, row: &AuditRow) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO audit (at_ms, actor, tenant, action, target, outcome) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(row.at.0)
        .bind(row.actor.map(|actor| actor.to_string()))
        .bind(row.tenant.map(|tenant| tenant.to_string()))
        .bind(&row.action)
        .bind(&row.target)
        .bind(&row.outcome)
        .execute(connection)
        .await
        .map_err(database)?;
    Ok(())
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

    async fn tenant_quota(&self, tenant: TenantId) -> Result<Quota, StoreError> {
        quota(&mut *self.readers.acquire().await.map_err(database)?, &tenant.to_string()).await
    }

    async fn tenant_usage(&self, tenant: TenantId) -> Result<(Resources, u32), StoreError> {
        usage(&mut *self.readers.acquire().await.map_err(database)?, &tenant.to_string()).await
    }

    async fn user_create(&self, user: &NewUser) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let tenant = user.tenant.to_string();
        quota(&mut tx, &tenant).await?;
        sqlx::query("INSERT INTO user_account (id, tenant, email, password_hash, role) VALUES (?, ?, ?, ?, ?)")
            .bind(user.id.to_string())
            .bind(tenant)
            .bind(&user.email)
            .bind(&user.password_hash)
            .bind(role_word(user.role))
            .execute(&mut *tx)
            .await
            .map_err(constraint("the email is taken"))?;
        tx.commit().await.map_err(database)
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<UserRow>, StoreError> {
        let row = sqlx::query(USER_BY_EMAIL).bind(email).fetch_optional(&self.readers).await.map_err(database)?;
        row.as_ref().map(user).transpose()
    }

    async fn user_get(&self, id: UserId) -> Result<Option<UserRow>, StoreError> {
        let row = sqlx::query(USER_BY_ID).bind(id.to_string()).fetch_optional(&self.readers).await.map_err(database)?;
        row.as_ref().map(user).transpose()
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
        let row = sqlx::query("SELECT id, user_account, data, expires_ms FROM session WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.readers)
            .await
            .map_err(database)?;
        row.as_ref().map(session).transpose()
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
        sqlx::query("SELECT at_ms, actor, tenant, action, target, outcome FROM audit ORDER BY id DESC LIMIT ?")
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await
            .map_err(database)?
            .iter()
            .map(audited)
            .collect()
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
