//! What a door answers where it can't do what was asked: one closed enum that the browser may see. It carries no
//! text from below.

use leptos::prelude::{FromServerFnError, ServerFnErrorErr};
use leptos::server_fn::codec::JsonEncoding;
use serde::{Deserialize, Serialize};

/// Why a door did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum AppError {
    #[error("You are signed out.")]
    SignedOut,
    #[error("This is for administrators.")]
    Forbidden,
    #[error("There is nothing here.")]
    NotFound,
    /// What was sent can't be read.
    #[error("The request could not be read.")]
    BadRequest,
    #[error("This is more than a form may have.")]
    TooLarge,
    /// Not now; the reason is shown by the form that asked.
    #[error("Hostgrid can't do this now.")]
    Unavailable,
    /// The request or its answer did not get through.
    #[error("Hostgrid could not be reached.")]
    Unreachable,
    /// Something failed below; it was logged there.
    #[error("Something went wrong on our side. It was written down.")]
    Internal,
}

impl AppError {
    /// The HTTP status that says the same.
    pub const fn status(self) -> u16 {
        match self {
            Self::SignedOut => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::BadRequest => 400,
            Self::TooLarge => 413,
            Self::Unavailable => 503,
            Self::Unreachable => 502,
            Self::Internal => 500,
        }
    }
}

impl FromServerFnError for AppError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(_) | ServerFnErrorErr::Response(_) => Self::Unreachable,
            ServerFnErrorErr::Args(_)
            | ServerFnErrorErr::MissingArg(_)
            | ServerFnErrorErr::Deserialization(_)
            | ServerFnErrorErr::UnsupportedRequestMethod(_) => Self::BadRequest,
            _ => Self::Internal,
        }
    }
}
