//! Checks that sequences of medians and means hold at every look, and that plans keep their word.

use super::*;
use crate::statistics::compare::Random;
use crate::statistics::interval::wilson;
use crate::statistics::quantile::sorted;

fn normal(random: &mut Random) -> f64 {
    (0..12).map(|_| random.unit()).sum::<f64>() - 6.0
}

/// Times of 300 ms with a heavy tail, three in a hundred of which fail.
fn time(random: &mut Random) -> f64 {
    if random.unit() < 0.03 {
        return f64::INFINITY;
    }
    300.0 * (0.45 * normal(random)).exp()
}

fn median_of(values: &[f64]) -> Option<Location> {
    let (finite, failures) = sorted(values.iter().copied());
    Location::median(Sample::new(&finite, failures))
}

#[test]
fn among_two_hundred_looks_at_like_arms_few_alarms_are_false() {
    let worlds = 40;
    let mut alarms = [0; 2];
    for seed in 0..worlds {
        let mut random = Random::new(7_000 + seed);
        let (mut arms, mut costs) = (
            <[Vec<f64>; 2]>::default(),
            <[Vec<(f64, usize)>; 2]>::default(),
        );
        let mut seen = [false; 2];
        for look in 0..200 {
            for _ in 0..6 {
                let arm = usize::from(random.unit() < 0.5);
                arms[arm].push(time(&mut random));
                let cluster = costs[arm].len();
                costs[arm].push(((0.8 * normal(&mut random)).exp(), cluster));
            }
            let of = |a: Option<Location>, b: Option<Location>| {
                let found = difference(&b?, &a?, 0.05, Looks::Any)?;
                Some(!found.interval.contains(0.0))
            };
            let medians = of(median_of(&arms[0]), median_of(&arms[1]));
            let means = of(Location::mean(&costs[0]), Location::mean(&costs[1]));
            assert_eq!(medians.is_some(), look >= 16, "from a hundred on");
            seen[0] |= medians.unwrap_or(false);
            seen[1] |= means.unwrap_or(false);
        }
        alarms[0] += u64::from(seen[0]);
        alarms[1] += u64::from(seen[1]);
    }
    for (what, count) in ["medians", "means"].into_iter().zip(alarms) {
        let rate = wilson(count, worlds, 0.05).unwrap();
        assert!(
            rate.interval.low <= 0.05,
            "{what}: {count} of {worlds} (seeds 7000 on)"
        );
    }
}

#[test]
fn clusters_widen_what_is_like_within_them_and_nothing_else() {
    let mut random = Random::new(4);
    let clusters = 400;
    let (mut alike, mut apart) = (Vec::new(), Vec::new());
    for cluster in 0..clusters {
        let shared = normal(&mut random);
        for _ in 0..4 {
            alike.push((shared + 0.1 * normal(&mut random), cluster));
            apart.push((normal(&mut random), cluster));
        }
    }
    let design = |values: &[(f64, usize)]| sign_design(values, 0.0);
    assert!(design(&alike) > 3.0, "{}", design(&alike));
    assert!(design(&apart) < 1.3, "{}", design(&apart));
    let [wide, narrow] = [&alike, &apart].map(|values| {
        let mean = Location::mean(values).unwrap();
        assert_eq!(mean.count, clusters);
        mean.squared_error()
    });
    // Four copies of a number are worth one.
    assert!((wide / narrow - 4.0).abs() < 1.0, "{}", wide / narrow);
}

#[test]
fn what_is_planned_is_found() {
    // A normal mean's variance is 1 for one number; 0.4 apart, alpha 5 %, power 80 %: 98 each.
    let needs = count_for(0.4, [1.0, 1.0], 0.5, (0.05, 0.8), Looks::Once).unwrap();
    assert_eq!(needs, 197, "2 · 2 · (1.96 + 0.84)² / 0.16");
    let back = minimum_detectable([1.0; 2], 0.5, needs, (0.05, 0.8), Looks::Once).unwrap();
    assert!((back - 0.4).abs() < 0.001, "{back}");
    let sequential = count_for(0.4, [1.0; 2], 0.5, (0.05, 0.8), Looks::Any).unwrap();
    assert!((350..600).contains(&sequential), "{sequential}");
    assert_eq!(count_for(0.0, [1.0; 2], 0.5, (0.05, 0.8), Looks::Any), None);
    // As often found as planned.
    let found = (0..200)
        .filter(|seed| {
            let mut random = Random::new(900 + seed);
            let mut arm = |shift: f64| -> Location {
                let values: Vec<_> = (0..needs / 2)
                    .map(|n| (shift + normal(&mut random), n))
                    .collect();
                Location::mean(&values).unwrap()
            };
            let (a, b) = (arm(0.0), arm(0.4));
            let found = difference(&b, &a, 0.05, Looks::Once).unwrap();
            !found.interval.contains(0.0)
        })
        .count();
    assert!((145..=178).contains(&found), "{found} of 200");
}

#[test]
fn what_has_no_spread_or_no_middle_is_not_located() {
    for (values, known) in [
        (vec![1.0; 50], false),
        (vec![1.0, 2.0, 3.0], false),
        (vec![f64::INFINITY; 50], false),
        ((0..50).map(f64::from).collect(), true),
    ] {
        assert_eq!(median_of(&values).is_some(), known, "{values:?}");
    }
    assert_eq!(Location::mean(&[]), None);
    assert_eq!(Location::mean(&[(3.0, 0)]), None);
    // Equal prices, whose sum is rounded.
    let same: Vec<(f64, usize)> = (0..523).map(|unit| (0.0024, unit)).collect();
    assert_eq!(Location::mean(&same), None);
}
