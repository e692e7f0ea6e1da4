//! Says what a group of calls came to: quantiles with their intervals, shares, means, leaders.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Paper;
use super::call::{Call, plain_model};
use crate::analysis::paper::{Bar, Cell, Cut, Drawn, Head, HeatCell, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::render::units::BRIEF;
use crate::analysis::tables::Share;
use crate::record::{NullReason, WallTime};
use crate::statistics::compare::{Margin, Resampling, Verdict, bootstrap_difference, decide};
use crate::statistics::interval::{
    ALPHA, Estimate, Interval, Nearby, Pool, cluster_effect, order_ci_deff,
};
use crate::statistics::metric::{is_credential_fault, is_rate_limit};
use crate::statistics::quantile::{Sample, minimum_count, sorted, waited_quantile};
use crate::statistics::sketch::{RELATIVE_ERROR, Sketch, value_of};

/// Seed of the draws of reports that take none.
pub(super) const SEED: u64 = 1;

/// How quantiles and shares are made, where nothing more is said.
pub(super) const METHOD: &str = "Quantiles are of type 7 with the exact binomial interval of two \
    order statistics, 95 %, of as many requests as are independent by how alike those are that came near \
    each other (design effect: of spans of time, an hour halved or doubled, of which the numbers' \
    own extent has 24 at most, and of hours where spans are shorter, with Student's factor for \
    few of them); a quantile needs 6 numbers at p50, 72 \
    at p95 and p5, 368 at p99. Shares have Wilson's interval, 95 %, of as many in the \
    same way. Failures count as infinitely \
    long in times and are not in rates. Who leads is decided by the index bootstrap of the \
    difference of medians, 10,000 draws, Bonferroni over all pairs.";

/// What holds for every report of observed traffic.
pub(super) const OBSERVATIONAL: &str = "OBSERVATIONAL: each row saw the requests it happened to \
    get, of other sizes and at other hours. A difference between rows is what was experienced, \
    not the effect of the row; `report tax` compares like with like.";

/// The head with method and seed.
pub(super) fn head(head: Head, method: &'static str) -> Head {
    Head {
        method,
        seed: Some(SEED),
        ..head
    }
}

/// A report of nothing.
pub(super) fn nothing(name: &'static str, title: &str, head: Head, why: &str) -> Paper {
    Paper {
        name,
        version: 1,
        title: title.to_owned(),
        findings: vec![unchosen(&head).unwrap_or_else(|| why.to_owned())],
        head,
        sheets: Vec::new(),
        charts: Vec::new(),
        notes: Vec::new(),
    }
}

/// What is said where there are exchanges and none is what the report was narrowed to.
pub(super) fn unchosen(head: &Head) -> Option<String> {
    let mut excluded = head.excluded.iter();
    let (_, count) = excluded.find(|(reason, _)| reason == "not_chosen")?;
    (head.taken == 0 && *count > 0).then(|| {
        format!(
            "None of the {} exchanges of this window is what the report was narrowed to ({}).",
            number(*count as f64, Unit::Count),
            head.selection.join("; ")
        )
    })
}

/// What is said where a window holds no call.
pub(super) const NO_CALLS: &str = "No request of this kind in this window: nothing can be said. \
    A wider --since may find some.";

/// Numbers in order, with the failures behind them.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    sorted: Arc<[f64]>,
    /// How many numbers there are up to each of them, where one stands for many.
    upto: Option<Arc<[u64]>>,
    /// Failures, and what was not waited out: larger than every number.
    failures: usize,
    /// What was not waited out, where anything was.
    cut: Option<Arc<Cut>>,
    /// How far each of them may be from the truth, as a share of it.
    error: f64,
    /// How many of them, in the order of time, say what one independent one would; absent where
    /// that order is not known.
    effect: Option<f64>,
    /// Whether they are of so few hours that nothing tells how hours differ.
    few_hours: bool,
    /// Why there are none, where nobody kept them.
    unkept: Option<&'static str>,
    /// Why there are none, where the calls say so.
    lacking: Option<Arc<str>>,
}

