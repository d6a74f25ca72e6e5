//! Moves wait for their turn.

use super::rig::{Rig, size};
use grid::operation::{OperationState, StepState};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_waits_while_two_go_on_its_node_and_can_be_cancelled_meanwhile() {
    let rig = Rig::new().await;
    let mut vms = Vec::new();
    for _ in 0..4 {
        vms.push(rig.vm_on("qemu-a").await);
    }
    rig.fill("qemu-a", 100).await;
    rig.grid.set_pace(Duration::from_millis(150));
    let mut moves = Vec::new();
    for vm in &vms {
        moves.push(rig.resize(*vm, size(1, 256, 1)).await);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut states = Vec::new();
    for id in &moves {
        states.push(rig.store.operation_get(*id).await.unwrap().unwrap().state);
    }
    let (running, pending) = (OperationState::Running, OperationState::Pending);
    assert_eq!(states, [running, running, pending, pending]);
    rig.manager.operation_cancel(&rig.customer, moves[2]).await.unwrap();
    let cancelled = rig.ended(moves[2]).await;
    assert_eq!(cancelled.state, OperationState::Undone);
    assert!(cancelled.steps.iter().all(|step| step.state == StepState::Waiting), "{cancelled:#?}");
    rig.grid.set_pace(Duration::ZERO);
    for id in [moves[0], moves[1], moves[3]] {
        rig.succeeded(id).await;
    }
    assert_eq!(rig.vm(vms[2]).await.node, rig.id("qemu-a"));
    rig.check().await;
}
