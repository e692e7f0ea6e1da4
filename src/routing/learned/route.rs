//! Learns one route.

use crate::record::{Moment, Name, Nanos};
use crate::statistics::filter::{Chance, LogFilter};

use super::LearnedTuning;
use super::epoch::Epoch;
use super::expectation::Expectation;
use super::observation::{Ended, Observation};
use super::recent::RecentSpans;
use super::slope::{Prior, Slope, size, tokens_of};
use super::waiting::Waiting;

/// What is known of one route.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteLearned {
    pub(super) level: Option<LogFilter>,
    pub(super) per_token: Option<LogFilter>,
    pub(super) success: Chance,
    pub(super) slope: Slope,
    pub(super) reasoning: Slope,
    pub(super) setup: Setup,
    pub(super) recent: RecentSpans,
    /// The last whole answers, to their end: they have no first token.
    pub(super) whole: RecentSpans,
    pub(super) touched: Moment,
    pub(super) epoch: Epoch,
    pub(super) waiting: Waiting,
}

impl RouteLearned {
    /// Nothing known yet.
    #[must_use]
    pub fn new(now: Moment) -> Self {
        Self {
            level: None,
            per_token: None,
            success: Chance::new(now),
            slope: Slope::default(),
            reasoning: Slope::default(),
            setup: Setup::default(),
            recent: RecentSpans::default(),
            whole: RecentSpans::default(),
            touched: now,
            epoch: Epoch::default(),
            waiting: Waiting::default(),
        }
    }

    /// Takes the name that an answer gives its model. Once another one answers, what was learned
    /// of the speed is not about it: it is learned anew, and the name before is returned.
    pub fn answered(&mut self, model: &Name) -> Option<Name> {
        let before = self.epoch.answered(model)?;
        self.level = None;
        self.per_token = None;
        self.recent = RecentSpans::default();
        self.whole = RecentSpans::default();
        Some(before)
    }

    /// Takes in what an attempt tells.
    pub fn observe(&mut self, seen: &Observation, tuning: &LearnedTuning) {
        self.touched = self.touched.max(seen.at);
        match seen.ended {
            Ended::Unjudged => return,
            Ended::Well => self.success.observe(true, &tuning.success, seen.at),
            Ended::Failed { .. } => self.success.observe(false, &tuning.success, seen.at),
            Ended::Censored { .. } => {}
        }
        if let Some(span) = seen.setup {
            self.setup.observe(span);
        }
        let asked = Asked {
            x: size(seen.prompt_tokens),
            reasons: f64::from(u8::from(seen.reasons)),
        };
        match (seen.first_token, seen.ended) {
            (Some(first), _) => {
                // What connecting took is known, and is no part of how fast the route answers.
                let setup = seen.setup.unwrap_or(Nanos(0));
                let y = log_ms(Nanos(first.0.saturating_sub(setup.0)));
                let others = self.slope.slope(&Prior::SIZE) * asked.x;
                self.reasoning
                    .observe(&Prior::REASONING, asked.reasons, y - others);
                let others = self.reasoning.slope(&Prior::REASONING) * asked.reasons;
                self.slope.observe(&Prior::SIZE, asked.x, y - others);
                self.follow(asked, y, seen.at, tuning);
                // Deadlines and hedges are for requests that are not asked to reason.
                if !seen.reasons {
                    self.recent.insert(seen.prompt_tokens, first, seen.at);
                }
            }
            // As bad as a first token that came then; but a refusal at once is not fast.
            (None, Ended::Failed { waited } | Ended::Censored { waited }) => {
                let y = log_ms(waited);
                if self.level.is_none() && matches!(seen.ended, Ended::Censored { .. }) {
                    // Whoever waits in vain for an unknown route learns of it too: else it would
                    // be as hopeful as ever for the next one.
                    let beside = self.beside(asked);
                    let unknown = Expectation::default().level;
                    let y = unknown.mean_beyond(y - beside) + beside;
                    self.follow(asked, y, seen.at, tuning);
                    return;
                }
                let late = self.level.as_ref().is_some_and(|level| {
                    y > level.belief(&tuning.first_token, seen.at).mean + self.beside(asked)
                });
                if late {
                    self.follow(asked, y, seen.at, tuning);
                }
            }
            (None, Ended::Well) if !seen.reasons => {
                if let Some(span) = seen.whole {
                    self.whole.insert(seen.prompt_tokens, span, seen.at);
                }
            }
            (None, _) => {}
        }
        if let (Some(span), Ended::Well) = (seen.per_token, seen.ended) {
            let y = log_ms(span);
            let per_token = &tuning.per_token;
            let filter = self
                .per_token
                .get_or_insert_with(|| LogFilter::new(y, per_token, seen.at));
            filter.observe(y, per_token, seen.at);
        }
    }

