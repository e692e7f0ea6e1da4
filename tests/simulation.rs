//! Plays outages, brown-outs, rate limits and clock jumps on virtual time: against routing and
//! health alone, and through the whole street.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test may fail the test"
)]

#[path = "simulation/client.rs"]
mod client;
#[path = "simulation/pains.rs"]
mod pains;
#[path = "simulation/pairs.rs"]
mod pairs;
#[path = "simulation/stage.rs"]
mod stage;
#[path = "simulation/street.rs"]
mod street;
#[path = "simulation/verdict.rs"]
mod verdict;
#[path = "simulation/world.rs"]
mod world;

use fastrand::Rng;
use tollgate::record::{ErrorClass, Moment, Nanos};
use tollgate::routing::budget::{RetryBudget, RetryTerms};
use tollgate::routing::health::{Barred, Event, Health, HealthTuning};
use tollgate::routing::learned::{Ended, Learned, Observation};
use tollgate::routing::plan::{self, Ask, Candidate, Draws, ModelMemory};
use tollgate::routing::policy::{By, Policy};
use tollgate::routing::route::RouteKey;

const SECOND: u64 = 1_000_000_000;
/// Seeds played: more by `SEEDS=…`.
const SEEDS: u64 = 256;
const REQUESTS: u32 = 600;
/// A route that is well again is asked again within the longest that a breaker is open, the trial
/// before it and the jitter of both.
const RECOVERY: Nanos = Nanos(2 * 360 * SECOND);

/// How a route is for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Weather {
    Well,
    /// Every request fails.
    Dead,
    /// First tokens take five times as long.
    Slow,
    /// This share fails.
    Flaky(f64),
    /// Refuses until so long after it was first asked.
    Limited(u64),
}

struct Route {
    key: RouteKey,
    /// Weathers, each from its moment on.
    weathers: Vec<(Moment, Weather)>,
    speed: f64,
    /// Until when it asked to be left alone.
    asked_until: Moment,
}

impl Route {
    fn drawn(number: usize, rng: &mut Rng, end: u64) -> Self {
        let mut weathers = vec![(Moment(0), Weather::Well)];
        let mut at = 0;
        while at < end {
            at += rng.u64(60..1_800) * SECOND;
            let weather = match rng.u32(0..5) {
                0 => Weather::Dead,
                1 => Weather::Slow,
                2 => Weather::Flaky(rng.f64()),
                3 => Weather::Limited(rng.u64(2..90) * SECOND),
                _ => Weather::Well,
            };
            // The first route is never anything but well: there is always one to be served by.
            weathers.push((
                Moment(at),
                if number == 0 { Weather::Well } else { weather },
            ));
        }
        Self {
            key: RouteKey::new(format!("p{number}").as_str(), Some("m".into())),
            weathers,
            speed: 200.0 + 600.0 * rng.f64(),
            asked_until: Moment(0),
        }
    }

    fn weather(&self, now: Moment) -> (Moment, Weather) {
        let until = self.weathers.iter().take_while(|(from, _)| *from <= now);
        until.last().copied().unwrap_or((Moment(0), Weather::Well))
    }

    /// What a request meets: how long it takes, and how it ends.
    fn meet(&mut self, now: Moment, rng: &mut Rng) -> (Nanos, Event) {
        let (_, weather) = self.weather(now);
        let factor = if weather == Weather::Slow { 5.0 } else { 1.0 };
        let millis = self.speed * factor * (0.5 + rng.f64());
        let span = Nanos((millis * 1e6) as u64);
        let failed = |class, until| Event::Failed { class, until };
        match weather {
            Weather::Dead => (Nanos(SECOND / 100), failed(ErrorClass::Connect, None)),
            Weather::Flaky(share) if rng.f64() < share => {
                (span, failed(ErrorClass::ServerError, None))
            }
            Weather::Limited(wait) => {
                self.asked_until = self.asked_until.max(now.plus(Nanos(wait)));
                let until = Some(now.plus(Nanos(wait)));
                (Nanos(SECOND / 50), failed(ErrorClass::RateLimited, until))
            }
            _ => (span, Event::Success),
        }
    }
}

struct World {
    rng: Rng,
    now: Moment,
    routes: Vec<Route>,
    health: Health,
    learned: Learned,
    memory: ModelMemory,
    retries: RetryBudget,
    policy: Policy,
}

