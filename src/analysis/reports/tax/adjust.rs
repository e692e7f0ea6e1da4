//! Estimates the difference of two routes from traffic that nobody assigned by lot.

use super::strata::{Alike, Column, Group, Groups};
use crate::analysis::paper::Unit;
use crate::analysis::reports::call::Call;
use crate::analysis::reports::figures::{first_answer, first_token, price, rate, total};
use crate::statistics::compare::{
    Margin, Resampling, Stratum, Verdict, bootstrap_difference, decide, stratified_contrast,
    stratified_difference,
};
use crate::statistics::interval::special::normal_quantile;
use crate::statistics::interval::{Estimate, Interval, effective_count, newcombe, wilson_deff};
use crate::statistics::quantile::{Sample, sorted};
use crate::statistics::sequence::arms::looked_at;
use crate::statistics::sequence::{CENTRE, rate_sequence, subtract};

/// The least share of each route's calls that must have their like at the other (measurement 9).
const OVERLAP_MIN: f64 = 0.5;
/// The largest standardised difference that may be left after weighting (measurement 9).
const IMBALANCE_MAX: f64 = 0.1;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Time to first token.
    FirstToken,
    /// Time to first answer.
    FirstAnswer,
    /// Output rate.
    Rate,
    /// Time to the 500th token.
    Total,
    /// Failure rate.
    Failures,
    /// Cost of an exchange.
    Cost,
    /// Connecting.
    Connect,
    /// Request sent to headers.
    Headers,
    /// Headers to first token.
    Wait,
    /// First to last token.
    Streaming,
    /// What the route itself reports.
    Reported,
}

impl Metric {
    /// What a tax is told by.
    pub const HEADLINES: [Self; 6] = [
        Self::FirstToken,
        Self::FirstAnswer,
        Self::Rate,
        Self::Total,
        Self::Failures,
        Self::Cost,
    ];

    /// Where it comes from.
    pub const PARTS: [Self; 5] = [
        Self::Connect,
        Self::Headers,
        Self::Wait,
        Self::Streaming,
        Self::Reported,
    ];

    /// The number of a call.
    #[must_use]
    pub fn of(self, call: &Call) -> Option<f64> {
        match self {
            // Of streams only, as in every report: a whole answer that failed has no place beside
            // streams, as none that came has one. A rate is of answers that came.
            Self::FirstToken => first_token(call),
            Self::FirstAnswer => first_answer(call),
            Self::Rate => rate(call),
            Self::Total => total(call),
            Self::Failures => call.failed.map(|failed| f64::from(u8::from(failed))),
            // What was paid: what the provider billed, where it says so.
            Self::Cost => price(call),
            Self::Connect => call.connect,
            Self::Headers => call.headers,
            Self::Wait => call.wait,
            Self::Streaming => call.streaming,
            Self::Reported => call.reported,
        }
    }

    /// How long it was waited for a call's number that nobody waited out.
    fn waited(self, call: &Call) -> Option<f64> {
        let wait = match self {
            Self::FirstToken => call.waited[0],
            Self::FirstAnswer | Self::Total => call.waited[1],
            _ => None,
        };
        wait.filter(|_| call.traits.stream && self.of(call).is_none())
    }

    /// The name where a machine reads it.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::FirstToken => "first_token",
            Self::FirstAnswer => "first_answer",
            Self::Rate => "output_rate",
            Self::Total => "total_500_tokens",
            Self::Failures => "failure_rate",
            Self::Cost => "cost",
            Self::Connect => "connect",
            Self::Headers => "headers",
            Self::Wait => "first_token_after_headers",
            Self::Streaming => "streaming",
            Self::Reported => "reported_by_route",
        }
    }

    /// Whether a tax is told by it: of the parts neither ratio nor unadjusted difference is shown,
    /// and both would be drawn in vain.
    fn is_headline(self) -> bool {
        Self::HEADLINES.contains(&self)
    }

    /// Whether the same numbers would be told alike as either.
    fn is_like(self, other: Self) -> bool {
        let kind = |metric: Self| match metric {
            Self::Rate | Self::Failures | Self::Cost => Some(metric),
            _ => None,
        };
        kind(self) == kind(other) && self.is_headline() == other.is_headline()
    }

    pub(super) fn margin(self, reference: f64) -> f64 {
        match self {
            // A difference of a rate, a share of failures or a price below these is of no
            // consequence to anybody: 3 %, one failure in two hundred, 1 %.
            Self::Rate => 0.03 * reference.abs(),
            Self::Failures => 0.005,
            Self::Cost => 0.01 * reference.abs(),
            _ => Margin::NANOS.beside(reference),
        }
    }
}

