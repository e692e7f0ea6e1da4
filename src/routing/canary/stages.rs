//! Takes a canary through a plan of growing shares: on where it is surely not worse, and not before.
//!
//! A stage is left when the canary has had its exchanges in it AND the intervals of all that was
//! seen so far leave no room for being worse by more than is bearable. They hold at any look (see
//! [`super::watch`]), so that looking after every exchange takes nothing away from them.

use serde::{Deserialize, Serialize};

use super::watch::Judged;
use crate::record::WallTime;

/// More failures than this (two points) would not be borne.
pub const FAILURES_BEARABLE: f64 = 0.02;
/// Nor a first token that comes later by more than this share.
pub const FIRST_TOKEN_BEARABLE: f64 = 0.1;
/// Nor first tokens that nobody waits for more often than the others' by more than this (five
/// points): of those it is only known that they would have come later.
pub const CUT_BEARABLE: f64 = 0.05;
/// Nor a score that is lower by more than this, of a score from 0 to 1.
pub const SCORE_BEARABLE: f64 = 0.05;

/// A plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Stages {
    /// When it begins.
    pub start: WallTime,
    /// The canary's share of its model's requests in each stage: between 0 and 1, ascending, one at
    /// least.
    pub shares: Vec<f64>,
    /// Exchanges that the canary has in each stage, at least.
    pub exchanges: u64,
}

/// How far a canary has come in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// The stage, from 0.
    pub stage: usize,
    /// Microseconds since 1970 at which it began.
    since: i64,
    /// Exchanges that the canary had in it.
    pub exchanges: u64,
    /// Whether the last stage was passed too: what comes next is for a human.
    pub done: bool,
}

/// Why a canary stays in its stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// It has had too few exchanges in it.
    Exchanges,
    /// It may still fail more often than is bearable.
    Failures,
    /// Its first token may still come later than is bearable.
    FirstToken,
    /// Its score may still be lower than is bearable.
    Score,
    /// It is worse.
    Worse,
    /// It has passed every stage.
    Done,
}

impl Waits {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Exchanges => "too few exchanges in it yet",
            Self::Failures => "it is not sure yet that it fails no more often",
            Self::FirstToken => "it is not sure yet that its first token comes no later",
            Self::Score => "it is not sure yet that its score is no lower",
            Self::Worse => "it is worse",
            Self::Done => "every stage is passed: the rest is yours to decide",
        }
    }
}

impl Stages {
    /// The canary's share in a stage.
    #[must_use]
    pub fn share(&self, progress: &Progress) -> f64 {
        let last = self.shares.len().saturating_sub(1);
        self.shares
            .get(progress.stage.min(last))
            .copied()
            .unwrap_or(0.0)
    }

    /// Why a canary that was judged so stays where it is; nothing where it may go on.
    #[must_use]
    pub fn waits(&self, progress: &Progress, judged: &Judged) -> Option<Waits> {
        if judged.worse.is_some() {
            return Some(Waits::Worse);
        }
        if progress.done {
            return Some(Waits::Done);
        }
        if progress.exchanges < self.exchanges {
            return Some(Waits::Exchanges);
        }
        let failures = judged.failures.map(|found| found.interval.high);
        if failures.is_none_or(|high| high > FAILURES_BEARABLE) {
            return Some(Waits::Failures);
        }
        // Where nobody asks for streams there is no first token to be late.
        let timed = judged.first_tokens.iter().any(|count| *count > 0);
        let first = judged.first_token.map(|found| found.interval.high);
        if timed && first.is_none_or(|high| high > 1.0 + FIRST_TOKEN_BEARABLE) {
            return Some(Waits::FirstToken);
        }
        let cut = judged.cut.iter().any(|count| *count > 0);
        let more = judged.cut_more.map(|found| found.interval.high);
        if cut && more.is_none_or(|high| high > CUT_BEARABLE) {
            return Some(Waits::FirstToken);
        }
        let score = judged.score.map(|found| found.interval.low);
        if score.is_some_and(|low| low < -SCORE_BEARABLE) {
            return Some(Waits::Score);
        }
        None
    }

    /// Takes in an exchange that ended at `now`: whether the canary goes on to the next stage, or
    /// has passed the last one. `judged` is asked for what may be said, where it matters.
    pub fn step(
        &self,
        progress: &mut Progress,
        on_canary: bool,
        now: WallTime,
        judged: impl FnOnce() -> Judged,
    ) -> bool {
        if progress.since == 0 {
            progress.since = now.0;
        }
        progress.exchanges += u64::from(on_canary);
        let enough = on_canary && !progress.done && progress.exchanges >= self.exchanges;
        if !enough || self.waits(progress, &judged()).is_some() {
            return false;
        }
        if progress.stage + 1 < self.shares.len() {
            *progress = Progress {
                stage: progress.stage + 1,
                since: now.0,
                ..Progress::default()
            };
        } else {
            progress.done = true;
        }
        true
    }
}

