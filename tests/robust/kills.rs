//! Kills the program under load, again and again: what was acknowledged is there, and sound.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tollgate::clock::Clock;
use tollgate::edge::store::{Store, StoreReader};
use tollgate::record::{ExchangeId, Outcome};
use tollgate::simulator::bare::{Connection, ReadEnd};

use super::program::{ALWAYS, Home, chat, config, records, simulator, store_settings};

/// Clients that call while the program lives; every second one streams.
const CLIENTS: usize = 4;
const MODELS: [&str; 2] = ["sim:n-2", "sim:ft-2ms:gap-2ms:n-8"];
/// How long the program lives after it is ready.
const LIVES_MS: std::ops::Range<u64> = 10..250;
/// What a crash may cost: records of the last 100 ms, by the client's count of what was completed.
/// So it is where threads run when they are to: that is judged of the median life, and by how long
/// a thread beside it waited for its turn.
const LOST_MAX: Duration = Duration::from_millis(100);
/// Turns that a record waits for from its answer's end to the journal: the client's, that of whoever
/// carried it, and the journal's thread twice.
const TURNS: u32 = 4;

/// `KILLS=200` widens the test.
fn kills() -> usize {
    let widened = std::env::var("KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok());
    widened.unwrap_or(20)
}

/// What happened over all kills.
#[derive(Default)]
struct Tally {
    acknowledged: usize,
    completed: usize,
    lost: usize,
    /// Of each life: the age of the oldest record lost, over what waiting for turns excuses.
    lost_ages: Vec<Duration>,
    opened: Vec<Duration>,
    ready: Vec<Duration>,
}

#[test]
fn what_was_acknowledged_survives_a_kill_under_load() {
    let simulator = simulator();
    let home = Home::new(&config(&simulator, "models = [\"*\"]\n"));
    let mut tally = Tally::default();
    let mut before = BTreeSet::new();
    for kill in 0..kills() {
        let life = live_and_die(&home, kill, &mut tally);
        before = check(&home.store(), kill, &life, &before, &mut tally);
    }
    tally.judge(before.len());
}

/// What was seen from outside of one life of the program.
struct Life {
    /// Exchanges read from its store while it lived: what is read there is committed.
    acknowledged: BTreeSet<ExchangeId>,
    /// Calls answered to their end, by tag, and when.
    completed: BTreeMap<String, Instant>,
    killed_at: Instant,
    /// How long a thread that slept for a millisecond slept longer than that, at most.
    stalled: Duration,
}

fn live_and_die(home: &Home, kill: usize, tally: &mut Tally) -> Life {
    let mut program = home.serve();
    tally.ready.push(program.ready_after);
    let (over, turn) = (AtomicBool::new(false), AtomicU64::new(0));
    let (over, turn, address) = (&over, &turn, program.address);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn(move || {
                    let tag = || format!("k{kill}-{}", turn.fetch_add(1, Ordering::Relaxed));
                    calls(address, MODELS[client % 2], client % 2 == 1, over, tag)
                })
            })
            .collect();
        let store = home.store();
        let acknowledged = scope.spawn(move || acknowledgements(&store, over));
        let stalled = scope.spawn(move || stalls(over));
        thread::sleep(Duration::from_millis(fastrand::u64(LIVES_MS)));
        program.child.kill().unwrap();
        let killed_at = Instant::now();
        program.child.wait().unwrap();
        over.store(true, Ordering::Relaxed);
        let clients = clients.into_iter();
        Life {
            acknowledged: acknowledged.join().unwrap(),
            stalled: stalled.join().unwrap(),
            completed: clients.flat_map(|client| client.join().unwrap()).collect(),
            killed_at,
        }
    })
}

/// Calls on one connection, again on a new one when it breaks, until it is over.
fn calls(
    address: SocketAddr,
    model: &str,
    stream: bool,
    over: &AtomicBool,
    tag: impl Fn() -> String,
) -> Vec<(String, Instant)> {
    let mut completed = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let Ok(mut connection) = Connection::open(address) else {
            continue;
        };
        while !over.load(Ordering::Relaxed) {
            let tag = tag();
            match connection.exchange(&chat(model, stream, &tag)) {
                Ok(reading) if reading.end == ReadEnd::Complete => {
                    assert_eq!(reading.status, 200, "{}", reading.text());
                    completed.push((tag, Instant::now()));
                }
                // It died.
                _ => break,
            }
        }
    }
    completed
}

