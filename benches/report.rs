//! Measures reports as the commands that make them, from start to text: of a million records and
//! of ten million, each report in each format over a hundred thousand.
//!
//! `cargo bench --bench report [-- smaller]`. Prints tables, then one line of JSON.

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

use tollgate::clock::Clock;
use tollgate::config::settings::StoreSettings;
use tollgate::edge::store::Store;
use tollgate::record::WallTime;

use filled::records::{self, Random, realistic};

/// Runs of each command; the median counts.
const RUNS: usize = 7;
/// Records written at once.
const BATCH: usize = 4_000;
/// Microseconds between two exchanges: a million in 22 hours.
const EVERY: i64 = 80_000;

/// Runs what it is given, and says on stderr how many milliseconds it took and how many KB it had
/// resident at most.
const PEAK: &str = "
import os, resource, subprocess, sys, time
began = time.perf_counter()
code = subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL).returncode
lasted = time.perf_counter() - began
print(lasted * 1e3, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
";

/// Every report with every format.
const REPORTS: [&str; 13] = [
    "routes",
    "tax",
    "models",
    "regions",
    "backends",
    "consistency",
    "errors",
    "length",
    "cache",
    "json-tax",
    "trend",
    "cost",
    "throughput",
];
const FORMATS: [&str; 5] = ["table", "markdown", "json", "csv", "html"];

fn main() {
    let smaller = std::env::args().any(|argument| argument == "smaller");
    let fewer = if smaller { 10 } else { 1 };
    let mut figures = serde_json::Map::new();
    figures.insert("million".to_owned(), million(1_000_000 / fewer));
    figures.insert("each".to_owned(), each(100_000 / fewer));
    figures.insert("ten_million".to_owned(), ten_million(10_000_000 / fewer));
    println!("{}", serde_json::Value::Object(figures));
}

/// The report `routes` from a million summaries.
fn million(count: i64) -> serde_json::Value {
    let store = Filled::new(count, EVERY, false);
    let mut rows = serde_json::Map::new();
    for (name, arguments) in [
        ("report, table", &["report", "routes"][..]),
        ("report, json", &["report", "routes", "--format", "json"]),
        (
            "report, one model",
            &["report", "routes", "--model", "gpt-4.1-mini"],
        ),
        ("report, 1 hour", &["report", "routes", "--since", "1h"]),
    ] {
        let median = store.timed(arguments, RUNS).millis;
        println!("{name:<20} {median:>8.0} ms");
        rows.insert(name.to_owned(), median.round().into());
    }
    rows.insert("records".to_owned(), count.into());
    rows.into()
}

/// Each report in each format over a hundred thousand exchanges.
fn each(count: i64) -> serde_json::Value {
    let store = Filled::new(count, EVERY, false);
    println!(
        "{:<12} {:<9} {:>8} {:>9} {:>9}",
        "report", "format", "ms", "bytes", "peak MB"
    );
    let mut rows = serde_json::Map::new();
    for report in REPORTS {
        let formats = if report == "throughput" {
            &["json"][..]
        } else {
            &FORMATS
        };
        for format in formats {
            let run = store.timed(&["report", report, "--format", format], 3);
            println!(
                "{report:<12} {format:<9} {:>8.0} {:>9} {:>9.0}",
                run.millis, run.bytes, run.megabytes
            );
            rows.insert(format!("{report} {format}"), run.json());
        }
    }
    rows.insert("records".to_owned(), count.into());
    rows.into()
}

/// Each report over ten million exchanges of a month.
fn ten_million(count: i64) -> serde_json::Value {
    let store = Filled::new(count, 30 * 86_400_000_000 / count, true);
    println!("{:<12} {:>8} {:>9}", "report", "ms", "peak MB");
    let mut rows = serde_json::Map::new();
    for report in REPORTS {
        let arguments = ["report", report, "--since", "30d", "--format", "json"];
        let run = store.timed(&arguments, 3);
        println!("{report:<12} {:>8.0} {:>9.0}", run.millis, run.megabytes);
        rows.insert(report.to_owned(), run.json());
    }
    rows.insert("records".to_owned(), count.into());
    rows.into()
}

/// A store in a directory of its own.
struct Filled {
    path: std::path::PathBuf,
    _directory: tempfile::TempDir,
}

/// A command that ran.
struct Run {
    millis: f64,
    bytes: usize,
    /// Its largest resident set.
    megabytes: f64,
}

impl Run {
    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "milliseconds": self.millis.round(),
            "bytes": self.bytes,
            "peak_megabytes": self.megabytes.round(),
        })
    }
}

impl Filled {
    fn new(count: i64, every: i64, many: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tollgate.redb");
        let clock = Clock::system();
        let began = clock.now();
        fill(&path, count, every, many);
        let seconds = clock.now().since(began).as_secs();
        let bytes = std::fs::metadata(&path).unwrap().len() as f64;
        println!(
            "\n{count} records written in {seconds:.1} s, {:.2} GB",
            bytes / 1e9
        );
        Self {
            path,
            _directory: directory,
        }
    }

    /// The median run of the program from its start to its end.
    fn timed(&self, arguments: &[&str], runs: usize) -> Run {
        let mut runs: Vec<Run> = (0..runs)
            .map(|_| {
                // Of a child that is over, only its parent's `wait4` knows the peak.
                let output = Command::new("python3")
                    .args(["-c", PEAK, env!("CARGO_BIN_EXE_tollgate")])
                    .args(arguments)
                    .arg("--store")
                    .arg(&self.path)
                    .output()
                    .unwrap();
                assert!(output.status.success() && !output.stdout.is_empty());
                let said = String::from_utf8(output.stderr).unwrap();
                let mut said = said.lines().last().unwrap().split(' ');
                let mut number = || said.next().unwrap().parse::<f64>().unwrap();
                Run {
                    millis: number(),
                    megabytes: number() / 1024.0,
                    bytes: output.stdout.len(),
                }
            })
            .collect();
        runs.sort_by(|one, other| one.millis.total_cmp(&other.millis));
        runs.swap_remove(runs.len() / 2)
    }
}

/// A store of `count` exchanges up to now: streams and whole answers of five routes, six in a
/// hundred of them failed or moved on to another route.
/// Of `many` more are written at once.
fn fill(path: &Path, count: i64, every: i64, many: bool) {
    let settings = StoreSettings {
        keep_bytes: 1 << 40,
        ..filled::settings(path)
    };
    let (mut store, _) = Store::open(&settings, &Clock::system()).unwrap();
    let batch_size = if many { 5 * BATCH } else { BATCH };
    let now = Clock::system().wall();
    let mut random = Random(42);
    let mut batch = Vec::with_capacity(batch_size);
    for n in 0..count {
        let stream = random.chance(80);
        let started = WallTime(now.0 - (count - n) * every);
        let mut record = realistic(&mut random, started, stream);
        if random.chance(6) {
            records::fail(&mut random, &mut record);
        }
        batch.push(record);
        if batch.len() == batch_size {
            store.append(&batch).unwrap();
            batch.clear();
        }
    }
    store.append(&batch).unwrap();
}
