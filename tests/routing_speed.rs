//! Prints what choosing costs: `cargo test --release --test routing_speed -- --ignored --nocapture`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that prints"
)]

use std::hint::black_box;
use std::time::Instant;

use tollgate::record::{Moment, Name, Nanos};
use tollgate::routing::health::{Event, Health};
use tollgate::routing::learned::{Ended, Learned, Observation};
use tollgate::routing::plan::{Ask, Candidate, Draws, ModelMemory, plan};
use tollgate::routing::policy::{Anchor, By, Policy};
use tollgate::routing::pricing::Quote;
use tollgate::routing::route::RouteKey;

const ROUTES: usize = 50;

/// The best of many short rounds: a busy machine interrupts long ones.
fn time(name: &str, rounds: u32, mut work: impl FnMut()) {
    let best = (0..500)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..rounds {
                work();
            }
            start.elapsed() / rounds
        })
        .min();
    println!("{name}: {:?}", best.unwrap());
}

#[test]
#[ignore = "prints times"]
fn what_choosing_among_fifty_routes_costs() {
    let (mut health, mut learned) = (Health::default(), Learned::default());
    let keys: Vec<RouteKey> = (0..ROUTES)
        .map(|n| {
            let provider = format!("provider-{n}");
            RouteKey::new(provider.as_str(), Some(Name::from("some-model-2026")))
        })
        .collect();
    for n in 0..2_000_u64 {
        let key = &keys[n as usize % ROUTES];
        let now = Moment(n * 1_000_000_000);
        let ticket = health.begin(key, None, now);
        health.end(ticket, Event::Success, now, 0.5);
        let seen = Observation {
            reasons: false,
            setup: None,
            at: now,
            prompt_tokens: 100 + 37 * n % 5_000,
            first_token: Some(Nanos::from_millis(200 + 13 * n % 900)),
            whole: None,
            per_token: Some(Nanos::from_millis(10 + n % 7)),
            output_tokens: Some(100),
            ended: Ended::Well,
        };
        learned.observe(key, &seen);
    }
    let now = Moment(2_001_000_000_000);
    let mut candidates: Vec<Candidate> = keys
        .iter()
        .enumerate()
        .map(|(n, key)| {
            let mut candidate = Candidate::new(key.provider.clone(), key.model.clone(), true);
            let price = (1.0 + n as f64) / 1e6;
            candidate.quote = Some(Quote {
                input: price,
                cached: price,
                output: price,
                request: 0.0,
            });
            candidate
        })
        .collect();
    let ask = Ask {
        now,
        prompt_tokens: 1_234,
        output_tokens: 200.0,
        ..Ask::default()
    };
    let memory = ModelMemory::default();
    let draws = Draws {
        explore: 0.5,
        pick: 0.5,
    };
    time("health and expectation of 50 routes", 100, || {
        for (candidate, key) in candidates.iter_mut().zip(&keys) {
            candidate.health = health.view(key, None, now);
            candidate.expected = learned.expect(key, now);
        }
    });
    for policy in [
        Policy::Ordered,
        Policy::Weighted,
        Policy::Fastest(By::FirstToken),
        Policy::Fastest(By::Total),
        Policy::Cheapest,
        Policy::CheapestWithinSlo {
            first_token: Nanos::from_millis(900),
            probability: 0.9,
        },
        Policy::Balanced {
            dollars_per_second: 0.01,
        },
        Policy::LeastBusy,
        Policy::Shared,
        Policy::Sticky {
            anchor: Anchor::Session,
            then: Box::new(Policy::Fastest(By::FirstToken)),
        },
    ] {
        time(&format!("plan, {}", policy.name()), 100, || {
            black_box(plan(&policy, &ask, black_box(&candidates), &memory, draws));
        });
    }
    let mut n = 0;
    time("begin and end of an attempt", 100, || {
        n += 1;
        let ticket = health.begin(&keys[n % ROUTES], None, now);
        black_box(health.end(ticket, Event::Success, now, 0.5));
    });
}
