//! Finds the quantiles of many numbers, and withholds those that too few numbers stand behind.

use crate::record::{NullReason, WallTime};
use crate::statistics::interval::order::ranks_deff;
use crate::statistics::interval::{Nearby, Pool};
use crate::statistics::quantile::{minimum_count, of_sorted_among, waited_quantile};
use crate::statistics::sketch::{RELATIVE_ERROR, Sketch, value_of};

/// Confidence is 95 %: below the fewest numbers that give both ends of such an interval, a
/// quantile is not printed.
pub const ALPHA: f64 = 0.05;

/// A number of a report, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// It.
    Value(f64),
    /// Too few numbers stand behind it.
    TooFew {
        /// The fewest that would do.
        needs: u64,
        /// Those there are.
        has: u64,
    },
    /// It falls among the failures, which take infinitely long.
    AmongFailures,
    /// It lies beyond what was waited for.
    NotWaitedOut,
}

impl Figure {
    /// `value`, where it is finite; what is not is among the failures.
    #[must_use]
    pub const fn of(value: f64) -> Self {
        if value.is_finite() {
            Self::Value(value)
        } else {
            Self::AmongFailures
        }
    }

    /// The number, where there is one.
    #[must_use]
    pub const fn value(self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }

    /// The machine-readable name of why there is no number.
    #[must_use]
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Value(_) => None,
            Self::TooFew { .. } => Some("too_few"),
            Self::AmongFailures => Some("among_failures"),
            Self::NotWaitedOut => Some("not_waited_out"),
        }
    }

    /// The number changed by `change`, the reason left as it is.
    #[must_use]
    pub fn map(self, change: impl FnOnce(f64) -> f64) -> Self {
        match self {
            Self::Value(value) => Self::Value(change(value)),
            other => other,
        }
    }
}

/// How many numbers are spread, with the reasons of those that are missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    /// Numbers seen.
    pub seen: u64,
    /// Failures, which count as infinitely long.
    pub failures: u64,
    /// Numbers that nobody waited out: they are at least as long as the wait was.
    pub cut: u64,
    /// How many numbers say what one independent one would: those that came near each other may be
    /// alike.
    pub effect: f64,
    /// Whether they are of less than three hours: intervals cannot know how hours differ.
    pub few_hours: bool,
    /// 5th percentile: of rates, the slow end.
    pub p5: Figure,
    /// Median.
    pub p50: Figure,
    /// 95th percentile.
    pub p95: Figure,
    /// 99th percentile.
    pub p99: Figure,
    /// The interval of the median, 95 %; absent where too few numbers stand behind it. The upper
    /// end is infinite where it is among the failures.
    pub p50_ends: Option<(f64, f64)>,
    /// The same of the 95th percentile.
    pub p95_ends: Option<(f64, f64)>,
    /// The same of the 99th percentile.
    pub p99_ends: Option<(f64, f64)>,
    /// Distance of the quartiles over the median: how steady it is.
    pub iqr_over_median: Figure,
    /// 95th percentile over the median: how far the tail is.
    pub p95_over_p50: Figure,
    /// Why numbers are missing, in the order of [`NullReason::ALL`].
    pub nulls: [u64; NullReason::ALL.len()],
}

impl Spread {
    /// How many numbers the quantiles are of, with failures and what was not waited out.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.seen + self.failures + self.cut
    }

    /// The reasons why numbers are missing, with their counts.
    pub fn missing(&self) -> impl Iterator<Item = (NullReason, u64)> + '_ {
        let reasons = NullReason::ALL.into_iter().zip(self.nulls);
        reasons.filter(|(_, count)| *count > 0)
    }
}

/// Numbers gathered one by one, in the order of time.
#[derive(Debug, Clone, Default)]
pub(super) struct Gathered {
    values: Vec<u64>,
    failures: u64,
    /// How long it was waited for what nobody waited out.
    waits: Vec<u64>,
    nulls: [u64; NullReason::ALL.len()],
    clusters: Nearby<Cluster>,
    /// The date of the newest.
    newest: Option<WallTime>,
    /// Numbers that roll-ups summarised, instead of `values` and `waits`.
    rolled: Rolled,
}

