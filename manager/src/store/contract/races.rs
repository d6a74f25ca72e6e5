//! Many at once: whatever the order, the sums hold.

use super::super::rows::NewOperation;
use super::super::{Begun, StoreError};
use super::world::{PLENTY, SMALL, World, room};
use futures::future::join_all;
use grid::operation::OperationState;
use grid::vm::{VmState, commitment};
use grid::{HypervisorKind, Resource, Resources};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

const MANY: usize = 50;

/// Begins them all at the same time, each in a task of its own, where `here` has `usable`.
async fn begin_all(world: &World, all: Vec<NewOperation>, usable: Resources) -> Vec<Begun> {
    let tasks = all.into_iter().map(|new| {
        let world = world.clone();
        tokio::spawn(async move { world.begin(&new, usable).await })
    });
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

fn started(all: &[Begun]) -> usize {
    all.iter().filter(|begun| matches!(begun, Begun::Started(_))).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_deploys_for_the_last_room_as_many_are_accepted_as_fit() {
    let world = World::new().await;
    let one = commitment(HypervisorKind::Qemu, SMALL);
    let room_for = 7;
    let usable = (0..room_for).fold(Resources::ZERO, |sum, _| sum.plus(one));
    let usable = usable.plus(one.with(Resource::Memory, one.memory_mib() - 1));
    let all = (0..MANY).map(|number| world.deploy(&world.vm(&format!("vm{number}")), &number.to_string())).collect();
    let begun = begin_all(&world, all, usable).await;
    assert_eq!(started(&begun), room_for);
    assert!(begun.iter().all(|begun| matches!(begun, Begun::Started(_) | Begun::NoRoom { .. })), "{begun:?}");
    let vms = world.store.vm_list(None).await.unwrap();
    assert_eq!(vms.len(), room_for);
    assert_eq!(vms.iter().map(|vm| vm.address).collect::<BTreeSet<_>>().len(), room_for, "each its own address");
    let (committed, reserved) = world.taken(world.here).await;
    assert!(usable.covers(&committed.plus(reserved)));
    let refused = world.store.audit_list(1000).await.unwrap();
    let refused = refused.iter().filter(|row| row.outcome == "refused: no room").count();
    assert_eq!(refused, MANY - room_for + 1, "each is in the audit, and so is the question after the sums");
}

#[tokio::test]
async fn of_two_that_come_together_for_the_last_room_one_is_refused() {
    let world = World::new().await;
    let one = commitment(HypervisorKind::Qemu, SMALL);
    let all = ["a", "b"].map(|name| world.deploy(&world.vm(name), name));
    let ids = all.clone().map(|new| new.id);
    let begun = begin_all(&world, all.into(), one).await;
    let (first, second) = (Begun::Started(ids[0]), Begun::Started(ids[1]));
    let no_room = Begun::NoRoom { node: world.here, asked: one, available: Resources::ZERO };
    assert!(begun == [first, no_room.clone()] || begun == [no_room, second], "{begun:?}");
    assert_eq!(world.reserved(world.here).await, one);
    assert_eq!(world.store.vm_list(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_many_that_come_together_the_one_that_fails_leaves_the_others() {
    let world = World::new().await;
    let mut all: Vec<_> =
        (0..9).map(|number| world.deploy(&world.vm(&format!("vm{number}")), &number.to_string())).collect();
    // Its first rows can be written, and its last can't.
    all[4].reservations.push((grid::NodeId(uuid::Uuid::nil()), commitment(HypervisorKind::Qemu, SMALL)));
    let tasks = all.clone().into_iter().map(|new| {
        let world = world.clone();
        tokio::spawn(async move {
            let check = room(world.here, PLENTY, new.reservations[0].1);
            world.store.operation_begin(&new, &[check]).await
        })
    });
    let begun: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    for (number, (new, begun)) in all.iter().zip(&begun).enumerate() {
        let (operation, vm) =
            (world.store.operation_get(new.id).await.unwrap(), world.store.vm_get(new.kind.vm()).await);
        if number == 4 {
            assert!(matches!(begun, Err(StoreError::Conflict(_))), "{begun:?}");
            assert_eq!((operation, vm.unwrap()), (None, None), "nothing of it is there");
        } else {
            assert_eq!(*begun.as_ref().unwrap(), Begun::Started(new.id));
            assert!(operation.is_some_and(|it| it.steps.len() == 3) && vm.unwrap().is_some());
        }
    }
    let accepted = world.store.audit_list(100).await.unwrap();
    assert_eq!(accepted.iter().filter(|row| row.outcome == "accepted").count(), 8);
}

#[tokio::test]
async fn of_those_that_come_together_each_gets_an_address_of_its_own_range() {
    let world = World::new().await;
    let ranges = [(1, 9), (101, 109)].map(|(first, last)| [first, last].map(|end| Ipv4Addr::new(10, 1, 0, end)));
    let all: Vec<_> = (0..6)
        .map(|number| {
            let mut new = world.deploy(&world.vm(&format!("vm{number}")), &number.to_string());
            let [first, last] = ranges[number % 2];
            new.deploy.as_mut().unwrap().addresses = (first, last);
            new
        })
        .collect();
    let begun = join_all(all.iter().map(|new| world.begin(new, PLENTY))).await;
    assert_eq!(started(&begun), 6);
    let mut addresses = BTreeSet::new();
    for (number, new) in all.iter().enumerate() {
        let address = world.get(new.kind.vm()).await.address;
        let [first, last] = ranges[number % 2];
        assert!((first..=last).contains(&address), "{address}");
        addresses.insert(address);
    }
    assert_eq!(addresses.len(), 6);
}

#[tokio::test]
async fn an_operation_that_fails_its_check_in_the_middle_takes_nothing_from_those_behind_it() {
    let world = World::new().await;
    let one = commitment(HypervisorKind::Qemu, SMALL);
    let small = one.with(Resource::Memory, one.memory_mib() - 1);
    let [first, second, third] = ["a", "b", "c"].map(|name| world.deploy(&world.vm(name), name));
    let begun = tokio::join!(
        world.begin(&first, one.plus(one)),
        world.begin(&second, small),
        world.begin(&third, one.plus(one))
    );
    assert!(matches!(begun.1, Begun::NoRoom { .. }), "{begun:?}");
    assert_eq!((begun.0, begun.2), (Begun::Started(first.id), Begun::Started(third.id)));
    let addresses = [&first, &third].map(|new| new.kind.vm());
    let addresses = [world.get(addresses[0]).await.address, world.get(addresses[1]).await.address];
    assert_eq!(addresses.map(|address| address.to_string()), ["10.0.0.10", "10.0.0.11"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_answered_finds_it_recorded() {
    let world = World::new().await;
    let tasks = (0..MANY).map(|number| {
        let world = world.clone();
        tokio::spawn(async move {
            let new = world.deploy(&world.vm(&format!("vm{number}")), &number.to_string());
            assert_eq!(world.begin(&new, PLENTY).await, Begun::Started(new.id));
            // By another connection: it sees what is committed only.
            world.store.operation_get(new.id).await.unwrap().is_some()
        })
    });
    assert!(join_all(tasks).await.into_iter().all(Result::unwrap));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_with_one_key_are_one_operation() {
    let world = World::new().await;
    let vm = world.vm("web");
    let all: Vec<_> = (0..MANY).map(|_| world.deploy(&vm, "double click")).collect();
    let begun = begin_all(&world, all, PLENTY).await;
    assert_eq!(started(&begun), 1);
    let ids: BTreeSet<_> = begun
        .iter()
        .map(|begun| match begun {
            Begun::Started(id) | Begun::Already(id) => *id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(world.store.operation_list(&super::super::rows::OperationFilter::default()).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_operations_on_one_vm_one_is_accepted() {
    let world = World::new().await;
    let vm = world.running("web").await;
    let all = (0..MANY).map(|number| world.start(vm.id, &number.to_string())).collect();
    let begun = begin_all(&world, all, PLENTY).await;
    assert_eq!(started(&begun), 1);
    assert_eq!(begun.iter().filter(|begun| matches!(begun, Begun::Busy(_))).count(), MANY - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_deploys_with_one_name_or_over_the_quota_only_those_that_may_are_accepted() {
    let world = World::new().await;
    let all = (0..MANY).map(|number| world.deploy(&world.vm("web"), &number.to_string())).collect();
    let begun = begin_all(&world, all, PLENTY).await;
    assert_eq!(started(&begun), 1);
    assert_eq!(begun.iter().filter(|begun| **begun == Begun::NameTaken).count(), MANY - 1);

    let size = Resources::from(SMALL);
    world.quota_set(size.plus(size).plus(size), 100).await;
    let all = (0..MANY).map(|number| world.deploy(&world.vm(&format!("vm{number}")), &format!("vm{number}"))).collect();
    let begun = begin_all(&world, all, PLENTY).await;
    assert_eq!(started(&begun), 2);
    assert!(begun.iter().any(|begun| matches!(begun, Begun::OverQuota { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_take_an_operation_over_only_the_last_can_end_it() {
    let world = World::new().await;
    let vm = world.running("web").await;
    let new = world.start(vm.id, "a");
    world.begin(&new, PLENTY).await;
    let claims = (0..MANY).map(|_| {
        let store = world.store.clone();
        tokio::spawn(async move { store.operation_claim(new.id).await.unwrap() })
    });
    let epochs: BTreeSet<u64> = join_all(claims).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(epochs.len(), MANY, "each has its own epoch");
    let ends = epochs.iter().map(|epoch| {
        let (store, epoch) = (world.store.clone(), *epoch);
        tokio::spawn(
            async move { store.operation_end(new.id, epoch, &super::world::end(OperationState::Failed)).await },
        )
    });
    let ends: Vec<_> = join_all(ends).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1);
    assert!(ends[MANY - 1].is_ok(), "the last");
    assert!(ends[..MANY - 1].iter().all(|end| matches!(end, Err(StoreError::Fenced))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_that_go_away_in_the_middle_leave_all_or_nothing() {
    let world = World::new().await;
    let usable = PLENTY.with(Resource::Vcpus, 40);
    for number in 0..200_u64 {
        let new = world.deploy(&world.vm(&format!("vm{number}")), &number.to_string());
        let (store, asked) = (world.store.clone(), new.reservations[0].1);
        let check = room(world.here, usable, asked);
        let id = new.id;
        let task = tokio::spawn(async move { store.operation_begin(&new, &[check]).await });
        tokio::time::sleep(std::time::Duration::from_micros(number * 7 % 1000)).await;
        task.abort();
        let answered = task.await.ok().map(Result::unwrap);
        // Its last words may still be on their way to the database; behind this they are not.
        world.quota_set(PLENTY, 1000).await;
        let recorded = world.store.operation_get(id).await.unwrap();
        if let Some(Begun::Started(_)) = answered {
            assert!(recorded.is_some());
        }
        if let Some(operation) = recorded {
            let vm = operation.kind.vm();
            assert_eq!(operation.steps.len(), 3);
            assert_eq!(world.get(vm).await.state, VmState::Deploying);
            world.store.vm_remove(vm, None).await.unwrap();
            world.end(id, OperationState::Undone).await;
        }
    }
    assert!(world.store.vm_list(None).await.unwrap().is_empty());
    assert_eq!(world.taken(world.here).await, (Resources::ZERO, Resources::ZERO));
}
