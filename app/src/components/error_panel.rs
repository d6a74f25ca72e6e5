//! Why a page is not there. The door has set the response's status already.

use crate::AppError;
use leptos::prelude::*;

#[component]
pub fn ErrorPanel(error: AppError) -> impl IntoView {
    let (title, hint) = match error {
        AppError::SignedOut => ("You are signed out", "Sign in to go on."),
        AppError::Forbidden => ("Not allowed", "This page is for administrators."),
        AppError::NotFound => ("Not found", "There is nothing at this address, or it is not yours."),
        AppError::BadRequest => ("Not understood", "The request could not be read."),
        AppError::TooLarge => ("Too much", "This is more than a form may have."),
        AppError::Unavailable => ("Not now", "Hostgrid can't do this at the moment. Try again in a little while."),
        AppError::Unreachable => ("Not reached", "Hostgrid gave no answer. Check the connection and reload."),
        AppError::Internal => ("Something went wrong", "The cause was written down on our side. Try again later."),
    };
    let (way, to) = if error == AppError::SignedOut { ("Sign in", "/login") } else { ("To the start", "/") };
    view! {
        <section class="error-panel">
            <p class="error-panel-status">{error.status()}</p>
            <h1>{title}</h1>
            <p>{hint}</p>
            <p>
                <a class="button" href=to>{way}</a>
            </p>
        </section>
    }
    .into_any()
}
