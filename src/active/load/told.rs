//! Says in words what a load came to: what held, what did not, and what is not known.

use super::figures::Figures;
use super::plan::{Plan, Step};
use super::result::{Knees, unit};
use super::run::{StepResult, TargetResult};
use crate::analysis::render::units;
use crate::workload::sweep::{Finding, Over};

/// The level in words: `95 % within 2.00 s`.
#[must_use]
pub fn level(plan: &Plan) -> String {
    let sla = &plan.workload.sla;
    let share = units::percent_of(sla.within);
    let first = sla.first_token.map_or_else(String::new, |first| {
        format!(", the first token within {}", units::span(first.0 as f64))
    });
    format!(
        "{share} within {}{first}",
        units::span(sla.latency.0 as f64)
    )
}

/// What each route bears, a sentence each.
pub(super) fn findings(plan: &Plan, results: &[TargetResult]) -> Vec<String> {
    let mut all = Vec::new();
    for of in results {
        let name = format!("{} at {}", of.target.model, of.target.route);
        if plan.search.is_some() {
            all.push(format!("{name}: {}", searched(plan, of)));
        } else if let Some(step) = of.steps.last() {
            all.push(format!("{name}: {}", single(plan, step)));
        }
        let knees = Knees::of(&of.steps);
        let first = of.steps.first().map(|of| &of.step);
        let unit = first.map_or("", |step| words(step));
        let grown = of.steps.iter().filter(|of| {
            let verdict = of.figures.verdict(&plan.workload.sla);
            plan.search.is_some() && verdict == "rising"
        });
        let least = grown.min_by(|a, b| a.step.load().total_cmp(&b.step.load()));
        if let Some(step) = least {
            all.push(format!(
                "{name}: at {} in time, but not for long: {}",
                step.step.label(),
                rising(&step.figures)
            ));
        }
        if let Some(load) = knees.saturation {
            all.push(format!(
                "{name}: saturated from {} {unit} on: more load brings nearly no more answers",
                units::three_digits(load)
            ));
        }
        if let Some(load) = knees.rate_limits {
            all.push(format!(
                "{name}: meets a rate limit from {} {unit} on",
                units::three_digits(load)
            ));
        }
    }
    all
}

fn searched(plan: &Plan, of: &TargetResult) -> String {
    let found = of.at_capacity(plan);
    let why = of.over.map_or("the run ended before its search", |over| {
        over.says(found.is_some())
    });
    let Some(found) = found else {
        return nothing_held(plan, of, why);
    };
    format!(
        "{} {} hold {} ({} answers/s, {} of them served so); {why}",
        units::three_digits(found.step.load()),
        words(&found.step),
        level(plan),
        units::three_digits(found.figures.completed),
        units::three_digits(found.figures.goodput),
    )
}

/// What is said of a search that has no load which held: that there is none is a finding only
/// where the smallest one missed.
fn nothing_held(plan: &Plan, of: &TargetResult, why: &str) -> String {
    let level = level(plan);
    if of.over == Some(Over::Nowhere) {
        return format!("nowhere {level}: {why}");
    }
    let mut says = format!("where it holds {level} is not known: {why}");
    let sla = &plan.workload.sla;
    for step in of.steps.iter().filter(|of| !of.whole) {
        if step.figures.finding(sla) == Finding::Held {
            let cut = format!("; {} held it until they were cut off", step.step.label());
            says.push_str(&cut);
        }
    }
    if let Some(missed) = of.missed(plan) {
        let load = units::three_digits(missed);
        let unit = of.steps.first().map_or("", |of| words(&of.step));
        says = format!("{says}; {load} {unit} missed it");
    }
    says
}

fn single(plan: &Plan, of: &StepResult) -> String {
    let figures = &of.figures;
    let level = level(plan);
    let says = match figures.verdict(&plan.workload.sla) {
        "held" => format!("holds {level}"),
        "missed" => format!("misses {level}"),
        "rising" => format!("does not hold {level} for long ({})", rising(figures)),
        "void" => return format!("void: {}", figures.void.as_deref().unwrap_or_default()),
        _ => format!("whether it holds {level} could not be shown"),
    };
    format!(
        "{says} at {}; {} requests measured, {} failed",
        of.step.label(),
        figures.n,
        figures.failed
    )
}

/// From what to what latency rose.
fn rising(figures: &Figures) -> String {
    figures.rising.map_or_else(String::new, |rise| {
        let to = if rise.to.is_finite() {
            units::span(rise.to)
        } else {
            "failure".to_owned()
        };
        format!(
            "latency rose all the time, from {} to {to}: a queue grew",
            units::span(rise.from)
        )
    })
}

/// What the load of a step is counted in, in words.
pub(super) fn words(step: &Step) -> &'static str {
    if unit(step) == "users" {
        "users"
    } else {
        "requests/s"
    }
}
