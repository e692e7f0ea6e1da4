//! Measures the store: records per second through the recorder, bytes per record, scans, reopening.
//!
//! `cargo bench --bench store [-- smaller]`. Prints a table, then one line of JSON.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot go on says so"
)]

#[path = "../tests/store_suite/records.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod records;

use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::time::{Duration, Instant};

use tollgate::clock::Clock;
use tollgate::config::settings::StoreSettings;
use tollgate::edge::store::{Store, StoreReader};
use tollgate::record::{ExchangeId, ExchangeRecord, WallTime};
use tollgate::recorder::Recorder;

use records::{Random, START, realistic};

const ALWAYS: Range<WallTime> = WallTime(i64::MIN / 2)..WallTime(i64::MAX / 2);

fn settings(path: &Path) -> StoreSettings {
    StoreSettings {
        path: path.to_owned(),
        cache_bytes: 64 << 20,
        keep_records: Duration::from_hours(30 * 24),
        keep_bytes: 2 << 30,
        keep_minutes: Duration::from_hours(7 * 24),
        keep_hours: Duration::from_hours(400 * 24),
        queue_max: 65_536,
    }
}

/// Exchanges that end in another order than they began: each took up to 20 s at 200 a second.
fn records(count: usize, stream: impl Fn(usize) -> bool) -> Vec<ExchangeRecord> {
    let mut random = Random(42);
    let mut records: Vec<(i64, ExchangeRecord)> = (0..count)
        .map(|n| {
            let started = START.0 + n as i64 * 5_000;
            let record = realistic(&mut random, WallTime(started), stream(n));
            (started + random.below(20_000_000) as i64, record)
        })
        .collect();
    records.sort_by_key(|(ended, _)| *ended);
    records.into_iter().map(|(_, record)| record).collect()
}

fn write(path: &Path, records: &[ExchangeRecord]) -> Store {
    let (mut store, _) = Store::open(&settings(path), &Clock::system()).unwrap();
    for batch in records.chunks(1000) {
        store.append(batch).unwrap();
    }
    store
}

/// Bytes per record after a compaction, and before.
fn size(directory: &Path, name: &str, records: &[ExchangeRecord]) -> (f64, f64) {
    let path = directory.join(name);
    let store = write(&path, records);
    let loose = store.record_bytes() as f64 / records.len() as f64;
    let (store, compacted) = store.compact().unwrap();
    drop(store);
    let packed = std::fs::metadata(&path).unwrap().len() as f64 / records.len() as f64;
    println!(
        "  {name:<28} {loose:7.1} B in rows, {packed:7.1} B in the file ({} -> {} KB)",
        compacted.before / 1024,
        compacted.after / 1024
    );
    (loose, packed)
}

/// Records per second through the recorder to the disk, offered as fast as it takes them.
fn sustained(directory: &Path, pool: &[ExchangeRecord], count: usize) -> (f64, f64) {
    let path = directory.join("sustained");
    let (recorder, running, _) = Recorder::start(&settings(&path), Clock::system()).unwrap();
    let mut random = Random(1);
    let mut offering = Duration::ZERO;
    let begun = Instant::now();
    for n in 0..count {
        let mut record = pool[n % pool.len()].clone();
        record.started = WallTime(START.0 + n as i64 * 15);
        record.id = ExchangeId::new(record.started, random.next());
        while recorder.health().queue_len > 50_000 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let before = Instant::now();
        recorder.offer(record);
        offering += before.elapsed();
    }
    let health = running.shutdown();
    let rate = health.written as f64 / begun.elapsed().as_secs_f64();
    let offer = offering.as_nanos() as f64 / count as f64;
    println!(
        "  {rate:.0} records/s sustained ({} written, {} dropped), {offer:.0} ns per offer",
        health.written,
        health.dropped()
    );
    (rate, offer)
}

