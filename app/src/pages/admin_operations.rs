//! `/admin/operations`: what was done, newest first.

use crate::AppError;
use crate::components::as_of::AsOf;
use crate::components::loaded::kept;
use crate::components::operation_table::OperationTable;
use crate::live::{Live, LiveEvent};
use crate::view::operation::OperationListView;
use leptos::prelude::*;
use leptos_meta::Title;

/// For admins only; customers find theirs on the pages of their VMs.
#[server(endpoint = "operation_list")]
pub async fn operation_list() -> Result<OperationListView, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    door.admin_only()?;
    crate::server_side::present::operation::list(&door, 100).await
}

#[component]
pub fn AdminOperationsPage() -> impl IntoView {
    let version = expect_context::<Live>().version(|event| matches!(event, LiveEvent::Operation(_)));
    let operations = Resource::new(move || version.get(), |_| operation_list());
    view! {
        <Title text="Operations"/>
        {kept(operations, |list| {
            view! {
                <div class="page-head">
                    <div>
                        <h1>"Operations"</h1>
                        <AsOf at=list.as_of/>
                    </div>
                </div>
                <div class="card card-table"><OperationTable operations=list.operations with_vm=true/></div>
            }
        })}
    }
    .into_any()
}
