//! Many who want operations accepted at once: one after the other takes all that wait, and commits them in one transaction.
//!
//! ```text
//!   operation_begin ─┐                          ┌─ savepoint: decide, write, audit ─┐
//!   operation_begin ─┼─> line ─> all that wait ─┼─ savepoint: refused, rolled back  ─┼─> COMMIT ─> each its answer
//!   operation_begin ─┘                          └─ savepoint: ...                   ─┘
//! ```
//!
//! What is written to the disk is written once for all of them. What is refused or fails rolls back its own savepoint and
//! nobody else's. Nobody is answered before the COMMIT; where that fails, all get its error and nothing is there.

use super::begin::{audit_row, decide, refusal_word};
use super::{Writer, accounts, begin, database};
use crate::store::rows::{NewOperation, RoomCheck};
use crate::store::{Begun, StoreError};
use sqlx::sqlite::SqliteConnection;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// So many go into one transaction at most: others want to write too.
const MOST: usize = 256;

type Answer = Result<Begun, StoreError>;

/// One who waits.
#[derive(Debug)]
struct Request {
    new: NewOperation,
    room: Vec<RoomCheck>,
    answer: oneshot::Sender<Answer>,
}

/// All who wait. Cheap to clone; clones are the same line.
#[derive(Clone, Debug, Default)]
pub(super) struct Line(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    requests: Vec<Request>,
    /// Whether somebody serves the line.
    served: bool,
}

impl Line {
    /// Waits in line for the answer. Who goes away before the turn comes has asked for nothing.
    pub(super) async fn ask(&self, writer: &Arc<Writer>, new: &NewOperation, room: &[RoomCheck]) -> Answer {
        let (answer, answered) = oneshot::channel();
        let is_served = {
            let mut waiting = self.lock();
            waiting.requests.push(Request { new: new.clone(), room: room.to_vec(), answer });
            std::mem::replace(&mut waiting.served, true)
        };
        if !is_served {
            // In a task of its own, so that nobody's going away takes others along.
            tokio::spawn(serve(self.clone(), Arc::clone(writer)));
        }
        answered.await.unwrap_or_else(|_| Err(StoreError::Database("it was not served".to_owned())))
    }

    /// The next that go together; none where nobody waits, and then nobody serves.
    fn next(&self) -> Option<Vec<Request>> {
        let mut waiting = self.lock();
        let count = waiting.requests.len().min(MOST);
        waiting.served = count > 0;
        (count > 0).then(|| waiting.requests.drain(..count).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where serving ends before its time, whoever waits is told so, and the next who comes has the line served again.
struct Serving(Option<Line>);

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(line) = &self.0 {
            *line.lock() = Waiting::default();
        }
    }
}

async fn serve(line: Line, writer: Arc<Writer>) {
    let mut serving = Serving(Some(line.clone()));
    loop {
        let mut connection = writer.lock().await;
        let Some(mut requests) = line.next() else { break };
        requests.retain(|request| !request.answer.is_closed());
        let answers = accept_all(&mut connection, &requests).await;
        drop(connection);
        match answers {
            Ok(answers) => {
                for (request, answer) in requests.into_iter().zip(answers) {
                    // Nobody has to be there any more.
                    let _ = request.answer.send(answer);
                }
            }
            Err(error) => {
                for request in requests {
                    let _ = request.answer.send(Err(StoreError::Database(error.to_string())));
                }
            }
        }
    }
    serving.0 = None;
}

/// One transaction for all. Its error is everybody's.
async fn accept_all(writer: &mut SqliteConnection, requests: &[Request]) -> Result<Vec<Answer>, StoreError> {
    let mut tx = begin(writer).await?;
    let mut answers = Vec::with_capacity(requests.len());
    for request in requests {
        answers.push(accept(&mut tx, &request.new, &request.room).await?);
    }
    tx.commit().await.map_err(database)?;
    Ok(answers)
}

/// One request in its own savepoint. An error of the outer kind: the transaction can't be gone on with.
async fn accept(tx: &mut SqliteConnection, new: &NewOperation, room: &[RoomCheck]) -> Result<Answer, StoreError> {
    execute(tx, "SAVEPOINT request").await?;
    let mut begun = decide(tx, new, room).await;
    if matches!(begun, Ok(Begun::Started(_)))
        && let Err(error) = accounts::audit(tx, &audit_row(new, "accepted")).await
    {
        begun = Err(error);
    }
    match &begun {
        Ok(Begun::Started(_) | Begun::Already(_)) => execute(tx, "RELEASE request").await?,
        // Where the database has given the whole transaction up, there is no savepoint any more.
        Err(_) => execute(tx, "ROLLBACK TO request; RELEASE request").await?,
        Ok(refused) => {
            execute(tx, "ROLLBACK TO request; RELEASE request").await?;
            accounts::audit(tx, &audit_row(new, refusal_word(refused))).await?;
        }
    }
    Ok(begun)
}

async fn execute(tx: &mut SqliteConnection, statement: &'static str) -> Result<(), StoreError> {
    sqlx::query(statement).execute(tx).await.map_err(database)?;
    Ok(())
}