impl Progress {
    /// When the stage began; absent before the first exchange.
    #[must_use]
    pub fn since(&self) -> Option<WallTime> {
        (self.since != 0).then_some(WallTime(self.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::canary::watch::tests::seen;
    use crate::routing::canary::{Scored, Watch, Worse};
    use crate::statistics::compare::Random;
    use crate::statistics::interval::{Estimate, Interval};

    fn plan() -> Stages {
        Stages {
            start: WallTime(0),
            shares: vec![0.05, 0.1, 0.5],
            exchanges: 200,
        }
    }

    /// How a plan ended: at which exchange each stage was passed, and whether and why it was
    /// stopped.
    struct Played {
        passed: Vec<usize>,
        stopped: Option<(usize, Worse)>,
    }

    /// Plays a plan on up to 60,000 exchanges.
    fn played(seed: u64, failing: f64, slower: f64, score: Option<f64>) -> Played {
        let (plan, mut progress) = (plan(), Progress::default());
        let (mut random, mut watch) = (Random::new(seed), Watch::default());
        let scored = score.map(|value| {
            Scored::new(Estimate {
                value,
                interval: Interval {
                    low: value - 0.03,
                    high: value + 0.03,
                },
            })
        });
        let mut found = Played {
            passed: Vec::new(),
            stopped: None,
        };
        for n in 1..60_000 {
            let seen = seen(&mut random, plan.share(&progress), failing, slower);
            watch.add(&seen);
            let judged = || watch.judged_with(scored);
            let now = WallTime(n as i64);
            if plan.step(&mut progress, seen.on_canary, now, judged) {
                found.passed.push(n);
            }
            if n % 50 == 0
                && let Some(worse) = watch.judged_with(scored).worse
            {
                found.stopped = Some((n, worse));
                break;
            }
            if progress.done {
                break;
            }
        }
        found
    }

    #[test]
    fn a_canary_that_is_as_good_passes_every_stage_and_a_worse_one_is_stopped_before_the_last() {
        for (failing, slower, score, passes, worse) in [
            (0.0, 1.0, None, 7..=8, None),
            (-0.005, 0.8, Some(0.0), 7..=8, None),
            (0.10, 1.0, None, 0..=0, Some(Worse::Failures)),
            (0.0, 1.4, None, 0..=0, Some(Worse::FirstToken)),
            (0.0, 1.0, Some(-0.1), 0..=0, Some(Worse::Score)),
        ] {
            let all: Vec<Played> = (0..8)
                .map(|seed| played(seed, failing, slower, score))
                .collect();
            let passed = all.iter().filter(|of| of.passed.len() == 3).count();
            println!("failing {failing}, slower {slower}, score {score:?}: {passed} of 8 pass");
            let stages: Vec<_> = all.iter().map(|of| (&of.passed, of.stopped)).collect();
            assert!(passes.contains(&passed), "seeds 0..8: {stages:?}");
            if let Some(worse) = worse {
                let so = |of: &&Played| of.stopped.is_some_and(|(_, why)| why == worse);
                assert!(all.iter().filter(so).count() >= 7, "seeds 0..8: {stages:?}");
            }
        }
    }

    #[test]
    fn a_stage_has_its_least_number_of_exchanges_and_a_reason_to_stay() {
        let plan = plan();
        let high = |value: f64, high: f64| {
            Some(Estimate {
                value,
                interval: Interval { low: -1.0, high },
            })
        };
        let good = Judged {
            requests: [900, 9_000],
            ended: [900, 9_000],
            cut: [0, 0],
            cut_more: None,
            failure_rates: [Some(0.0), Some(0.0)],
            failures: high(0.0, 0.01),
            first_tokens: [800, 8_000],
            first_token: high(1.0, 1.05),
            score: None,
            worse: None,
        };
        let at = |exchanges, done| Progress {
            exchanges,
            done,
            ..Progress::default()
        };
        for (progress, judged, waits) in [
            (at(200, false), good, None),
            (at(199, false), good, Some(Waits::Exchanges)),
            (at(200, true), good, Some(Waits::Done)),
            (
                at(200, false),
                Judged {
                    failures: high(0.0, 0.03),
                    ..good
                },
                Some(Waits::Failures),
            ),
            (
                at(200, false),
                Judged {
                    failures: None,
                    ..good
                },
                Some(Waits::Failures),
            ),
            (
                at(200, false),
                Judged {
                    first_token: high(1.0, 1.2),
                    ..good
                },
                Some(Waits::FirstToken),
            ),
            (
                at(200, false),
                Judged {
                    first_token: None,
                    ..good
                },
                Some(Waits::FirstToken),
            ),
            (
                at(200, false),
                Judged {
                    cut: [90, 400],
                    cut_more: high(0.05, 0.08),
                    ..good
                },
                Some(Waits::FirstToken),
            ),
            (
                at(200, false),
                Judged {
                    cut: [40, 400],
                    cut_more: high(0.0, 0.015),
                    ..good
                },
                None,
            ),
            (
                at(200, false),
                Judged {
                    first_token: None,
                    first_tokens: [0, 0],
                    ..good
                },
                None,
            ),
            (
                at(200, false),
                Judged {
                    score: high(0.0, 0.1),
                    ..good
                },
                Some(Waits::Score),
            ),
            (
                at(200, false),
                Judged {
                    worse: Some(Worse::Failures),
                    ..good
                },
                Some(Waits::Worse),
            ),
        ] {
            assert_eq!(
                plan.waits(&progress, &judged),
                waits,
                "{progress:?} {judged:?}"
            );
        }
    }
}
