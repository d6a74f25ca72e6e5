//! The person on whose behalf a use case runs, and what that person may.

use crate::error::ManagerError;
use crate::store::rows::UserRow;
use grid::{TenantId, UserId};
use serde::{Deserialize, Serialize};

/// The signed-in person on whose behalf a use case runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    pub user: UserId,
    pub tenant: TenantId,
    pub email: String,
    pub role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Customer,
    Admin,
}

impl From<UserRow> for Principal {
    fn from(user: UserRow) -> Self {
        Self { user: user.id, tenant: user.tenant, email: user.email, role: user.role }
    }
}

impl Principal {
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// [`ManagerError::Forbidden`] for everybody else.
    pub fn must_be_admin(&self) -> Result<(), ManagerError> {
        if self.is_admin() { Ok(()) } else { Err(ManagerError::Forbidden) }
    }

    /// Whether what belongs to this tenant may be seen: one's own, or all as an admin.
    pub fn may_see(&self, tenant: TenantId) -> bool {
        self.is_admin() || self.tenant == tenant
    }

    /// [`ManagerError::NotFound`] where it may not be seen, as if it weren't there.
    pub fn must_see(&self, tenant: TenantId) -> Result<(), ManagerError> {
        if self.may_see(tenant) { Ok(()) } else { Err(ManagerError::NotFound) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn principal(role: Role) -> Principal {
        let (user, tenant) = (UserId(Uuid::new_v4()), TenantId(Uuid::new_v4()));
        Principal { user, tenant, email: "ada@example.org".to_owned(), role }
    }

    #[test]
    fn a_customer_sees_only_the_own_tenants_things() {
        let customer = principal(Role::Customer);
        assert!(customer.may_see(customer.tenant));
        assert_eq!(customer.must_see(TenantId(Uuid::new_v4())), Err(ManagerError::NotFound));
        assert_eq!(customer.must_be_admin(), Err(ManagerError::Forbidden));
    }

    #[test]
    fn an_admin_sees_everything() {
        let admin = principal(Role::Admin);
        assert_eq!(admin.must_see(TenantId(Uuid::new_v4())), Ok(()));
        assert_eq!(admin.must_be_admin(), Ok(()));
    }
}
