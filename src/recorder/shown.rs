//! Holds what is shown of the routes at one moment: plain values with dates.

use crate::record::{KeyedHash, Moment, Name, Nanos, WallTime};
use crate::routing::health::{Breaker, Health, MeterUse, State};
use crate::routing::learned::{Expectation, Prompt};
use crate::routing::limits::Meter;
use crate::routing::route::RouteKey;

use super::canaries::Stopped;
use super::spending::Spent;
use super::standing::Board;
use crate::routing::canary::{Judged, Progress, Stages, Waits};

/// Prompt tokens of the request that a choice is told for, and expectations of routes that had none.
pub const TYPICAL_PROMPT: u64 = 1_000;

/// How the routes stand.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StandingNow {
    /// When.
    pub at: WallTime,
    /// The models of the config, in its order.
    pub models: Vec<ModelNow>,
    /// Routes that were used without being a model's in the config.
    pub others: Vec<RouteNow>,
    /// What this month has cost so far, UTC.
    pub spent: Spent,
}

/// How one model's routes stand, and what a typical request would be given.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelNow {
    /// The model's name.
    pub name: Name,
    /// The policy in force for such a request.
    pub policy: Name,
    /// Why the first would be first.
    pub reason: Name,
    /// Place of the rule that matches it, from 0; absent where none does.
    pub rule: Option<usize>,
    /// Prompt tokens of the typical request.
    pub prompt_tokens: u64,
    /// Tokens expected of its answer.
    pub output_tokens: f64,
    /// Canaries among its routes, and what was seen of them.
    pub canaries: Vec<CanaryNow>,
    /// Its routes in the order of the config, those of models that stand in behind them.
    pub routes: Vec<Standpoint>,
}

impl ModelNow {
    /// The route that would most likely be first.
    #[must_use]
    pub fn first(&self) -> Option<&Standpoint> {
        self.routes.iter().find(|route| route.place == Some(0))
    }
}

/// A canary of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct CanaryNow {
    /// Its route.
    pub route: RouteKey,
    /// What may be said of it now.
    pub judged: Judged,
    /// Whether its weight was stopped.
    pub stopped: Option<Stopped>,
    /// How far it has come in its plan, where it has one.
    pub plan: Option<PlanNow>,
}

/// A canary's plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanNow {
    /// The plan.
    pub stages: Stages,
    /// How far it has come.
    pub progress: Progress,
    /// The share that it has now.
    pub share: f64,
    /// Why it stays where it is; nothing where the next exchange takes it on.
    pub waits: Option<Waits>,
}

/// One route of a model, and how it was weighed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Standpoint {
    /// The route.
    pub route: RouteNow,
    /// Whether it serves another model than the one asked for.
    pub other_model: bool,
    /// Its place among those that would be tried, from 0; absent where it would not.
    pub place: Option<usize>,
    /// The policy's score, the lowest best.
    pub score: Option<f64>,
    /// Its chance of being first.
    pub propensity: f64,
    /// Why it would not be tried.
    pub left_out: Option<&'static str>,
}

/// How one route stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RouteNow {
    /// The provider.
    pub provider: Name,
    /// The model's name there.
    pub model: Option<Name>,
    /// Where it answers from.
    pub region: Option<Name>,
    /// Its state.
    pub state: State,
    /// Since when, where that is known.
    pub since: Option<WallTime>,
    /// Until when it lasts, where that is known.
    pub until: Option<WallTime>,
    /// What brought it there.
    pub why: Option<&'static str>,
    /// Failures in a row.
    pub consecutive: u32,
    /// Times that its breaker opened since the start.
    pub opened: u64,
    /// Failures and requests of the last minute.
    pub last_minute: (u32, u32),
    /// Requests at work.
    pub at_work: u32,
    /// How many may be at work with this credential.
    pub limit: Option<u32>,
    /// The use of the requests that the provider allows.
    pub requests: MeterUse,
    /// The use of the tokens that it allows.
    pub tokens: MeterUse,
    /// What to expect of it; absent where nothing was seen.
    pub expected: Option<Expected>,
    /// Prompt tokens that expectation, percentile and deadline are told for: as many as its own
    /// requests lately had.
    pub prompt_tokens: u64,
    /// The 95th percentile of the last first tokens of such prompts.
    pub p95: Option<Nanos>,
    /// How long its first token is waited for while another route is left.
    pub deadline: Option<Nanos>,
    /// The provider's own keys on it, in the order of the config, where there are several. State,
    /// limit and meters above are those of the one that would be taken.
    pub keys: Vec<KeyNow>,
}

