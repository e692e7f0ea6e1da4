//! Watches a canary beside the other routes of its model: whether it is worse, at any time.
//!
//! Weights draw each request's route by lot, with chances that are known and may change with time.
//! A request is worth `D = 1c (y − m_c) / p − 1b (y − m_b) / (1 − p) + m_c − m_b`, `p` the canary's
//! chance and `m` the means of the arms before it: the mean of `D` tells the effect whatever the
//! weights were. Sources: Robins, Rotnitzky and Zhao 1994 (augmented inverse propensities);
//! Waudby-Smith et al., arXiv 2103.06476 (asymptotic confidence sequence of such a mean); the rates
//! also by the beta-binomial mixture, and the wider of the two counts: of rare failures a sum of
//! squares says too little.

use serde::{Deserialize, Serialize};

use crate::record::{ExchangeRecord, Mark, Outcome};
use crate::routing::health::{Effect, effect};
use crate::routing::route::RouteKey;
use crate::statistics::interval::{Estimate, Interval};
use crate::statistics::sequence::{CENTRE, asymptotic, rate_sequence, subtract};

/// The chance that a canary that is no worse is ever called so, over both questions.
const ALPHA: f64 = 0.05;
/// Numbers that either arm must have.
const NUMBERS_MIN: u64 = 30;
/// A failure rate that is higher by less than this is of no consequence: one in two hundred.
const FAILURES_MARGIN: f64 = 0.005;
/// A first token that comes later by less than this share is of none either.
const FIRST_TOKEN_MARGIN: f64 = 0.03;
/// A score that is lower by less than this, of a score from 0 to 1, is of none.
const SCORE_MARGIN: f64 = 0.02;
/// The logarithm of a first token's milliseconds before any came: a second.
const FIRST_TOKEN_PRIOR: f64 = 6.908;

/// What one request tells of a canary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Whether the canary was drawn.
    pub on_canary: bool,
    /// The chance that it had.
    pub chance: f64,
    /// Whether the route that was drawn failed.
    pub failed: bool,
    /// Milliseconds to its first token; absent of whole answers and failures.
    pub first_token_ms: Option<f64>,
}

impl Seen {
    /// What `record` tells of `canary` beside the other routes; absent where no weights drew, or
    /// the outcome says nothing of the route. `apart` are canaries too: they are in neither arm.
    #[must_use]
    pub fn of(record: &ExchangeRecord, canary: &RouteKey, apart: &[RouteKey]) -> Option<Self> {
        let decision = record.decision.as_ref()?;
        let drawn = &*record.policy == "weighted" && &*record.reason == "drawn_by_weight";
        if !drawn || decision.hedge.is_some() {
            return None;
        }
        let first = record.attempts.first()?;
        let route = RouteKey::new(first.provider.clone(), first.model.clone());
        if route != *canary && apart.contains(&route) {
            return None;
        }
        let chance_of = |wanted: bool| {
            let routes = decision.routes.iter().filter(|of| !of.other_model);
            let of = routes.filter(|of| {
                let key = RouteKey::new(of.provider.clone(), of.model.clone());
                (key == *canary) == wanted && (wanted || !apart.contains(&key))
            });
            of.map(|of| f64::from(of.propensity)).sum::<f64>()
        };
        let (own, others) = (chance_of(true), chance_of(false));
        if own <= 0.0 || others <= 0.0 {
            return None;
        }
        let counts = first
            .error_class
            .is_some_and(|class| effect(class) == Effect::Counts);
        let well = record.attempts.len() == 1 && record.outcome == Outcome::Ok;
        let span = first.timeline.span(Mark::RouteChosen, Mark::FirstToken);
        (counts || well).then_some(Self {
            on_canary: route == *canary,
            chance: own / (own + others),
            failed: counts,
            first_token_ms: span
                .filter(|_| !counts && record.request.stream)
                .map(crate::record::Nanos::as_millis),
        })
    }
}

/// One number of the canary against that of the others.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Contrast {
    /// Of the canary and of the others: how many, and their sum.
    arms: [(u64, f64); 2],
    count: u64,
    mean: f64,
    squares: f64,
}

