//! Checks `statistics` where numbers end: failures, ties, too few of them, nothing at all.

#![expect(clippy::float_cmp, reason = "exact by construction")]

use tollgate::statistics::compare::index_law::IndexLaw;
use tollgate::statistics::compare::{
    self, Random, Stratum, a12, hodges_lehmann, hodges_lehmann_paired, order_effect, permutation_p,
    weighted_quantile,
};
use tollgate::statistics::drift::{Cusum, Direction, Divisive, Reference, changes, theil_sen};
use tollgate::statistics::interval::{Interval, newcombe, wilson};
use tollgate::statistics::quantile::{Sample, sorted};
use tollgate::statistics::sequence::{
    CENTRE, Observation, lin, quantile_sequence, quantiles_differ_p, rate_sequence, rates_differ_p,
    subtract,
};

fn ramp(from: u32, count: u32) -> Vec<f64> {
    (from..from + count).map(f64::from).collect()
}

#[test]
fn samples_put_failures_behind() {
    let (values, failures) = sorted([3.0, f64::INFINITY, 1.0, f64::NAN]);
    assert_eq!((values.as_slice(), failures), (&[1.0, 3.0][..], 2));
    let sample = Sample::new(&values, failures);
    assert_eq!(sample.len(), 4);
    assert_eq!(sample.quantile(0.0), Some(1.0));
    assert_eq!(sample.quantile(0.5), Some(f64::INFINITY));
    assert_eq!(sample.at(0), 1.0);
    assert_eq!(sample.at(9), f64::INFINITY);
    assert_eq!(Sample::new(&[], 0).quantile(0.5), None);
    assert_eq!(Sample::new(&[], 3).quantile(0.5), Some(f64::INFINITY));
}

#[test]
fn rates_of_nothing_are_absent() {
    assert_eq!(wilson(0, 0, 0.05), None);
    assert_eq!(wilson(2, 1, 0.05), None);
    assert_eq!(newcombe((0, 0), (1, 2), 0.05), None);
    assert_eq!(wilson(0, 9, 0.05).unwrap().interval.low, 0.0);
    assert_eq!(wilson(9, 9, 0.05).unwrap().interval.high, 1.0);
}

#[test]
fn drawn_ranks_follow_the_binomial() {
    let seed = 5;
    let mut random = Random::new(seed);
    for (count, p) in [(1, 0.5), (10, 0.99), (1_000_000, 0.95)] {
        let law = IndexLaw::new(count, p);
        let drawn: Vec<f64> = (0..20_000).map(|_| law.draw(&mut random) as f64).collect();
        assert!(drawn.iter().all(|rank| (1.0..=count as f64).contains(rank)));
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let deviation = ((count as f64 + 1.0) * p * (1.0 - p)).sqrt();
        let off = (mean - (count as f64 + 1.0) * p).abs();
        // Ten numbers' p99 is moved to the tenth a good deal.
        assert!(off < 0.05 * deviation + 1.0, "seed {seed}: {count} {off}");
    }
}

#[test]
fn shifts_of_failures_are_open() {
    let values = ramp(0, 30);
    let of = |failures| Sample::new(&values, failures);
    let even = hodges_lehmann(of(0), of(0), 0.05, 1).unwrap();
    assert_eq!(even.value, 0.0);
    assert!(even.interval.is_finite() && even.interval.contains(0.0));
    // Of 2,700 pairs 900 are infinite, 450 minus infinite, 450 of two failures.
    let some = hodges_lehmann(of(30), of(15), 0.05, 1).unwrap();
    assert!(some.value.is_finite());
    assert_eq!(some.interval.high, f64::INFINITY);
    let none = Sample::new(&[], 4);
    assert_eq!(hodges_lehmann(none, none, 0.05, 1), None);
    // Five pairs do not give an interval of 95 %, six do.
    let few = hodges_lehmann_paired(&ramp(1, 5), 0.05, 1).unwrap();
    assert_eq!((few.value, few.interval), (3.0, Interval::UNKNOWN));
    let six = hodges_lehmann_paired(&ramp(1, 6), 0.05, 1).unwrap();
    assert_eq!((six.interval.low, six.interval.high), (1.0, 6.0));
    // More than are paired: the choice is the seed's.
    let many: Vec<f64> = ramp(0, 2_500);
    let many = Sample::new(&many, 0);
    let chosen = hodges_lehmann(many, of(0), 0.05, 9).unwrap();
    assert_eq!(chosen, hodges_lehmann(many, of(0), 0.05, 9).unwrap());
    assert!((chosen.value - 1_235.0).abs() < 60.0, "seed 9: {chosen:?}");
}

#[test]
fn dominance_counts_failures_as_largest_and_equal() {
    let values = ramp(0, 4);
    let whole = Sample::new(&values, 0);
    let failed = Sample::new(&[], 4);
    assert_eq!(a12(whole, failed, 0.05).unwrap().value, 1.0);
    assert_eq!(a12(failed, whole, 0.05).unwrap().value, 0.0);
    assert_eq!(a12(failed, failed, 0.05).unwrap().value, 0.5);
    let half = a12(whole, whole, 0.05).unwrap();
    assert_eq!(half.value, 0.5);
    assert!((half.interval.low + half.interval.high - 1.0).abs() < 1e-9);
}

#[test]
fn pairs_want_finite_differences() {
    assert_eq!(compare::paired(&[1.0, f64::INFINITY], 0.05, 1), None);
    assert_eq!(compare::paired(&[], 0.05, 1), None);
    let same = compare::paired(&[0.0; 8], 0.05, 1).unwrap();
    assert_eq!((same.sign_p, same.wilcoxon_p), (None, None));
    let effect = order_effect(&ramp(100, 20), &ramp(0, 20), 0.05, 1).unwrap();
    assert_eq!(effect.shift.value, 100.0);
    assert_eq!(effect.balanced_median, 59.5);
    assert!(effect.p_value < 1e-9);
}

