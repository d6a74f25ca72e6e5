//! What a door answered, or why it didn't. Keeps what is shown while it is fetched again.

use super::error_panel::ErrorPanel;
use crate::AppError;
use leptos::prelude::*;

/// Shows the resource by `render`; while it is fetched for the first time, that it is loading.
pub fn loaded<T, V>(
    resource: Resource<Result<T, AppError>>,
    render: impl Fn(T) -> V + Clone + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    shown(resource, render, |answer| answer)
}

/// As [`loaded`], for a page that news from the grid has fetched again: where nobody answers, what was shown stays. The
/// page says by itself that its stream is lost, and how old it is.
pub fn kept<T, V>(
    resource: Resource<Result<T, AppError>>,
    render: impl Fn(T) -> V + Clone + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let last = StoredValue::new(None::<T>);
    shown(resource, render, move |answer| {
        let now = last.try_update_value(|last| or_last(answer.clone(), last));
        now.unwrap_or(answer)
    })
}

/// The answer, or where there is none what was shown `last`.
fn or_last<T: Clone>(answer: Result<T, AppError>, last: &mut Option<T>) -> Result<T, AppError> {
    match (answer, &last) {
        (Err(AppError::Unreachable), Some(value)) => Ok(value.clone()),
        (answer, _) => {
            *last = answer.as_ref().ok().cloned();
            answer
        }
    }
}

fn shown<T, V>(
    resource: Resource<Result<T, AppError>>,
    render: impl Fn(T) -> V + Clone + Send + Sync + 'static,
    choose: impl Fn(Result<T, AppError>) -> Result<T, AppError> + Copy + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    view! {
        <Transition fallback=|| view! { <p class="loading">"Loading…"</p> }>
            {move || {
                let render = render.clone();
                Suspend::new(async move {
                    match choose(resource.await) {
                        Ok(value) => render(value).into_any(),
                        Err(error) => view! { <ErrorPanel error/> }.into_any(),
                    }
                })
            }}
        </Transition>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_stays_where_nobody_answers_and_goes_where_the_answer_is_no() {
        let mut last = None;
        assert_eq!(or_last::<u8>(Err(AppError::Unreachable), &mut last), Err(AppError::Unreachable), "nothing to keep");
        for error in [AppError::SignedOut, AppError::Forbidden, AppError::NotFound, AppError::Internal] {
            assert_eq!(or_last(Ok(1), &mut last), Ok(1));
            assert_eq!(or_last(Err(AppError::Unreachable), &mut last), Ok(1));
            assert_eq!(or_last(Err(error), &mut last), Err(error));
            assert_eq!(or_last(Err(AppError::Unreachable), &mut last), Err(AppError::Unreachable), "it is gone");
        }
    }
}
