//! The identities of things: one type each, so that a VM's id can't be taken for a node's.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! identity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

identity!(
    /// A node, as the store knows it.
    NodeId
);
identity!(
    /// A VM: the same UUID that its hypervisor knows it by.
    VmId
);
identity!(
    /// A durable piece of work.
    OperationId
);
identity!(
    /// A piece of work that is made of moves of VMs, each an operation by itself.
    RelocationId
);
identity!(
    /// A resize that was agreed to for later.
    ScheduleId
);
identity!(
    /// A person who signs in.
    UserId
);
identity!(
    /// A customer's organisation; VMs and quotas belong to it.
    TenantId
);
identity!(
    /// A work order to a utility module.
    WorkId
);
identity!(
    /// A stream of a disk's bytes from one utility module to another.
    TransferId
);
