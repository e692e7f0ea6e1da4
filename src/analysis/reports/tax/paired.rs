//! Compares pairs: one request at two routes, a moment apart, in an order that was drawn.
//!
//! Method: `measurement.md` section 4.C. Both halves meet the same hour and the same load, so that
//! their difference says what the route does. It is the percentile of differences that is told,
//! never the difference of percentiles.

use std::collections::{BTreeMap, BTreeSet};

use super::adjust::Metric;
use crate::analysis::reports::call::{Call, plain_model};
use crate::record::{ExchangeRecord, Name, Pair, ProviderKind};
use crate::statistics::compare::{OrderEffect, Verdict, decide, order_effect, paired};
use crate::statistics::interval::{
    ALPHA, Estimate, Interval, design_effect, newcombe, order_ci_deff,
};
use crate::statistics::quantile::{Sample, sorted};
use crate::statistics::sequence::mixture::{CENTRE, quantile_sequence_deff};

/// What pairs are compared in; failures are of all halves and not of pairs.
pub(super) const METRICS: [Metric; 5] = [
    Metric::FirstToken,
    Metric::FirstAnswer,
    Metric::Rate,
    Metric::Total,
    Metric::Cost,
];

/// Fewer pairs have no interval of two ends.
pub(super) const PAIRS_MIN: usize = 6;
/// From so many pairs on the 95th percentile of differences has two ends.
pub(super) const PAIRS_P95: usize = 72;
/// Where order matters at this level, both orders weigh the same.
const ORDER_ALPHA: f64 = 0.05;

/// One exchange of a pair.
#[derive(Debug, Clone)]
struct Half {
    call: Call,
    pair: Pair,
    /// Whether more than one try was made: another route answered.
    moved: bool,
}

/// Pairs as records bring them.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    waiting: BTreeMap<(Name, u32), Half>,
    whole: Vec<[Half; 2]>,
}

impl Pairs {
    /// Adds an exchange; gives its calls back where it is no half of a pair.
    pub(super) fn add(
        &mut self,
        record: &ExchangeRecord,
        mut calls: Vec<Call>,
    ) -> Result<(), Vec<Call>> {
        let active = record.active.as_ref();
        let Some((active, pair)) = active.and_then(|active| Some((active, active.pair?))) else {
            return Err(calls);
        };
        let moved = record.attempts.len() > 1;
        let Some(call) = calls.pop() else {
            return Ok(());
        };
        let half = Half { call, pair, moved };
        let key = (active.run.clone(), pair.number);
        match self.waiting.remove(&key) {
            None => {
                self.waiting.insert(key, half);
            }
            Some(other) if other.pair.order <= half.pair.order => self.whole.push([other, half]),
            Some(other) => self.whole.push([half, other]),
        }
        Ok(())
    }

    /// Halves whose partner is not in the window.
    pub(super) fn alone(&self) -> usize {
        self.waiting.len()
    }

    /// What the pairs say, by model, routes and connection; `reference` is the provider named.
    pub(super) fn compared(&self, reference: Option<&str>, seed: u64) -> Vec<Compared> {
        let mut groups: BTreeMap<Key, Vec<Couple<'_>>> = BTreeMap::new();
        for halves in &self.whole {
            if let Some((key, couple)) = couple(halves, reference) {
                groups.entry(key).or_default().push(couple);
            }
        }
        // The failures are one more.
        let family = groups.len() * (METRICS.len() + 1);
        groups
            .into_iter()
            .map(|(key, couples)| compared(key, couples, family, seed))
            .collect()
    }
}

/// What is compared apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) model: String,
    pub(super) route: Name,
    pub(super) reference: Name,
    /// Whether the connections were there before.
    pub(super) warm: Option<bool>,
}

/// The model of both halves: where its hosts' names are not known to mean one, what both were asked
/// for.
fn common_model(route: &Call, reference: &Call) -> String {
    let model = plain_model(route);
    match &route.asked {
        Some(asked) if model != plain_model(reference) && route.asked == reference.asked => {
            asked.to_string()
        }
        _ => model,
    }
}

/// Both halves of a pair, as they are compared.
#[derive(Debug, Clone, Copy)]
struct Couple<'a> {
    route: &'a Half,
    reference: &'a Half,
    route_first: bool,
}

