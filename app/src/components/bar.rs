//! Bars of capacity: committed, reserved and available of what is usable; below, thin, what is measured of what is
//! physically there. The two have scales of their own: a machine's use counts the host's programs too, and would tower
//! over what is sold of it.
//!
//! Drawn as SVG, whose geometry needs no inline styles.

use crate::view::amounts;
use crate::view::capacity::Figures;
use grid::Resource;
use leptos::prelude::*;

/// Thousandths of the whole, at most 1000.
fn part(amount: u64, whole: u64) -> u64 {
    if whole == 0 { 0 } else { (u128::from(amount) * 1000 / u128::from(whole)).min(1000).try_into().unwrap_or(1000) }
}

/// One resource's bar with its numbers in words.
#[component]
pub fn CapacityBar(resource: Resource, figures: Figures) -> impl IntoView {
    let usable = figures.usable.get(resource);
    let committed = figures.committed.get(resource);
    let whole = usable.max(committed.saturating_add(figures.reserved.get(resource)));
    let committed_part = part(committed, whole);
    let reserved_part = part(figures.reserved.get(resource), whole).min(1000 - committed_part);
    let measured_part = part(figures.measured.get(resource), figures.physical.get(resource));
    let words = format!(
        "{}: {} committed, {} reserved, {} available of {} usable; {} measured of {} physical",
        resource.as_str(),
        amounts::bare(resource, committed),
        amounts::bare(resource, figures.reserved.get(resource)),
        amounts::bare(resource, figures.available.get(resource)),
        amounts::bare(resource, usable),
        amounts::bare(resource, figures.measured.get(resource)),
        amounts::bare(resource, figures.physical.get(resource)),
    );
    view! {
        <span class="bars" role="img" aria-label=words>
            <svg class="bar" viewBox="0 0 1000 16" preserveAspectRatio="none" aria-hidden="true">
                <rect class="bar-usable" x="0" y="0" width="1000" height="16"></rect>
                <rect class="bar-committed" x="0" y="0" width=committed_part height="16"></rect>
                <rect class="bar-reserved" x=committed_part y="0" width=reserved_part height="16"></rect>
            </svg>
            <svg class="bar bar-thin" viewBox="0 0 1000 16" preserveAspectRatio="none" aria-hidden="true">
                <rect class="bar-usable" x="0" y="0" width="1000" height="16"></rect>
                <rect class="bar-measured" x="0" y="0" width=measured_part height="16"></rect>
            </svg>
        </span>
    }
    .into_any()
}

/// A bar of used and limit.
#[component]
pub fn UsedBar(used: u64, limit: u64, #[prop(into)] label: String) -> impl IntoView {
    view! {
        <svg class="bar" viewBox="0 0 1000 16" preserveAspectRatio="none" role="img" aria-label=label>
            <rect class="bar-usable" x="0" y="0" width="1000" height="16"></rect>
            <rect class="bar-committed" x="0" y="0" width=part(used, limit) height="16"></rect>
        </svg>
    }
    .into_any()
}

/// What is measured of what is physically there: `58 %`; nothing where nothing is there.
fn share_of_physical(figures: Figures, resource: Resource) -> Option<String> {
    let physical = figures.physical.get(resource);
    let share = (u128::from(figures.measured.get(resource)) * 100).checked_div(u128::from(physical))?;
    Some(format!("{share} % of physical"))
}

/// Said where a measured amount is beyond what is usable, which alarms at first sight.
const MEASURED: &str = "More is measured than is usable. That is no alarm: measured is what the whole machine has in \
                        use, the host's own programs and whatever else runs there with it, and nodes that share a \
                        machine each count all of it. It ranks nodes and never makes or takes room.";

/// The six numbers of each resource, as bars and as a table.
#[component]
pub fn FiguresTable(figures: Figures) -> impl IntoView {
    let is_beyond = figures.resources().any(|each| figures.measured.get(each) > figures.usable.get(each));
    let rows = figures
        .resources()
        .map(|resource| {
            let cell = |resources: grid::Resources| amounts::bare(resource, resources.get(resource));
            view! {
                <tr>
                    <th scope="row">
                        <span class="figures-name">{resource.as_str()}</span>
                        <CapacityBar resource figures/>
                    </th>
                    <td data-label="Physical">{cell(figures.physical)}</td>
                    <td data-label="Usable">{cell(figures.usable)}</td>
                    <td data-label="Committed">{cell(figures.committed)}</td>
                    <td data-label="Reserved">{cell(figures.reserved)}</td>
                    <td data-label="Available" class="figures-available">{cell(figures.available)}</td>
                    <td data-label="Measured">
                        {cell(figures.measured)}
                        <span class="cell-note">{share_of_physical(figures, resource)}</span>
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="table-scroll">
            <table class="figures">
                <thead>
                    <tr>
                        <th scope="col">"Resource"</th>
                        <th scope="col">"Physical"</th>
                        <th scope="col">"Usable"</th>
                        <th scope="col">"Committed"</th>
                        <th scope="col">"Reserved"</th>
                        <th scope="col">"Available"</th>
                        <th scope="col">"Measured"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        {is_beyond.then(|| view! { <p class="field-hint">{MEASURED}</p> })}
    }
    .into_any()
}

/// What the bars' colours mean.
#[component]
pub fn BarLegend() -> impl IntoView {
    view! {
        <ul class="bar-legend" aria-hidden="true">
            <li class="bar-legend-committed">"Committed"</li>
            <li class="bar-legend-reserved">"Reserved"</li>
            <li class="bar-legend-available">"Available"</li>
            <li class="bar-legend-measured">"Measured, of physical"</li>
        </ul>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid::Resources;

    #[test]
    fn a_part_is_never_more_than_the_whole() {
        assert_eq!(part(1, 0), 0);
        assert_eq!(part(5, 10), 500);
        assert_eq!(part(u64::MAX, 1), 1000);
    }

    #[test]
    fn bandwidth_is_told_of_where_there_is_or_was_promised_some() {
        let some = Resources::ZERO.with(Resource::Network, 1);
        let told = |figures: Figures| figures.resources().any(|resource| resource == Resource::Network);
        assert!(!told(Figures::default()) && !told(Figures { measured: some, ..Figures::default() }));
        assert!(told(Figures { physical: some, ..Figures::default() }));
        assert!(told(Figures { committed: some, ..Figures::default() }));
        assert_eq!(Figures::default().resources().count(), Resource::COUNT - 1);
    }

    #[test]
    fn what_is_measured_is_told_of_what_is_there() {
        let amounts = |vcpus| Resources::ZERO.with(Resource::Vcpus, vcpus);
        let figures = Figures { measured: amounts(7), physical: amounts(12), ..Figures::default() };
        assert_eq!(share_of_physical(figures, Resource::Vcpus).as_deref(), Some("58 % of physical"));
        assert_eq!(share_of_physical(figures, Resource::Memory), None);
    }
}
