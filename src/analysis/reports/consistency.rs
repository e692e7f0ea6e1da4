//! The report `consistency`: how steady each way to a model is.

use super::call::Call;
use super::figures::{
    METHOD, NO_CALLS, Numbers, OBSERVATIONAL, Route, by_route, head, model_cell, named, nothing,
    numbers, rate, share, to_first_token, to_total,
};
use super::sums::Routes;
use crate::analysis::paper::{Bar, Cell, Chart, Column, Head, Paper, Plot, Sheet, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::tables::Share;
use crate::statistics::compare::dispersion::MAD_FACTOR;
use crate::statistics::interval::{ALPHA, Estimate, Interval};

const TITLE: &str = "Consistency";

/// What is told of a route, in this order.
const METRICS: [&str; 3] = ["first_token", "output_rate", "total_500_tokens"];

/// A route's numbers.
struct Way {
    route: Route,
    metrics: [Numbers; 3],
    /// Streams with a stall, and those held back: of all streams that were seen.
    stalled: Share,
    held: Share,
}

pub(super) fn paper(calls: &[Call], of: Head) -> Paper {
    let ways = by_route(calls).into_iter().map(|(route, calls)| {
        let metrics = [
            to_first_token(&calls).lacking(&calls, |call| call.no_first_token),
            numbers(&calls, rate).lacking(&calls, |call| call.no_rate),
            to_total(&calls).lacking(&calls, |call| call.no_rate),
        ];
        let streamed: Vec<&Call> = calls
            .into_iter()
            .filter(|call| !call.lost && call.stalls.is_some())
            .collect();
        Way {
            route,
            metrics,
            stalled: share(&streamed, |call| {
                call.stalls.is_some_and(|stalls| stalls > 0)
            }),
            held: share(&streamed, |call| call.pseudo_stream),
        }
    });
    written(&ways.collect::<Vec<_>>(), head(of, METHOD))
}

/// The same from roll-ups.
pub(super) fn rolled(routes: &Routes, of: Head) -> Paper {
    let ways = routes.iter().map(|(route, sums)| Way {
        route: route.clone(),
        metrics: [sums.first_token(), sums.rate(), Numbers::unkept()],
        stalled: sums.of_streams(|ends| ends.stalled),
        held: sums.of_streams(|ends| ends.held),
    });
    written(&ways.collect::<Vec<_>>(), head(of, METHOD))
}

fn written(ways: &[Way], of: Head) -> Paper {
    if ways.is_empty() {
        return nothing("consistency", TITLE, of, NO_CALLS);
    }
    let mut spread = Sheet::new(
        "spread",
        "Spread",
        vec![
            Column::words("model", "model"),
            Column::words("provider", "provider"),
            Column::words("metric", "metric"),
            Column::new("n", "n", Unit::Count),
            Column::new("design_effect", "n for one", Unit::Number),
            Column::new("iqr_over_p50", "IQR / p50", Unit::Times),
            Column::new("scaled_mad_over_p50", "1.4826 MAD / p50", Unit::Times),
            Column::new("p95_over_p50", "p95 / p50", Unit::Times),
            Column::new("cv", "CV", Unit::Times),
        ],
    );
    let mut streams = Sheet::new(
        "streams",
        "Streams",
        vec![
            Column::words("model", "model"),
            Column::words("provider", "provider"),
            Column::new("streams", "streams", Unit::Count),
            Column::new("stalled", "with a stall", Unit::Share),
            Column::new("pseudo_streams", "pseudo-streams", Unit::Share),
            Column::new("first_token_p50", "first token p50", Unit::Span),
            Column::new("first_token_p95", "first token p95", Unit::Span),
        ],
    );
    let mut steadiness: Vec<(String, Estimate)> = Vec::new();
    let mut pseudo = Vec::new();
    for way in ways {
        let Way { route, metrics, .. } = way;
        for (name, numbers) in METRICS.into_iter().zip(metrics) {
            spread.rows.push(vec![
                model_cell(&route.0),
                Cell::text(&route.1),
                Cell::text(name),
                numbers.how_many(),
                numbers.effect(),
                cell(iqr_over_median(numbers)),
                cell(mad_over_median(numbers)),
                cell(ratio(numbers, 0.95)),
                cell(variation(numbers)),
            ]);
        }
        if let Ok(found) = iqr_over_median(&metrics[0]) {
            steadiness.push((named(route), found));
        }
        if way.held.part > 0 {
            pseudo.push(format!(
                "{} ({})",
                named(route),
                number(way.held.fraction().unwrap_or(0.0), Unit::Share)
            ));
        }
        streams.rows.push(vec![
            model_cell(&route.0),
            Cell::text(&route.1),
            Cell::count(way.held.whole),
            Cell::share(way.stalled),
            Cell::share(way.held),
            metrics[0].at(0.5),
            metrics[0].at(0.95),
        ]);
    }
    Paper {
        name: "consistency",
        version: 1,
        title: TITLE.to_owned(),
        findings: findings(&steadiness, &pseudo),
        head: of,
        sheets: vec![spread, streams],
        charts: forest(&steadiness).into_iter().collect(),
        notes: vec![
            OBSERVATIONAL.to_owned(),
            "n for one: how many requests, in the order of time, say what one independent one \
             would (design effect); intervals are as wide as that asks."
                .to_owned(),
            "IQR / p50: the middle half of the requests over the median, 0 is steady. MAD: median \
             distance from the median, times 1.4826 as large as the deviation of normal numbers. \
             Intervals of ratios are made of the exact intervals of \
             their quantiles at once (Bonferroni): at least 95 %, rather wide. Prompt size is \
             part of the spread."
                .to_owned(),
            "CV (deviation over mean, of those that ended) is there to be compared with other \
             tools: times have long tails, and one request can double it."
                .to_owned(),
            "A stall is a gap of more than a second and ten times the stream's median gap. A \
             pseudo-stream was held back and sent in one burst: it is in no rate."
                .to_owned(),
        ],
    }
}

fn cell(found: Result<Estimate, String>) -> Cell {
    match found {
        Ok(estimate) if estimate.interval == Interval::UNKNOWN => Cell::Value(estimate.value),
        Ok(estimate) => Cell::estimate(&estimate),
        Err(why) => Cell::absent(why),
    }
}

fn over(value: f64, low: f64, high: f64, median: &Estimate) -> Result<Estimate, String> {
    if median.value <= 0.0 {
        return Err("a median of zero".to_owned());
    }
    let low = (low / median.interval.high).max(0.0);
    let high = if median.interval.low > 0.0 {
        high / median.interval.low
    } else {
        f64::INFINITY
    };
    Ok(Estimate {
        value: value / median.value,
        interval: Interval {
            low: if low.is_nan() { 0.0 } else { low },
            high: if high.is_nan() { f64::INFINITY } else { high },
        },
    })
}

/// `(p75 − p25) / p50` from the intervals of all three.
fn iqr_over_median(numbers: &Numbers) -> Result<Estimate, String> {
    let at = |p| numbers.estimate(p, ALPHA / 3.0);
    let (lower, middle, upper) = (at(0.25)?, at(0.5)?, at(0.75)?);
    over(
        upper.value - lower.value,
        (upper.interval.low - lower.interval.high).max(0.0),
        upper.interval.high - lower.interval.low,
        &middle,
    )
}

/// The `p`-quantile over the median from the intervals of both.
fn ratio(numbers: &Numbers, p: f64) -> Result<Estimate, String> {
    let at = |p| numbers.estimate(p, ALPHA / 2.0);
    let (tail, middle) = (at(p)?, at(0.5)?);
    over(tail.value, tail.interval.low, tail.interval.high, &middle)
}

/// The median distance from the median over the median, scaled to be the CV of normal numbers;
/// without an interval.
fn mad_over_median(numbers: &Numbers) -> Result<Estimate, String> {
    let middle = numbers.estimate(0.5, ALPHA)?;
    let away = numbers.away_from(middle.value).estimate(0.5, ALPHA)?;
    bare(MAD_FACTOR * away.value, middle.value)
}

/// The standard deviation over the mean; without an interval.
fn variation(numbers: &Numbers) -> Result<Estimate, String> {
    let has: u64 = numbers.each().map(|(_, count)| count).sum();
    if has < 2 {
        return Err(format!("needs 2, has {has}"));
    }
    let count = has as f64;
    let of_all = |of: &dyn Fn(f64) -> f64| -> f64 {
        let each = numbers.each();
        each.map(|(value, times)| times as f64 * of(value)).sum()
    };
    let mean = of_all(&|value| value) / count;
    let squares = of_all(&|value| (value - mean).powi(2));
    bare((squares / (count - 1.0)).sqrt(), mean)
}

fn bare(value: f64, of: f64) -> Result<Estimate, String> {
    if of <= 0.0 {
        return Err("a median of zero".to_owned());
    }
    Ok(Estimate {
        value: value / of,
        interval: Interval::UNKNOWN,
    })
}

fn findings(steadiness: &[(String, Estimate)], pseudo: &[String]) -> Vec<String> {
    let mut findings = Vec::new();
    let extreme = |sign: f64| {
        steadiness
            .iter()
            .min_by(|a, b| (sign * a.1.value).total_cmp(&(sign * b.1.value)))
    };
    match (extreme(1.0), extreme(-1.0)) {
        (Some(best), Some(worst)) if steadiness.len() > 1 => findings.push(format!(
            "First token: steadiest as seen is {} (IQR / p50 {}), least steady {} ({}); whether that order holds is not tested.",
            best.0,
            number(best.1.value, Unit::Number),
            worst.0,
            number(worst.1.value, Unit::Number),
        )),
        (Some(only), _) => findings.push(format!(
            "First token of {}: IQR / p50 {}.",
            only.0,
            number(only.1.value, Unit::Number)
        )),
        _ => findings.push(
            "Too few streams, or too many failures, to say how steady a route is.".to_owned(),
        ),
    }
    if !pseudo.is_empty() {
        findings.push(format!(
            "Answers held back and sent in one burst: {}. Their first token is their total in \
             disguise.",
            pseudo.join(", ")
        ));
    }
    findings
}

fn forest(steadiness: &[(String, Estimate)]) -> Option<Chart> {
    let bars: Vec<Bar> = steadiness
        .iter()
        .map(|(name, found)| Bar {
            name: name.clone(),
            value: found.value,
            interval: found
                .interval
                .is_finite()
                .then_some((found.interval.low, found.interval.high)),
        })
        .collect();
    (!bars.is_empty()).then(|| Chart {
        title: "Spread of the first token: IQR over p50, with conservative 95 % intervals"
            .to_owned(),
        unit: Unit::Number,
        plot: Plot::Forest { bars, zero: 0.0 },
        note: "Further left is steadier.".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::reports::tests::{head, made_up, routed};

    #[test]
    fn ratios_are_right_and_hold_within_their_intervals() {
        let numbers = Numbers::of((1..=999).map(f64::from));
        let iqr = iqr_over_median(&numbers).unwrap();
        assert!((iqr.value - 499.0 / 500.0).abs() < 1e-9, "{iqr:?}");
        assert!(
            iqr.interval.low < 0.95 && iqr.interval.high > 1.05,
            "{iqr:?}"
        );
        let tail = ratio(&numbers, 0.95).unwrap();
        assert!((tail.value - 949.1 / 500.0).abs() < 1e-9, "{tail:?}");
        let mad = mad_over_median(&numbers).unwrap();
        assert!((mad.value - 0.7413).abs() < 1e-9, "{mad:?}");
        let cv = variation(&numbers).unwrap();
        assert!((cv.value - 0.577_06).abs() < 1e-4, "{cv:?}");
    }

    #[test]
    fn the_steady_route_and_the_pseudo_streams_are_named() {
        let mut calls = Vec::new();
        for n in 0..400 {
            let jitter = (n % 100) as f64;
            calls.push(made_up(n, 300.0 + jitter * 0.1));
            let other = Call {
                pseudo_stream: n % 10 == 0,
                stalls: Some(u32::from(n % 4 == 0)),
                ..made_up(n, 300.0 + jitter * 6.0)
            };
            calls.push(routed(other, None));
        }
        let paper = paper(&calls, head());
        assert!(
            paper.findings[0].contains("steadiest as seen is gpt-4.1 at openai")
                && paper.findings[0].contains("not tested"),
            "{:?}",
            paper.findings
        );
        assert!(
            paper.findings[1].contains("gpt-4.1 at openrouter (10.0 %)"),
            "{:?}",
            paper.findings
        );
        let stalled = &paper.sheets[1].rows[1][3];
        assert_eq!(stalled.number(), Some(0.25));
    }
}
