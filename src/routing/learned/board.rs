//! Keeps what was learned of every route.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::record::{Moment, Name, Nanos};
use crate::routing::route::RouteKey;

use super::LearnedTuning;
use super::expectation::{Expectation, Prompt};
use super::length::Lengths;
use super::observation::Observation;
use super::route::RouteLearned;

/// Routes kept: clients may ask for models without end.
const ROUTES_MAX: usize = 1_024;
/// The first-token deadline while too little is known.
const DEADLINE_UNKNOWN: Nanos = Nanos(60_000_000_000);
/// The shortest and the longest one.
const DEADLINES: (Nanos, Nanos) = (Nanos(8_000_000_000), Nanos(120_000_000_000));
/// How many times what is expected of a whole answer's tokens it may take.
const WHOLE_FACTOR: f64 = 3.0;
/// A hedge waits at least so long.
const HEDGE_MIN: Nanos = Nanos(2_000_000_000);

/// What was learned of every route.
#[derive(Debug, Clone)]
pub struct Learned {
    tuning: LearnedTuning,
    routes: HashMap<RouteKey, RouteLearned, FixedState>,
    /// How long answers get.
    pub lengths: Lengths,
}

impl Learned {
    /// Nothing known yet.
    #[must_use]
    pub fn new(tuning: LearnedTuning) -> Self {
        Self {
            tuning,
            routes: HashMap::default(),
            lengths: Lengths::default(),
        }
    }

    /// Forgets the routes of a provider.
    pub fn forget(&mut self, provider: &Name) {
        self.routes.retain(|route, _| route.provider != *provider);
    }

    /// The numbers it learns by.
    #[must_use]
    pub const fn tuning(&self) -> &LearnedTuning {
        &self.tuning
    }

    /// Takes in what an attempt tells of its route.
    pub fn observe(&mut self, route: &RouteKey, seen: &Observation) {
        if self.routes.len() >= ROUTES_MAX && !self.routes.contains_key(route) {
            self.forget_one();
        }
        let learned = self.routes.entry(route.clone());
        learned
            .or_insert_with(|| RouteLearned::new(seen.at))
            .observe(seen, &self.tuning);
    }

    /// Takes the name that an answer of a known route gives its model; see [`RouteLearned::answered`].
    pub fn answered(&mut self, route: &RouteKey, model: &Name) -> Option<Name> {
        self.routes.get_mut(route)?.answered(model)
    }

    /// What to expect of a route; of one that nothing is known of, what is expected of any. First
    /// tokens that are awaited for longer than they take are expected no sooner than that.
    #[must_use]
    pub fn expect(&self, route: &RouteKey, now: Moment) -> Expectation {
        let Some(of) = self.routes.get(route) else {
            return Expectation::default();
        };
        let mut expected = of.expect(&self.tuning, now);
        if let Some(level) = of.waiting.level(now) {
            expected.level.mean = expected.level.mean.max(level);
        }
        expected
    }

    /// A request that began at `begun` waits for its first token, until [`Self::came`] or
    /// [`Self::over`] is told the same moment. Of a route that nothing is known of nothing is
    /// concluded.
    pub fn waits(&mut self, route: &RouteKey, prompt: Prompt, begun: Moment) {
        if let Some(of) = self.routes.get_mut(route) {
            let usual = of.expect(&self.tuning, begun);
            let level = usual.level.mean;
            of.waiting.begin(begun, level, usual.first_token(prompt));
        }
    }

    /// The first token of the request that began at `begun` came at `at`.
    pub fn came(&mut self, route: &RouteKey, begun: Moment, at: Moment) {
        if let Some(of) = self.routes.get_mut(route) {
            of.waiting.came(begun, at);
        }
    }

    /// The request that began at `begun` is over, or no longer looked at: if its first token has not
    /// come, it is not known when it will.
    pub fn over(&mut self, route: &RouteKey, begun: Moment) {
        if let Some(of) = self.routes.get_mut(route) {
            of.waiting.over(begun);
        }
    }

