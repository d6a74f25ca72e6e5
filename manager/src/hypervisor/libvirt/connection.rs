//! One connection to a node's libvirtd: opened when it is first needed, opened again after it broke, with a back-off
//! between failed attempts.
//!
//! libvirt's own opening has no deadline: a daemon that accepts and then says nothing would hold the thread for as
//! long as its machine lives, and longer. So the opening has a thread of its own, which is waited for so long and then left
//! behind; what it brings late is used, or closed. A daemon whose machine goes in the middle of it holds such a thread for
//! ever, and none can be ended: the more there are, the longer until another is begun, so that each connection has only ever few. Where
//! the URI is plain TCP, none is held: the daemon is first asked for its list of authentications on a socket of our own with
//! time-outs (see [`probe`]); the real opening follows only an answer.

use super::events::Listening;
use crate::hypervisor::HypervisorError;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use virt::connect::Connect;

/// The daemon is asked whether it lives after this many seconds of silence…
const KEEPALIVE_SECONDS: i32 = 4;
/// … and given up after this many questions.
const KEEPALIVE_COUNT: u32 = 3;
const PROBE: Duration = Duration::from_secs(3);
/// How long a call waits for the connection to be opened: less than the call itself may take.
const OPEN: Duration = Duration::from_secs(4);
/// After this an opening is given up, and another begun; after twice as long for each that hangs already.
const OPEN_LONGEST: Duration = Duration::from_secs(30);
const BACK_OFF_FIRST: Duration = Duration::from_millis(250);
const BACK_OFF_LONGEST: Duration = Duration::from_secs(15);

/// A connection that may be there or not. Belongs to one thread.
#[derive(Debug)]
pub(super) struct Connection {
    uri: String,
    open: Option<Open>,
    /// It is being opened, and took longer than a call waits.
    attempt: Option<Attempt>,
    /// Held by each thread that opens, for as long as it does.
    openings: Arc<()>,
    retry: Option<Retry>,
    /// Who is woken when a domain changes.
    changed: Option<Arc<Notify>>,
}

/// The listening ends first: its field stands first.
#[derive(Debug)]
struct Open {
    #[expect(dead_code, reason = "it listens as long as it is there")]
    listening: Option<Listening>,
    connect: Connect,
}

#[derive(Debug)]
struct Attempt {
    given_up_at: Instant,
    answer: Receiver<Result<Connect, HypervisorError>>,
}

#[derive(Debug)]
struct Retry {
    not_before: Instant,
    pause: Duration,
    reason: HypervisorError,
}

impl Connection {
    pub(super) fn new(uri: String, changed: Option<Arc<Notify>>) -> Self {
        Self { uri, open: None, attempt: None, openings: Arc::default(), retry: None, changed }
    }

    /// The live connection, opened now where need be; the last failure's reason while backing off.
    pub(super) fn get(&mut self) -> Result<&Connect, HypervisorError> {
        let open = if let Some(open) = self.open.take().filter(Open::is_alive) {
            open
        } else {
            let connect = self.opened()?;
            let listening = self.changed.as_ref().and_then(|changed| listen(&connect, changed));
            Open { listening, connect }
        };
        Ok(&self.open.insert(open).connect)
    }

    pub(super) fn is_alive(&self) -> bool {
        self.open.as_ref().is_some_and(Open::is_alive)
    }

    pub(super) fn drop_open(&mut self) {
        self.open = None;
    }