#[derive(Debug, Clone, Default)]
struct Rolled {
    sketch: Sketch,
    waits: Sketch,
    /// The numbers of each span, with how many are larger than all.
    spans: Nearby<Span>,
}

#[derive(Debug, Clone, Default)]
struct Span {
    numbers: Sketch,
    larger: u64,
}

impl Pool for Span {
    fn pool(&mut self, later: Self) {
        self.numbers.merge(&later.numbers);
        self.larger += later.larger;
    }
}

/// How alike numbers are that came near each other.
#[derive(Debug, Clone, Copy)]
struct Alike {
    effect: f64,
    few_hours: bool,
}

/// Numbers that came near each other.
#[derive(Debug, Clone, Copy, Default)]
struct Cluster {
    /// How many numbers there are up to its end.
    upto: usize,
    /// How many are larger than all numbers: its failures, and what was not waited out.
    larger: u64,
}

impl Pool for Cluster {
    fn pool(&mut self, later: Self) {
        self.upto = self.upto.max(later.upto);
        self.larger += later.larger;
    }
}

impl Gathered {
    /// Adds a number that came `at` that date.
    pub(super) fn add(&mut self, at: WallTime, number: Result<u64, NullReason>) {
        match number {
            Ok(value) => {
                self.values.push(value);
                self.cluster(at, 0);
            }
            Err(reason) => self.nulls[reason as usize] += 1,
        }
    }

    pub(super) fn fail(&mut self, at: WallTime) {
        self.failures += 1;
        self.cluster(at, 1);
    }

    /// A failure of that date that is told only after all numbers.
    pub(super) fn fail_late(&mut self, at: WallTime) {
        self.failures += 1;
        self.clusters.at(at).larger += 1;
    }

    fn cluster(&mut self, at: WallTime, larger: u64) {
        let upto = self.values.len();
        // Clusters are parts of the numbers as they came: a date that goes back is of the newest.
        let at = self.newest.map_or(at, |newest| newest.max(at));
        self.newest = Some(at);
        self.clusters.at(at).pool(Cluster { upto, larger });
    }

    /// Adds what came `at` that date and nobody waited out, and was `counted` as missing before, if
    /// it was.
    pub(super) fn wait(&mut self, at: WallTime, wait: u64, counted: Option<NullReason>) {
        self.waits.push(wait);
        self.clusters.at(at).larger += 1;
        if let Some(reason) = counted {
            let missing = &mut self.nulls[reason as usize];
            *missing = missing.saturating_sub(1);
        }
    }

    /// Numbers begun `at` that date of which only a sketch is known, with how many failures stand
    /// behind them, and what was not waited out.
    pub(super) fn add_sketch(
        &mut self,
        at: WallTime,
        sketch: &Sketch,
        failures: u64,
        waits: &Sketch,
    ) {
        self.rolled.sketch.merge(sketch);
        self.rolled.waits.merge(waits);
        self.failures += failures;
        let span = self.rolled.spans.at(at);
        span.numbers.merge(sketch);
        span.larger += failures + waits.count();
    }

    pub(super) fn into_spread(self) -> Spread {
        if self.rolled.sketch.is_empty() && self.rolled.waits.is_empty() {
            self.exact()
        } else {
            self.summarised()
        }
    }

