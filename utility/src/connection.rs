//! The module's calls to the manager: plain HTTP, JSON, a bearer key that it got for its one-time token and keeps in
//! memory only. See `grid::work` for the routes.

use crate::lock;
use crate::work::Carrier;
use grid::identity::TransferId;
use grid::sample::UtilitySample;
use grid::work::{Enrolled, Enrolment, Image, WorkAnswer, WorkOrder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read};
use std::sync::Mutex;
use std::time::Duration;
use ureq::http::{Request, Response, StatusCode};
use ureq::{Agent, Body, SendBody};

/// Longer than the manager keeps a poll or a transfer waiting, so that it is the one who says why.
const PATIENCE: Duration = Duration::from_secs(90);
const CONNECT: Duration = Duration::from_secs(5);
/// The longest answer in JSON that is read.
const LONGEST_ANSWER: u64 = 4 << 20;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The key (or the token) isn't taken.
    #[error("the manager doesn't know this module")]
    Unknown,
    #[error("the manager refused: {status} {reason}")]
    Refused { status: u16, reason: String },
    #[error("{0}")]
    Http(#[from] ureq::Error),
    #[error("the manager's answer makes no sense: {0}")]
    Answer(#[from] serde_json::Error),
}

/// The way to the manager.
#[derive(Debug)]
pub struct Connection {
    agent: Agent,
    manager: String,
    enrolment: Enrolment,
    key: Mutex<Option<String>>,
}

impl Connection {
    /// `manager`: `http://ADDRESS:PORT`.
    pub fn new(manager: String, enrolment: Enrolment) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(PATIENCE))
            .timeout_per_write(Some(PATIENCE))
            .build()
            .new_agent();
        Self { agent, manager, enrolment, key: Mutex::default() }
    }

    /// Sends a report.
    pub fn report(&self, sample: &UtilitySample) -> Result<(), ConnectionError> {
        self.post("/utility/report", sample).map(|_| ())
    }

    /// Hands in answers and takes orders, waiting up to `wait` for some.
    pub fn exchange(&self, answers: &[WorkAnswer], wait: Duration) -> Result<Vec<WorkOrder>, ConnectionError> {
        json(self.post(&format!("/utility/work?wait={}", wait.as_secs()), answers)?)
    }

    /// The key; enrols where there is none yet.
    fn key(&self) -> Result<String, ConnectionError> {
        let mut key = lock(&self.key);
        if let Some(key) = key.as_ref() {
            return Ok(key.clone());
        }
        let request =
            Request::post(format!("{}/utility/enrol", self.manager)).header("content-type", "application/json");
        let response = self.agent.run(finish(request, serde_json::to_vec(&self.enrolment)?)?)?;
        let enrolled: Enrolled = json(accepted(response)?)?;
        crate::log(format_args!("enrolled as the utility module of node {}", enrolled.node));
        Ok(key.insert(enrolled.key).clone())
    }

    fn post(&self, path: &str, document: &(impl Serialize + ?Sized)) -> Result<Response<Body>, ConnectionError> {
        let text = serde_json::to_vec(document)?;
        self.with_key(|key| {
            let request = Request::post(format!("{}{path}", self.manager))
                .header("authorization", format!("Bearer {key}"))
                .header("content-type", "application/json");
            Ok(self.agent.run(finish(request, text.as_slice())?)?)
        })
    }

    fn get(&self, path: &str) -> Result<Response<Body>, ConnectionError> {
        self.with_key(|key| {
            let request = Request::get(format!("{}{path}", self.manager));
            Ok(self.agent.run(finish(request.header("authorization", format!("Bearer {key}")), ())?)?)
        })
    }

    /// A key that isn't taken any more is forgotten: the next call enrols again.
    fn with_key(
        &self,
        call: impl FnOnce(&str) -> Result<Response<Body>, ConnectionError>,
    ) -> Result<Response<Body>, ConnectionError> {
        let key = self.key()?;
        let result = call(&key).and_then(accepted);
        if matches!(result, Err(ConnectionError::Unknown)) {
            lock(&self.key).take_if(|now| *now == key);
        }
        result
    }
}

impl Carrier for Connection {
    fn image(&self, image: &Image) -> io::Result<Box<dyn Read>> {
        let path = format!("/utility/images/{}/{}", image.family.as_str(), image.name);
        let response = self.get(&path).map_err(io::Error::other)?;
        Ok(Box::new(response.into_body().into_reader()))
    }

    fn send(&self, transfer: TransferId, mut disk: &mut dyn Read) -> io::Result<()> {
        let result = self.with_key(|key| {
            let request = Request::put(format!("{}/utility/transfers/{transfer}", self.manager))
                .header("authorization", format!("Bearer {key}"))
                .header("content-type", "application/octet-stream")
                // So that a refusal is heard before the disk is sent.
                .header("expect", "100-continue");
            Ok(self.agent.run(finish(request, SendBody::from_reader(&mut disk))?)?)
        });
        result.map(|_| ()).map_err(io::Error::other)
    }

    fn receive(&self, transfer: TransferId) -> io::Result<Box<dyn Read>> {
        let response = self.get(&format!("/utility/transfers/{transfer}")).map_err(io::Error::other)?;
        Ok(Box::new(response.into_body().into_reader()))
    }
}

fn finish<B>(request: ureq::http::request::Builder, body: B) -> Result<Request<B>, ConnectionError> {
    request.body(body).map_err(|error| ConnectionError::Http(error.into()))
}

fn accepted(mut response: Response<Body>) -> Result<Response<Body>, ConnectionError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    if status == StatusCode::UNAUTHORIZED {
        return Err(ConnectionError::Unknown);
    }
    let reason = response.body_mut().with_config().limit(300).read_to_string().unwrap_or_default();
    Err(ConnectionError::Refused { status: status.as_u16(), reason })
}

fn json<T: DeserializeOwned>(mut response: Response<Body>) -> Result<T, ConnectionError> {
    let bytes = response.body_mut().with_config().limit(LONGEST_ANSWER).read_to_vec()?;
    Ok(serde_json::from_slice(&bytes)?)
}
