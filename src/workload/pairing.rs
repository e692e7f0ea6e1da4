//! Orders the requests of a run: rounds in chance order, and pairs whose order is balanced.

use super::prompts::mixed;
use crate::statistics::compare::Random;

/// One request of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The round.
    pub round: u32,
    /// The place of its route in the list that was ordered.
    pub route: usize,
    /// Its pair and its place in it, where it has a partner.
    pub pair: Option<(u32, u8)>,
    /// It only warms connections.
    pub warm_up: bool,
}

/// Rounds of one request to each of `routes` routes, in an order that the seed draws anew for each
/// round, after `warm_ups` rounds that are not measured.
#[must_use]
pub fn rounds(routes: usize, rounds: u32, warm_ups: u32, seed: u64) -> Vec<Step> {
    let all = (0..warm_ups + rounds).flat_map(|n| {
        let warm_up = n < warm_ups;
        let round = if warm_up { n } else { n - warm_ups };
        let mut order: Vec<usize> = (0..routes).collect();
        Random::new(mixed(seed, u64::from(n))).shuffle(&mut order);
        order.into_iter().map(move |route| Step {
            round,
            route,
            pair: None,
            warm_up,
        })
    });
    all.collect()
}

/// Pairs of a block: within one, either route is first equally often.
pub const BLOCK: u32 = 10;

/// Crossover pairs of route 0 and route 1: each asks both the same, one right after the other. In
/// each block of [`BLOCK`] pairs either route is first five times, in an order that the seed draws,
/// so that what being second costs falls on both alike.
#[must_use]
pub fn pairs(count: u32, warm_ups: u32, seed: u64) -> Vec<Step> {
    let mut steps = Vec::new();
    let pair = |number: u32, round: u32, reversed: bool, warm_up: bool| {
        let order = if reversed { [1, 0] } else { [0, 1] };
        order
            .into_iter()
            .enumerate()
            .map(move |(place, route)| Step {
                round,
                route,
                pair: (!warm_up).then_some((number, place as u8)),
                warm_up,
            })
    };
    for n in 0..warm_ups {
        steps.extend(pair(n, n, n % 2 == 1, true));
    }
    let mut number = 0;
    while number < count {
        let block = number / BLOCK;
        let size = BLOCK.min(count - number);
        let mut reversed: Vec<bool> = (0..size).map(|place| place % 2 == 1).collect();
        let mut random = Random::new(mixed(seed, u64::from(block)));
        // A block of an odd number has one more of either, by lot.
        if size % 2 == 1 && random.bits() % 2 == 1 {
            reversed.iter_mut().for_each(|place| *place = !*place);
        }
        random.shuffle(&mut reversed);
        for reversed in reversed {
            steps.extend(pair(number, number, reversed, false));
            number += 1;
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_has_every_route_once_and_none_is_always_first() {
        let steps = rounds(4, 100, 2, 9);
        assert_eq!(steps.len(), 4 * 102);
        assert_eq!(steps.iter().filter(|step| step.warm_up).count(), 8);
        let mut firsts = [0; 4];
        for of in steps.chunks(4) {
            let mut routes: Vec<usize> = of.iter().map(|step| step.route).collect();
            firsts[routes[0]] += 1;
            routes.sort_unstable();
            assert_eq!(routes, [0, 1, 2, 3]);
            assert!(of.iter().all(|step| step.round == of[0].round));
        }
        assert!(
            firsts.iter().all(|first| (10..=45).contains(first)),
            "{firsts:?}"
        );
        assert_eq!(rounds(4, 100, 2, 9), steps);
        assert_ne!(rounds(4, 100, 2, 10), steps);
    }

    #[test]
    fn in_each_block_either_route_is_first_equally_often() {
        for seed in 0..20 {
            for count in [1, 9, 10, 30, 95, 100] {
                let steps = pairs(count, 2, seed);
                let measured: Vec<&Step> = steps.iter().filter(|step| !step.warm_up).collect();
                assert_eq!(measured.len() as u32, count * 2, "seed {seed}");
                for (place, both) in measured.chunks(2).enumerate() {
                    let number = place as u32;
                    assert_eq!(both[0].pair, Some((number, 0)), "seed {seed}");
                    assert_eq!(both[1].pair, Some((number, 1)), "seed {seed}");
                    assert_eq!(both[0].route + both[1].route, 1, "seed {seed}");
                }
                for block in measured.chunks(2 * BLOCK as usize) {
                    let firsts = block.iter().filter(|step| {
                        step.route == 0 && step.pair.is_some_and(|(_, order)| order == 0)
                    });
                    let pairs = block.len() / 2;
                    let firsts = firsts.count();
                    assert!(
                        firsts == pairs / 2 || firsts == pairs.div_ceil(2),
                        "seed {seed}"
                    );
                }
            }
        }
        assert_eq!(pairs(30, 2, 4), pairs(30, 2, 4));
        assert_ne!(pairs(30, 2, 4), pairs(30, 2, 5));
    }
}
