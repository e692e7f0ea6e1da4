//! Plays a world by one of our policies: with the very code that serves.

use crate::record::{ErrorClass, KeyedHash, Name};
use crate::routing::candidate::{Ask, Candidate, ModelMemory};
use crate::routing::health::{Event, Health, Ticket};
use crate::routing::learned::{Ended, Learned, LearnedTuning, Observation};
use crate::routing::plan::{Draws, Plan, plan};
use crate::routing::policy::Policy;
use crate::routing::route::RouteKey;
use crate::statistics::compare::Random;

use super::player::{Player, Seen};
use super::world::{Request, World};

/// What health is told of a failure: one that counts.
const FAILED: Event = Event::Failed {
    class: ErrorClass::ServerError,
    until: None,
};

/// One of our policies with all that it remembers.
#[derive(Debug)]
pub struct Contender {
    policy: Policy,
    model: Name,
    routes: Vec<Candidate>,
    keys: Vec<RouteKey>,
    health: Health,
    learned: Learned,
    memory: ModelMemory,
    tickets: Vec<Vec<(Request, Ticket)>>,
    random: Random,
    asked: u64,
}

impl Contender {
    /// A policy that knows nothing yet. `seed` decides its draws.
    #[must_use]
    pub fn new(policy: Policy, world: &World, tuning: LearnedTuning, seed: u64) -> Self {
        let model = Name::from("model");
        let routes: Vec<Candidate> = world
            .routes
            .iter()
            .map(|facts| {
                let mut route = Candidate::new(facts.name.as_str(), Some(model.clone()), true);
                route.quote = facts.quote;
                route.weight = facts.weight;
                route
            })
            .collect();
        Self {
            policy,
            keys: routes.iter().map(Candidate::route).collect(),
            tickets: routes.iter().map(|_| Vec::new()).collect(),
            routes,
            model,
            health: Health::default(),
            learned: Learned::new(tuning),
            memory: ModelMemory::default(),
            random: Random::new(seed),
            asked: 0,
        }
    }

    fn ask(&self, request: &Request) -> Ask {
        Ask {
            now: request.at,
            prompt_tokens: request.prompt_tokens,
            output_tokens: self.learned.lengths.expected(&self.model, None, None),
            session: Some(KeyedHash(self.asked)),
            ..Ask::default()
        }
    }

    fn plan(&mut self, request: &Request) -> Plan {
        for (route, key) in self.routes.iter_mut().zip(&self.keys) {
            route.health = self.health.view(key, None, request.at);
            route.expected = self.learned.expect(key, request.at);
        }
        let draws = Draws {
            explore: self.random.unit(),
            pick: self.random.unit(),
        };
        if let Policy::CheapestWithinSlo {
            first_token,
            probability,
        } = self.policy
        {
            self.memory.aims(first_token, probability);
        }
        let ask = self.ask(request);
        plan(&self.policy, &ask, &self.routes, &self.memory, draws)
    }
}

impl Player for Contender {
    fn choose(&mut self, _: usize, request: &Request) -> usize {
        self.asked += 1;
        let plan = self.plan(request);
        let route = plan.steps.first().copied().unwrap_or(0);
        if !plan.explored {
            self.memory.chosen(&self.keys[route], request.at);
        }
        let ticket = self.health.begin(&self.keys[route], None, request.at);
        self.tickets[route].push((*request, ticket));
        route
    }

    fn see(&mut self, seen: &Seen) {
        let waited = seen.answer.first_token;
        let (came, event, ended) = if seen.answer.failed {
            (None, FAILED, Ended::Failed { waited })
        } else {
            (Some(waited), Event::Success, Ended::Well)
        };
        let tickets = &mut self.tickets[seen.route];
        let at = tickets
            .iter()
            .position(|(request, _)| *request == seen.request);
        if let Some(at) = at {
            let (_, ticket) = tickets.swap_remove(at);
            let draw = self.random.unit();
            self.health.end(ticket, event, seen.at, draw);
        }
        self.memory.came(came);
        let tokens = came.map(|_| seen.request.output_tokens);
        if let Some(tokens) = tokens {
            self.learned.lengths.observe(&self.model, None, tokens);
        }
        self.learned.observe(
            &self.keys[seen.route],
            &Observation {
                reasons: false,
                setup: None,
                at: seen.at,
                prompt_tokens: seen.request.prompt_tokens,
                first_token: came,
                whole: None,
                per_token: came.map(|_| seen.answer.per_token),
                output_tokens: tokens,
                ended,
            },
        );
    }
}
