//! Bandwidth of the network: promised like every other resource, and kept through resizes and moves.

use super::rig::{Rig, TINY, size};
use crate::ManagerError;
use crate::vms::DeployRequest;
use grid::node::NodeSettings;
use grid::offer::Offer;
use grid::plan::{PlanKind, RefusalReason};
use grid::{Mbit, OperationId, Resource, Resources, Size, VmId};

const WIRED: Size = Size { network: Mbit(400), ..TINY };

async fn wired_rig() -> Rig {
    let rig = Rig::new().await;
    rig.store.offer_put(&Offer { name: "wired".into(), size: WIRED }).await.unwrap();
    rig
}

/// What an admin says that a node's network carries, and keeps back of its memory.
async fn carries(rig: &Rig, node: &str, network_mbit: u64, reserve_mib: u64) {
    let reserve = Resources::ZERO.with(Resource::Memory, reserve_mib);
    let settings = NodeSettings { network_mbit, reserve, ..NodeSettings::default() };
    rig.manager.node_settings_set(&rig.admin, node, settings).await.unwrap();
}

async fn deploy(rig: &Rig, name: &str) -> Result<(VmId, OperationId), ManagerError> {
    let request = DeployRequest { offer: "wired".into(), ..Rig::request(name, "disk-tiny") };
    rig.manager.vm_deploy(&rig.customer, request).await
}

async fn refused(rig: &Rig, name: &str) -> RefusalReason {
    match deploy(rig, name).await {
        Err(ManagerError::Refused { refusal }) => refusal.reason,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bandwidth_is_promised_where_there_is_some_and_no_more_than_there_is() {
    let rig = wired_rig().await;
    let none = RefusalReason::NoRoom { resource: Resource::Network, asked: 400, largest: 0 };
    assert_eq!(refused(&rig, "early").await, none, "nobody said what any network carries");
    carries(&rig, "qemu-b", 1000, 0).await;
    for name in ["one", "two"] {
        let (vm, operation) = deploy(&rig, name).await.unwrap();
        rig.succeeded(operation).await;
        let row = rig.vm(vm).await;
        assert_eq!((row.node, row.size), (rig.id("qemu-b"), WIRED));
    }
    let few = RefusalReason::NoRoom { resource: Resource::Network, asked: 400, largest: 200 };
    assert_eq!(refused(&rig, "three").await, few);
    let entry = rig.manager.node_get(&rig.admin, "qemu-b").await.unwrap();
    assert_eq!((entry.committed.network_mbit(), entry.available().network_mbit()), (800, 200));
    // Who was promised none goes anywhere, also where too much is promised by now.
    carries(&rig, "qemu-b", 500, 0).await;
    rig.vm_on("qemu-b").await;
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resize_keeps_the_bandwidth_and_moves_only_where_it_is_free() {
    let rig = wired_rig().await;
    carries(&rig, "qemu-a", 400, 0).await;
    let (vm, operation) = deploy(&rig, "web").await.unwrap();
    rig.succeeded(operation).await;
    let to = size(2, 256, 1);
    rig.succeeded(rig.resize(vm, to).await).await;
    assert_eq!(rig.vm(vm).await.size, Size { network: Mbit(400), ..to });
    rig.check().await;

    // No memory to grow by is left here, and the other node has too little bandwidth, then as much as it takes.
    carries(&rig, "qemu-b", 399, 0).await;
    carries(&rig, "qemu-a", 400, 1400).await;
    let to = size(2, 512, 1);
    let answer = rig.manager.vm_resize_preview(&rig.admin, vm, to).await.unwrap();
    let grid::plan::PlanAnswer::Refused { refusal } = answer else { panic!("planned: {answer:?}") };
    assert!(refusal.nodes.iter().any(|node| node.node == rig.id("qemu-b")), "{refusal:?}");
    assert_eq!(refusal.largest.map(|size| size.network), Some(Mbit(400)), "{refusal:?}");
    carries(&rig, "qemu-b", 400, 0).await;
    assert_eq!(rig.plan(vm, to).await.kind, PlanKind::MoveLive);
    rig.succeeded(rig.resize(vm, to).await).await;
    let row = rig.vm(vm).await;
    assert_eq!((row.node, row.size), (rig.id("qemu-b"), Size { network: Mbit(400), ..to }));
    rig.check().await;
}
