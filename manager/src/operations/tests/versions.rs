//! What another version of this program left unfinished: nothing is done for it, and an operator decides.

use super::rig::{Rig, TINY};
use crate::clock;
use crate::store::rows::NewOperation;
use grid::operation::{OperationKind, OperationState};
use grid::{OperationId, Resources};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_with_other_steps_waits_for_the_operator_and_holds_its_vm_no_longer_than_that() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    for steps in [vec!["pull-the-plug", "settle"], vec![]] {
        let left = NewOperation {
            id: OperationId(Uuid::now_v7()),
            kind: OperationKind::Stop { vm, force: true },
            tenant: rig.customer.tenant,
            actor: rig.customer.user,
            idempotency_key: Uuid::new_v4().to_string(),
            generation: None,
            deploy: None,
            reservations: vec![],
            quota_delta: Resources::ZERO,
            steps,
            relocation: None,
            now: clock::now(),
        };
        rig.store.operation_begin(&left, &[]).await.unwrap();
        rig.manager.reconciler.look().await.unwrap();
        let waits = async || rig.store.operation_get(left.id).await.unwrap().unwrap();
        for _ in 0..500 {
            if waits().await.state == OperationState::Waiting {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let told = waits().await;
        assert_eq!(told.state, OperationState::Waiting, "{told:?}");
        assert!(told.reason.as_deref().is_some_and(|it| it.contains("does not know how to go on")), "{told:?}");
        assert_eq!(rig.grid.executing(vm), [rig.id("qemu-a")], "nothing was touched");
        rig.manager.operation_give_up(&rig.admin, left.id).await.unwrap();
        assert_eq!(rig.ended(left.id).await.state, OperationState::Failed);
    }
    rig.succeeded(rig.manager.vm_stop(&rig.customer, vm, false, "stop").await.unwrap()).await;
    assert_eq!(rig.vm(vm).await.size, TINY);
    rig.check().await;
}
