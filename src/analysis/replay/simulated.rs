//! Makes worlds by chance: four routes that drift with the day and have incidents.

use std::f64::consts::TAU;

use crate::record::{Moment, Nanos};
use crate::routing::pricing::Quote;
use crate::statistics::compare::Random;
use crate::statistics::interval::special::normal_quantile;

use super::trace::Sizes;
use super::world::{Answer, Request, RouteFacts, World};

/// What kind of world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An incident every three hours, of fifteen minutes.
    Base,
    /// The same, with routes that are nearly as fast as each other.
    Close,
    /// An incident every six hours, of an hour.
    Long,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Base, Self::Close, Self::Long];

    /// The name used on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Close => "close",
            Self::Long => "long",
        }
    }

    /// Hours between the beginnings of incidents of a route, and how long they last, in the mean.
    const fn incidents(self) -> (f64, f64) {
        match self {
            Self::Base | Self::Close => (3.0, 0.25),
            Self::Long => (6.0, 1.0),
        }
    }

    /// How far the slowest route is behind the fastest, as a logarithm.
    const fn spread(self) -> f64 {
        match self {
            Self::Base | Self::Long => 0.8,
            Self::Close => 0.4,
        }
    }
}

/// What a simulated world is like.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedSpec {
    /// Its kind.
    pub kind: Kind,
    /// How many requests.
    pub requests: usize,
    /// Seconds between two requests, in the mean.
    pub every_s: f64,
    /// What decides it.
    pub seed: u64,
    /// Where prompts and answers have their sizes from.
    pub sizes: Sizes,
    /// Requests in place of drawn ones.
    pub arrivals: Option<Vec<Request>>,
}

/// Routes of a world.
const ROUTES: usize = 4;
/// The day's drift, either way.
const DRIFT: f64 = 0.35;
/// How much slower an incident makes a route, from and to.
const INCIDENT: (f64, f64) = (2.5, 8.0);
/// Scatter of single requests: the standard deviation of the logarithm.
const NOISE: f64 = 0.3;
/// The share of requests that hang for no reason, and how much longer they take.
const HANGS: (f64, f64, f64) = (0.02, 2.0, 6.0);
/// Prices of the routes from the fastest to the slowest, US dollars per million prompt tokens;
/// tokens of the answer cost four times as much.
const PRICES: [f64; ROUTES] = [3.0, 2.0, 1.2, 0.7];

/// A route as the world knows it.
struct Nature {
    overhead_ms: f64,
    prefill_ms: f64,
    per_token_ms: f64,
    phase: f64,
    /// Beginning and end in hours, and how much slower.
    incidents: Vec<(f64, f64, f64)>,
}

/// The world of `spec`: the same spec gives the same world.
#[must_use]
pub fn simulate(spec: &SimulatedSpec) -> World {
    let mut random = Random::new(spec.seed ^ 0x7011_6a7e);
    let requests = requests(spec, &mut random);
    let hours = requests.last().map_or(0.0, |last| hour(last.at)) + 1.0;
    let natures: Vec<Nature> = (0..ROUTES)
        .map(|route| nature(route, spec.kind, hours, &mut random))
        .collect();
    let answers = requests
        .iter()
        .map(|request| {
            natures
                .iter()
                .map(|nature| answer(nature, request, &mut random))
                .collect()
        })
        .collect();
    let routes = PRICES.iter().enumerate().map(|(route, price)| RouteFacts {
        name: format!("route-{}", route + 1),
        quote: Some(Quote {
            input: price / 1e6,
            cached: price / 1e6,
            output: 4.0 * price / 1e6,
            request: 0.0,
        }),
        weight: 1.0,
    });
    World {
        routes: routes.collect(),
        requests,
        answers,
    }
}

fn requests(spec: &SimulatedSpec, random: &mut Random) -> Vec<Request> {
    if let Some(arrivals) = &spec.arrivals {
        return arrivals.clone();
    }
    // Any hour of the day may be the first.
    let mut seconds = 86_400.0 * random.unit();
    (0..spec.requests)
        .map(|_| {
            seconds += exponential(spec.every_s, random);
            let (prompt_tokens, output_tokens) = spec.sizes.draw(random);
            Request {
                at: Moment((seconds * 1e9) as u64),
                prompt_tokens,
                output_tokens,
            }
        })
        .collect()
}

fn nature(route: usize, kind: Kind, hours: f64, random: &mut Random) -> Nature {
    let rank = (route as f64 + 0.6 * (random.unit() - 0.5)) / (ROUTES - 1) as f64;
    let slower = (kind.spread() * rank).exp();
    let (every, lasts) = kind.incidents();
    let mut incidents = Vec::new();
    let mut begin = exponential(every, random);
    while begin < hours + 24.0 {
        let end = begin + exponential(lasts, random);
        let (low, high) = INCIDENT;
        incidents.push((begin, end, low + (high - low) * random.unit()));
        begin = end + exponential(every, random);
    }
    Nature {
        overhead_ms: 220.0 * slower,
        prefill_ms: 0.12 * slower,
        per_token_ms: 8.0 + 12.0 * random.unit(),
        phase: TAU * random.unit(),
        incidents,
    }
}

fn answer(nature: &Nature, request: &Request, random: &mut Random) -> Answer {
    let hour = hour(request.at);
    let day = 1.0 + DRIFT * (TAU * hour / 24.0 + nature.phase).sin();
    let struck = nature
        .incidents
        .iter()
        .find(|(begin, end, _)| (*begin..*end).contains(&hour));
    let factor = struck.map_or(1.0, |(_, _, factor)| *factor);
    let bare = nature.overhead_ms + nature.prefill_ms * request.prompt_tokens as f64;
    let expected_ms = bare * day * factor;
    let mut noise = (NOISE * normal_quantile(random.unit().max(1e-12))).exp();
    let (share, low, high) = HANGS;
    let longer = low + (high - low) * random.unit();
    if random.unit() < share {
        noise *= longer;
    }
    let pace = nature.per_token_ms * (0.15 * normal_quantile(random.unit().max(1e-12))).exp();
    Answer {
        first_token: millis(expected_ms * noise),
        failed: false,
        expected_ms,
        per_token: millis(pace),
    }
}

fn exponential(mean: f64, random: &mut Random) -> f64 {
    -mean * (1.0 - random.unit()).ln()
}

fn hour(at: Moment) -> f64 {
    at.0 as f64 / 3.6e12
}

fn millis(ms: f64) -> Nanos {
    Nanos((ms * 1e6) as u64)
}