impl Contrast {
    fn add(&mut self, seen: &Seen, value: f64, prior: f64) {
        let means = self.arms.map(
            |(count, sum)| {
                if count > 0 { sum / count as f64 } else { prior }
            },
        );
        let arm = usize::from(!seen.on_canary);
        let chance = if seen.on_canary {
            seen.chance
        } else {
            1.0 - seen.chance
        };
        let weighed = (value - means[arm]) / chance.max(1e-4);
        let sign = if seen.on_canary { 1.0 } else { -1.0 };
        let worth = sign * weighed + means[0] - means[1];
        self.count += 1;
        let before = worth - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (worth - self.mean);
        self.arms[arm].0 += 1;
        self.arms[arm].1 += value;
    }

    /// Numbers of the canary and of the others.
    #[must_use]
    pub const fn numbers(&self) -> [u64; 2] {
        [self.arms[0].0, self.arms[1].0]
    }

    /// Means of the canary and of the others, as they were got.
    #[must_use]
    pub fn means(&self) -> [Option<f64>; 2] {
        self.arms
            .map(|(count, sum)| (count > 0).then(|| sum / count as f64))
    }

    /// Canary less others, at any time.
    fn told(&self, alpha: f64) -> Option<Estimate> {
        if self.numbers().iter().any(|count| *count < NUMBERS_MIN) {
            return None;
        }
        let count = self.count as f64;
        let error = (self.squares / (count - 1.0) / count).sqrt();
        let reach = asymptotic(error, usize::try_from(self.count).ok()?, alpha)?;
        Some(Estimate {
            value: self.mean,
            interval: Interval {
                low: self.mean - reach,
                high: self.mean + reach,
            },
        })
    }
}

/// What was seen of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Watch {
    failures: Contrast,
    first_token: Contrast,
}

/// What may be said of a canary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// Requests of the canary and of the others.
    pub requests: [u64; 2],
    /// Their failure rates, as they were got.
    pub failure_rates: [Option<f64>; 2],
    /// How much higher the canary's failure rate is.
    pub failures: Option<Estimate>,
    /// First tokens of the canary and of the others.
    pub first_tokens: [u64; 2],
    /// How many times as long its first token takes.
    pub first_token: Option<Estimate>,
    /// How much higher its score is, where scored data sets said.
    pub score: Option<Estimate>,
    /// What it is worse in.
    pub worse: Option<Worse>,
}

/// What a canary is worse in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Worse {
    /// It fails more often.
    Failures,
    /// Its first token comes later.
    FirstToken,
    /// Its answers are worth less.
    Score,
}

/// What scored data sets say of a canary: its score less that of the others, of scores from 0 to
/// 1, with an interval that whoever scored answers for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    value: f64,
    low: f64,
    high: f64,
}

impl Scored {
    /// That difference.
    #[must_use]
    pub const fn new(difference: Estimate) -> Self {
        Self {
            value: difference.value,
            low: difference.interval.low,
            high: difference.interval.high,
        }
    }

    /// The difference.
    #[must_use]
    pub const fn estimate(self) -> Estimate {
        Estimate {
            value: self.value,
            interval: Interval {
                low: self.low,
                high: self.high,
            },
        }
    }
}

impl Worse {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Failures => "fails more often",
            Self::FirstToken => "its first token comes later",
            Self::Score => "its answers are worth less",
        }
    }
}

impl Watch {
    /// Takes in a request.
    pub fn add(&mut self, seen: &Seen) {
        self.failures
            .add(seen, f64::from(u8::from(seen.failed)), 0.0);
        if let Some(millis) = seen.first_token_ms {
            let value = millis.max(0.1).ln();
            self.first_token.add(seen, value, FIRST_TOKEN_PRIOR);
        }
    }

    /// What may be said now; it holds however often it is asked.
    #[must_use]
    pub fn judged(&self) -> Judged {
        self.judged_with(None)
    }

