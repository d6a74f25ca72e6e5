//! Utility VMs on real nodes: they start, boot, are replaced, and their files are sent once.

use super::ground::{Ground, Lab};
use grid::Mib;
use grid::sample::{DomainState, UTILITY_DOMAIN};
use manager::hypervisor::{UtilityConfiguration, UtilityImages};
use std::time::Duration;

/// Whether it sends anything within three minutes: it looks for its manager.
async fn talks(ground: &Ground) -> bool {
    for _ in 0..180 {
        let sample = ground.hypervisors[0].sample().await.unwrap();
        let domain = sample.domains.iter().find(|domain| domain.name == UTILITY_DOMAIN).expect("it is in the sample");
        assert_eq!((domain.vcpus_current, domain.memory_current_mib), (1, 128));
        if domain.network_transmit_bytes > 0 {
            return true;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    false
}

async fn starts_twice(ground: &Ground) {
    let (it, name) = (&ground.hypervisors[0], &ground.nodes[0].name);
    let lab = ground.lab();
    let image = |file: &str| Lab::image(&format!("utility/{file}"));
    let configuration = UtilityConfiguration {
        // Nobody listens there, but it has to ask.
        manager: format!("http://{}:9", lab.manager_address()),
        token: "none".into(),
        address: lab.node(name).utility_address.clone(),
        memory: Mib(128),
        images: UtilityImages { kernel: image("vmlinuz"), initrd: image("initrd"), root: image("root.raw") },
    };
    let files = || lab.inside(name, &format!("stat -c '%n %i' /var/lib/hostgrid/pool/{UTILITY_DOMAIN}*"));
    it.utility_start(&configuration).await.unwrap();
    assert_eq!(it.utility_state().await, Ok(Some(DomainState::Running)));
    let first = files();
    it.utility_start(&configuration).await.unwrap();
    assert_eq!(files(), first, "nothing was sent again");
    assert!(talks(ground).await, "it boots and talks");
    assert_eq!(it.utility_state().await, Ok(Some(DomainState::Running)), "it stays up");
    let driver = if ground.kind.is_container() { "lxc" } else { "qemu" };
    lab.inside(name, &format!("virsh -c {driver}:///system destroy {UTILITY_DOMAIN}"));
    assert_eq!(it.utility_state().await, Ok(Some(DomainState::ShutOff)), "that it died is seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_utility_machine_is_started_afresh() {
    starts_twice(&Ground::machines().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_utility_container_is_started_afresh() {
    starts_twice(&Ground::containers().await).await;
}
