//! Who may, what may be typed, and what a second click does.

use super::rig::{Rig, size};
use crate::ManagerError;
use crate::operations::trial::{Moment, Orders};
use crate::vms::{Agreement, DeployRequest};
use grid::node::NodeSettings;
use grid::plan::{Plan, PlanAnswer, PlanKind, RefusalReason};
use grid::{Gib, Mib, NodeId, Resource, Resources, Size, Vcpus};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenants_vm_is_not_there() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let (manager, stranger) = (&rig.manager, &rig.stranger);
    let plan = rig.plan(vm, size(2, 256, 1)).await;
    assert_eq!(manager.vm_get(stranger, vm).await.unwrap_err(), ManagerError::NotFound);
    assert_eq!(manager.vm_stop(stranger, vm, true, "k1").await.unwrap_err(), ManagerError::NotFound);
    assert_eq!(manager.vm_delete(stranger, vm, "k2").await.unwrap_err(), ManagerError::NotFound);
    assert_eq!(manager.vm_resize(stranger, vm, Rig::agree(&plan)).await.unwrap_err(), ManagerError::NotFound);
    assert_eq!(manager.vm_resize_preview(stranger, vm, plan.to).await.unwrap_err(), ManagerError::NotFound);
    assert_eq!(manager.vm_list(stranger).await.unwrap(), []);
    assert_eq!(manager.node_list(stranger).await.unwrap_err(), ManagerError::Forbidden);
    assert_eq!(manager.vm_get(&rig.customer, vm).await.unwrap().node_name, None);
    assert_eq!(manager.vm_get(&rig.admin, vm).await.unwrap().node_name.as_deref(), Some("qemu-a"));
    let audit = rig.store.audit_list(20).await.unwrap();
    let refused = audit.iter().filter(|row| row.actor == Some(stranger.user) && row.outcome.starts_with("refused"));
    assert_eq!(refused.count(), 3, "{audit:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_refused_in_its_field() {
    let rig = Rig::new().await;
    let good = Rig::request("web", "disk-tiny");
    let long = "a".repeat(10_000);
    let characters = "Use the letters a to z, digits and hyphens only.";
    let names = [
        ("", "Enter a name."),
        ("<b>", characters),
        ("]]>", characters),
        ("a\0b", characters),
        ("../x", characters),
        ("\u{202e}x", characters),
        ("Web", "Use small letters only."),
        ("-a", "A name begins and ends with a letter or a digit."),
        (&long, "At most 63 characters; these are 10,000."),
    ];
    let deploying = |(name, said): (&str, _)| ("name", said, DeployRequest { name: name.into(), ..good.clone() });
    let bad = names.into_iter().map(deploying).chain([
        ("keys", "Line 1 is no public key", DeployRequest { keys: "ssh-rsa <x>".into(), ..good.clone() }),
        ("image", "There is no such image.", DeployRequest { image: "../disk-tiny".into(), ..good.clone() }),
        ("offer", "There is no such offer.", DeployRequest { offer: "free".into(), ..good.clone() }),
        ("region", "There is no such region.", DeployRequest { region: "moon".into(), ..good.clone() }),
    ]);
    for (expected, said, request) in bad {
        match rig.manager.vm_deploy(&rig.customer, request.clone()).await {
            Err(ManagerError::Invalid { field, message }) => {
                assert_eq!(field, expected, "{message}");
                assert!(message.starts_with(said), "{said}: {message}");
            }
            other => panic!("{request:?}: {other:?}"),
        }
    }
    assert_eq!(rig.store.vm_list(None).await.unwrap(), []);
    let huge = DeployRequest { offer: "huge".into(), ..good };
    let refused = rig.manager.vm_deploy(&rig.customer, huge).await.unwrap_err();
    assert!(matches!(refused, ManagerError::Refused { .. }), "{refused:?}");
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_without_its_key_starts_nothing_and_says_what_to_do() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let plan = rig.plan(vm, size(2, 256, 1)).await;
    for key in ["", "a\nb", &"k".repeat(101)] {
        let deploy = DeployRequest { idempotency_key: key.into(), ..Rig::request("web", "disk-tiny") };
        let agreement = Agreement { idempotency_key: key.into(), ..Rig::agree(&plan) };
        let answers = [
            rig.manager.vm_deploy(&rig.customer, deploy).await.map(|(_, operation)| operation),
            rig.manager.vm_resize(&rig.customer, vm, agreement).await,
            rig.manager.vm_stop(&rig.customer, vm, true, key).await,
            rig.manager.vm_delete(&rig.customer, vm, key).await,
        ];
        for answer in answers {
            match answer {
                Err(ManagerError::Invalid { field: "idempotency_key", message }) => {
                    assert!(message.contains("nothing was started. Load the page again"), "{message}");
                }
                other => panic!("{key:?}: {other:?}"),
            }
        }
    }
    assert_eq!(rig.store.operation_unfinished().await.unwrap(), []);
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_sees_no_node_in_a_plan_and_an_admin_sees_both() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.fill("qemu-a", 100).await;
    let nowhere = NodeId(Uuid::nil());
    let customers = rig.plan(vm, size(2, 512, 2)).await;
    assert_eq!((customers.kind, customers.source, customers.destination), (PlanKind::MoveLive, nowhere, Some(nowhere)));
    let admins = rig.plan_as(&rig.admin, vm, size(2, 512, 2)).await;
    assert_eq!((admins.source, admins.destination), (rig.id("qemu-a"), Some(rig.id("qemu-b"))));
    rig.succeeded(rig.manager.vm_resize(&rig.admin, vm, Rig::agree(&admins)).await.unwrap()).await;
    assert_eq!(rig.vm(vm).await.node, rig.id("qemu-b"));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agreement_that_was_tampered_with_starts_nothing() {
    let rig = Rig::new().await;
    let (vm, other) = (rig.vm_on("qemu-a").await, rig.vm_on("qemu-a").await);
    rig.fill("qemu-a", 100).await;
    let plan = rig.plan(vm, size(2, 512, 2)).await;
    let admins = rig.plan_as(&rig.admin, vm, size(2, 512, 2)).await;
    let forged = [
        (&rig.customer, Plan { vm: other, ..plan.clone() }),
        (&rig.customer, Plan { source: rig.id("qemu-b"), ..plan.clone() }),
        (&rig.customer, Plan { destination: Some(rig.id("lxc-b")), ..plan.clone() }),
        (&rig.customer, Plan { destination: None, ..plan.clone() }),
        (&rig.customer, Plan { kind: PlanKind::InPlaceLive, ..plan.clone() }),
        (&rig.customer, Plan { from: size(1, 64, 1), ..plan.clone() }),
        (&rig.customer, Plan { to: size(2, 513, 2), ..plan.clone() }),
        (&rig.customer, Plan { to: size(100, 512, 2), ..plan.clone() }),
        (&rig.customer, admins.clone()),
        (&rig.admin, Plan { source: rig.id("qemu-b"), ..admins.clone() }),
        (&rig.admin, Plan { destination: None, ..admins }),
    ];
    for (principal, plan) in forged {
        let answer = rig.manager.vm_resize(principal, vm, Rig::agree(&plan)).await;
        assert!(answer.is_err(), "{plan:#?}");
    }
    assert_eq!(rig.store.operation_unfinished().await.unwrap(), []);
    assert_eq!(rig.vm(vm).await.size, size(1, 128, 1));
    rig.check().await;
    rig.succeeded(rig.manager.vm_resize(&rig.customer, vm, Rig::agree(&plan)).await.unwrap()).await;
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_click_is_the_same_operation() {
    let rig = Rig::new().await;
    let request = Rig::request("web", "disk-tiny");
    let clicks = (0..20).map(|_| rig.manager.vm_deploy(&rig.customer, request.clone()));
    let answers = futures::future::join_all(clicks).await;
    let first = answers[0].clone().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref() == Ok(&first)), "{answers:?}");
    rig.succeeded(first.1).await;
    assert_eq!(rig.store.vm_list(None).await.unwrap().len(), 1);
    let plan = rig.plan(first.0, size(2, 256, 1)).await;
    let agreement = Rig::agree(&plan);
    let resize = rig.manager.vm_resize(&rig.customer, first.0, agreement.clone()).await.unwrap();
    assert_eq!(rig.manager.vm_resize(&rig.customer, first.0, agreement.clone()).await, Ok(resize));
    rig.succeeded(resize).await;
    assert_eq!(rig.manager.vm_resize(&rig.customer, first.0, agreement).await, Ok(resize));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_stands_for_another_operation_is_a_conflict() {
    let rig = Rig::new().await;
    let (vm, other) = (rig.vm_on("qemu-a").await, rig.vm_on("qemu-a").await);
    let stop = rig.manager.vm_stop(&rig.customer, vm, true, "key").await.unwrap();
    rig.succeeded(stop).await;
    assert_eq!(rig.manager.vm_stop(&rig.customer, vm, true, "key").await, Ok(stop));
    let agreement = Agreement { idempotency_key: "key".into(), ..Rig::agree(&rig.plan(vm, size(2, 256, 1)).await) };
    let deploy = DeployRequest { idempotency_key: "key".into(), ..Rig::request("web", "disk-tiny") };
    let answers = [
        rig.manager.vm_stop(&rig.customer, other, true, "key").await,
        rig.manager.vm_start(&rig.customer, vm, "key").await,
        rig.manager.vm_delete(&rig.customer, vm, "key").await,
        rig.manager.vm_resize(&rig.customer, vm, agreement).await,
        rig.manager.vm_deploy(&rig.customer, deploy).await.map(|(_, operation)| operation),
    ];
    for answer in answers {
        match answer {
            Err(ManagerError::Invalid { field: "idempotency_key", message }) => {
                assert!(message.contains("another operation already, so nothing was started"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_that_is_worked_on_is_busy() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let other = rig.plan(vm, size(3, 256, 1)).await;
    rig.order(Orders { hang: Some((1, Moment::Before)), ..Orders::default() });
    let operation = rig.resize(vm, size(2, 256, 1)).await;
    rig.reached(operation, 1, false).await;
    let busy = ManagerError::Busy { operation };
    assert_eq!(rig.manager.vm_resize(&rig.customer, vm, Rig::agree(&other)).await, Err(busy.clone()));
    // A plan would count what the operation holds.
    for to in [size(2, 256, 1), size(1, 128, 1)] {
        assert_eq!(rig.manager.vm_resize_preview(&rig.customer, vm, to).await, Err(busy.clone()));
    }
    let explained = rig.manager.vm_resize_preview_explained(&rig.admin, vm, size(3, 256, 1), true).await;
    assert_eq!(explained.map(|explained| explained.answer), Err(busy.clone()));
    assert_eq!(rig.manager.vm_resize_preview(&rig.stranger, vm, size(2, 256, 1)).await, Err(ManagerError::NotFound));
    assert_eq!(rig.manager.vm_stop(&rig.customer, vm, false, "s").await, Err(busy.clone()));
    assert_eq!(rig.manager.vm_delete(&rig.customer, vm, "d").await, Err(busy));
    let view = rig.manager.vm_get(&rig.customer, vm).await.unwrap();
    assert_eq!(view.operation.unwrap().id, operation);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_beyond_all_measure_are_refused_and_not_an_error_of_ours() {
    let rig = Rig::new().await;
    let reserve = Resources::ZERO.with(Resource::Memory, 1 << 63);
    let settings = NodeSettings { reserve, ..NodeSettings::default() };
    match rig.manager.node_settings_set(&rig.admin, "qemu-a", settings).await {
        Err(ManagerError::Invalid { field: "reserve_memory_mib", message }) => {
            assert!(message.starts_with("At most"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_no_longer_holds_asks_for_consent_again() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let plan = rig.plan(vm, size(2, 512, 1)).await;
    assert_eq!(plan.kind, PlanKind::InPlaceLive);
    rig.fill("qemu-a", 100).await;
    match rig.manager.vm_resize(&rig.customer, vm, Rig::agree(&plan)).await {
        Err(ManagerError::PlanChanged { answer }) => match *answer {
            PlanAnswer::Planned { plan } => assert_eq!(plan.kind, PlanKind::MoveLive),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
    assert_eq!(rig.vm(vm).await.size, size(1, 128, 1));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_says_what_was_asked_and_what_fits_and_nodes_only_to_admins() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let to = size(2, 3000, 1);
    let PlanAnswer::Refused { refusal } = rig.manager.vm_resize_preview(&rig.customer, vm, to).await.unwrap() else {
        panic!("3000 MiB fit nowhere")
    };
    assert!(matches!(refusal.reason, RefusalReason::NoRoom { asked: 3000, .. }), "{refusal:?}");
    assert!(refusal.largest.is_some());
    assert_eq!(refusal.nodes, []);
    let PlanAnswer::Refused { refusal } = rig.manager.vm_resize_preview(&rig.admin, vm, to).await.unwrap() else {
        panic!("3000 MiB fit nowhere")
    };
    assert!(!refusal.nodes.is_empty());
    for absurd in [size(0, 128, 1), size(1, 0, 1), Size::new(Vcpus(u32::MAX), Mib(u64::MAX), Gib(u64::MAX))] {
        let answer = rig.manager.vm_resize_preview(&rig.customer, vm, absurd).await.unwrap();
        assert!(matches!(answer, PlanAnswer::Refused { .. }), "{answer:?}");
    }
    let PlanAnswer::Refused { refusal } =
        rig.manager.vm_resize_preview(&rig.customer, vm, size(1, 128, 500)).await.unwrap()
    else {
        panic!("500 GiB are beyond the quota")
    };
    assert!(matches!(refusal.reason, RefusalReason::QuotaExceeded { .. }), "{refusal:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_never_take_more_than_there_is() {
    let rig = Rig::new().await;
    for name in ["lxc-a", "lxc-b", "qemu-b"] {
        rig.manager.node_administration_set(&rig.admin, name, grid::node::Administration::Cordoned).await.unwrap();
    }
    // Room for the utility VM and four tiny VMs.
    let each = grid::vm::commitment(grid::HypervisorKind::Qemu, super::rig::TINY).memory_mib();
    rig.fill("qemu-a", 4 * each + 1).await;
    let requests: Vec<DeployRequest> = (0..8).map(|n| Rig::request(&format!("web-{n}"), "disk-tiny")).collect();
    let deploys = requests.into_iter().map(|request| rig.manager.vm_deploy(&rig.customer, request));
    let answers = futures::future::join_all(deploys).await;
    let taken: Vec<_> = answers.into_iter().filter_map(Result::ok).collect();
    assert_eq!(taken.len(), 4);
    for (_, operation) in taken {
        rig.succeeded(operation).await;
    }
    rig.check().await;
    let entry = rig.manager.node_get(&rig.admin, "qemu-a").await.unwrap();
    assert!(entry.usable.covers(&entry.committed), "{entry:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refused_attempt_is_in_the_audit() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let (manager, customer) = (&rig.manager, &rig.customer);
    let settings = grid::node::NodeSettings::default;
    let cordoned = grid::node::Administration::Cordoned;
    let mut missing = Vec::new();
    macro_rules! refused {
        ($what:expr, $call:expr) => {
            let before = rig.store.audit_list(1000).await.unwrap().len();
            assert!($call.await.is_err(), $what);
            if rig.store.audit_list(1000).await.unwrap().len() != before + 1 {
                missing.push($what);
            }
        };
    }
    refused!("node_settings_set", manager.node_settings_set(customer, "qemu-a", settings()));
    refused!("node_failure_domain_set", manager.node_failure_domain_set(customer, "qemu-a", "rack"));
    refused!("node_administration_set", manager.node_administration_set(customer, "qemu-a", cordoned));
    refused!("node_fence", manager.node_fence(customer, "qemu-a", "qemu-a"));
    refused!("node_unfence", manager.node_unfence(customer, "qemu-a"));
    refused!("node_drain", manager.node_drain(customer, "qemu-a", Uuid::new_v4()));
    refused!("operation_retry", manager.operation_retry(&rig.admin, grid::OperationId(Uuid::new_v4())));
    refused!("vm_start, no key", manager.vm_start(customer, vm, ""));
    let no_key = DeployRequest { idempotency_key: String::new(), ..Rig::request("web", "disk-tiny") };
    refused!("vm_deploy, no key", manager.vm_deploy(customer, no_key));
    refused!("vm_rebuild, no key", manager.vm_rebuild(customer, vm, "x", ""));
    let plan = rig.plan(vm, size(2, 256, 1)).await;
    let agreed = Agreement { idempotency_key: String::new(), ..Rig::agree(&plan) };
    refused!("vm_resize, no key", manager.vm_resize(customer, vm, agreed));
    rig.succeeded(manager.vm_stop(customer, vm, true, "used").await.unwrap()).await;
    refused!("vm_start, used key", manager.vm_start(customer, vm, "used"));
    refused!("vm_stop, it is off", manager.vm_stop(customer, vm, true, "once more"));
    // The store refuses these, and has told it.
    let other = rig.vm_on("qemu-a").await;
    let taken = DeployRequest { name: rig.vm(other).await.name, ..Rig::request("", "disk-tiny") };
    refused!("vm_deploy, the name is taken", manager.vm_deploy(customer, taken));
    assert!(missing.is_empty(), "{missing:?}");
}