    fn summarised(&self) -> Spread {
        let Rolled {
            sketch,
            waits,
            spans,
        } = &self.rolled;
        let pairs = |sketch: &Sketch| -> Vec<(u64, u64)> {
            let bins = sketch.bins();
            let zeros = (bins.zeros > 0).then_some((0, bins.zeros));
            let others = bins.bins.iter();
            let others = others.map(|(index, count)| (value_of(*index), *count));
            zeros.into_iter().chain(others).collect()
        };
        let middle = of_sketch(sketch, self.failures + waits.count(), 0.5);
        let counts = |upto: u64| {
            spans.counted(|span| {
                let below = span.numbers.count_upto(upto);
                (below, span.numbers.count() + span.larger)
            })
        };
        let alike = Alike {
            effect: middle
                .value()
                .map_or(1.0, |middle| counts(middle as u64).effect()),
            few_hours: counts(0).is_of_few_hours(),
        };
        let all = Counted {
            numbers: pairs(sketch),
            waits: pairs(waits),
            failures: self.failures,
            error: RELATIVE_ERROR,
            effect: alike.effect,
        };
        let of = |p| {
            if waits.is_empty() {
                of_sketch(sketch, self.failures, p)
            } else {
                all.quantile(p)
            }
        };
        self.spread(sketch.count(), waits.count(), alike, of, |p| all.ends(p))
    }

    fn spread(
        &self,
        seen: u64,
        cut: u64,
        alike: Alike,
        of: impl Fn(f64) -> Figure,
        ends: impl Fn(f64) -> Option<(f64, f64)>,
    ) -> Spread {
        let (low, middle, high, p95) = (of(0.25), of(0.5), of(0.75), of(0.95));
        let p99 = of(0.99);
        let told = |figure: Figure, p: f64| {
            let enough = !matches!(figure, Figure::TooFew { .. });
            ends(p).filter(|(low, _)| enough && low.is_finite())
        };
        Spread {
            seen,
            failures: self.failures,
            cut,
            effect: alike.effect,
            few_hours: alike.few_hours,
            p5: of(0.05),
            p50: middle,
            p95,
            p99,
            p50_ends: told(middle, 0.5),
            p95_ends: told(p95, 0.95),
            p99_ends: told(p99, 0.99),
            iqr_over_median: over(minus(high, low), middle),
            p95_over_p50: over(p95, middle),
            nulls: self.nulls,
        }
    }

    fn exact(mut self) -> Spread {
        let cut = self.waits.len() as u64;
        let larger = self.failures + cut;
        let failures = usize::try_from(larger).unwrap_or(usize::MAX);
        let mut values = std::mem::take(&mut self.values);
        let count = (values.len() + failures) as u64;
        let alike = self.alike(&values, failures);
        let effect = alike.effect;
        if cut > 0 {
            let seen = values.len() as u64;
            let all = self.with_waits(values, effect);
            return self.spread(seen, cut, alike, |p| all.quantile(p), |p| all.ends(p));
        }
        let of_ends = [0.5, 0.95, 0.99].map(|p| ranks_deff(count, p, ALPHA, effect));
        let wanted = of_ends.map(|(low, high)| [low, high]);
        let ps = [0.05, 0.25, 0.5, 0.75, 0.95, 0.99];
        arrange(&mut values, failures, &ps, wanted.as_flattened());
        let at = |rank: u64| {
            let index = usize::try_from(rank.checked_sub(1)?).ok()?;
            let value = values.get(index).map(|value| *value as f64);
            // Too few for an end, and among the failures, are the same: nobody knows how long.
            (index < values.len() + failures + 1).then(|| value.unwrap_or(f64::INFINITY))
        };
        let ends = |p: f64| {
            let (low, high) = of_ends[usize::from(p > 0.5) + usize::from(p > 0.95)];
            at(low).zip(at(high))
        };
        let of = |p: f64| figure(&values, failures, p);
        self.spread(values.len() as u64, 0, alike, of, ends)
    }

