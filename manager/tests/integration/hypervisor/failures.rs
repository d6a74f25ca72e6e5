//! What goes wrong with real nodes: hung, dead, unreachable; and that others don't feel it.

use super::ground::{Ground, size};
use grid::node::Node;
use grid::sample::DomainState;
use grid::{Gib, VmId};
use manager::hypervisor::HypervisorError;
use manager::hypervisor::directory::Directory;
use std::time::{Duration, Instant};

/// Longer than any deadline of a sample, shorter than patience.
const BY_DEADLINE: Duration = Duration::from_secs(7);

async fn answers(ground: &Ground, node: usize) -> bool {
    for _ in 0..60 {
        if ground.hypervisors[node].sample().await.is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_node_answers_by_its_deadline_delays_no_other_and_comes_back() {
    let ground = Ground::alone().await;
    let name = ground.nodes[0].name.clone();
    for node in 0..ground.nodes.len() {
        assert!(answers(&ground, node).await);
    }
    ground.lab().run("hang", &name, &[]);
    let begin = Instant::now();
    let first = ground.hypervisors[0].sample().await;
    let (first_took, again) = (begin.elapsed(), Instant::now());
    let second = ground.hypervisors[0].sample().await;
    let second_took = again.elapsed();
    let others = Instant::now();
    let mut fine = true;
    for hypervisor in &ground.hypervisors[1..] {
        fine &= hypervisor.sample().await.is_ok();
    }
    let others_took = others.elapsed();
    let freed = given_up(&ground, 0).await;
    ground.lab().run("unhang", &name, &[]);
    assert_eq!(first, Err(HypervisorError::Deadline));
    assert!(first_took < BY_DEADLINE, "{first_took:?}");
    assert!(second.is_err() && second_took < Duration::from_secs(1), "{second:?} after {second_took:?}");
    assert!(fine && others_took < Duration::from_secs(4), "{others_took:?}");
    assert!(freed, "keepalive ends the call that hung, and the daemon is asked afresh");
    assert!(answers(&ground, 0).await, "it answers again");
}

/// Whether a hung node's abandoned call comes to its end: the next one then meets a deadline of its own.
async fn given_up(ground: &Ground, node: usize) -> bool {
    for _ in 0..60 {
        if ground.hypervisors[node].sample().await == Err(HypervisorError::Deadline) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_node_is_unreachable_and_answers_after_it_was_started_again() {
    let ground = Ground::alone().await;
    let last = ground.nodes.len() - 1;
    let name = ground.nodes[last].name.clone();
    assert!(answers(&ground, last).await);
    ground.lab().run("kill", &name, &[]);
    let begin = Instant::now();
    let mut dead = ground.hypervisors[last].sample().await;
    let took = begin.elapsed();
    for _ in 0..40 {
        if matches!(dead, Err(HypervisorError::Unreachable(_) | HypervisorError::Deadline)) {
            break;
        }
        dead = ground.hypervisors[last].sample().await;
    }
    ground.lab().run("start", &name, &[]);
    assert!(dead.is_err() && took < BY_DEADLINE, "{dead:?} after {took:?}");
    assert!(answers(&ground, last).await, "it answers again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_never_was_is_unreachable_by_the_deadline() {
    let ground = Ground::machines().await;
    let (address, port) = ("127.0.0.1", 1);
    let nowhere = Node { uri: format!("qemu+tcp://{address}:{port}/system"), ..ground.nodes[0].clone() };
    let begin = Instant::now();
    let answer = Directory::default().connect(&nowhere).unwrap().sample().await;
    assert!(matches!(answer, Err(HypervisorError::Unreachable(_))), "{answer:?}");
    assert!(begin.elapsed() < BY_DEADLINE);
}

/// Takes all room that a node's pool has, and what is kept for root.
const FILL: &str = "cd /var/lib/hostgrid/pool; fallocate -l $(($(df --output=avail -B 1 . | tail -n 1) - 16777216)) filler; \
    for turn in 1 2 3; do dd if=/dev/zero bs=4k 2>/dev/null >>filler-rest; sync -f .; done; true";
const EMPTY: &str = "rm -f /var/lib/hostgrid/pool/filler /var/lib/hostgrid/pool/filler-rest";

/// Whether the hypervisor comes to say so within a minute.
async fn is_soon(ground: &Ground, node: usize, vm: VmId, state: DomainState) -> bool {
    for _ in 0..120 {
        let seen = ground.hypervisors[node].observe(vm).await;
        if matches!(seen, Ok(Some(seen)) if seen.state == state) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_could_not_write_to_its_disk_goes_on_once_its_pool_has_room() {
    let ground = Ground::alone().await;
    let node = ground.nodes.iter().position(|node| !node.kind.is_container()).expect("a node of machines");
    let (name, it) = (ground.nodes[node].name.clone(), &ground.hypervisors[node]);
    let wanted = ground.definition(size(1, 256, 1), size(2, 512, 1));
    let vm = wanted.vm;
    ground.prepare(node, vm, Gib(1));
    it.define(&wanted).await.unwrap();
    assert!(matches!(it.resume(vm).await, Err(HypervisorError::Refused(_))), "it is off");
    it.start(vm).await.unwrap();
    ground.guest(node, vm).await;
    it.resume(vm).await.expect("it runs");

    let virsh = |word: &str| ground.lab().inside(&name, &format!("virsh -q -c qemu:///system {word} vm-{vm}"));
    virsh("suspend");
    let by_hand = it.resume(vm).await;
    virsh("resume");
    assert!(matches!(by_hand, Err(HypervisorError::Refused(_))), "somebody paused it: {by_hand:?}");

    ground.lab().inside(&name, FILL);
    let stood_still = is_soon(&ground, node, vm, DomainState::Paused).await;
    let in_vain = it.resume(vm).await;
    ground.lab().inside(&name, EMPTY);
    assert!(stood_still, "its guest goes on writing");
    assert_eq!(in_vain, Err(HypervisorError::PoolFull));
    let before = ground.guest(node, vm).await;
    it.resume(vm).await.unwrap();
    assert!(is_soon(&ground, node, vm, DomainState::Running).await);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_ne!(ground.guest(node, vm).await, before, "its heart beats again");
    it.force_off(vm).await.unwrap();
    it.undefine(vm).await.unwrap();
    ground.clean(vm).await;
}
