//! How much of the quota is used.

use super::bar::UsedBar;
use crate::view::amounts;
use crate::view::catalogue::QuotaView;
use leptos::prelude::*;

#[component]
pub fn Quota(quota: QuotaView) -> impl IntoView {
    let lines = quota
        .lines
        .into_iter()
        .map(|line| {
            let used = amounts::bare(line.resource, line.used);
            let limit = line.limit.map_or_else(|| "no limit".to_owned(), |it| amounts::bare(line.resource, it));
            let label = format!("{}: {used} of {limit} used", line.resource.as_str());
            view! { <QuotaLine name=line.resource.as_str() used limit bar=(line.used, line.limit.unwrap_or(u64::MAX)) label/> }
        })
        .collect_view();
    let vms_label = format!("VMs: {} of {} used", quota.vms_used, quota.vms_limit);
    view! {
        <section class="quota" aria-label="Quota">
            <QuotaLine
                name="VMs"
                used=quota.vms_used.to_string()
                limit=quota.vms_limit.to_string()
                bar=(quota.vms_used.into(), quota.vms_limit.into())
                label=vms_label
            />
            {lines}
        </section>
    }
    .into_any()
}

#[component]
fn QuotaLine(name: &'static str, used: String, limit: String, bar: (u64, u64), label: String) -> impl IntoView {
    view! {
        <div class="quota-line">
            <p>
                <span class="quota-name">{name}</span>
                <span class="quota-amount">{used}<span class="quota-limit">" of "{limit}</span></span>
            </p>
            <UsedBar used=bar.0 limit=bar.1 label/>
        </div>
    }
    .into_any()
}
