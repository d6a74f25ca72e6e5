//! `/login`: signing in; and the doors of signing in and out.

use super::address;
use super::session::flash_take;
use crate::AppError;
use crate::components::field::{Field, FormProblems};
use crate::components::icon::LogoMark;
use crate::components::loaded::loaded;
use crate::form::{Flash, FormReply};
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;

/// Signs in and goes on to `next`, a path of this site.
#[server(endpoint = "session_open")]
pub async fn session_open(
    #[server(default)] email: String,
    #[server(default)] password: String,
    #[server(default)] next: String,
) -> Result<FormReply, AppError> {
    crate::server_side::session::open(&email, &password, &next).await
}

/// Signs out.
#[server(endpoint = "session_close")]
pub async fn session_close() -> Result<(), AppError> {
    crate::server_side::session::close().await
}

#[component]
pub fn LoginPage() -> impl IntoView {
    let flash = Resource::new(|| (), |()| flash_take("login".to_owned()));
    let next = StoredValue::new(address::query(|query| query.get("next").unwrap_or_default()).get_untracked());
    view! {
        <Title text="Sign in"/>
        {loaded(flash, move |flash| view! { <LoginForm flash next=next.get_value()/> })}
    }
    .into_any()
}

/// A plain form in any case: signing in changes everything, so the whole page is loaded afresh.
#[component]
fn LoginForm(flash: Flash, next: String) -> impl IntoView {
    let email = flash.value_or("email", "");
    let problems = Signal::stored(flash.problems);
    view! {
        <section class="login">
            <LogoMark/>
            <h1>"Sign in to Hostgrid"</h1>
            <form method="post" action=SessionOpen::url()>
                <FormProblems problems fields=&["email", "password"]/>
                <input type="hidden" name="next" value=next/>
                <Field label="Email" name="email" kind="email" value=email autocomplete="username" problems/>
                <Field
                    label="Password"
                    name="password"
                    kind="password"
                    value=""
                    autocomplete="current-password"
                    problems
                />
                <button type="submit" class="button button-main button-wide">"Sign in"</button>
            </form>
        </section>
    }
    .into_any()
}
