//! The browser's side of the stream: an `EventSource` that lives as long as the page does. It connects again by
//! itself; this module notices silence, and says so.

use super::{Live, LiveEvent, Stream};
use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Event, EventSource, MessageEvent};

/// The server sends a beat every ten seconds; two and a half of them unheard is silence.
const SILENCE_S: u64 = 25;

/// How often silence is looked for.
const LOOK: Duration = Duration::from_secs(1);

/// Opens the stream and wires it to `live`.
pub(super) fn open(live: Live) {
    let Ok(source) = EventSource::new("/events") else {
        live.stream.set(Stream::Lost { silent_s: 0 });
        return;
    };
    let silent_s = StoredValue::new(0_u64);
    let heard = move || {
        silent_s.set_value(0);
        if live.stream.get_untracked() != Stream::Open {
            live.stream.set(Stream::Open);
        }
    };

    listen(&source, "open", move |_| {
        heard();
        live.tell(&LiveEvent::Opened);
    });
    listen(&source, "beat", move |_| heard());
    listen(&source, "map", move |_| {
        heard();
        live.tell(&LiveEvent::Map);
    });
    listen(&source, "operation", move |event| {
        heard();
        live.tell(&LiveEvent::Operation(data(&event)));
    });
    listen(&source, "vm", move |event| {
        heard();
        live.tell(&LiveEvent::Vm(data(&event)));
    });
    listen(&source, "missed", move |_| {
        heard();
        live.tell(&LiveEvent::Opened);
    });
    listen(&source, "error", move |_| {
        if live.stream.get_untracked() == Stream::Open {
            live.stream.set(Stream::Lost { silent_s: silent_s.get_value() });
        }
    });

    set_interval(
        move || {
            silent_s.update_value(|seconds| *seconds += 1);
            let seconds = silent_s.get_value();
            let stream = live.stream.get_untracked();
            if matches!(stream, Stream::Lost { .. }) || seconds >= SILENCE_S {
                live.stream.set(Stream::Lost { silent_s: seconds });
            }
        },
        LOOK,
    );
    // The stream lives until the page goes; the browser closes it then.
    std::mem::forget(source);
}

/// Calls `then` at each event of this name, for as long as the page lives.
fn listen(source: &EventSource, name: &str, then: impl FnMut(Event) + 'static) {
    let closure = Closure::<dyn FnMut(Event)>::new(then);
    // Fails for a malformed call only.
    let _ = source.add_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
    closure.forget();
}

/// The event's text.
fn data(event: &Event) -> String {
    event.dyn_ref::<MessageEvent>().and_then(|message| message.data().as_string()).unwrap_or_default()
}
