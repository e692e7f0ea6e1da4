//! Watches a canary beside the other routes of its model: whether it is worse, at any time.
//!
//! Weights draw each request's route by lot, with chances that are known and may change with time.
//! A request is worth `D = 1c (y − m_c) / p − 1b (y − m_b) / (1 − p) + m_c − m_b`, `p` the canary's
//! chance and `m` the means of the arms before it: the mean of `D` tells the effect whatever the
//! weights were. Sources: Robins, Rotnitzky and Zhao 1994 (augmented inverse propensities);
//! Waudby-Smith et al., arXiv 2103.06476 (asymptotic confidence sequence of such a mean); the rates
//! also by the beta-binomial mixture, and the wider of the two counts: of rare failures a sum of
//! squares says too little.
//!
//! Who is slow loses its slowest numbers: to the request begun beside it, and to clients that
//! leave. Those that came would be survivors, so what was waited for counts as the least that it
//! can be, and how often either arm was cut so is a number of its own.

use serde::{Deserialize, Serialize};

use crate::record::{CancelledBy, ExchangeRecord, Mark, Nanos, Outcome};
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
/// How much more often than the canary's the others' first tokens may be cut off where it is still
/// said that the canary's come later.
const CUT_MARGIN: f64 = 0.02;
/// The logarithm of a first token's milliseconds before any came: a second.
const FIRST_TOKEN_PRIOR: f64 = 6.908;

/// What one request tells of a canary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Whether the canary was drawn.
    pub on_canary: bool,
    /// The chance that it had.
    pub chance: f64,
    /// Whether the route that was drawn failed; absent where nobody waited for its end.
    pub failed: Option<bool>,
    /// Milliseconds to its first token; absent of whole answers and failures.
    pub first_token_ms: Option<f64>,
    /// Whether nobody waited for it: then it would have taken longer.
    pub is_cut: bool,
}

