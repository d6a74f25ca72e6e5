//! A manager of few words: a plain HTTP server that answers as it is told and keeps what it was sent.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A status and what follows it.
type Answer = (u16, Vec<u8>);
type Say = Box<dyn FnMut(&Call) -> Answer + Send>;

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Vec<u8>,
}

struct State {
    calls: Vec<Call>,
    say: Say,
}

#[derive(Clone)]
pub(crate) struct Manager {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl Manager {
    /// Answers each call with the next of its answers; with 500 when there are none.
    pub(crate) fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let mut answers: VecDeque<Answer> = answers.into_iter().collect();
        Self::saying(move |_| answers.pop_front().unwrap_or((500, Vec::new())))
    }

    /// Answers each call with what this says to it.
    pub(crate) fn saying(say: impl FnMut(&Call) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { calls: Vec::new(), say: Box::new(say) }));
        let manager = Self { url, state: Arc::clone(&state) };
        thread::spawn(move || listener.incoming().for_each(|stream| answer(&state, stream.unwrap())));
        manager
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state.lock().unwrap().calls.clone()
    }
}

fn answer(state: &Mutex<State>, mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        let found = head.iter().skip(1).filter_map(|line| line.split_once(": "));
        found.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    if header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    }
    let body = match header("content-length") {
        Some(length) => {
            let mut body = vec![0; length.parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            body
        }
        None if header("transfer-encoding").is_some() => chunks(&mut reader),
        None => Vec::new(),
    };
    let (status, bytes) = {
        let mut state = state.lock().unwrap();
        let call = Call { line: head[0].clone(), authorization: header("authorization"), body };
        state.calls.push(call.clone());
        (state.say)(&call)
    };
    let head = format!("HTTP/1.1 {status} So\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", bytes.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&bytes).unwrap();
}

fn chunks(reader: &mut impl BufRead) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let size = usize::from_str_radix(line.trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).unwrap();
        if size == 0 {
            return body;
        }
        body.extend(&chunk[..size]);
    }
}
