//! Accepting operations: those that come together are decided about in their order, over facts that are read once, and
//! written by a few statements, in one transaction.
//!
//! ```text
//!   operation_begin ─┐            ┌─ facts ─ decide each ─ write all ─┐
//!   operation_begin ─┼─> line ─>──┤                                   ├─> COMMIT ─> each its answer
//!   operation_begin ─┘            └─ or each in a savepoint of its own ┘
//! ```
//!
//! What is written to the disk is written once for all of them. What is refused writes its audit row and nothing else.
//! Where something can't be written, nobody knows whose it is: all is undone, and each is tried in a savepoint of its own, which
//! one that fails rolls back and nobody else's. Nobody is answered before the COMMIT; where that fails, all get its error
//! and nothing is there.

use super::begin::{audit_row, refusal_word, write};
use super::facts::Facts;
use super::line::Desk;
use super::{Writer, accounts, begin, database};
use crate::store::rows::{NewOperation, RoomCheck};
use crate::store::{Begun, StoreError};
use sqlx::sqlite::SqliteConnection;
use std::sync::Arc;
use tokio::sync::OwnedMutexGuard;

/// What is asked for: an operation, and room that must be there.
pub(super) type Request = (NewOperation, Vec<RoomCheck>);

type Answer = Result<Begun, StoreError>;

/// Where operations are accepted.
pub(super) struct Acceptance(pub(super) Arc<Writer>);

impl Desk for Acceptance {
    type Question = Request;
    type Answer = Answer;
    type Connection = OwnedMutexGuard<SqliteConnection>;

    async fn connect(&self) -> Result<Self::Connection, StoreError> {
        Ok(self.0.lock().await)
    }

    async fn answer(writer: &mut Self::Connection, requests: &[Request]) -> Result<Vec<Answer>, StoreError> {
        let mut tx = begin(writer).await?;
        let answers = accept(&mut tx, requests).await;
        if let Err(error) = &answers {
            tracing::debug!(%error, requests = requests.len(), "not all together: each by itself");
            tx.rollback().await.map_err(database)?;
            return one_by_one(writer, requests).await;
        }
        tx.commit().await.map_err(database)?;
        answers
    }
}

/// Decides about all of them, and writes what is accepted. An error may be anybody's.
async fn accept(tx: &mut SqliteConnection, requests: &[Request]) -> Result<Vec<Answer>, StoreError> {
    let mut facts = Facts::read(tx, requests).await?;
    let (mut answers, mut accepted, mut audit) = (Vec::new(), Vec::new(), Vec::new());
    for (new, room) in requests {
        let answer = facts.decide(new, room);
        match &answer {
            Ok((Begun::Already(_), _)) | Err(_) => {}
            Ok((begun, _)) => audit.push(audit_row(new, refusal_word(begun))),
        }
        answers.push(answer.map(|(begun, decided)| {
            accepted.extend(decided);
            begun
        }));
    }
    write(tx, &accepted).await?;
    accounts::audit_all(tx, &audit).await?;
    Ok(answers)
}

/// One transaction for all, and a savepoint for each. Its error is everybody's.
async fn one_by_one(writer: &mut SqliteConnection, requests: &[Request]) -> Result<Vec<Answer>, StoreError> {
    let mut tx = begin(writer).await?;
    let mut answers = Vec::with_capacity(requests.len());
    for request in requests {
        execute(&mut tx, "SAVEPOINT request").await?;
        let answer = accept(&mut tx, std::slice::from_ref(request)).await;
        // Where the database has given the whole transaction up, there is no savepoint any more.
        execute(&mut tx, if answer.is_ok() { "RELEASE request" } else { "ROLLBACK TO request; RELEASE request" })
            .await?;
        match answer {
            Ok(answer) => answers.extend(answer),
            Err(error) => answers.push(Err(error)),
        }
    }
    tx.commit().await.map_err(database)?;
    Ok(answers)
}

async fn execute(tx: &mut SqliteConnection, statement: &'static str) -> Result<(), StoreError> {
    sqlx::query(statement).execute(tx).await.map_err(database)?;
    Ok(())
}
