//! Transfers: what one module sends the other reads, once, and both are told when it ends early.

use super::*;
use futures::StreamExt;
use grid::{Gib, Mib, Size, Vcpus, VmId};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::{Instant, sleep, timeout};

fn disk() -> Body {
    Body::from_stream(stream::iter((0..200_u8).map(|byte| Ok::<_, std::io::Error>(Bytes::from(vec![byte; 10_000])))))
}

#[tokio::test]
async fn a_transfer_goes_from_its_source_to_its_destination_once() {
    let door = Doorstep::new().await;
    let (source, destination, stranger) = (door.key(1).await, door.key(2).await, door.key(3).await);
    let path = format!("/utility/transfers/{}", door.hub.transfer_open(node(1), node(2)));
    for (method, key) in [("PUT", &stranger), ("GET", &stranger), ("PUT", &destination), ("GET", &source)] {
        assert_eq!(door.call(method, &path, Some(key), disk()).await.0, StatusCode::NOT_FOUND);
    }
    let (sent, received) = tokio::join!(
        door.call("PUT", &path, Some(&source), disk()),
        door.call("GET", &path, Some(&destination), Body::empty())
    );
    assert_eq!(sent.0, StatusCode::NO_CONTENT);
    assert_eq!((received.0, received.1.len()), (StatusCode::OK, 2_000_000));
    assert!(received.1.chunks(10_000).zip(0..).all(|(chunk, byte)| chunk.iter().all(|found| *found == byte)));
    assert_eq!(door.call("PUT", &path, Some(&source), disk()).await.0, StatusCode::NOT_FOUND, "it is over");
}

#[tokio::test]
async fn a_side_that_stays_alone_is_told_so() {
    let door = Doorstep::new().await;
    let (source, destination) = (door.key(1).await, door.key(2).await);
    let path = format!("/utility/transfers/{}", door.hub.transfer_open(node(1), node(2)));
    assert_eq!(door.call("GET", &path, Some(&destination), Body::empty()).await.0, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(door.call("PUT", &path, Some(&source), disk()).await.0, StatusCode::BAD_GATEWAY);
    let path = format!("/utility/transfers/{}", door.hub.transfer_open(node(1), node(2)));
    assert_eq!(door.call("PUT", &path, Some(&source), disk()).await.0, StatusCode::GATEWAY_TIMEOUT);
    let id = door.hub.transfer_open(node(1), node(2));
    let path = format!("/utility/transfers/{id}");
    let waiting = door.call("GET", &path, Some(&destination), Body::empty());
    let (received, ()) = tokio::join!(waiting, async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        door.hub.transfer_close(id);
    });
    assert_eq!(received.0, StatusCode::BAD_GATEWAY, "closed by the one who opened it");
}

/// All that a reader gets, who is let in.
async fn reading(door: &Doorstep, path: &str, key: &str) -> Result<Bytes, axum::Error> {
    let request = Request::get(path).header("authorization", format!("Bearer {key}"));
    let response = door.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    to_bytes(response.into_body(), usize::MAX).await
}

#[tokio::test]
async fn a_sender_that_breaks_off_leaves_no_whole_body() {
    let door = Doorstep::new().await;
    let (source, destination) = (door.key(1).await, door.key(2).await);
    let path = format!("/utility/transfers/{}", door.hub.transfer_open(node(1), node(2)));
    let pieces = [Ok(Bytes::from_static(b"half")), Err(std::io::Error::other("gone"))];
    let sending = door.call("PUT", &path, Some(&source), Body::from_stream(stream::iter(pieces)));
    let (received, sent) = tokio::join!(reading(&door, &path, &destination), sending);
    assert_eq!(sent.0, StatusCode::BAD_GATEWAY);
    assert!(received.is_err(), "the reader sees that it was cut off");
}

/// The work that a module is given next.
async fn next_work(door: &Doorstep, number: u128) -> Work {
    door.hub.exchange(node(number), Vec::new(), Duration::from_secs(5)).await.remove(0).work
}

#[tokio::test]
async fn a_carry_that_is_cancelled_in_the_middle_ends_at_both_sides_at_once() {
    let door = Doorstep::new().await;
    let (source, destination) = (door.key(1).await, door.key(2).await);
    let hub = Arc::clone(&door.hub);
    let carried = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&carried);
    let carrying = tokio::spawn(async move {
        let size = Size::new(Vcpus(1), Mib(1), Gib(1));
        hub.disk_carry(VmId(Uuid::nil()), node(1), node(2), size, Duration::from_hours(1), &counted).await
    });
    let Work::CopyOut { transfer, .. } = next_work(&door, 1).await else { panic!("another order") };
    assert!(matches!(next_work(&door, 2).await, Work::CopyIn { .. }));
    let path = format!("/utility/transfers/{transfer}");
    // A disk that goes on for ever, and never stalls.
    let pieces = stream::repeat(Bytes::from(vec![7; 10_000])).then(|piece| async {
        sleep(Duration::from_millis(5)).await;
        Ok::<_, std::io::Error>(piece)
    });
    let sending = async {
        let (status, _) = door.call("PUT", &path, Some(&source), Body::from_stream(pieces)).await;
        (status, Instant::now())
    };
    let reading = async {
        let read = reading(&door, &path, &destination).await;
        (read, Instant::now())
    };
    let cancelling = async {
        sleep(Duration::from_millis(100)).await;
        // As a step does that is broken off.
        carrying.abort();
        Instant::now()
    };
    let all = async { tokio::join!(sending, reading, cancelling) };
    let ((sent, sent_at), (read, read_at), cancelled_at) =
        timeout(Duration::from_secs(5), all).await.expect("it goes on without anybody who waits for it");
    assert_eq!(sent, StatusCode::BAD_GATEWAY);
    assert!(read.is_err(), "the reader sees that it was cut off");
    assert!(sent_at.max(read_at) < cancelled_at + Duration::from_secs(1));
    let carried = carried.load(Ordering::Relaxed);
    assert!(carried > 0 && carried.is_multiple_of(10_000), "{carried}");
}
