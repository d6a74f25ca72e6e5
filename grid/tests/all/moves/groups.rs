//! Groups of VMs and failure domains in plans of moves, by example.

use super::AMPLE;
use super::layouts::{guest, layout, site};
use super::referee::carry_out;
use crate::fixture::{amounts, built, map_of, node_id, size, vm, vm_id};
use grid::HypervisorKind;
use grid::moves::{
    Ask, Budget, Goal, Guest, Layout, LayoutGroup, Manner, Move, RoomAnswer, RoomPlan, Site, Stuck, drain, make_room,
    rebalance,
};
use grid::placement::{Group, Rule};

const KVM: HypervisorKind = HypervisorKind::Kvm;

/// A node of so many vCPUs in a failure domain.
fn kvm(number: u128, vcpus: u64, domain: u32) -> Site {
    Site { domain, ..site(number, KVM, amounts(vcpus, 64, 1000)) }
}

fn of_group(number: u128, home: u32, vcpus: u64) -> Guest {
    Guest { groups: vec![0], ..guest(number, home, amounts(vcpus, 1, 1)) }
}

fn alone(number: u128, home: u32, vcpus: u64) -> Guest {
    guest(number, home, amounts(vcpus, 1, 1))
}

fn with_rule(rule: Rule, sites: Vec<Site>, guests: Vec<Guest>) -> Layout {
    let groups = vec![LayoutGroup { name: "web".to_owned(), rule, held: vec![] }];
    Layout { groups, ..layout(sites, guests) }
}

fn room(now: &Layout, vcpus: u64, groups: &[u32]) -> Option<RoomPlan> {
    let (takes, groups) = (amounts(vcpus, 1, 1), groups.to_vec());
    match make_room(now, &Ask::New { kind: KVM, region: None, domain: None, takes, groups }, AMPLE) {
        RoomAnswer::Room { plan } => {
            carry_out(now, &plan.moves);
            Some(plan)
        }
        RoomAnswer::None { .. } => None,
        RoomAnswer::GaveUp => panic!("the work was ample"),
    }
}

/// The VM that asks for room counts where it arrives: nobody of its group may make way by going there.
#[test]
fn nobody_of_its_group_goes_where_the_asking_vm_arrives() {
    // VM 1 needs 6 of node 2's 8, where VM 2 takes 4: it could go to node 3 only in exchange for VM 3, of VM 1's group.
    let guests = vec![of_group(1, 0, 6), alone(2, 1, 4), of_group(3, 2, 2)];
    let mut now = with_rule(Rule::ApartByNode, vec![kvm(1, 8, 1), kvm(2, 8, 2), kvm(3, 5, 3)], guests);
    let plan = drain(&now, node_id(1), AMPLE).unwrap();
    carry_out(&now, &plan.moves);
    assert_eq!((plan.moves.len(), plan.stuck.len()), (0, 1));

    // Out of the group, the same VM 3 may share the node: the exchange is found.
    now.guests[2].groups.clear();
    let plan = drain(&now, node_id(1), AMPLE).unwrap();
    carry_out(&now, &plan.moves);
    assert_eq!((plan.moves.len(), plan.stuck.len()), (3, 0));
}

#[test]
fn a_vm_makes_way_for_another_of_its_group() {
    // Only node 1 has the room for a new VM of the group, and one of the group is there.
    let now = with_rule(Rule::ApartByNode, vec![kvm(1, 8, 1), kvm(2, 2, 2)], vec![of_group(1, 0, 2)]);
    let plan = room(&now, 6, &[0]).unwrap();
    assert_eq!((plan.node, plan.moves.len()), (node_id(1), 1));
    assert_eq!(room(&now, 6, &[]).unwrap().moves, [], "out of the group it fits beside it");
}

