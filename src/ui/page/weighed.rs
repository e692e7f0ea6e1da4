//! What was weighed when an exchange's route was chosen, as `tollgate explain` tells it.

use maud::{Markup, html};

use crate::analysis::render::units::{NOTHING, percent_of, plain};
use crate::record::{Considered, Decision, ExchangeRecord};
use crate::ui::standing::words;

/// The routes that could have been taken, and what spoke for each; nothing where there was no
/// choice.
pub(super) fn weighed(record: &ExchangeRecord) -> Markup {
    let Some(decision) = &record.decision else {
        return html! {};
    };
    html! {
        section.weighed {
            h2 { "Why this route" }
            p.lead {
                span.badge { (words(&record.policy)) } " " (words(&record.reason))
                @if let Some(rule) = decision.rule { " · by " code { "rules[" (rule) "]" } }
                @if decision.explored { " · the first was drawn in order to learn of it" }
                @if let Some(hedge) = decision.hedge {
                    " · attempt " (hedge + 1) " was begun beside a slow one"
                }
            }
            (table(decision, record))
        }
    }
}

fn table(decision: &Decision, record: &ExchangeRecord) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Routes weighed" {
            table {
                thead { tr {
                    th scope="col" { "Route" }
                    th.number.wide scope="col" { "Score, lowest best" }
                    th.number scope="col" { "Goes first" }
                    th scope="col" { "Tried" }
                } }
                tbody { @for one in &decision.routes { (row(one, record)) } }
            }
        }
    }
}

fn row(one: &Considered, record: &ExchangeRecord) -> Markup {
    let score = one.score.map_or_else(
        || NOTHING.to_owned(),
        |score| format!("{:.6}", score as f64 / 1e6),
    );
    html! {
        tr {
            th.name scope="row" {
                (plain(&one.provider))
                @if let Some(model) = &one.model { br; span.model { (plain(model)) } }
                @if one.other_model { br; span.badge.fair { "another model" } }
            }
            td.number.wide { (score) }
            td.number { (percent_of(f64::from(one.propensity) / 1e6)) }
            td.tried { (tried(one, record)) }
        }
    }
}

/// Which attempts went there, or why none did.
fn tried(one: &Considered, record: &ExchangeRecord) -> String {
    let attempts = record.attempts.iter().enumerate();
    let there = attempts
        .filter(|(_, attempt)| attempt.provider == one.provider && attempt.model == one.model);
    let there: Vec<String> = there
        .map(|(index, attempt)| match attempt.error_class {
            Some(class) => format!("attempt {}: {}", index + 1, words(class.name())),
            None => format!("attempt {}", index + 1),
        })
        .collect();
    match (&one.left_out, there.is_empty()) {
        (_, false) => there.join(", "),
        (Some(why), true) => format!("left out: {}", words(why)),
        (None, true) => NOTHING.to_owned(),
    }
}
