//! The doors that every page shares: who is signed in, and what came back from a post without scripts.

use crate::AppError;
use crate::form::Flash;
use crate::view::session::SessionView;
use leptos::prelude::*;

/// Who is signed in, if anybody.
#[server(endpoint = "session_get")]
pub async fn session_get() -> Result<SessionView, AppError> {
    crate::server_side::session::describe().await
}

/// Takes what came back to this form; nothing where nothing did.
#[server(endpoint = "flash_take")]
pub async fn flash_take(form: String) -> Result<Flash, AppError> {
    crate::server_side::session::flash_take(&form).await
}
