//! What every door does first and last: who asks, what the manager answered, and how the page hears of it.

use super::session;
use crate::AppError;
use crate::form::{self, Flash, FormReply, Problem};
use http::StatusCode;
use http::request::Parts;
use leptos::prelude::use_context;
use leptos_axum::{ResponseOptions, redirect};
use manager::accounts::{Principal, Role, sessions};
use manager::refusal_log::Note;
use manager::{Manager, ManagerError};
use std::fmt::Display;
use std::str::FromStr;
use tower_sessions::Session;

pub use manager::store::rows::OperationFilter;
pub use manager::vms::{Agreement, DeployRequest, Explained};

/// An opened door: the manager, and the person who asks.
#[derive(Clone, Debug)]
pub struct Door {
    pub manager: Manager,
    pub principal: Principal,
    session: Session,
}

impl Door {
    /// Opens for a signed-in person; sends everybody else to sign in.
    pub async fn open() -> Result<Self, AppError> {
        let manager = manager()?;
        let session = session::current()?;
        let user = sessions::user(&session).await.map_err(session::failed)?;
        let principal = match user {
            Some(user) => manager.accounts().principal(user).await,
            None => None,
        };
        match principal {
            Some(principal) => {
                note().caller(principal.user);
                Ok(Self { manager, principal, session })
            }
            None => Err(signed_out()),
        }
    }

    pub fn is_admin(&self) -> bool {
        self.principal.role == Role::Admin
    }

    /// Refuses the page of an admin to everybody else.
    pub fn admin_only(&self) -> Result<(), AppError> {
        if self.is_admin() { Ok(()) } else { Err(refuse(AppError::Forbidden)) }
    }

    /// An id out of an address; what can't be one names nothing.
    pub fn id<T: FromStr + Display>(&self, text: &str) -> Result<T, AppError> {
        let id: T = text.parse().map_err(|_| refuse(AppError::NotFound))?;
        note().target(&id);
        Ok(id)
    }

    /// The manager's answer, or its refusal in the browser's words, with the status that says it.
    pub fn pass<T>(&self, answer: Result<T, ManagerError>) -> Result<T, AppError> {
        answer.map_err(|error| match error {
            ManagerError::SignedOut => signed_out(),
            other => {
                note().refused(in_full(&other));
                refuse(app_error(&other))
            }
        })
    }

