//! Tests of the store and the recorder as their users see them.

#![expect(
    clippy::unwrap_used,
    reason = "what a test helper cannot do, its test cannot either"
)]

mod append;
mod backend;
mod crash;
mod damage;
mod golden;
mod journal;
mod processes;
mod recorder;
mod records;
mod retention;
mod upkeep;

use std::path::Path;
use std::time::Duration;

use tollgate::config::settings::StoreSettings;

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

/// How many seeds to try: `SEEDS=1000` widens every test that has them.
pub(crate) fn seeds(default: u64) -> u64 {
    let widened = std::env::var("SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok());
    widened.unwrap_or(default)
}
