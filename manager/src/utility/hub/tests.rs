//! Orders and silence, on a clock that the tests move.

use super::super::{MemoryKeys, UtilityError};
use super::*;
use grid::VmId;
use grid::work::{Work, WorkDone, WorkFailure};
use uuid::Uuid;

const NODE: NodeId = NodeId(Uuid::nil());
const DEADLINE: Duration = Duration::from_mins(1);

fn hub() -> Arc<UtilityHub> {
    UtilityHub::new(Arc::new(MemoryKeys::default()))
}

fn order(hub: &Arc<UtilityHub>) -> tokio::task::JoinHandle<Result<WorkDone, UtilityError>> {
    let module = hub.module(NODE);
    tokio::spawn(async move { module.carry_out(Work::Delete { vm: VmId(Uuid::nil()) }, DEADLINE).await })
}

/// A module that polls and answers nothing, until it is aborted.
fn poll_for_ever(hub: &Arc<UtilityHub>) -> tokio::task::JoinHandle<()> {
    let hub = Arc::clone(hub);
    tokio::spawn(async move {
        loop {
            hub.exchange(NODE, Vec::new(), Duration::from_secs(5)).await;
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_module_that_was_never_heard_is_silent_after_a_while() {
    let hub = hub();
    let begin = Instant::now();
    assert_eq!(order(&hub).await.unwrap(), Err(UtilityError::Silent));
    assert_eq!(begin.elapsed().as_secs(), UtilityPace::default().silent_after.as_secs());
    let begin = Instant::now();
    assert_eq!(order(&hub).await.unwrap(), Err(UtilityError::Silent), "and from then on at once");
    assert_eq!(begin.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_module_that_goes_silent_ends_the_wait_before_the_deadline() {
    let hub = hub();
    let waiting = order(&hub);
    let orders = hub.exchange(NODE, Vec::new(), Duration::from_secs(5)).await;
    assert_eq!(orders.len(), 1);
    assert_eq!(waiting.await.unwrap(), Err(UtilityError::Silent));
}

#[tokio::test(start_paused = true)]
async fn a_module_that_is_there_but_does_not_answer_has_until_the_deadline() {
    let hub = hub();
    let module = poll_for_ever(&hub);
    let begin = Instant::now();
    assert_eq!(order(&hub).await.unwrap(), Err(UtilityError::Deadline));
    assert_eq!(begin.elapsed(), DEADLINE);
    module.abort();
    assert!(hub.exchange(NODE, Vec::new(), Duration::ZERO).await.is_empty(), "the order was taken back");
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_order_is_repeated_and_a_repeated_answer_does_no_harm() {
    let hub = hub();
    let waiting = order(&hub);
    let wait = Duration::from_secs(25);
    let first = hub.exchange(NODE, Vec::new(), wait).await;
    let begin = Instant::now();
    let second = hub.exchange(NODE, Vec::new(), wait).await;
    assert_eq!(first, second);
    assert_eq!(begin.elapsed(), UtilityPace::default().repeat_after);
    let outcome = Err(WorkFailure::PoolFull);
    let answer = WorkAnswer { id: first[0].id, outcome, took_ms: 1 };
    hub.exchange(NODE, vec![answer.clone(), answer.clone()], Duration::ZERO).await;
    assert_eq!(waiting.await.unwrap(), Err(UtilityError::Failed(WorkFailure::PoolFull)));
    assert!(hub.exchange(NODE, vec![answer], Duration::ZERO).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_poll_is_woken_by_a_new_order_and_ends_empty_after_its_wait() {
    let hub = hub();
    let begin = Instant::now();
    assert!(hub.exchange(NODE, Vec::new(), Duration::from_secs(12)).await.is_empty());
    assert_eq!(begin.elapsed().as_secs(), 12);
    let polling = tokio::spawn({
        let hub = Arc::clone(&hub);
        async move { hub.exchange(NODE, Vec::new(), Duration::from_secs(20)).await }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    let begin = Instant::now();
    let _waiting = order(&hub);
    assert_eq!(polling.await.unwrap().len(), 1);
    assert_eq!(begin.elapsed().as_secs(), 0);
    let begin = Instant::now();
    hub.exchange(NodeId(Uuid::from_u128(5)), Vec::new(), Duration::from_secs(9999)).await;
    assert_eq!(begin.elapsed(), UtilityPace::default().longest_poll);
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_stops_ends_polls_and_transfers_at_once() {
    let (hub, there) = (hub(), NodeId(Uuid::from_u128(5)));
    let id = hub.transfer_open(NODE, there);
    let endless = Body::from_stream(futures::stream::pending::<Result<axum::body::Bytes, std::io::Error>>());
    let begin = Instant::now();
    let (orders, sent, received, ()) = tokio::join!(
        hub.exchange(NODE, Vec::new(), Duration::from_secs(25)),
        hub.transfer_send(id, NODE, endless),
        hub.transfer_receive(id, there),
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            hub.hang_up();
        }
    );
    assert_eq!((orders, sent), (Vec::new(), Err(TransferError::BrokenOff)));
    assert_eq!(received.err(), Some(TransferError::BrokenOff));
    assert_eq!(begin.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_caller_is_gone_is_taken_back() {
    let hub = hub();
    let waiting = order(&hub);
    tokio::task::yield_now().await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert!(hub.exchange(NODE, Vec::new(), Duration::ZERO).await.is_empty());
}

#[tokio::test]
async fn a_token_expires() {
    let pace = UtilityPace { token: Duration::ZERO, ..UtilityPace::default() };
    let hub = UtilityHub::with_pace(Arc::new(MemoryKeys::default()), pace);
    let token = hub.token_issue(NODE).await.unwrap();
    let enrolment = Enrolment { token, boot_id: "boot".into(), version: "1".into() };
    assert!(hub.enrol(&enrolment).await.unwrap().is_none());
}

#[tokio::test]
async fn a_key_outlives_the_manager() {
    let keys = Arc::new(MemoryKeys::default());
    let hub = UtilityHub::new(Arc::clone(&keys) as Arc<_>);
    let token = hub.token_issue(NODE).await.unwrap();
    let enrolment = Enrolment { token, boot_id: "boot".into(), version: "1".into() };
    let key = hub.enrol(&enrolment).await.unwrap().unwrap().key;
    let next = UtilityHub::new(keys);
    assert_eq!(next.node_of_key(&key).await.unwrap(), Some(NODE));
    assert_eq!(next.node_of_key("another").await.unwrap(), None);
}
