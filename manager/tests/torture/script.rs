//! What goes wrong, and when: every commit of the store and every side effect of a hypervisor or module is a boundary
//! with a number; the script says what happens at which.

use crate::ground::Ground;
use crate::people::Word;
use grid::{NodeId, VmId};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What is done at a boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Site {
    Commit,
    Call,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The program is dead before anything was done.
    DieBefore,
    /// All was done, and the program is dead before it hears of it.
    DieAfter,
    /// The program is dead while it is being done. A live move goes on without it, and has arrived after as many
    /// boundaries more; anything else was not done.
    DieInside { after: u64 },
    /// It fails, in a way that lasts or that passes.
    Refuse { passing: bool },
    /// All was done, and its answer is lost.
    LoseAnswer,
    /// This node's hypervisor (by its number) stops answering, for as many boundaries.
    Silent { node: usize, lasting: u64 },
    /// This node's utility module does.
    ModuleSilent { node: usize, lasting: u64 },
    /// This node loses its power, and has it again at once.
    PowerFail { node: usize },
    /// Nothing goes wrong, and somebody says something while it is done.
    Said(Word),
}

impl Fault {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::DieBefore => "killed before it",
            Self::DieAfter => "killed after it",
            Self::DieInside { .. } => "killed while it went on",
            Self::Refuse { passing: false } => "refused",
            Self::Refuse { passing: true } => "unreachable once",
            Self::LoseAnswer => "answer lost",
            Self::Silent { .. } => "hypervisor silent",
            Self::ModuleSilent { .. } => "utility module silent",
            Self::PowerFail { .. } => "node's power lost",
            Self::Said(Word::Cancel { .. }) => "an operation is to be cancelled",
            Self::Said(Word::CancelMoves) => "moves are to be cancelled",
            Self::Said(Word::Retry) => "what waits is to be tried again",
            Self::Said(Word::GiveUp) => "what waits is to be given up",
        }
    }
}

/// A live move from peer to peer.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub(crate) vm: VmId,
    pub(crate) source: NodeId,
    pub(crate) uri: String,
}

