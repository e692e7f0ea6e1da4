//! Compares literal bootstraps and CUSUM's run lengths with the answers of `NumPy` and `SciPy`, by
//! `tests/tables/resampling.json`; `tests/tables/resampling.py` says how that is made.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use serde_json::Value;
use tollgate::statistics::compare::{Random, Resampling, block_bootstrap, cluster_bootstrap};
use tollgate::statistics::drift::{Cusum, Reference, steps_to_false_alarm, threshold_for};
use tollgate::statistics::interval::Estimate;

fn table(name: &str) -> Value {
    let text = include_str!("tables/resampling.json");
    let whole: Value = serde_json::from_str(text).unwrap();
    whole[name].clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap().iter();
    list.map(|value| value.as_f64().unwrap()).collect()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

/// Both draw by chance: ends may be a twentieth of the spread apart.
fn same(found: &Estimate, row: &[f64], what: &str) {
    let [value, deviation, low, high] = row else {
        unreachable!("a row has four numbers")
    };
    assert!((found.value - value).abs() < 1e-9, "{what}: {found:?}");
    let near = |end: f64, expected: f64| (end - expected).abs() < 0.15 * deviation;
    let interval = found.interval;
    assert!(
        near(interval.low, *low) && near(interval.high, *high),
        "{what}: {found:?}, expected [{low}, {high}], deviation {deviation}"
    );
}

#[test]
fn clusters_drawn_whole_spread_as_numpy_draws_them() {
    let of = table("clusters");
    let names = numbers(&of["names"]).into_iter().map(|name| name as usize);
    let values: Vec<(f64, usize)> = numbers(&of["values"]).into_iter().zip(names).collect();
    for row in rows(&of["quantiles"]) {
        let found = cluster_bootstrap(&values, row[0], &Resampling::seeded(7)).unwrap();
        same(&found, &row[1..], &format!("clusters, p {}", row[0]));
    }
}

#[test]
fn blocks_of_time_spread_as_numpy_draws_them() {
    let of = table("blocks");
    let values = numbers(&of["values"]);
    let mut widths = Vec::new();
    for row in rows(&of["quantiles"]) {
        let (p, length) = (row[0], row[1] as usize);
        let found = block_bootstrap(&values, length, p, &Resampling::seeded(7)).unwrap();
        same(&found, &row[2..], &format!("blocks of {length}, p {p}"));
        widths.push(found.interval.half_width());
    }
    // What follows one another alike says less than it seems.
    assert!(widths[1] > 1.5 * widths[0], "{widths:?}");
}

#[test]
fn run_lengths_are_those_of_the_integral_equation() {
    for row in rows(&table("run_length")) {
        let [allowance, threshold, exact] = row[..] else {
            unreachable!("a row has three numbers")
        };
        let found = steps_to_false_alarm(threshold, allowance);
        let off = found / exact - 1.0;
        let allowed = if threshold >= 3.0 && allowance <= 0.5 {
            0.03
        } else {
            0.08
        };
        assert!(
            off.abs() < allowed,
            "k {allowance}, h {threshold}: {found}, exactly {exact}"
        );
        if exact >= 10.0 {
            let back = threshold_for(found, allowance).unwrap();
            assert!((back - threshold).abs() < 1e-6, "{back} for {threshold}");
        }
    }
    assert_eq!(threshold_for(5.0, 0.5), None);
    assert_eq!(threshold_for(f64::NAN, 0.5), None);
}

/// One false alarm a week of quarters of an hour: played.
#[test]
fn a_calibrated_watch_raises_false_alarms_as_seldom_as_it_says() {
    let reference = Reference {
        centre: 0.0,
        sigma: 1.0,
    };
    let week = 672.0;
    let mut random = Random::new(3);
    let mut watch = Cusum::calibrated(reference, week).unwrap();
    let steps = 400_000;
    let alarms = (0..steps)
        .filter(|_| {
            // A normal number (Box and Muller).
            let (one, other) = (random.unit().max(1e-300), random.unit());
            let normal = (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos();
            watch.step(normal).is_some()
        })
        .count();
    let apart = f64::from(steps) / alarms as f64;
    // About 600 alarms: four deviations are a sixth.
    assert!(
        (apart / week - 1.0).abs() < 0.17,
        "seed 3: {apart} steps apart"
    );
}
