//! What a browser sends, without a browser: plain forms and pages, and what our scripts ask the doors.

use std::time::Duration;
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

#[derive(Debug)]
pub(crate) struct Browser {
    agent: Agent,
    web: u16,
    cookie: String,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) location: String,
    pub(crate) body: String,
}

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into()
}

/// Letters and digits as they are, everything else as bytes in hexadecimal.
pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    let text = |text: &str| text.bytes().map(byte).collect::<String>();
    fields.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect::<Vec<_>>().join("&")
}

impl Browser {
    pub(crate) fn new(web: u16) -> Self {
        Self { agent: agent(), web, cookie: String::new() }
    }

    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// A page, as it comes over the wire.
    pub(crate) fn page(&mut self, path: &str) -> Answer {
        self.send("GET", path, "text/html", &[], String::new())
    }

    /// A form that is posted without scripts.
    pub(crate) fn form(&mut self, endpoint: &str, fields: &[(&str, &str)]) -> Answer {
        self.post(endpoint, "text/html,*/*", &[("sec-fetch-site", "same-origin")], encoded(fields))
    }

    /// A door, as our scripts ask it.
    pub(crate) fn script(&mut self, endpoint: &str, fields: &[(&str, &str)]) -> Answer {
        self.post(endpoint, "application/json", &[("sec-fetch-site", "same-origin")], encoded(fields))
    }

    pub(crate) fn post(&mut self, endpoint: &str, accept: &str, more: &[(&str, &str)], body: String) -> Answer {
        self.send("POST", &format!("/api/{endpoint}"), accept, more, body)
    }

    fn send(&mut self, method: &str, path: &str, accept: &str, more: &[(&str, &str)], body: String) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://127.0.0.1:{}{path}", self.web))
            .header("accept", accept)
            .header("cookie", &self.cookie);
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        let response = if method == "GET" {
            self.agent.run(request.body(()).unwrap())
        } else {
            self.agent.run(request.header("content-type", "application/x-www-form-urlencoded").body(body).unwrap())
        };
        self.take(response.unwrap())
    }

    fn take(&mut self, mut response: Response<Body>) -> Answer {
        let header = |name: &str| {
            response.headers().get(name).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
        };
        let cookie = header("set-cookie");
        if let Some((cookie, _)) = cookie.split_once(';') {
            cookie.clone_into(&mut self.cookie);
        }
        let (kind, location) = (header("content-type"), header("location"));
        let status = response.status().as_u16();
        Answer { status, kind, location, body: response.body_mut().read_to_string().unwrap() }
    }
}

/// A call at the utility modules' door; its status.
pub(crate) fn call_as_module(port: u16, path: &str, key: &str, body: &str) -> u16 {
    let url = format!("http://127.0.0.1:{port}{path}");
    let request = agent().post(&url).header("authorization", format!("Bearer {key}"));
    request.send(body).unwrap().status().as_u16()
}