/// What a metric is measured in.
pub(super) const fn unit(metric: Metric) -> Unit {
    match metric {
        Metric::Rate => Unit::Rate,
        Metric::Failures => Unit::Share,
        Metric::Cost => Unit::Dollars,
        _ => Unit::Span,
    }
}

/// What a difference of it is measured in.
pub(super) const fn difference_unit(metric: Metric) -> Unit {
    match metric {
        Metric::Rate => Unit::RateMore,
        Metric::Failures => Unit::Points,
        Metric::Cost => Unit::DollarsMore,
        _ => Unit::Delta,
    }
}

/// Two routes compared in one number.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What was compared.
    pub metric: Metric,
    /// Calls with the number: of the route, and of the reference.
    pub calls: [usize; 2],
    /// Medians of all of them (of failures: their rates), unadjusted.
    pub plain: [Option<f64>; 2],
    /// Their difference, unadjusted; of headlines only.
    pub naive: Option<Estimate>,
    /// Groups of calls that are alike, of both routes.
    pub groups: usize,
    /// The share of each route's calls in them.
    pub overlap: [f64; 2],
    /// How many calls of either route say what one independent one would: those of a conversation
    /// or of a minute are alike, and hours in which one route differs from the other as it does not
    /// in the next.
    pub effects: [f64; 2],
    /// Whether they are of so few hours that nothing tells how the difference changes from one to
    /// the next.
    pub few_hours: bool,
    /// What is left of the difference in prompt size and hour, in standard deviations.
    pub imbalance: [f64; 2],
    /// The difference among calls that are alike, or why none is told.
    pub effect: Result<Effect, Refusal>,
}

/// A difference of two routes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// Route less reference, at one look that was fixed before.
    pub difference: Estimate,
    /// Where it lies however often one looks at a window whose beginning stands: absent below
    /// [`SEQUENCE_FROM`](crate::statistics::sequence::SEQUENCE_FROM) independent calls.
    pub at_any_time: Option<Interval>,
    /// Route over reference; of headlines only.
    pub ratio: Option<Estimate>,
    /// What may be said, by an interval as wide as the number of comparisons asks.
    pub verdict: Verdict,
}

/// Why no difference is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A route has no call with the number.
    NoCalls,
    /// Too little of their traffic is alike.
    NoOverlap,
    /// The same of rounds: what was asked is alike, what was measured of it is not, or is too little.
    FewRounds,
    /// What is alike still differs in prompt size.
    Sizes,
    /// What is alike still differs in the hour of the day.
    Hours,
    /// So many fail that there is no median.
    AmongFailures,
}

impl Refusal {
    /// In the order of what is held against each other.
    const IMBALANCED: [Self; 2] = [Self::Sizes, Self::Hours];

    /// The reason in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoCalls => "no such number at one of the routes",
            Self::NoOverlap => {
                "no comparable traffic: fewer than half of the requests have their like at the other route"
            }
            Self::FewRounds => {
                "too few rounds: it takes 10 requests of either route that are alike also in connection and cached share"
            }
            Self::Sizes => "no comparable traffic: prompt sizes differ still",
            Self::Hours => "no comparable traffic: hours of the day differ still",
            Self::AmongFailures => "half of the requests fail: there is no median",
        }
    }
}

/// Compares the calls of a route with those of its reference in each of `metrics`. `how` draws;
/// verdicts are made as one of `family` comparisons (Bonferroni: as strict as Holm's first step).
#[must_use]
pub fn compare(
    route: &[&Call],
    reference: &[&Call],
    metrics: &[Metric],
    how: &Resampling,
    family: usize,
) -> Vec<Comparison> {
    let alike = Alike::new(route, reference);
    let mut told: Vec<(Comparison, [Column; 2])> = Vec::with_capacity(metrics.len());
    for metric in metrics.iter().copied() {
        let columns = columns([route, reference], metric);
        // Where nobody reasons, the first answer is the first token: one seed draws the same.
        let same = told
            .iter()
            .find(|(found, of)| found.metric.is_like(metric) && *of == columns);
        let comparison = match same {
            Some((found, _)) => Comparison {
                metric,
                ..found.clone()
            },
            None => compared(&alike, &columns, metric, how, family),
        };
        told.push((comparison, columns));
    }
    told.into_iter().map(|(comparison, _)| comparison).collect()
}

