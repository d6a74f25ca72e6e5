//! Capacity questions: by an example each, and against placing VMs one by one.

use super::*;
use crate::any;
use grid::map::{
    Part, answers, how_many_fit_in, how_many_fit_on, largest_fit_in, losses_not_absorbed, nodes_that_cannot_be_drained,
    rounds_of_mix, stranded,
};
use grid::placement::{Request, place};
use grid::plan::place_new;
use grid::vm::largest_size;
use grid::{Mib, Size};
use proptest::prelude::*;

#[test]
fn totals_are_summed_by_kind_and_only_ready_nodes_are_available() {
    let mut cordoned = node(2, HypervisorKind::Qemu);
    cordoned.administration = Administration::Cordoned;
    let map = map_of([
        built(1, HypervisorKind::Qemu, HAS, &[]),
        MapNode::build(inputs(cordoned, HAS, &[])),
        built(3, HypervisorKind::Lxc, HAS, &[]),
    ]);
    let totals = map.totals();
    let [first, second] = totals.as_slice() else { panic!("{totals:?}") };
    assert_eq!((first.kind, first.nodes, first.ready), (HypervisorKind::Qemu, 2, 1));
    assert_eq!((first.usable, first.available), (HAS.plus(HAS), HAS));
    assert_eq!((second.kind, second.nodes), (HypervisorKind::Lxc, 1));
}

#[test]
fn the_largest_that_fits_really_fits_and_nothing_larger_does() {
    let map = map_of([
        built(1, HypervisorKind::Qemu, amounts(32, 4096, 50_000), &[]),
        built(2, HypervisorKind::Qemu, amounts(8, 16_384, 20_000), &[]),
        built(3, HypervisorKind::Lxc, amounts(64, 65_536, 200_000), &[]),
    ]);
    let largest = largest_fit(&map, HypervisorKind::Qemu, Some("north")).unwrap();
    assert_eq!(largest, size(8, 16_068, 19));
    let takes = |memory| commitment(HypervisorKind::Qemu, size(8, memory, 19)).memory_mib();
    assert!(takes(16_068) <= 16_384 && takes(16_072) > 16_384);
    assert_eq!(largest_fit(&map, HypervisorKind::Qemu, Some("south")), None);
    assert_eq!(largest_fit(&map, HypervisorKind::Kvm, None), None);
}

#[test]
fn how_many_of_an_offer_fit_is_counted_node_by_node() {
    let map = map_of([
        built(1, HypervisorKind::Lxc, amounts(7, 16_384, 200_000), &[]),
        built(2, HypervisorKind::Lxc, amounts(5, 1032 * 2, 200_000), &[]),
    ]);
    let offer = Offer { name: "small".to_owned(), size: size(2, 1024, 10) };
    // Three by vCPUs on the first, two on the second: not (7 + 5) / 2.
    assert_eq!(how_many_fit(&map, HypervisorKind::Lxc, None, &offer), 5);
    assert_eq!(map.iter().map(|node| how_many_fit_on(node, &offer)).collect::<Vec<_>>(), [3, 2]);
}

proptest! {
    #[test]
    fn as_many_fit_as_can_be_placed_one_by_one(grid in any::grid(), kind in any::kind(), size in any::any_size()) {
        let mut map = grid.map();
        let counted = how_many_fit(&map, kind, None, &Offer { name: "any".to_owned(), size });
        let resources = commitment(kind, size);
        let request = Request::new(kind, resources);
        let mut placed = 0;
        while placed <= counted && let Some(chosen) = place(&map, &request).chosen {
            map = map.with_reservation(NOW, chosen.node, resources);
            placed += 1;
        }
        prop_assert_eq!(counted, placed);
    }

    #[test]
    fn the_largest_fit_can_be_placed(grid in any::grid(), kind in any::kind()) {
        let map = grid.map();
        match largest_fit(&map, kind, None) {
            Some(size) => prop_assert!(place_new(&map, kind, None, size, None).is_ok()),
            None => prop_assert!(place_new(&map, kind, None, Size::SMALLEST, None).is_err()),
        }
    }

    #[test]
    fn the_largest_size_fits_and_no_step_more_does(resources in any::absurd_resources(), kind in any::kind()) {
        let Some(largest) = largest_size(kind, resources) else {
            prop_assert!(!resources.covers(&commitment(kind, Size::SMALLEST)));
            return Ok(());
        };
        prop_assert!(resources.covers(&commitment(kind, largest)));
        let steps = [
            Size { vcpus: grid::Vcpus(largest.vcpus.0 + 1), ..largest },
            Size { memory: Mib(largest.memory.0 + Size::MEMORY_STEP.0), ..largest },
            Size { disk: grid::Gib(largest.disk.0 + 1), ..largest },
        ];
        for more in steps {
            let beyond = more.smaller(Size::LARGEST) != more;
            prop_assert!(beyond || !resources.covers(&commitment(kind, more)));
        }
    }
}

fn racked(number: u128, rack: &str, has: Resources, vms: &[grid::vm::Vm]) -> MapNode {
    MapNode { failure_domain: Some(rack.to_owned()), ..built(number, HypervisorKind::Lxc, has, vms) }
}