#[test]
fn no_two_of_a_group_meet_in_a_failure_domain_on_the_way() {
    // VM 2 has to leave node 1 for a new VM. Node 3 is in the domain where VM 3 is; the small node 4 is in another.
    let sites = |last: u32| vec![kvm(1, 8, 1), kvm(2, 4, 2), kvm(3, 8, 2), kvm(4, 3, last)];
    let fixed = Guest { movable: false, ..alone(4, 2, 2) };
    let guests = vec![alone(1, 0, 1), of_group(2, 0, 3), of_group(3, 1, 4), fixed];
    let now = with_rule(Rule::ApartByFailureDomain, sites(3), guests.clone());
    let plan = room(&now, 7, &[]).unwrap();
    assert_eq!(plan.moves.iter().map(|each| (each.vm, each.to)).collect::<Vec<_>>(), [(vm_id(2), node_id(4))]);
    let now = with_rule(Rule::ApartByFailureDomain, sites(2), guests);
    assert_eq!(room(&now, 7, &[]), None);
}

#[test]
fn a_group_that_stays_together_is_not_torn_apart() {
    let sites = |second: u32| vec![kvm(1, 8, 1), kvm(2, 8, second)];
    let guests = vec![of_group(1, 0, 3), of_group(2, 0, 3)];
    let by_domain = Rule::TogetherInFailureDomain;
    assert_eq!(room(&with_rule(by_domain, sites(2), guests.clone()), 7, &[]).unwrap().node, node_id(2));
    let narrow = |rule, domain| with_rule(rule, vec![kvm(1, 8, 1), kvm(2, 7, domain)], guests.clone());
    assert!(room(&narrow(by_domain, 1), 8, &[]).is_some(), "both go on within their domain");
    assert_eq!(room(&narrow(by_domain, 2), 8, &[]), None);
    assert_eq!(room(&narrow(Rule::TogetherOnNode, 1), 8, &[]), None);

    let plan = drain(&narrow(by_domain, 2), node_id(1), AMPLE).unwrap();
    let kept = |rule| Stuck::Group { group: "web".to_owned(), rule };
    assert_eq!(plan.stuck, [(vm_id(1), kept(by_domain)), (vm_id(2), kept(by_domain))]);
    assert_eq!(plan.stuck[0].1.to_string(), "its group web: everywhere else, its VMs are in another failure domain");
    let consolidated = rebalance(&narrow(by_domain, 2), Goal::Consolidate { most_bytes: u64::MAX }, 9, AMPLE);
    assert_eq!(consolidated.moves, []);
}

#[test]
fn one_alone_makes_room_for_a_group_that_stays_together() {
    let narrow = vec![kvm(1, 4, 1), kvm(2, 8, 2)];
    let now = with_rule(Rule::TogetherOnNode, narrow, vec![of_group(1, 0, 2)]);
    let plan = room(&now, 4, &[0]).unwrap();
    assert_eq!((plan.node, plan.moves.len()), (node_id(2), 1), "it goes ahead to where both fit");
}

#[test]
fn a_drain_counts_the_vms_that_made_way_for_others() {
    // VM 1 can only go to node 3, in the failure domain where VM 2 of its group is: so VM 2 goes first.
    let sites = vec![kvm(1, 8, 1), kvm(2, 2, 2), kvm(3, 8, 1)];
    let now = with_rule(Rule::ApartByFailureDomain, sites, vec![of_group(1, 0, 4), of_group(2, 0, 1)]);
    let plan = drain(&now, node_id(1), AMPLE).unwrap();
    carry_out(&now, &plan.moves);
    assert_eq!(plan.moves.iter().map(|each| each.vm).collect::<Vec<_>>(), [vm_id(2), vm_id(1)]);
    assert_eq!(plan.stuck, []);
}

#[test]
fn evening_out_keeps_groups_apart() {
    let guests = vec![of_group(1, 0, 4), alone(2, 0, 4), of_group(3, 1, 1)];
    let now = with_rule(Rule::ApartByNode, vec![kvm(1, 9, 1), kvm(2, 9, 2)], guests);
    let plan = rebalance(&now, Goal::EvenOut { least_gain_permille: 50 }, 9, AMPLE);
    carry_out(&now, &plan.moves);
    assert_eq!(plan.moves.iter().map(|each| each.vm).collect::<Vec<_>>(), [vm_id(2)]);
}

