//! The session's cookie: for no script to read, for no other site's page to send, and where people come by HTTPS never sent
//! without it.

use crate::browser::Answer;
use crate::server::{Server, edit, shared};

/// Its attributes, in small letters.
fn attributes(answer: &Answer) -> Vec<String> {
    let (value, attributes) = answer.set_cookie.split_once(';').unwrap_or_else(|| panic!("no cookie: {answer:?}"));
    assert!(value.starts_with("hostgrid="), "{value}");
    attributes.split(';').map(|it| it.trim().to_lowercase()).collect()
}

/// Whether the cookie that this server gives is kept from connections without encryption.
fn is_secure(server: &Server) -> bool {
    let wrong = [("email", "nobody@acorn.example"), ("password", "wrong"), ("next", "")];
    let attributes = attributes(&server.visitor().form("session_open", &wrong));
    for wanted in ["httponly", "samesite=lax", "path=/"] {
        assert!(attributes.iter().any(|it| it == wanted), "{wanted}: {attributes:?}");
    }
    assert!(!attributes.iter().any(|it| it.starts_with("domain")), "this host's alone: {attributes:?}");
    attributes.iter().any(|it| it == "secure")
}

#[test]
fn the_cookie_is_secure_where_people_come_by_https_and_only_there() {
    assert!(!is_secure(shared()), "without encryption it would never come back");
    let mut server = Server::begin_changed(|folder| {
        edit(folder, "hostgrid.toml", |text| text.replace("url = \"http://", "url = \"HTTPS://"));
    });
    assert_eq!(server.first_answer("/login").status, 200);
    assert!(is_secure(&server));
}

#[test]
fn the_cookie_of_whoever_has_signed_in_has_the_same_attributes_and_another_value_and_goes_on_signing_out() {
    let server = shared();
    let user = server.lab.users.iter().find(|user| user.email.starts_with("ada")).unwrap();
    let mut browser = server.visitor();
    browser.form("session_open", &[("email", &user.email), ("password", "wrong"), ("next", "")]);
    let before = browser.cookie().to_owned();
    let signed_in = browser.form("session_open", &[("email", &user.email), ("password", &user.password), ("next", "")]);
    let attributes = attributes(&signed_in);
    assert!(attributes.iter().any(|it| it == "httponly") && attributes.iter().any(|it| it == "samesite=lax"));
    assert_ne!(browser.cookie(), before, "a new id at every sign-in");
    let kept = browser.cookie().to_owned();
    browser.form("session_close", &[]);
    let mut thief = server.visitor();
    thief.take_cookie(&kept);
    assert_eq!(thief.page("/vms").status, 302, "it opens nothing any more");
}
