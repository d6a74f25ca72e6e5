//! The wire as the module speaks it: what it sends, and what it makes of the answers.

use crate::manager::Manager;
use crate::pools::{transfer, vm};
use grid::NodeId;
use grid::identity::WorkId;
use grid::work::{Enrolled, Enrolment, Work, WorkAnswer, WorkDone, WorkOrder};
use std::io::Cursor;
use std::time::Duration;
use utility::connection::{Connection, ConnectionError};
use utility::work::Carrier;
use uuid::Uuid;

fn connection(manager: &Manager) -> Connection {
    let enrolment = Enrolment { token: "once".into(), boot_id: "boot".into(), version: "1".into() };
    Connection::new(manager.url.clone(), enrolment)
}

fn enrolled(key: &str) -> (u16, Vec<u8>) {
    (200, serde_json::to_vec(&Enrolled { key: key.into(), node: NodeId(Uuid::nil()) }).unwrap())
}

fn none() -> (u16, Vec<u8>) {
    (200, b"[]".to_vec())
}

#[test]
fn it_enrols_once_and_shows_its_key_from_then_on() {
    let order = WorkOrder { id: WorkId(Uuid::from_u128(1)), work: Work::Delete { vm: vm(1) } };
    let orders = serde_json::to_vec(std::slice::from_ref(&order)).unwrap();
    let manager = Manager::answering([enrolled("key"), (200, orders), none()]);
    let connection = connection(&manager);
    assert_eq!(connection.exchange(&[], Duration::from_secs(20)).unwrap(), std::slice::from_ref(&order));
    let answer = WorkAnswer { id: order.id, outcome: Ok(WorkDone::Done), took_ms: 5 };
    assert!(connection.exchange(std::slice::from_ref(&answer), Duration::ZERO).unwrap().is_empty());

    let calls = manager.calls();
    assert_eq!(calls[0].line, "POST /utility/enrol HTTP/1.1");
    let enrolment: Enrolment = serde_json::from_slice(&calls[0].body).unwrap();
    assert_eq!((enrolment.token.as_str(), enrolment.boot_id.as_str()), ("once", "boot"));
    assert_eq!((calls[1].line.as_str(), calls[1].body.as_slice()), ("POST /utility/work?wait=20 HTTP/1.1", &b"[]"[..]));
    assert_eq!(calls[2].line, "POST /utility/work?wait=0 HTTP/1.1");
    assert_eq!(serde_json::from_slice::<Vec<WorkAnswer>>(&calls[2].body).unwrap(), [answer]);
    assert!(calls[1..].iter().all(|call| call.authorization.as_deref() == Some("Bearer key")));
}

#[test]
fn a_key_that_is_not_taken_any_more_is_forgotten() {
    let manager = Manager::answering([enrolled("old"), (401, Vec::new()), enrolled("new"), none()]);
    let connection = connection(&manager);
    assert!(matches!(connection.exchange(&[], Duration::ZERO), Err(ConnectionError::Unknown)));
    connection.exchange(&[], Duration::ZERO).unwrap();
    assert_eq!(manager.calls()[3].authorization.as_deref(), Some("Bearer new"));
}

#[test]
fn a_refusal_keeps_its_reason_and_the_key() {
    let manager = Manager::answering([enrolled("key"), (409, b"backwards".to_vec()), none()]);
    let connection = connection(&manager);
    let refused = connection.exchange(&[], Duration::ZERO).unwrap_err();
    assert_eq!(refused.to_string(), "the manager refused: 409 backwards");
    connection.exchange(&[], Duration::ZERO).unwrap();
    assert_eq!(manager.calls().len(), 3);
}

#[test]
fn an_answer_that_makes_no_sense_is_an_error() {
    let manager = Manager::answering([enrolled("key"), (200, b"<html>".to_vec())]);
    let result = connection(&manager).exchange(&[], Duration::ZERO);
    assert!(matches!(result, Err(ConnectionError::Answer(_))), "{result:?}");
}

#[test]
fn a_disk_is_put_and_got() {
    let manager =
        Manager::answering([enrolled("key"), (204, Vec::new()), (200, b"disk".to_vec()), (502, b"broke".to_vec())]);
    let connection = connection(&manager);
    connection.send(transfer(1), &mut Cursor::new(vec![7; 100_000])).unwrap();
    let mut got = Vec::new();
    connection.receive(transfer(1)).unwrap().read_to_end(&mut got).unwrap();
    assert_eq!(got, b"disk");
    let calls = manager.calls();
    assert_eq!(calls[1].line, "PUT /utility/transfers/00000000-0000-0000-0000-000000000001 HTTP/1.1");
    assert_eq!(calls[1].body, vec![7; 100_000]);
    assert_eq!(calls[2].line, "GET /utility/transfers/00000000-0000-0000-0000-000000000001 HTTP/1.1");
    assert!(connection.send(transfer(1), &mut Cursor::new(Vec::new())).unwrap_err().to_string().contains("broke"));
}

#[test]
fn a_manager_that_is_not_there_is_an_error_and_no_panic() {
    let enrolment = Enrolment { token: "once".into(), boot_id: "boot".into(), version: "1".into() };
    let connection = Connection::new("http://127.0.0.1:1".to_owned(), enrolment);
    assert!(matches!(connection.exchange(&[], Duration::ZERO), Err(ConnectionError::Http(_))));
}
