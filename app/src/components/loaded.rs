//! What a door answered, or why it didn't. Keeps what is shown while it is fetched again, and where that fails because
//! nobody answered: the page says by itself that its stream is lost, and how old it is.

use super::error_panel::ErrorPanel;
use crate::AppError;
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use leptos_router::location::Location;

/// Shows the resource by `render`; while it is fetched for the first time, that it is loading.
pub fn loaded<T, V>(
    resource: Resource<Result<T, AppError>>,
    render: impl Fn(T) -> V + Clone + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let Location { pathname, search, .. } = use_location();
    let address = move || format!("{}?{}", pathname.get_untracked(), search.get_untracked());
    let shown = StoredValue::new(None::<(String, T)>);
    view! {
        <Transition fallback=|| view! { <p class="loading">"Loading…"</p> }>
            {move || {
                let render = render.clone();
                Suspend::new(async move {
                    let answer = resource.await;
                    let now = shown.try_update_value(|shown| kept(answer.clone(), address(), shown));
                    match now.unwrap_or(answer) {
                        Ok(value) => render(value).into_any(),
                        Err(error) => view! { <ErrorPanel error/> }.into_any(),
                    }
                })
            }}
        </Transition>
    }
    .into_any()
}

/// What is to be shown now: the answer, or what was `shown` at the same address where there is no answer.
fn kept<T: Clone>(
    answer: Result<T, AppError>,
    address: String,
    shown: &mut Option<(String, T)>,
) -> Result<T, AppError> {
    match (answer, &shown) {
        (Ok(value), _) => {
            *shown = Some((address, value.clone()));
            Ok(value)
        }
        (Err(AppError::Unreachable), Some((of, value))) if *of == address => Ok(value.clone()),
        (Err(error), _) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_stays_where_nobody_answers_and_goes_where_the_answer_is_no() {
        let mut shown = None;
        let mut at = |address: &str, answer| kept(answer, address.to_owned(), &mut shown);
        assert_eq!(at("/vms?", Err(AppError::Unreachable)), Err(AppError::Unreachable), "there is nothing to keep");
        assert_eq!(at("/vms?", Ok(1)), Ok(1));
        assert_eq!(at("/vms?", Err(AppError::Unreachable)), Ok(1));
        assert_eq!(at("/vms?x=2", Err(AppError::Unreachable)), Err(AppError::Unreachable), "that was another page's");
        for error in [AppError::SignedOut, AppError::Forbidden, AppError::NotFound, AppError::Internal] {
            assert_eq!(at("/vms?", Err(error)), Err(error));
        }
    }
}
