//! Tells whether a route's first token has left its baseline: surely, and by enough to matter.
//!
//! Probes of a quarter of an hour make a step, their median of `ln first token`. Steps of the last
//! day are summed (`statistics::drift`, k = ½, h calibrated to one false alarm a week) against the
//! median and `1.4826 · MAD` of the steps of up to seven days before; a step counts for at most
//! three deviations, so that no single slow answer raises an alarm. A route has drifted where the
//! sums say so AND the median since then is off by the threshold. Failures are no part of it: they
//! are judged by availability.

use crate::analysis::watch::Point;
use crate::record::WallTime;
use crate::statistics::drift::{Cusum, Direction, Reference};
use crate::statistics::quantile::{Sample, sorted};

/// Steps that a baseline needs.
pub const REFERENCE_MIN: usize = 20;
/// Steps that are the baseline where a week has fewer than [`REFERENCE_MIN`].
const REFERENCE_LAST: usize = 50;
/// Steps that are judged at least, however old they are; and of which the level now is told.
const TESTED_MIN: usize = 10;
/// Deviations that one step counts for at most.
const CLIP: f64 = 3.0;
/// Microseconds of a step, a day, a week.
const STEP: i64 = 900 * 1_000_000;
const DAY: i64 = 86_400 * 1_000_000;
const WEEK: i64 = 7 * DAY;

/// How a route's first token stands to its baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Drift {
    /// There are too few probes to say.
    TooFew {
        /// Quarters of an hour with an answered probe that are needed.
        needs: usize,
        /// That there are.
        has: usize,
    },
    /// What was found.
    Judged(Judged),
}

/// A route that has a baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// The baseline's median first token, in nanoseconds.
    pub baseline: f64,
    /// Of how many steps.
    pub baseline_steps: usize,
    /// The median since the change, or else of the last steps.
    pub now: f64,
    /// Of how many.
    pub now_steps: usize,
    /// When the sums began to rise, where they say that it changed.
    pub since: Option<WallTime>,
    /// Whether it has drifted: the sums say so, and the median is off by the threshold.
    pub drifted: bool,
}

impl Judged {
    /// How much later the first token comes than the baseline's, as a share of it.
    #[must_use]
    pub fn shift(&self) -> f64 {
        self.now / self.baseline - 1.0
    }
}

impl Drift {
    /// What was found, where anything was.
    #[must_use]
    pub const fn judged(&self) -> Option<&Judged> {
        match self {
            Self::Judged(judged) => Some(judged),
            Self::TooFew { .. } => None,
        }
    }
}

/// What a route is judged by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// The date that is now.
    pub now: WallTime,
    /// How far the median may be off, as a share of the baseline.
    pub threshold: f64,
    /// When it began to drift, where it had when it was last asked: the baseline is of before that
    /// date for a week, and drift ends at half the threshold.
    pub held: Option<WallTime>,
}

/// Judges `points`, in the order of time. Where some probes opened a connection and others found
/// one, only those of the kind that the last day has more of are compared: the others answer later.
#[must_use]
pub fn drift(points: &[Point], question: &Question) -> Drift {
    let steps = steps(points, question.now);
    // A change that lasted a week is the new baseline.
    let held = question.held.filter(|at| question.now.0 - at.0 < WEEK);
    let cut = held.map_or(question.now.0 - DAY, |at| at.0);
    let mut first = steps.partition_point(|(at, _)| *at < cut);
    first = first.min(steps.len().saturating_sub(TESTED_MIN));
    if first < REFERENCE_MIN {
        // A young route is judged by its last steps against all before.
        first = steps.len().saturating_sub(TESTED_MIN);
    }
    let (before, tested) = steps.split_at(first);
    let week = before.partition_point(|(at, _)| *at < cut - WEEK);
    let reference = if before.len() - week >= REFERENCE_MIN {
        &before[week..]
    } else {
        &before[before.len().saturating_sub(REFERENCE_LAST)..]
    };
    let enough = reference.len() >= REFERENCE_MIN && !tested.is_empty();
    let values: Vec<f64> = reference.iter().map(|(_, value)| *value).collect();
    match Reference::of_steps(&values).filter(|_| enough) {
        Some(known) => judged(&known, reference.len(), tested, question, held.is_some()),
        None => Drift::TooFew {
            needs: REFERENCE_MIN + TESTED_MIN,
            has: steps.len(),
        },
    }
}

