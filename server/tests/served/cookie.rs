//! The session's cookie: for no script to read, for no other site's page to send, and where people come by HTTPS never sent
//! without it.

use crate::browser::{Answer, Browser};
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

#[test]
fn of_who_does_not_get_in_little_is_kept_and_of_who_never_stops_nothing() {
    let server = Server::start();
    let long = "a".repeat(10_000);
    let mut visitor = server.visitor();
    let wrong = |email: &str| [("email".to_owned(), email.to_owned()), ("password".to_owned(), "wrong".to_owned())];
    let knock = |browser: &mut Browser, email: &str| {
        let fields = wrong(email);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        browser.form("session_open", &fields)
    };
    let answer = knock(&mut visitor, &long);
    let shown = visitor.page("/login");
    for answer in [&answer, &shown] {
        let lasts =
            attributes(answer).into_iter().find_map(|it| it.strip_prefix("max-age=").map(str::to_owned)).unwrap();
        assert!((1..=600).contains(&lasts.parse::<u32>().unwrap()), "{lasts}");
    }
    let page = shown.body;
    assert!(page.contains(&long[..320]) && !page.contains(&long[..321]), "{page}");

    let mut stranger = || knock(&mut server.visitor(), "nobody@acorn.example");
    let told = std::iter::repeat_with(&mut stranger).take(30).find(|answer| answer.status != 302);
    let told = told.expect("it is not stopped");
    assert_eq!((told.status, told.set_cookie.as_str()), (503, ""), "{told:?}");
    // Who keeps the cookie is told on the form how long to wait.
    knock(&mut visitor, "nobody@acorn.example");
    assert!(visitor.page("/login").body.contains("Too many attempts. Try again in"));
}
