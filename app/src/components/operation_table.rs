//! A table of operations, newest first.

use super::badge::OperationBadge;
use crate::view::operation::OperationLine;
use leptos::prelude::*;

#[component]
pub fn OperationTable(
    operations: Vec<OperationLine>,
    /// Whether the VM's name is worth a column.
    #[prop(optional)]
    with_vm: bool,
    /// What is said where there are none.
    #[prop(default = "Nothing was done yet.")]
    none: &'static str,
) -> impl IntoView {
    if operations.is_empty() {
        return view! { <p class="empty">{none}</p> }.into_any();
    }
    let rows = operations
        .into_iter()
        .map(|line| {
            let vm = with_vm.then(|| {
                view! { <td data-label="VM"><a href=format!("/vms/{}", line.vm_id)>{line.vm_name.clone()}</a></td> }
            });
            view! {
                <tr>
                    <td data-label="Operation">
                        <a href=format!("/operations/{}", line.id)>{line.title}</a>
                        {line.way.map(|way| view! { <span class="cell-note">{way}</span> })}
                    </td>
                    {vm}
                    <td data-label="State"><OperationBadge state=line.state/></td>
                    <td data-label="Started"><time>{line.started_at}</time></td>
                    <td data-label="Took">{line.took.unwrap_or_else(|| "–".to_owned())}</td>
                    <td data-label="Downtime">{line.downtime.unwrap_or_else(|| "–".to_owned())}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="table-scroll">
            <table class="stacking operations">
                <thead>
                    <tr>
                        <th scope="col">"Operation"</th>
                        {with_vm.then(|| view! { <th scope="col">"VM"</th> })}
                        <th scope="col">"State"</th>
                        <th scope="col">"Started (UTC)"</th>
                        <th scope="col">"Took"</th>
                        <th scope="col">"Downtime"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}
