//! Plays one world with one player, and scores it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::record::{Moment, Nanos};

use super::player::{Player, Seen};
use super::world::World;

/// How a player fared in a world.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// How much longer the first token took in expectation than for the oracle: a fraction. A
    /// failure counts as [`super::Answer::LOST`].
    pub regret: f64,
    /// The mean time to the first token, in milliseconds, a failure counted as that.
    pub mean_ms: f64,
    /// Its 95th percentile; infinite where that many failed.
    pub p95_ms: f64,
    /// The share of requests whose first token came within the limit: of a failure it did not.
    pub within_slo: f64,
    /// The share of requests that failed.
    pub failed: f64,
    /// What a thousand requests cost, in US dollars; nothing where one went to a route whose price
    /// is not known.
    pub cost_per_1000: Option<f64>,
    /// The share of requests that went elsewhere than the one before.
    pub switches: f64,
}

/// Plays `world` and scores `player` by `limit` on the time to the first token.
pub fn play(world: &World, player: &mut dyn Player, limit: Nanos) -> Score {
    let count = world.requests.len();
    let mut under_way: BinaryHeap<Reverse<(Moment, usize)>> = BinaryHeap::new();
    let mut chosen: Vec<usize> = Vec::with_capacity(count);
    for (number, request) in world.requests.iter().enumerate() {
        while let Some(Reverse((at, earlier))) = under_way.peek().copied() {
            if at > request.at {
                break;
            }
            under_way.pop();
            player.see(&seen(world, earlier, chosen[earlier], at));
        }
        let route = player.choose(number, request).min(world.routes.len() - 1);
        chosen.push(route);
        let total = world.answers[number][route].total(request.output_tokens);
        under_way.push(Reverse((request.at.plus(total), number)));
    }
    score(world, &chosen, limit)
}

fn seen(world: &World, number: usize, route: usize, at: Moment) -> Seen {
    Seen {
        at,
        request: world.requests[number],
        route,
        answer: world.answers[number][route],
    }
}

fn score(world: &World, chosen: &[usize], limit: Nanos) -> Score {
    let count = chosen.len().max(1) as f64;
    let (mut own, mut best, mut within) = (0.0, 0.0, 0.0);
    let mut cost = Some(0.0);
    let (mut sum, mut failed) = (0.0, 0.0);
    let mut spans = Vec::with_capacity(chosen.len());
    for (number, route) in chosen.iter().enumerate() {
        let answer = &world.answers[number][*route];
        own += answer.expected_ms;
        best += world.answers[number][world.oracle(number)].expected_ms;
        cost = cost
            .zip(world.cost(number, *route))
            .map(|(sum, one)| sum + one);
        within += f64::from(u8::from(!answer.failed && answer.first_token <= limit));
        failed += f64::from(u8::from(answer.failed));
        sum += answer.waited().as_millis();
        spans.push(if answer.failed {
            f64::INFINITY
        } else {
            answer.first_token.as_millis()
        });
    }
    spans.sort_unstable_by(f64::total_cmp);
    let switches = chosen.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let p95 = (spans.len() * 95).div_ceil(100).saturating_sub(1);
    Score {
        regret: own / best - 1.0,
        mean_ms: sum / count,
        p95_ms: spans.get(p95).copied().unwrap_or(0.0),
        within_slo: within / count,
        failed: failed / count,
        cost_per_1000: cost.map(|cost| cost / count * 1e3),
        switches: switches as f64 / count,
    }
}