fn judged(
    known: &Reference,
    baseline_steps: usize,
    tested: &[(i64, f64)],
    question: &Question,
    held: bool,
) -> Drift {
    let changed = changed(known, tested);
    let from = changed.map_or(0, |(from, _)| from);
    let last = &tested[from.max(tested.len().saturating_sub(TESTED_MIN))..];
    let level = median(last.iter().map(|(_, value)| *value));
    let threshold = if held {
        question.threshold / 2.0
    } else {
        question.threshold
    };
    let shift = (level - known.centre).exp() - 1.0;
    let off = changed.is_some_and(|(_, direction)| match direction {
        Direction::Up => shift >= threshold,
        Direction::Down => shift <= -threshold,
    });
    Drift::Judged(Judged {
        baseline: known.centre.exp(),
        baseline_steps,
        now: level.exp(),
        now_steps: last.len(),
        since: changed.map(|(from, _)| WallTime(tested[from].0)),
        drifted: off,
    })
}

/// Where the last change began, and which way it went. Alarms that follow one another the same way
/// are one change.
fn changed(known: &Reference, tested: &[(i64, f64)]) -> Option<(usize, Direction)> {
    let mut cusum = Cusum::calibrated(*known, steps_a_week(tested))?;
    let mut found: Option<(usize, Direction)> = None;
    for (index, (_, value)) in tested.iter().enumerate() {
        let z = (value - known.centre) / known.sigma;
        let alarm = cusum.step(known.centre + z.clamp(-CLIP, CLIP) * known.sigma);
        let Some(alarm) = alarm else { continue };
        if found.is_none_or(|(_, direction)| direction != alarm.direction) {
            let from = index + 1 - (alarm.steps as usize).min(index + 1);
            found = Some((from, alarm.direction));
        }
    }
    found
}

/// Steps of a week at the pace of these: an alarm of chance comes about once in so many. Of a slow
/// schedule there is one in twenty steps.
fn steps_a_week(tested: &[(i64, f64)]) -> f64 {
    let pauses = tested.windows(2).map(|pair| (pair[1].0 - pair[0].0) as f64);
    let pause = median(pauses).max(STEP as f64);
    let steps = WEEK as f64 / pause;
    if steps.is_finite() {
        steps.max(REFERENCE_MIN as f64)
    } else {
        WEEK as f64 / STEP as f64
    }
}