impl Numbers {
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let (sorted, failures) = sorted(values);
        Self {
            sorted: sorted.into(),
            failures,
            ..Self::default()
        }
    }

    /// The same of numbers with their dates: those near each other may be alike.
    pub(super) fn in_time(values: impl IntoIterator<Item = (WallTime, f64)>) -> Self {
        let values: Vec<(WallTime, f64)> = values.into_iter().collect();
        let numbers = Self::of(values.iter().map(|(_, value)| *value));
        let middle = numbers.sample().quantile(0.5).filter(|one| one.is_finite());
        let mut nearby = Nearby::<(u64, u64)>::default();
        for (date, value) in values {
            let below = middle.is_some_and(|middle| value <= middle);
            nearby.at(date).pool((u64::from(below), 1));
        }
        Self {
            effect: Some(middle.map_or(1.0, |_| nearby.effect())),
            few_hours: nearby.is_of_few_hours(),
            ..numbers
        }
    }

    /// The same where some, which say so, were not waited out: of those a number is the least that
    /// they can have been.
    pub(super) fn waited(values: impl IntoIterator<Item = (WallTime, f64, bool)>) -> Self {
        let values: Vec<(WallTime, f64, bool)> = values.into_iter().collect();
        let longest = |&(date, value, cut): &(WallTime, f64, bool)| {
            (date, if cut { f64::INFINITY } else { value })
        };
        let numbers = Self::in_time(values.iter().map(longest));
        let cut = values.iter().filter(|(.., cut)| *cut);
        numbers.cut_short(cut.map(|(_, wait, _)| (*wait, 1)).collect())
    }

    /// The same with `waits` that were not waited out, which are among its failures.
    fn cut_short(self, mut waits: Vec<(f64, u64)>) -> Self {
        if waits.is_empty() {
            return self;
        }
        waits.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        let count: usize = waits.iter().map(|(_, count)| *count as usize).sum();
        let mut least: Vec<(f64, u64)> = self.each().chain(waits.iter().copied()).collect();
        least.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        let least = Self::counted(least, self.failures - count);
        let cut = Cut {
            sorted: least.sorted,
            upto: least.upto.unwrap_or_default(),
            failures: least.failures,
            waits,
        };
        Self {
            cut: Some(Arc::new(cut)),
            ..self
        }
    }

    /// How many were not waited out.
    pub(super) fn cut_count(&self) -> u64 {
        let cut = self.cut.iter().flat_map(|cut| &cut.waits);
        cut.map(|(_, count)| count).sum()
    }

    /// The numbers as they were at least: [`Self::sample`] has them as they were at most.
    pub(super) fn least(&self) -> Sample<'_> {
        self.cut
            .as_ref()
            .map_or_else(|| self.sample(), |cut| cut.sample())
    }

    /// The same of numbers that are alike within a cluster, each with the cluster it is in.
    pub(super) fn clustered(values: Vec<(f64, u64)>) -> Self {
        let numbers = Self::of(values.iter().map(|(value, _)| *value));
        let effect = numbers.sample().quantile(0.5).map(|middle| {
            let below = values
                .iter()
                .map(|(value, cluster)| (*cluster, *value <= middle));
            cluster_effect(below, 0.5)
        });
        Self { effect, ..numbers }
    }

    /// How many of them say what one independent one would.
    pub(super) fn effect(&self) -> Cell {
        match (self.effect, self.count()) {
            (None, _) => Cell::absent(self.unkept.unwrap_or("not in roll-ups")),
            (Some(_), has @ 0..=1) => Cell::absent(format!("needs 2, has {has}")),
            (Some(effect), _) => Cell::Value(effect),
        }
    }

    /// The same as a number: one where nobody knows.
    pub(super) fn effect_of(&self) -> f64 {
        self.effect.unwrap_or(1.0)
    }

    /// Numbers that roll-ups do not keep.
    pub(super) fn unkept() -> Self {
        Self {
            unkept: Some("not in roll-ups"),
            ..Self::default()
        }
    }

    /// The numbers of a sketch, each times `unit`, and `failures`.
    pub(super) fn rolled(sketch: &Sketch, failures: u64, unit: f64) -> Self {
        Self {
            error: RELATIVE_ERROR,
            ..Self::counted(pairs(sketch, unit), failures as usize)
        }
    }

    /// The same with what was not waited out, as a sketch has it.
    pub(super) fn beside(self, waited: &Sketch) -> Self {
        let waits: Vec<(f64, u64)> = pairs(waited, 1.0).collect();
        let failures = self.failures + waited.count() as usize;
        Self { failures, ..self }.cut_short(waits)
    }

    /// The same with how many of them say what one independent one would: each of `groups` has
    /// numbers `of` it that may be alike, in units of `unit`, and how many are longer than all.
    pub(super) fn alike<T: Pool>(
        self,
        groups: &Nearby<T>,
        of: impl Fn(&T) -> (&Sketch, u64),
        unit: f64,
    ) -> Self {
        let middle = self.sample().quantile(0.5).filter(|one| one.is_finite());
        // Half a unit up: the number itself is one of the bins.
        let upto = middle.map_or(0, |middle| (middle / unit + 0.5) as u64);
        let counts = groups.counted(|group| {
            let (numbers, longer) = of(group);
            (numbers.count_upto(upto), numbers.count() + longer)
        });
        Self {
            effect: middle.map(|_| counts.effect()),
            few_hours: counts.is_of_few_hours(),
            ..self
        }
    }

    /// The same of a span of time that is what they are about: other hours are other numbers'.
    pub(super) fn of_its_span(self) -> Self {
        Self {
            few_hours: false,
            ..self
        }
    }

    /// Numbers in order, each with how often it is there.
    fn counted(pairs: impl IntoIterator<Item = (f64, u64)>, failures: usize) -> Self {
        let (mut sorted, mut upto, mut all) = (Vec::new(), Vec::new(), 0);
        for (value, count) in pairs {
            all += count;
            sorted.push(value);
            upto.push(all);
        }
        Self {
            sorted: sorted.into(),
            upto: Some(upto.into()),
            failures,
            ..Self::default()
        }
    }

    pub(super) fn sample(&self) -> Sample<'_> {
        match &self.upto {
            None => Sample::new(&self.sorted, self.failures),
            Some(upto) => Sample::counted(&self.sorted, upto, self.failures),
        }
    }

    /// The distances of the numbers from `middle`.
    pub(super) fn away_from(&self, middle: f64) -> Self {
        let mut away: Vec<(f64, u64)> = self
            .each()
            .map(|(value, count)| ((value - middle).abs(), count))
            .collect();
        away.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        Self::counted(away, self.failures)
    }

    pub(super) fn count(&self) -> u64 {
        self.sample().len() as u64
    }

    /// How many they are, where that is known.
    pub(super) fn how_many(&self) -> Cell {
        match self.unkept {
            None => Cell::count(self.count()),
            Some(why) => Cell::absent(why),
        }
    }

    /// Each number with how often it is there.
    pub(super) fn each(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let upto = |at: usize| match &self.upto {
            None => at as u64 + 1,
            Some(upto) => upto[at],
        };
        let numbers = self.sorted.iter().enumerate();
        numbers.map(move |(at, value)| {
            let below = at.checked_sub(1).map_or(0, upto);
            (*value, upto(at) - below)
        })
    }

    /// The `p`-quantile with its exact interval of confidence `1 − alpha`, or why there is none.
    pub(super) fn estimate(&self, p: f64, alpha: f64) -> Result<Estimate, String> {
        if let Some(why) = self.unkept {
            return Err(why.to_owned());
        }
        let has = self.count();
        let needs = minimum_count(p, alpha).unwrap_or(u64::MAX);
        if has == 0 {
            return Err(self
                .lacking
                .as_deref()
                .unwrap_or("no such number")
                .to_owned());
        }
        if has < needs {
            return Err(format!("needs {needs}, has {has}"));
        }
        let value = match &self.cut {
            None => self.sample().quantile(p).filter(|value| value.is_finite()),
            Some(cut) => waited_quantile(self.each(), &cut.waits, cut.failures as u64, p),
        };
        let value = value.ok_or_else(|| match self.cut_count() {
            0 => format!("among failures, n {has}"),
            cut => format!("beyond what was waited for, n {has}, {cut} not waited out"),
        })?;
        let effect = self.effect.unwrap_or(1.0);
        let ends = |sample| order_ci_deff(sample, p, alpha, effect).bounds();
        Ok(Estimate {
            value,
            // Whatever those may have been that nobody waited for.
            interval: self.widened(Interval {
                low: ends(self.least()).low,
                high: ends(self.sample()).high,
            }),
        })
    }

    /// The interval with the error of the numbers themselves, none of which is negative.
    fn widened(&self, interval: Interval) -> Interval {
        Interval {
            low: interval.low * (1.0 - self.error),
            high: interval.high * (1.0 + self.error),
        }
    }

    /// The same as a cell.
    pub(super) fn at(&self, p: f64) -> Cell {
        match self.estimate(p, ALPHA) {
            Ok(estimate) => self.cell(&estimate, p),
            Err(why) => Cell::absent(why),
        }
    }

    fn cell(&self, estimate: &Estimate, p: f64) -> Cell {
        let mut cell = Cell::quantile(estimate, self.count());
        if let Cell::Quantile { of, few_hours, .. } = &mut cell {
            *few_hours = self.few_hours;
            *of = Some(Drawn {
                p,
                sorted: Arc::clone(&self.sorted),
                upto: self.upto.clone(),
                failures: self.failures,
                error: self.error,
                effect: self.effect.unwrap_or(1.0),
                cut: self.cut.clone(),
            });
        }
        cell
    }

    /// The median, where enough numbers stand behind it.
    pub(super) fn median(&self) -> Option<f64> {
        self.estimate(0.5, ALPHA).ok().map(|found| found.value)
    }

    /// The median with its interval, for a chart.
    pub(super) fn middle(&self) -> Option<HeatCell> {
        let found = self.estimate(0.5, ALPHA).ok()?;
        let interval = found.interval;
        let ends = interval
            .is_finite()
            .then_some((interval.low, interval.high));
        Some((found.value, ends))
    }

    /// The median as a bar of a chart: infinite, and with how many failed, where it falls among
    /// failures. A chart without those would show who survived.
    pub(super) fn bar(&self, name: impl Into<String>) -> Option<Bar> {
        let name = name.into();
        let Ok(found) = self.estimate(0.5, ALPHA) else {
            return self.mostly_failed().then(|| Bar {
                name: format!("{name} ({} of {} failed)", self.failures, self.count()),
                value: f64::INFINITY,
                interval: None,
            });
        };
        Some(Bar {
            name,
            value: found.value,
            interval: found
                .interval
                .is_finite()
                .then_some((found.interval.low, found.interval.high)),
        })
    }

    /// Whether so many failed that the median is one of them, of as many as a median needs.
    fn mostly_failed(&self) -> bool {
        let needs = minimum_count(0.5, ALPHA).unwrap_or(u64::MAX);
        let middle = || self.sample().quantile(0.5);
        self.unkept.is_none()
            && self.cut.is_none()
            && self.count() >= needs
            && middle().is_some_and(f64::is_infinite)
    }
}

