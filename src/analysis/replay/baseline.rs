//! Plays by the rules that others route by, to compare with.

use std::collections::VecDeque;

use crate::record::{Moment, Nanos};
use crate::statistics::compare::Random;

use super::player::{Player, Seen};
use super::world::Request;

/// Any route, evenly.
#[derive(Debug)]
pub(super) struct AtRandom(pub Random, pub usize);

impl Player for AtRandom {
    fn choose(&mut self, _: usize, _: &Request) -> usize {
        self.0.below(self.1)
    }

    fn see(&mut self, _: &Seen) {}
}

/// One after the other.
#[derive(Debug)]
pub(super) struct RoundRobin(pub usize);

impl Player for RoundRobin {
    fn choose(&mut self, number: usize, _: &Request) -> usize {
        number % self.0
    }

    fn see(&mut self, _: &Seen) {}
}

/// What was decided beforehand for each request: a fixed route, or the oracle's.
#[derive(Debug)]
pub(super) struct Known(pub Vec<usize>);

impl Player for Known {
    fn choose(&mut self, number: usize, _: &Request) -> usize {
        self.0[number]
    }

    fn see(&mut self, _: &Seen) {}
}

/// The lowest mean of the last ten of the last hour; what has none goes first (`LiteLLM`'s
/// latency-based routing, with a list that slides).
#[derive(Debug)]
pub(super) struct LastTen(Vec<VecDeque<(Moment, f64)>>);

impl LastTen {
    const COUNT: usize = 10;
    const AGE: Nanos = Nanos(3_600_000_000_000);

    pub(super) fn new(routes: usize) -> Self {
        Self(vec![VecDeque::new(); routes])
    }
}

impl Player for LastTen {
    fn choose(&mut self, _: usize, request: &Request) -> usize {
        let mut best = (f64::INFINITY, 0);
        for (route, spans) in self.0.iter_mut().enumerate() {
            while spans
                .front()
                .is_some_and(|(at, _)| request.at.since(*at) > Self::AGE)
            {
                spans.pop_front();
            }
            let sum: f64 = spans.iter().map(|(_, span)| span).sum();
            let mean = sum / spans.len().max(1) as f64;
            if mean < best.0 {
                best = (mean, route);
            }
        }
        best.1
    }

    fn see(&mut self, seen: &Seen) {
        let spans = &mut self.0[seen.route];
        if spans.len() == Self::COUNT {
            spans.pop_front();
        }
        spans.push_back((seen.at, seen.answer.waited().as_millis()));
    }
}

/// Finagle's Peak-EWMA with a decay of ten seconds, the better of two drawn.
///
/// Source: twitter/finagle `PeakEwma.scala`; tower `load/peak_ewma.rs`.
#[derive(Debug)]
pub(super) struct PeakEwma {
    random: Random,
    routes: Vec<Peak>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Peak {
    cost: f64,
    at: Moment,
    pending: u32,
    seen: bool,
}

impl PeakEwma {
    const DECAY_S: f64 = 10.0;
    /// What a route without history costs while something is pending there.
    const PENALTY: f64 = 1e12;

    pub(super) fn new(seed: u64, routes: usize) -> Self {
        Self {
            random: Random::new(seed),
            routes: vec![Peak::default(); routes],
        }
    }

    fn load(peak: &Peak, now: Moment) -> f64 {
        if !peak.seen && peak.pending > 0 {
            return Self::PENALTY;
        }
        let weight = (-now.since(peak.at).as_secs() / Self::DECAY_S).exp();
        peak.cost * weight * f64::from(peak.pending + 1)
    }
}

impl Player for PeakEwma {
    fn choose(&mut self, _: usize, request: &Request) -> usize {
        let one = self.random.below(self.routes.len());
        let mut other = self.random.below(self.routes.len().max(2) - 1);
        if other >= one {
            other += 1;
        }
        let other = other.min(self.routes.len() - 1);
        let load = |route: usize| Self::load(&self.routes[route], request.at);
        let route = if load(one) <= load(other) { one } else { other };
        self.routes[route].pending += 1;
        route
    }

    fn see(&mut self, seen: &Seen) {
        let peak = &mut self.routes[seen.route];
        peak.pending = peak.pending.saturating_sub(1);
        let span = seen.answer.waited().as_millis();
        let weight = (-seen.at.since(peak.at).as_secs() / Self::DECAY_S).exp();
        peak.cost = if span > peak.cost {
            span
        } else {
            peak.cost * weight + span * (1.0 - weight)
        };
        peak.at = seen.at;
        peak.seen = true;
    }
}