/// How one of a provider's own keys stands on a route.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeyNow {
    /// Its place in the config, from 1. Of the key itself nothing is shown.
    pub number: usize,
    /// Whether it is the one that would be taken.
    pub next: bool,
    /// The route's state for requests with it.
    pub state: State,
    /// Since when, where that is known.
    pub since: Option<WallTime>,
    /// Until when it lasts, where that is known.
    pub until: Option<WallTime>,
    /// What brought it there.
    pub why: Option<&'static str>,
    /// Requests at work with it.
    pub at_work: u32,
    /// How many may be.
    pub limit: Option<u32>,
    /// The use of the requests that the provider allows it.
    pub requests: MeterUse,
    /// The use of the tokens that it allows it.
    pub tokens: MeterUse,
}

/// What to expect of a route for prompts as it lately had.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Milliseconds to the first token, the median.
    pub first_token_ms: f64,
    /// Eight of ten are expected between these.
    pub between_ms: (f64, f64),
    /// Milliseconds per token of the answer, where known.
    pub per_token_ms: Option<f64>,
    /// The chance of success.
    pub success: f64,
    /// A bound that it is above (95 %).
    pub success_lower: f64,
    /// First tokens observed.
    pub samples: u64,
}

/// Eight of ten of a normal distribution lie so many deviations around its middle.
const EIGHT_OF_TEN: f64 = 1.281_551_565_545;

impl RouteNow {
    /// How `route` stands on `board` for requests with that credential. `now` is the moment and
    /// its date.
    #[must_use]
    pub fn of(
        board: &Board,
        route: &RouteKey,
        region: Option<&Name>,
        credential: Option<KeyedHash>,
        now: (Moment, WallTime),
    ) -> Self {
        let (at, wall) = now;
        let Board {
            health, learned, ..
        } = board;
        let condition = health.condition(route, credential, at);
        let view = health.view(route, credential, at);
        let breaker = health.breaker(route);
        let of = learned.routes().find(|(key, _)| *key == route);
        let prompt = of.and_then(|(_, of)| of.typical_prompt());
        let prompt = prompt.unwrap_or(TYPICAL_PROMPT);
        Self {
            provider: route.provider.clone(),
            model: route.model.clone(),
            region: region.cloned(),
            state: condition.state,
            since: condition.since.map(|then| date(then, at, wall)),
            until: condition.until.map(|then| date(then, at, wall)),
            why: condition.why,
            consecutive: view.consecutive,
            opened: breaker.map_or(0, Breaker::opened),
            last_minute: breaker.map_or((0, 0), |breaker| breaker.recent(health.tuning(), at)),
            at_work: view.at_work,
            limit: view.limit,
            requests: meter(health, route, credential, Meter::Requests, at),
            tokens: meter(health, route, credential, Meter::Tokens, at),
            expected: of.map(|(_, of)| {
                let recent = of.recent().eight_of_ten(prompt, at);
                Expected::of(&learned.expect(route, at), prompt, recent)
            }),
            prompt_tokens: prompt,
            p95: learned.p95(route, prompt, at),
            deadline: learned.deadline(route, prompt, false, at),
            keys: Vec::new(),
        }
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> RouteKey {
        RouteKey {
            provider: self.provider.clone(),
            model: self.model.clone(),
        }
    }

    /// The higher share of what the provider allows that is in use.
    #[must_use]
    pub fn utilisation(&self) -> Option<f64> {
        higher(self.requests, self.tokens)
    }

    /// Whole seconds until its state is over, counted up; none where nobody knows.
    #[must_use]
    pub fn seconds_left(&self, now: WallTime) -> Option<u64> {
        seconds_left(self.until, now)
    }
}

impl KeyNow {
    /// How the key of that number and hash stands on `route` of `board`.
    #[must_use]
    pub fn of(
        board: &Board,
        route: &RouteKey,
        (number, credential): (usize, Option<KeyedHash>),
        next: bool,
        (at, wall): (Moment, WallTime),
    ) -> Self {
        let health = &board.health;
        let condition = health.condition(route, credential, at);
        let view = health.view(route, credential, at);
        Self {
            number,
            next,
            state: condition.state,
            since: condition.since.map(|then| date(then, at, wall)),
            until: condition.until.map(|then| date(then, at, wall)),
            why: condition.why,
            at_work: view.own_at_work,
            limit: view.limit,
            requests: meter(health, route, credential, Meter::Requests, at),
            tokens: meter(health, route, credential, Meter::Tokens, at),
        }
    }

