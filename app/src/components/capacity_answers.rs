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
pub fn CapacityAnswers(
    answers: AnswersView,
    /// Those of now, where `answers` are of what would be.
    #[prop(optional)]
    before: Option<AnswersView>,
) -> impl IntoView {
    let is_change = before.is_some();
    let (was, loss, drain, stranded) = before.map_or_else(Default::default, |before| {
        (before.parts, Some(before.loss.answer), Some(before.drain.answer), Some(before.stranded.answer))
    });
    view! {
        <div class="answers">
            <Fits offers=answers.offers parts=answers.parts was is_change/>
            <div class="card answers-questions">
                <h3>"What it withstands"</h3>
                <Question question="Losing a node or a failure domain" of=answers.loss was=loss word=("Absorbed", "Short")/>
                <Question question="Draining a node" of=answers.drain was=drain word=("Possible", "Blocked")/>
                <Stranded stranded=answers.stranded was=stranded/>
            </div>
        </div>
    }
    .into_any()
}

/// The largest VM and how many more of each offer, by kind, region and failure domain.
#[component]
fn Fits(offers: Vec<(String, Size)>, parts: Vec<PartView>, was: Vec<PartView>, is_change: bool) -> impl IntoView {
    let gone = was.iter().filter(|was| parts.iter().all(|part| part.key != was.key)).map(absent).collect::<Vec<_>>();
    let names: Vec<String> = offers.iter().map(|(name, _)| name.clone()).collect();
    let heads = offers
        .into_iter()
        .map(|(name, size)| view! { <th scope="col" class="answers-count" title=amounts::size(size)>{name}</th> })
        .collect_view();
    let rows = parts
        .into_iter()
        .chain(gone)
        .map(|part| {
            let was = was.iter().find(|was| was.key == part.key).cloned();
            // What is new was nothing before.
            let was = if is_change { was.or_else(|| Some(absent(&part))) } else { None };
            view! { <Part part offers=names.clone() was/> }
        })
        .collect_view();
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
fn Part(part: PartView, offers: Vec<String>, was: Option<PartView>) -> impl IntoView {
    let counts = part
        .more
        .into_iter()
        .zip(offers)
        .enumerate()
        .map(|(at, (count, offer))| {
            let was = was.as_ref().and_then(|was| was.more.get(at)).filter(|was| **was != count);
            view! {
                <td data-label=offer class="answers-count" class:answers-none={count == 0}>
                    <span>{was.map(|was| view! { <Was text=Grouped(*was).to_string()/> })}{Grouped(count).to_string()}</span>
                </td>
            }
        })
        .collect_view();
    let largest_was =
        was.filter(|was| was.largest != part.largest).map(|was| view! { <Was text=largest(was.largest)/> });
    let largest = largest(part.largest);
    view! {
        <tr>
            <th scope="row" class=format!("answers-part answers-depth-{}", part.depth)>
                {part.name}
                <span class="cell-note">{part.nodes}</span>
            </th>
            <td data-label="Largest VM"><span>{largest_was}{largest}</span></td>
            {counts}
        </tr>
    }
    .into_any()
}

fn largest(size: Option<Size>) -> String {
    size.map_or_else(|| "nothing".to_owned(), amounts::form_size)
}

/// A part that isn't there.
fn absent(part: &PartView) -> PartView {
    let more = part.more.iter().map(|_| 0).collect();
    PartView { nodes: "no nodes".to_owned(), largest: None, more, ..part.clone() }
}

/// What it was before.
#[component]
fn Was(text: String) -> impl IntoView {
    view! { <span class="answers-was">{text}" → "</span> }
}

/// What the answer is now, where another is shown.
#[component]
fn Now(answer: Option<String>) -> impl IntoView {
    answer.map(|answer| view! { <p class="answers-was">"Now: "{answer}</p> })
}

/// A question, its answer, and the reasons behind it; `word` is the badge's where all is well, and where it isn't.
#[component]
fn Question(
    question: &'static str,
    of: QuestionView,
    was: Option<String>,
    word: (&'static str, &'static str),
) -> impl IntoView {
    let was = was.filter(|was| *was != of.answer);
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
            <Now answer=was/>
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
fn Stranded(stranded: StrandedView, was: Option<String>) -> impl IntoView {
    let was = was.filter(|was| *was != stranded.answer);
    let (tone, text) = if stranded.is_none { (Tone::Good, "None") } else { (Tone::Warning, "Some") };
    let lines = stranded.lines.into_iter().map(|line| view! { <StrandedBy line/> }).collect_view();
    view! {
        <div class="answer">
            <p class="answer-question">"Stranded: free, but of no use"<Badge tone text/></p>
            <Now answer=was/>
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
