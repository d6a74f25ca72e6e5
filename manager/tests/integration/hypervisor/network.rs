//! A guest's network on real nodes: what reaches it and what it answers is in the first set, each under its own name; and
//! it leads to customers only.

use super::ground::{Ground, size};
use grid::Gib;
use grid::sample::DomainSample;
use manager::hypervisor::Definition;
use std::net::{TcpListener, TcpStream, UdpSocket};
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

/// Where libvirtd is asked.
const LIBVIRTD: u16 = 16_509;

/// Datagrams to its own addresses that the node had no use for.
fn datagrams_unheard(ground: &Ground) -> u64 {
    let counted = "awk '/^Udp: [0-9]/ {print $3}' /proc/net/snmp";
    ground.lab().inside(&ground.nodes[0].name, counted).trim().parse().unwrap()
}

/// Whoever has all rights in a guest, and knows the addresses of the management network, reaches none of them: neither
/// the manager nor a libvirtd, as neighbours, by its node's own bridge (which would have to forward), or by the gateway.
fn leads_to_customers_only(ground: &Ground, wanted: &Definition) {
    let (lab, node) = (ground.lab(), &ground.nodes[0].name);
    let host = |uri: &str| uri.split("://").nth(1).and_then(|rest| rest.split(['/', ':']).next()).unwrap().to_owned();
    let (here, there) = (host(&ground.nodes[0].uri), host(&ground.nodes[1].uri));
    let manager = TcpListener::bind((lab.manager_address(), 0)).unwrap();
    manager.set_nonblocking(true).unwrap();
    let port = manager.local_addr().unwrap().port();

    // What is tried below can be reached from where it is meant to be.
    for host in [&here, &there] {
        TcpStream::connect((host.as_str(), LIBVIRTD)).unwrap();
    }
    lab.inside(node, &format!("timeout 3 bash -c 'exec 3<>/dev/tcp/{}/{port}'", lab.manager_address()));
    manager.accept().expect("its node reaches the manager");
    let before = datagrams_unheard(ground);
    UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"x", (here.as_str(), 9)).unwrap();
    assert!((0..20).any(|_| datagrams_unheard(ground) > before), "what reaches the node is counted");

    // A container's network is entered. A machine's can't be: beside its interface another one is put on the bridge,
    // which nothing filters.
    let enter = if ground.kind.is_container() {
        format!("pid=$(pgrep -P $(virsh -q -c lxc:///system domid vm-{}) | head -n1)", wanted.vm)
    } else {
        "unshare -n sleep 60 & pid=$!; trap 'kill $pid; ip link del hgtry' EXIT; own=$(readlink /proc/self/ns/net)
        until [[ $(readlink /proc/$pid/ns/net) != $own ]]; do sleep 0.05; done
        ip link add hgtry type veth peer name eth0 netns $pid; ip link set hgtry master vmbr0 up
        nsenter -t $pid -n ip addr add 10.77.199.1/16 dev eth0; nsenter -t $pid -n ip link set eth0 up"
            .to_owned()
    };
    let network = lab.manager_address().rsplit_once('.').unwrap().0;
    let tcp = [(lab.manager_address(), port), (&here, LIBVIRTD), (&there, LIBVIRTD)].map(|(host, port)| {
        format!("(timeout 2 bash -c 'exec 3<>/dev/tcp/{host}/{port}' 2>/dev/null && echo reached {host}:{port}) &")
    });
    let tcp = format!("{}\nwait", tcp.join("\n"));
    let manager_address = lab.manager_address();
    let attack = format!(
        "ip route replace {network}.0/24 dev eth0
        ip neigh replace {here} lladdr $1 dev eth0 nud permanent
        ping -c1 -w3 10.77.0.1 >/dev/null && echo reached the gateway
        for _ in 1 2 3 4 5; do echo x >/dev/udp/{here}/9; done
        {tcp}
        for host in {there} {manager_address}; do ip neigh replace $host lladdr $1 dev eth0 nud permanent; done
        {tcp}
        ip route replace {network}.0/24 via 10.77.0.1
        {tcp}"
    );
    let before = datagrams_unheard(ground);
    let script = format!("{enter}\nnsenter -t $pid -n bash -c \"$1\" bash $(</sys/class/net/vmbr0/address)");
    let reached = lab.run("exec", node, &["bash", "-c", &script, "bash", &attack]);
    assert_eq!(reached.trim(), "reached the gateway");
    assert!(manager.accept().is_err(), "nobody came");
    assert_eq!(datagrams_unheard(ground), before, "nothing that it sends to its node comes in there");
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
    leads_to_customers_only(ground, &wanted);
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