    /// The higher share of what the provider allows it that is in use.
    #[must_use]
    pub fn utilisation(&self) -> Option<f64> {
        higher(self.requests, self.tokens)
    }

    /// Whole seconds until its state is over, counted up; none where nobody knows.
    #[must_use]
    pub fn seconds_left(&self, now: WallTime) -> Option<u64> {
        seconds_left(self.until, now)
    }
}

fn higher(requests: MeterUse, tokens: MeterUse) -> Option<f64> {
    let shares = [requests.share, tokens.share];
    shares.into_iter().flatten().reduce(f64::max)
}

fn seconds_left(until: Option<WallTime>, now: WallTime) -> Option<u64> {
    let left = until?.0.saturating_sub(now.0);
    Some(u64::try_from(left).unwrap_or(0).div_ceil(1_000_000))
}

impl Expected {
    /// What is `expected` for a prompt of so many tokens; `recent` are the spans between which
    /// eight of ten of the last ones lay, where there were enough: the belief is wider than what
    /// varies little.
    fn of(expected: &Expectation, prompt: u64, recent: Option<(Nanos, Nanos)>) -> Self {
        let belief = expected.first_token(Prompt::of(prompt));
        let away = EIGHT_OF_TEN * belief.deviation();
        let believed = ((belief.mean - away).exp(), (belief.mean + away).exp());
        // They are kept in whole milliseconds, rounded up.
        let from = |low: Nanos| (low.as_millis() - 1.0).max(0.0);
        let recent = recent.map(|(low, high)| (from(low), high.as_millis()));
        Self {
            first_token_ms: belief.typical(),
            between_ms: recent.unwrap_or(believed),
            per_token_ms: expected.per_token.map(|belief| belief.typical()),
            success: expected.success,
            success_lower: expected.success_lower,
            samples: expected.samples,
        }
    }
}

fn meter(
    health: &Health,
    route: &RouteKey,
    credential: Option<KeyedHash>,
    meter: Meter,
    at: Moment,
) -> MeterUse {
    let mut lanes = health.lanes(route).iter();
    let lane = lanes.find(|lane| lane.credential() == credential);
    lane.map_or_else(MeterUse::default, |lane| lane.meter(meter, at))
}

/// The date of `then`, where `now` has the date `wall`.
fn date(then: Moment, now: Moment, wall: WallTime) -> WallTime {
    let micros = |span: Nanos| i64::try_from(span.0 / 1_000).unwrap_or(i64::MAX);
    if then >= now {
        WallTime(wall.0.saturating_add(micros(then.since(now))))
    } else {
        WallTime(wall.0.saturating_sub(micros(now.since(then))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ErrorClass;
    use crate::routing::health::Event;

    const S: u64 = 1_000_000_000;

    #[test]
    fn first_tokens_are_told_for_prompts_as_they_come() {
        use crate::routing::learned::{Ended, Observation};
        let mut board = Board::default();
        let route = RouteKey::new("p", Some("m".into()));
        for (n, prompt) in [100_u64, 20_000].into_iter().enumerate() {
            let base = n as u64 * 400;
            for at in base..base + 300 {
                let seen = Observation {
                    at: Moment(at * S),
                    prompt_tokens: prompt,
                    reasons: false,
                    setup: None,
                    first_token: Some(Nanos(51_000_000 + at % 5 * 500_000)),
                    whole: None,
                    per_token: None,
                    output_tokens: None,
                    ended: Ended::Well,
                };
                board.learned.observe(&route, &seen);
            }
            let now = (Moment((base + 300) * S), WallTime(0));
            let shown = RouteNow::of(&board, &route, None, None, now);
            let expected = shown.expected.unwrap();
            assert!(shown.prompt_tokens.abs_diff(prompt) <= prompt / 50);
            assert!(
                (50.0..54.0).contains(&expected.first_token_ms),
                "{expected:?}"
            );
            // Between whole milliseconds, as they are kept.
            assert_eq!(expected.between_ms, (50.0, 53.0));
            assert_eq!(shown.p95, Some(Nanos::from_millis(53)));
        }
    }

    #[test]
    fn every_state_is_shown_with_its_dates_and_its_cause() {
        let mut board = Board::default();
        let route = |provider: &str| RouteKey::new(provider, Some("m".into()));
        let mut fail = |provider: &str, class, until, times| {
            for _ in 0..times {
                let ticket = board.health.begin(&route(provider), None, Moment(100 * S));
                let event = Event::Failed { class, until };
                board.health.end(ticket, event, Moment(100 * S), 0.5);
            }
        };
        fail("down", ErrorClass::Connect, None, 5);
        let until = Some(Moment(160 * S));
        fail("limited", ErrorClass::RateLimited, until, 1);
        fail("unknown", ErrorClass::NotFound, None, 1);
        fail("refused", ErrorClass::Auth, None, 1);
        fail("shaky", ErrorClass::ServerError, None, 2);
        let wall = WallTime::of_day(2026, 11, 22).unwrap();
        let seen = |provider: &str, seconds: u64| {
            let wall = WallTime(wall.0 + (seconds as i64 - 100) * 1_000_000);
            let now = (Moment(seconds * S), wall);
            let shown = RouteNow::of(&board, &route(provider), None, None, now);
            let since = shown.since.map(|since| (wall.0 - since.0) / 1_000_000);
            (
                shown.state,
                since,
                shown.seconds_left(wall),
                shown.why,
                shown.consecutive,
            )
        };
        for (provider, at, expected) in [
            ("never", 110, (State::Closed, None, None, None, 0)),
            ("shaky", 110, (State::Closed, None, None, None, 2)),
            (
                "down",
                110,
                (
                    State::Open,
                    Some(10),
                    Some(20),
                    Some("consecutive_failures"),
                    5,
                ),
            ),
            (
                "down",
                131,
                (
                    State::TrialDue,
                    Some(31),
                    None,
                    Some("consecutive_failures"),
                    5,
                ),
            ),
            (
                "limited",
                110,
                (State::Cooling, Some(10), Some(50), Some("rate_limited"), 0),
            ),
            ("limited", 160, (State::Closed, None, None, None, 0)),
            (
                "unknown",
                110,
                (State::Held, Some(10), Some(590), Some("not_found"), 0),
            ),
            (
                "refused",
                110,
                (State::CredentialHeld, Some(10), Some(590), Some("auth"), 0),
            ),
        ] {
            assert_eq!(seen(provider, at), expected, "{provider} at {at}");
        }
    }
}
