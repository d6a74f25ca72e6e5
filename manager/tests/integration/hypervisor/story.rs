//! The stories: each holds on every kind of ground.

use super::ground::{Ground, size};
use grid::sample::DomainState;
use grid::vm::Maxima;
use grid::{Gib, Mbit, Mib, Size, Vcpus, VmId};
use manager::hypervisor::{Destination, HypervisorError, Observation};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The machine may be busy with a build, and a guest's code is emulated.
const PATIENCE: Duration = Duration::from_mins(3);

async fn seen(ground: &Ground, node: usize, vm: VmId) -> Observation {
    ground.hypervisors[node].observe(vm).await.unwrap().expect("the VM is there")
}

/// What is seen as soon as it is so, or else the last that was seen: a guest plugs its memory while it boots, and libvirt
/// hears of it later than the guest's console.
async fn seen_soon(ground: &Ground, vm: VmId, is_so: impl Fn(&Observation) -> bool) -> Observation {
    let until = Instant::now() + PATIENCE;
    loop {
        let now = seen(ground, 0, vm).await;
        if is_so(&now) || Instant::now() > until {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Define, start, look, sample, shut down, start again, force off, undefine: each twice.
pub(crate) async fn life(ground: &Ground) {
    let it = &ground.hypervisors[0];
    let wanted = ground.definition(size(1, 256, 1), size(2, 512, 1));
    let vm = wanted.vm;
    assert_eq!(it.observe(vm).await, Ok(None));
    assert_eq!(it.start(vm).await, Err(HypervisorError::NoSuchVm));
    it.undefine(vm).await.unwrap();

    ground.prepare(0, vm, Gib(1));
    it.define(&wanted).await.unwrap();
    it.define(&wanted).await.unwrap();
    let off = seen(ground, 0, vm).await;
    assert_eq!((off.state, off.live, off.persistent), (DomainState::ShutOff, None, Some(wanted.size)));
    assert_eq!((off.maxima, off.mac.as_str()), (wanted.maxima, wanted.mac.as_str()));

    it.start(vm).await.unwrap();
    it.start(vm).await.unwrap();
    let on = seen(ground, 0, vm).await;
    assert_eq!((on.state, on.live, on.persistent), (DomainState::Running, Some(wanted.size), Some(wanted.size)));
    assert!(matches!(it.undefine(vm).await, Err(HypervisorError::Refused(_))));
    ground.guest_sees(0, vm, "vcpus", "1").await;
    ground.guest_sees(0, vm, "memory_mib", "256").await;
    ground.guest_sees(0, vm, "disk_gib", "1").await;
    sampled(ground, vm).await;

    it.shut_down(vm, PATIENCE).await.unwrap();
    it.shut_down(vm, PATIENCE).await.unwrap();
    assert_eq!(seen(ground, 0, vm).await.state, DomainState::ShutOff);
    // Somebody's will, and no node that went down.
    let sample = it.sample().await.unwrap();
    let domain = sample.domains.iter().find(|domain| domain.id == vm).expect("the VM in the sample");
    assert_eq!((domain.state, domain.off_unexplained), (DomainState::ShutOff, false));
    it.start(vm).await.unwrap();
    it.force_off(vm).await.unwrap();
    it.force_off(vm).await.unwrap();
    it.undefine(vm).await.unwrap();
    assert_eq!(it.observe(vm).await, Ok(None));
    ground.clean(vm).await;
}

/// The interface is limited both ways to what was promised, and to another amount where that is written anew. Where the
/// node's kernel can't limit interfaces, a VM that was promised bandwidth is not started without.
pub(crate) async fn bandwidth(ground: &Ground) {
    let it = &ground.hypervisors[0];
    let of = |mbit| Size { network: Mbit(mbit), ..size(1, 128, 1) };
    let wanted = ground.definition(of(16), size(1, 128, 1));
    let vm = wanted.vm;
    ground.prepare(0, vm, Gib(1));
    it.define(&wanted).await.unwrap();
    assert_eq!(seen(ground, 0, vm).await.persistent, Some(of(16)));
    ground.is_limited_to_kilobytes(0, &wanted, 2000, false);
    it.redefine(vm, of(0), wanted.maxima).await.unwrap();
    assert_eq!(seen(ground, 0, vm).await.persistent, Some(of(0)));
    ground.is_limited_to_kilobytes(0, &wanted, 0, false);
    it.redefine(vm, of(8), wanted.maxima).await.unwrap();
    ground.is_limited_to_kilobytes(0, &wanted, 1000, false);
    let started = it.start(vm).await;
    if ground.can_limit_interfaces(0) {
        started.unwrap();
        assert_eq!(seen(ground, 0, vm).await.live, Some(of(8)));
        ground.is_limited_to_kilobytes(0, &wanted, 1000, true);
        it.force_off(vm).await.unwrap();
    } else {
        assert!(matches!(started, Err(HypervisorError::Refused(_))), "{started:?}");
        assert_eq!(seen(ground, 0, vm).await.live, None);
    }
    ground.clean(vm).await;
}

/// Whoever waits is woken by a definition, a start and an end, once it has looked for the first time.
pub(crate) async fn events(ground: &Ground) {
    let it = &ground.hypervisors[0];
    let wanted = ground.definition(size(1, 256, 1), size(2, 512, 1));
    let vm = wanted.vm;
    it.sample().await.unwrap();
    ground.prepare(0, vm, Gib(1));
    // What was told of the step before is heard out first; other tests' domains may go on changing.
    let quiet = async || {
        for _ in 0..10 {
            if tokio::time::timeout(Duration::from_millis(500), it.changed()).await.is_err() {
                return;
            }
        }
    };
    let told = async |what: &str| {
        let told = tokio::time::timeout(Duration::from_secs(5), it.changed()).await;
        assert!(told.is_ok(), "not told: {what}");
    };
    quiet().await;
    it.define(&wanted).await.unwrap();
    told("defined").await;
    quiet().await;
    it.start(vm).await.unwrap();
    told("started").await;
    quiet().await;
    it.force_off(vm).await.unwrap();
    told("stopped").await;
    it.undefine(vm).await.unwrap();
    ground.clean(vm).await;
}

/// The sample tells the node and the VM as they are.
async fn sampled(ground: &Ground, vm: VmId) {
    let sample = ground.hypervisors[0].sample().await.unwrap();
    assert!(sample.domain_kinds.contains(&ground.kind), "{:?}", sample.domain_kinds);
    assert!(sample.cpus > 0 && sample.memory_total_mib > sample.memory_free_mib && sample.memory_free_mib > 0);
    assert!(!sample.numa_cells.is_empty() && sample.library_version > 1_000_000 && sample.hypervisor_version > 1_000);
    assert!(sample.cpu_busy_ns.is_some() && sample.cpu_idle_ns.is_some());
    assert_eq!(sample.compatibility.machine_types.is_empty(), ground.is_real() && ground.kind.is_container());
    let pool = sample.pool.expect("a pool");
    assert!(pool.capacity_mib >= pool.free_mib && pool.free_mib > 0);
    // In a directory all that is not free is allocated; each of the three is rounded down.
    let allocated = sample.pool_allocated_mib.expect("libvirt tells it");
    assert!(pool.capacity_mib.abs_diff(pool.free_mib + allocated) <= 1, "{allocated} of {pool:?}");
    let domain = sample.domains.iter().find(|domain| domain.id == vm).expect("the VM in the sample");
    assert_eq!((domain.name.as_str(), domain.state), (format!("vm-{vm}").as_str(), DomainState::Running));
    assert_eq!((domain.vcpus_current, domain.vcpus_maximum), (1, 2));
    assert_eq!((domain.memory_current_mib, domain.memory_maximum_mib), (256, 512));
    assert_eq!(domain.disk_capacity_mib, 1024);
    if ground.is_real() {
        assert!(domain.cpu_time_ns > 0);
        assert!(domain.memory_resident_mib.is_some_and(|mib| mib > 0 && mib < 2048));
        counters_grow(ground, vm).await;
    }
}

/// What the guest read to boot and goes on writing is counted, and never less than before.
async fn counters_grow(ground: &Ground, vm: VmId) {
    // A container's guest leaves writing to its node, which does it in its own name; what waits for the disk is counted.
    if ground.kind.is_container() {
        let written = format!("/var/lib/hostgrid/pool/roots/{vm}/data/written");
        let script = format!(
            "group=$(awk -F: '$2 == \"blkio\" {{one = \"/blkio\" $3}} $1 == 0 {{two = $3}} END {{print one ? one : two}}' \
                /proc/$(virsh -q -c lxc:///system domid vm-{vm})/cgroup)
            echo $$ >/sys/fs/cgroup$group/cgroup.procs
            dd if=/dev/zero of={written} bs=64k count=16 conv=fsync 2>/dev/null"
        );
        ground.lab().inside(&ground.nodes[0].name, &script);
    }
    let mut before = [0_u64; 4];
    for _ in 0..40 {
        let sample = ground.hypervisors[0].sample().await.unwrap();
        let it = sample.domains.into_iter().find(|domain| domain.id == vm).expect("the VM in the sample");
        let blocks =
            [it.block_read_bytes, it.block_write_bytes].map(|told| told.expect("what is read and written is told"));
        let now = [blocks[0], blocks[1], it.network_receive_bytes, it.network_transmit_bytes];
        assert!(before.iter().zip(now).all(|(before, now)| *before <= now), "{before:?} and then {now:?}");
        // What a container reads may all be in its node's memory already.
        let both = now[0] > 0 && before[1] > 0 && now[1] > before[1];
        if both || (ground.kind.is_container() && now[1] >= 1 << 20) {
            return;
        }
        before = now;
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    panic!("no bytes are counted: {before:?} (read, written, received, sent)");
}

/// Up and down, within the maxima and no further; the persistent configuration goes along.
pub(crate) async fn resize_live(ground: &Ground) {
    let it = &ground.hypervisors[0];
    let wanted = ground.definition(size(1, 512, 1), size(4, 1024, 1));
    let vm = wanted.vm;
    ground.prepare(0, vm, Gib(1));
    it.define(&wanted).await.unwrap();
    assert!(it.set_vcpus(vm, Vcpus(2)).await.is_err(), "it does not run");
    it.start(vm).await.unwrap();
    ground.guest(0, vm).await;

    it.set_vcpus(vm, Vcpus(3)).await.unwrap();
    it.set_vcpus(vm, Vcpus(3)).await.unwrap();
    it.set_memory(vm, Mib(1024)).await.unwrap();
    let grown = seen(ground, 0, vm).await;
    assert_eq!((grown.live, grown.persistent), (Some(size(3, 1024, 1)), Some(size(3, 1024, 1))));
    ground.guest_sees(0, vm, "vcpus", "3").await;
    ground.guest_sees(0, vm, "memory_mib", "1024").await;

    ground.is_limited_to(0, vm, 1024);
    it.set_memory(vm, Mib(300)).await.unwrap();
    ground.is_limited_to(0, vm, 300);
    ground.guest_sees(0, vm, "memory_mib", "300").await;
    let shrunk = seen(ground, 0, vm).await;
    assert_eq!((shrunk.live, shrunk.persistent), (Some(size(3, 300, 1)), Some(size(3, 300, 1))));

    assert!(matches!(it.set_vcpus(vm, Vcpus(5)).await, Err(HypervisorError::Refused(_))));
    assert!(matches!(it.set_vcpus(vm, Vcpus(0)).await, Err(HypervisorError::Refused(_))));
    assert!(matches!(it.set_memory(vm, Mib(2048)).await, Err(HypervisorError::Refused(_))));
    if ground.kind.is_container() {
        assert!(matches!(it.grow_disk(vm, Gib(2)).await, Err(HypervisorError::Unsupported(_))));
        it.set_vcpus(vm, Vcpus(2)).await.unwrap();
        ground.guest_sees(0, vm, "vcpus", "2").await;
    } else {
        it.grow_disk(vm, Gib(2)).await.unwrap();
        it.grow_disk(vm, Gib(2)).await.unwrap();
        ground.guest_sees(0, vm, "disk_gib", "2").await;
        assert!(matches!(it.grow_disk(vm, Gib(1)).await, Err(HypervisorError::Refused(_))));
        // Less than what it was started with can't be had from it.
        assert!(matches!(it.set_memory(vm, Mib(200)).await, Err(HypervisorError::Refused(_))));
    }
    let before = seen(ground, 0, vm).await;
    it.force_off(vm).await.unwrap();
    it.start(vm).await.unwrap();
    let after = seen_soon(ground, vm, |after| after.live == before.live).await;
    assert_eq!((after.live, after.persistent), (before.live, before.live), "it survives power-off and start");
    ground.clean(vm).await;
}

/// Off, any size can be written, the maxima too; what runs keeps its own.
pub(crate) async fn redefine(ground: &Ground) {
    let it = &ground.hypervisors[0];
    let wanted = ground.definition(size(1, 256, 1), size(2, 512, 1));
    let vm = wanted.vm;
    ground.prepare(0, vm, Gib(1));
    it.define(&wanted).await.unwrap();
    let maxima = Maxima { vcpus: Vcpus(6), memory: Mib(2048) };
    it.redefine(vm, size(3, 768, 1), maxima).await.unwrap();
    it.redefine(vm, size(3, 768, 1), maxima).await.unwrap();
    let off = seen(ground, 0, vm).await;
    assert_eq!((off.live, off.persistent, off.maxima), (None, Some(size(3, 768, 1)), maxima));
    assert_eq!(off.mac, wanted.mac);
    it.start(vm).await.unwrap();
    ground.guest_sees(0, vm, "vcpus", "3").await;
    ground.guest_sees(0, vm, "memory_mib", "768").await;
    it.redefine(vm, size(1, 256, 1), Maxima { vcpus: Vcpus(1), memory: Mib(256) }).await.unwrap();
    let on = seen_soon(ground, vm, |on| on.live == Some(size(3, 768, 1))).await;
    assert_eq!((on.live, on.persistent), (Some(size(3, 768, 1)), Some(size(1, 256, 1))));
    let nobody = VmId(Uuid::new_v4());
    assert_eq!(it.redefine(nobody, size(1, 256, 1), maxima).await, Err(HypervisorError::NoSuchVm));
    ground.clean(vm).await;
}

/// There and grown there; the boot stays; the source has a definition that is off.
pub(crate) async fn migrate(ground: &Ground) {
    let (here, there) = (&ground.hypervisors[0], &ground.hypervisors[1]);
    let wanted = ground.definition(size(1, 256, 1), size(3, 1024, 1));
    let vm = wanted.vm;
    ground.prepare(0, vm, Gib(1));
    ground.prepare_empty(1, vm, Gib(1));
    here.define(&wanted).await.unwrap();
    let destination = Destination { uri: ground.nodes[1].uri.clone() };
    assert!(here.migrate(vm, &destination, &|_| {}).await.is_err(), "it does not run");
    here.migrate_abort(vm).await.unwrap();
    here.start(vm).await.unwrap();
    let before = ground.guest(0, vm).await;
    here.set_vcpus(vm, Vcpus(2)).await.unwrap();

    let told = Mutex::new(0);
    let migrated = here.migrate(vm, &destination, &|_| *told.lock().unwrap() += 1).await.unwrap();
    assert!(migrated.downtime_ms < 10_000, "{migrated:?}");
    assert!(*told.lock().unwrap() > 0, "its progress was told");
    let left = seen(ground, 0, vm).await;
    assert_eq!((left.state, left.live), (DomainState::ShutOff, None));
    let arrived = seen(ground, 1, vm).await;
    assert_eq!((arrived.state, arrived.live), (DomainState::Running, Some(size(2, 256, 1))));
    assert_eq!((arrived.persistent, arrived.maxima), (Some(size(2, 256, 1)), wanted.maxima));
    assert_eq!(arrived.mac, wanted.mac);
    here.undefine(vm).await.unwrap();
    ground.is_limited_to(1, vm, 256);

    there.set_memory(vm, Mib(768)).await.unwrap();
    there.set_vcpus(vm, Vcpus(3)).await.unwrap();
    ground.guest_sees(1, vm, "memory_mib", "768").await;
    ground.guest_sees(1, vm, "vcpus", "3").await;
    let after = ground.guest(1, vm).await;
    assert_eq!(after.map(|it| it["boot_id"].clone()), before.map(|it| it["boot_id"].clone()));
    assert_eq!(seen(ground, 1, vm).await.persistent, Some(size(3, 768, 1)));
    ground.clean(vm).await;
}

/// Aborted on the way, refused at the door, nobody there: it runs on at its source, and its limit is set again.
pub(crate) async fn migrate_in_vain(ground: &Ground) {
    let here = &ground.hypervisors[0];
    let wanted = ground.definition(size(1, 256, 1), size(3, 1024, 1));
    let vm = wanted.vm;
    ground.prepare(0, vm, Gib(1));
    here.define(&wanted).await.unwrap();
    here.start(vm).await.unwrap();
    ground.guest(0, vm).await;
    ground.slow_down(0, vm);

    let nowhere = Destination { uri: "qemu+tcp://127.0.0.1:1/system".into() };
    assert!(here.migrate(vm, &nowhere, &|_| {}).await.is_err(), "nobody is there");
    let there = Destination { uri: ground.nodes[1].uri.clone() };
    if ground.is_real() {
        let refused = here.migrate(vm, &there, &|_| {}).await;
        assert!(refused.is_err(), "its seed is not there: {refused:?}");
    }
    ground.prepare_empty(1, vm, Gib(1));
    let abort = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let sampled = tokio::time::timeout(Duration::from_secs(3), here.sample()).await;
        assert!(matches!(sampled, Ok(Ok(_))), "a move stalls no sample: {sampled:?}");
        assert_eq!(ground.allowed_downtime_ms(0, vm).unwrap_or(100), 100, "it begins with a short downtime");
        // Asked too early there is nothing to stop: so it is asked until there was.
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
            here.migrate_abort(vm).await.unwrap();
        }
    };
    let moved = tokio::select! {
        moved = here.migrate(vm, &there, &|_| {}) => moved,
        () = abort => panic!("the move neither ended nor could be stopped"),
    };
    assert!(moved.is_err(), "it was stopped: {moved:?}");
    let stayed = seen(ground, 0, vm).await;
    assert_eq!((stayed.state, stayed.live), (DomainState::Running, Some(wanted.size)));
    ground.is_limited_to(0, vm, 256);
    let arrived = ground.hypervisors[1].observe(vm).await.unwrap();
    assert!(arrived.is_none_or(|it| it.live.is_none()), "nothing of it runs there");
    ground.clean(vm).await;
}