    /// What the request adds to the route's level.
    fn beside(&self, asked: Asked) -> f64 {
        self.slope.slope(&Prior::SIZE) * asked.x
            + self.reasoning.slope(&Prior::REASONING) * asked.reasons
    }

    fn follow(&mut self, asked: Asked, y: f64, at: Moment, tuning: &LearnedTuning) {
        let bare = y - self.beside(asked);
        let first_token = &tuning.first_token;
        let filter = self
            .level
            .get_or_insert_with(|| LogFilter::new(bare, first_token, at));
        filter.observe(bare, first_token, at);
    }

    /// What to expect of it.
    #[must_use]
    pub fn expect(&self, tuning: &LearnedTuning, now: Moment) -> Expectation {
        let unknown = Expectation::default();
        Expectation {
            level: self.level.as_ref().map_or(unknown.level, |level| {
                level.belief(&tuning.first_token, now)
            }),
            slope: self.slope.slope(&Prior::SIZE),
            reasoning: self.reasoning.slope(&Prior::REASONING),
            setup_ms: self.setup.expected(now.since(self.touched)),
            per_token: self
                .per_token
                .as_ref()
                .map(|filter| filter.belief(&tuning.per_token, now)),
            success: self.success.mean(&tuning.success),
            success_lower: self.success.lower(&tuning.success, 1.645),
            samples: self.level.as_ref().map_or(0, LogFilter::count),
        }
    }

    /// Prompt tokens of the requests that it lately had; absent where it had none.
    #[must_use]
    pub fn typical_prompt(&self) -> Option<u64> {
        self.slope.middle().map(tokens_of)
    }

    /// The last spans to the first token.
    #[must_use]
    pub const fn recent(&self) -> &RecentSpans {
        &self.recent
    }
}

/// What of a request decides how long its first token takes.
#[derive(Debug, Clone, Copy)]
struct Asked {
    x: f64,
    reasons: f64,
}

/// How long connecting takes: a mean of the last few.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Setup {
    pub(super) millis: Option<f64>,
}

/// How much the latest connection counts.
const LATEST: f64 = 0.25;
/// Connections that nobody used for so long are gone (`timeouts.pool_idle`).
const IDLE: Nanos = Nanos(55_000_000_000);

impl Setup {
    fn observe(&mut self, span: Nanos) {
        let millis = span.as_millis();
        let before = self.millis.unwrap_or(millis);
        self.millis = Some(before + LATEST * (millis - before));
    }

    /// Milliseconds that a request has to expect of it after `quiet`.
    fn expected(&self, quiet: Nanos) -> f64 {
        self.millis.filter(|_| quiet >= IDLE).unwrap_or(0.0)
    }
}