    /// How alike `values` are, which are in the order of time.
    fn alike(&self, values: &[u64], failures: usize) -> Alike {
        let mut copy = values.to_vec();
        arrange(&mut copy, failures, &[0.5], &[]);
        let middle = of_sorted_among(&copy, failures, 0.5).filter(|one| one.is_finite());
        let upto = middle.unwrap_or(0.0);
        let mut from = 0;
        let counts = self.clusters.counted(|cluster| {
            // Of a span with nothing but what is larger no number is.
            let end = cluster.upto.max(from);
            let own = &values[from..end];
            from = end;
            let below = own.iter().filter(|value| **value as f64 <= upto).count();
            (below as u64, own.len() as u64 + cluster.larger)
        });
        Alike {
            effect: middle.map_or(1.0, |_| counts.effect()),
            few_hours: counts.is_of_few_hours(),
        }
    }

    fn with_waits(&self, mut values: Vec<u64>, effect: f64) -> Counted {
        values.sort_unstable();
        let mut waits = self.waits.clone();
        waits.sort_unstable();
        let each = |values: Vec<u64>| values.into_iter().map(|value| (value, 1)).collect();
        Counted {
            numbers: each(values),
            waits: each(waits),
            failures: self.failures,
            error: 0.0,
            effect,
        }
    }
}

/// Numbers in order, each with how often it is there, some of which nobody waited out.
struct Counted {
    numbers: Vec<(u64, u64)>,
    waits: Vec<(u64, u64)>,
    failures: u64,
    /// How far each may be from the truth, as a share of it.
    error: f64,
    effect: f64,
}

impl Counted {
    fn count(&self) -> u64 {
        let all = self.numbers.iter().chain(&self.waits);
        all.map(|(_, count)| count).sum::<u64>() + self.failures
    }

    fn quantile(&self, p: f64) -> Figure {
        let has = self.count();
        let needs = minimum_count(p, ALPHA).unwrap_or(u64::MAX);
        if has < needs {
            return Figure::TooFew { needs, has };
        }
        let float = |pairs: &[(u64, u64)]| -> Vec<(f64, u64)> {
            let pairs = pairs.iter();
            pairs
                .map(|(value, count)| (*value as f64, *count))
                .collect()
        };
        let (numbers, waits) = (float(&self.numbers), float(&self.waits));
        match waited_quantile(numbers.into_iter(), &waits, self.failures, p) {
            Some(value) => Figure::Value(value),
            None if waits.is_empty() => Figure::AmongFailures,
            None => Figure::NotWaitedOut,
        }
    }

    /// The interval, whatever those may have been that nobody waited out.
    fn ends(&self, p: f64) -> Option<(f64, f64)> {
        let (low, high) = ranks_deff(self.count(), p, ALPHA, self.effect);
        let mut least: Vec<(u64, u64)> = self.numbers.iter().chain(&self.waits).copied().collect();
        least.sort_unstable();
        let at = |pairs: &[(u64, u64)], rank: u64| {
            let mut upto = 0;
            let found = pairs.iter().find(|(_, count)| {
                upto += count;
                upto >= rank
            });
            found.map_or(f64::INFINITY, |(value, _)| *value as f64)
        };
        (low > 0).then(|| {
            (
                at(&least, low) * (1.0 - self.error),
                at(&self.numbers, high) * (1.0 + self.error),
            )
        })
    }
}

/// The `p`-quantile of numbers in a sketch and `failures` behind them.
fn of_sketch(sketch: &Sketch, failures: u64, p: f64) -> Figure {
    let has = sketch.count() + failures;
    let needs = minimum_count(p, ALPHA).unwrap_or(u64::MAX);
    if has < needs {
        return Figure::TooFew { needs, has };
    }
    // Of type 7, as of the numbers themselves.
    let position = p * (has - 1) as f64;
    let rank = position.floor();
    let at = |rank: f64| sketch.at_rank(rank as u64).map(|value| value as f64);
    let share = position - rank;
    let found = match (at(rank), at(rank + 1.0)) {
        (Some(low), Some(high)) => Some(low + share * (high - low)),
        (low, None) if share == 0.0 => low,
        _ => None,
    };
    found.map_or(Figure::AmongFailures, Figure::Value)
}