impl World {
    fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let end = 4 * 3_600 * SECOND;
        let count = rng.usize(2..6);
        let routes: Vec<_> = (0..count).map(|n| Route::drawn(n, &mut rng, end)).collect();
        let policy = match rng.u32(0..4) {
            0 => Policy::Ordered,
            1 => Policy::Weighted,
            2 => Policy::LeastBusy,
            _ => Policy::Fastest(By::FirstToken),
        };
        Self {
            now: Moment(SECOND),
            health: Health::new(HealthTuning::default()),
            learned: Learned::default(),
            memory: ModelMemory::default(),
            retries: RetryBudget::default(),
            rng,
            routes,
            policy,
        }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let one = |route: &Route| Candidate {
            health: self.health.view(&route.key, None, self.now),
            expected: self.learned.expect(&route.key, self.now),
            ..Candidate::new("", None, true)
        };
        let named = |route: &Route| Candidate {
            provider: route.key.provider.clone(),
            model: route.key.model.clone(),
            ..one(route)
        };
        self.routes.iter().map(named).collect()
    }

    /// One request through its tries, with what must hold after each.
    fn request(&mut self) {
        let candidates = self.candidates();
        let ask = Ask {
            now: self.now,
            prompt_tokens: self.rng.u64(1..8_000),
            output_tokens: 100.0,
            ..Ask::default()
        };
        let draws = Draws {
            explore: self.rng.f64(),
            pick: self.rng.f64(),
        };
        let plan = plan::plan(&self.policy, &ask, &candidates, &self.memory, draws);
        assert!(!plan.steps.is_empty(), "somebody is always tried");
        let mut steps = plan.steps.clone();
        steps.sort_unstable();
        steps.dedup();
        assert_eq!(steps.len(), plan.steps.len(), "nobody is tried twice");
        let chances: f64 = plan.propensities.iter().sum();
        assert!((chances - 1.0).abs() < 1e-9, "chances add up to {chances}");
        self.retries.request(self.now);
        let terms = RetryTerms {
            share: 0.2,
            always: 600,
        };
        let mut served = false;
        for (tries, index) in plan.steps.iter().copied().enumerate() {
            if tries > 0 && !self.retries.take(&terms, self.now) {
                break;
            }
            served = self.attempt(index, &ask, plan.reason);
            if served {
                break;
            }
        }
        assert!(served, "a route is well, and nobody was served: {plan:?}");
        assert_eq!(self.health.at_work(), 0, "nothing runs, nothing counts");
    }

    fn attempt(&mut self, index: usize, ask: &Ask, reason: &str) -> bool {
        let key = self.routes[index].key.clone();
        let begun = self.now;
        let view = self.health.view(&key, None, begun);
        if reason != "least_bad" && matches!(view.barred, Some((Barred::Cooling, _))) {
            // Cooling may have begun since the plan was made, by this very request only.
            assert!(
                begun < self.routes[index].asked_until,
                "cooled without being asked to"
            );
        }
        let ticket = self.health.begin(&key, None, begun);
        let (span, event) = self.routes[index].meet(begun, &mut self.rng);
        self.now = self.now.plus(span);
        let well = event == Event::Success;
        let draw = self.rng.f64();
        let _changes = self.health.end(ticket, event, self.now, draw);
        self.learned.observe(
            &key,
            &Observation {
                reasons: false,
                setup: None,
                at: self.now,
                prompt_tokens: ask.prompt_tokens,
                first_token: well.then_some(span),
                whole: None,
                per_token: None,
                output_tokens: None,
                ended: match event {
                    Event::Success => Ended::Well,
                    Event::Failed {
                        class: ErrorClass::RateLimited,
                        ..
                    } => Ended::Unjudged,
                    _ => Ended::Failed { waited: span },
                },
            },
        );
        // A limited route cools at least until the latest moment that it named.
        let until = self.routes[index].asked_until;
        if until > self.now && !well {
            let barred = self.health.view(&key, None, self.now).barred;
            assert!(barred.is_some(), "asked to be left alone, and is not");
        }
        well
    }

    /// A route that has been well for long enough is not barred any more.
    fn nobody_is_forgotten(&self) {
        for route in &self.routes {
            let (since, weather) = route.weather(self.now);
            let well = matches!(weather, Weather::Well | Weather::Slow);
            if well && self.now.since(since) > RECOVERY {
                let view = self.health.view(&route.key, None, self.now);
                let barred = view.barred;
                assert!(
                    barred.is_none(),
                    "{} is well since {since:?}: {barred:?}",
                    route.key
                );
            }
        }
    }
}

#[test]
fn whatever_happens_to_providers_requests_are_served_while_one_lives() {
    let seeds = std::env::var("SEEDS").ok();
    let seeds: u64 = seeds.and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    for seed in 0..seeds {
        println!("seed {seed}");
        let mut world = World::of(seed);
        for _ in 0..REQUESTS {
            let pause = world.rng.u64(0..40) * SECOND;
            // The monotonic clock stands still over a suspend, and goes on as if nothing was.
            let jump = if world.rng.u32(0..200) == 0 {
                3_600 * SECOND
            } else {
                0
            };
            world.now = world.now.plus(Nanos(pause + jump));
            world.request();
            world.nobody_is_forgotten();
        }
    }
}
