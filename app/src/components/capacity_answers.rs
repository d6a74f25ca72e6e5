//! What the grid can take, answered in ten seconds: what fits where, what could be lost or drained, what is stranded.
//! The reasons open on demand, and do so without scripts.

use super::badge::Badge;
use crate::view::amounts;
use crate::view::answers::{AnswersView, ObstacleView, PartView, QuestionView, StrandedLine, StrandedView};
use crate::view::node::Tone;
use grid::Size;
use grid::wording::Grouped;
use leptos::prelude::*;

#[component]
pub fn CapacityAnswers(answers: AnswersView) -> impl IntoView {
    view! {
        <div class="answers">
            <Fits offers=answers.offers parts=answers.parts/>
            <div class="card answers-questions">
                <h3>"What it withstands"</h3>
                <Question question="Losing a node or a failure domain" of=answers.loss word=("Absorbed", "Short")/>
                <Question question="Draining a node" of=answers.drain word=("Possible", "Blocked")/>
                <Stranded stranded=answers.stranded/>
            </div>
        </div>
    }
    .into_any()
}

/// The largest VM and how many more of each offer, by kind, region and failure domain.
#[component]
fn Fits(offers: Vec<(String, Size)>, parts: Vec<PartView>) -> impl IntoView {
    let names: Vec<String> = offers.iter().map(|(name, _)| name.clone()).collect();
    let heads = offers
        .into_iter()
        .map(|(name, size)| view! { <th scope="col" class="answers-count" title=amounts::size(size)>{name}</th> })
        .collect_view();
    let rows = parts.into_iter().map(|part| view! { <Part part offers=names.clone()/> }).collect_view();
    view! {
        <div class="card">
            <h3>"What still fits"</h3>
            <div class="table-scroll">
                <table class="stacking answers-fits">
                    <thead>
                        <tr>
                            <th scope="col">"Where"</th>
                            <th scope="col">"Largest VM"</th>
                            {heads}
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            <p class="field-hint">"Each count is of that offer alone: how many more of it, were nothing else deployed."</p>
        </div>
    }
    .into_any()
}

#[component]
fn Part(part: PartView, offers: Vec<String>) -> impl IntoView {
    let counts = part
        .more
        .into_iter()
        .zip(offers)
        .map(|(count, offer)| {
            view! {
                <td data-label=offer class="answers-count" class:answers-none={count == 0}>
                    {Grouped(count).to_string()}
                </td>
            }
        })
        .collect_view();
    let largest = part.largest.map_or_else(|| "nothing fits now".to_owned(), amounts::form_size);
    view! {
        <tr>
            <th scope="row" class=format!("answers-part answers-depth-{}", part.depth)>
                {part.name}
                <span class="cell-note">{part.nodes}</span>
            </th>
            <td data-label="Largest VM">{largest}</td>
            {counts}
        </tr>
    }
    .into_any()
}

/// A question, its answer, and the reasons behind it; `word` is the badge's where all is well, and where it isn't.
#[component]
fn Question(question: &'static str, of: QuestionView, word: (&'static str, &'static str)) -> impl IntoView {
    let badge = match of.tone {
        Tone::Good => Some(word.0),
        Tone::Neutral => None,
        Tone::Warning | Tone::Bad => Some(word.1),
    };
    let tone = of.tone;
    let details = (!of.lines.is_empty()).then(|| {
        let lines = of.lines.into_iter().map(|line| view! { <Obstacle line/> }).collect_view();
        view! {
            <details>
                <summary>"Which, and why"</summary>
                <ul class="answers-lines">{lines}</ul>
            </details>
        }
    });
    view! {
        <div class="answer">
            <p class="answer-question">{question}{badge.map(|text| view! { <Badge tone text/> })}</p>
            <p>{of.answer}</p>
            {details}
        </div>
    }
    .into_any()
}

#[component]
fn Obstacle(line: ObstacleView) -> impl IntoView {
    let name = if line.is_node {
        view! { <a href=format!("/admin/nodes/{}", line.name)>{line.name.clone()}</a> }.into_any()
    } else {
        view! { <strong>{line.name}</strong> }.into_any()
    };
    view! {
        <li>
            {name}": "{line.why}
            {line.left_over.map(|left| view! { <span class="cell-note">{left}</span> })}
        </li>
    }
    .into_any()
}

#[component]
fn Stranded(stranded: StrandedView) -> impl IntoView {
    let (tone, text) = if stranded.is_none { (Tone::Good, "None") } else { (Tone::Warning, "Some") };
    let lines = stranded.lines.into_iter().map(|line| view! { <StrandedBy line/> }).collect_view();
    view! {
        <div class="answer">
            <p class="answer-question">"Stranded: free, but of no use"<Badge tone text/></p>
            <p>{stranded.answer}</p>
            <details>
                <summary>"By kind and offer"</summary>
                <ul class="answers-lines">{lines}</ul>
            </details>
        </div>
    }
    .into_any()
}

#[component]
fn StrandedBy(line: StrandedLine) -> impl IntoView {
    let no_room = match line.nodes {
        0 => "One fits on every node that has anything free.".to_owned(),
        1 => format!("None fits on 1 node, where {} is free.", line.on_them),
        nodes => format!("None fits on {} nodes, where {} is free.", Grouped(nodes), line.on_them),
    };
    view! {
        <li>
            <strong>{format!("{} · {}", line.kind, line.offer)}</strong>
            <span class="cell-note">{no_room}</span>
            <span class="cell-note">{format!("Full of it, {} would be left.", line.after_filling)}</span>
            <span class="cell-note">{format!("Runs out first: {}.", line.runs_out_first)}</span>
        </li>
    }
    .into_any()
}
