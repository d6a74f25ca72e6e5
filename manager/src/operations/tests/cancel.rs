//! Cancelling: where it is true, all is taken back; where it isn't, the reason is said.

use super::rig::{Rig, TINY, size};
use crate::ManagerError;
use crate::clock;
use crate::operations::steps_of;
use crate::operations::trial::{Moment, Orders};
use crate::store::rows::AuditRow;
use grid::operation::{OperationKind, OperationState, StepState};
use grid::vm::VmState;
use grid::{OperationId, Size, VmId};

/// A move that stands in the middle of this step.
async fn standing(rig: &Rig, node: &str, step: &str, moment: Moment) -> (VmId, OperationId) {
    let vm = rig.vm_on(node).await;
    rig.fill(node, 100).await;
    let to = if node.starts_with("lxc") { size(2, 1024, 2) } else { size(2, 512, 2) };
    (vm, hanging(rig, vm, to, step, moment).await)
}

/// A resize that hangs at this step.
pub(super) async fn hanging(rig: &Rig, vm: VmId, to: Size, step: &str, moment: Moment) -> OperationId {
    let at = position(rig, vm, to, step).await;
    rig.order(Orders { hang: Some((at, moment)), ..Orders::default() });
    let operation = rig.resize(vm, to).await;
    rig.reached(operation, at, false).await;
    operation
}

/// The last position of this step in the resize to this size.
pub(super) async fn position(rig: &Rig, vm: VmId, to: Size, step: &str) -> u32 {
    let kind = OperationKind::Resize { plan: rig.plan(vm, to).await, force_off: false, not_after: None };
    u32::try_from(steps_of(&kind).iter().rposition(|it| it.name() == step).unwrap()).unwrap()
}

fn row(rig: &Rig) -> AuditRow {
    AuditRow {
        at: clock::now(),
        actor: Some(rig.customer.user),
        tenant: None,
        action: "operation_cancel".into(),
        target: String::new(),
        outcome: "accepted".into(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cancelled_in_the_middle_of_a_copy_is_taken_back() {
    for (node, step) in [("lxc-a", "copy-disk"), ("qemu-a", "migrate-live"), ("lxc-a", "reach-nodes")] {
        let rig = Rig::new().await;
        let (vm, operation) = standing(&rig, node, step, Moment::Before).await;
        assert_eq!(rig.manager.operation_get(&rig.customer, operation).await.unwrap().cannot_cancel, None);
        // A person clicks twice.
        let click = || rig.manager.operation_cancel(&rig.customer, operation);
        assert_eq!(futures::future::join(click(), click()).await, (Ok(()), Ok(())));
        let ended = rig.ended(operation).await;
        assert_eq!((ended.state, ended.reason.as_deref()), (OperationState::Undone, Some("cancelled")), "{step}");
        assert_eq!((rig.vm(vm).await.size, rig.vm(vm).await.state), (TINY, VmState::Running));
        rig.check().await;
        let audit = rig.store.audit_list(2).await.unwrap();
        assert_eq!((audit[0].outcome.as_str(), audit[1].action.as_str()), ("undone: cancelled", "operation_cancel"));
        assert_eq!(click().await, Ok(()), "it is so already");
        assert_eq!(rig.store.audit_list(2).await.unwrap(), audit);
        let another = rig.manager.operation_cancel(&rig.admin, operation).await;
        assert_eq!(another, Err(ManagerError::Unavailable { reason: "it is over".into() }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_has_arrived_when_it_is_cancelled_goes_on() {
    let rig = Rig::new().await;
    let (vm, operation) = standing(&rig, "qemu-a", "migrate-live", Moment::After).await;
    rig.manager.operation_cancel(&rig.customer, operation).await.unwrap();
    rig.succeeded(operation).await;
    let again = rig.manager.operation_cancel(&rig.customer, operation).await;
    assert_eq!(again, Err(ManagerError::Unavailable { reason: "it is over".into() }), "it did not turn back");
    assert_eq!(rig.vm(vm).await.node, rig.id("qemu-b"));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_goes_forward_can_not_be_cancelled_and_says_so() {
    let mut rig = Rig::new().await;
    for (node, step) in [("qemu-a", "set-memory"), ("lxc-a", "start")] {
        let (_, operation) = standing(&rig, node, step, Moment::Before).await;
        let reason = "it has come so far that it only goes forward".to_owned();
        let seen = rig.manager.operation_get(&rig.customer, operation).await.unwrap();
        assert_eq!(seen.cannot_cancel.as_ref(), Some(&reason), "{step}");
        let refused = rig.manager.operation_cancel(&rig.customer, operation).await;
        assert_eq!(refused, Err(ManagerError::Unavailable { reason: reason.clone() }), "{step}");
        assert_eq!(rig.store.audit_list(1).await.unwrap()[0].outcome, format!("refused: {reason}"));
        rig.order(Orders::default());
        rig.reopen().await;
        rig.succeeded(operation).await;
        // The next one deploys.
        rig.until_ready().await;
    }
    let stranger = rig.manager.operation_cancel(&rig.stranger, OperationId(uuid::Uuid::nil())).await;
    assert_eq!(stranger, Err(ManagerError::NotFound));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_survives_a_crash() {
    let mut rig = Rig::new().await;
    let (vm, operation) = standing(&rig, "lxc-a", "copy-disk", Moment::After).await;
    // Recorded, and the program dies before it hears of it.
    rig.store.operation_cancel(operation, rig.customer.user, &row(&rig)).await.unwrap();
    rig.reopen().await;
    let ended = rig.ended(operation).await;
    assert_eq!((ended.state, ended.reason.as_deref()), (OperationState::Undone, Some("cancelled")));
    assert!(ended.steps.iter().all(|step| matches!(step.state, StepState::Undone | StepState::Waiting)), "{ended:#?}");
    assert_eq!(rig.vm(vm).await.size, TINY);
    rig.check().await;
}