fn log_ms(span: Nanos) -> f64 {
    span.as_millis().max(0.1).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::learned::{Learned, Prompt};
    use crate::routing::route::RouteKey;
    use crate::statistics::compare::Random;

    const SECOND: u64 = 1_000_000_000;

    /// A route that answers in 400 ms, and takes eight times as long for `share` of the requests,
    /// which ask it to think; every tenth request makes a connection, which takes 200 ms.
    fn learned(share: f64) -> RouteLearned {
        let mut random = Random::new(7);
        let mut route = RouteLearned::new(Moment(0));
        for n in 1..=400 {
            let reasons = random.unit() < share;
            let setup = (n % 10 == 0).then(|| Nanos::from_millis(200));
            let noise = 0.9 + 0.2 * random.unit();
            let millis = 400.0 * noise * if reasons { 8.0 } else { 1.0 };
            let first = Nanos((millis * 1e6) as u64 + setup.map_or(0, |setup| setup.0));
            let seen = Observation {
                at: Moment(n * 20 * SECOND),
                prompt_tokens: 1_000,
                reasons,
                setup,
                first_token: Some(first),
                whole: None,
                per_token: None,
                output_tokens: None,
                ended: Ended::Well,
            };
            route.observe(&seen, &LearnedTuning::default());
        }
        route
    }

    #[test]
    fn an_unknown_route_that_is_waited_for_in_vain_is_not_hoped_for_as_before() {
        let tuning = LearnedTuning::default();
        let mut route = RouteLearned::new(Moment(0));
        let mut waited = |millis: u64, n: u64| {
            let seen = Observation {
                at: Moment(n * SECOND),
                prompt_tokens: 100,
                reasons: false,
                setup: None,
                first_token: None,
                whole: None,
                per_token: None,
                output_tokens: None,
                ended: Ended::Censored {
                    waited: Nanos::from_millis(millis),
                },
            };
            route.observe(&seen, &tuning);
            let found = route.expect(&tuning, Moment(n * SECOND));
            (found.samples, found.level.mean)
        };
        let unknown = Expectation::default().level.mean;
        // A client that leaves at once says next to nothing of it.
        let (samples, mean) = waited(10, 1);
        assert!(samples == 1 && (mean - unknown).abs() < 0.2, "{mean}");
        let (_, mean) = waited(20_000, 2);
        assert!(mean > unknown + 0.5, "{mean}");
    }

    #[test]
    fn whole_answers_have_a_deadline_of_their_own_once_twenty_are_known() {
        let route = RouteKey::new("p", Some("m".into()));
        let mut learned = Learned::default();
        let minute = Nanos::from_millis(60_000);
        let mut whole = |millis: u64, n: u64, most: Option<u64>| {
            let seen = Observation {
                at: Moment(n * SECOND),
                prompt_tokens: 100,
                reasons: false,
                setup: None,
                first_token: None,
                whole: Some(Nanos::from_millis(millis)),
                per_token: None,
                output_tokens: None,
                ended: Ended::Well,
            };
            learned.observe(&route, &seen);
            let now = Moment(n * SECOND);
            let deadline = learned.whole_deadline(&route, 100, (4.0, most), minute, now);
            deadline.0 / 1_000_000_000
        };
        for n in 1..20 {
            assert_eq!(whole(60, n, Some(10)), 60);
        }
        assert_eq!(whole(60, 20, Some(10)), 8, "one that must be short");
        // Of one that may be long it is not known whether it hangs.
        assert_eq!(whole(60, 21, Some(4_000)), 60);
        assert_eq!(whole(60, 22, None), 60);
        // One long answer of many is as alive as the short ones.
        assert_eq!(whole(14_000, 23, Some(1)), 52);
        assert_eq!(whole(90_000, 24, Some(10)), 60, "no more than without");
        let hedge = |stream, now| learned.hedge_after(&route, 100, stream, Moment(now * SECOND));
        assert_eq!(hedge(true, 24), None, "no stream was seen");
        assert_eq!(hedge(false, 24), Some(Nanos::from_millis(14_000)));
    }

    #[test]
    fn thinking_and_connecting_do_not_make_a_route_look_slow() {
        let tuning = LearnedTuning::default();
        let prompt = |reasons| Prompt {
            tokens: 1_000,
            reasons,
        };
        for share in [0.0, 0.3, 0.7] {
            let route = learned(share);
            let soon = route.expect(&tuning, Moment(8_001 * SECOND));
            let plain = soon.first_token(prompt(false)).mean.exp();
            assert!((370.0..430.0).contains(&plain), "{share}: {plain} ms");
            if share > 0.0 {
                let thinking = soon.first_token(prompt(true)).mean.exp();
                assert!(
                    (2_700.0..3_700.0).contains(&thinking),
                    "{share}: {thinking} ms"
                );
            }
            // Once its connections are gone, the next request makes one.
            let later = route.expect(&tuning, Moment(8_070 * SECOND));
            let cold = later.first_token(prompt(false)).mean.exp();
            assert!(
                (150.0..250.0).contains(&(cold - plain)),
                "{share}: {cold} ms"
            );
            // Deadlines are those of requests that do not think.
            let p95 = route.recent().p95(1_000, Moment(8_001 * SECOND)).unwrap();
            assert!(p95 < Nanos::from_millis(700), "{share}: {p95:?}");
        }
    }
}
