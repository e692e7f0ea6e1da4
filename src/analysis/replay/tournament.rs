//! Plays many worlds with all players, the same worlds for each, and compares them in pairs.

use crate::record::Nanos;
use crate::routing::learned::LearnedTuning;
use crate::routing::policy::Policy;
use crate::statistics::compare::{Random, mean_of_runs};
use crate::statistics::interval::{Estimate, Interval};

use super::arena::{Score, play};
use super::baseline::{AtRandom, Known, LastTen, PeakEwma, RoundRobin};
use super::contender::Contender;
use super::player::Player;
use super::world::World;

/// Who plays.
#[derive(Debug, Clone, PartialEq)]
pub enum Entrant {
    /// Knows every expectation.
    Oracle,
    /// The fixed route that is best in hindsight.
    BestStatic,
    /// The sliding mean of the last ten.
    LastTen,
    /// Peak-EWMA of ten seconds, the better of two.
    PeakEwma,
    /// One after the other.
    RoundRobin,
    /// Any.
    AtRandom,
    /// One of our policies, by the name it is shown under.
    Policy(String, Policy),
}

impl Entrant {
    /// The comparison set.
    pub const BASELINES: [Self; 6] = [
        Self::Oracle,
        Self::BestStatic,
        Self::LastTen,
        Self::PeakEwma,
        Self::RoundRobin,
        Self::AtRandom,
    ];

    /// The name it is shown under.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Oracle => "oracle",
            Self::BestStatic => "best static",
            Self::LastTen => "last 10 mean",
            Self::PeakEwma => "peak-ewma 10 s",
            Self::RoundRobin => "round robin",
            Self::AtRandom => "random",
            Self::Policy(name, _) => name,
        }
    }

    fn player(&self, world: &World, seed: u64) -> Box<dyn Player> {
        let (routes, requests) = (world.routes.len(), world.requests.len());
        match self {
            Self::Oracle => Box::new(Known((0..requests).map(|n| world.oracle(n)).collect())),
            Self::BestStatic => Box::new(Known(vec![world.best_static(); requests])),
            Self::LastTen => Box::new(LastTen::new(routes)),
            Self::PeakEwma => Box::new(PeakEwma::new(seed, routes)),
            Self::RoundRobin => Box::new(RoundRobin(routes)),
            Self::AtRandom => Box::new(AtRandom(Random::new(seed), routes)),
            Self::Policy(_, policy) => Box::new(Contender::new(
                policy.clone(),
                world,
                LearnedTuning::default(),
                seed,
            )),
        }
    }
}

/// What is played for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// The limit on the time to the first token that attainment is counted by.
    pub limit: Nanos,
    /// The chance of missing the truth that intervals are made for.
    pub alpha: f64,
}

/// How one entrant fared.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Who.
    pub entrant: Entrant,
    /// Its scores, one a world.
    pub scores: Vec<Score>,
    /// Its mean regret, with the interval of a mean of worlds.
    pub regret: Estimate,
    /// How much its regret is above the first policy's of ours, in pairs of the same world.
    pub against: Option<Estimate>,
}

impl Line {
    /// The mean of one part of the scores.
    #[must_use]
    pub fn mean(&self, part: impl Fn(&Score) -> f64) -> f64 {
        self.scores.iter().map(part).sum::<f64>() / self.scores.len().max(1) as f64
    }

    /// What a thousand requests cost in the mean, in US dollars; nothing where that is not known of
    /// a world.
    #[must_use]
    pub fn cost_per_1000(&self) -> Option<f64> {
        let costs: Option<Vec<f64>> = self
            .scores
            .iter()
            .map(|score| score.cost_per_1000)
            .collect();
        let costs = costs.filter(|costs| !costs.is_empty())?;
        Some(costs.iter().sum::<f64>() / costs.len() as f64)
    }
}

/// How all fared.
#[derive(Debug, Clone, PartialEq)]
pub struct Standings {
    /// Worlds played.
    pub worlds: usize,
    /// One line an entrant, in their order.
    pub lines: Vec<Line>,
}

/// Plays `worlds` with every entrant. Worlds are made one at a time; `seed` is each one's number.
pub fn tournament(
    worlds: impl Iterator<Item = (u64, World)>,
    entrants: &[Entrant],
    terms: &Terms,
    mut step: impl FnMut(),
) -> Standings {
    let mut scores: Vec<Vec<Score>> = vec![Vec::new(); entrants.len()];
    let mut count = 0;
    for (seed, world) in worlds {
        count += 1;
        for (entrant, scores) in entrants.iter().zip(&mut scores) {
            let mut player = entrant.player(&world, seed.wrapping_mul(0x9e37_79b9) ^ 0x51ed);
            scores.push(play(&world, player.as_mut(), terms.limit));
            step();
        }
    }
    let ours = entrants
        .iter()
        .position(|entrant| matches!(entrant, Entrant::Policy(..)));
    let regrets = |scores: &[Score]| scores.iter().map(|score| score.regret).collect::<Vec<_>>();
    let own = ours.map(|at| regrets(&scores[at]));
    let lines = entrants
        .iter()
        .zip(&scores)
        .enumerate()
        .map(|(at, (entrant, scores))| {
            let regret = regrets(scores);
            let against = own.as_ref().filter(|_| Some(at) != ours).map(|own| {
                let pairs: Vec<f64> = regret.iter().zip(own).map(|(a, b)| a - b).collect();
                mean(&pairs, terms.alpha)
            });
            Line {
                entrant: entrant.clone(),
                regret: mean(&regret, terms.alpha),
                scores: scores.clone(),
                against,
            }
        })
        .collect();
    Standings {
        worlds: count,
        lines,
    }
}

/// The mean of the worlds, each one independent number, with Student's interval. Of one world it has
/// no ends.
fn mean(values: &[f64], alpha: f64) -> Estimate {
    mean_of_runs(values, alpha).unwrap_or(Estimate {
        value: 0.0,
        interval: Interval::UNKNOWN,
    })
}