/// The beginning of each quarter of an hour with the median of `ln first token`.
fn steps(points: &[Point], now: WallTime) -> Vec<(i64, f64)> {
    let lately = |point: &&Point| point.at.0 >= now.0 - DAY && point.first_token.is_some();
    let all = points.iter().filter(lately).count();
    let fresh = points.iter().filter(lately).filter(|of| of.fresh).count();
    let wanted = 2 * fresh > all;
    let of_kind = points
        .iter()
        .filter(|point| all == 0 || point.fresh == wanted);
    let known = of_kind.filter_map(|point| {
        let first = point.first_token.filter(|first| *first > 0.0)?;
        Some((point.at.0.div_euclid(STEP) * STEP, first.ln()))
    });
    let known: Vec<(i64, f64)> = known.collect();
    let quarters = known.chunk_by(|one, other| one.0 == other.0);
    quarters
        .map(|quarter| {
            (
                quarter[0].0,
                median(quarter.iter().map(|(_, value)| *value)),
            )
        })
        .collect()
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let (values, failures) = sorted(values);
    let sample = Sample::new(&values, failures);
    sample.quantile(0.5).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::watch::point::tests::answered;
    use crate::statistics::compare::Random;
    use crate::statistics::drift::Thresholds;

    const QUARTER: i64 = 900;

    /// A probe each quarter of an hour, its first token `level(n)` times a noise of 10 %.
    fn played(seed: u64, count: i64, level: impl Fn(i64) -> f64) -> Vec<Point> {
        let mut random = Random::new(seed);
        (0..count)
            .map(|n| {
                let noise = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
                answered(n * QUARTER, 400.0 * level(n) * (0.1 * noise).exp())
            })
            .collect()
    }

    fn asked(points: &[Point], held: Option<i64>) -> Drift {
        let now = points.last().map_or(WallTime(0), |point| point.at);
        drift(
            points,
            &Question {
                now,
                threshold: Thresholds::default().drift,
                held: held.map(|seconds| WallTime(seconds * 1_000_000)),
            },
        )
    }

    fn drifted(points: &[Point]) -> bool {
        asked(points, None)
            .judged()
            .is_some_and(|judged| judged.drifted)
    }

    #[test]
    fn a_shift_needs_both_the_sums_and_the_size() {
        let eight_days = 8 * 96;
        for (what, lately, expected) in [
            ("as ever", 1.0, 0..=0),
            ("surely slower, but by a tenth", 1.1, 0..=2),
            ("half as slow again", 1.5, 40..=40),
            ("faster by a third", 0.67, 40..=40),
        ] {
            let found = (0..40).filter(|seed| {
                let level = |n| if n >= eight_days - 12 { lately } else { 1.0 };
                drifted(&played(*seed, eight_days, level))
            });
            let found = found.count();
            assert!(expected.contains(&found), "seeds 0..40: {what}: {found}");
        }
    }

    #[test]
    fn one_slow_answer_or_failures_are_no_drift() {
        let mut points = played(3, 800, |_| 1.0);
        points[795].first_token = Some(60e9);
        points[797].first_token = Some(60e9);
        assert!(!drifted(&points));
        for point in &mut points[780..] {
            (point.answered, point.first_token) = (Some(false), None);
        }
        assert!(!drifted(&points));
    }

    #[test]
    fn the_change_is_dated_and_ends_at_half_the_threshold() {
        let points = played(5, 800, |n| if n >= 780 { 1.6 } else { 1.0 });
        let Drift::Judged(found) = asked(&points, None) else {
            panic!("too few")
        };
        let since = found.since.unwrap().as_secs() / QUARTER;
        assert!((776..=783).contains(&since), "{since}");
        assert!((found.shift() - 0.6).abs() < 0.15, "{found:?}");
        // A day and a half later it is still measured by what was before the change.
        let later = |level: f64| played(5, 930, move |n| if n >= 780 { level } else { 1.0 });
        let held = |points: &[Point]| {
            let found = asked(points, Some(780 * QUARTER));
            found.judged().is_some_and(|judged| judged.drifted)
        };
        assert!(held(&later(1.6)) && held(&later(1.15)));
        assert!(!held(&later(1.05)));
        // A week later it is what is usual there.
        let settled = played(5, 780 + 8 * 96, |n| if n >= 780 { 1.6 } else { 1.0 });
        assert!(!held(&settled));
    }

    #[test]
    fn few_probes_say_nothing_and_a_slow_schedule_is_judged_all_the_same() {
        let few = played(1, 29, |_| 1.0);
        assert_eq!(asked(&few, None), Drift::TooFew { needs: 30, has: 29 });
        // A night's run each: steps a day apart.
        let nightly = |lately: f64| -> Vec<Point> {
            let all = played(2, 60, |n| if n >= 54 { lately } else { 1.0 });
            let apart = |(n, point): (usize, Point)| Point {
                at: WallTime(n as i64 * DAY),
                ..point
            };
            all.into_iter().enumerate().map(apart).collect()
        };
        assert!(drifted(&nightly(1.6)));
        assert!(!drifted(&nightly(1.0)));
    }

    #[test]
    fn connections_of_one_kind_are_compared() {
        // Until yesterday every probe opened one, which took its time.
        let mut points = played(7, 800, |n| if n < 700 { 2.0 } else { 1.0 });
        for point in &mut points[..700] {
            point.fresh = true;
        }
        let kept = points.iter().filter(|point| !point.fresh).count();
        let Drift::Judged(found) = asked(&points, None) else {
            panic!("too few")
        };
        assert!(!found.drifted && found.baseline_steps + found.now_steps <= kept);
    }
}
