//! Compares the figures of `statistics` with the answers of `SciPy` and `NumPy`, by
//! `tests/tables/statistics.json`; `tests/tables/statistics.py` says how that is made.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use serde_json::Value;
use tollgate::statistics::compare::{
    self, Plan, Resampling, Stratum, bootstrap_difference, bootstrap_ratio, stratified_difference,
    stratified_ratio,
};
use tollgate::statistics::drift::{self, Cusum, Divisive, Reference, divisive};
use tollgate::statistics::interval::{self, Interval, binomial, order, special};
use tollgate::statistics::quantile::{Sample, sorted};
use tollgate::statistics::sequence::{self, CENTRE, Observation, mixture};

/// The seed of every resampling here.
const SEED: u64 = 20_261_122;

fn table(name: &str) -> Value {
    let text = include_str!("tables/statistics.json");
    let whole: Value = serde_json::from_str(text).unwrap();
    whole[name].clone()
}

fn rows(name: &str) -> Vec<Vec<f64>> {
    let table = table(name);
    table.as_array().unwrap().iter().map(numbers).collect()
}

fn cases(name: &str) -> Vec<Value> {
    table(name).as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn pairs(value: &Value) -> Vec<(f64, f64)> {
    let pairs = value.as_array().unwrap().iter().map(numbers);
    pairs.map(|pair| (pair[0], pair[1])).collect()
}

fn ascending(value: &Value) -> Vec<f64> {
    sorted(numbers(value)).0
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    let allowed = tolerance * expected.abs().max(1e-300);
    let close = (found - expected).abs() <= allowed || (found - expected).abs() < 1e-14;
    assert!(close, "{what}: {found:e}, expected {expected:e}");
}

#[track_caller]
fn ends(found: Interval, low: f64, high: f64, tolerance: f64, what: &str) {
    near(found.low, low, tolerance, what);
    near(found.high, high, tolerance, what);
}

#[track_caller]
fn within(found: f64, range: &Value, what: &str) {
    let range = numbers(range);
    assert!(
        range[0] <= found && found <= range[1],
        "{what}, seed {SEED}: {found} not in {range:?}"
    );
}

#[test]
fn special_functions() {
    type One = fn(f64) -> f64;
    type Two = fn(f64, f64) -> f64;
    let twos: [(&str, Two, f64); 4] = [
        ("ln_beta", special::ln_beta, 1e-13),
        ("gamma_upper", special::gamma_upper, 1e-12),
        ("student_two_sided", special::student_two_sided, 1e-10),
        ("chi_square_upper", special::chi_square_upper, 1e-12),
    ];
    for (name, function, tolerance) in twos {
        for row in rows(name) {
            let what = format!("{name} {row:?}");
            near(function(row[0], row[1]), row[2], tolerance, &what);
        }
    }
    let ones: [(&str, One, f64); 3] = [
        ("ln_gamma", special::ln_gamma, 1e-13),
        ("normal_cdf", special::normal_cdf, 1e-12),
        ("normal_quantile", special::normal_quantile, 1e-12),
    ];
    for (name, function, tolerance) in ones {
        for row in rows(name) {
            near(
                function(row[0]),
                row[1],
                tolerance,
                &format!("{name} {row:?}"),
            );
        }
    }
    for row in rows("beta_regularised") {
        let found = special::beta_regularised(row[0], row[1], row[2]);
        near(found, row[3], 1e-11, &format!("{row:?}"));
    }
}

#[test]
fn binomial_distribution() {
    for row in rows("binomial_cdf") {
        let found = binomial::cdf(row[0] as u64, row[1] as u64, row[2]);
        near(found, row[3], 1e-10, &format!("{row:?}"));
    }
    for row in rows("binomial_chance") {
        let found = binomial::chance(row[0] as u64, row[1] as u64, row[2]);
        near(found, row[3], 1e-9, &format!("{row:?}"));
    }
    for row in rows("binomial_quantile") {
        let found = binomial::quantile(row[0], row[1] as u64, row[2]);
        assert_eq!(found, row[3] as u64, "{row:?}");
    }
}

#[test]
fn order_statistics() {
    for row in rows("order_ranks") {
        let (low, high, coverage) = order::ranks(row[0] as u64, row[1], row[2]);
        assert_eq!([low, high], [row[3] as u64, row[4] as u64], "{row:?}");
        near(coverage, row[5], 1e-10, &format!("{row:?}"));
    }
    for case in cases("design_effect") {
        let found = interval::design_effect(&numbers(&case["x"]));
        near(found, number(&case["deff"]), 1e-12, "design effect");
    }
}

#[test]
fn rates() {
    for row in rows("wilson") {
        let found = interval::wilson(row[0] as u64, row[1] as u64, row[2]).unwrap();
        ends(found.interval, row[3], row[4], 1e-10, &format!("{row:?}"));
    }
    for (name, tolerance) in [("newcombe", 1e-10), ("newcombe_printed", 0.0)] {
        for row in rows(name) {
            let of = |at: usize| (row[at] as u64, row[at + 1] as u64);
            let found = interval::newcombe(of(0), of(2), 0.05).unwrap().interval;
            let found = if tolerance > 0.0 {
                found
            } else {
                found.map(|end| (end * 1e4).round() / 1e4)
            };
            ends(found, row[4], row[5], tolerance, &format!("{name} {row:?}"));
        }
    }
}

#[test]
fn bootstrap() {
    let how = Resampling::seeded(SEED);
    for case in cases("bootstrap") {
        let (a, b) = (ascending(&case["a"]), ascending(&case["b"]));
        let (a, b) = (Sample::new(&a, 0), Sample::new(&b, 0));
        let p = number(&case["p"]);
        let found = bootstrap_difference(a, b, p, &how).unwrap();
        near(
            found.value,
            number(&case["difference"]),
            1e-12,
            "difference",
        );
        within(found.interval.low, &case["low"], "low");
        within(found.interval.high, &case["high"], "high");
        let found = bootstrap_ratio(a, b, p, &how).unwrap();
        near(found.value, number(&case["ratio"]), 1e-12, "ratio");
        within(
            found.interval.low,
            &widened(&case["ratio_low"]),
            "ratio low",
        );
        within(
            found.interval.high,
            &widened(&case["ratio_high"]),
            "ratio high",
        );
    }
    let case = table("stratified");
    let arms: Vec<_> = case["strata"].as_array().unwrap().iter().collect();
    let arms: Vec<_> = arms
        .iter()
        .map(|part| {
            (
                ascending(&part["a"]),
                ascending(&part["b"]),
                number(&part["weight"]),
            )
        })
        .collect();
    let strata: Vec<_> = arms
        .iter()
        .map(|(a, b, weight)| Stratum {
            a: Sample::new(a, 0),
            b: Sample::new(b, 0),
            weight: *weight,
        })
        .collect();
    let found = stratified_difference(&strata, 0.5, &how).unwrap();
    near(
        found.value,
        number(&case["difference"]),
        1e-12,
        "stratified",
    );
    within(found.interval.low, &case["low"], "stratified low");
    within(found.interval.high, &case["high"], "stratified high");
    let found = stratified_ratio(&strata, 0.5, &how).unwrap();
    near(
        found.value,
        number(&case["ratio"]),
        1e-12,
        "stratified ratio",
    );
    within(
        found.interval.low,
        &case["ratio_low"],
        "stratified ratio low",
    );
    within(
        found.interval.high,
        &case["ratio_high"],
        "stratified ratio high",
    );
}

/// The last digit of an exponential of logarithms is not that of a quotient.
fn widened(range: &Value) -> Value {
    let range = numbers(range);
    serde_json::json!([range[0] * (1.0 - 1e-12), range[1] * (1.0 + 1e-12)])
}

#[test]
fn ranks_and_shifts() {
    for case in cases("mann_whitney") {
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        let found = compare::mann_whitney_p(&a, &b).unwrap();
        near(found, number(&case["p"]), 1e-10, "Mann and Whitney");
    }
    for case in cases("paired") {
        let differences = numbers(&case["d"]);
        let found = compare::paired(&differences, 0.05, SEED).unwrap();
        let what = format!("{} pairs", found.count);
        near(
            found.wilcoxon_p.unwrap(),
            number(&case["wilcoxon"]),
            1e-10,
            &what,
        );
        near(found.sign_p.unwrap(), number(&case["sign"]), 1e-10, &what);
        near(found.median.value, number(&case["median"]), 1e-12, &what);
        let shift = found.hodges_lehmann;
        near(shift.value, number(&case["hodges_lehmann"]), 1e-12, &what);
        if let Some(expected) = case.get("ends") {
            let expected = numbers(expected);
            ends(shift.interval, expected[0], expected[1], 1e-12, &what);
        }
    }
    for case in cases("shift") {
        let (a, b) = (ascending(&case["a"]), ascending(&case["b"]));
        let (a, b) = (Sample::new(&a, 0), Sample::new(&b, 0));
        let found = compare::hodges_lehmann(a, b, 0.05, SEED).unwrap();
        near(found.value, number(&case["hodges_lehmann"]), 1e-12, "shift");
        if let Some(expected) = case.get("ends") {
            let expected = numbers(expected);
            ends(found.interval, expected[0], expected[1], 1e-10, "shift");
        }
        let found = compare::a12(a, b, 0.05).unwrap();
        let expected = numbers(&case["a12"]);
        near(found.value, expected[0], 1e-12, "A12");
        ends(found.interval, expected[1], expected[2], 1e-9, "A12");
    }
}

#[test]
fn permutations_and_many_p_values() {
    let case = table("permutation");
    let (a, b) = (ascending(&case["a"]), ascending(&case["b"]));
    let stratum = Stratum {
        a: Sample::new(&a, 0),
        b: Sample::new(&b, 0),
        weight: 1.0,
    };
    let found = compare::permutation_p(&[stratum], 10_000, SEED).unwrap();
    let exact = number(&case["p"]);
    // Five standard errors of 10,000 draws.
    let allowed = 5.0 * (exact * (1.0 - exact) / 1e4).sqrt() + 1e-4;
    assert!(
        (found - exact).abs() < allowed,
        "seed {SEED}: {found}, {exact}"
    );
    let case = table("multiplicity");
    let p_values = numbers(&case["p"]);
    for (name, found) in [
        ("holm", compare::holm(&p_values)),
        ("bh", compare::benjamini_hochberg(&p_values)),
    ] {
        for (found, expected) in found.iter().zip(numbers(&case[name])) {
            near(*found, expected, 1e-12, name);
        }
    }
}

#[test]
fn dispersion_weights_and_balance() {
    let case = table("dispersion");
    let values = ascending(&case["x"]);
    let found = compare::dispersion(Sample::new(&values, 0)).unwrap();
    near(found.iqr_over_median, number(&case["iqr"]), 1e-12, "IQR");
    near(found.mad_over_median, number(&case["mad"]), 1e-12, "MAD");
    near(found.tail_ratio, number(&case["tail"]), 1e-12, "tail");
    near(found.cv.unwrap(), number(&case["cv"]), 1e-12, "CV");
    let case = table("weighted_quantile");
    let weighted: Vec<_> = numbers(&case["x"])
        .into_iter()
        .zip(numbers(&case["w"]))
        .collect();
    for (p, expected) in pairs(&case["answers"]) {
        let found = compare::weighted_quantile(&weighted, p).unwrap();
        near(found, expected, 1e-12, &format!("weighted {p}"));
    }
    let case = table("smd");
    let found = compare::standardised_difference(&pairs(&case["a"]), &pairs(&case["b"]));
    near(found.unwrap(), number(&case["smd"]), 1e-12, "SMD");
}

#[test]
fn designs() {
    for case in cases("sample_ratio") {
        let counts: Vec<u64> = numbers(&case[0])
            .iter()
            .map(|count| *count as u64)
            .collect();
        let found = compare::sample_ratio_p(&counts, &numbers(&case[1])).unwrap();
        near(found, number(&case[2]), 1e-11, "sample ratio");
    }
    for row in cases("plans") {
        let plan = Plan {
            sigma_ln: number(&row[0]),
            explained: number(&row[1]),
            of_medians: row[2].as_bool().unwrap(),
            alpha: 0.05,
            power: number(&row[3]),
        };
        let (median, shift) = (number(&row[4]), number(&row[5]));
        let count = plan.count_per_arm(median, shift).unwrap();
        assert_eq!(count, row[6].as_u64().unwrap(), "{row}");
        let back = plan.minimum_detectable(median, count).unwrap();
        assert!(back <= shift && back > shift * 0.99, "{back} {shift}");
    }
}

#[test]
fn sequences() {
    for row in rows("sequence_ranks") {
        let found = mixture::ranks(row[0] as usize, row[1], 0.05, CENTRE);
        assert_eq!(found, (row[2] as usize, row[3] as usize), "{row:?}");
    }
    for row in rows("sequence_rates") {
        let found = sequence::rate_sequence(row[0] as usize, row[1] as usize, 0.05, CENTRE);
        // The table looks at every two-millionth.
        let close = (found.low - row[2]).abs() < 3e-6 && (found.high - row[3]).abs() < 3e-6;
        assert!(close, "{row:?}: {found:?}");
    }
    for case in cases("quantiles_differ") {
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        let (a, b) = (Sample::new(&a, 0), Sample::new(&b, 0));
        let found = sequence::quantiles_differ_p(a, b, number(&case["p"]), CENTRE);
        near(found, number(&case["answer"]), 1e-9, "two arms");
    }
    for row in rows("rates_differ") {
        let of = |at: usize| (row[at] as usize, row[at + 1] as usize);
        let found = sequence::rates_differ_p(of(0), of(2), CENTRE);
        near(found, row[4], 1e-4, &format!("{row:?}"));
    }
    for row in rows("asymptotic") {
        let count = row[0] as usize;
        let found = sequence::asymptotic(1.0, count, 0.05).unwrap();
        near(found, row[1], 1e-12, &format!("{row:?}"));
    }
}

#[test]
fn adjustment() {
    let case = table("lin");
    let covariates = case["covariates"].as_array().unwrap();
    let arms = numbers(&case["arm"]);
    let outcomes = numbers(&case["y"]);
    let observations: Vec<_> = (0..arms.len())
        .map(|index| Observation {
            outcome: outcomes[index],
            treated: arms[index] > 0.5,
            covariates: numbers(&covariates[index]),
        })
        .collect();
    let found = sequence::lin(&observations).unwrap();
    near(found.log_effect, number(&case["effect"]), 1e-9, "effect");
    near(found.standard_error, number(&case["error"]), 1e-9, "HC2");
    let case = table("cuped");
    let found = sequence::cuped(&numbers(&case["y"]), &numbers(&case["x"])).unwrap();
    near(found.1, number(&case["explained"]), 1e-10, "explained");
    for (found, expected) in found.0.iter().zip(numbers(&case["adjusted"])) {
        near(*found, expected, 1e-10, "CUPED");
    }
}

#[test]
fn changes() {
    let case = table("cusum");
    let residuals = numbers(&case["residuals"]);
    let reference = Reference::of(&residuals[..400]).unwrap();
    near(reference.centre, number(&case["centre"]), 1e-12, "centre");
    near(reference.sigma, number(&case["sigma"]), 1e-12, "sigma");
    let mut cusum = Cusum::new(reference);
    let mut expected = pairs(&case["sums"]).into_iter();
    let alarm = residuals[400..]
        .iter()
        .enumerate()
        .find_map(|(at, residual)| {
            let alarm = cusum.push(*residual);
            if at % 10 == 9 && alarm.is_none() {
                let (up, down) = expected.next().unwrap();
                near(cusum.sums().0, up, 1e-10, "up");
                near(cusum.sums().1, down, 1e-10, "down");
            }
            alarm.map(|alarm| (at / 10, alarm.direction))
        });
    let step = case["alarm_step"].as_u64().unwrap() as usize;
    assert_eq!(alarm, Some((step, drift::Direction::Up)));

    let case = table("divisive");
    let series = numbers(&case["series"]);
    let parts = [&series[..50], &series[60..80], &series];
    for (part, best) in parts.iter().zip(case["best"].as_array().unwrap()) {
        let (place, score) = divisive::best_split(part).unwrap();
        assert_eq!(place as u64, best[0].as_u64().unwrap());
        near(score, number(&best[1]), 1e-10, "score");
    }
    let found = drift::changes(&series, &Divisive::default());
    let places: Vec<_> = found.iter().map(|change| change.index as f64).collect();
    assert_eq!(places, numbers(&case["changes"]));
    for (change, expected) in found.iter().zip(numbers(&case["p"])) {
        near(change.p_value, expected, 1e-9, "t-test");
    }

    let case = table("theil_sen");
    let found = drift::theil_sen(&pairs(&case["points"]), 0.05, 1.0).unwrap();
    let expected = numbers(&case["answer"]);
    near(found.value, expected[0], 1e-12, "slope");
    ends(found.interval, expected[1], expected[2], 1e-12, "slope");
}

#[test]
fn slopes_that_single_numbers_do_not_turn() {
    for case in cases("resistant") {
        let found = compare::resistant_slope(&pairs(&case["points"])).unwrap();
        near(found, number(&case["slope"]), 1e-12, "resistant slope");
    }
    assert_eq!(compare::resistant_slope(&[(1.0, 2.0), (1.0, 3.0)]), None);
    assert_eq!(compare::resistant_slope(&[(1.0, 2.0); 9]), None);
}

#[test]
fn slow_trends() {
    for case in cases("mann_kendall") {
        let points = pairs(&case["points"]);
        let found = drift::mann_kendall(&points, number(&case["deff"])).unwrap();
        near(found.rising, number(&case["s"]), 1e-12, "S");
        near(found.p_value, number(&case["p"]), 1e-10, "p");
    }
    assert_eq!(drift::mann_kendall(&[(1.0, 2.0)], 1.0), None);
    assert_eq!(drift::mann_kendall(&[(1.0, 2.0), (2.0, 2.0)], 1.0), None);
}

#[test]
fn e_values() {
    let case = table("e_values");
    let found: Vec<f64> = numbers(&case["p"])
        .into_iter()
        .map(compare::e_value)
        .collect();
    for (found, expected) in found.iter().zip(numbers(&case["e"])) {
        near(*found, expected, 1e-12, "e");
    }
    for row in case["rejected"].as_array().unwrap() {
        let rejected = compare::e_benjamini_hochberg(&found, number(&row[0]));
        let expected: Vec<bool> = row[1]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_bool().unwrap())
            .collect();
        assert_eq!(rejected, expected, "q {}", row[0]);
    }
    assert_eq!(compare::e_benjamini_hochberg(&[], 0.05), Vec::<bool>::new());
}

