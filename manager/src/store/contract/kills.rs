//! Programs that die: what was answered is there when the store is opened again, and what was not is whole or absent.

use super::super::Begun;
use super::super::rows::OperationFilter;
use super::world::{PLENTY, World};
use super::{open, world};
use grid::operation::OperationState;
use grid::vm::VmState;
use grid::{OperationId, Resources};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Where the program that is going to be killed finds its store.
const DIRECTORY: &str = "HOSTGRID_STORE_TO_DIE_WITH";

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_dropped_in_the_middle_of_its_work_opens_again_whole() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::over(open(directory.path()).await).await;
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let world = world.clone();
            tokio::spawn(async move {
                let new = world.deploy(&world.vm(&format!("vm{number}")), &number.to_string());
                world.begin(&new, PLENTY).await
            })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let mut answered = BTreeSet::new();
    for task in tasks {
        task.abort();
        if let Ok(Begun::Started(id)) = task.await {
            answered.insert(id);
        }
    }
    drop(world);
    check(directory.path(), &answered).await;
}

#[tokio::test]
async fn a_program_that_is_killed_loses_nothing_that_it_was_answered() {
    for lines in [1, 10, 60] {
        let directory = tempfile::tempdir().unwrap();
        let mut program = Command::new(std::env::current_exe().unwrap())
            .args(["store::contract::kills::writes_until_it_is_killed", "--exact", "--ignored", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut answered = BTreeSet::new();
        let mut output = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut ids = output.by_ref().filter_map(|line| line.strip_prefix("accepted ")?.parse::<OperationId>().ok());
        answered.extend(ids.by_ref().take(lines));
        program.kill().unwrap();
        answered.extend(ids);
        program.wait().unwrap();
        assert!(answered.len() >= lines, "it was killed too early: {}", answered.len());
        check(directory.path(), &answered).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "is run, and killed, by the test above"]
async fn writes_until_it_is_killed() {
    let directory = std::env::var(DIRECTORY).expect("the test above says where");
    let world = World::over(open(Path::new(&directory)).await).await;
    for number in 0.. {
        let vm = world.vm(&format!("vm{number}"));
        let new = world.deploy(&vm, &number.to_string());
        assert_eq!(world.begin(&new, PLENTY).await, Begun::Started(new.id));
        println!("accepted {}", new.id);
        if number % 2 == 0 {
            world.store.vm_state_set(vm.id, VmState::Running, None).await.unwrap();
            world.end(new.id, OperationState::Succeeded).await;
        }
        if number % 4 == 0 {
            world.store.vm_remove(vm.id, None).await.unwrap();
        }
    }
}

/// Opens the store again and looks whether it is whole: each answered operation is there, with its steps and one audit
/// row; what is reserved is reserved by operations that run; and it can be worked with.
async fn check(directory: &Path, answered: &BTreeSet<OperationId>) {
    let store = open(directory).await;
    let every = OperationFilter { limit: 1_000_000, ..OperationFilter::default() };
    let operations = store.operation_list(&every).await.unwrap();
    let recorded: BTreeSet<_> = operations.iter().map(|operation| operation.id).collect();
    assert!(recorded.is_superset(answered));
    assert!(operations.iter().all(|operation| operation.steps.len() == 3));
    let audit = store.audit_list(1_000_000).await.unwrap();
    assert_eq!(audit.iter().filter(|row| row.outcome == "accepted").count(), operations.len());
    let running: BTreeSet<_> =
        operations.iter().filter(|operation| !operation.state.is_over()).map(|operation| operation.id).collect();
    let holders: BTreeSet<_> = store.reservation_list().await.unwrap().into_iter().map(|(_, id, _)| id).collect();
    assert!(holders.is_subset(&running));
    for operation in operations.iter().filter(|operation| running.contains(&operation.id)) {
        let epoch = store.operation_claim(operation.id).await.unwrap();
        store.operation_end(operation.id, epoch, &world::end(OperationState::Undone)).await.unwrap();
    }
    let held = store.reservation_list().await.unwrap();
    assert!(held.iter().all(|(.., amount)| *amount == Resources::ZERO), "{held:?}");
}
