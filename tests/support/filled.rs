//! Fills stores with records for tests and benches that read them.

use std::path::Path;
use std::time::Duration;

use tollgate::clock::Clock;
use tollgate::config::settings::StoreSettings;
use tollgate::edge::store::Store;
use tollgate::record::{ExchangeRecord, WallTime};

#[path = "../store_suite/records.rs"]
#[expect(dead_code, reason = "each test needs another part of it")]
pub(crate) mod records;

use records::{Random, realistic};

/// Settings of a store at `path` that keeps everything.
pub(crate) fn settings(path: &Path) -> StoreSettings {
    StoreSettings {
        path: path.to_owned(),
        cache_bytes: 16 << 20,
        keep_records: Duration::from_hours(30 * 24),
        keep_bytes: 2 << 30,
        keep_minutes: Duration::from_hours(7 * 24),
        keep_hours: Duration::from_hours(400 * 24),
        queue_max: 65_536,
    }
}

/// Records that ended one every `every` microseconds up to now, most of them well.
pub(crate) fn recent(seed: u64, count: usize, every: i64) -> Vec<ExchangeRecord> {
    let now = Clock::system().wall();
    let mut random = Random(seed);
    (0..count as i64)
        .map(|n| {
            let stream = random.chance(80);
            let started = WallTime(now.0 - (count as i64 - n) * every - 1_000_000);
            let mut record = realistic(&mut random, started, stream);
            if random.chance(6) {
                records::fail(&mut random, &mut record);
            }
            record
        })
        .collect()
}

/// A store at `path` that holds `records`.
pub(crate) fn store(path: &Path, records: &[ExchangeRecord]) -> Store {
    let (mut store, _) = Store::open(&settings(path), &Clock::system()).unwrap();
    store.append(records).unwrap();
    store
}
