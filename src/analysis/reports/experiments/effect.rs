//! Estimates what the arm did: the difference of both arms, at one look or along the way.

use super::entry::{Ending, Entry, Known};
use super::trial::Trial;
use crate::record::{Arm, WallTime};
use crate::routing::experiment::Metric;
use crate::statistics::interval::{Estimate, Interval, newcombe};
use crate::statistics::quantile::{Sample, sorted};
use crate::statistics::sequence::arms::{self, Looks};
use crate::statistics::sequence::{CENTRE, Location, rate_sequence, sign_design, subtract};

/// Which exchanges an effect is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analysis::reports) enum Scope {
    /// The first of each unit: cold, and independent of each other.
    First,
    /// All, those of a unit taken together.
    All,
}

/// What arm b did against arm a.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::analysis::reports) struct Effect {
    /// Numbers of either arm, a first.
    pub(in crate::analysis::reports) numbers: [usize; 2],
    /// Of them those that the client did not wait for.
    pub(in crate::analysis::reports) cut: [usize; 2],
    /// Median of either arm; of failures the rate, of cost the mean.
    pub(in crate::analysis::reports) values: [Option<f64>; 2],
    /// b less a, or why it is not told.
    pub(in crate::analysis::reports) difference: Result<Estimate, &'static str>,
    /// b over a.
    pub(in crate::analysis::reports) ratio: Option<Estimate>,
}

/// One arm's numbers, as they are at least and at most.
#[derive(Debug, Default)]
struct Side {
    /// Sorted, without failures: the least and the most each can be.
    sorted: [Vec<f64>; 2],
    failures: [usize; 2],
    /// Added since the last look.
    fresh: Vec<Known>,
    /// All with their units, where means or clusters ask for them.
    all: Vec<(f64, usize)>,
    cut: usize,
    /// Exchanges that ended with an answer or without one, whether or not their number is known.
    judged: u64,
    /// Of them those with a number.
    known: u64,
}

impl Side {
    fn add(&mut self, value: Known, unit: usize) {
        self.cut += usize::from(value.is_cut());
        self.fresh.push(value);
        self.all.push((value.low, unit));
    }

    /// Puts what is new among the rest.
    fn settle(&mut self) {
        let fresh = std::mem::take(&mut self.fresh);
        for (end, of) in [|each: &Known| each.low, |each: &Known| each.high]
            .into_iter()
            .enumerate()
        {
            let (new, failed) = sorted(fresh.iter().map(of));
            self.failures[end] += failed;
            merge(&mut self.sorted[end], new);
        }
    }

    fn sample(&self, end: usize) -> Sample<'_> {
        Sample::new(&self.sorted[end], self.failures[end])
    }

    fn len(&self) -> usize {
        self.all.len()
    }

    /// Its median at one end of what is known.
    fn median(&self, end: usize, scope: Scope) -> Option<Location> {
        let sample = self.sample(end);
        match scope {
            Scope::First => Location::median(sample),
            Scope::All => {
                let design = sign_design(&self.all, sample.quantile(0.5)?);
                Location::clustered_median(sample, clusters(&self.all), design)
            }
        }
    }

    fn value(&self, metric: Metric) -> Option<f64> {
        if matches!(metric, Metric::Failure | Metric::Cost) {
            let sum: f64 = self.all.iter().map(|each| each.0).sum();
            return (self.len() > 0).then(|| sum / self.len() as f64);
        }
        let [low, high] = [0, 1].map(|end: usize| self.sample(end).quantile(0.5));
        match (low?, high?) {
            (low, high) if high.is_finite() => Some(f64::midpoint(low, high)),
            _ => None,
        }
    }
}

fn clusters(values: &[(f64, usize)]) -> usize {
    let mut units: Vec<usize> = values.iter().map(|each| each.1).collect();
    units.sort_unstable();
    units.dedup();
    units.len()
}

/// Two ascending lists as one.
fn merge(into: &mut Vec<f64>, new: Vec<f64>) {
    if new.is_empty() {
        return;
    }
    let old = std::mem::take(into);
    into.reserve(old.len() + new.len());
    let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
    while let (Some(one), Some(other)) = (old.peek(), new.peek()) {
        let next = if one <= other { old.next() } else { new.next() };
        into.extend(next);
    }
    into.extend(old);
    into.extend(new);
}

/// An experiment looked at again and again as its exchanges come.
#[derive(Debug)]
pub(super) struct Watcher {
    metric: Metric,
    scope: Scope,
    alpha: f64,
    sides: [Side; 2],
}

impl Watcher {
    pub(super) fn new(metric: Metric, scope: Scope, alpha: f64) -> Self {
        Self {
            metric,
            scope,
            alpha,
            sides: Default::default(),
        }
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        if self.scope == Scope::First && !entry.first {
            return;
        }
        let side = &mut self.sides[entry.arm as usize];
        let value = entry.value(self.metric);
        if matches!(entry.ending, Ending::Answered | Ending::Failed) {
            side.judged += 1;
            side.known += u64::from(value.is_some());
        }
        if let Some(value) = value {
            side.add(value, entry.unit);
        }
    }

    /// Whether what is known of both arms is of like exchanges: an arm whose numbers are known of
    /// fewer of its exchanges than the other's was chosen by more than the coin.
    fn is_chosen(&self) -> bool {
        let [a, b] = &self.sides;
        let apart = newcombe((a.known, a.judged), (b.known, b.judged), UNLIKE_ALPHA);
        apart.is_some_and(|apart| apart.value.abs() > UNLIKE && !apart.interval.contains(0.0))
    }

