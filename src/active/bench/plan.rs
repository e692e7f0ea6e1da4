//! Lays out what a benchmark asks, and in which order: the same plan and seed, the same run.

use crate::active::targets::Target;
use crate::analysis::render::units::thousands;
use crate::record::Name;
use crate::statistics::compare::Random;
use crate::workload::pairing::{self, BLOCK, Step};
use crate::workload::prompts::{Pool, mixed};

/// What differs between requests to one route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// Tokens of the answer, at most.
    pub max_tokens: u64,
    /// JSON is asked for.
    pub json: bool,
    /// Tokens that the prompt is lengthened to.
    pub prompt_tokens: Option<u64>,
    /// Each request opens a connection for itself.
    pub cold: bool,
}

/// How the requests of a run belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Design {
    /// Rounds of one request to each route, in chance order.
    Rounds {
        /// How many are measured.
        iterations: u32,
    },
    /// Crossover pairs of each route and its model's reference.
    Pairs {
        /// How many of each.
        count: u32,
    },
}

/// A benchmark.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The run's name.
    pub run: Name,
    /// Seed of prompts and orders.
    pub seed: u64,
    /// The routes.
    pub targets: Vec<Target>,
    /// What is asked of each.
    pub variants: Vec<Variant>,
    /// How requests belong together.
    pub design: Design,
    /// Rounds, or pairs, before those that are measured.
    pub warm_ups: u32,
    /// Requests of one conversation, each with all before it in front; 1 where there is none.
    pub turns: u32,
    /// The temperature, where one is sent.
    pub temperature: Option<f64>,
    /// Tokens, or words where nobody counted tokens, below which an answer says too little.
    pub tokens_min: u64,
    /// What is asked.
    pub pool: Pool,
    /// Lengths of prompts as recorded, of which each round draws one; none where nothing was.
    pub lengths: Vec<u64>,
    /// The provider that pairs are against; each model's first direct one unless given.
    pub reference: Option<Name>,
}

/// One task of a run: a request, or a conversation of some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// The place of its target.
    pub target: usize,
    /// The place of its variant.
    pub variant: usize,
    /// Its round.
    pub round: u32,
    /// Its pair, and its place in it.
    pub pair: Option<(u32, u8)>,
    /// It only warms connections.
    pub warm_up: bool,
}

/// Requests of a run at most: the record of each stays in memory until the result is written.
const REQUESTS_MAX: u64 = 1_000_000;

