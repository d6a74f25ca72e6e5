//! The session behind a request: signing in and out, and what is carried back to a form.

use super::door;
use crate::AppError;
use crate::form::{Flash, FormReply, Problem};
use crate::view::session::SessionView;
use http::request::Parts;
use leptos::prelude::use_context;
use leptos_axum::redirect;
use manager::ManagerError;
use manager::accounts::{Role, sessions};
use std::fmt::Write as _;
use time::Duration;
use tower_sessions::session::Error;
use tower_sessions::{Expiry, Session};

/// The flash's key in the session.
const FLASH: &str = "flash";

/// How long a visitor who did not get in is remembered, for the form to be shown again; and how much of the email that
/// was typed. Anybody can have this kept.
const VISIT: Duration = Duration::minutes(10);
const LONGEST_EMAIL: usize = 320;

/// The session of the request that is being answered.
pub(super) fn current() -> Result<Session, AppError> {
    use_context::<Parts>().and_then(|parts| parts.extensions.get::<Session>().cloned()).ok_or_else(|| {
        tracing::error!("a door was opened outside of the session layer");
        door::refuse(AppError::Internal)
    })
}

/// A session that could not be read or written.
pub(super) fn failed(error: Error) -> AppError {
    tracing::error!(%error, "the session failed");
    door::refuse(AppError::Internal)
}

/// Who is signed in; nobody is no error.
pub(crate) async fn describe() -> Result<SessionView, AppError> {
    let manager = door::manager()?;
    let user = sessions::user(&current()?).await.map_err(failed)?;
    let principal = match user {
        Some(user) => manager.accounts().principal(user).await,
        None => None,
    };
    Ok(SessionView {
        is_admin: principal.as_ref().is_some_and(|principal| principal.role == Role::Admin),
        email: principal.map(|principal| principal.email),
        is_simulated: manager.is_simulated(),
    })
}

pub(crate) async fn open(email: &str, password: &str, next: &str) -> Result<FormReply, AppError> {
    let manager = door::manager()?;
    let session = current()?;
    let error = match manager.accounts().sign_in(email, password).await {
        Ok(principal) => {
            sessions::begin(&session, &principal).await.map_err(failed)?;
            let start = if principal.role == Role::Admin { "/admin" } else { "/vms" };
            redirect(if is_path_of_ours(next) { next } else { start });
            return Ok(FormReply::default());
        }
        Err(error) => error,
    };
    if expire_if_visitor(&session).await? {
        // Nothing more is kept for who keeps no cookie and does not stop.
        let too_many = matches!(error, ManagerError::TooManyAttempts { .. });
        if too_many && session.id().is_none() && door::is_plain_form() {
            return Err(door::refuse(AppError::Unavailable));
        }
    }
    let problems = match error {
        ManagerError::SignedOut => vec![Problem::whole("This email and password don't belong together.")],
        other => match door::problems(other) {
            Ok(problems) => problems,
            Err(_) => return Err(door::refuse(AppError::Internal)),
        },
    };
    let back = if is_path_of_ours(next) { login_address(next) } else { "/login".to_owned() };
    let typed = email.chars().take(LONGEST_EMAIL).collect();
    door::reply_problems(&session, problems, "login", &back, &[("email", typed)]).await
}

/// A visitor, with whom nobody is signed in, is remembered for a short time only. Tells whether it is one.
async fn expire_if_visitor(session: &Session) -> Result<bool, AppError> {
    let visitor = sessions::user(session).await.map_err(failed)?.is_none();
    if visitor {
        session.set_expiry(Some(Expiry::OnInactivity(VISIT)));
    }
    Ok(visitor)
}

pub(crate) async fn close() -> Result<(), AppError> {
    sessions::end(&current()?).await.map_err(failed)?;
    redirect("/login");
    Ok(())
}

/// Keeps a flash for the next time its form is shown.
pub(super) async fn flash_put(session: &Session, flash: Flash) -> Result<(), AppError> {
    session.insert(FLASH, flash).await.map_err(failed)
}

/// Takes the flash if it is this form's.
pub(crate) async fn flash_take(form: &str) -> Result<Flash, AppError> {
    let session = current()?;
    let flash = session.get::<Flash>(FLASH).await.map_err(failed)?;
    match flash {
        Some(flash) if flash.form == form => {
            session.remove::<Flash>(FLASH).await.map_err(failed)?;
            expire_if_visitor(&session).await?;
            Ok(flash)
        }
        _ => Ok(Flash::default()),
    }
}

/// Where the person is: the page that is asked for, or the page whose script or form asks.
pub(super) fn here(parts: &Parts) -> String {
    let asked = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    if !asked.starts_with("/api/") {
        return asked;
    }
    let referer = parts.headers.get(http::header::REFERER).and_then(|referer| referer.to_str().ok());
    referer
        .and_then(|referer| referer.split_once("://"))
        .and_then(|(_, rest)| rest.find('/').map(|start| rest[start..].to_owned()))
        .unwrap_or_default()
}

/// The sign-in page that leads on to `next`.
pub(super) fn login_address(next: &str) -> String {
    if next.is_empty() || next == "/" || next.starts_with("/login") {
        return "/login".to_owned();
    }
    let mut address = "/login?next=".to_owned();
    for byte in next.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => address.push(byte.into()),
            other => {
                // Writing into a String doesn't fail.
                let _ = write!(address, "%{other:02X}");
            }
        }
    }
    address
}

/// Whether it leads nowhere but to a page of this site, and not back to where one signs in.
fn is_path_of_ours(next: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    next.starts_with('/') && !next.starts_with("//") && !next.starts_with("/login") && next.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_pages_of_this_site_only() {
        assert!(is_path_of_ours("/vms/1?x=2"));
        for elsewhere in [
            "",
            "vms",
            "/login",
            "/login?next=/",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nSet-Cookie: b",
        ] {
            assert!(!is_path_of_ours(elsewhere), "{elsewhere:?}");
        }
    }

    #[test]
    fn the_way_back_survives_in_the_address() {
        assert_eq!(login_address("/"), "/login");
        assert_eq!(
            login_address("/vms/1/resize?vcpus=2&disk_gib=3"),
            "/login?next=/vms/1/resize%3Fvcpus%3D2%26disk_gib%3D3"
        );
    }
}