#[test]
fn clusters_count_for_less_than_their_numbers() {
    let case = table("clusters");
    let (values, names) = (numbers(&case["values"]), numbers(&case["names"]));
    let (sample, _) = sorted(values.iter().copied());
    let sample = Sample::new(&sample, 0);
    let middle = sample.quantile(0.5).unwrap();
    let below = names
        .iter()
        .zip(&values)
        .map(|(name, value)| (*name as u64, *value <= middle));
    let effect = interval::cluster_effect(below, 0.5);
    near(effect, number(&case["effect"]), 1e-12, "cluster effect");
    // The interval by the effect is that of drawing whole clusters, near enough.
    let (low, high) = (number(&case["low"]), number(&case["high"]));
    let found = interval::order_ci_deff(sample, 0.5, 0.05, effect).bounds();
    let half = (high - low) / 2.0;
    assert!((found.low - low).abs() < 0.25 * half, "{found:?} {low}");
    assert!((found.high - high).abs() < 0.25 * half, "{found:?} {high}");
    let alone = interval::order_ci(sample, 0.5, 0.05).bounds();
    assert!(alone.half_width() < 0.85 * half, "taken as independent");
    // Drawn ranks know it too: against a single number that does not vary.
    let still = [middle];
    let how = Resampling {
        effects: [effect, 1.0],
        ..Resampling::seeded(SEED)
    };
    let drawn = bootstrap_difference(sample, Sample::new(&still, 0), 0.5, &how).unwrap();
    let drawn = drawn.interval.map(|end| end + middle);
    assert!(
        (drawn.low - low).abs() < 0.25 * half,
        "seed {SEED}: {drawn:?} {low}"
    );
    assert!(
        (drawn.high - high).abs() < 0.25 * half,
        "seed {SEED}: {drawn:?} {high}"
    );
}