    /// The first-token deadline of an attempt: 3 × the 95th percentile of its stratum, from 8 to
    /// 120 s; 60 s below 20 samples; none for models that reason.
    #[must_use]
    pub fn deadline(
        &self,
        route: &RouteKey,
        prompt_tokens: u64,
        reasoning: bool,
        now: Moment,
    ) -> Option<Nanos> {
        if reasoning {
            return None;
        }
        let p95 = self.p95(route, prompt_tokens, now);
        Some(p95.map_or(DEADLINE_UNKNOWN, |p95| {
            Nanos(p95.0.saturating_mul(3)).clamp(DEADLINES.0, DEADLINES.1)
        }))
    }

    /// How long a whole answer may take while another route is left. It comes with its last token,
    /// and nobody sees that a long one lives while it is made: it has `first`, and three times what
    /// `expected` tokens take. Where the request allows `most` tokens and no more, also no longer
    /// than 3 × the longest of the last whole answers to prompts of that size (8 to 120 s, from 20
    /// of them on) and three times what so many tokens take: of others it cannot be known.
    #[must_use]
    pub fn whole_deadline(
        &self,
        route: &RouteKey,
        prompt_tokens: u64,
        (expected, most): (f64, Option<u64>),
        first: Nanos,
        now: Moment,
    ) -> Nanos {
        let per_token = self.expect(route, now);
        let (known, typical) = (per_token.per_token.is_some(), per_token.per_token_ms());
        let after = |first: Nanos, tokens: f64, millis: f64| {
            Nanos(
                first
                    .0
                    .saturating_add((WHOLE_FACTOR * tokens * millis * 1e6) as u64),
            )
        };
        let usual = after(first, expected, typical);
        let bounded = most.and_then(|most| {
            let whole = &self.routes.get(route)?.whole;
            let longest = whole.longest(prompt_tokens, now)?;
            // Of whole answers alone nobody knows what a token takes: their span is the most.
            let each = (longest.as_millis() / expected.max(1.0)).max(typical);
            let first = Nanos(longest.0.saturating_mul(3)).clamp(DEADLINES.0, DEADLINES.1);
            Some(after(
                first,
                most as f64,
                if known { typical } else { each },
            ))
        });
        bounded.map_or(usual, |bounded| bounded.min(usual))
    }

    /// How long to wait before a hedge: the 95th percentile of the stratum's first tokens, or of
    /// whole answers to their end where one is asked for; at least 2 s, absent below 20 samples.
    #[must_use]
    pub fn hedge_after(
        &self,
        route: &RouteKey,
        prompt_tokens: u64,
        stream: bool,
        now: Moment,
    ) -> Option<Nanos> {
        let learned = self.routes.get(route)?;
        let spans = if stream {
            learned.recent()
        } else {
            &learned.whole
        };
        Some(spans.p95(prompt_tokens, now)?.max(HEDGE_MIN))
    }

    /// The 95th percentile of the last first tokens of prompts of that size.
    #[must_use]
    pub fn p95(&self, route: &RouteKey, prompt_tokens: u64, now: Moment) -> Option<Nanos> {
        let learned = self.routes.get(route)?;
        learned.recent().p95(prompt_tokens, now)
    }

    /// When something was last observed of a route.
    #[must_use]
    pub fn last(&self, route: &RouteKey) -> Option<Moment> {
        self.routes.get(route).map(|learned| learned.touched)
    }

    /// Every route that something is known of.
    pub fn routes(&self) -> impl Iterator<Item = (&RouteKey, &RouteLearned)> {
        self.routes.iter()
    }

    /// A route as it was kept.
    pub(super) fn keep_route(&mut self, route: RouteKey, learned: RouteLearned) {
        if self.routes.len() < ROUTES_MAX {
            self.routes.insert(route, learned);
        }
    }

    fn forget_one(&mut self) {
        let silent = self.routes.iter().min_by_key(|(_, of)| of.touched);
        if let Some(route) = silent.map(|(route, _)| route.clone()) {
            self.routes.remove(&route);
        }
    }
}

impl Default for Learned {
    fn default() -> Self {
        Self::new(LearnedTuning::default())
    }
}
