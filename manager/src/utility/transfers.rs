//! Disks on their way from one node's module to another's: what one sends the other reads, piece by piece, through a
//! short channel. Nothing is kept; a reader that is slow slows the sender down. Whoever opened a transfer closes it,
//! and that ends both ends at once, however far they are.

use axum::body::{Body, Bytes};
use futures::{Stream, StreamExt, stream};
use grid::NodeId;
use grid::identity::TransferId;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Pieces between sender and reader; a piece is what the network gave at once.
const PIECES: usize = 16;

/// Why a transfer broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// There is none of this id, or not for this node.
    #[error("no such transfer")]
    Unknown,
    /// This end of it was taken before.
    #[error("the transfer was begun before")]
    Begun,
    #[error("the other side did not come")]
    Alone,
    #[error("the other side broke off")]
    BrokenOff,
    #[error("nothing moved for too long")]
    Stalled,
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    /// All of it was sent; without this word the stream was cut off.
    End,
}

#[derive(Debug)]
struct Transfer {
    source: NodeId,
    destination: NodeId,
    closed: CancellationToken,
    /// The bytes that its sender has sent so far.
    carried: Arc<AtomicU64>,
    sender: Option<mpsc::Sender<Piece>>,
    reader: Option<mpsc::Receiver<Piece>>,
}

/// All transfers.
#[derive(Debug)]
pub(super) struct Transfers {
    open: Mutex<HashMap<TransferId, Transfer>>,
    patience: Duration,
}

impl Transfers {
    /// `patience`: how long one side waits for the other to come, and to go on.
    pub(super) fn new(patience: Duration) -> Self {
        Self { open: Mutex::default(), patience }
    }

    /// Opens a way from one node to another, for one disk; counts the bytes that go it.
    pub(super) fn open(&self, source: NodeId, destination: NodeId, carried: Arc<AtomicU64>) -> TransferId {
        let id = TransferId(Uuid::now_v7());
        let (sender, reader) = mpsc::channel(PIECES);
        let closed = CancellationToken::new();
        let transfer = Transfer { source, destination, closed, carried, sender: Some(sender), reader: Some(reader) };
        self.with(|open| open.insert(id, transfer));
        id
    }

    /// Forgets it; a side that is not through yet is told that it broke off.
    pub(super) fn close(&self, id: TransferId) {
        if let Some(transfer) = self.with(|open| open.remove(&id)) {
            transfer.closed.cancel();
        }
    }

    /// Passes on what `node` sends, and ends when the other side has taken all of it.
    pub(super) async fn send(&self, id: TransferId, node: NodeId, body: Body) -> Result<(), TransferError> {
        let ((sender, carried), closed) = self.take(id, |transfer| {
            let carried = Arc::clone(&transfer.carried);
            (transfer.source == node).then(|| Some((transfer.sender.take()?, carried)))
        })?;
        let sent = closed.run_until_cancelled(self.pass_on_all(&sender, &carried, body)).await;
        // Its sender is through: nobody comes any more.
        self.with(|open| open.remove(&id));
        sent.unwrap_or(Err(TransferError::BrokenOff))
    }

    async fn pass_on_all(
        &self,
        sender: &mpsc::Sender<Piece>,
        carried: &AtomicU64,
        body: Body,
    ) -> Result<(), TransferError> {
        let mut body = body.into_data_stream();
        // The channel is short: without a reader this stalls after a few pieces, so the wait for it is the same wait.
        while let Some(bytes) = timeout(self.patience, body.next()).await.map_err(|_| TransferError::Stalled)? {
            let bytes = bytes.map_err(|_| TransferError::BrokenOff)?;
            let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            self.pass_on(sender, Piece::Bytes(bytes)).await?;
            carried.fetch_add(length, Ordering::Relaxed);
        }
        self.pass_on(sender, Piece::End).await?;
        timeout(self.patience, sender.closed()).await.map_err(|_| TransferError::Stalled)
    }

    async fn pass_on(&self, sender: &mpsc::Sender<Piece>, piece: Piece) -> Result<(), TransferError> {
        let passed = timeout(self.patience, sender.send(piece)).await;
        passed.map_err(|_| TransferError::Stalled)?.map_err(|_| TransferError::BrokenOff)
    }

    /// What `node` reads. Waits for the first piece, so that a sender that doesn't come is a plain refusal.
    pub(super) async fn receive(&self, id: TransferId, node: NodeId) -> Result<Body, TransferError> {
        let (mut reader, closed) =
            self.take(id, |transfer| (transfer.destination == node).then(|| transfer.reader.take()))?;
        let first = closed.run_until_cancelled(timeout(self.patience, reader.recv())).await;
        let first = first.ok_or(TransferError::BrokenOff)?.map_err(|_| TransferError::Alone)?;
        let first = first.ok_or(TransferError::BrokenOff)?;
        Ok(Body::from_stream(pieces(first, reader, closed, self.patience)))
    }

    fn take<T>(
        &self,
        id: TransferId,
        end: impl FnOnce(&mut Transfer) -> Option<Option<T>>,
    ) -> Result<(T, CancellationToken), TransferError> {
        self.with(|open| {
            let transfer = open.get_mut(&id).ok_or(TransferError::Unknown)?;
            let end = end(transfer).ok_or(TransferError::Unknown)?.ok_or(TransferError::Begun)?;
            Ok((end, transfer.closed.clone()))
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashMap<TransferId, Transfer>) -> T) -> T {
        change(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The pieces as a body; one that is cut off is an error, so that the reader sees a broken connection.
fn pieces(
    first: Piece,
    reader: mpsc::Receiver<Piece>,
    closed: CancellationToken,
    patience: Duration,
) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(Some((Some(first), reader, closed)), move |state| async move {
        let (first, mut reader, closed) = state?;
        let piece = match first {
            Some(first) => Ok(Some(first)),
            None => closed.run_until_cancelled(timeout(patience, reader.recv())).await.unwrap_or(Ok(None)),
        };
        match piece {
            Ok(Some(Piece::Bytes(bytes))) => Some((Ok(bytes), Some((None, reader, closed)))),
            Ok(Some(Piece::End)) => None,
            Ok(None) => Some((Err(io::Error::other(TransferError::BrokenOff)), None)),
            Err(_) => Some((Err(io::Error::other(TransferError::Stalled)), None)),
        }
    })
}
