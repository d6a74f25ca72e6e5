//! A guest's network on real nodes: what reaches it and what it answers is in the first set, each under its own name.

use super::ground::{Ground, size};
use grid::Gib;
use grid::sample::DomainSample;
use manager::hypervisor::Definition;
use std::time::Duration;

const POOL: &str = "/var/lib/hostgrid/pool";
const PINGS: u64 = 20;
const DATAGRAMS: u64 = 200;
/// Bytes in each of them.
const PAYLOAD: u64 = 1000;

/// The seed with the VM's address, as its utility module would write it.
fn seed(ground: &Ground, wanted: &Definition) {
    let Definition { vm, mac, address, .. } = wanted;
    let folder = format!("{POOL}/seeds/{vm}");
    let network = format!(
        "version: 2\\nethernets:\\n  customers:\\n    match:\\n      macaddress: {mac}\\n    addresses: [{address}/16]\\n"
    );
    let documents = format!(
        "mkdir -p {folder} && printf 'local-hostname: web\\n' >{folder}/meta-data && printf '{network}' >{folder}/network-config"
    );
    let image = format!("{POOL}/{vm}.seed");
    let script = if ground.kind.is_container() {
        documents
    } else {
        let packed =
            format!("mkfs.vfat -n CIDATA {image} >/dev/null && mcopy -i {image} {folder}/* :: && rm -r {folder}");
        format!("{documents} && {packed}")
    };
    ground.lab().inside(&ground.nodes[0].name, &script);
}

async fn counted(ground: &Ground, wanted: &Definition) -> DomainSample {
    let sample = ground.hypervisors[0].sample().await.unwrap();
    sample.domains.into_iter().find(|domain| domain.id == wanted.vm).expect("the VM in the sample")
}

/// What was received and sent since, as soon as that much was received; a sample may be a moment old.
async fn grown(ground: &Ground, wanted: &Definition, since: &DomainSample, received: u64) -> (u64, u64) {
    let mut grown = (0, 0);
    for _ in 0..40 {
        let now = counted(ground, wanted).await;
        grown = (
            now.network_receive_bytes - since.network_receive_bytes,
            now.network_transmit_bytes - since.network_transmit_bytes,
        );
        if grown.0 >= received {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    grown
}

async fn counts(ground: &Ground) {
    let it = &ground.hypervisors[0];
    let wanted = ground.definition(size(1, 256, 1), size(2, 512, 1));
    let (vm, address) = (wanted.vm, wanted.address);
    ground.prepare(0, vm, Gib(1));
    seed(ground, &wanted);
    it.define(&wanted).await.unwrap();
    it.start(vm).await.unwrap();
    ground.guest_sees(0, vm, "address", &address.to_string()).await;

    let before = counted(ground, &wanted).await;
    ground.lab().among_customers(&format!("ping -q -n -c {PINGS} -i 0.05 -s {PAYLOAD} {address}"));
    let (received, sent) = grown(ground, &wanted, &before, PINGS * PAYLOAD).await;
    assert!(received >= PINGS * PAYLOAD && sent >= PINGS * PAYLOAD, "{received} bytes received, {sent} sent");

    // Nobody in the guest listens, and it says so less often than it is told.
    let before = counted(ground, &wanted).await;
    let datagram = format!("head -c {PAYLOAD} /dev/zero >/dev/udp/{address}/9");
    ground.lab().among_customers(&format!("for _ in $(seq {DATAGRAMS}); do {datagram}; done"));
    let (received, sent) = grown(ground, &wanted, &before, DATAGRAMS * PAYLOAD).await;
    assert!(received >= DATAGRAMS * PAYLOAD && sent < received / 2, "{received} bytes received, {sent} sent");
    it.force_off(vm).await.unwrap();
    ground.clean(vm).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_machine_receives_and_sends_is_counted() {
    counts(&Ground::machines().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_container_receives_and_sends_is_counted() {
    counts(&Ground::containers().await).await;
}