/// The numbers of a sketch, each times `unit` and with how often it is there.
fn pairs(sketch: &Sketch, unit: f64) -> impl Iterator<Item = (f64, u64)> + '_ {
    let bins = sketch.bins();
    let zeros = (bins.zeros > 0).then_some((0.0, bins.zeros));
    let others = bins.bins.iter();
    let others = others.map(move |(index, count)| (value_of(*index) as f64 * unit, *count));
    zeros.into_iter().chain(others)
}

/// Time to first token of streams: of a whole answer nobody saw one.
pub(super) fn first_token(call: &Call) -> Option<f64> {
    call.first_token.filter(|_| call.traits.stream)
}

/// Times to first token of streams, those that nobody waited out among them.
pub(super) fn to_first_token<'a>(calls: impl IntoIterator<Item = &'a &'a Call>) -> Numbers {
    waits(calls, first_token, |call| call.waited[0])
}

/// Times to first answer of streams, those that nobody waited out among them.
pub(super) fn to_first_answer<'a>(calls: impl IntoIterator<Item = &'a &'a Call>) -> Numbers {
    waits(calls, first_answer, |call| call.waited[1])
}

/// Times to the 500th token of streams, those of whose answer nobody waited out the beginning among
/// them: they are at least as long as the wait was.
pub(super) fn to_total<'a>(calls: impl IntoIterator<Item = &'a &'a Call>) -> Numbers {
    let calls: Vec<&&Call> = calls.into_iter().collect();
    // Of answers of a few tokens each, nobody left before a 500th.
    if !calls.iter().any(|call| total(call).is_some()) {
        return Numbers::default();
    }
    waits(calls, total, |call| call.waited[1])
}

