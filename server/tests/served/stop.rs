//! Stopping: at once, whoever is connected.

use crate::server::Server;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn a_stop_waits_for_no_stream_no_idle_connection_and_not_long_for_half_a_request() {
    let mut server = Server::start();
    let ada = server.signed_in("ada");
    // A browser keeps a stream open, and connections that it may need later: one unused, one that was used.
    let mut stream = TcpStream::connect(("127.0.0.1", server.web)).unwrap();
    write!(stream, "GET /events HTTP/1.1\r\nhost: x\r\ncookie: {}\r\n\r\n", ada.cookie()).unwrap();
    let mut beginning = [0; 15];
    stream.read_exact(&mut beginning).unwrap();
    assert_eq!(&beginning, b"HTTP/1.1 200 OK");
    let unused = TcpStream::connect(("127.0.0.1", server.web)).unwrap();
    let half = TcpStream::connect(("127.0.0.1", server.utility)).unwrap();
    write!(&half, "POST /utility/report HTTP/1.1\r\nhost: x\r\n").unwrap();
    let mut used = TcpStream::connect(("127.0.0.1", server.web)).unwrap();
    write!(used, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    used.read_exact(&mut beginning).unwrap();
    let (took, well) = server.stop();
    assert!(well, "it did not end well");
    assert!(took < Duration::from_secs(4), "{took:?}");
    drop((stream, unused, half, used));
}
