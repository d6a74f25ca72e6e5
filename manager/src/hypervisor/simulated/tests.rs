//! What a simulated node promises.

use super::*;
use crate::hypervisor::{Definition, Destination, Hypervisor, HypervisorError};
use grid::node::{Administration, NodeSettings};
use grid::sample::DomainState;
use grid::vm::Maxima;
use grid::{Gib, HypervisorKind, Mib, Size, Vcpus};
use std::net::Ipv4Addr;

fn node(name: &str, kind: HypervisorKind) -> Node {
    Node {
        id: NodeId(Uuid::new_v4()),
        name: name.into(),
        kind,
        region: "north".into(),
        uri: format!("simulated:///{name}"),
        settings: NodeSettings::default(),
        administration: Administration::Open,
        failure_domain: None,
    }
}

fn size(vcpus: u32, memory: u64, disk: u64) -> Size {
    Size::new(Vcpus(vcpus), Mib(memory), Gib(disk))
}

fn definition(size: Size) -> Definition {
    Definition {
        vm: VmId(Uuid::new_v4()),
        title: "web".into(),
        size,
        maxima: Maxima { vcpus: Vcpus(4), memory: Mib(4096) },
        mac: "52:54:00:00:00:01".into(),
        address: Ipv4Addr::new(10, 77, 1, 1),
    }
}

fn hardware() -> Hardware {
    Hardware::new(8, 16_384, 100 * 1024)
}

fn destination(node: &Node) -> Destination {
    Destination { uri: node.uri.clone() }
}

#[tokio::test]
async fn a_vm_moves_with_its_boot_and_the_source_keeps_a_definition_that_is_off() {
    let grid = SimulatedGrid::new();
    let (a, b) = (node("a", HypervisorKind::Qemu), node("b", HypervisorKind::Qemu));
    let (first, second) = (grid.add(&a, hardware()), grid.add(&b, hardware()));
    let wanted = definition(size(1, 512, 2));
    first.define(&wanted).await.unwrap();
    first.start(wanted.vm).await.unwrap();
    let boot = grid.boot_id(wanted.vm);
    first.migrate(wanted.vm, &destination(&b), &|_| {}).await.unwrap();
    assert_eq!(grid.boot_id(wanted.vm), boot);
    assert_eq!(grid.executing(wanted.vm), [b.id]);
    let left = first.observe(wanted.vm).await.unwrap().unwrap();
    assert_eq!((left.state, left.live), (DomainState::ShutOff, None));
    let there = second.observe(wanted.vm).await.unwrap().unwrap();
    assert_eq!((there.live, there.persistent), (Some(wanted.size), Some(wanted.size)));
}

#[tokio::test]
async fn a_live_change_stays_within_the_maxima_and_reaches_the_persistent_configuration() {
    let grid = SimulatedGrid::new();
    let a = node("a", HypervisorKind::Qemu);
    let it = grid.add(&a, hardware());
    let wanted = definition(size(1, 512, 2));
    it.define(&wanted).await.unwrap();
    it.start(wanted.vm).await.unwrap();
    it.set_vcpus(wanted.vm, Vcpus(3)).await.unwrap();
    it.set_memory(wanted.vm, Mib(2048)).await.unwrap();
    it.grow_disk(wanted.vm, Gib(4)).await.unwrap();
    assert!(matches!(it.set_vcpus(wanted.vm, Vcpus(5)).await, Err(HypervisorError::Refused(_))));
    assert!(matches!(it.grow_disk(wanted.vm, Gib(1)).await, Err(HypervisorError::Refused(_))));
    assert_eq!(it.grow_disk(wanted.vm, Gib(4000)).await, Err(HypervisorError::PoolFull));
    let seen = it.observe(wanted.vm).await.unwrap().unwrap();
    assert_eq!((seen.live, seen.persistent), (Some(size(3, 2048, 4)), Some(size(3, 2048, 4))));
}

