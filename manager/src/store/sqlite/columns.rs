//! Between columns and types: ids as text, amounts as checked 64-bit integers, enums by their words.

use crate::accounts::Role;
use crate::store::StoreError;
use grid::node::Administration;
use grid::operation::{OperationState, StepState};
use grid::relocation::RelocationState;
use grid::schedule::ScheduleState;
use grid::vm::VmState;
use grid::{Gib, Mib, Resources, Size, UnixMillis, Vcpus};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::fmt::Display;
use std::str::FromStr;

/// An amount as the database holds it.
pub(super) fn stored(amount: u64) -> Result<i64, StoreError> {
    i64::try_from(amount).map_err(|_| StoreError::TooLarge(amount))
}

/// The three amounts of [`Resources`] as the database holds them.
pub(super) fn stored_resources(resources: Resources) -> Result<[i64; 3], StoreError> {
    Ok([stored(resources.vcpus)?, stored(resources.memory_mib)?, stored(resources.disk_mib)?])
}

fn corrupt(column: &str, what: impl Display) -> StoreError {
    StoreError::Corrupt(format!("{column}: {what}"))
}

/// Reads a row's columns by name.
pub(super) struct Columns<'r>(pub(super) &'r SqliteRow);

impl Columns<'_> {
    fn integer(&self, column: &str) -> Result<i64, StoreError> {
        self.0.try_get(column).map_err(|error| corrupt(column, error))
    }

    pub(super) fn text(&self, column: &str) -> Result<String, StoreError> {
        self.0.try_get(column).map_err(|error| corrupt(column, error))
    }

    pub(super) fn text_or_none(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.0.try_get(column).map_err(|error| corrupt(column, error))
    }

    pub(super) fn amount(&self, column: &str) -> Result<u64, StoreError> {
        u64::try_from(self.integer(column)?).map_err(|error| corrupt(column, error))
    }

    pub(super) fn amount_or_none(&self, column: &str) -> Result<Option<u64>, StoreError> {
        let amount: Option<i64> = self.0.try_get(column).map_err(|error| corrupt(column, error))?;
        amount.map(|amount| u64::try_from(amount).map_err(|error| corrupt(column, error))).transpose()
    }

    pub(super) fn count(&self, column: &str) -> Result<u32, StoreError> {
        u32::try_from(self.integer(column)?).map_err(|error| corrupt(column, error))
    }

    pub(super) fn time(&self, column: &str) -> Result<UnixMillis, StoreError> {
        self.integer(column).map(UnixMillis)
    }

    pub(super) fn time_or_none(&self, column: &str) -> Result<Option<UnixMillis>, StoreError> {
        let at: Option<i64> = self.0.try_get(column).map_err(|error| corrupt(column, error))?;
        Ok(at.map(UnixMillis))
    }

    /// An id, or any other type that reads its own text.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, StoreError> {
        let text: &str = self.0.try_get(column).map_err(|error| corrupt(column, error))?;
        text.parse().map_err(|error| corrupt(column, error))
    }

    pub(super) fn parsed_or_none<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let text: Option<&str> = self.0.try_get(column).map_err(|error| corrupt(column, error))?;
        text.map(|text| text.parse().map_err(|error| corrupt(column, error))).transpose()
    }

    /// The columns `vcpus`, `memory_mib` and `disk_mib` with this prefix.
    pub(super) fn resources(&self, prefix: &str) -> Result<Resources, StoreError> {
        Ok(Resources {
            vcpus: self.amount(&format!("{prefix}vcpus"))?,
            memory_mib: self.amount(&format!("{prefix}memory_mib"))?,
            disk_mib: self.amount(&format!("{prefix}disk_mib"))?,
        })
    }

    /// The columns `vcpus`, `memory_mib` and `disk_gib`.
    pub(super) fn size(&self) -> Result<Size, StoreError> {
        Ok(Size {
            vcpus: Vcpus(self.count("vcpus")?),
            memory: Mib(self.amount("memory_mib")?),
            disk: Gib(self.amount("disk_gib")?),
        })
    }

    pub(super) fn vm_state(&self, column: &str) -> Result<VmState, StoreError> {
        self.word(column, &VmState::ALL, VmState::as_str)
    }

    pub(super) fn operation_state(&self, column: &str) -> Result<OperationState, StoreError> {
        self.word(column, &OperationState::ALL, OperationState::as_str)
    }

    pub(super) fn relocation_state(&self, column: &str) -> Result<RelocationState, StoreError> {
        self.word(column, &RelocationState::ALL, RelocationState::as_str)
    }

    pub(super) fn schedule_state(&self, column: &str) -> Result<ScheduleState, StoreError> {
        self.word(column, &ScheduleState::ALL, ScheduleState::as_str)
    }

    pub(super) fn step_state(&self, column: &str) -> Result<StepState, StoreError> {
        self.word(column, &StepState::ALL, StepState::as_str)
    }

    pub(super) fn administration(&self, column: &str) -> Result<Administration, StoreError> {
        let all = [Administration::Open, Administration::Cordoned, Administration::Draining, Administration::Fenced];
        self.word(column, &all, administration_word)
    }

    pub(super) fn role(&self, column: &str) -> Result<Role, StoreError> {
        self.word(column, &[Role::Customer, Role::Admin], role_word)
    }

    fn word<T: Copy>(&self, column: &str, all: &[T], word: impl Fn(T) -> &'static str) -> Result<T, StoreError> {
        let text: &str = self.0.try_get(column).map_err(|error| corrupt(column, error))?;
        all.iter().copied().find(|one| word(*one) == text).ok_or_else(|| corrupt(column, "an unknown word"))
    }
}

pub(super) const fn administration_word(administration: Administration) -> &'static str {
    match administration {
        Administration::Open => "open",
        Administration::Cordoned => "cordoned",
        Administration::Draining => "draining",
        Administration::Fenced => "fenced",
    }
}

pub(super) const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Customer => "customer",
        Role::Admin => "admin",
    }
}