/// Which half is the route and which the reference: the one named, or else the direct provider, or
/// else the first by name. Of two halves at one provider (A/A) even pairs take the first sent.
fn couple<'a>(halves: &'a [Half; 2], named: Option<&str>) -> Option<(Key, Couple<'a>)> {
    let [first, second] = halves;
    let is_reference = |half: &Half, other: &Half| match named {
        Some(named) => half.call.provider.as_str() == named,
        None => {
            let direct = |half: &Half| half.call.kind == ProviderKind::Direct;
            match (direct(half), direct(other)) {
                (true, false) => true,
                (false, true) => false,
                _ => half.call.provider < other.call.provider,
            }
        }
    };
    let route_first = if first.call.provider == second.call.provider {
        first.pair.number % 2 == 0
    } else if is_reference(second, first) {
        true
    } else if is_reference(first, second) {
        false
    } else {
        return None;
    };
    let (route, reference) = if route_first {
        (first, second)
    } else {
        (second, first)
    };
    let reused = [route, reference].map(|half| half.call.traits.reused);
    let key = Key {
        model: common_model(&route.call, &reference.call),
        route: route.call.provider.clone(),
        reference: reference.call.provider.clone(),
        warm: (reused[0] == reused[1]).then_some(reused[0]),
    };
    Some((
        key,
        Couple {
            route,
            reference,
            route_first,
        },
    ))
}

/// Why a pair is left out of differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    /// Its halves asked for different models.
    OtherModel,
    /// One of its connections was new, the other one not.
    Connection,
    /// A half failed, or another route answered it.
    Failed,
    /// More of one prompt than of the other came out of a cache.
    Cached,
    /// Another version of the model answered.
    Version,
    /// Another upstream served behind the router than in the other pairs.
    Upstream,
}

impl Dropped {
    pub(super) const ALL: [Self; 6] = [
        Self::OtherModel,
        Self::Connection,
        Self::Failed,
        Self::Cached,
        Self::Version,
        Self::Upstream,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::OtherModel => "other_model",
            Self::Connection => "connection_differs",
            Self::Failed => "a_half_failed",
            Self::Cached => "cached_tokens_differ",
            Self::Version => "model_version_differs",
            Self::Upstream => "other_upstream",
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::OtherModel => "other model",
            Self::Connection => "one connection new",
            Self::Failed => "a half failed",
            Self::Cached => "cached tokens differ",
            Self::Version => "model version differs",
            Self::Upstream => "other upstream",
        }
    }
}

impl Couple<'_> {
    fn dropped(&self, pinned: bool) -> Option<Dropped> {
        let (route, reference) = (&self.route.call, &self.reference.call);
        let failed = |half: &Half| half.moved || half.call.failed != Some(false);
        let tail = |name: &Name| name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        let differ = |one: Option<String>, other: Option<String>| {
            one.zip(other).is_some_and(|(one, other)| one != other)
        };
        // A host that answers with the very name it was asked for says nothing of the version.
        let version = |call: &Call| {
            let answered = call.answered.as_ref().map(tail)?;
            (call.model.as_ref().map(tail) != Some(answered.clone())).then_some(answered)
        };
        let fingerprint = |call: &Call| call.fingerprint.as_ref().map(tail);
        // The bench that made the pair asked both for one model: it knows what its routes serve.
        let asked_alike = route.asked.is_some() && route.asked == reference.asked;
        if !asked_alike && plain_model(route) != plain_model(reference) {
            Some(Dropped::OtherModel)
        } else if route.traits.reused != reference.traits.reused {
            Some(Dropped::Connection)
        } else if failed(self.route) || failed(self.reference) {
            Some(Dropped::Failed)
        } else if route.cached_read.unwrap_or(0) != reference.cached_read.unwrap_or(0) {
            Some(Dropped::Cached)
        } else if differ(version(route), version(reference))
            || pinned && differ(fingerprint(route), fingerprint(reference))
        {
            Some(Dropped::Version)
        } else if pinned && !self.is_served_by_reference() {
            Some(Dropped::Upstream)
        } else {
            None
        }
    }

    fn is_served_by_reference(&self) -> bool {
        let reference = self.reference.call.provider.as_str();
        let served = self.route.call.served_by.as_ref();
        served.is_some_and(|by| by.eq_ignore_ascii_case(reference))
    }

    fn difference(&self, metric: Metric) -> Option<[f64; 2]> {
        let both = [self.route, self.reference].map(|half| metric.of(&half.call));
        let [Some(route), Some(reference)] = both else {
            return None;
        };
        (route.is_finite() && reference.is_finite()).then_some([route, reference])
    }
}