/// Times of whole answers, those that nobody waited out among them.
pub(super) fn to_whole<'a>(calls: impl IntoIterator<Item = &'a &'a Call>) -> Numbers {
    Numbers::waited(calls.into_iter().filter_map(|call| whole(call)))
}

/// The time of a whole answer, and whether nobody waited it out and it is longer than that.
pub(super) fn whole(call: &Call) -> Option<(WallTime, f64, bool)> {
    let number = call.whole.map(|value| (call.started, value, false));
    number.or_else(|| call.waited[2].map(|wait| (call.started, wait, true)))
}

fn waits<'a>(
    calls: impl IntoIterator<Item = &'a &'a Call>,
    of: impl Fn(&Call) -> Option<f64>,
    wait: impl Fn(&Call) -> Option<f64>,
) -> Numbers {
    Numbers::waited(calls.into_iter().filter_map(|call| {
        let wait = wait(call).filter(|_| call.traits.stream);
        let number = of(call).map(|value| (call.started, value, false));
        number.or_else(|| wait.map(|wait| (call.started, wait, true)))
    }))
}

/// What is said where a first token was not waited out, of calls that are in times.
pub(super) fn not_waited_out(calls: &[Call]) -> Option<String> {
    let cut = calls
        .iter()
        .filter(|call| call.traits.stream && call.first_token.is_none());
    cut_short(cut.filter(|call| call.waited[0].is_some()).count() as u64)
}

