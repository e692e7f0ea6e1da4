//! Finds exact quantiles of slices, and says how many numbers one needs.

/// The quantiles that reports show, with the fewest numbers that give both ends of a 95 %
/// interval: below that the quantile is not printed.
pub const MINIMUM_COUNTS: [(f64, u64); 5] =
    [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)];

/// The `p`-quantile of `sorted` by linear interpolation (type 7 of Hyndman and Fan, what
/// spreadsheets and `NumPy` call the quantile); absent for an empty slice.
#[must_use]
pub fn of_sorted(sorted: &[u64], p: f64) -> Option<f64> {
    of_sorted_among(sorted, 0, p)
}

/// The same when `failures` further numbers are larger than any in `sorted`: infinite where the
/// quantile touches them.
#[must_use]
pub fn of_sorted_among(sorted: &[u64], failures: usize, p: f64) -> Option<f64> {
    let all = sorted.len() + failures;
    if all == 0 || !(0.0..=1.0).contains(&p) {
        return None;
    }
    let position = p * (all - 1) as f64;
    let below = position.floor() as usize;
    let share = position - below as f64;
    let at = |index: usize| {
        sorted
            .get(index)
            .map_or(f64::INFINITY, |value| *value as f64)
    };
    // Zero times infinity is no number: an exact hit must not look at its neighbour.
    if share == 0.0 || below + 1 >= all {
        return Some(at(below));
    }
    Some(at(below) + share * (at(below + 1) - at(below)))
        .map(|value| if value.is_nan() { f64::INFINITY } else { value })
}

/// A sorted sample with failures behind it: each failure is larger than every number.
///
/// Values are finite, ascending and of one unit, which every answer about them shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    sorted: &'a [f64],
    /// How many numbers there are up to each of `sorted`, where one stands for many.
    upto: Option<&'a [u64]>,
    failures: usize,
}

impl<'a> Sample<'a> {
    /// The sample of `sorted`, ascending and finite, and `failures` infinities.
    #[must_use]
    pub fn new(sorted: &'a [f64], failures: usize) -> Self {
        debug_assert!(sorted.is_sorted() && sorted.iter().all(|value| value.is_finite()));
        Self {
            sorted,
            upto: None,
            failures,
        }
    }

    /// The sample in which each of `sorted` stands for many: `upto` says how many numbers there
    /// are up to it, ascending.
    #[must_use]
    pub fn counted(sorted: &'a [f64], upto: &'a [u64], failures: usize) -> Self {
        debug_assert!(sorted.len() == upto.len() && upto.is_sorted());
        Self {
            upto: Some(upto),
            ..Self::new(sorted, failures)
        }
    }

    /// How many numbers there are, failures included.
    #[must_use]
    pub fn len(&self) -> usize {
        let finite = match self.upto {
            None => self.sorted.len(),
            Some(upto) => upto.last().copied().unwrap_or(0) as usize,
        };
        finite + self.failures
    }

    /// Whether there are neither numbers nor failures.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The finite numbers, ascending; not of a counted sample, of which each stands for many.
    #[must_use]
    pub fn finite(&self) -> &'a [f64] {
        debug_assert!(self.upto.is_none());
        self.sorted
    }

    /// The number of infinities.
    #[must_use]
    pub const fn failures(&self) -> usize {
        self.failures
    }

    /// The `rank`th smallest number, counted from 1; infinite among the failures. Ranks outside
    /// `1..=len` are moved to the nearer end, as the index bootstrap asks.
    #[must_use]
    pub fn at(&self, rank: usize) -> f64 {
        let rank = rank.clamp(1, self.len().max(1));
        let place = match self.upto {
            None => rank - 1,
            Some(upto) => upto.partition_point(|count| *count < rank as u64),
        };
        let value = self.sorted.get(place).copied();
        value.unwrap_or(f64::INFINITY)
    }

    /// The `p`-quantile of type 7, infinite where it touches a failure; absent for no numbers.
    #[must_use]
    pub fn quantile(&self, p: f64) -> Option<f64> {
        if self.is_empty() || !(0.0..=1.0).contains(&p) {
            return None;
        }
        let position = p * (self.len() - 1) as f64;
        let below = position.floor() as usize;
        let share = position - below as f64;
        let (low, high) = (self.at(below + 1), self.at(below + 2));
        if share == 0.0 || low.is_infinite() {
            return Some(low);
        }
        Some(low + share * (high - low))
    }
}