/// What the pairs of one key say.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) key: Key,
    /// Whether all answers behind the router say that the reference served them.
    pub(super) pinned: bool,
    pub(super) pairs: usize,
    pub(super) used: usize,
    pub(super) dropped: [u64; Dropped::ALL.len()],
    /// Failed, and all that count, of the route and of the reference.
    pub(super) failures: [(u64, u64); 2],
    /// Hours of the clock in which pairs that are used began.
    pub(super) hours: usize,
    pub(super) told: Vec<(Metric, Result<Told, usize>)>,
    /// Verdicts told of all pairs: each is made so strictly that all hold together.
    family: usize,
}

/// A difference as pairs tell it, route less reference.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) count: usize,
    /// Medians of the route and of the reference.
    pub(super) values: [Option<f64>; 2],
    /// The median of the differences.
    pub(super) difference: Estimate,
    /// Where it lies however often one looks.
    pub(super) at_any_time: Interval,
    /// The median of the quotients.
    pub(super) ratio: Option<Estimate>,
    /// The typical shift of Hodges and Lehmann.
    pub(super) shift: Estimate,
    /// The 95th percentile of the differences.
    pub(super) p95: Option<Estimate>,
    /// Whether it mattered which half was sent first.
    pub(super) order: Option<OrderEffect>,
    /// Whether both orders were given the same weight for that.
    pub(super) balanced: bool,
    /// How many pairs say what one independent pair would.
    pub(super) effect: f64,
    pub(super) verdict: Verdict,
}

fn compared(key: Key, mut couples: Vec<Couple<'_>>, family: usize, seed: u64) -> Compared {
    couples.sort_by_key(|couple| couple.route.call.started.min(couple.reference.call.started));
    let pinned = couples.iter().any(Couple::is_served_by_reference);
    let mut dropped = [0; Dropped::ALL.len()];
    let mut used = Vec::new();
    for couple in &couples {
        match couple.dropped(pinned) {
            Some(why) => dropped[why as usize] += 1,
            None => used.push(*couple),
        }
    }
    let hour = |couple: &Couple<'_>| couple.route.call.started.0 / 3_600_000_000;
    Compared {
        pinned,
        pairs: couples.len(),
        used: used.len(),
        dropped,
        failures: [
            failures(couples.iter().map(|couple| couple.route)),
            failures(couples.iter().map(|couple| couple.reference)),
        ],
        hours: used.iter().map(hour).collect::<BTreeSet<_>>().len(),
        told: METRICS
            .map(|metric| (metric, told(&used, metric, family, seed)))
            .to_vec(),
        family,
        key,
    }
}

/// How many failed of those whose outcome says something of their route.
fn failures<'a>(halves: impl Iterator<Item = &'a Half>) -> (u64, u64) {
    let judged = halves.filter_map(|half| half.call.failed);
    judged.fold((0, 0), |(failed, all), fails| {
        (failed + u64::from(fails), all + 1)
    })
}

impl Compared {
    /// The difference of the failure rates, of which pairing would only narrow the interval, and
    /// what is to be said of it among all that is said of pairs.
    pub(super) fn failure_difference(&self) -> Option<(Estimate, Verdict)> {
        let [route, reference] = self.failures;
        let count = usize::try_from(route.1.min(reference.1)).unwrap_or(usize::MAX);
        let strict = newcombe(route, reference, ALPHA / self.family.max(1) as f64)?;
        let said = decide(&strict, Metric::Failures.margin(0.0), count);
        Some((newcombe(route, reference, ALPHA)?, said))
    }
}

