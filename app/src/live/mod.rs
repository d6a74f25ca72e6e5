//! Live pages: the browser hears by server-sent events what changed, and pages fetch again what they show.
//!
//! ```text
//!   connecting ──> open <──> lost      (nothing heard for a while, or the stream broke; the browser tries again)
//! ```

#[cfg(feature = "hydrate")]
mod browser;
pub mod zone;

use leptos::prelude::*;
use std::sync::Arc;

/// What the server tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveEvent {
    /// The stream is there (again): whatever is shown may be old.
    Opened,
    /// There is a new map.
    Map,
    Operation(String),
    Vm(String),
}

/// How the stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Not opened yet, or never to be (no scripts, signed out).
    Connecting,
    Open,
    /// Nothing was heard for this many seconds.
    Lost {
        silent_s: u64,
    },
}

type Listener = Arc<dyn Fn(&LiveEvent) + Send + Sync>;

/// The page's one stream and who listens to it.
#[derive(Clone, Copy, Debug)]
pub struct Live {
    pub stream: RwSignal<Stream>,
    listeners: StoredValue<Listeners>,
}

#[derive(Default)]
struct Listeners {
    next: u64,
    all: Vec<(u64, Listener)>,
    is_opened: bool,
}

impl std::fmt::Debug for Listeners {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Listeners").field("count", &self.all.len()).finish_non_exhaustive()
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

impl Live {
    pub fn new() -> Self {
        Self { stream: RwSignal::new(Stream::Connecting), listeners: StoredValue::new(Listeners::default()) }
    }

    /// A number that goes up with each event that concerns the caller. Stays 0 on the server.
    pub fn version(self, concerns: impl Fn(&LiveEvent) -> bool + Send + Sync + 'static) -> ReadSignal<u64> {
        let (version, set_version) = signal(0_u64);
        let heard: Listener = Arc::new(move |event| {
            if *event == LiveEvent::Opened || concerns(event) {
                set_version.update(|version| *version += 1);
            }
        });
        let listeners = self.listeners;
        Effect::new(move |_| {
            let key = listeners.try_update_value(|listeners| {
                let key = listeners.next;
                listeners.next += 1;
                listeners.all.push((key, heard.clone()));
                key
            });
            on_cleanup(move || {
                listeners.try_update_value(|listeners| listeners.all.retain(|(other, _)| Some(*other) != key));
            });
        });
        version
    }

    /// Opens the stream, once a page load. For a signed-in person only; does nothing on the server.
    pub fn open(self) {
        let first = self.listeners.try_update_value(|listeners| !std::mem::replace(&mut listeners.is_opened, true));
        if first == Some(true) {
            #[cfg(feature = "hydrate")]
            browser::open(self);
        }
    }

    /// Tells everyone who listens.
    #[cfg_attr(not(feature = "hydrate"), expect(dead_code, reason = "only the browser hears events"))]
    fn tell(self, event: &LiveEvent) {
        let listeners: Vec<Listener> = self
            .listeners
            .try_with_value(|listeners| listeners.all.iter().map(|(_, listener)| listener.clone()).collect())
            .unwrap_or_default();
        for listener in listeners {
            listener(event);
        }
    }
}
