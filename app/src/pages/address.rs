//! What a page's address says, as memos that have their value from the start.
//!
//! A page is rendered by several tasks at once. A memo that two of them ask for the first time can be found empty by one,
//! which panics; so each is asked here, before there is a second task.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use leptos_router::params::ParamsMap;

/// A part of the path, such as the id of a VM.
pub(super) fn part(name: &'static str) -> Memo<String> {
    let params = use_params_map();
    asked(Memo::new(move |_| params.with(|params| params.get(name).unwrap_or_default())))
}

/// Something that the query says.
pub(super) fn query<T>(read: impl Fn(&ParamsMap) -> T + Send + Sync + 'static) -> Memo<T>
where
    T: PartialEq + Send + Sync + 'static,
{
    let query = use_query_map();
    asked(Memo::new(move |_| query.with(&read)))
}

fn asked<T: Send + Sync + 'static>(memo: Memo<T>) -> Memo<T> {
    memo.with_untracked(|_| ());
    memo
}

/// What a page's title says of a part of its address. The server asks for it when the page is rendered already: what it was
/// rendered with may be gone by then.
pub(super) fn title(
    part: Memo<String>,
    say: impl Fn(&str) -> String + Send + Sync + 'static,
) -> impl Fn() -> String + Send + Sync + 'static {
    let first = part.get_untracked();
    move || say(part.try_get().as_ref().unwrap_or(&first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_there_when_its_page_is_gone_and_follows_it_before() {
        let owner = Owner::new();
        let (name, says) = owner.with(|| {
            let name = RwSignal::new("qemu-a".to_owned());
            (name, title(Memo::new(move |_| name.get()), |name| format!("Drain {name}")))
        });
        name.set("qemu-b".into());
        assert_eq!(says(), "Drain qemu-b");
        owner.cleanup();
        assert_eq!(says(), "Drain qemu-a", "as it was when the page was made");
    }
}