    /// The same with what scored data sets say.
    #[must_use]
    pub fn judged_with(&self, scored: Option<Scored>) -> Judged {
        let alpha = ALPHA / 2.0;
        let failures = self.failures.told(alpha).map(|found| {
            let rate = |(count, sum): (u64, f64)| {
                rate_sequence(sum.round() as usize, count as usize, alpha / 2.0, CENTRE)
            };
            let exact = subtract(rate(self.failures.arms[0]), rate(self.failures.arms[1]));
            Estimate {
                value: found.value,
                interval: Interval {
                    low: found.interval.low.min(exact.low),
                    high: found.interval.high.max(exact.high),
                },
            }
        });
        let first_token = self.first_token.told(alpha).map(|found| Estimate {
            value: found.value.exp(),
            interval: found.interval.map(f64::exp),
        });
        let low = |found: Option<Estimate>, margin: f64| {
            found.is_some_and(|found| found.interval.low > margin)
        };
        let score = scored.map(Scored::estimate);
        let worse = if low(failures, FAILURES_MARGIN) {
            Some(Worse::Failures)
        } else if low(first_token, 1.0 + FIRST_TOKEN_MARGIN) {
            Some(Worse::FirstToken)
        } else {
            let lower = score.is_some_and(|found| found.interval.high < -SCORE_MARGIN);
            lower.then_some(Worse::Score)
        };
        Judged {
            requests: self.failures.numbers(),
            failure_rates: self.failures.means(),
            failures,
            first_tokens: self.first_token.numbers(),
            first_token,
            score,
            worse,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::statistics::compare::Random;

    /// A request of a model whose canary has that chance, fails more often by `failing` and takes
    /// `slower` times as long.
    pub(in crate::routing::canary) fn seen(
        random: &mut Random,
        chance: f64,
        failing: f64,
        slower: f64,
    ) -> Seen {
        let on_canary = random.unit() < chance;
        let noise = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        let own = if on_canary { slower } else { 1.0 };
        let rate = 0.01 + if on_canary { failing } else { 0.0 };
        let failed = random.unit() < rate;
        Seen {
            on_canary,
            chance,
            failed,
            first_token_ms: (!failed).then(|| 400.0 * own * (0.3 * noise).exp()),
        }
    }

    /// A ramp from 5 % to a half while the hour makes every route slower and less sure.
    fn played(seed: u64, failing: f64, slower: f64) -> (Watch, Option<usize>) {
        let mut random = Random::new(seed);
        let mut watch = Watch::default();
        let mut found = None;
        for n in 0..4_000 {
            let share = f64::from(n) / 4_000.0;
            let chance = 0.05 + 0.45 * share;
            let on_canary = random.unit() < chance;
            let noise = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
            let hour = 400.0 * (1.0 + share);
            let own = if on_canary { slower } else { 1.0 };
            let rate = 0.01 + 0.02 * share + if on_canary { failing } else { 0.0 };
            let failed = random.unit() < rate;
            watch.add(&Seen {
                on_canary,
                chance,
                failed,
                first_token_ms: (!failed).then(|| hour * own * (0.3 * noise).exp()),
            });
            // Looked at after each twentieth request.
            if found.is_none() && n % 20 == 0 && watch.judged().worse.is_some() {
                found = Some(n as usize);
            }
        }
        (watch, found)
    }

    #[test]
    fn a_canary_that_is_worse_is_told_and_one_that_is_not_is_let_be() {
        let seeds = 40;
        let count = |failing, slower| {
            let alarms = (0..seeds).filter(|seed| played(*seed, failing, slower).1.is_some());
            alarms.count()
        };
        let (none, failing, slow, better) = (
            count(0.0, 1.0),
            count(0.08, 1.0),
            count(0.0, 1.25),
            count(-0.01, 0.8),
        );
        println!("alarms of {seeds}: none {none}, failing {failing}, slow {slow}, better {better}");
        assert!(
            none <= 4 && better <= 1,
            "seeds 0..{seeds}: {none}, {better}"
        );
        assert!(
            failing >= 36 && slow >= 39,
            "seeds 0..{seeds}: {failing}, {slow}"
        );
    }

    #[test]
    fn hours_that_change_beside_the_weights_do_not_bias() {
        let mut sum = 0.0;
        for seed in 0..20 {
            let judged = played(seed, 0.0, 1.1).0.judged();
            let found = judged.first_token.unwrap();
            assert!(found.interval.contains(1.1), "seed {seed}: {found:?}");
            sum += found.value;
        }
        let mean = sum / 20.0;
        assert!((mean - 1.1).abs() < 0.02, "seeds 0..20: {mean}");
    }

    #[test]
    fn few_requests_say_nothing() {
        let mut watch = Watch::default();
        for n in 0..120 {
            watch.add(&Seen {
                on_canary: n < 20,
                chance: 0.2,
                failed: n < 20,
                first_token_ms: None,
            });
        }
        let judged = watch.judged();
        assert_eq!((judged.failures, judged.worse), (None, None));
        assert_eq!(judged.requests, [20, 100]);
    }
}
