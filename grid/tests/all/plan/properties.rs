//! What holds of the planner for any grid.

use super::*;
use crate::any;
use proptest::prelude::*;

fn within_reach(vm: &Vm, to: Size) -> bool {
    let fewer_vcpus = to.vcpus < vm.size.vcpus && vm.kind == HypervisorKind::Qemu;
    let floor = if vm.kind.is_container() { grid::Mib(0) } else { vm.maxima.floor_memory().min(vm.size.memory) };
    vm.maxima.admit(&to) && !fewer_vcpus && to.memory >= floor
}

proptest! {
    #![proptest_config(any::cases(1500))]

    #[test]
    fn a_plan_is_always_legal((grid, vm, to) in any::question()) {
        let map = grid.map();
        let PlanAnswer::Planned { plan } = ask(&map, &vm, to) else { return Ok(()) };
        let home = map.get(vm.node).unwrap();
        prop_assert!(to.disk >= vm.size.disk);
        prop_assert!(home.condition.hypervisor_answers());
        prop_assert_eq!(plan.kind.moves(), plan.destination.is_some());
        prop_assert_eq!((plan.from, plan.to, plan.source, plan.running), (vm.size, to, vm.node, vm.state == VmState::Running));
        if let Some(destination) = plan.destination {
            let node = map.get(destination).unwrap();
            prop_assert_ne!(destination, plan.source);
            prop_assert_eq!(node.condition, Condition::Ready);
            prop_assert_eq!(node.kind(), vm.kind);
            prop_assert_eq!(&node.node.region, &vm.region);
            let has_room = |size: Size| {
                let takes = commitment(vm.kind, size);
                let after = node.committed.plus(node.reserved).plus(takes);
                Resource::ALL.into_iter().all(|it| takes.get(it) == 0 || after.get(it) <= node.usable.get(it))
            };
            prop_assert!(has_room(to));
            if plan.kind != PlanKind::MoveCold {
                prop_assert!(plan.running && vm.kind.moves_live());
                prop_assert!(has_room(vm.size));
                prop_assert_eq!(node.compatibility(), home.compatibility());
                prop_assert_eq!(plan.kind == PlanKind::MoveLive, within_reach(&vm, to));
            }
        } else {
            let more = commitment(vm.kind, to).minus(home.committed_to(vm.id));
            let after = home.committed.plus(home.reserved).plus(more);
            for resource in Resource::ALL {
                let grows = more.get(resource) > 0;
                prop_assert!(!grows || after.get(resource) <= home.usable.get(resource));
            }
            prop_assert!(plan.kind != PlanKind::InPlaceLive || (plan.running && within_reach(&vm, to)));
        }
        prop_assert_eq!(plan.estimate.downtime_ms > 0, plan.running && plan.kind != PlanKind::InPlaceLive);
        prop_assert!(plan.estimate.downtime_ms <= plan.estimate.duration_ms);
    }

    #[test]
    fn the_least_disturbing_plan_that_works_is_taken((grid, vm, to) in any::question()) {
        let map = grid.map();
        let answer = ask(&map, &vm, to);
        let (kind, refused) = match &answer {
            PlanAnswer::Planned { plan } => (Some(plan.kind), false),
            PlanAnswer::Nothing => return Ok(()),
            PlanAnswer::Refused { refusal } => match refusal.reason {
                RefusalReason::NoRoom { .. } | RefusalReason::NotReady { .. } => (None, true),
                _ => return Ok(()),
            },
        };
        let home = map.get(vm.node).unwrap();
        if !home.condition.hypervisor_answers() {
            prop_assert!(refused);
            return Ok(());
        }
        let more = commitment(vm.kind, to).minus(home.committed_to(vm.id));
        let trusted = home.condition != Condition::Contradicting && home.condition.utility_answers();
        if trusted && home.available().covers(&more) {
            prop_assert!(kind.is_some_and(|kind| !kind.moves()));
        }
        let carried = home.condition.utility_answers();
        let fits = map.iter().any(|node| {
            node.node.id != vm.node
                && node.kind() == vm.kind
                && node.condition == Condition::Ready
                && node.node.region == vm.region
                && node.available().covers(&commitment(vm.kind, to))
        });
        if carried && fits {
            prop_assert!(kind.is_some());
        }
        if kind.is_some_and(PlanKind::moves) {
            prop_assert!(fits);
        }
    }

    #[test]
    fn the_largest_of_a_refusal_is_really_planned(
        (grid, vm, to) in any::question(),
        left in prop::option::of((0_u64..6, 0_u64..4096, 0_u64..20_000)),
    ) {
        let map = grid.map();
        let left = left.map(|(vcpus, memory, disk)| amounts(vcpus, memory, disk));
        let PlanAnswer::Refused { refusal } = plan(&map, &vm, to, left, &PACE) else { return Ok(()) };
        if let Some(largest) = refusal.largest {
            prop_assert_ne!(largest, to);
            match plan(&map, &vm, largest, left, &PACE) {
                PlanAnswer::Planned { .. } => {}
                PlanAnswer::Nothing => prop_assert_eq!(largest, vm.size),
                PlanAnswer::Refused { refusal } => prop_assert!(false, "{:?} is refused: {:?}", largest, refusal),
            }
        }
        if let RefusalReason::NoRoom { resource, asked, largest } = refusal.reason {
            prop_assert_eq!(asked, Resources::from(to).get(resource));
            prop_assert!(largest < asked);
        }
    }

    #[test]
    fn the_same_question_has_the_same_answer_whatever_the_order_of_the_nodes((grid, vm, to) in any::question()) {
        let map = grid.map();
        let turned = map_of(grid.nodes.iter().rev().cloned());
        prop_assert_eq!(ask(&map, &vm, to), ask(&map, &vm, to));
        prop_assert_eq!(ask(&map, &vm, to), ask(&turned, &vm, to));
    }

    #[test]
    fn a_new_vm_is_placed_or_the_largest_of_the_refusal_is(grid in any::grid(), kind in any::kind(), asked in any::any_size()) {
        let map = grid.map();
        match place_new(&map, kind, None, asked, None) {
            Ok(placement) => {
                let node = map.get(placement.chosen.unwrap().node).unwrap();
                prop_assert_eq!((node.kind(), node.condition), (kind, Condition::Ready));
                prop_assert!(node.available().covers(&commitment(kind, asked)));
            }
            Err(refusal) => {
                prop_assert_eq!(refusal.nodes.len(), map.nodes().len());
                if let Some(largest) = refusal.largest {
                    prop_assert!(place_new(&map, kind, None, largest, None).is_ok());
                }
            }
        }
    }

    #[test]
    fn absurd_numbers_break_nothing(
        (grid, vm, _) in any::question(),
        to in any::absurd_size(),
        size in any::absurd_size(),
        left in prop::option::of(any::absurd_resources()),
        (usable, committed, reserved) in (any::absurd_resources(), any::absurd_resources(), any::absurd_resources()),
        at in any::<i64>(),
        pace in any::absurd(),
    ) {
        let nodes = grid.nodes.into_iter().map(|node| MapNode {
            usable,
            committed,
            reserved,
            physical: usable,
            measured: committed,
            hypervisor: node.hypervisor.map(|reading| Reading { at: UnixMillis(at), ..reading }),
            ..node
        });
        let map = map_of(nodes);
        let vm = Vm { size, ..vm };
        let pace = Pace { copy_bytes_per_s: pace, migrate_bytes_per_s: pace, boot_ms: pace, shutdown_ms: pace, ..PACE };
        let _ = plan(&map, &vm, to, left, &pace);
        let _ = place_new(&map, vm.kind, None, to, left);
        let _ = (map.totals(), grid::map::largest_fit(&map, vm.kind, None));
    }
}