/// How long a thread waits for its turn at most, until it is over.
fn stalls(over: &AtomicBool) -> Duration {
    let nap = Duration::from_millis(1);
    let mut longest = Duration::ZERO;
    while !over.load(Ordering::Relaxed) {
        let began = Instant::now();
        thread::sleep(nap);
        longest = longest.max(began.elapsed().saturating_sub(nap));
    }
    longest
}

fn acknowledgements(store: &Path, over: &AtomicBool) -> BTreeSet<ExchangeId> {
    let reader = StoreReader::open(store).unwrap();
    let mut ids = BTreeSet::new();
    while !over.load(Ordering::Relaxed) {
        let newest = reader.newest(ALWAYS, 300).unwrap();
        ids.extend(newest.iter().map(|summary| summary.id));
        thread::sleep(Duration::from_millis(2));
    }
    ids
}

/// Opens what the dead program left, and gives every exchange in it.
fn check(
    path: &Path,
    kill: usize,
    life: &Life,
    before: &BTreeSet<ExchangeId>,
    tally: &mut Tally,
) -> BTreeSet<ExchangeId> {
    let began = Instant::now();
    let (mut store, opened) = Store::open(&store_settings(path), &Clock::system()).unwrap();
    tally.opened.push(began.elapsed());
    assert_eq!(opened.moved_aside, None, "kill {kill}: {opened:?}");
    let verified = store.verify().unwrap();
    assert!(verified.is_clean(), "kill {kill}: {verified:?}");
    drop(store);
    let records = records(path);
    let ids: BTreeSet<_> = records.iter().map(|record| record.id).collect();
    assert!(
        ids.is_superset(before),
        "kill {kill}: an earlier life's records are lost"
    );
    assert!(
        ids.is_superset(&life.acknowledged),
        "kill {kill}: acknowledged and lost"
    );
    let tags: BTreeSet<_> = records
        .iter()
        .flat_map(|record| record.tags.iter().map(ToString::to_string))
        .collect();
    let lost = life
        .completed
        .iter()
        .filter(|(tag, _)| !tags.contains(*tag));
    let mut oldest = Duration::ZERO;
    for (_, at) in lost {
        tally.lost += 1;
        oldest = oldest.max(life.killed_at.saturating_duration_since(*at));
    }
    tally
        .lost_ages
        .push(oldest.saturating_sub(life.stalled * TURNS));
    let new = records.iter().filter(|record| !before.contains(&record.id));
    for record in new {
        assert_eq!(record.outcome, Outcome::Ok, "kill {kill}: {record:?}");
    }
    tally.acknowledged += life.acknowledged.difference(before).count();
    tally.completed += life.completed.len();
    ids
}

impl Tally {
    fn judge(mut self, kept: usize) {
        self.opened.sort_unstable();
        self.ready.sort_unstable();
        self.lost_ages.sort_unstable();
        let last = |spans: &[Duration]| (spans[spans.len() / 2], spans[spans.len() - 1]);
        println!(
            "{} kills: {} exchanges completed, {kept} kept, {} acknowledged of which 0 lost, \
             {} unacknowledged lost, the oldest of a life {:?} before its kill (median and worst, \
             less what threads waited for their turns); store opened in median and worst {:?}, \
             program ready in {:?}",
            self.opened.len(),
            self.completed,
            self.acknowledged,
            self.lost,
            last(&self.lost_ages),
            last(&self.opened),
            last(&self.ready),
        );
        let (median, worst) = last(&self.lost_ages);
        assert!(median <= LOST_MAX, "the oldest lost: {median:?}");
        // Whatever the machine did: not what was written seconds before.
        assert!(worst <= LOST_MAX * 100, "the oldest lost: {worst:?}");
    }
}
