//! What an admin typed about a node, read and handed on.

use crate::AppError;
use crate::components::node_settings::FIELDS;
use crate::form::{self, FormReply, Problem};
use crate::server_side::door::{Door, refuse};
use crate::view::node::SettingsView;
use grid::node::{Administration, NodeSettings, Overcommit};
use grid::{PerResource, Resources};
use manager::ManagerError;

/// Sets a node's settings, or says what is wrong with what was typed.
pub async fn settings_set(door: &Door, name: &str, typed: SettingsView) -> Result<FormReply, AppError> {
    door.admin_only()?;
    let page = address(name)?;
    let values: Vec<(&str, String)> = FIELDS.iter().map(|field| (*field, typed.get(bare(field)).to_owned())).collect();
    let settings = match read(&typed) {
        Ok(settings) => settings,
        Err(problems) => return door.reply_problems(problems, "node", &page, &values).await,
    };
    let done = set(door, name, settings, typed.get("failure_domain").trim()).await;
    let done = done.map_err(|error| match error {
        ManagerError::Invalid { field, message } => ManagerError::Invalid { field: in_form(field), message },
        other => other,
    });
    door.reply(done.map(|()| page.clone()), "node", &page, &values).await
}

/// The failure domain first, for it may be refused; where it is as it was, the audit has no line of it.
async fn set(door: &Door, name: &str, settings: NodeSettings, domain: &str) -> Result<(), ManagerError> {
    let node = door.manager.node_get(&door.principal, name).await?;
    if node.node.failure_domain.as_deref().unwrap_or_default() != domain {
        door.manager.node_failure_domain_set(&door.principal, name, domain).await?;
    }
    door.manager.node_settings_set(&door.principal, name, settings).await
}

/// Opens or cordons a node.
pub async fn administration_set(door: &Door, name: &str, to: &str) -> Result<FormReply, AppError> {
    door.admin_only()?;
    let page = address(name)?;
    let to = match to {
        "open" => Administration::Open,
        "cordoned" => Administration::Cordoned,
        _ => return Err(refuse(AppError::BadRequest)),
    };
    let done = door.manager.node_administration_set(&door.principal, name, to).await;
    door.reply(done.map(|()| page.clone()), "node", &page, &[]).await
}

/// The node's page; a name that can't stand in an address names nothing.
pub(super) fn address(name: &str) -> Result<String, AppError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err(refuse(AppError::NotFound));
    }
    Ok(format!("/admin/nodes/{name}"))
}

fn read(typed: &SettingsView) -> Result<NodeSettings, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut amount = |field: &str| {
        amount(typed.get(field)).unwrap_or_else(|message| {
            problems.push(Problem::of(in_form(field), message));
            0
        })
    };
    let reserve = Resources::each(|resource| amount(resource.reserve_field()));
    let network_mbit = amount("network_mbit");
    let overcommit = Overcommit(PerResource::each(|resource| {
        let field = resource.overcommit_field();
        form::ratio(typed.get(field)).unwrap_or_else(|message| {
            problems.push(Problem::of(in_form(field), message));
            0
        })
    }));
    let settings = NodeSettings { reserve, overcommit, network_mbit };
    if problems.is_empty() {
        problems = settings.wrong().into_iter().map(|(field, message)| Problem::of(in_form(field), message)).collect();
    }
    if problems.is_empty() { Ok(settings) } else { Err(problems) }
}

/// A setting's field as the form names it; empty, for the whole form, where it has none.
fn in_form(field: &str) -> &'static str {
    FIELDS.iter().copied().find(|name| bare(name) == field).unwrap_or_default()
}

/// The other way round.
fn bare(name: &str) -> &str {
    name.strip_prefix("settings[").and_then(|name| name.strip_suffix(']')).unwrap_or_default()
}

fn amount(text: &str) -> Result<u64, &'static str> {
    let text = text.trim();
    let is_whole = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_whole {
        return Err("Enter a whole number, in the digits 0 to 9.");
    }
    text.parse().map_err(|_| "This is too much.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid::Resource;

    #[test]
    fn amounts_are_whole_numbers_in_ascii_digits() {
        assert_eq!(amount(" 12 "), Ok(12));
        for wrong in ["", "-1", "1.5", "１２", "12 GiB", "99999999999999999999999"] {
            assert!(amount(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_beyond_all_measure_is_said_beside_its_field() {
        let text = |resource: Resource| match resource {
            Resource::Memory => ("9223372036854775808", "1"),
            Resource::Disk => ("0", "100.001"),
            Resource::Vcpus | Resource::Network => ("0", "1"),
        };
        let both = |resource: Resource| {
            let (reserve, ratio) = text(resource);
            [(resource.reserve_field(), reserve.to_owned()), (resource.overcommit_field(), ratio.to_owned())]
        };
        let network = ("network_mbit", "1000".to_owned());
        let typed: SettingsView = Resource::ALL.into_iter().flat_map(both).chain([network]).collect();
        let memory = Problem::of("settings[reserve_memory_mib]", "At most 2,147,483,646.");
        assert_eq!(read(&typed), Err(vec![memory, Problem::of("settings[overcommit_disk]", "From 0.001 to 100.")]));
        assert_eq!((in_form("failure_domain"), in_form("unheard")), ("settings[failure_domain]", ""));
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_no_page() {
        assert_eq!(address("qemu-a"), Ok("/admin/nodes/qemu-a".to_owned()));
        for wrong in ["", "../x", "a/b", "a\r\nb", "ä"] {
            assert!(address(wrong).is_err(), "{wrong:?}");
        }
    }
}