impl Seen {
    /// What `record` tells of `canary` beside the other routes; absent where no weights drew, or
    /// the outcome says nothing of the route. `apart` are canaries too: they are in neither arm.
    #[must_use]
    pub fn of(record: &ExchangeRecord, canary: &RouteKey, apart: &[RouteKey]) -> Option<Self> {
        let decision = record.decision.as_ref()?;
        let drawn = &*record.policy == "weighted" && &*record.reason == "drawn_by_weight";
        if !drawn {
            return None;
        }
        let first = record.first_begun()?;
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
        let beside = record.attempts.len() == 1 || decision.hedge == Some(0);
        let well = beside && record.outcome == Outcome::Ok;
        let hedged = usize::from(decision.hedge.is_some());
        let alone = record.attempts.len() == 1 + hedged && first.error_class.is_none();
        let left = alone && record.outcome == Outcome::ClientGone;
        let lost = first.cancelled_by == Some(CancelledBy::Hedge);
        if !(counts || well || left || lost) {
            return None;
        }
        let timeline = &first.timeline;
        let came = timeline.span(Mark::RouteChosen, Mark::FirstToken);
        let waited = || {
            let from = timeline.get(Mark::RouteChosen)?;
            let closed = timeline.get(Mark::Closed).unwrap_or(record.closed_at);
            Some(closed.since(from))
        };
        let is_cut = !counts && record.request.stream && (left || lost) && came.is_none();
        let span = if is_cut { waited() } else { came };
        Some(Self {
            on_canary: route == *canary,
            chance: own / (own + others),
            failed: (counts || well).then_some(counts),
            first_token_ms: span
                .filter(|_| !counts && record.request.stream)
                .map(Nanos::as_millis),
            is_cut,
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

    /// The same of numbers that are 0 or 1: as wide as the exact intervals of both rates, which
    /// alone answer where there are few and these leave no doubt that the canary's is higher.
    fn told_of_rate(&self, alpha: f64) -> Option<Estimate> {
        let rate = |(count, sum): (u64, f64)| {
            rate_sequence(sum.round() as usize, count as usize, alpha / 2.0, CENTRE)
        };
        let exact = || subtract(rate(self.arms[0]), rate(self.arms[1]));
        let Some(found) = self.told(alpha) else {
            let [Some(own), Some(others)] = self.means() else {
                return None;
            };
            let interval = exact();
            return (interval.low > FAILURES_MARGIN).then_some(Estimate {
                value: own - others,
                interval,
            });
        };
        let exact = exact();
        Some(Estimate {
            value: found.value,
            interval: Interval {
                low: found.interval.low.min(exact.low),
                high: found.interval.high.max(exact.high),
            },
        })
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
    /// First tokens that nobody waited for, of all first tokens.
    #[serde(default)]
    cut: Contrast,
    /// Requests of the canary and of the others whose end nobody waited for.
    #[serde(default)]
    left: [u64; 2],
}

/// What may be said of a canary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// Requests of the canary and of the others.
    pub requests: [u64; 2],
    /// Those of which it is known whether they failed.
    pub ended: [u64; 2],
    /// Their failure rates, as they were got.
    pub failure_rates: [Option<f64>; 2],
    /// How much higher the canary's failure rate is.
    pub failures: Option<Estimate>,
    /// First tokens of the canary and of the others.
    pub first_tokens: [u64; 2],
    /// How many of these nobody waited for.
    pub cut: [u64; 2],
    /// By how much the canary's share of those is larger; absent where there were none.
    pub cut_more: Option<Estimate>,
    /// How many times as long its first token takes; those that nobody waited for count as what
    /// was waited.
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
        let number = |yes: bool| f64::from(u8::from(yes));
        match seen.failed {
            Some(failed) => self.failures.add(seen, number(failed), 0.0),
            None => self.left[usize::from(!seen.on_canary)] += 1,
        }
        if let Some(millis) = seen.first_token_ms {
            let value = millis.max(0.1).ln();
            self.first_token.add(seen, value, FIRST_TOKEN_PRIOR);
            self.cut.add(seen, number(seen.is_cut), 0.0);
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
        let failures = self.failures.told_of_rate(alpha);
        let cut = self.cut.arms.map(|(_, sum)| sum.round() as u64);
        let were_cut = cut.iter().any(|count| *count > 0);
        let cut_more = were_cut.then(|| self.cut.told_of_rate(alpha)).flatten();
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
        } else if low(first_token, 1.0 + FIRST_TOKEN_MARGIN) && !self.hides_others() {
            Some(Worse::FirstToken)
        } else {
            let lower = score.is_some_and(|found| found.interval.high < -SCORE_MARGIN);
            lower.then_some(Worse::Score)
        };
        Judged {
            requests: [0, 1].map(|arm| self.failures.arms[arm].0 + self.left[arm]),
            ended: self.failures.numbers(),
            failure_rates: self.failures.means(),
            failures,
            first_tokens: self.first_token.numbers(),
            cut,
            cut_more,
            first_token,
            score,
            worse,
        }
    }

    /// Whether more of the others' first tokens were cut off than of the canary's: theirs may be
    /// the later ones then.
    fn hides_others(&self) -> bool {
        let [own, others] = self.cut.means().map(|share| share.unwrap_or(0.0));
        others > own + CUT_MARGIN
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
            failed: Some(failed),
            is_cut: false,
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
                failed: Some(failed),
                is_cut: false,
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
                failed: Some(n % 10 == 0),
                is_cut: false,
                first_token_ms: None,
            });
        }
        let judged = watch.judged();
        assert_eq!((judged.failures, judged.worse), (None, None));
        assert_eq!(judged.requests, [20, 100]);
    }

    #[test]
    fn one_that_answers_nobody_is_told_before_it_has_thirty() {
        let mut watch = Watch::default();
        let mut told = |on_canary| {
            watch.add(&Seen {
                on_canary,
                chance: 0.2,
                failed: Some(on_canary),
                is_cut: false,
                first_token_ms: None,
            });
            watch.judged().worse
        };
        for _ in 0..60 {
            assert_eq!(told(false), None);
        }
        let found = (1..30).find(|_| told(true) == Some(Worse::Failures));
        assert!(
            found.is_some_and(|after| (3..15).contains(&after)),
            "{found:?}"
        );
    }

    /// A canary that is slow for three requests in five, and what becomes of these.
    fn survivors(cut_at: Option<f64>, others_slow: bool) -> Judged {
        let mut random = Random::new(3);
        let mut watch = Watch::default();
        for _ in 0..1_500 {
            let on_canary = random.unit() < 0.3;
            let slow = (on_canary != others_slow) && random.unit() < 0.6;
            let millis = if slow { 400.0 } else { 10.0 + random.unit() };
            let millis = if others_slow && on_canary {
                60.0
            } else {
                millis
            };
            let cut = cut_at.filter(|at| millis > *at);
            watch.add(&Seen {
                on_canary,
                chance: 0.3,
                failed: cut.is_none().then_some(false),
                is_cut: cut.is_some(),
                first_token_ms: Some(cut.unwrap_or(millis)),
            });
        }
        watch.judged()
    }

    #[test]
    fn slow_ones_that_nobody_waits_for_count_as_what_was_waited() {
        // Hedged after 60 ms, with an answer 10 ms later; and left after half a second.
        for cut_at in [Some(70.0), Some(399.0), None] {
            let judged = survivors(cut_at, false);
            assert_eq!(judged.worse, Some(Worse::FirstToken), "{judged:?}");
            assert_eq!(judged.requests, judged.first_tokens);
            assert_eq!(judged.cut[0] > 0, cut_at.is_some());
            assert_eq!(judged.cut[1], 0);
        }
        // The others lose theirs: what is left of them says nothing against the canary.
        let judged = survivors(Some(70.0), true);
        assert_eq!(judged.worse, None, "{judged:?}");
        assert!(judged.cut[1] > 500 && judged.cut[0] == 0, "{judged:?}");
    }

    #[test]
    fn the_route_that_was_drawn_is_the_one_that_counts_whoever_answered() {
        use crate::record::{Considered, Decision, Moment, Name};
        const MS: u64 = 1_000_000;
        let key = |provider: &str| RouteKey::new(provider, Some("gpt".into()));
        let weighed = |provider: &str, propensity| Considered {
            provider: provider.into(),
            model: Some("gpt".into()),
            propensity,
            ..Considered::default()
        };
        let of = |names: &[&str], hedge, cancelled: Option<CancelledBy>, outcome| {
            let mut record = crate::sample::record();
            record.policy = "weighted".into();
            record.reason = "drawn_by_weight".into();
            record.decision = Some(Decision {
                routes: vec![weighed("a", 900_000), weighed("c", 100_000)],
                hedge,
                ..Decision::default()
            });
            let attempt = record.attempts.remove(0);
            for name in names {
                let mut attempt = attempt.clone();
                attempt.provider = Name::from(*name);
                let chosen = Moment(1_009 * MS);
                attempt.timeline.set(Mark::RouteChosen, chosen);
                record.attempts.push(attempt);
            }
            let place = usize::from(hedge == Some(0) && names.len() > 1);
            if let Some(by) = cancelled {
                let drawn = &mut record.attempts[place];
                drawn.cancelled_by = Some(by);
                let mut timeline = crate::record::Timeline::default();
                timeline.set(Mark::RouteChosen, Moment(1_009 * MS));
                timeline.set(Mark::Closed, Moment(1_079 * MS));
                drawn.timeline = timeline;
            }
            record.outcome = outcome;
            Seen::of(&record, &key("c"), &[]).map(|seen| {
                let millis = seen.first_token_ms.map(f64::round);
                (seen.on_canary, seen.failed, millis, seen.is_cut)
            })
        };
        let (hedge, client) = (Some(CancelledBy::Hedge), Some(CancelledBy::Client));
        for (names, place, cancelled, outcome, expected) in [
            (
                &["c"][..],
                None,
                None,
                Outcome::Ok,
                (true, Some(false), Some(101.0), false),
            ),
            // Its second won, or came to nothing.
            (
                &["c", "a"],
                Some(1),
                hedge,
                Outcome::Ok,
                (true, None, Some(70.0), true),
            ),
            (
                &["a", "c"],
                Some(0),
                None,
                Outcome::Ok,
                (true, Some(false), Some(101.0), false),
            ),
            // The client left before its first token, or after it.
            (
                &["c"],
                None,
                client,
                Outcome::ClientGone,
                (true, None, Some(70.0), true),
            ),
            (
                &["c", "a"],
                Some(1),
                client,
                Outcome::ClientGone,
                (true, None, Some(70.0), true),
            ),
            (
                &["c"],
                None,
                None,
                Outcome::ClientGone,
                (true, None, Some(101.0), false),
            ),
        ] {
            let found = of(names, place, cancelled, outcome);
            assert_eq!(found, Some(expected), "{names:?} {place:?} {outcome:?}");
        }
    }
}