fn compared(
    alike: &Alike,
    columns: &[Column; 2],
    metric: Metric,
    how: &Resampling,
    family: usize,
) -> Comparison {
    let found = alike.groups(columns, metric == Metric::Failures);
    let all = [0, 1].map(|arm: usize| sorted(columns[arm].iter().copied().flatten()));
    let plain = [&all[0], &all[1]].map(|(values, failures)| plain(values, *failures, metric));
    Comparison {
        metric,
        calls: found.all,
        plain,
        naive: metric
            .is_headline()
            .then(|| naive(&all, metric, how))
            .flatten(),
        groups: found.list.len(),
        overlap: found.overlap(),
        effects: found.effects.map(|effect| effect * found.beyond),
        few_hours: found.few_hours,
        imbalance: found.imbalance(),
        effect: effect(&found, plain[1], metric, how, family),
    }
}

/// The numbers of the calls. What was not waited out beyond both routes' medians is longer than
/// either, which is all that a median asks of it; what was given up sooner says nothing of them.
fn columns(arms: [&[&Call]; 2], metric: Metric) -> [Column; 2] {
    let mut columns = arms.map(|calls| -> Column {
        let of = calls.iter().map(|call| metric.of(call));
        of.collect()
    });
    // Of a call that has the number nobody asks how long it was waited for.
    let waits: [Vec<(usize, f64)>; 2] = [0, 1].map(|arm: usize| {
        let lacking = (0..arms[arm].len()).filter(|at| columns[arm][*at].is_none());
        let waits = lacking.filter_map(|at| Some((at, metric.waited(arms[arm][at])?)));
        waits.collect()
    });
    if waits.iter().all(Vec::is_empty) {
        return columns;
    }
    let median = |column: &Column| {
        let (values, failures) = sorted(column.iter().copied().flatten());
        Sample::new(&values, failures).quantile(0.5).unwrap_or(0.0)
    };
    let middle = median(&columns[0]).max(median(&columns[1]));
    for (column, waits) in columns.iter_mut().zip(waits) {
        for (at, _) in waits.into_iter().filter(|(_, wait)| *wait >= middle) {
            column[at] = Some(f64::INFINITY);
        }
    }
    columns
}