#[derive(Debug, Default)]
struct State {
    count: u64,
    is_dead: bool,
    faults: BTreeMap<u64, Fault>,
    /// What ends when.
    ends: BTreeMap<u64, Vec<Fault>>,
    /// Live moves that go on without their program, and when they arrive.
    moves: Vec<(u64, Move)>,
    /// What happened, where.
    met: Vec<(Site, &'static str, Fault)>,
    sites: Vec<(Site, &'static str)>,
    /// What was said and not yet carried out, what came of the rest, and what should not have.
    words: VecDeque<Word>,
    answers: Vec<&'static str>,
    unexpected: Vec<String>,
}

/// Shared by the store, the hypervisors and the modules of one grid.
#[derive(Debug)]
pub(crate) struct Script {
    state: Mutex<State>,
    died: Notify,
    spoken: Notify,
    pub(crate) ground: Arc<Ground>,
}

impl Script {
    pub(crate) fn new(ground: Arc<Ground>, faults: &[(u64, Fault)]) -> Arc<Self> {
        let faults = faults.iter().copied().collect();
        let state = Mutex::new(State { faults, ..State::default() });
        Arc::new(Self { state, died: Notify::new(), spoken: Notify::new(), ground })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One boundary: `work` is done, or not, or in vain.
    pub(crate) async fn pass<T, E>(
        &self,
        at: (Site, &'static str),
        error: impl Fn(Fault) -> E,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.pass_move(at, None, error, work).await
    }

    /// The same for what may go on without its program.
    pub(crate) async fn pass_move<T, E>(
        &self,
        (site, name): (Site, &'static str),
        moving: Option<Move>,
        error: impl Fn(Fault) -> E,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        if self.state().is_dead {
            return pending().await;
        }
        let fault = self.meet(site, name);
        let ended = match fault {
            Some(Fault::DieBefore) => return self.die().await,
            Some(Fault::DieInside { after }) => {
                self.goes_on(moving, after);
                return self.die().await;
            }
            Some(Fault::DieAfter) => {
                drop(work.await);
                return self.die().await;
            }
            Some(Fault::Refuse { .. }) => Err(error(fault.unwrap_or(Fault::LoseAnswer))),
            Some(Fault::LoseAnswer) => {
                drop(work.await);
                Err(error(Fault::LoseAnswer))
            }
            _ => work.await,
        };
        self.ground.look();
        ended
    }

    fn meet(&self, site: Site, name: &'static str) -> Option<Fault> {
        let mut state = self.state();
        let now = state.count;
        state.count += 1;
        state.sites.push((site, name));
        let fault = state.faults.remove(&now);
        if let Some(fault) = fault {
            state.met.push((site, name, fault));
            if let Fault::Silent { lasting, .. } | Fault::ModuleSilent { lasting, .. } = fault {
                state.ends.entry(now + lasting).or_default().push(fault);
            }
            if let Fault::Said(word) = fault {
                state.words.push_back(word);
                self.spoken.notify_one();
            }
            self.ground.begin(fault);
        }
        let later = state.ends.split_off(&(now + 1));
        for ended in std::mem::replace(&mut state.ends, later).into_values().flatten() {
            self.ground.end(ended);
        }
        let (arrived, moving) = std::mem::take(&mut state.moves).into_iter().partition(|(due, _)| *due <= now);
        state.moves = moving;
        drop(state);
        let arrived: Vec<(u64, Move)> = arrived;
        for (_, moving) in &arrived {
            self.ground.arrive(moving);
        }
        fault
    }

    fn goes_on(&self, moving: Option<Move>, after: u64) {
        let mut state = self.state();
        let due = state.count + after;
        state.moves.extend(moving.map(|moving| (due, moving)));
    }

    /// Whether a move of this VM goes on by itself.
    pub(crate) fn moves(&self, vm: VmId) -> bool {
        self.state().moves.iter().any(|(_, moving)| moving.vm == vm)
    }

    /// It is aborted.
    pub(crate) fn abort(&self, vm: VmId) {
        self.state().moves.retain(|(_, moving)| moving.vm != vm);
    }

    /// Nothing of this program goes on.
    async fn die<T>(&self) -> T {
        self.state().is_dead = true;
        self.ground.look();
        self.died.notify_one();
        pending().await
    }

    pub(crate) async fn died(&self) {
        self.died.notified().await;
    }

    pub(crate) async fn spoken(&self) {
        self.spoken.notified().await;
    }

    /// The first of these that was said and is not carried out.
    pub(crate) fn word(&self, which: impl Fn(&Word) -> bool) -> Option<Word> {
        let mut state = self.state();
        let at = state.words.iter().position(which)?;
        state.words.remove(at)
    }

    pub(crate) fn has_words(&self) -> bool {
        !self.state().words.is_empty()
    }

    /// What came of a word.
    pub(crate) fn answered(&self, told: &'static str) {
        self.state().answers.push(told);
    }

    pub(crate) fn answers(&self) -> Vec<&'static str> {
        self.state().answers.clone()
    }

    /// An answer that nobody should get.
    pub(crate) fn unexpected(&self, told: String) {
        self.state().unexpected.push(told);
    }

    pub(crate) fn all_unexpected(&self) -> Vec<String> {
        self.state().unexpected.clone()
    }

    /// Another program begins.
    pub(crate) fn begin_anew(&self) {
        self.state().is_dead = false;
    }

    /// Nothing goes wrong any more.
    pub(crate) fn clear(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.ends.clear();
        state.words.clear();
        let moves = std::mem::take(&mut state.moves);
        self.ground.clear();
        for (_, moving) in &moves {
            self.ground.arrive(moving);
        }
    }

    /// The boundaries that were passed so far.
    pub(crate) fn sites(&self) -> Vec<(Site, &'static str)> {
        self.state().sites.clone()
    }

    pub(crate) fn met(&self) -> Vec<(Site, &'static str, Fault)> {
        self.state().met.clone()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}
