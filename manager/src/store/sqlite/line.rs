//! A line of those who ask for much the same at once: whoever serves it takes all that wait, and answers them together.
//!
//! ```text
//!   ask ─┐                          ┌─> its answer
//!   ask ─┼─> line ─> all that wait ─┼─> its answer
//!   ask ─┘      (once a connection is free)
//! ```
//!
//! What costs the same for one as for many, a transaction that is written to the disk or a message to a connection's
//! thread, is done once for all of them. An answer is of a time after its question.

use crate::store::StoreError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// So many are served together at most: others want the connection too.
const MOST: usize = 256;

/// How a line is served.
pub(super) trait Desk: Send + Sync + 'static {
    type Question: Send;
    type Answer: Send;
    type Connection: Send;

    fn connect(&self) -> impl Future<Output = Result<Self::Connection, StoreError>> + Send;

    /// One answer for each, in their order. An error is everybody's.
    fn answer(
        connection: &mut Self::Connection,
        questions: &[Self::Question],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send;
}

/// All who wait.
pub(super) struct Line<D: Desk>(Arc<Inner<D>>);

struct Inner<D: Desk> {
    desk: D,
    waiting: Mutex<Waiting<D>>,
}

/// A question, and where its answer goes.
type Asked<D> = (<D as Desk>::Question, oneshot::Sender<Result<<D as Desk>::Answer, StoreError>>);

struct Waiting<D: Desk> {
    all: Vec<Asked<D>>,
    /// Whether somebody serves the line.
    served: bool,
}

impl<D: Desk> Default for Waiting<D> {
    fn default() -> Self {
        Self { all: Vec::new(), served: false }
    }
}

impl<D: Desk> std::fmt::Debug for Line<D> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Line")
    }
}

impl<D: Desk> Line<D> {
    pub(super) fn at(desk: D) -> Self {
        Self(Arc::new(Inner { desk, waiting: Mutex::default() }))
    }

    /// Waits in line for the answer. Who goes away before the turn comes has asked for nothing.
    pub(super) async fn ask(&self, question: D::Question) -> Result<D::Answer, StoreError> {
        let (answer, answered) = oneshot::channel();
        let is_served = {
            let mut waiting = self.0.lock();
            waiting.all.push((question, answer));
            std::mem::replace(&mut waiting.served, true)
        };
        if !is_served {
            // By itself, so that nobody's going away takes others along; and on a thread, for a task would wait behind all
            // who ask before each of its statements.
            let (serving, runtime) = (Serving(Some(Arc::clone(&self.0))), Handle::current());
            tokio::task::spawn_blocking(move || runtime.block_on(serving.through()));
        }
        answered.await.unwrap_or_else(|_| Err(StoreError::Database("it was not served".to_owned())))
    }
}

impl<D: Desk> Inner<D> {
    fn lock(&self) -> MutexGuard<'_, Waiting<D>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next that go together; none where nobody waits, and then nobody serves.
    fn next(&self) -> Option<Vec<Asked<D>>> {
        let mut waiting = self.lock();
        let count = waiting.all.len().min(MOST);
        waiting.served = count > 0;
        (count > 0).then(|| waiting.all.drain(..count).filter(|(_, answer)| !answer.is_closed()).collect())
    }
}

/// Where serving ends before its time, whoever waits is told so, and the next who comes has the line served again.
struct Serving<D: Desk>(Option<Arc<Inner<D>>>);

impl<D: Desk> Drop for Serving<D> {
    fn drop(&mut self) {
        if let Some(line) = &self.0 {
            *line.lock() = Waiting::default();
        }
    }
}

impl<D: Desk> Serving<D> {
    /// Until nobody waits.
    async fn through(mut self) {
        let Some(line) = self.0.clone() else { return };
        loop {
            // Who comes while the connection is not free goes along.
            let mut connection = line.desk.connect().await;
            let Some(next) = line.next() else { break };
            let (questions, waiting): (Vec<_>, Vec<_>) = next.into_iter().unzip();
            let answers = match &mut connection {
                Ok(connection) => D::answer(connection, &questions).await,
                Err(error) => Err(StoreError::Database(error.to_string())),
            };
            drop(connection);
            match answers {
                Ok(answers) => {
                    for (waits, answer) in waiting.into_iter().zip(answers) {
                        // Nobody has to be there any more.
                        let _ = waits.send(Ok(answer));
                    }
                }
                Err(error) => {
                    for waits in waiting {
                        let _ = waits.send(Err(StoreError::Database(error.to_string())));
                    }
                }
            }
        }
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo;

    impl Desk for Echo {
        type Question = u8;
        type Answer = u8;
        type Connection = ();

        async fn connect(&self) -> Result<(), StoreError> {
            Ok(())
        }

        async fn answer((): &mut (), questions: &[u8]) -> Result<Vec<u8>, StoreError> {
            Ok(questions.to_vec())
        }
    }

    #[tokio::test]
    async fn where_nobody_could_serve_who_waits_is_told_so_and_the_next_is_served() {
        let line = Line::at(Echo);
        let (answer, waits) = oneshot::channel();
        *line.0.lock() = Waiting { all: vec![(1, answer)], served: true };
        // As where there is no thread for it.
        drop(Serving(Some(Arc::clone(&line.0))));
        assert!(waits.await.is_err());
        for question in [2, 3] {
            assert_eq!(line.ask(question).await.unwrap(), question);
        }
        // Who serves answers first, and then looks whether anybody waits.
        while line.0.lock().served {
            tokio::task::yield_now().await;
        }
    }
}