/// The `p`-quantile of numbers of which at least those that it touches are in their places.
fn figure(values: &[u64], failures: usize, p: f64) -> Figure {
    let has = (values.len() + failures) as u64;
    let needs = minimum_count(p, ALPHA).unwrap_or(u64::MAX);
    if has < needs {
        return Figure::TooFew { needs, has };
    }
    match of_sorted_among(values, failures, p) {
        Some(value) if value.is_finite() => Figure::Value(value),
        _ => Figure::AmongFailures,
    }
}

fn minus(high: Figure, low: Figure) -> Figure {
    match (high, low) {
        (Figure::Value(high), Figure::Value(low)) => Figure::Value(high - low),
        (Figure::Value(_), other) | (other, _) => other,
    }
}

fn over(part: Figure, whole: Figure) -> Figure {
    match (part, whole) {
        (Figure::Value(part), Figure::Value(whole)) if whole > 0.0 => Figure::Value(part / whole),
        // A median of zero: there is nothing to be steady about.
        (Figure::Value(_), Figure::Value(_)) => Figure::Value(0.0),
        (Figure::Value(_), other) | (other, _) => other,
    }
}

/// Puts the numbers that the quantiles `ps` (ascending) touch into the places where sorting would
/// put them, and those of the ranks `further` (counted from 1), without sorting the rest.
fn arrange(values: &mut [u64], failures: usize, ps: &[f64], further: &[u64]) {
    let last = (values.len() + failures).saturating_sub(1);
    let mut ranks: Vec<usize> = ps
        .iter()
        .map(|p| (p * last as f64).floor() as usize)
        .flat_map(|rank| [rank, rank + 1])
        .chain(
            further
                .iter()
                .map(|rank| (*rank as usize).saturating_sub(1)),
        )
        .filter(|rank| *rank < values.len())
        .collect();
    ranks.sort_unstable();
    ranks.dedup();
    select(values, 0, &ranks);
}

