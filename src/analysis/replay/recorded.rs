//! Makes worlds from what was recorded: each route's residuals are drawn hour by hour, so that
//! incidents stay together.

use std::collections::BTreeMap;

use crate::record::{Moment, Nanos};
use crate::routing::learned::{Prior, Slope, size};
use crate::routing::pricing::Quote;
use crate::routing::route::RouteKey;
use crate::statistics::compare::Random;

use super::logged::{Logged, routes};
use super::world::{Answer, Request, RouteFacts, World};

/// First tokens that a route must have to be played.
const ENOUGH: usize = 20;
/// First tokens that an hour must have to be drawn.
const HOUR_MIN: usize = 3;
const HOUR: u64 = 3_600_000_000_000;

/// Why no world can be made of what was recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordedFault {
    /// Too few routes with enough first tokens.
    #[error(
        "{0} of the routes have {ENOUGH} recorded first tokens; a choice needs two: widen --since, \
         or let the policy explore"
    )]
    Routes(usize),
}

/// A route as it was recorded.
struct Recorded {
    key: RouteKey,
    slope: f64,
    /// Logarithms of milliseconds, free of the prompt's size, by hour.
    hours: Vec<Vec<f64>>,
    per_token: Nanos,
}

/// A source of worlds.
pub struct Recording {
    routes: Vec<Recorded>,
    facts: Vec<RouteFacts>,
    requests: Vec<Request>,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording")
            .field("routes", &self.facts)
            .field("requests", &self.requests.len())
            .finish_non_exhaustive()
    }
}

impl Recording {
    /// What worlds are made of. `quote` says what a route charges; what has no price is free here,
    /// and its cost says nothing.
    pub fn new(
        logged: &[Logged],
        quote: impl Fn(&RouteKey) -> Option<Quote>,
    ) -> Result<Self, RecordedFault> {
        let found = routes(logged);
        let enough: Vec<_> = found
            .into_iter()
            .filter(|(_, count)| *count >= ENOUGH)
            .collect();
        if enough.len() < 2 {
            return Err(RecordedFault::Routes(enough.len()));
        }
        let routes: Vec<Recorded> = enough
            .iter()
            .map(|(key, _)| recorded(key, logged))
            .collect();
        let facts = routes
            .iter()
            .map(|route| RouteFacts {
                name: route.key.to_string(),
                quote: quote(&route.key).unwrap_or_default(),
            })
            .collect();
        let mut requests: Vec<Request> = logged
            .iter()
            .map(|of| Request {
                at: of.at,
                prompt_tokens: of.prompt_tokens,
                output_tokens: of.output_tokens,
            })
            .collect();
        requests.sort_by_key(|request| request.at);
        Ok(Self {
            routes,
            facts,
            requests,
        })
    }

    /// The routes that are played.
    #[must_use]
    pub fn routes(&self) -> &[RouteFacts] {
        &self.facts
    }

    /// One world: the requests as they came; for each route and hour, the residuals of an hour of
    /// the same route, drawn at random. `requests` in place of the recorded ones, where given.
    #[must_use]
    pub fn world(&self, seed: u64, requests: Option<&[Request]>) -> World {
        let mut random = Random::new(seed ^ 0x2ec0_2ded);
        let requests = requests.unwrap_or(&self.requests).to_vec();
        let mut drawn: BTreeMap<(u64, usize), usize> = BTreeMap::new();
        let answers = requests
            .iter()
            .map(|request| {
                let hour = request.at.0 / HOUR;
                let answer = |(at, route): (usize, &Recorded)| {
                    let block = *drawn
                        .entry((hour, at))
                        .or_insert_with(|| random.below(route.hours.len()));
                    route.answer(request, block, &mut random)
                };
                self.routes.iter().enumerate().map(answer).collect()
            })
            .collect();
        World {
            routes: self.facts.clone(),
            requests,
            answers,
        }
    }
}

impl Recorded {
    fn answer(&self, request: &Request, block: usize, random: &mut Random) -> Answer {
        let residuals = &self.hours[block];
        let size = self.slope * size(request.prompt_tokens);
        let ms = |residual: f64| (residual + size).exp();
        let sum: f64 = residuals.iter().map(|residual| ms(*residual)).sum();
        let one = residuals[random.below(residuals.len())];
        Answer {
            first_token: Nanos((ms(one) * 1e6) as u64),
            expected_ms: sum / residuals.len() as f64,
            per_token: self.per_token,
        }
    }
}

fn recorded(key: &RouteKey, logged: &[Logged]) -> Recorded {
    let own = || logged.iter().filter(|of| of.route == *key);
    // What connecting took is no part of how fast a route answers.
    let span = |of: &Logged| {
        let setup = of.setup.unwrap_or(Nanos(0));
        Some(Nanos(of.first_token?.0.saturating_sub(setup.0)))
    };
    let seen = || own().filter_map(|of| Some((of, span(of)?)));
    let y = |span: Nanos| span.as_millis().max(0.1).ln();
    let mut slope = Slope::default();
    for (of, span) in seen() {
        slope.observe(&Prior::SIZE, size(of.prompt_tokens), y(span));
    }
    let slope = slope.slope(&Prior::SIZE);
    let mut hours: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (of, span) in seen() {
        let residual = y(span) - slope * size(of.prompt_tokens);
        let Moment(at) = of.at;
        hours.entry(at / HOUR).or_default().push(residual);
    }
    let mut full: Vec<Vec<f64>> = hours
        .values()
        .filter(|residuals| residuals.len() >= HOUR_MIN)
        .cloned()
        .collect();
    if full.is_empty() {
        // Never three within an hour: all of it is one block.
        full.push(hours.into_values().flatten().collect());
    }
    let mut paces: Vec<Nanos> = own().filter_map(|of| of.per_token).collect();
    paces.sort_unstable();
    Recorded {
        key: key.clone(),
        slope,
        hours: full,
        per_token: paces.get(paces.len() / 2).copied().unwrap_or_default(),
    }
}