#[test]
fn the_largest_that_fits_is_told_by_kind_region_and_failure_domain() {
    let map = map_of([
        racked(1, "rack-1", amounts(8, 8200, 102_400), &[]),
        racked(2, "rack-2", amounts(4, 4104, 102_400), &[]),
        built(3, HypervisorKind::Qemu, amounts(4, 4104, 102_400), &[]),
    ]);
    let told: Vec<String> = map
        .largest_by_part()
        .into_iter()
        .map(|each| {
            let Part { kind, region, failure_domain } = each.part;
            let (region, domain) = (region.unwrap_or_default(), failure_domain.unwrap_or_default());
            format!("{kind} {region} {domain}: {}", each.largest.map_or(0, |size| size.memory.0))
        })
        .collect();
    assert_eq!(
        told,
        [
            "qemu  : 3976",
            "qemu north : 3976",
            "lxc  : 8192",
            "lxc north : 8192",
            "lxc north rack-1: 8192",
            "lxc north rack-2: 4096"
        ]
    );
    let part = Part { failure_domain: Some("rack-2".to_owned()), ..Part::of(HypervisorKind::Lxc) };
    assert_eq!(largest_fit_in(&map, &part).unwrap().memory, Mib(4096));
    assert_eq!(how_many_fit_in(&map, &part, &Offer { name: "small".to_owned(), size: size(1, 1018, 10) }), 4);
}

#[test]
fn rounds_of_a_mix_are_placed_one_by_one_and_never_more_than_asked() {
    let map = map_of([
        racked(1, "rack-1", amounts(8, 8200, 102_400), &[]),
        racked(2, "rack-2", amounts(4, 4104, 102_400), &[]),
    ]);
    let mix = [(size(1, 1000, 5), 2), (size(2, 2000, 10), 1)];
    let all = Part::of(HypervisorKind::Lxc);
    assert_eq!(rounds_of_mix(&map, &all, &mix, 100), 3);
    assert_eq!(rounds_of_mix(&map, &all, &mix, 2), 2);
    assert_eq!(rounds_of_mix(&map, &Part { failure_domain: Some("rack-2".to_owned()), ..all.clone() }, &mix, 9), 1);
    assert_eq!(rounds_of_mix(&map, &Part { region: Some("south".to_owned()), ..all }, &mix, 9), 0);
}

#[test]
fn vcpus_without_memory_are_stranded() {
    let map = map_of([
        racked(1, "rack-1", amounts(30, 500, 102_400), &[]),
        racked(2, "rack-1", amounts(4, 2064, 102_400), &[]),
        racked(3, "rack-1", amounts(0, 0, 0), &[]),
    ]);
    let offer = Offer { name: "small".to_owned(), size: size(1, 1024, 10) };
    let found = stranded(&map, &Part::of(HypervisorKind::Lxc), &offer);
    assert_eq!((found.nodes, found.on_them), (1, amounts(30, 500, 102_400)));
    assert_eq!(found.after_filling, amounts(32, 500, 2 * 102_400 - 2 * 10_242));
    assert_eq!(found.runs_out_first, [1, 3, 1, 0]);
}

#[test]
fn a_grid_with_room_to_spare_loses_any_node_and_can_drain_any() {
    let kind = HypervisorKind::Lxc;
    let vms = [vm(1, 1, kind, size(4, 4096, 10)), vm(2, 2, kind, size(4, 4096, 10))];
    let roomy = amounts(16, 16_384, 102_400);
    let map = map_of((1..4).map(|number| racked(number, &format!("rack-{number}"), roomy, &vms)));
    assert_eq!(losses_not_absorbed(&map), []);
    assert_eq!(nodes_that_cannot_be_drained(&map), []);
}

#[test]
fn the_answers_together_are_those_that_are_given_one_by_one() {
    let kind = HypervisorKind::Lxc;
    let vms = [vm(1, 1, kind, size(4, 4096, 10)), vm(2, 1, kind, size(2, 1024, 10))];
    let map = map_of([
        racked(1, "rack-1", amounts(8, 8200, 102_400), &vms),
        racked(2, "rack-2", amounts(4, 4104, 102_400), &[]),
        built(3, HypervisorKind::Qemu, amounts(4, 4104, 102_400), &[]),
    ]);
    let offer = Offer { name: "small".to_owned(), size: size(1, 1018, 10) };
    let found = answers(&map, std::slice::from_ref(&offer));
    let largest: Vec<_> = map.largest_by_part().into_iter().map(|each| each.largest).collect();
    assert_eq!(found.parts.iter().map(|each| each.largest).collect::<Vec<_>>(), largest);
    let rack = found.parts.iter().find(|each| each.part.failure_domain.as_deref() == Some("rack-2")).unwrap();
    assert_eq!((rack.nodes, rack.ready, rack.more.as_slice()), (1, 1, &[4][..]));
    assert_eq!(found.losses, losses_not_absorbed(&map));
    assert_eq!((found.nodes, found.looked_at), (3, 5));
    assert_eq!(found.not_drainable, nodes_that_cannot_be_drained(&map));
    assert_eq!(found.stranded[1], (kind, vec![stranded(&map, &Part::of(kind), &offer)]));
}

#[test]
fn what_of_a_loss_finds_no_place_is_counted() {
    let kind = HypervisorKind::Lxc;
    let vms = [vm(1, 1, kind, size(4, 4096, 10)), vm(2, 1, kind, size(2, 1024, 10)), vm(3, 1, kind, size(1, 512, 5))];
    let map = map_of([
        racked(1, "rack-1", amounts(8, 8200, 102_400), &vms),
        racked(2, "rack-2", amounts(4, 4110, 102_400), &[]),
    ]);
    let losses = losses_not_absorbed(&map);
    let smaller = vms[1..].iter().map(|vm| grid::vm::commitment(kind, vm.size)).fold(Resources::ZERO, Resources::plus);
    assert_eq!(losses.len(), 2, "node and rack; the empty ones can be lost: {losses:?}");
    for loss in losses {
        assert_eq!((loss.left_over.vms, loss.left_over.resources), (2, smaller));
    }
}