/// The same of so many.
pub(super) fn cut_short(count: u64) -> Option<String> {
    (count > 0).then(|| {
        format!(
            "{} streams had no token when their client left or a hedge was sooner: how long they \
             would have taken is not known. They count as at least as long as they were waited for: \
             quantiles are of Kaplan and Meier, and their intervals hold whatever those may have \
             been.",
            number(count as f64, Unit::Count)
        )
    })
}

/// Time to first answer of streams.
pub(super) fn first_answer(call: &Call) -> Option<f64> {
    call.first_answer.filter(|_| call.traits.stream)
}

/// Time to the 500th token of streams.
pub(super) fn total(call: &Call) -> Option<f64> {
    call.total.filter(|_| call.traits.stream)
}

/// Output rate of answers that ended.
pub(super) fn rate(call: &Call) -> Option<f64> {
    call.rate
        .filter(|_| call.traits.stream && call.failed != Some(true))
}

/// The numbers `of` some calls.
pub(super) fn numbers<'a>(
    calls: impl IntoIterator<Item = &'a &'a Call>,
    of: impl Fn(&Call) -> Option<f64>,
) -> Numbers {
    Numbers::in_time(
        calls
            .into_iter()
            .filter_map(|call| Some((call.started, of(call)?))),
    )
}

impl Numbers {
    /// The same with the reasons why none of `calls` has such a number, the commonest first.
    pub(super) fn lacking<'a>(
        self,
        calls: impl IntoIterator<Item = &'a &'a Call>,
        why: impl Fn(&Call) -> Option<NullReason>,
    ) -> Self {
        if self.count() > 0 {
            return self;
        }
        let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
        for reason in calls.into_iter().filter_map(|call| why(call)) {
            *counts.entry(reason.name()).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let said: Vec<String> = counts
            .into_iter()
            .map(|(reason, count)| format!("{reason} {}", number(count as f64, Unit::Count)))
            .collect();
        Self {
            lacking: (!said.is_empty()).then(|| said.join(", ").into()),
            ..self
        }
    }
}

/// How many of those that ended well or by the route's fault failed.
pub(super) fn failures(calls: &[&Call]) -> Share {
    let judged = calls.iter();
    near(judged.filter_map(|call| Some((call.started, call.failed?))))
}

