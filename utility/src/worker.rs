//! The worker: reports every few seconds, takes work, answers until the answer is taken. It goes on whatever the
//! manager does; a manager that doesn't answer is asked again, less and less often.

use crate::configuration::Configuration;
use crate::connection::{Connection, ConnectionError};
use crate::pool::Pool;
use crate::report::{Reporter, boot_id};
use crate::work::Workshop;
use crate::{VERSION, files, lock, log};
use grid::identity::WorkId;
use grid::work::{Enrolment, WorkAnswer, WorkFailure, WorkOrder};
use std::collections::{HashSet, VecDeque};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const REPORT_EVERY: Duration = Duration::from_secs(3);
/// How long the manager may keep a poll waiting.
const POLL: Duration = Duration::from_secs(20);
/// Orders that are carried out at the same time; more are refused for now, and repeated by the manager.
const MOST_ORDERS: usize = 32;
const MOST_TAKEN: usize = 256;

/// Runs for ever.
pub fn run(configuration: &Configuration) -> ExitCode {
    let boot_id = configuration.boot_id.clone().unwrap_or_else(|| boot_id(configuration.container));
    let pool = Pool::new(configuration.pool.clone());
    if let Err(error) = files::remove_partials(pool.root()) {
        log(format_args!("tidying the pool: {error}"));
    }
    let enrolment =
        Enrolment { token: configuration.token.clone(), boot_id: boot_id.clone(), version: VERSION.to_owned() };
    let connection = Arc::new(Connection::new(configuration.manager.clone(), enrolment));
    let workshop = Workshop::new(pool.clone(), Arc::clone(&connection) as Arc<_>, configuration.customers.clone());
    let desk = Arc::new(Desk { connection: Arc::clone(&connection), workshop, state: Mutex::default() });
    thread::spawn(move || desk.poll());
    report(&connection, Reporter::new(pool, configuration.container, boot_id))
}

fn report(connection: &Connection, mut reporter: Reporter) -> ! {
    let mut patience = Patience::default();
    loop {
        let begin = Instant::now();
        match connection.report(&reporter.sample()) {
            Ok(()) => {
                patience = Patience::default();
                thread::sleep(REPORT_EVERY.saturating_sub(begin.elapsed()));
            }
            Err(error) => patience.wait("report", &error),
        }
    }
}

/// Orders come in here and answers go out.
#[derive(Debug)]
struct Desk {
    connection: Arc<Connection>,
    workshop: Workshop,
    state: Mutex<DeskState>,
}

#[derive(Debug, Default)]
struct DeskState {
    running: HashSet<WorkId>,
    /// Not yet taken by the manager.
    answers: Vec<WorkAnswer>,
    /// The last that were taken: an order that crossed its answer on the way is answered again, not carried out.
    taken: VecDeque<WorkAnswer>,
}

impl Desk {
    fn poll(self: Arc<Self>) {
        let mut patience = Patience::default();
        loop {
            match self.exchange(POLL) {
                Ok(()) => patience = Patience::default(),
                Err(error) => patience.wait("work", &error),
            }
        }
    }

    /// Hands in all answers, and begins what the manager orders.
    fn exchange(self: &Arc<Self>, wait: Duration) -> Result<(), ConnectionError> {
        let answers = lock(&self.state).answers.clone();
        let orders = self.connection.exchange(&answers, wait)?;
        lock(&self.state).note_taken(&answers);
        for order in orders {
            self.begin(order);
        }
        Ok(())
    }

    /// Begins an order unless it is being carried out, or is answered and the answer on its way.
    fn begin(self: &Arc<Self>, order: WorkOrder) {
        {
            let mut state = lock(&self.state);
            if !state.is_new(order.id) || state.running.len() >= MOST_ORDERS {
                return;
            }
            state.running.insert(order.id);
        }
        let (desk, id) = (Arc::clone(self), order.id);
        let started = thread::Builder::new().spawn(move || desk.carry_out(&order));
        if let Err(error) = started {
            let outcome = Err(WorkFailure::Io { reason: error.to_string() });
            self.answer(WorkAnswer { id, outcome, took_ms: 0 });
        }
    }

    fn carry_out(self: &Arc<Self>, order: &WorkOrder) {
        let begin = Instant::now();
        let outcome = self.workshop.carry_out(&order.work);
        let took_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &outcome {
            Ok(_) => log(format_args!("{} took {took_ms} ms", order.id)),
            Err(error) => log(format_args!("{} failed after {took_ms} ms: {error}", order.id)),
        }
        self.answer(WorkAnswer { id: order.id, outcome, took_ms });
        // Where this fails, the next poll hands the answer in.
        if let Err(error) = self.exchange(Duration::ZERO) {
            log(format_args!("answer: {error}"));
        }
    }

    fn answer(&self, answer: WorkAnswer) {
        let mut state = lock(&self.state);
        state.running.remove(&answer.id);
        state.answers.push(answer);
    }
}

impl DeskState {
    fn note_taken(&mut self, taken: &[WorkAnswer]) {
        self.answers.retain(|answer| !taken.iter().any(|taken| taken.id == answer.id));
        self.taken.retain(|old| !taken.iter().any(|taken| taken.id == old.id));
        self.taken.extend(taken.iter().cloned());
        self.taken.drain(..self.taken.len().saturating_sub(MOST_TAKEN));
    }

    /// Whether an order is neither being carried out nor answered; a taken answer is handed in again.
    fn is_new(&mut self, id: WorkId) -> bool {
        if self.running.contains(&id) || self.answers.iter().any(|answer| answer.id == id) {
            return false;
        }
        let taken = self.taken.iter().find(|answer| answer.id == id).cloned();
        let new = taken.is_none();
        self.answers.extend(taken);
        new
    }
}

/// Waits between attempts, longer each time, and says why not at every attempt.
#[derive(Debug)]
struct Patience {
    pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { pause: Duration::from_millis(500) }
    }
}

impl Patience {
    fn wait(&mut self, what: &str, error: &ConnectionError) {
        log(format_args!("{what}: {error}"));
        thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(Duration::from_secs(15));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid::work::WorkDone;
    use uuid::Uuid;

    fn answer(number: u128) -> WorkAnswer {
        WorkAnswer { id: WorkId(Uuid::from_u128(number)), outcome: Ok(WorkDone::Done), took_ms: 1 }
    }

    #[test]
    fn an_order_is_new_once_and_a_taken_answer_is_handed_in_again() {
        let mut state = DeskState::default();
        let id = answer(1).id;
        assert!(state.is_new(id));
        state.running.insert(id);
        assert!(!state.is_new(id), "being carried out");
        state.running.remove(&id);
        state.answers.push(answer(1));
        assert!(!state.is_new(id), "answered");
        state.note_taken(&[answer(1)]);
        assert!(state.answers.is_empty());
        assert!(!state.is_new(id), "taken");
        assert_eq!(state.answers, [answer(1)], "and handed in again");
    }

    #[test]
    fn only_so_many_taken_answers_are_remembered() {
        let mut state = DeskState::default();
        for number in 0..300 {
            state.note_taken(&[answer(number)]);
        }
        assert_eq!(state.taken.len(), MOST_TAKEN);
        assert!(state.is_new(answer(0).id));
        assert!(!state.is_new(answer(299).id));
    }
}