#[test]
fn a_vm_that_asked_for_a_failure_domain_stays_in_it() {
    let pinned = Guest { domain: Some(1), ..alone(1, 0, 3) };
    let two = |domain| layout(vec![kvm(1, 8, 1), kvm(2, 4, domain)], vec![pinned.clone()]);
    assert!(room(&two(1), 8, &[]).is_some());
    assert_eq!(room(&two(2), 8, &[]), None);
}

#[test]
fn the_layout_knows_the_domains_groups_and_cpus_of_the_map() {
    let has = amounts(16, 32_768, 102_400);
    let kind = HypervisorKind::Qemu;
    let vms = [1, 2].map(|number| vm(number, number, kind, size(2, 2048, 10)));
    let nodes = [1, 2, 3, 4].map(|number| {
        let mut node = built(number, kind, has, &vms);
        node.failure_domain = (number < 4).then(|| format!("rack-{}", number / 3));
        if let Some(reading) = node.hypervisor.as_mut().filter(|_| number == 3) {
            reading.sample.compatibility.cpu_features.push("zz-new".to_owned());
        }
        node
    });
    let map = map_of(nodes);
    let group = |rule, nodes: &[u128], domains: &[&str]| Group {
        name: "web".to_owned(),
        rule,
        nodes: nodes.iter().map(|&number| node_id(number)).collect(),
        failure_domains: domains.iter().map(|&name| name.to_owned()).collect(),
    };
    let plain = Layout::of(&map, &vms, &|_| false);
    assert_eq!(plain.sites[0].domain, plain.sites[1].domain);
    assert_ne!(plain.sites[2].domain, plain.sites[0].domain);
    assert_ne!(plain.sites[3].domain, plain.sites[2].domain);

    // From node 1 to node 3, which has more features, it passes live; not back.
    let mut between = plain.clone();
    (between.sites[1].ready, between.sites[3].ready) = (false, false);
    let there = drain(&between, node_id(1), AMPLE).unwrap().moves;
    let back = drain(&carry_out(&between, &there), node_id(3), AMPLE).unwrap().moves;
    let manner = |moves: &[Move]| moves.iter().map(|each| each.manner).collect::<Vec<_>>();
    assert_eq!((manner(&there), manner(&back)), (vec![Manner::Live], vec![Manner::Cold]));

    // Where a new VM of the group can go: by node, by domain, with places that are held, with a domain that is gone.
    let ask = |now: &Layout| -> Vec<u128> { (1..=4).filter(|&number| takes_new(now, kind, number)).collect() };
    let apart = |rule, nodes: &[u128], domains: &[&str]| {
        plain.clone().with_group(&map, &group(rule, nodes, domains), &[vm_id(1), vm_id(2)])
    };
    assert_eq!(ask(&apart(Rule::ApartByNode, &[], &[])), [3, 4]);
    assert_eq!(ask(&apart(Rule::ApartByNode, &[3], &[])), [4]);
    assert_eq!(ask(&apart(Rule::ApartByFailureDomain, &[], &[])), [3, 4]);
    assert_eq!(ask(&apart(Rule::ApartByFailureDomain, &[], &["rack-1", "gone"])), [4]);
    assert_eq!(ask(&apart(Rule::TogetherOnNode, &[], &[])), [1, 2]);
    assert_eq!(ask(&apart(Rule::TogetherInFailureDomain, &[4], &[])), [1, 2, 4]);
    assert_eq!(ask(&plain.clone().with_group(&map, &group(Rule::TogetherOnNode, &[], &["gone"]), &[])), [0; 0]);
    assert_eq!(ask(&plain.clone().with_group(&map, &group(Rule::TogetherOnNode, &[], &[]), &[])), [1, 2, 3, 4]);
}

/// Whether a node takes a new VM of the first group, nobody being moved.
fn takes_new(now: &Layout, kind: HypervisorKind, number: u128) -> bool {
    let mut only = now.clone();
    for site in only.sites.iter_mut().filter(|site| site.id != node_id(number)) {
        site.ready = false;
    }
    let ask = Ask::New { kind, region: None, domain: None, takes: amounts(1, 64, 64), groups: vec![0] };
    matches!(make_room(&only, &ask, Budget { moves: 0, ..AMPLE }), RoomAnswer::Room { .. })
}
