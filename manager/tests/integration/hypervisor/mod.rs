//! What every hypervisor promises, told once and run on simulated nodes and on the lab's real ones.

mod failures;
mod ground;
mod network;
mod story;
mod utility;

use grid::HypervisorKind;
use ground::Ground;

#[tokio::test]
async fn a_simulated_machine_lives_its_life() {
    story::life(&Ground::simulated(HypervisorKind::Qemu)).await;
}

#[tokio::test]
async fn a_simulated_container_lives_its_life() {
    story::life(&Ground::simulated(HypervisorKind::Lxc)).await;
}

#[tokio::test]
async fn a_simulated_machine_grows_and_shrinks_while_it_runs() {
    story::resize_live(&Ground::simulated(HypervisorKind::Qemu)).await;
}

#[tokio::test]
async fn a_simulated_container_grows_and_shrinks_while_it_runs() {
    story::resize_live(&Ground::simulated(HypervisorKind::Lxc)).await;
}

#[tokio::test]
async fn a_simulated_configuration_can_be_changed_while_it_is_off() {
    story::redefine(&Ground::simulated(HypervisorKind::Qemu)).await;
}

#[tokio::test]
async fn a_simulated_machine_moves_while_it_runs() {
    story::migrate(&Ground::simulated(HypervisorKind::Qemu)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_lives_its_life() {
    story::life(&Ground::machines().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_lives_its_life() {
    story::life(&Ground::containers().await).await;
}

#[tokio::test]
async fn what_was_promised_of_a_simulated_network_is_in_the_configuration() {
    story::bandwidth(&Ground::simulated(HypervisorKind::Qemu)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_promised_of_the_network_limits_the_interface() {
    for containers in [false, true] {
        let ground = Ground::real_nodes(containers).await;
        story::bandwidth(&ground).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_tells_by_itself_that_a_domain_changed() {
    for containers in [false, true] {
        let ground = Ground::real_nodes(containers).await;
        story::events(&ground).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_grows_and_shrinks_while_it_runs() {
    story::resize_live(&Ground::machines().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_grows_and_shrinks_while_it_runs() {
    story::resize_live(&Ground::containers().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_moves_while_it_runs() {
    story::migrate(&Ground::machines().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_stopped_or_cannot_arrive_leaves_the_vm_running_where_it_was() {
    story::migrate_in_vain(&Ground::machines().await).await;
}

#[tokio::test]
async fn a_simulated_move_that_is_stopped_or_cannot_arrive_leaves_the_vm_running_where_it_was() {
    story::migrate_in_vain(&Ground::simulated(HypervisorKind::Qemu)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_can_be_changed_while_it_is_off() {
    for containers in [false, true] {
        let ground = Ground::real_nodes(containers).await;
        story::redefine(&ground).await;
    }
}