/// The `p`-quantile where some numbers were not waited out, and are only known to be larger than
/// their `waits`: the smallest number at which the distribution of Kaplan and Meier has come to
/// `p`; absent where that lies beyond what was waited for, or among the `failures`. Both lists
/// ascend, each number with how often it is there.
///
/// Source: Kaplan and Meier 1958, as Efron 1967 has it: what was not waited out gives its weight in
/// equal parts to all that took longer. As long as none was shorter than the quantile it is the
/// one of type 7, with those that were not waited out as infinite.
#[must_use]
pub fn waited_quantile(
    numbers: impl Iterator<Item = (f64, u64)>,
    waits: &[(f64, u64)],
    failures: u64,
    p: f64,
) -> Option<f64> {
    let (mut sorted, mut upto, mut all) = (Vec::new(), Vec::new(), 0);
    for (value, count) in numbers {
        all += count;
        sorted.push(value);
        upto.push(all);
    }
    let cut: u64 = waits.iter().map(|(_, count)| *count).sum();
    let sample = Sample::counted(&sorted, &upto, (cut + failures) as usize);
    let plain = sample.quantile(p).filter(|value| value.is_finite());
    let first = waits.first().map_or(f64::INFINITY, |(wait, _)| *wait);
    if plain.is_some_and(|value| value <= first) {
        return plain;
    }
    let mut left = (all + cut + failures) as f64;
    let (mut share, mut waits) = (1.0, waits.iter().peekable());
    let mut below = 0;
    for (value, upto) in sorted.iter().zip(upto) {
        // A number as long as a wait came before that was given up.
        while let Some((_, count)) = waits.next_if(|(wait, _)| wait < value) {
            left -= *count as f64;
        }
        let count = (upto - below) as f64;
        below = upto;
        share *= 1.0 - count / left;
        left -= count;
        // The product of fractions may miss a round p by its last digits.
        if 1.0 - share >= p - 1e-12 {
            return Some(*value);
        }
    }
    None
}

/// Puts `values` in ascending order for a [`Sample`] and counts the infinite ones (and what is no
/// number) as failures.
#[must_use]
pub fn sorted(values: impl IntoIterator<Item = f64>) -> (Vec<f64>, usize) {
    put_in_order(values.into_iter().collect())
}

/// The same of no type of the caller's: built here, for speed.
fn put_in_order(mut values: Vec<f64>) -> (Vec<f64>, usize) {
    let all = values.len();
    values.retain(|value| value.is_finite());
    values.sort_unstable_by(f64::total_cmp);
    let failures = all - values.len();
    (values, failures)
}