#[test]
fn labels_are_exchanged_within_strata_only() {
    // The strata lie far apart and each is even: only exchanges across would find something.
    let (low, high) = (ramp(0, 20), ramp(1_000, 20));
    let stratum = |values: &'static [f64]| Stratum {
        a: Sample::new(values, 0),
        b: Sample::new(values, 0),
        weight: 1.0,
    };
    let (low, high): (&'static [f64], &'static [f64]) = (low.leak(), high.leak());
    let found = permutation_p(&[stratum(low), stratum(high)], 500, 3).unwrap();
    assert_eq!(found, 1.0);
    let apart = Stratum {
        a: Sample::new(low, 0),
        b: Sample::new(high, 0),
        weight: 1.0,
    };
    assert_eq!(permutation_p(&[apart], 500, 3), Some(1.0 / 501.0));
    assert_eq!(permutation_p(&[], 500, 3), None);
}

#[test]
fn weights_and_their_absence() {
    let weighted = [(5.0, 1.0), (f64::INFINITY, 1.0), (1.0, 2.0)];
    assert_eq!(weighted_quantile(&weighted, 0.5), Some(1.0));
    assert_eq!(weighted_quantile(&weighted, 0.75), Some(5.0));
    assert_eq!(weighted_quantile(&weighted, 0.9), Some(f64::INFINITY));
    assert_eq!(weighted_quantile(&[(1.0, 0.0)], 0.5), None);
}

#[test]
fn sequences_begin_open_and_bear_ties_and_failures() {
    let values = ramp(0, 400);
    let few = quantile_sequence(Sample::new(&values[..3], 0), 0.5, 0.05, CENTRE);
    assert_eq!(few.bounds(), Interval::UNKNOWN);
    let all = Interval {
        low: 0.0,
        high: 1.0,
    };
    assert_eq!(rate_sequence(0, 0, 0.05, CENTRE), all);
    assert_eq!(rate_sequence(0, 500, 0.05, CENTRE).low, 0.0);
    assert_eq!(rates_differ_p((0, 0), (1, 2), CENTRE), 1.0);
    assert_eq!(rates_differ_p((3, 9), (3, 9), CENTRE), 1.0);
    // Whole milliseconds with half of them equal: the same way is not called different.
    let tied: Vec<f64> = (0..400).map(|n| if n < 300 { 7.0 } else { 9.0 }).collect();
    let tied = Sample::new(&tied, 0);
    assert_eq!(quantiles_differ_p(tied, tied, 0.5, CENTRE), 1.0);
    // Both medians infinite: equal. One: different.
    let failing = Sample::new(&values[..100], 300);
    assert_eq!(quantiles_differ_p(failing, failing, 0.5, CENTRE), 1.0);
    let sound = Sample::new(&values, 0);
    assert!(quantiles_differ_p(failing, sound, 0.5, CENTRE) < 1e-6);
    assert_eq!(quantiles_differ_p(sound, sound, 0.5, CENTRE), 1.0);
    let open = Interval {
        low: 3.0,
        high: f64::INFINITY,
    };
    assert_eq!(subtract(open, open), Interval::UNKNOWN);
}

#[test]
fn a_regression_says_when_it_cannot() {
    let of = |arm: fn(usize) -> bool, covariates: fn(usize) -> Vec<f64>| -> Vec<Observation> {
        let each = |index| Observation {
            outcome: (index % 7) as f64,
            treated: arm(index),
            covariates: covariates(index),
        };
        (0..40).map(each).collect()
    };
    // An arm that is empty; columns that are the same twice; one that does not vary is left out.
    assert_eq!(lin(&of(|_| true, |_| vec![])), None);
    let twice = |index: usize| vec![(index % 5) as f64, 2.0 * (index % 5) as f64];
    assert_eq!(lin(&of(|index| index % 2 == 0, twice)), None);
    let bare = lin(&of(|index| index % 2 == 0, |_| vec![])).unwrap();
    let constant = lin(&of(|index| index % 2 == 0, |_| vec![4.0])).unwrap();
    assert_eq!(bare, constant);
    assert_eq!(bare.ratio_sequence(0.05), None);
    assert!(bare.ratio(0.05).interval.contains(bare.log_effect.exp()));
    assert_eq!(lin(&[]), None);
}

#[test]
fn changes_want_something_to_change() {
    assert_eq!(Reference::of(&[1.0; 300]), None);
    assert_eq!(changes(&[5.0; 200], &Divisive::default()), []);
    assert_eq!(changes(&[], &Divisive::default()), []);
    // Sure, but of 2 % only: not a change that counts.
    let small: Vec<f64> = (0..100)
        .map(|n| f64::from(n % 3) * 0.1 + if n < 50 { 100.0 } else { 102.0 })
        .collect();
    assert_eq!(changes(&small, &Divisive::default()), []);
    let reference = Reference {
        centre: 0.0,
        sigma: 1.0,
    };
    let mut cusum = Cusum::new(reference);
    let alarm = (0..30).find_map(|_| cusum.step(-1.0)).unwrap();
    // Half a deviation a step: eleven steps pass five.
    assert_eq!((alarm.direction, alarm.steps), (Direction::Down, 11));
    assert_eq!(cusum.sums(), (0.0, 0.0));
    let failed = (0..10).find_map(|_| cusum.push(f64::INFINITY)).unwrap();
    assert_eq!(failed.direction, Direction::Up);
    assert_eq!(theil_sen(&[(1.0, 2.0), (1.0, 3.0)], 0.05, 1.0), None);
}
