//! Measures the report over a million records, as the command that makes it: start, scan, text.
//!
//! `cargo bench --bench report [-- smaller]`. Prints a table, then one line of JSON.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot go on says so"
)]

#[path = "../tests/support/filled.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod filled;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tollgate::clock::Clock;
use tollgate::edge::store::Store;
use tollgate::record::WallTime;

use filled::records::{self, Random, realistic};

/// Runs of each command; the median counts.
const RUNS: usize = 7;
/// Records written at once.
const BATCH: usize = 4_000;
/// Microseconds between two exchanges: a million in 22 hours.
const EVERY: i64 = 80_000;

fn main() {
    let smaller = std::env::args().any(|argument| argument == "smaller");
    let count = if smaller { 100_000 } else { 1_000_000 };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tollgate.redb");
    let clock = Clock::system();
    let began = clock.now();
    fill(&path, count);
    println!(
        "{count} records written in {:.1} s",
        clock.now().since(began).as_secs()
    );

    let mut figures = serde_json::Map::new();
    for (name, arguments) in [
        ("report, table", &["report", "routes"][..]),
        ("report, json", &["report", "routes", "--format", "json"]),
        (
            "report, one model",
            &["report", "routes", "--model", "gpt-4.1-mini"],
        ),
        ("report, 1 hour", &["report", "routes", "--since", "1h"]),
    ] {
        let median = timed(&clock, &path, arguments);
        println!("{name:<20} {:>8.0} ms", median.as_secs_f64() * 1e3);
        figures.insert(name.to_owned(), (median.as_secs_f64() * 1e3).round().into());
    }
    println!(
        "{}",
        serde_json::json!({ "records": count, "milliseconds": figures })
    );
}

/// A store of `count` exchanges up to now: streams and whole answers of five routes, six in a
/// hundred of them failed or moved on to another route.
fn fill(path: &Path, count: i64) {
    let (mut store, _) = Store::open(&filled::settings(path), &Clock::system()).unwrap();
    let now = Clock::system().wall();
    let mut random = Random(42);
    let mut batch = Vec::with_capacity(BATCH);
    for n in 0..count {
        let stream = random.chance(80);
        let started = WallTime(now.0 - (count - n) * EVERY);
        let mut record = realistic(&mut random, started, stream);
        if random.chance(6) {
            records::fail(&mut random, &mut record);
        }
        batch.push(record);
        if batch.len() == BATCH {
            store.append(&batch).unwrap();
            batch.clear();
        }
    }
    store.append(&batch).unwrap();
}

/// The median time of the program from its start to its end.
fn timed(clock: &Clock, store: &Path, arguments: &[&str]) -> Duration {
    let mut times: Vec<u64> = (0..RUNS)
        .map(|_| {
            let began = clock.now();
            let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
                .args(arguments)
                .arg("--store")
                .arg(store)
                .output()
                .unwrap();
            let lasted = clock.now().since(began);
            assert!(output.status.success() && !output.stdout.is_empty());
            lasted.0
        })
        .collect();
    times.sort_unstable();
    Duration::from_nanos(times[RUNS / 2])
}