/// The share of those that are so; each with its date.
fn near(each: impl Iterator<Item = (WallTime, bool)>) -> Share {
    let mut groups = Nearby::<(u64, u64)>::default();
    for (date, is_so) in each {
        groups.at(date).pool((u64::from(is_so), 1));
    }
    Share::nearby(&groups)
}

/// How many hold `that`.
pub(super) fn share(calls: &[&Call], that: impl Fn(&Call) -> bool) -> Share {
    near(calls.iter().map(|call| (call.started, that(call))))
}

/// Whether a rate limit or a quota was met.
pub(super) fn is_limited(call: &Call) -> bool {
    call.class.is_some_and(is_rate_limit)
}

/// Whether the key was refused.
pub(super) fn is_refused(call: &Call) -> bool {
    call.class.is_some_and(is_credential_fault)
}

/// The mean of what is known, and of how many that is; of costs only.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> Option<(f64, u64)> {
    let (mut sum, mut count) = (0.0, 0_u64);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| (sum / count as f64, count))
}

/// What a try cost: what was billed, where that is known, else what the price table says.
pub(super) fn spent(call: &Call) -> Option<f64> {
    call.billed.or(call.cost)
}

/// What an answer cost: a lost try's cost is of its route, and no price of a request.
pub(super) fn price(call: &Call) -> Option<f64> {
    spent(call).filter(|_| !call.lost)
}

/// A region's name, or that it is not known.
pub(super) fn region(call: &Call) -> &str {
    call.region.as_ref().map_or(UNKNOWN, |name| name.as_str())
}

/// What stands in the place of a name that nobody said.
pub(super) const UNKNOWN: &str = "not said";

/// A way to a model: model without the maker's name, provider, region.
pub(super) type Route = (String, String);

/// Calls by model and provider.
pub(super) fn by_route(calls: &[Call]) -> BTreeMap<Route, Vec<&Call>> {
    by(calls.iter(), |call| {
        (plain_model(call), call.provider.to_string())
    })
}

/// Calls by whatever `key` says.
pub(super) fn by<'a, K: Ord>(
    calls: impl IntoIterator<Item = &'a Call>,
    key: impl Fn(&Call) -> K,
) -> BTreeMap<K, Vec<&'a Call>> {
    let mut groups: BTreeMap<K, Vec<&Call>> = BTreeMap::new();
    for call in calls {
        groups.entry(key(call)).or_default().push(call);
    }
    groups
}

/// `gpt-4.1 at openai`.
pub(super) fn named((model, provider): &Route) -> String {
    let model = if model.is_empty() { UNKNOWN } else { model };
    format!("{model} at {provider}")
}

/// A model's name as a cell.
pub(super) fn model_cell(model: &str) -> Cell {
    Cell::text(if model.is_empty() { UNKNOWN } else { model })
}

/// A median in words: `425 ms [410 ms, 440 ms] of 1,206`, and whether that is of few hours.
pub(super) fn said(numbers: &Numbers, unit: Unit) -> Option<String> {
    let found = numbers.estimate(0.5, ALPHA).ok()?;
    Some(format!(
        "{} {} of {}{}",
        number(found.value, unit),
        ends(found.interval, unit),
        number(numbers.count() as f64, Unit::Count),
        if numbers.few_hours { BRIEF } else { "" }
    ))
}

/// An interval in words.
pub(super) fn ends(interval: Interval, unit: Unit) -> String {
    let end = |end: f64| {
        if end.is_finite() {
            number(end, unit)
        } else {
            "open".to_owned()
        }
    };
    format!("[{}, {}]", end(interval.low), end(interval.high))
}

/// Which way is the good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Good {
    Low,
    High,
}

