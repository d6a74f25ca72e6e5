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
    /// The cookie as it was set, with its attributes.
    pub(crate) set_cookie: String,
    pub(crate) body: String,
}

/// A form in a page: where it goes, and what it sends without scripts.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) action: String,
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    name: String,
    value: String,
    /// It is sent where it is ticked only.
    is_tick: bool,
}

impl Form {
    /// The form with this button, which can be pressed.
    pub(crate) fn in_page(page: &str, button: &str) -> Self {
        let forms = page.split("<form").skip(1).map(|rest| rest.split("</form>").next().unwrap());
        let mut found = forms.filter(|form| buttons(form).any(|(text, _)| text == button));
        let form = found.next().unwrap_or_else(|| panic!("no form has the button {button}: {page}"));
        assert!(
            buttons(form).all(|(text, is_disabled)| text != button || !is_disabled),
            "{button} is disabled: {form}"
        );
        let (head, inside) = form.split_once('>').unwrap();
        assert_eq!(attribute(head, "method").as_deref(), Some("post"), "{head}");
        let tags = inside.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap());
        let fields = tags.map(|tag| Field {
            name: attribute(tag, "name").unwrap(),
            value: attribute(tag, "value").unwrap_or_default(),
            is_tick: attribute(tag, "type").as_deref() == Some("checkbox"),
        });
        Self { action: attribute(head, "action").unwrap(), fields: fields.collect() }
    }

    /// Whether it has such a tick.
    pub(crate) fn has_tick(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.is_tick && field.name == name)
    }

    /// What is sent where this was typed, or ticked: a tick's own value.
    fn sent<'a>(&'a self, typed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        for (name, _) in typed {
            assert!(self.fields.iter().any(|field| field.name == *name), "there is no field {name}: {self:?}");
        }
        let typed_into = |field: &Field| typed.iter().find(|(name, _)| *name == field.name).map(|(_, value)| *value);
        let sent = self.fields.iter().filter_map(|field| match (typed_into(field), field.is_tick) {
            (None, true) => None,
            (None, false) | (Some(_), true) => Some((&*field.name, &*field.value)),
            (Some(value), false) => Some((&*field.name, value)),
        });
        sent.collect()
    }
}

/// Each button's words, and whether it is disabled.
fn buttons(form: &str) -> impl Iterator<Item = (String, bool)> + '_ {
    let buttons = form.split("<button").skip(1).map(|rest| rest.split("</button>").next().unwrap());
    buttons.map(|button| {
        let (tag, words) = button.split_once('>').unwrap();
        // Between the words stand marks for the scripts.
        let words: String = words.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
        (unescaped(words.trim()), tag.contains(" disabled"))
    })
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(unescaped(rest.split('"').next()?))
}

fn unescaped(text: &str) -> String {
    let marks = [("&quot;", "\""), ("&#x27;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    marks.iter().fold(text.to_owned(), |text, (mark, letter)| text.replace(mark, letter))
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

    /// Goes on with somebody's cookie.
    pub(crate) fn take_cookie(&mut self, cookie: &str) {
        cookie.clone_into(&mut self.cookie);
    }

    /// A page, as it comes over the wire.
    pub(crate) fn page(&mut self, path: &str) -> Answer {
        self.send("GET", path, "text/html", &[], String::new())
    }

    /// A form that is posted without scripts.
    pub(crate) fn form(&mut self, endpoint: &str, fields: &[(&str, &str)]) -> Answer {
        self.post(endpoint, "text/html,*/*", &[("sec-fetch-site", "same-origin")], encoded(fields))
    }

    /// Presses a button of a page without scripts, with this typed or ticked in its form; goes where that leads.
    pub(crate) fn press(&mut self, page: &str, button: &str, typed: &[(&str, &str)]) -> Answer {
        let answer = self.page(page);
        assert_eq!(answer.status, 200, "{page}: {answer:?}");
        let answer = self.send_form(&Form::in_page(&answer.body, button), typed);
        assert_eq!(answer.status, 302, "{button} of {page}: {answer:?}");
        let onward = self.page(&answer.location);
        Answer { location: answer.location, ..onward }
    }

    /// Sends a form that a page had.
    pub(crate) fn send_form(&mut self, form: &Form, typed: &[(&str, &str)]) -> Answer {
        let door = form.action.strip_prefix("/api/").unwrap_or_else(|| panic!("no door of ours: {form:?}"));
        self.form(door, &form.sent(typed))
    }

    /// A door, as our scripts ask it.
    pub(crate) fn script(&mut self, endpoint: &str, fields: &[(&str, &str)]) -> Answer {
        self.post(endpoint, "application/json", &[("sec-fetch-site", "same-origin")], encoded(fields))
    }

    pub(crate) fn post(&mut self, endpoint: &str, accept: &str, more: &[(&str, &str)], body: String) -> Answer {
        self.send("POST", &format!("/api/{endpoint}"), accept, more, body)
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        accept: &str,
        more: &[(&str, &str)],
        body: String,
    ) -> Answer {
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
        let set_cookie = header("set-cookie");
        if let Some((cookie, _)) = set_cookie.split_once(';') {
            cookie.clone_into(&mut self.cookie);
        }
        let (kind, location) = (header("content-type"), header("location"));
        let status = response.status().as_u16();
        Answer { status, kind, location, set_cookie, body: response.body_mut().read_to_string().unwrap() }
    }
}

/// A call at the utility modules' door; its status.
pub(crate) fn call_as_module(port: u16, path: &str, key: &str, body: &str) -> u16 {
    let url = format!("http://127.0.0.1:{port}{path}");
    let request = agent().post(&url).header("authorization", format!("Bearer {key}"));
    request.send(body).unwrap().status().as_u16()
}

/// The key that a utility module is given for its token.
pub(crate) fn enrol(port: u16, token: &str) -> String {
    let body = format!(r#"{{"token":"{token}","boot_id":"the-boot","version":"1.2.3"}}"#);
    let mut answer = agent().post(format!("http://127.0.0.1:{port}/utility/enrol")).send(&body).unwrap();
    let answer = answer.body_mut().read_to_string().unwrap();
    let enrolled: grid::work::Enrolled = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}"));
    enrolled.key
}
