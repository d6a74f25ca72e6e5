//! The way back from a resize.

use super::rig::{Rig, TINY, size};
use crate::ManagerError;
use crate::operations::trial::{Moment, Orders};
use grid::Gib;
use grid::plan::PlanKind;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resize_is_reverted_by_a_plan_of_its_own_and_that_can_be_reverted_too() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    assert_eq!(rig.manager.vm_revert(&rig.customer, vm).await.unwrap(), None, "nothing was changed yet");
    let larger = size(2, 256, 1);
    let grown = rig.succeeded(rig.resize(vm, larger).await).await;
    let back = rig.manager.vm_revert(&rig.customer, vm).await.unwrap().unwrap();
    assert_eq!((back.to, back.disk_was), (TINY, None));
    assert_eq!(back.until.0 - grown.ended_at.unwrap().0, 24 * 60 * 60 * 1000);

    assert_eq!(rig.plan(vm, back.to).await.kind, PlanKind::InPlaceLive);
    rig.succeeded(rig.resize(vm, back.to).await).await;
    assert_eq!(rig.vm(vm).await.size, TINY);
    let forth = rig.manager.vm_revert(&rig.customer, vm).await.unwrap().unwrap();
    assert_eq!(forth.to, larger);
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_has_grown_stays_and_nothing_is_offered_where_it_alone_grew() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    rig.succeeded(rig.resize(vm, size(2, 256, 3)).await).await;
    let back = rig.manager.vm_revert(&rig.customer, vm).await.unwrap().unwrap();
    assert_eq!((back.to, back.disk_was), (size(1, 128, 3), Some(Gib(1))));
    rig.succeeded(rig.resize(vm, size(2, 256, 4)).await).await;
    assert_eq!(rig.manager.vm_revert(&rig.customer, vm).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resize_that_was_undone_leaves_the_way_back_from_the_one_before() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.succeeded(rig.resize(vm, size(2, 256, 1)).await).await;
    rig.order(Orders { fail: Some((1, Moment::Before)), ..Orders::default() });
    let failed = rig.ended(rig.resize(vm, size(3, 512, 1)).await).await;
    assert_eq!(failed.state, grid::operation::OperationState::Undone, "{failed:#?}");
    let back = rig.manager.vm_revert(&rig.customer, vm).await.unwrap().unwrap();
    assert_eq!(back.to, TINY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_back_is_told_to_nobody_else() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    let refused = rig.manager.vm_revert(&rig.stranger, vm).await;
    assert!(matches!(refused, Err(ManagerError::NotFound)), "{refused:?}");
}
