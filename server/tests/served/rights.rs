//! Who may open which door: every door that the application has, asked by those who may not.

use crate::log::plan_in;
use crate::server::shared;
use std::collections::BTreeSet;

pub(crate) type Fields<'a> = Vec<(&'a str, &'a str)>;

/// Doors at which there is nothing of somebody else's to ask for: they take no id.
const OF_ONESELF: [&str; 8] = [
    "session_open",
    "session_close",
    "session_get",
    "flash_take",
    "home_get",
    "nothing_get",
    "vm_list",
    "catalogue_get",
];
/// An id of nothing.
const NOWHERE: &str = "00000000-0000-4000-8000-000000000000";
/// Doors of one operation.
const OF_AN_OPERATION: [&str; 2] = ["operation_get", "operation_cancel"];
/// Deploys for oneself.
const NEW: &str = "vm_deploy";

pub(crate) fn of_a_vm<'a>(vm: &'a str, plan: &'a str) -> Vec<(&'static str, Fields<'a>)> {
    let typed = |vcpus: &'a str| -> Fields<'a> {
        vec![("id", vm), ("typed[vcpus]", vcpus), ("typed[memory_mib]", "256"), ("typed[disk_gib]", "1")]
    };
    let later = |opens: &'a str| -> Fields<'a> {
        vec![
            ("id", vm),
            ("plan", plan),
            ("key", NOWHERE),
            ("window[opens]", opens),
            ("window[closes]", "2020-01-02T10:00"),
        ]
    };
    vec![
        ("vm_get", vec![("id", vm)]),
        ("vm_start", vec![("id", vm), ("key", "rights-start")]),
        ("vm_stop", vec![("id", vm), ("force", "true"), ("key", "rights-stop")]),
        ("vm_delete", vec![("id", vm), ("key", "rights-delete")]),
        ("vm_rebuild", vec![("id", vm), ("confirmed", "shop"), ("key", "rights-rebuild")]),
        ("vm_resize_form", vec![("id", vm)]),
        ("vm_resize_preview", vec![("id", vm)]),
        ("vm_resize_preview", typed("2")),
        ("vm_resize_preview", typed("nonsense")),
        ("vm_resize", vec![("id", vm), ("plan", plan), ("key", "rights-resize")]),
        ("vm_resize", vec![("id", vm), ("plan", "nonsense"), ("key", "rights-resize-2")]),
        ("vm_schedule", later("2020-01-01T10:00")),
        ("vm_schedule", later("nonsense")),
        ("vm_schedule", vec![("id", vm), ("plan", "nonsense"), ("key", NOWHERE)]),
        ("vm_schedule_cancel", vec![("id", vm), ("schedule", NOWHERE)]),
        ("vm_move_consent", vec![("id", vm), ("drain", NOWHERE), ("when", "now")]),
        ("vm_move_consent", vec![("id", vm), ("drain", NOWHERE), ("when", "within")]),
        ("vm_move_consent", vec![("id", vm), ("drain", NOWHERE), ("when", "nonsense")]),
    ]
}

pub(crate) fn of_admins() -> Vec<(&'static str, Fields<'static>)> {
    let settings = |amount: &'static str| -> Fields<'static> {
        let ratios = [
            "settings[overcommit_vcpus]",
            "settings[overcommit_memory]",
            "settings[overcommit_disk]",
            "settings[overcommit_network]",
        ];
        let amounts = [
            "settings[reserve_vcpus]",
            "settings[reserve_memory_mib]",
            "settings[reserve_disk_mib]",
            "settings[reserve_network_mbit]",
            "settings[network_mbit]",
        ];
        let fields = amounts.map(|name| (name, amount)).into_iter().chain(ratios.map(|name| (name, "1")));
        [("name", "qemu-a")].into_iter().chain(fields).collect()
    };
    let what_if = [
        "typed[add]",
        "typed[like]",
        "typed[lose]",
        "typed[grow]",
        "typed[to]",
        "typed[kind]",
        "typed[vcpus]",
        "typed[memory]",
        "typed[disk]",
        "typed[network]",
    ];
    vec![
        ("capacity_get", vec![]),
        ("node_list", vec![]),
        ("operation_list", vec![]),
        ("node_get", vec![("name", "qemu-a")]),
        ("node_get", vec![("name", "no-such-node")]),
        ("node_settings_get", vec![("name", "qemu-a")]),
        ("node_settings_set", settings("1")),
        ("node_settings_set", settings("nonsense")),
        ("node_administration_set", vec![("name", "qemu-a"), ("to", "cordoned")]),
        ("node_administration_set", vec![("name", "qemu-a"), ("to", "nonsense")]),
        ("node_drain_get", vec![("name", "qemu-a")]),
        ("node_drain", vec![("name", "qemu-a"), ("id", NOWHERE)]),
        ("node_drain_cancel", vec![("name", "qemu-a")]),
        ("node_fence_get", vec![("name", "qemu-a")]),
        ("node_fence", vec![("name", "qemu-a"), ("confirmed", "qemu-a")]),
        ("node_unfence", vec![("name", "qemu-a")]),
        ("rebalance_get", vec![]),
        ("rebalance", vec![("id", NOWHERE), ("plan", "[]")]),
        ("rebalance", vec![("id", NOWHERE), ("plan", "nonsense")]),
        ("rebalance_cancel", vec![]),
        ("drift_list", vec![]),
        ("drift_record", vec![("vm", NOWHERE)]),
        ("operation_retry", vec![("id", NOWHERE)]),
        ("operation_give_up", vec![("id", NOWHERE)]),
        ("what_if_get", what_if.map(|name| (name, "")).to_vec()),
    ]
}

