//! Plays seeded worlds through the whole street on virtual time: the server's own handling of
//! connections, routing, the client of providers, observer, failover, settling and recorder, over
//! pipes within the process, against simulated providers. Hours go by in milliseconds, and a seed
//! gives the same records again. `SEEDS=5000` plays more, `SEED=133 SEEDS=1` one again.
//!
//! Builds that were broken on purpose fail within the first seeds: a breaker that no success closes
//! (seed 8: a route that is well for long stays barred), a retry budget that is asked and ignored
//! (13: two tries of one), a stream that is still held behind its first token and then moves on
//! (6: a token before another attempt), an error event in a 200 that is passed on (6: it could have
//! been healed), a record that is offered twice (0: more are written than were begun), a load
//! counter that cancelled attempts do not give back (0: something is left at work), a `Retry-After`
//! that is not read (7: asked again too early).

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tollgate::app::node::Node;
use tollgate::clock::Clock;
use tollgate::edge::upstream::{Dialled, Network};
use tollgate::record::{ExchangeRecord, Origin};
use tollgate::recorder::Recorder;
use tollgate::simulator::{Config, Simulator};

use super::client::{Answer, ask};
use super::stage::{self, Stage, settings};
use super::verdict;
use super::world::{BEGIN, Deed, Weather, World};

/// Seeds played: more by `SEEDS=…`.
const SEEDS: u64 = 256;
const REQUESTS: usize = 40;
/// When the last exchange is over: silence, the time for reading on, and a deadline of ours.
const LAST: Duration = Duration::from_mins(20);

/// What a world came to.
pub(crate) struct Played {
    /// Every record, in the order of their ends.
    pub(crate) records: Vec<ExchangeRecord>,
    /// What each client saw; absent where it left.
    pub(crate) seen: Vec<Option<Answer>>,
}

/// The providers, and the only way to them.
fn providers(world: &World, clock: &Clock) -> Network {
    let began = Instant::now();
    let play = |route: &super::world::Route| {
        let simulator = Simulator::within(Config {
            listen: ([127, 0, 0, 1], route.port).into(),
            personas: vec![route.persona()],
            seed: world.seed,
            clock: clock.clone(),
            ..Config::default()
        });
        (route.port, (route.clone(), simulator))
    };
    let all: HashMap<u16, _> = world.routes.iter().map(play).collect();
    Network::of_pipes(move |_, port| -> Dialled {
        let (route, simulator) = &all[&port];
        match route.weather(began.elapsed().as_secs()).1 {
            Weather::Refused => Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) }),
            Weather::Silent => Box::pin(std::future::pending()),
            _ => {
                let pipe = simulator.connect();
                Box::pin(async { Ok(pipe) })
            }
        }
    })
}

/// Plays a world from its beginning to the end of its last exchange.
pub(crate) fn play(world: &World) -> Played {
    let records: Arc<Mutex<Vec<ExchangeRecord>>> = Arc::default();
    let own = settings(&world.settings(None));
    let (recorder, recording, _) = Recorder::start_in_memory(&own.store, Clock::system()).unwrap();
    let list = Arc::clone(&records);
    let stage = Stage {
        settings: own,
        origin: Origin::Live,
        offer: Arc::new(move |record: ExchangeRecord| {
            assert!(recorder.offer(record.clone()), "the recorder has room");
            list.lock().unwrap().push(record);
        }),
    };
    // The providers' own clocks are right.
    let network = || providers(world, &Clock::of_runtime(BEGIN));
    let seen = stage::perform(world.seed, stage, network, async |node, clock| {
        let seen = clients(world, node, clock).await;
        let (accepted, settled) = node.shared.counts();
        assert_eq!((accepted, settled), (world.asked.len() as u64, accepted));
        let standing = &node.shared.settler.standing;
        standing.with(|board| assert_eq!(board.health.at_work(), 0, "nothing runs"));
        seen
    });
    let health = recording.shutdown();
    assert_eq!(
        (health.written, health.dropped()),
        (world.asked.len() as u64, 0)
    );
    let records = std::mem::take(&mut *records.lock().unwrap());
    Played { records, seen }
}

/// All clients, each at its moment, and what happens to the street meanwhile.
async fn clients(world: &World, node: &Node, clock: &Clock) -> Vec<Option<Answer>> {
    let begin = Instant::now();
    let traffic = node.traffic();
    let mut asking = JoinSet::new();
    for (number, asked) in world.asked.iter().enumerate() {
        tokio::time::sleep_until(begin + Duration::from_millis(asked.at_ms)).await;
        for (_, deed) in world.deeds.iter().filter(|(before, _)| *before == number) {
            match deed {
                Deed::SetClock(seconds) => clock.set_by(seconds * 1_000_000),
                Deed::Reload(policy) => {
                    let read = settings(&world.settings(Some(*policy)));
                    node.shared.settings.store(Arc::new(read));
                }
            }
        }
        let (pipe, asked) = (traffic.connect(0).unwrap(), asked.clone());
        asking.spawn(async move { (number, ask(pipe, &asked, &number.to_string()).await) });
        verdict::nobody_is_forgotten(world, node, begin.elapsed().as_secs());
    }
    let mut seen: Vec<_> = asking.join_all().await;
    // Those whose clients have left, and hedges that were lost.
    tokio::time::sleep(LAST).await;
    seen.sort_unstable_by_key(|(number, _)| *number);
    seen.into_iter().map(|(_, answer)| answer).collect()
}

#[test]
fn whatever_happens_to_providers_the_street_serves_while_one_lives() {
    let seeds = std::env::var("SEEDS").ok();
    let seeds: u64 = seeds.and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let first = std::env::var("SEED").ok();
    let first: u64 = first.and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut sums = verdict::Sums::default();
    for seed in first..first + seeds {
        println!("seed {seed}");
        let world = World::of(seed, REQUESTS);
        let played = play(&world);
        verdict::judge(&world, &played, &mut sums);
    }
    println!("{sums:?}");
}

#[test]
fn a_seed_gives_the_same_records_again() {
    for seed in 0..4 {
        let world = World::of(seed, REQUESTS);
        let texts = [play(&world), play(&world)].map(|played| format!("{:?}", played.records));
        assert_eq!(texts[0], texts[1], "seed {seed}");
    }
}
