//! Evening nodes out on the simulated grid: what is reviewed is what is done, to running VMs and live.

use super::tests::{moves, over, with_vms};
use crate::ManagerError;
use grid::moves::Manner;
use grid::operation::OperationState;
use grid::relocation::RelocationState;
use grid::vm::VmState;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reviewed_moves_are_made_live_and_a_second_look_finds_nothing_to_do() {
    let (rig, vms) = with_vms(3).await;
    let container = rig.vm_on("lxc-a").await;
    rig.succeeded(rig.manager.vm_stop(&rig.customer, vms[0], true, "stop").await.unwrap()).await;
    let shown = rig.manager.rebalance_get(&rig.admin).await.unwrap();
    assert!(!shown.plan.is_empty() && shown.newest.is_none());
    assert!(shown.plan.iter().all(|each| each.manner == Manner::Live && each.vm != vms[0] && each.vm != container));
    let id = rig.manager.rebalance(&rig.admin, Uuid::new_v4(), shown.plan.clone()).await.unwrap();
    assert_eq!(rig.manager.rebalance(&rig.admin, id.0, shown.plan.clone()).await, Ok(id), "the same form again");
    assert_eq!(over(&rig, id).await.state, RelocationState::Succeeded);
    let moves = moves(&rig, id).await;
    assert_eq!(moves.len(), shown.plan.len());
    assert!(moves.iter().all(|each| each.state == OperationState::Succeeded));
    for each in &shown.plan {
        assert_eq!((rig.vm(each.vm).await.node, rig.vm(each.vm).await.state), (each.to, VmState::Running));
    }
    assert_eq!(rig.vm(vms[0]).await.node, rig.id("qemu-a"));
    let after = rig.manager.rebalance_get(&rig.admin).await.unwrap();
    assert_eq!(after.plan, []);
    assert_eq!(after.newest.map(|(newest, _)| newest.id), Some(id));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_shown_or_is_not_an_admins_is_refused_and_in_the_audit() {
    let (rig, _) = with_vms(3).await;
    let plan = rig.manager.rebalance_get(&rig.admin).await.unwrap().plan;
    assert_eq!(rig.manager.rebalance_get(&rig.customer).await, Err(ManagerError::Forbidden));
    assert_eq!(rig.manager.rebalance(&rig.customer, Uuid::new_v4(), plan.clone()).await, Err(ManagerError::Forbidden));
    assert_eq!(rig.manager.rebalance_cancel(&rig.customer).await, Err(ManagerError::Forbidden));
    let other: Vec<_> = plan.iter().map(|each| grid::moves::Move { to: each.from, from: each.to, ..*each }).collect();
    for wrong in [other, Vec::new()] {
        let refused = rig.manager.rebalance(&rig.admin, Uuid::new_v4(), wrong).await;
        assert!(matches!(refused, Err(ManagerError::Unavailable { .. })), "{refused:?}");
        assert!(rig.store.audit_list(1).await.unwrap()[0].outcome.starts_with("refused"));
    }
    assert_eq!(rig.manager.rebalance_cancel(&rig.admin).await, Err(ManagerError::NotFound));
    assert_eq!(rig.store.relocation_list().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_no_longer_possible_is_left_out_and_that_is_said() {
    let (rig, _) = with_vms(3).await;
    let plan = rig.manager.rebalance_get(&rig.admin).await.unwrap().plan;
    rig.fill("qemu-b", 0).await;
    // As if it had been shown a moment before.
    let kind = grid::relocation::RelocationKind::Rebalance { moves: plan };
    let id = grid::RelocationId(Uuid::new_v4());
    rig.manager.relocation_begin(&rig.admin, id, kind, "").await.unwrap();
    let ended = over(&rig, id).await;
    assert_eq!(ended.state, RelocationState::Failed);
    assert!(ended.reason.unwrap().contains("no longer possible"));
    assert_eq!(moves(&rig, id).await, []);
    rig.check().await;
}
