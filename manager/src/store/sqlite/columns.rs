//! Between columns and types: ids as text, amounts as checked 64-bit integers, enums by their words.

use crate::accounts::Role;
use crate::store::StoreError;
use grid::node::{Administration, Overcommit};
use grid::operation::{OperationState, StepState};
use grid::relocation::RelocationState;
use grid::sample::Source;
use grid::schedule::ScheduleState;
use grid::vm::VmState;
use grid::{Gib, Mbit, Mib, Resource, Resources, Size, UnixMillis, Vcpus};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite};
use std::fmt::Display;
use std::str::FromStr;

/// An amount as the database holds it.
pub(super) fn stored(amount: u64) -> Result<i64, StoreError> {
    i64::try_from(amount).map_err(|_| StoreError::TooLarge(amount))
}

/// A statement, and what it is asked with.
pub(super) type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Text for the columns of all resources, in the order of [`Resource::ALL`], which [`bind_resources`] follows: what
/// stands before each name, between it and itself where it is named again, and behind it.
macro_rules! each_resource {
    (@of $name:literal, $before:literal $(, $behind:literal)+) => {
        concat!($before $(, $name, $behind)+)
    };
    ($($text:literal),+) => {
        concat!(
            each_resource!(@of "vcpus", $($text),+),
            ", ",
            each_resource!(@of "memory_mib", $($text),+),
            ", ",
            each_resource!(@of "disk_mib", $($text),+),
            ", ",
            each_resource!(@of "network_mbit", $($text),+)
        )
    };
}
pub(super) use each_resource;

/// The same text for each resource, as `, ?` for the places of values.
macro_rules! for_each_resource {
    ($text:literal) => {
        concat!($text, $text, $text, $text)
    };
}
pub(super) use for_each_resource;

/// The columns of how many times over each resource is sold, in the same order, and what stands behind each.
macro_rules! ratios {
    ($after:literal) => {
        concat!(
            "vcpus_permille",
            $after,
            ", memory_permille",
            $after,
            ", disk_permille",
            $after,
            ", network_permille",
            $after
        )
    };
}
pub(super) use ratios;

/// The amount of each resource as the database holds it, in the order of [`Resource::ALL`].
pub(super) fn stored_resources(amounts: Resources) -> Result<[i64; Resource::COUNT], StoreError> {
    let mut all = [0; Resource::COUNT];
    for (place, amount) in all.iter_mut().zip(amounts.values()) {
        *place = stored(amount)?;
    }
    Ok(all)
}

/// Binds the amount of each resource, in the order of [`Resource::ALL`].
pub(super) fn bind_resources(statement: Statement<'_>, amounts: Resources) -> Result<Statement<'_>, StoreError> {
    Ok(stored_resources(amounts)?.into_iter().fold(statement, Statement::bind))
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

    /// The columns of all resources, with this prefix.
    pub(super) fn resources(&self, prefix: &str) -> Result<Resources, StoreError> {
        let mut amounts = Resources::ZERO;
        for resource in Resource::ALL {
            amounts.set(resource, self.amount(&format!("{prefix}{}", resource.field()))?);
        }
        Ok(amounts)
    }

    /// The columns of [`ratios`].
    pub(super) fn overcommit(&self) -> Result<Overcommit, StoreError> {
        let mut overcommit = Overcommit::default();
        for resource in Resource::ALL {
            let word = resource.overcommit_field().trim_start_matches("overcommit_");
            overcommit.0.set(resource, self.count(&format!("{word}_permille"))?);
        }
        Ok(overcommit)
    }

    /// The columns `vcpus`, `memory_mib`, `disk_gib` and `network_mbit`.
    pub(super) fn size(&self) -> Result<Size, StoreError> {
        let (vcpus, memory, disk) = (self.count("vcpus")?, self.amount("memory_mib")?, self.amount("disk_gib")?);
        Ok(Size { network: Mbit(self.amount("network_mbit")?), ..Size::new(Vcpus(vcpus), Mib(memory), Gib(disk)) })
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

    pub(super) fn source(&self, column: &str) -> Result<Source, StoreError> {
        self.word(column, &[Source::Hypervisor, Source::Utility], Source::as_str)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_resources_are_named_as_these_are_and_in_their_order() {
        let named = Resource::ALL.map(|resource| format!("sum_{} AS it", resource.field())).join(", ");
        assert_eq!(each_resource!("sum_", " AS it"), named);
        let named = Resource::ALL.map(|it| format!("{} = excluded.{}", it.field(), it.field())).join(", ");
        assert_eq!(each_resource!("", " = excluded.", ""), named);
        let named = Resource::ALL.map(Resource::field).map(|it| format!("a_{it} = f('{it}', a_{it})")).join(", ");
        assert_eq!(each_resource!("a_", " = f('", "', a_", ")"), named);
    }
}
