//! Estimates the metric that decides by other means: the typical shift, A12, the adjusted ratio.

use super::verdict::{Judged, more};
use crate::analysis::paper::{Cell, Column, Sheet, Unit};
use crate::analysis::reports::figures::SEED;
use crate::record::Arm;
use crate::routing::experiment::Metric;
use crate::statistics::compare::{a12, hodges_lehmann};
use crate::statistics::interval::Estimate;
use crate::statistics::quantile::Sample;
use crate::statistics::sequence::{Looks, Observation, arms, lin};

/// The metric that decides, by other estimators.
pub(super) fn sheet(judged: &[Judged<'_>]) -> Sheet {
    let mut sheet = Sheet::new(
        "other_estimates",
        "The metric that decides, estimated otherwise",
        vec![
            Column::words("experiment", "experiment"),
            Column::words("estimate", "estimate"),
            Column::hidden("unit"),
            Column::new("value", "value", Unit::Number),
        ],
    )
    .grouped(1);
    for each in judged.iter().filter(|each| each.is_sound()) {
        let metric = each.question.metric;
        let more = more(metric);
        let mut row = |what: &str, unit: Unit, cell: Cell| {
            sheet.rows.push(vec![
                Cell::text(each.name.as_str()),
                Cell::text(what),
                Cell::text(unit.suffix().trim_start_matches('_')),
                cell.in_unit(unit),
            ]);
        };
        if !matches!(metric, Metric::Failure | Metric::Cost) {
            row(
                "typical shift, b less a (Hodges-Lehmann)",
                more,
                shift(each),
            );
            row("how often b is below a (A12)", Unit::Share, below(each));
        }
        if metric.is_time() {
            row(
                "b over a, adjusted for prompt size, hour and streaming (Lin)",
                Unit::Times,
                adjusted(each),
            );
        }
    }
    sheet
}

fn both<T>(each: &Judged<'_>, of: impl Fn(Sample<'_>, Sample<'_>) -> T) -> T {
    let [a, b] = [Arm::A, Arm::B].map(|arm| each.trial.numbers(each.question.metric, arm));
    of(Sample::new(&b.0, b.1), Sample::new(&a.0, a.1))
}

/// An estimate as it may be looked at.
fn seen(each: &Judged<'_>, estimate: Option<Estimate>) -> Cell {
    let count = each.effect.numbers.iter().sum();
    let estimate = estimate.and_then(|estimate| match each.looks {
        Looks::Once => Some(estimate),
        Looks::Any => arms::looked_at(&estimate, count, each.question.alpha),
    });
    estimate.map_or_else(
        || Cell::absent("begins at 100 sessions with a number"),
        |found| Cell::estimate(&found),
    )
}

fn shift(each: &Judged<'_>) -> Cell {
    let alpha = each.question.alpha;
    seen(each, both(each, |b, a| hodges_lehmann(b, a, alpha, SEED)))
}

fn below(each: &Judged<'_>) -> Cell {
    let alpha = each.question.alpha;
    seen(each, both(each, |b, a| a12(b, a, alpha)))
}

/// The share of first exchanges without a finite number beyond which the adjusted ratio, which
/// cannot see them, is not told.
const UNSEEN_MAX: f64 = 0.05;

fn adjusted(each: &Judged<'_>) -> Cell {
    let metric = each.question.metric;
    let firsts = each.trial.entries.iter().filter(|entry| entry.first);
    let (mut observations, mut unseen) = (Vec::new(), 0);
    for entry in firsts {
        let Some(value) = entry.value(metric) else {
            continue;
        };
        if !value.high.is_finite() || value.low <= 0.0 {
            unseen += 1;
            continue;
        }
        let size = (entry.size.unwrap_or(0).max(1) as f64).ln();
        let hour = entry.at.0.rem_euclid(86_400_000_000) as f64 / 86_400e6 * std::f64::consts::TAU;
        observations.push(Observation {
            outcome: value.low.ln(),
            treated: entry.arm == Arm::B,
            covariates: vec![
                size,
                size * size,
                hour.sin(),
                hour.cos(),
                f64::from(u8::from(entry.stream)),
            ],
        });
    }
    let all = observations.len() + unseen;
    if unseen as f64 > UNSEEN_MAX * all as f64 {
        return Cell::absent("too many without an answer, which it cannot see");
    }
    let found = lin(&observations);
    let alpha = each.question.alpha;
    let found = found.and_then(|found| match each.looks {
        Looks::Any => found.ratio_sequence(alpha),
        Looks::Once => Some(found.ratio(alpha)),
    });
    found.map_or_else(
        || Cell::absent("begins at 100 sessions with a number"),
        |found| Cell::estimate(&found),
    )
}