    /// A new connection. Only the call that begins to open it waits for it; later ones look whether it is there by now.
    fn opened(&mut self) -> Result<Connect, HypervisorError> {
        let (attempt, patience) = match self.attempt.take() {
            Some(attempt) => (attempt, Duration::ZERO),
            None => (self.begin()?, OPEN),
        };
        let answer = match attempt.answer.recv_timeout(patience) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Disconnected) => Err(HypervisorError::Unreachable("the opening broke off".into())),
            Err(RecvTimeoutError::Timeout) => {
                self.attempt = Some(attempt).filter(|it| Instant::now() < it.given_up_at);
                return Err(HypervisorError::Deadline);
            }
        };
        self.retry = answer.as_ref().err().map(|reason| {
            let pause = self.retry.as_ref().map_or(BACK_OFF_FIRST, |last| (last.pause * 2).min(BACK_OFF_LONGEST));
            Retry { not_before: Instant::now() + pause, pause, reason: reason.clone() }
        });
        answer
    }

    /// Begins to open it, on a thread of its own. Where nobody waits for the answer any more, the thread closes what it opened.
    fn begin(&self) -> Result<Attempt, HypervisorError> {
        if let Some(retry) = self.retry.as_ref().filter(|retry| Instant::now() < retry.not_before) {
            return Err(retry.reason.clone());
        }
        // One is ours.
        let hanging = Arc::strong_count(&self.openings) - 1;
        let given_up_at = Instant::now() + OPEN_LONGEST * (1 << hanging.min(16));
        let (teller, answer) = sync_channel(1);
        let (uri, opening) = (self.uri.clone(), Arc::clone(&self.openings));
        let started = std::thread::Builder::new().name("libvirt-open".into()).spawn(move || {
            let _ = teller.send(open(&uri));
            drop(opening);
        });
        started.map_err(|error| HypervisorError::Unreachable(error.to_string()))?;
        Ok(Attempt { given_up_at, answer })
    }
}

impl Open {
    fn is_alive(&self) -> bool {
        self.connect.is_alive().unwrap_or(false)
    }
}

fn open(uri: &str) -> Result<Connect, HypervisorError> {
    start_event_loop();
    probe(uri)?;
    let unreachable = |error: virt::error::Error| HypervisorError::Unreachable(super::errors::words(&error));
    let connection = Connect::open(Some(uri)).map_err(unreachable)?;
    // A local driver has no keepalive and says so; it needs none.
    if let Err(error) = connection.set_keep_alive(KEEPALIVE_SECONDS, KEEPALIVE_COUNT) {
        tracing::debug!(%error, uri, "no keepalive on this connection");
    }
    Ok(connection)
}

/// A node that tells nothing by itself is looked at on the clock, as all are.
fn listen(connection: &Connect, changed: &Arc<Notify>) -> Option<Listening> {
    let listening = Listening::begin(connection, changed);
    listening.inspect_err(|error| tracing::debug!(%error, "no events on this connection")).ok()
}

/// libvirt's event loop, on a thread of its own, before the first connection: keepalive and events need it.
fn start_event_loop() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        virt::error::clear_error_callback();
        if let Err(error) = virt::event::event_register_default_impl() {
            tracing::error!(%error, "libvirt's event loop could not be registered; dead nodes are noticed late");
            return;
        }
        let started = std::thread::Builder::new().name("libvirt-events".into()).spawn(|| {
            loop {
                if let Err(error) = virt::event::event_run_default_impl() {
                    tracing::error!(%error, "libvirt's event loop stumbled");
                    std::thread::sleep(Duration::from_secs(1));
                }
            }
        });
        if let Err(error) = started {
            tracing::error!(%error, "libvirt's event loop has no thread; dead nodes are noticed late");
        }
    });
}

/// Whether the daemon behind a plain TCP URI answers. Other transports are not probed.
fn probe(uri: &str) -> Result<(), HypervisorError> {
    let Some(authority) = tcp_authority(uri) else { return Ok(()) };
    let asked = ask_authentications(&authority).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => HypervisorError::Deadline,
        _ => HypervisorError::Unreachable(error.to_string()),
    });
    asked.inspect_err(|error| tracing::debug!(%error, uri, "the daemon does not answer"))
}

/// `HOST:PORT` of `DRIVER+tcp://HOST[:PORT]/…`; libvirt's own port where none is given.
fn tcp_authority(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once("://")?;
    if !scheme.ends_with("+tcp") {
        return None;
    }
    let authority = rest.split(['/', '?']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(before, port)| (!before.contains(':') || before.ends_with(']')) && port.parse::<u16>().is_ok());
    Some(if has_port { host.to_owned() } else { format!("{host}:16509") })
}

