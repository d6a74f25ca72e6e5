//! What counts of what was read, chosen and let go.

use super::*;
use grid::operation::OperationKind;
use grid::sample::PoolSample;

const NODE: NodeId = NodeId(Uuid::from_u128(9));
const ONE: Resources = Resources::new(1, 2, 3);

/// An operation works on the VM and holds something on the node.
fn working(vm: VmId, operation: u128) -> VmRecord {
    let operation = OperationId(Uuid::from_u128(operation));
    let reservations = vec![(NODE, operation, ONE)];
    VmRecord { vm: None, operation: Some((operation, OperationKind::Start { vm })), reservations }
}

#[test]
fn what_was_read_of_one_vm_stands_beside_what_was_read_of_all_before() {
    let [first, second] = [1, 2].map(|number| VmId(Uuid::from_u128(number)));
    let mut heard = Heard::new(Records::default());
    let [all, alone, late] = [(); 3].map(|()| heard.records_asked());
    assert_eq!(heard.record_came(late, first, working(first, 1)), [NODE].into());
    assert_eq!(heard.record_came(alone, first, VmRecord::default()), [].into(), "older than what is known");
    let mut records = Records::default();
    records.put(second, working(second, 2));
    heard.records_came(all, records);
    assert_eq!(heard.reserved(NODE), ONE.plus(ONE));
    assert!(heard.is_worked_on(first, None) && heard.is_worked_on(second, None));
    let asked = heard.records_asked();
    heard.records_came(asked, Records::default());
    assert_eq!(heard.reserved(NODE), Resources::ZERO);
}

#[test]
fn a_choice_counts_until_it_is_recorded_and_never_twice() {
    let (vm, operation) = (VmId(Uuid::from_u128(1)), OperationId(Uuid::from_u128(7)));
    let mut heard = Heard::new(Records::default());
    heard.chosen(operation, NODE, ONE);
    assert_eq!(heard.reserved(NODE), ONE);
    let asked = heard.records_asked();
    heard.record_came(asked, vm, working(vm, 7));
    assert_eq!(heard.reserved(NODE), ONE, "it is the same");
    heard.chosen_no_more(operation, NODE);
    assert_eq!(heard.reserved(NODE), ONE);
    let asked = heard.records_asked();
    assert_eq!(heard.record_came(asked, vm, VmRecord::default()), [NODE].into());
    assert_eq!(heard.reserved(NODE), Resources::ZERO);
}

#[test]
fn macs_are_given_out_in_their_order_past_those_that_somebody_has() {
    let mut heard = Heard::new(Records::default());
    heard.last_mac = MACS - 3;
    heard.macs_chosen.insert("52:54:00:ff:ff:ff".to_owned());
    let given = [(); 3].map(|()| heard.next_mac());
    assert_eq!(given, ["52:54:00:ff:ff:fe", "52:54:00:00:00:00", "52:54:00:00:00:01"]);
}

#[test]
fn a_vm_is_in_an_operations_hands_until_samples_came_after_it() {
    let vm = VmId(Uuid::from_u128(1));
    let mut records = Records::default();
    records.put(vm, working(vm, 1));
    let mut heard = Heard::new(records);
    assert!(heard.is_worked_on(vm, None));
    let before = clock::now();
    let asked = heard.records_asked();
    heard.records_came(asked, Records::default());
    assert!(heard.is_worked_on(vm, Some(before)));
    assert!(!heard.is_worked_on(vm, Some(UnixMillis(clock::now().0 + 1))));
}

fn report() -> UtilitySample {
    UtilitySample {
        taken_at: UnixMillis(0),
        sequence: 1,
        boot_id: "boot".into(),
        process_namespace: "pid:[1]".into(),
        version: "1".into(),
        uptime_seconds: 1,
        own_memory_total_mib: 128,
        own_memory_available_mib: 64,
        own_resident_mib: 3,
        load_permille: 0,
        steal_permille: 0,
        sees_node: false,
        node_memory_total_mib: None,
        node_memory_free_mib: None,
        node_memory_available_mib: None,
        pool: PoolSample { capacity_mib: 1000, free_mib: 500 },
        write_latency_us: 400,
        disks: Vec::new(),
        images: Vec::new(),
        deployed: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_module_is_heard_lately_whatever_the_wall_clock_does_meanwhile() {
    let mut heard = Heard::new(Records::default());
    let lately = Duration::from_secs(30);
    assert!(!heard.utility_is_heard(NODE, lately));
    let long_ago = UnixMillis(clock::now().0 - 24 * 60 * 60 * 1000);
    heard.utility_reported(NODE, long_ago, report());
    assert!(heard.utility_is_heard(NODE, lately), "the wall clock has jumped a day since");
    tokio::time::advance(Duration::from_secs(31)).await;
    assert!(!heard.utility_is_heard(NODE, lately));
}