    /// What is known by now.
    pub(super) fn look(&mut self, looks: Looks) -> Effect {
        self.sides.iter_mut().for_each(Side::settle);
        let [a, b] = &self.sides;
        let told = match self.metric {
            _ if self.is_chosen() => Err(CHOSEN),
            Metric::Failure => self.rates(looks),
            Metric::Cost => {
                let both = [a, b].map(|side| Location::mean(&side.all));
                self.located([both, both], looks)
            }
            _ => {
                let both = [0, 1].map(|end: usize| [a, b].map(|side| side.median(end, self.scope)));
                // b at its least against a at its most, and the other way round.
                let [[a_low, b_low], [a_high, b_high]] = both;
                self.located([[a_high, b_low], [a_low, b_high]], looks)
            }
        };
        let (difference, ratio) = match told {
            Ok((difference, ratio)) => (Ok(difference), ratio),
            Err(why) => (Err(why), None),
        };
        Effect {
            numbers: [a.len(), b.len()],
            cut: [a.cut, b.cut],
            values: [a, b].map(|side| side.value(self.metric)),
            difference,
            ratio,
        }
    }

    /// The differences at both ends of what is known, as one interval around both.
    fn located(
        &self,
        ends: [[Option<Location>; 2]; 2],
        looks: Looks,
    ) -> Result<(Estimate, Option<Estimate>), &'static str> {
        let mut found = Vec::new();
        for [a, b] in ends {
            let (a, b) = a.zip(b).ok_or(TOO_FEW)?;
            let difference = arms::difference(&b, &a, self.alpha, looks).ok_or(NOT_YET)?;
            found.push((difference, arms::ratio(&b, &a, self.alpha, looks)));
        }
        let [(low, low_ratio), (high, high_ratio)] = found.as_slice() else {
            return Err(TOO_FEW);
        };
        let ratio = low_ratio
            .zip(*high_ratio)
            .map(|(low, high)| hull(&low, &high));
        Ok((hull(low, high), ratio))
    }

    /// The difference of failure rates: exact, from the first exchange on.
    fn rates(&self, looks: Looks) -> Result<(Estimate, Option<Estimate>), &'static str> {
        let [a, b] = &self.sides;
        if a.len() == 0 || b.len() == 0 {
            return Err(TOO_FEW);
        }
        if self.scope == Scope::All {
            let both = [a, b].map(|side| Location::mean(&side.all));
            return self
                .located([both, both], looks)
                .map(|(found, _)| (found, None));
        }
        let hits = |side: &Side| side.all.iter().filter(|each| each.0 > 0.5).count();
        let rate = |side: &Side| rate_sequence(hits(side), side.len(), self.alpha / 2.0, CENTRE);
        let interval = match looks {
            Looks::Any => subtract(rate(b), rate(a)),
            Looks::Once => {
                let count = |side: &Side| (hits(side) as u64, side.len() as u64);
                let found = newcombe(count(b), count(a), self.alpha);
                found.map_or(Interval::UNKNOWN, |found| found.interval)
            }
        };
        let share = |side: &Side| hits(side) as f64 / side.len() as f64;
        let value = share(b) - share(a);
        Ok((Estimate { value, interval }, None))
    }
}

/// Why there is no difference.
const TOO_FEW: &str = "an arm has too few numbers, too many failures, or the same number always";
const NOT_YET: &str = "begins at 100 sessions with a number";
const CHOSEN: &str = "known of another share of either arm: not comparable";

/// How far apart these shares may be, and the chance of a false alarm where they are not.
const UNLIKE: f64 = 0.05;
const UNLIKE_ALPHA: f64 = 0.001;

fn hull(one: &Estimate, other: &Estimate) -> Estimate {
    Estimate {
        value: f64::midpoint(one.value, other.value),
        interval: Interval {
            low: one.interval.low.min(other.interval.low),
            high: one.interval.high.max(other.interval.high),
        },
    }
}

impl Trial {
    /// The effect on `metric` by now.
    pub(in crate::analysis::reports) fn effect(
        &self,
        metric: Metric,
        scope: Scope,
        alpha: f64,
        looks: Looks,
    ) -> Effect {
        let mut watcher = Watcher::new(metric, scope, alpha);
        self.entries.iter().for_each(|entry| watcher.add(entry));
        watcher.look(looks)
    }

    /// The same along the way, at `looks` moments after equal numbers of exchanges.
    pub(super) fn path(&self, metric: Metric, alpha: f64, looks: usize) -> Vec<(WallTime, Effect)> {
        let mut watcher = Watcher::new(metric, Scope::First, alpha);
        let firsts: Vec<&Entry> = self.entries.iter().filter(|entry| entry.first).collect();
        let step = firsts.len().div_ceil(looks.max(1)).max(1);
        let mut path = Vec::new();
        for group in firsts.chunks(step) {
            group.iter().for_each(|entry| watcher.add(entry));
            if let Some(last) = group.last() {
                path.push((last.at, watcher.look(Looks::Any)));
            }
        }
        path
    }

    /// The numbers of an arm's first exchanges, without those that the client did not wait for.
    pub(super) fn numbers(&self, metric: Metric, arm: Arm) -> (Vec<f64>, usize) {
        let firsts = self
            .entries
            .iter()
            .filter(|entry| entry.first && entry.arm == arm);
        let values = firsts.filter_map(|entry| entry.value(metric));
        sorted(
            values
                .filter(|value| !value.is_cut())
                .map(|value| value.low),
        )
    }
}