    /// The answer to a form that started an operation: on to the operation, or back with what is wrong.
    pub async fn reply_operation(
        &self,
        started: Result<grid::OperationId, ManagerError>,
        form: &str,
        back: &str,
        typed: &[(&'static str, String)],
    ) -> Result<FormReply, AppError> {
        self.reply(started.map(|operation| format!("/operations/{operation}")), form, back, typed).await
    }

    /// The answer to a form: on to where `done` says, or back with what is wrong.
    pub async fn reply(
        &self,
        done: Result<String, ManagerError>,
        form: &str,
        back: &str,
        typed: &[(&'static str, String)],
    ) -> Result<FormReply, AppError> {
        match done {
            Ok(onward) => {
                redirect(&onward);
                Ok(FormReply::default())
            }
            Err(error) => {
                note().refused(in_full(&error));
                match problems(error) {
                    Ok(problems) => self.reply_problems(problems, form, back, typed).await,
                    Err(error) => self.pass(Err(error)),
                }
            }
        }
    }

    /// Back to the form with what is wrong.
    pub async fn reply_problems(
        &self,
        problems: Vec<Problem>,
        form: &str,
        back: &str,
        typed: &[(&'static str, String)],
    ) -> Result<FormReply, AppError> {
        reply_problems(&self.session, problems, form, back, typed).await
    }
}

/// Back to the form: as a value where scripts posted it, else by way of the session.
pub(super) async fn reply_problems(
    session: &Session,
    problems: Vec<Problem>,
    form: &str,
    back: &str,
    typed: &[(&'static str, String)],
) -> Result<FormReply, AppError> {
    note().refused(form::in_one_line(&problems));
    if is_plain_form() {
        let values = typed.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        session::flash_put(session, Flash { form: form.to_owned(), values, problems: problems.clone() }).await?;
        redirect(back);
    }
    Ok(FormReply { problems })
}

/// Whether a browser itself asks, and not a script of ours.
pub(super) fn is_plain_form() -> bool {
    use_context::<Parts>().is_some_and(|parts| {
        let accept = parts.headers.get(http::header::ACCEPT).and_then(|accept| accept.to_str().ok());
        accept.is_some_and(|accept| accept.contains("text/html"))
    })
}

pub(super) fn manager() -> Result<Manager, AppError> {
    use_context::<Manager>().ok_or_else(|| {
        tracing::error!("a door was opened without a manager");
        refuse(AppError::Internal)
    })
}

/// Where what is known of the call is left for the log.
pub fn note() -> Note {
    use_context::<Parts>().and_then(|parts| parts.extensions.get::<Note>().cloned()).unwrap_or_default()
}

/// Why, for the log: in full, but without what was typed.
pub fn in_full(error: &ManagerError) -> String {
    match error {
        ManagerError::Refused { refusal } => refusal.reason.to_string(),
        other => other.to_string(),
    }
}

/// Gives the response the error's status.
pub fn refuse(error: AppError) -> AppError {
    note().refused(error);
    if let (Some(response), Ok(status)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(error.status())) {
        response.set_status(status);
    }
    error
}

/// The answer where there is nothing.
pub fn nothing() -> std::future::Ready<Result<(), AppError>> {
    std::future::ready(Err(refuse(AppError::NotFound)))
}

/// Sends the browser on to another page: a page that is asked for answers with a redirection, whatever the client
/// says that it accepts; a script of ours is told where to go.
pub fn onward(path: &str) {
    redirect(path);
    let is_page = use_context::<Parts>().is_some_and(|parts| !parts.uri.path().starts_with("/api/"));
    if let (true, Some(response)) = (is_page, use_context::<ResponseOptions>()) {
        response.set_status(StatusCode::FOUND);
    }
}

/// From the start on to the VMs.
pub fn start() -> std::future::Ready<Result<(), AppError>> {
    onward("/vms");
    std::future::ready(Ok(()))
}

/// Sends the browser to sign in, and back here afterwards.
fn signed_out() -> AppError {
    let here = use_context::<Parts>().map(|parts| session::here(&parts)).unwrap_or_default();
    onward(&session::login_address(&here));
    AppError::SignedOut
}

fn app_error(error: &ManagerError) -> AppError {
    match error {
        ManagerError::SignedOut => AppError::SignedOut,
        ManagerError::NotFound => AppError::NotFound,
        ManagerError::Forbidden => AppError::Forbidden,
        ManagerError::Invalid { .. } | ManagerError::NameTaken => AppError::BadRequest,
        ManagerError::Busy { .. }
        | ManagerError::PlanChanged { .. }
        | ManagerError::Refused { .. }
        | ManagerError::TooManyAttempts { .. }
        | ManagerError::Unavailable { .. } => AppError::Unavailable,
        ManagerError::Internal => AppError::Internal,
    }
}

/// What a form shows of the manager's refusal; the refusal itself where it is not about what was typed.
pub(super) fn problems(error: ManagerError) -> Result<Vec<Problem>, ManagerError> {
    let problem = match error {
        ManagerError::Invalid { field, message } => Problem::of(field, message),
        ManagerError::NameTaken => Problem::of("name", "You have a VM of this name already."),
        ManagerError::Busy { .. } => {
            Problem::whole("Another operation is working on this VM. Wait until it is over, then try again.")
        }
        ManagerError::Refused { refusal } => Problem::whole(refusal.reason.to_string()),
        ManagerError::PlanChanged { .. } => {
            Problem::whole("The grid changed since you looked. Look at the new plan before you agree.")
        }
        ManagerError::TooManyAttempts { retry_after_s } => {
            Problem::whole(format!("Too many attempts. Try again in {retry_after_s} seconds."))
        }
        ManagerError::Unavailable { reason } => Problem::whole(reason),
        other => return Err(other),
    };
    Ok(vec![problem])
}
