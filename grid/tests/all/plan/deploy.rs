//! New VMs.

use super::*;

#[test]
fn a_new_vm_is_placed_or_refused_with_what_would_fit() {
    let map = map_of([
        built(1, HypervisorKind::Qemu, HAS, &[]),
        built(2, HypervisorKind::Lxc, amounts(64, 131_072, 102_400), &[]),
    ]);
    let place = |asked, left| place_new(&map, HypervisorKind::Qemu, Some("north"), asked, left);
    assert_eq!(place(size(4, 4096, 10), None).unwrap().chosen.unwrap().node, node_id(1));
    let refusal = place(size(16, 4096, 10), None).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::NoRoom { resource: Resource::Vcpus, asked: 16, largest: 8 });
    assert_eq!((refusal.largest, refusal.nodes.len()), (Some(size(8, 4096, 10)), 2));
    let refusal = place(size(4, 4096, 10), Some(amounts(4, 2048, 20_480))).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::QuotaExceeded { resource: Resource::Memory, asked: 4096, left: 2048 });
    let nowhere = place_new(&map, HypervisorKind::Kvm, None, size(1, 1024, 1), None).unwrap_err();
    assert_eq!(nowhere.reason, RefusalReason::NoRoom { resource: Resource::Memory, asked: 1024, largest: 0 });
}