#[tokio::test]
async fn a_lost_answer_leaves_the_work_done() {
    let grid = SimulatedGrid::new();
    let a = node("a", HypervisorKind::Qemu);
    let it = grid.add(&a, hardware());
    let wanted = definition(size(1, 512, 2));
    it.define(&wanted).await.unwrap();
    grid.faults(a.id, |faults| {
        faults.fail(Call::Start, 1, HypervisorError::Refused("no".into()));
        faults.lose_answer(Call::Start, 2);
    });
    assert_eq!(it.start(wanted.vm).await, Err(HypervisorError::Refused("no".into())));
    assert!(grid.executing(wanted.vm).is_empty());
    assert_eq!(it.start(wanted.vm).await, Err(HypervisorError::Deadline));
    assert_eq!(grid.executing(wanted.vm), [a.id]);
    it.start(wanted.vm).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hung_node_answers_by_its_deadline_and_a_silent_one_at_once() {
    let grid = SimulatedGrid::new();
    let a = node("a", HypervisorKind::Qemu);
    let it = grid.add(&a, hardware());
    grid.faults(a.id, |faults| faults.hung = true);
    assert_eq!(it.sample().await, Err(HypervisorError::Deadline));
    grid.faults(a.id, |faults| (faults.hung, faults.silent) = (false, true));
    assert!(matches!(it.sample().await, Err(HypervisorError::Unreachable(_))));
}

#[tokio::test]
async fn containers_do_not_move_while_they_run() {
    let grid = SimulatedGrid::new();
    let (a, b) = (node("a", HypervisorKind::Lxc), node("b", HypervisorKind::Lxc));
    let (first, _second) = (grid.add(&a, hardware()), grid.add(&b, hardware()));
    let wanted = definition(size(1, 512, 2));
    first.define(&wanted).await.unwrap();
    first.start(wanted.vm).await.unwrap();
    let answer = first.migrate(wanted.vm, &destination(&b), &|_| {}).await;
    assert!(matches!(answer, Err(HypervisorError::Unsupported(_))));
    assert_eq!(grid.executing(wanted.vm), [a.id]);
}

#[tokio::test]
async fn a_kept_grid_survives_its_program() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("grid.json");
    let a = node("a", HypervisorKind::Qemu);
    let wanted = definition(size(2, 512, 2));
    {
        let it = SimulatedGrid::kept_at(file.clone()).unwrap().add(&a, hardware());
        it.define(&wanted).await.unwrap();
        it.start(wanted.vm).await.unwrap();
    }
    let grid = SimulatedGrid::kept_at(file).unwrap();
    let seen = grid.hypervisor(&a).observe(wanted.vm).await.unwrap().unwrap();
    assert_eq!((seen.state, seen.live), (DomainState::Running, Some(wanted.size)));
    assert!(!SimulatedGrid::new().has(a.id));
}

#[tokio::test]
async fn a_full_pool_and_a_stubborn_guest_are_named() {
    let grid = SimulatedGrid::new();
    let a = node("a", HypervisorKind::Qemu);
    let it = grid.add(&a, Hardware::new(8, 16_384, 4096));
    assert_eq!(it.define(&definition(size(1, 512, 5))).await, Err(HypervisorError::PoolFull));
    let wanted = definition(size(1, 512, 2));
    it.define(&wanted).await.unwrap();
    it.start(wanted.vm).await.unwrap();
    grid.faults(a.id, |faults| {
        faults.stubborn.insert(wanted.vm);
    });
    assert!(matches!(it.set_memory(wanted.vm, Mib(256)).await, Err(HypervisorError::Guest(_))));
    assert_eq!(it.shut_down(wanted.vm, Duration::from_millis(1)).await, Err(HypervisorError::Deadline));
    it.force_off(wanted.vm).await.unwrap();
    assert!(grid.executing(wanted.vm).is_empty());
}

#[test]
fn cpu_time_never_runs_backwards() {
    let vm = VmId(Uuid::new_v4());
    let times: Vec<u64> = (0..2000).map(|second| machine::busy_ns(vm, second * 1000)).collect();
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
}