/// Who has the best median, and what may be said of the next: by the interval of the difference.
pub(super) fn leader(
    what: &str,
    groups: &[(String, &Numbers)],
    good: Good,
    unit: Unit,
) -> Option<String> {
    let mut known: Vec<(f64, &String, &Numbers)> = groups
        .iter()
        .filter_map(|(name, numbers)| Some((numbers.median()?, name, *numbers)))
        .collect();
    known.sort_by(|a, b| match good {
        Good::Low => a.0.total_cmp(&b.0),
        Good::High => b.0.total_cmp(&a.0),
    });
    let [first, second, ..] = known.as_slice() else {
        return None;
    };
    let pairs = known.len() * (known.len() - 1) / 2;
    let how = Resampling {
        alpha: ALPHA / pairs as f64,
        effects: [second, first].map(|of| of.2.effect.unwrap_or(1.0)),
        ..Resampling::seeded(SEED)
    };
    let mut found = difference(second.2, first.2, &how)?;
    // Either median may be off by its numbers' own error.
    let error = second.2.error * second.0 + first.2.error * first.0;
    found.interval.low -= error;
    found.interval.high += error;
    let margin = match unit {
        Unit::Span => Margin::NANOS.beside(first.0),
        _ => 0.03 * first.0.abs(),
    };
    let count = first.2.count().min(second.2.count());
    let said_of = decide(&found, margin, usize::try_from(count).unwrap_or(usize::MAX));
    let signed = match unit {
        Unit::Span => Unit::Delta,
        Unit::Dollars => Unit::Dollars,
        _ => Unit::RateMore,
    };
    Some(format!(
        "{what}: {} leads with {}; next {}, {} {}: {}.",
        first.1,
        said(first.2, unit)?,
        second.1,
        number(found.value, signed),
        ends(found.interval, signed),
        verdict(&said_of)
    ))
}

/// The difference of medians, whatever those may have been that nobody waited for.
pub(super) fn difference(of: &Numbers, less: &Numbers, how: &Resampling) -> Option<Estimate> {
    let found = bootstrap_difference(of.sample(), less.sample(), 0.5, how);
    if of.cut.is_none() && less.cut.is_none() {
        return found;
    }
    let [low, high] = [
        bootstrap_difference(of.least(), less.sample(), 0.5, how),
        bootstrap_difference(of.sample(), less.least(), 0.5, how),
    ];
    Some(Estimate {
        value: of.median()? - less.median()?,
        interval: Interval {
            low: low.map_or(f64::NEG_INFINITY, |found| found.interval.low),
            high: high.map_or(f64::INFINITY, |found| found.interval.high),
        },
    })
}