fn select(values: &mut [u64], offset: usize, ranks: &[usize]) {
    let Some(middle) = ranks.get(ranks.len() / 2).copied() else {
        return;
    };
    let place = middle - offset;
    let (below, _, above) = values.select_nth_unstable(place);
    let lower = ranks.partition_point(|rank| *rank < middle);
    let upper = ranks.partition_point(|rank| *rank <= middle);
    select(below, offset, &ranks[..lower]);
    select(above, middle + 1, &ranks[upper..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::quantile::of_sorted;

    fn spread(values: impl IntoIterator<Item = u64>, failures: u64) -> Spread {
        let mut gathered = Gathered::default();
        values
            .into_iter()
            .for_each(|value| gathered.add(WallTime(0), Ok(value)));
        (0..failures).for_each(|_| gathered.fail(WallTime(0)));
        gathered.into_spread()
    }

    #[test]
    fn selecting_gives_what_sorting_gives() {
        let values: Vec<u64> = (0..5_000_u64).map(|n| n * 7_919 % 5_003 * 13).collect();
        let found = spread(values.clone(), 0);
        let mut sorted = values;
        sorted.sort_unstable();
        for (figure, p) in [
            (found.p5, 0.05),
            (found.p50, 0.5),
            (found.p95, 0.95),
            (found.p99, 0.99),
        ] {
            assert_eq!(figure, Figure::Value(of_sorted(&sorted, p).unwrap()), "{p}");
        }
    }

    /// Whoever left a slow hour is of that hour: numbers are as alike as if these had failed.
    #[test]
    fn what_was_not_waited_out_has_its_hour_too() {
        let at = |n: u64| WallTime((n / 40 * 3_600_000_000) as i64);
        let day = |cut: fn(&mut Gathered, WallTime)| {
            let mut gathered = Gathered::default();
            for n in 0..24 * 40 {
                let left = n / 40 == 7 && n % 40 < 36;
                if left {
                    cut(&mut gathered, at(n));
                } else {
                    gathered.add(at(n), Ok(n * 7_919 % 1_009));
                }
            }
            gathered.into_spread()
        };
        let failed = day(Gathered::fail);
        let left = day(|gathered, at| gathered.wait(at, 2_000, None));
        assert_eq!((left.cut, failed.failures), (36, 36));
        assert!(failed.effect > 1.5, "{}", failed.effect);
        assert!(
            (left.effect - failed.effect).abs() < 1e-12,
            "{}",
            left.effect
        );
    }

    #[test]
    fn a_sketch_tells_the_same_within_its_error() {
        let mut sketch = Sketch::default();
        (0..5_000_u64).for_each(|n| sketch.insert(n * 1_000 + 1_000_000));
        let exact = spread((0..5_000).map(|n| n * 1_000 + 1_000_000), 7);
        let mut gathered = Gathered::default();
        gathered.add_sketch(WallTime(0), &sketch, 7, &Sketch::default());
        let rolled = gathered.into_spread();
        assert_eq!((rolled.seen, rolled.failures), (exact.seen, exact.failures));
        for (found, expected) in [
            (rolled.p5, exact.p5),
            (rolled.p50, exact.p50),
            (rolled.p99, exact.p99),
        ] {
            let (found, expected) = (found.value().unwrap(), expected.value().unwrap());
            assert!(
                (found / expected - 1.0).abs() < 0.0101,
                "{found} {expected}"
            );
        }
        // Its intervals are wider by its error.
        for (rolled, exact) in [
            (rolled.p50_ends, exact.p50_ends),
            (rolled.p95_ends, exact.p95_ends),
            (rolled.p99_ends, exact.p99_ends),
        ] {
            let ((low, high), (lowest, highest)) = (rolled.unwrap(), exact.unwrap());
            assert!(low <= lowest && low > 0.97 * lowest, "{low} {lowest}");
            assert!(high >= highest && high < 1.03 * highest, "{high} {highest}");
        }
    }

    #[test]
    fn ends_are_those_of_the_order_statistics() {
        let found = spread((1..=100).map(|n| n * 7 % 101), 0);
        assert_eq!(found.p50_ends, Some((40.0, 61.0)));
        assert_eq!(spread(0..71, 0).p95_ends, None);
        assert!(spread(0..400, 0).p95_ends.is_some());
        assert_eq!(spread(0..367, 0).p99_ends, None);
        assert_eq!(spread(1..=400, 0).p99_ends, Some((392.0, 400.0)));
        // The upper end is a failure; then both are.
        assert_eq!(spread(1..=60, 50).p50_ends, Some((45.0, f64::INFINITY)));
        assert_eq!(spread(0..4, 50).p50_ends, None);
    }

    #[test]
    fn a_quantile_needs_its_numbers() {
        for (count, p50, p95, p99) in [
            (5, Some(6), Some(72), Some(368)),
            (6, None, Some(72), Some(368)),
            (72, None, None, Some(368)),
            (368, None, None, None),
        ] {
            let found = spread(0..count, 0);
            for (figure, needs) in [(found.p50, p50), (found.p95, p95), (found.p99, p99)] {
                let expected = needs.map(|needs| Figure::TooFew { needs, has: count });
                assert_eq!(expected.is_some(), figure.value().is_none(), "{count}");
                assert!(expected.is_none_or(|expected| expected == figure));
            }
        }
    }

    #[test]
    fn failures_take_infinitely_long() {
        let found = spread([100; 90], 10);
        assert_eq!(found.p50, Figure::Value(100.0));
        assert_eq!(found.p95, Figure::AmongFailures);
        assert_eq!(found.p95_over_p50, Figure::AmongFailures);
        assert_eq!(found.iqr_over_median, Figure::Value(0.0));
        assert_eq!((found.seen, found.count()), (90, 100));
        assert_eq!(spread([], 400).p99, Figure::AmongFailures);
        assert_eq!(spread([], 0).p50, Figure::TooFew { needs: 6, has: 0 });
    }
}