/// One call of libvirt's remote protocol: length, program, version, procedure, type, serial, status; then the answer's
/// length. See libvirt's `src/rpc/virnetprotocol.x` and `src/remote/remote_protocol.x` (`REMOTE_PROC_AUTH_LIST`).
fn ask_authentications(authority: &str) -> std::io::Result<()> {
    const WORDS: [u32; 7] = [28, 0x2000_8086, 1, 66, 0, 0, 0];
    let address = authority.to_socket_addrs()?.next().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
    let mut stream = TcpStream::connect_timeout(&address, PROBE)?;
    stream.set_read_timeout(Some(PROBE))?;
    stream.set_write_timeout(Some(PROBE))?;
    let request: Vec<u8> = WORDS.iter().flat_map(|word| word.to_be_bytes()).collect();
    stream.write_all(&request)?;
    stream.read_exact(&mut [0; 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_tcp_is_probed() {
        assert_eq!(tcp_authority("qemu+tcp://10.0.0.1/system").as_deref(), Some("10.0.0.1:16509"));
        assert_eq!(tcp_authority("lxc+tcp://node:7/system?x=1").as_deref(), Some("node:7"));
        assert_eq!(tcp_authority("qemu+tcp://root@[fd00::1]/system").as_deref(), Some("[fd00::1]:16509"));
        assert_eq!(tcp_authority("qemu+ssh://node/system"), None);
        assert_eq!(tcp_authority("qemu:///system"), None);
    }

    #[test]
    fn a_silent_daemon_is_given_up_by_the_deadline_and_not_asked_again_at_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut connection = Connection::new(format!("qemu+tcp://127.0.0.1:{port}/system"), None);
        let begin = Instant::now();
        assert_eq!(connection.get().err(), Some(HypervisorError::Deadline));
        assert!(begin.elapsed() < PROBE * 2);
        let again = Instant::now();
        assert_eq!(connection.get().err(), Some(HypervisorError::Deadline));
        assert!(again.elapsed() < BACK_OFF_FIRST);
    }

    /// As one behind TLS or SSH does that hangs before it says a word: none of these is probed.
    #[test]
    fn a_daemon_that_hangs_while_it_is_opened_holds_one_call_for_its_time_and_later_ones_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let daemon = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let mut connection = Connection::new(format!("qemu+unix:///system?socket={}", socket.display()), None);
        let begin = Instant::now();
        assert_eq!(connection.get().err(), Some(HypervisorError::Deadline));
        assert!(begin.elapsed() < OPEN + Duration::from_secs(1));
        let again = Instant::now();
        for _ in 0..20 {
            assert_eq!(connection.get().err(), Some(HypervisorError::Deadline));
        }
        assert!(again.elapsed() < Duration::from_secs(1));
        assert_eq!(Arc::strong_count(&connection.openings), 2, "one thread waits, for all of them");

        // Given up after a while, though it may hang for ever; the next one later.
        connection.attempt.as_mut().unwrap().given_up_at = Instant::now();
        for _ in 0..2 {
            assert_eq!(connection.get().err(), Some(HypervisorError::Deadline));
        }
        assert_eq!(Arc::strong_count(&connection.openings), 3);
        assert!(connection.attempt.as_ref().unwrap().given_up_at > Instant::now() + OPEN_LONGEST);

        // What comes of it in the end is known at the next look, and nothing is left waiting.
        drop(daemon);
        let until = Instant::now() + Duration::from_secs(5);
        while connection.get().err() == Some(HypervisorError::Deadline) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(matches!(connection.get().err(), Some(HypervisorError::Unreachable(_))));
        while Arc::strong_count(&connection.openings) > 1 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(Arc::strong_count(&connection.openings), 1);
    }
}