impl Plan {
    /// How many requests it asks, warm-ups included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        let (rounds, cells) = match self.design {
            Design::Rounds { iterations } => (iterations, self.targets.len()),
            Design::Pairs { count } => (count, 2 * self.comparisons().len()),
        };
        let rounds = u64::from(rounds) + u64::from(self.warm_ups);
        let cells = (cells * self.variants.len()) as u64;
        let tasks = rounds.saturating_mul(cells);
        tasks.saturating_mul(u64::from(self.turns))
    }

    /// Whether it can be laid out, and if not, why.
    pub fn fits(&self) -> Result<(), String> {
        let requests = self.requests();
        if requests > REQUESTS_MAX {
            return Err(format!(
                "{} requests are more than the {} of one run: fewer rounds or pairs, or several runs",
                thousands(requests),
                thousands(REQUESTS_MAX)
            ));
        }
        Ok(())
    }

    /// Tokens that the prompt of a round is lengthened to: as the variant says, or as one of the
    /// recorded prompts that the seed draws, the same for all routes.
    #[must_use]
    pub fn prompt_tokens(&self, variant: Variant, round: u32) -> Option<u64> {
        let drawn = || {
            let seed = mixed(self.seed ^ 0x006c_656e_6774_6873, u64::from(round));
            let place = Random::new(seed).below(self.lengths.len().max(1));
            self.lengths.get(place).copied()
        };
        variant.prompt_tokens.or_else(drawn)
    }

    /// Every task in order.
    #[must_use]
    pub fn tasks(&self) -> Vec<Task> {
        match self.design {
            Design::Rounds { iterations } => self.in_rounds(iterations),
            Design::Pairs { count } => self.in_pairs(count),
        }
    }

    fn in_rounds(&self, iterations: u32) -> Vec<Task> {
        let variants = self.variants.len();
        let cells = self.targets.len() * variants;
        let task = |step: Step| Task {
            target: step.route / variants,
            variant: step.route % variants,
            round: step.round,
            pair: None,
            warm_up: step.warm_up,
        };
        let steps = pairing::rounds(cells, iterations, self.warm_ups, self.seed);
        steps.into_iter().map(task).collect()
    }

    /// Blocks of each comparison by turns, so that none has the morning to itself. Pairs are
    /// numbered through the whole run.
    fn in_pairs(&self, count: u32) -> Vec<Task> {
        let comparisons = self.comparisons();
        let mut tasks = Vec::new();
        let mut lists: Vec<_> = comparisons
            .iter()
            .flat_map(|of| (0..self.variants.len()).map(move |variant| (*of, variant)))
            .zip(0_u32..)
            .map(|((of, variant), place)| {
                let seed = mixed(self.seed, u64::from(place));
                let steps = pairing::pairs(count, self.warm_ups, seed);
                let first = place * count;
                let task = move |step: Step| Task {
                    target: if step.route == 0 { of.0 } else { of.1 },
                    variant,
                    round: step.round,
                    pair: step.pair.map(|(number, order)| (first + number, order)),
                    warm_up: step.warm_up,
                };
                steps.into_iter().map(task).collect::<Vec<_>>().into_iter()
            })
            .collect();
        for list in &mut lists {
            tasks.extend(list.by_ref().take(2 * self.warm_ups as usize));
        }
        loop {
            let before = tasks.len();
            for list in &mut lists {
                tasks.extend(list.by_ref().take(2 * BLOCK as usize));
            }
            if tasks.len() == before {
                return tasks;
            }
        }
    }

    /// The comparisons of pairs: the place of the reference, and of what is compared with it. A
    /// model without a reference, or with nothing else, has none.
    #[must_use]
    pub fn comparisons(&self) -> Vec<(usize, usize)> {
        let of_model = |target: &Target| {
            let mut all = self.targets.iter();
            all.position(|other| {
                other.model == target.model
                    && match &self.reference {
                        Some(reference) => other.route.provider == *reference,
                        None => !other.is_router,
                    }
            })
        };
        let targets = self.targets.iter().enumerate();
        targets
            .filter_map(|(place, target)| Some((of_model(target)?, place)))
            .filter(|(reference, place)| reference != place)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::route::RouteKey;

    fn plan(routes: &[(&str, &str, bool)], design: Design) -> Plan {
        let target = |(model, provider, is_router): &(&str, &str, bool)| Target {
            model: Name::from(*model),
            route: RouteKey::new(*provider, Some(Name::from(*model))),
            is_router: *is_router,
            region: None,
            completion_limit: false,
            asks_usage: true,
        };
        let variant = |max_tokens| Variant {
            max_tokens,
            json: false,
            prompt_tokens: None,
            cold: false,
        };
        Plan {
            run: Name::from("r"),
            seed: 3,
            targets: routes.iter().map(target).collect(),
            variants: vec![variant(64), variant(128)],
            design,
            warm_ups: 1,
            turns: 1,
            temperature: None,
            tokens_min: 20,
            pool: Pool::shipped(),
            lengths: Vec::new(),
            reference: None,
        }
    }

    const ROUTES: [(&str, &str, bool); 4] = [
        ("m", "router", true),
        ("m", "direct", false),
        ("m", "other", false),
        ("n", "direct", false),
    ];

    #[test]
    fn rounds_have_every_route_and_variant_once() {
        let tasks = plan(&ROUTES, Design::Rounds { iterations: 5 }).tasks();
        assert_eq!(tasks.len(), 8 * 6);
        assert_eq!(
            plan(&ROUTES, Design::Rounds { iterations: 5 }).requests(),
            8 * 6
        );
        for round in tasks.chunks(8) {
            let mut cells: Vec<_> = round
                .iter()
                .map(|task| (task.target, task.variant))
                .collect();
            cells.sort_unstable();
            cells.dedup();
            assert_eq!(cells.len(), 8);
        }
    }

    #[test]
    fn pairs_are_against_the_first_direct_route_of_the_model() {
        let plan = plan(&ROUTES, Design::Pairs { count: 25 });
        assert_eq!(plan.comparisons(), [(1, 0), (1, 2)]);
        let tasks = plan.tasks();
        // Two comparisons, two variants, a warm-up pair each.
        assert_eq!(tasks.len(), 2 * 2 * (25 + 1) * 2);
        assert_eq!(plan.requests(), tasks.len() as u64);
        let measured: Vec<_> = tasks.iter().filter(|task| !task.warm_up).collect();
        for both in measured.chunks(2) {
            let (one, other) = (both[0], both[1]);
            assert_eq!(one.pair.map(|pair| pair.0), other.pair.map(|pair| pair.0));
            assert_eq!((one.pair.unwrap().1, other.pair.unwrap().1), (0, 1));
            assert_eq!(one.variant, other.variant);
            assert!(one.target == 1 || other.target == 1, "the reference");
        }
        let mut numbers: Vec<u32> = measured.iter().map(|task| task.pair.unwrap().0).collect();
        numbers.dedup();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers, (0..100).collect::<Vec<_>>(), "no pair twice");
    }

    #[test]
    fn what_is_too_much_is_refused_before_it_is_laid_out() {
        let huge = plan(&ROUTES, Design::Pairs { count: u32::MAX });
        assert!(huge.fits().unwrap_err().contains("requests are more"));
        let usual = plan(&ROUTES, Design::Rounds { iterations: 5 });
        assert_eq!(usual.fits(), Ok(()));
    }

    #[test]
    fn prompts_have_recorded_lengths_the_same_for_all_routes() {
        let mut plan = plan(&ROUTES, Design::Rounds { iterations: 5 });
        let [one, two] = plan.variants[..] else {
            panic!("two variants")
        };
        assert_eq!(plan.prompt_tokens(one, 1), None);
        plan.lengths = vec![10, 20, 30];
        let drawn: Vec<_> = (0..60)
            .map(|round| plan.prompt_tokens(one, round))
            .collect();
        for length in [10, 20, 30] {
            assert!(drawn.contains(&Some(length)), "{drawn:?}");
        }
        let other: Vec<_> = (0..60)
            .map(|round| plan.prompt_tokens(two, round))
            .collect();
        assert_eq!(drawn, other);
        plan.variants[0].prompt_tokens = Some(7);
        assert_eq!(plan.prompt_tokens(plan.variants[0], 1), Some(7));
    }

    #[test]
    fn a_reference_can_be_named() {
        let mut plan = plan(&ROUTES, Design::Pairs { count: 1 });
        plan.reference = Some(Name::from("other"));
        assert_eq!(plan.comparisons(), [(2, 0), (2, 1)]);
        plan.reference = Some(Name::from("nobody"));
        assert!(plan.comparisons().is_empty());
    }
}