/// A verdict in words.
pub(super) fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Equivalent => "equivalent".to_owned(),
        Verdict::Different => "different".to_owned(),
        Verdict::RealButNegligible => "real but negligible".to_owned(),
        Verdict::Inconclusive {
            need_about_more: Some(more),
        } => format!(
            "inconclusive: about {} more of each would decide",
            number(*more as f64, Unit::Count)
        ),
        Verdict::Inconclusive { .. } => "inconclusive".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::reports::tests::made_up;

    #[test]
    fn a_quantile_has_its_interval_or_a_reason() {
        let of = |count: i32| Numbers::of((1..=count).map(f64::from));
        let Cell::Quantile {
            value,
            low,
            high,
            n,
            ..
        } = of(100).at(0.5)
        else {
            panic!("a median");
        };
        assert!((value - 50.5).abs() < 1e-9);
        assert_eq!((low, high, n), (Some(40.0), Some(61.0), 100));
        assert_eq!(of(41).at(0.99), Cell::absent("needs 368, has 41"));
        assert_eq!(of(0).at(0.5), Cell::absent("no such number"));
        let unknown: Vec<Call> = [
            NullReason::TooShort,
            NullReason::UsageUnknown,
            NullReason::UsageUnknown,
        ]
        .into_iter()
        .map(|reason| Call {
            rate: None,
            no_rate: Some(reason),
            ..made_up(0, 300.0)
        })
        .collect();
        let unknown: Vec<&Call> = unknown.iter().collect();
        let told = numbers(&unknown, rate).lacking(&unknown, |call| call.no_rate);
        assert_eq!(told.at(0.5), Cell::absent("usage_unknown 2, too_short 1"));
        let failing = Numbers::of([f64::INFINITY; 9]);
        assert_eq!(failing.at(0.5), Cell::absent("among failures, n 9"));
    }

    /// What an hour's requests say of the next hour is nothing, and three hours' little.
    #[test]
    fn numbers_of_few_hours_say_so_beside_themselves() {
        for (hours, few) in [(1, true), (2, true), (3, false), (24, false)] {
            let numbers = Numbers::in_time((0..hours * 60).map(|minute| {
                let date = WallTime(minute * 60_000_000);
                (date, 300.0 + (minute % 60) as f64)
            }));
            assert_eq!(numbers.at(0.5).is_of_few_hours(), few, "{hours}");
            let told = said(&numbers, Unit::Span).unwrap();
            assert_eq!(told.ends_with(" in <3 h"), few, "{told}");
            assert!(!numbers.of_its_span().at(0.5).is_of_few_hours());
            let failed = near((0..hours * 60).map(|n| (WallTime(n * 60_000_000), n % 9 == 0)));
            assert_eq!(Cell::share(failed).is_of_few_hours(), few, "{hours}");
            assert!(!Cell::share(failed.of_its_span()).is_of_few_hours());
        }
    }

    #[test]
    fn who_leads_is_decided_by_the_difference() {
        let near = Numbers::of((0..400).map(|n| 300e6 + f64::from(n) * 1e5));
        let far = Numbers::of((0..400).map(|n| 500e6 + f64::from(n) * 1e5));
        let same = near.clone();
        let told = |second: &Numbers| {
            let groups = [("a".to_owned(), &near), ("b".to_owned(), second)];
            leader("First token", &groups, Good::Low, Unit::Span).unwrap()
        };
        let text = told(&far);
        assert!(
            text.starts_with("First token: a leads with 320 ms ["),
            "{text}"
        );
        assert!(text.contains("next b, +200 ms"), "{text}");
        assert!(text.ends_with(": different."), "{text}");
        assert!(told(&same).ends_with(": equivalent."), "{}", told(&same));
        let none = Numbers::default();
        let groups = [("a".to_owned(), &near), ("b".to_owned(), &none)];
        assert_eq!(leader("x", &groups, Good::Low, Unit::Span), None);
    }

    /// 72 of 400 were cut short at 150 ms: up to there all is known, and beyond it nothing.
    #[test]
    fn a_tail_that_nobody_waited_for_is_not_left_out() {
        let first = |n: usize| (25.0 + (n % 10) as f64) * 1e6;
        let calls: Vec<Call> = (0..400)
            .map(|n| {
                let cut = n % 50 < 9;
                Call {
                    first_token: (!cut).then(|| first(n)),
                    waited: [cut.then_some(150e6), None, None],
                    ..made_up(n, 300.0)
                }
            })
            .collect();
        let calls: Vec<&Call> = calls.iter().collect();
        let numbers = to_first_token(&calls);
        assert_eq!((numbers.count(), numbers.cut_count()), (400, 72));
        let middle = numbers.estimate(0.5, ALPHA).unwrap();
        assert!((middle.value - 31e6).abs() < 1.1e6, "{middle:?}");
        let why = numbers.estimate(0.95, ALPHA).unwrap_err();
        assert!(why.contains("72 not waited out"), "{why}");
        // Where the least that they can have been would move an end, it does.
        let early = Numbers::waited((0..400).map(|n| {
            let date = WallTime(i64::from(n) * 1_000_000);
            (date, 100.0 + f64::from(n), n % 4 == 0)
        }));
        let found = early.estimate(0.5, ALPHA).unwrap();
        let known = Numbers::of((0..400).filter(|n| n % 4 > 0).map(|n| 100.0 + f64::from(n)));
        let known = known.estimate(0.5, ALPHA).unwrap();
        assert!(
            found.interval.low < known.interval.low && found.interval.high > known.interval.high
        );
        // A quarter of every hazard is cut: 400 · 0.5^(4/3) are left.
        assert!((found.value - 341.0).abs() < 1.0, "{found:?}");
        // From a sketch the same, within its error.
        let (mut sketch, mut waits) = (Sketch::default(), Sketch::default());
        (0..400).for_each(|n| {
            if n % 50 < 9 {
                waits.insert(150_000_000);
            } else {
                sketch.insert(first(n) as u64);
            }
        });
        let rolled = Numbers::rolled(&sketch, 0, 1.0).beside(&waits);
        assert_eq!((rolled.count(), rolled.cut_count()), (400, 72));
        assert!((rolled.median().unwrap() / middle.value - 1.0).abs() < 0.05);
        assert!(rolled.estimate(0.95, ALPHA).is_err());
    }
}