/// Every door that the application has; all are opened by POST.
pub(crate) fn all_doors() -> Vec<String> {
    // They are known to a program that has the application's router.
    let _ = app::router;
    let doors = leptos::server_fn::axum::server_fn_paths();
    doors
        .map(|(path, method)| {
            assert_eq!(method, http::Method::POST, "{path}");
            path.strip_prefix("/api/").unwrap_or_else(|| panic!("{path} is elsewhere")).to_owned()
        })
        .collect()
}

/// The operation that deployed the VM, as its page links it.
fn operation_of(page: &str) -> String {
    page.split("/operations/").nth(1).unwrap()[..36].to_owned()
}

#[test]
fn another_tenants_vm_and_operation_are_not_found_at_every_door() {
    let server = shared();
    let (shop, mut ada, mut ben) = (server.vm("shop").to_owned(), server.signed_in("ada"), server.signed_in("ben"));
    let page = ada.page(&format!("/vms/{shop}")).body;
    let operation = operation_of(&page);
    let plan = plan_in(&ada.page(&format!("/vms/{shop}/resize?vcpus=2&memory_mib=256&disk_gib=1")).body);
    let nothing = uuid::Uuid::from_u128(1).to_string();
    for (vm, operation) in [(&shop, &operation), (&nothing, &nothing)] {
        let of_operations = OF_AN_OPERATION.map(|door| (door, vec![("id", operation.as_str())]));
        let doors = of_a_vm(vm, &plan).into_iter().chain(of_operations);
        for (door, fields) in doors {
            let answer = ben.script(door, &fields);
            assert_eq!((answer.status, answer.body.as_str()), (404, "\"not_found\""), "{door} {fields:?}");
            assert_eq!(ben.form(door, &fields).status, 404, "{door} {fields:?}");
        }
    }
    assert_eq!(ada.script("operation_get", &[("id", &operation)]).status, 200);
    for door in ["vm_list", "catalogue_get", "session_get", "home_get"] {
        let answer = ben.script(door, &[]).body;
        assert!(
            !answer.contains(&shop) && !answer.contains(&operation) && !answer.contains("ada@"),
            "{door}: {answer}"
        );
    }
    assert_eq!(operation_of(&ada.page(&format!("/vms/{shop}")).body), operation, "nothing was started");
}

#[test]
fn what_is_for_admins_is_refused_to_a_customer_at_every_door() {
    let server = shared();
    let (mut ada, mut admin) = (server.signed_in("ada"), server.signed_in("admin"));
    let before = admin.script("node_settings_get", &[("name", "qemu-a")]).body;
    for (door, fields) in of_admins() {
        let answer = ada.script(door, &fields);
        assert_eq!((answer.status, answer.body.as_str()), (403, "\"forbidden\""), "{door} {fields:?}");
        assert_eq!(ada.form(door, &fields).status, 403, "{door} {fields:?}");
    }
    assert_eq!(admin.script("node_settings_get", &[("name", "qemu-a")]).body, before);
    for door in ["capacity_get", "node_list", "operation_list"] {
        assert_eq!(admin.script(door, &[]).status, 200, "{door}");
    }
}

#[test]
fn whoever_is_signed_out_gets_nothing_at_any_door() {
    let server = shared();
    let shop = server.vm("shop").to_owned();
    let own = ["vm_list", "catalogue_get", NEW].map(|door| (door, vec![]));
    let operation = OF_AN_OPERATION.map(|door| (door, vec![("id", shop.as_str())]));
    for (door, fields) in of_a_vm(&shop, "{}").into_iter().chain(of_admins()).chain(own).chain(operation) {
        let answer = server.visitor().script(door, &fields);
        assert_eq!((answer.status, answer.body.as_str()), (401, "\"signed_out\""), "{door} {fields:?}");
    }
}

#[test]
fn no_door_is_missing_here() {
    let doors: BTreeSet<String> = all_doors().into_iter().collect();
    let asked = of_a_vm("", "").into_iter().chain(of_admins()).map(|(door, _)| door);
    let known = asked.chain(OF_ONESELF).chain(OF_AN_OPERATION).chain([NEW]);
    let known: BTreeSet<String> = known.map(str::to_owned).collect();
    assert_eq!(doors, known);
}
