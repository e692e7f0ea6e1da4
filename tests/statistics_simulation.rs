//! Checks by chance with fixed seeds that intervals hold the truth as often as they say.

use std::f64::consts::FRAC_PI_2;

use tollgate::statistics::compare::{Random, Resampling, bootstrap_difference};
use tollgate::statistics::interval::special::normal_quantile;
use tollgate::statistics::interval::{ALPHA, order_ci, wilson};
use tollgate::statistics::quantile::{Sample, sorted};
use tollgate::statistics::sequence::{
    CENTRE, Observation, lin, quantile_sequence, quantiles_differ_p, subtract,
};

/// A log-normal time of median 300 ms, σ = 0.45.
fn time(random: &mut Random) -> f64 {
    300.0 * (0.45 * normal_quantile(random.unit().max(1e-16))).exp()
}

/// Log-normal times by a table of quantiles: fast enough for long runs, and still continuous.
struct Times(Vec<f64>);

impl Times {
    fn new() -> Self {
        let at = |index: u32| normal_quantile((f64::from(index) + 0.5) / 4_096.0);
        Self(
            (0..4_096)
                .map(|index| 300.0 * (0.45 * at(index)).exp())
                .collect(),
        )
    }

    fn draw(&self, random: &mut Random) -> f64 {
        // A wiggle of a millionth keeps ties out.
        self.0[random.below(self.0.len())] * (1.0 + 1e-6 * random.unit())
    }
}

fn sample(values: &[f64]) -> Sample<'_> {
    Sample::new(values, 0)
}

#[test]
fn exact_intervals_cover_the_median() {
    let seed = 41;
    let mut random = Random::new(seed);
    for count in [15, 30, 60] {
        let runs = 2_000;
        let mut covered = 0;
        let mut promised = 0.0;
        for _ in 0..runs {
            let (values, _) = sorted((0..count).map(|_| time(&mut random)));
            let found = order_ci(sample(&values), 0.5, ALPHA);
            promised = found.coverage;
            covered += u64::from(found.bounds().contains(300.0));
        }
        let rate = wilson(covered, runs, 0.001).unwrap();
        println!("seed {seed}, n = {count}: {:.3}, {promised:.3}", rate.value);
        assert!(rate.interval.contains(promised), "seed {seed}: {rate:?}");
        assert!(promised >= 1.0 - ALPHA);
    }
}

#[test]
fn bootstrap_intervals_cover_the_difference() {
    let seed = 43;
    let mut random = Random::new(seed);
    let times = Times::new();
    for (left, right) in [(30, 30), (200, 60)] {
        let runs = 300;
        let mut covered = 0;
        for run in 0..runs {
            let (a, _) = sorted((0..left).map(|_| times.draw(&mut random)));
            let (b, _) = sorted((0..right).map(|_| times.draw(&mut random)));
            let how = Resampling {
                replicates: 1_000,
                ..Resampling::seeded(run)
            };
            let found = bootstrap_difference(sample(&a), sample(&b), 0.5, &how).unwrap();
            covered += u64::from(found.interval.contains(0.0));
        }
        let rate = wilson(covered, runs, 0.001).unwrap();
        println!("seed {seed}, {left} and {right}: {:.3}", rate.value);
        assert!(rate.interval.high >= 0.95, "seed {seed}: {rate:?}");
        assert!(rate.interval.low <= 0.99, "seed {seed}: {rate:?}");
    }
}

/// How often one of two arms that are the same way is ever called different in 200 looks, every
/// 25 of 5,000: by sequences subtracted, by their p-value, by the adjusted effect.
#[test]
fn looking_two_hundred_times_seldom_finds_what_is_not_there() {
    let seed = 47;
    let mut random = Random::new(seed);
    let times = Times::new();
    let runs = 60;
    let (mut subtracted, mut tested, mut naive) = (0, 0, 0);
    for _ in 0..runs {
        let mut arms = [Vec::new(), Vec::new()];
        let mut ever = [false; 3];
        for _look in 0..200 {
            for _ in 0..25 {
                let arm = random.below(2);
                arms[arm].push(times.draw(&mut random));
            }
            arms.iter_mut().for_each(|arm| arm.sort_by(f64::total_cmp));
            let [a, b] = [sample(&arms[0]), sample(&arms[1])];
            let of = |arm| quantile_sequence(arm, 0.5, ALPHA / 2.0, CENTRE).bounds();
            ever[0] |= !subtract(of(a), of(b)).contains(0.0);
            ever[1] |= quantiles_differ_p(a, b, 0.5, CENTRE) <= ALPHA;
            // What looking with an interval for one look does: the standard error of a median.
            let apart = a.quantile(0.5).unwrap().ln() - b.quantile(0.5).unwrap().ln();
            let error = |arm: Sample<'_>| 0.45_f64.powi(2) * FRAC_PI_2 / arm.len() as f64;
            ever[2] |= apart.abs() > 1.96 * (error(a) + error(b)).sqrt();
        }
        subtracted += u64::from(ever[0]);
        tested += u64::from(ever[1]);
        naive += u64::from(ever[2]);
    }
    for (name, found) in [("subtracted", subtracted), ("p-value", tested)] {
        let rate = wilson(found, runs, ALPHA).unwrap();
        println!("seed {seed}, {name}: {found} of {runs}");
        assert!(rate.interval.low <= ALPHA, "seed {seed}, {name}: {rate:?}");
    }
    println!("seed {seed}, naive: {naive} of {runs}");
    assert!(
        naive > 12,
        "seed {seed}: the looks would find nothing anyway"
    );
}

#[test]
fn the_adjusted_sequence_seldom_finds_what_is_not_there() {
    let seed = 53;
    let mut random = Random::new(seed);
    let runs = 40;
    let mut ever = 0;
    for _ in 0..runs {
        let mut seen = Vec::new();
        let mut rejected = false;
        // The looks of the first 100, then every 100 of 1,000: a fit is not cheap here.
        for _look in 0..10 {
            for _ in 0..100 {
                let prompt = random.unit();
                let noise = 0.45 * (random.unit() + random.unit() + random.unit() - 1.5) * 2.0;
                seen.push(Observation {
                    outcome: 5.7 + 0.8 * prompt + noise,
                    treated: random.below(2) == 1,
                    covariates: vec![prompt],
                });
            }
            let found = lin(&seen).unwrap().ratio_sequence(ALPHA).unwrap();
            rejected |= !found.interval.contains(1.0);
        }
        ever += u64::from(rejected);
    }
    let rate = wilson(ever, runs, ALPHA).unwrap();
    println!("seed {seed}: {ever} of {runs}");
    assert!(rate.interval.low <= ALPHA, "seed {seed}: {rate:?}");
}
