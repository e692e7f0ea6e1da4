//! Makes worlds from what was recorded: each route's residuals are drawn hour by hour, so that
//! incidents stay together.

use std::collections::BTreeMap;

use crate::record::{Moment, Nanos};
use crate::routing::learned::{Ended, Prior, Slope, size};
use crate::routing::route::RouteKey;
use crate::statistics::compare::Random;

use super::logged::{Logged, routes};
use super::world::{Answer, Configured, Request, RouteFacts, World};

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

/// What one exchange says of its route.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Residual {
    /// The logarithm of the milliseconds to the first token, free of the prompt's size.
    Came(f64),
    /// It failed after so long.
    Failed(Nanos),
}

/// A route as it was recorded.
struct Recorded {
    key: RouteKey,
    slope: f64,
    /// What became of its exchanges, by hour.
    hours: Vec<Vec<Residual>>,
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
    /// What worlds are made of. `configured` says what settings say of a route; what whoever chose
    /// one without a price would have paid is not known.
    pub fn new(
        logged: &[Logged],
        configured: impl Fn(&RouteKey) -> Configured,
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
            .map(|route| {
                let Configured { quote, weight } = configured(&route.key);
                RouteFacts {
                    name: route.key.to_string(),
                    quote,
                    weight,
                }
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

    /// Those of which nobody knows what they charge, by name.
    #[must_use]
    pub fn unpriced(&self) -> Vec<&str> {
        let unpriced = self.facts.iter().filter(|route| route.quote.is_none());
        unpriced.map(|route| route.name.as_str()).collect()
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
        let answer = |residual: Residual| {
            let (first_token, failed) = match residual {
                Residual::Came(y) => (Nanos(((y + size).exp() * 1e6) as u64), false),
                Residual::Failed(waited) => (waited, true),
            };
            Answer {
                first_token,
                failed,
                expected_ms: 0.0,
                per_token: self.per_token,
            }
        };
        let all = residuals.iter().map(|residual| answer(*residual).waited());
        let sum: f64 = all.map(Nanos::as_millis).sum();
        Answer {
            expected_ms: sum / residuals.len() as f64,
            ..answer(residuals[random.below(residuals.len())])
        }
    }
}

/// What the `n`th number that was cut off at `least` may have come to: one of those of `sorted`
/// beyond it, each as often (Efron 1967: its weight goes to those on its right); `least` itself
/// where there are none. Places follow the golden ratio, which spreads them evenly.
fn beyond(sorted: &[f64], least: f64, n: u32) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let beyond = &sorted[sorted.partition_point(|y| *y <= least)..];
    let place = (f64::from(n) * GOLDEN).fract() * beyond.len() as f64;
    beyond.get(place as usize).copied().unwrap_or(least)
}

fn recorded(key: &RouteKey, logged: &[Logged]) -> Recorded {
    let own = || logged.iter().filter(|of| of.route.as_ref() == Some(key));
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
    let free = |of: &Logged, span| y(span) - slope * size(of.prompt_tokens);
    let mut whole: Vec<f64> = seen().map(|(of, span)| free(of, span)).collect();
    whole.sort_unstable_by(f64::total_cmp);
    let mut cut = 0;
    let mut hours: BTreeMap<u64, Vec<Residual>> = BTreeMap::new();
    // Of whole answers there are no first tokens beside which their failures would have a share.
    for of in own().filter(|of| of.stream) {
        let residual = match (of.ended, span(of)) {
            (Ended::Failed { waited }, _) => Residual::Failed(waited),
            (_, Some(span)) => Residual::Came(free(of, span)),
            (Ended::Censored { waited }, None) => {
                cut += 1;
                Residual::Came(beyond(&whole, free(of, waited), cut))
            }
            _ => continue,
        };
        let Moment(at) = of.at;
        hours.entry(at / HOUR).or_default().push(residual);
    }
    let mut full: Vec<Vec<Residual>> = hours
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_off_comes_to_what_lies_beyond() {
        let sorted: Vec<f64> = (0..100).map(f64::from).collect();
        let drawn: Vec<f64> = (1..=50).map(|n| beyond(&sorted, 79.0, n)).collect();
        let mean = drawn.iter().sum::<f64>() / 50.0;
        assert!((mean - 89.5).abs() < 0.5, "of 80 to 99: {mean}");
        assert!(drawn.iter().all(|y| *y >= 80.0));
        assert!((beyond(&sorted, 120.0, 1) - 120.0).abs() < 1e-9);
    }
}