fn plain(values: &[f64], failures: usize, metric: Metric) -> Option<f64> {
    if metric == Metric::Failures {
        return (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    }
    Sample::new(values, failures).quantile(0.5)
}

fn naive(all: &[(Vec<f64>, usize); 2], metric: Metric, how: &Resampling) -> Option<Estimate> {
    let [a, b] = all;
    if metric == Metric::Failures {
        let count = |values: &[f64]| (values.iter().sum::<f64>() as u64, values.len() as u64);
        return newcombe(count(&a.0), count(&b.0), how.alpha);
    }
    bootstrap_difference(Sample::new(&a.0, a.1), Sample::new(&b.0, b.1), 0.5, how)
}

fn effect(
    found: &Groups,
    reference: Option<f64>,
    metric: Metric,
    how: &Resampling,
    family: usize,
) -> Result<Effect, Refusal> {
    if found.all.contains(&0) {
        return Err(Refusal::NoCalls);
    }
    if found.overlap().iter().any(|share| *share < OVERLAP_MIN) {
        return Err(Refusal::NoOverlap);
    }
    let imbalance = found.imbalance();
    for (left, refusal) in imbalance.into_iter().zip(Refusal::IMBALANCED) {
        if left.abs() >= IMBALANCE_MAX {
            return Err(refusal);
        }
    }
    let (difference, ratio) = if metric == Metric::Failures {
        let difference = risk_difference(found, how.alpha).ok_or(Refusal::NoCalls)?;
        (difference, None)
    } else {
        let how = &Resampling {
            effects: found.effects,
            ..*how
        };
        let strata: Vec<Stratum<'_>> = found.list.iter().map(Group::stratum).collect();
        let [difference, ratio] = if metric.is_headline() {
            stratified_contrast(&strata, 0.5, how)
        } else {
            [stratified_difference(&strata, 0.5, how), None]
        };
        let difference = difference.ok_or(Refusal::AmongFailures)?;
        // Groups are small: of the fewer that say something of their own, a failure would be each
        // end. What hours add is added to the whole.
        let more = found.beyond.sqrt();
        let ratio = ratio.map(|ratio| logarithmic(&ratio, |of| scaled(of, more)));
        (scaled(&difference, more), ratio)
    };
    if !difference.value.is_finite() {
        return Err(Refusal::AmongFailures);
    }
    let margin = metric.margin(reference.filter(|value| value.is_finite()).unwrap_or(0.0));
    let wide = widened(&difference, how.alpha, family);
    let verdict = decide(&wide, margin, found.inside[0].min(found.inside[1]));
    Ok(Effect {
        difference,
        at_any_time: at_any_time(found, &difference, metric, how.alpha),
        ratio: ratio.filter(|ratio| ratio.value.is_finite()),
        verdict,
    })
}

/// The interval of the difference as an asymptotic confidence sequence after as many calls as are
/// independent; of rates at which all or none failed, whose variance says nothing, the exact
/// sequences of both, subtracted.
fn at_any_time(
    found: &Groups,
    difference: &Estimate,
    metric: Metric,
    alpha: f64,
) -> Option<Interval> {
    let counts = [0, 1].map(|arm: usize| {
        let effect = found.effects[arm] * found.beyond;
        effective_count(found.inside[arm] as u64, effect) as usize
    });
    if let (Metric::Failures, Some(all)) = (metric, all_or_none(found)) {
        let sequence = |arm: usize| {
            let failed = if all[arm] { counts[arm] } else { 0 };
            rate_sequence(failed, counts[arm], alpha / 2.0, CENTRE)
        };
        return Some(subtract(sequence(0), sequence(1)));
    }
    let looked = looked_at(difference, counts[0] + counts[1], alpha)?;
    Some(looked.interval)
}

/// The interval as wide as one of `family` comparisons asks, by the ratio of the normal quantiles:
/// the outermost replicates themselves would be those of a few small groups with failures.
fn widened(estimate: &Estimate, alpha: f64, family: usize) -> Estimate {
    let reach = |alpha: f64| normal_quantile(1.0 - alpha / 2.0);
    scaled(estimate, reach(alpha / family.max(1) as f64) / reach(alpha))
}

/// The estimate with its interval `factor` as wide, no narrower.
fn scaled(estimate: &Estimate, factor: f64) -> Estimate {
    if factor <= 1.0 {
        return *estimate;
    }
    let Estimate { value, interval } = *estimate;
    Estimate {
        value,
        interval: Interval {
            low: value - (value - interval.low) * factor,
            high: value + (interval.high - value) * factor,
        },
    }
}

/// What `change` makes of an estimate on the scale of logarithms.
fn logarithmic(ratio: &Estimate, change: impl Fn(&Estimate) -> Estimate) -> Estimate {
    if ratio.value <= 0.0 {
        return *ratio;
    }
    let changed = change(&Estimate {
        value: ratio.value.ln(),
        interval: ratio.interval.map(f64::ln),
    });
    Estimate {
        value: ratio.value,
        interval: changed.interval.map(f64::exp),
    }
}

/// Of each side whether all failed, where all or none did on both.
fn all_or_none(found: &Groups) -> Option<[bool; 2]> {
    let arm = |of: fn(&Group) -> &Vec<f64>| {
        let mut failed = found.list.iter().flat_map(of).map(|hit| *hit > 0.0);
        let first = failed.next()?;
        failed.all(|fails| fails == first).then_some(first)
    };
    Some([arm(|group| &group.route)?, arm(|group| &group.reference)?])
}

/// The Mantel–Haenszel difference of failure rates over the groups, whose weights are those of
/// overlap, with Sato's variance (Sato 1989). Where all or none of a side fail the variance says
/// nothing: then it is Newcombe's interval of the calls in the groups, of as many as are independent.
fn risk_difference(found: &Groups, alpha: f64) -> Option<Estimate> {
    // Sato's P and Q.
    let (mut weights, mut sum, mut spread, mut noise) = (0.0, 0.0, 0.0, 0.0);
    let mut counts = [[0_u64; 2]; 2];
    for group in &found.list {
        let [routed, direct] = group.count().map(|count| count as f64);
        let [failed, lost] = [&group.route, &group.reference].map(|arm| arm.iter().sum::<f64>());
        let both = routed + direct;
        weights += routed * direct / both;
        sum += (failed * direct - lost * routed) / both;
        spread += (routed * routed * lost - direct * direct * failed
            + routed * direct * (direct - routed) / 2.0)
            / (both * both);
        noise += (failed * (direct - lost) + lost * (routed - failed)) / (2.0 * both);
        counts[0][0] += failed as u64;
        counts[0][1] += routed as u64;
        counts[1][0] += lost as u64;
        counts[1][1] += direct as u64;
    }
    if weights <= 0.0 {
        return None;
    }
    if all_or_none(found).is_some() {
        let rate = |arm: usize| {
            let [failed, all] = counts[arm];
            wilson_deff(failed, all, found.effects[arm], alpha)
        };
        return Some(rate(0)?.less(&rate(1)?));
    }
    let value = sum / weights;
    // What is alike in a conversation or a minute says less.
    let effect = found.effects[0].max(found.effects[1]) * found.beyond;
    let deviation = ((value * spread + noise).max(0.0) * effect / (weights * weights)).sqrt();
    let reach = normal_quantile(1.0 - alpha / 2.0) * deviation;
    Some(Estimate {
        value,
        interval: Interval {
            low: value - reach,
            high: value + reach,
        },
    })
}
