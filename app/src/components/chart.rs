//! A chart that the server drew, with the table of its numbers behind it.

use crate::view::chart::ChartView;
use leptos::prelude::*;

#[component]
pub fn Chart(chart: ChartView) -> impl IntoView {
    let is_empty = chart.svg.is_empty();
    let legend = (chart.legend.len() > 1).then(|| {
        let lines = chart
            .legend
            .iter()
            .enumerate()
            .map(|(index, word)| view! { <li class=format!("chart-key chart-key-{}", index + 1)>{word.clone()}</li> })
            .collect_view();
        view! { <ul class="chart-legend">{lines}</ul> }
    });
    let head = chart.legend.iter().map(|word| view! { <th scope="col">{word.clone()}</th> }).collect_view();
    let rows = chart
        .rows
        .into_iter()
        .map(|(at, values)| {
            let cells = values.into_iter().map(|value| view! { <td>{value}</td> }).collect_view();
            view! { <tr><th scope="row">{at}</th>{cells}</tr> }
        })
        .collect_view();
    view! {
        <figure class="chart">
            <figcaption>{chart.title}</figcaption>
            {legend}
            <div class="chart-drawing" inner_html=chart.svg></div>
            <p class="chart-empty" hidden=!is_empty>"No samples yet."</p>
            {chart.note.map(|note| view! { <p class="chart-note">{note}</p> })}
            <details class="chart-table" hidden=is_empty>
                <summary>"Numbers"</summary>
                <div class="table-scroll">
                    <table>
                        <thead><tr><th scope="col">"Time (UTC)"</th>{head}</tr></thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </details>
        </figure>
    }
    .into_any()
}