/// The difference in `metric`, or how many pairs have it where they are too few.
fn told(used: &[Couple<'_>], metric: Metric, family: usize, seed: u64) -> Result<Told, usize> {
    let found: Vec<(bool, [f64; 2])> = used
        .iter()
        .filter_map(|couple| Some((couple.route_first, couple.difference(metric)?)))
        .collect();
    let differences: Vec<f64> = found.iter().map(|(_, [a, b])| a - b).collect();
    let count = differences.len();
    if count < PAIRS_MIN {
        return Err(count);
    }
    let of = |route_first: bool| -> Vec<f64> {
        let of = found.iter().filter(|(first, _)| *first == route_first);
        of.map(|(_, [a, b])| a - b).collect()
    };
    let orders = [of(true), of(false)];
    let order = order_effect(&orders[0], &orders[1], ALPHA, seed);
    let enough = orders.iter().all(|each| each.len() >= PAIRS_MIN);
    let balanced = enough && order.is_some_and(|order| order.p_value < ORDER_ALPHA);
    let effect = design_effect(&differences);
    let (values, _) = sorted(differences.iter().copied());
    let sample = Sample::new(&values, 0);
    let median = |alpha: f64| {
        if balanced {
            return both_orders(&orders, alpha);
        }
        Some(Estimate {
            value: sample.quantile(0.5)?,
            interval: order_ci_deff(sample, 0.5, alpha, effect).bounds(),
        })
    };
    let summary = paired(&differences, ALPHA, seed).ok_or(count)?;
    let (difference, strict) = median(ALPHA)
        .zip(median(ALPHA / family.max(1) as f64))
        .ok_or(count)?;
    let middle = |at: usize| {
        let (values, failures) = sorted(found.iter().map(|(_, both)| both[at]));
        Sample::new(&values, failures).quantile(0.5)
    };
    let medians = [middle(0), middle(1)];
    let margin = metric.margin(medians[1].unwrap_or(0.0));
    Ok(Told {
        count,
        values: medians,
        difference,
        at_any_time: if balanced {
            both_sequences(&orders)
        } else {
            sequence(&differences, ALPHA)
        },
        ratio: ratio(&found, effect),
        shift: summary.hodges_lehmann,
        p95: (count >= PAIRS_P95).then(|| Estimate {
            value: sample.quantile(0.95).unwrap_or(f64::INFINITY),
            interval: order_ci_deff(sample, 0.95, ALPHA, effect).bounds(),
        }),
        order,
        balanced,
        effect,
        verdict: decide(&strict, margin, count),
    })
}

/// The mean of the medians of both orders. Each has an interval of half the error, so that both
/// hold together, and the middle of their ends holds the middle of the medians.
fn both_orders(orders: &[Vec<f64>; 2], alpha: f64) -> Option<Estimate> {
    let median = |differences: &[f64]| {
        let (values, failures) = sorted(differences.iter().copied());
        let sample = Sample::new(&values, failures);
        let effect = design_effect(differences);
        let bounds = order_ci_deff(sample, 0.5, alpha / 2.0, effect).bounds();
        Some((sample.quantile(0.5)?, bounds))
    };
    let ((one, near), (other, far)) = median(&orders[0]).zip(median(&orders[1]))?;
    Some(Estimate {
        value: f64::midpoint(one, other),
        interval: Interval {
            low: f64::midpoint(near.low, far.low),
            high: f64::midpoint(near.high, far.high),
        },
    })
}

/// Where the median of differences, in the order of time, lies however often one looks.
pub(super) fn sequence(differences: &[f64], alpha: f64) -> Interval {
    let effect = design_effect(differences);
    let (values, failures) = sorted(differences.iter().copied());
    let sample = Sample::new(&values, failures);
    quantile_sequence_deff(sample, 0.5, alpha, CENTRE, effect).bounds()
}

/// The same of the mean of [`both_orders`]: of either a sequence of half the error, so that both
/// hold together.
pub(super) fn both_sequences(orders: &[Vec<f64>; 2]) -> Interval {
    let [near, far] = [&orders[0], &orders[1]].map(|order| sequence(order, ALPHA / 2.0));
    Interval {
        low: f64::midpoint(near.low, far.low),
        high: f64::midpoint(near.high, far.high),
    }
}

/// The median of route over reference, made on the logarithm.
fn ratio(found: &[(bool, [f64; 2])], effect: f64) -> Option<Estimate> {
    let logs = found.iter().map(|(_, [route, reference])| {
        let both = *route > 0.0 && *reference > 0.0;
        both.then(|| (route / reference).ln())
    });
    let (values, _) = sorted(logs.collect::<Option<Vec<f64>>>()?);
    let sample = Sample::new(&values, 0);
    Some(Estimate {
        value: sample.quantile(0.5)?.exp(),
        interval: order_ci_deff(sample, 0.5, ALPHA, effect)
            .bounds()
            .map(f64::exp),
    })
}
