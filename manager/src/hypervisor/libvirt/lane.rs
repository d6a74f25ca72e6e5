//! A lane: a few threads to one node for one purpose, started when they are needed.
//!
//! A node has four: statistics, jobs, moves (which take long), and control (progress and abort of a move). What hangs in one does not
//! hold up the others, and nothing holds up another node.

use super::errors::Failure;
use super::worker::Worker;
use crate::hypervisor::HypervisorError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use virt::connect::Connect;

#[derive(Debug)]
pub(super) struct Lane {
    name: String,
    uri: String,
    most: usize,
    changed: Option<Arc<Notify>>,
    workers: Mutex<Vec<Arc<Worker>>>,
}

impl Lane {
    /// At most `most` threads.
    pub(super) fn new(name: String, uri: String, most: usize) -> Self {
        Self { name, uri, most, changed: None, workers: Mutex::default() }
    }

    /// The same, listening: `changed` is woken by the events of its connections.
    pub(super) fn listening(self, changed: &Arc<Notify>) -> Self {
        Self { changed: Some(Arc::clone(changed)), ..self }
    }

    pub(super) async fn call<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce(&Connect) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, HypervisorError> {
        let worker = self.worker()?;
        worker.call(deadline, work).await
    }

    /// A place in the queue of an idle thread, else a new one, else the one with the least before it.
    fn worker(&self) -> Result<Arc<Worker>, HypervisorError> {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = workers.iter().find(|worker| worker.pending() == 0) {
            idle.reserve();
            return Ok(idle.clone());
        }
        if workers.len() < self.most {
            let started = Worker::start(&self.name, &self.uri, self.changed.clone());
            let worker = Arc::new(started.map_err(|error| HypervisorError::Unreachable(error.to_string()))?);
            worker.reserve();
            workers.push(worker.clone());
            return Ok(worker);
        }
        let least = workers.iter().min_by_key(|worker| (worker.is_hung(), worker.pending()));
        let least = least.cloned().ok_or_else(|| HypervisorError::Unreachable("no thread for it".into()))?;
        least.reserve();
        Ok(least)
    }
}
