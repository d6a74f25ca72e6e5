//! People: who they are, what they may, and how they sign in.
//!
//! A wrong password and an unknown email are the same answer, after the same work. Attempts are limited for each
//! email and altogether. Every sign-in, done or refused, is in the audit.

mod attempts;
mod email;
mod passwords;
mod principal;
pub mod sessions;

pub use principal::{Principal, Role};

use crate::clock;
use crate::error::ManagerError;
use crate::store::rows::{AuditRow, NewUser, UserRow};
use crate::store::{Store, StoreError};
use attempts::Attempts;
use grid::offer::Quota;
use grid::{TenantId, UserId};
use passwords::Passwords;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use uuid::Uuid;

/// Users and how they sign in.
#[derive(Debug)]
pub struct Accounts {
    store: Arc<dyn Store>,
    passwords: Passwords,
    attempts: Mutex<Attempts>,
}

/// Somebody who shall be able to sign in.
#[derive(Clone)]
pub struct NewAccount {
    pub tenant: TenantId,
    pub email: String,
    pub password: String,
    pub role: Role,
}

impl fmt::Debug for NewAccount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NewAccount")
            .field("tenant", &self.tenant)
            .field("email", &self.email)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl Accounts {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, passwords: Passwords::new(), attempts: Mutex::new(Attempts::default()) }
    }

    /// Who this is. [`ManagerError::SignedOut`] where email and password don't belong together,
    /// [`ManagerError::TooManyAttempts`] where it was tried too often.
    ///
    /// The caller then gives the person a session: see [`sessions::begin`].
    pub async fn sign_in(&self, email: &str, password: &str) -> Result<Principal, ManagerError> {
        let email = email::normal(email);
        if let Err(retry_after_s) = self.attempts().admit(&email, Instant::now()) {
            tracing::warn!(retry_after_s, "too many attempts to sign in");
            return Err(ManagerError::TooManyAttempts { retry_after_s });
        }
        let user = self.store.user_by_email(&email).await?;
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let right = self.passwords.verify(password, hash).await?;
        match user {
            Some(user) if right => {
                self.attempts().forgive(&email);
                self.audit_sign_in(Some(&user), "accepted").await?;
                Ok(Principal::from(user))
            }
            user => {
                self.audit_sign_in(user.as_ref(), "refused: wrong email or password").await?;
                Err(ManagerError::SignedOut)
            }
        }
    }

    /// The person with this id; `None` where there is nobody, or the store can't tell (which is logged).
    pub async fn principal(&self, user: UserId) -> Option<Principal> {
        match self.store.user_get(user).await {
            Ok(user) => user.map(Principal::from),
            Err(error) => {
                tracing::error!(%error, "a signed-in person could not be read");
                None
            }
        }
    }

    /// Makes a customer's organisation where it isn't there, and sets its quota; the same name is the same tenant.
    /// [`ManagerError::Invalid`] where the name is none or the quota beyond any.
    pub async fn tenant_set(&self, name: &str, quota: Quota) -> Result<TenantId, ManagerError> {
        let name = crate::catalogue::shown_name("tenant", name)?;
        let tenant = tenant_id(name);
        match self.store.tenant_put(tenant, name, quota).await {
            Ok(()) => {}
            Err(StoreError::TooLarge(number)) => {
                return Err(ManagerError::Invalid { field: "quota", message: format!("{number} is too much") });
            }
            Err(error) => return Err(error.into()),
        }
        self.audit("tenant_set", None, Some(tenant), tenant.to_string(), "succeeded").await?;
        Ok(tenant)
    }

    /// [`ManagerError::Invalid`] where the email is none or is taken, or the password is too short or too long;
    /// [`ManagerError::NotFound`] where the tenant isn't there.
    pub async fn user_create(&self, account: NewAccount) -> Result<UserId, ManagerError> {
        let email = email::checked(&account.email)?;
        let password_hash = self.passwords.hash(&account.password).await?;
        let id = UserId(Uuid::new_v4());
        let user = NewUser { id, tenant: account.tenant, email, password_hash, role: account.role };
        match self.store.user_create(&user).await {
            Ok(()) => {}
            Err(StoreError::Conflict(_)) => {
                return Err(ManagerError::Invalid { field: "email", message: "is taken".to_owned() });
            }
            Err(error) => return Err(error.into()),
        }
        self.audit("user_create", None, Some(account.tenant), id.to_string(), "succeeded").await?;
        Ok(id)
    }

    /// Ends all sessions of a person, and answers how many there were.
    pub async fn sign_out_everywhere(&self, user: UserId) -> Result<u64, ManagerError> {
        let ended = self.store.sessions_delete_of(user).await?;
        self.audit("user_sign_out_everywhere", Some(user), None, user.to_string(), "succeeded").await?;
        Ok(ended)
    }

    /// What was typed as an unknown email is not kept: it may be a password.
    async fn audit_sign_in(&self, user: Option<&UserRow>, outcome: &str) -> Result<(), ManagerError> {
        let target = user.map_or_else(|| "nobody".to_owned(), |user| user.id.to_string());
        self.audit("user_sign_in", user.map(|user| user.id), user.map(|user| user.tenant), target, outcome).await
    }

    async fn audit(
        &self,
        action: &str,
        actor: Option<UserId>,
        tenant: Option<TenantId>,
        target: String,
        outcome: &str,
    ) -> Result<(), ManagerError> {
        let (action, outcome) = (action.to_owned(), outcome.to_owned());
        let row = AuditRow { at: clock::now(), actor, tenant, action, target, outcome };
        Ok(self.store.audit_add(&row).await?)
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        // Counters stay usable whatever happened to who held them.
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id of the tenant of this name.
pub fn tenant_id(name: &str) -> TenantId {
    TenantId(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
}

#[cfg(test)]
mod tests;