/// The fewest numbers whose `p`-quantile has an interval of confidence `1 − alpha` with two
/// finite ends.
///
/// The ends are the order statistics `l = B(α/2)` and `u = B(1 − α/2) + 1`, B the inverse of the
/// binomial distribution of (n, p): `l ≥ 1` asks for `(1−p)^n < α/2`, `u ≤ n` for `p^n ≤ α/2`.
#[must_use]
pub fn minimum_count(p: f64, alpha: f64) -> Option<u64> {
    if !(p > 0.0 && p < 1.0 && alpha > 0.0 && alpha < 1.0) {
        return None;
    }
    let half = alpha / 2.0;
    let finite = |n: f64| (1.0 - p).powf(n) < half && p.powf(n) <= half;
    // The larger of p and 1 − p decides; start just below its closed form.
    let start = (half.ln() / p.max(1.0 - p).ln()).floor().max(1.0);
    (0..4)
        .map(|step| start + f64::from(step))
        .find(|n| finite(*n))
        .map(|n| n as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_as_type_7() {
        for (values, p, expected) in [
            (&[1_u64, 2, 3, 4][..], 0.5, 2.5),
            (&[1, 2, 3, 4], 0.0, 1.0),
            (&[1, 2, 3, 4], 1.0, 4.0),
            (&[10, 20, 30], 0.25, 15.0),
            (&[7], 0.99, 7.0),
            (&[0, 100], 0.95, 95.0),
        ] {
            let found = of_sorted(values, p).unwrap();
            assert!((found - expected).abs() < 1e-9, "{values:?} {p}: {found}");
        }
        assert_eq!(of_sorted(&[], 0.5), None);
        assert_eq!(of_sorted(&[1], 1.5), None);
    }

    #[test]
    fn a_counted_sample_is_the_sample_written_out() {
        let (values, upto) = ([1.0, 5.0, 7.0], [2, 3, 7]);
        let counted = Sample::counted(&values, &upto, 2);
        let whole = [1.0, 1.0, 5.0, 7.0, 7.0, 7.0, 7.0];
        let whole = Sample::new(&whole, 2);
        assert_eq!(counted.len(), whole.len());
        for rank in 0..12 {
            assert_eq!(counted.at(rank).to_bits(), whole.at(rank).to_bits());
        }
        for p in [0.0, 0.3, 0.5, 0.8, 1.0] {
            assert_eq!(counted.quantile(p), whole.quantile(p), "{p}");
        }
    }

    #[test]
    fn failures_count_as_infinite() {
        for (values, failures, p, expected) in [
            (&[1_u64, 2, 3][..], 0, 0.5, 2.0),
            (&[1, 2, 3], 2, 0.5, 3.0),
            (&[1, 2, 3], 3, 0.5, f64::INFINITY),
            (&[1, 2, 3], 1, 1.0, f64::INFINITY),
            (&[], 4, 0.5, f64::INFINITY),
        ] {
            let found = of_sorted_among(values, failures, p).unwrap();
            assert!(
                found.total_cmp(&expected).is_eq(),
                "{values:?} {failures} {p}: {found}"
            );
        }
    }

    #[test]
    fn the_fewest_numbers_follow_the_binomial_rule() {
        for (p, expected) in MINIMUM_COUNTS {
            assert_eq!(minimum_count(p, 0.05), Some(expected), "{p}");
            // The rule itself, stated with the distribution function.
            let ends = |n: i32| {
                let lowest = (1.0 - p).powi(n) < 0.025;
                let highest = 1.0 - p.powi(n) >= 0.975;
                lowest && highest
            };
            assert!(ends(expected as i32) && !ends(expected as i32 - 1), "{p}");
        }
        assert_eq!(minimum_count(1.0, 0.05), None);
    }

    #[test]
    fn what_was_not_waited_out_is_at_least_as_long() {
        let numbers = [(3.0, 1), (5.0, 1), (7.0, 1), (10.0, 1)];
        // By hand: the product is 5/6, 5/8 and 5/12 after the numbers, then it is 0.
        let early = &[(4.0, 1), (8.0, 1)][..];
        let late = &[(12.0, 2)][..];
        for (waits, failures, p, expected) in [
            (early, 0, 0.1, Some(4.0)),
            (early, 0, 0.25, Some(5.0)),
            (early, 0, 0.5, Some(7.0)),
            (early, 0, 0.9, Some(10.0)),
            // Of type 7 below all waits, as if those were infinite; nothing beyond them.
            (late, 0, 0.5, Some(8.5)),
            (late, 0, 0.6, Some(10.0)),
            (late, 0, 0.7, None),
            (early, 3, 0.9, None),
            (&[], 0, 0.5, Some(6.0)),
        ] {
            let found = waited_quantile(numbers.into_iter(), waits, failures, p);
            assert_eq!(found, expected, "{waits:?} {failures} {p}");
        }
    }
}