/// Records per second of the store alone, in batches of the recorder's size.
fn appended(directory: &Path, pool: &[ExchangeRecord], count: usize) -> f64 {
    let path = directory.join("appended");
    let (mut store, _) = Store::open(&settings(&path), &Clock::system()).unwrap();
    let mut random = Random(2);
    let mut spent = Duration::ZERO;
    for batch in 0..count / 4096 {
        let records: Vec<_> = (0..4096)
            .map(|n| {
                let n = batch * 4096 + n;
                let mut record = pool[n % pool.len()].clone();
                record.started = WallTime(START.0 + n as i64 * 15);
                record.id = ExchangeId::new(record.started, random.next());
                record
            })
            .collect();
        let begun = Instant::now();
        store.append(&records).unwrap();
        spent += begun.elapsed();
    }
    let rate = (count / 4096 * 4096) as f64 / spent.as_secs_f64();
    println!("  {rate:.0} records/s by the store alone");
    rate
}

fn scan(path: &Path) -> (u64, f64) {
    let reader = StoreReader::open(path).unwrap();
    let mut best = f64::MAX;
    let mut rows = 0;
    for _ in 0..3 {
        let begun = Instant::now();
        let mut tokens = 0;
        let scanned = reader.scan(ALWAYS, |summary| {
            tokens += summary.usage.output.unwrap_or(0);
            ControlFlow::Continue(())
        });
        rows = scanned.unwrap().rows;
        assert!(tokens > 0);
        best = best.min(begun.elapsed().as_secs_f64());
    }
    println!(
        "  {rows} summaries in {best:.3} s, {:.0} ns each",
        best * 1e9 / rows as f64
    );
    (rows, best)
}

/// Milliseconds to open a store whose writer was killed.
fn reopen(directory: &Path, path: &Path) -> f64 {
    let killed = directory.join("killed");
    let (mut store, _) = Store::open(&settings(path), &Clock::system()).unwrap();
    store.append(&records(10, |_| true)[..]).unwrap();
    // A copy of the file as it is while the store is open is what a kill leaves.
    std::fs::copy(path, &killed).unwrap();
    // Or opening would wait for the copy to reach the disk.
    std::fs::File::open(&killed).unwrap().sync_all().unwrap();
    drop(store);
    let begun = Instant::now();
    let (_, opened) = Store::open(&settings(&killed), &Clock::system()).unwrap();
    let millis = begun.elapsed().as_secs_f64() * 1e3;
    assert_eq!(opened.moved_aside, None);
    let size = std::fs::metadata(&killed).unwrap().len() >> 20;
    println!("  {millis:.1} ms to open {size} MiB after a kill");
    millis
}

/// Milliseconds to open a store closed well, small enough that every page is checked.
fn open_small(directory: &Path) -> f64 {
    let path = directory.join("small");
    drop(write(&path, &records(3_000, |_| true)).compact().unwrap());
    let begun = Instant::now();
    drop(Store::open(&settings(&path), &Clock::system()).unwrap());
    let millis = begun.elapsed().as_secs_f64() * 1e3;
    let size = std::fs::metadata(&path).unwrap().len() >> 10;
    println!("  {millis:.1} ms to open {size} KiB and check every page");
    millis
}

fn main() {
    let small = std::env::args().any(|argument| argument == "smaller");
    let scale = if small { 10 } else { 1 };
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    println!("bytes per record, {} records each:", 100_000 / scale);
    let (_, streamed) = size(directory, "streamed", &records(100_000 / scale, |_| true));
    let (_, plain) = size(directory, "plain", &records(100_000 / scale, |_| false));
    let pool = records(5_000, |n| n % 5 != 0);
    println!("writing:");
    let alone = appended(directory, &pool, 1_000_000 / scale);
    let (rate, offer) = sustained(directory, &pool, 1_000_000 / scale);
    println!("reading:");
    let path = directory.join("sustained");
    let (rows, seconds) = scan(&path);
    let millis = reopen(directory, &path);
    let small = open_small(directory);
    println!(
        "{{\"bytes_streamed\":{streamed:.1},\"bytes_plain\":{plain:.1},\
         \"records_per_second\":{rate:.0},\"records_per_second_store\":{alone:.0},\
         \"offer_ns\":{offer:.0},\"scan_rows\":{rows},\"scan_seconds\":{seconds:.3},\
         \"reopen_ms\":{millis:.1},\"open_small_ms\":{small:.1}}}"
    );
}
