//! Takes records that commands measured beside a running server, which has the store.

use axum::body::Bytes;
use axum::extract::State as Extract;
use http::StatusCode;

use super::api::Shared;
use super::fault::Fault;
use crate::edge::store::unpack;
use crate::record::{ExchangeRecord, WallTime};

/// Bytes of a request's body: some thousand records.
pub(super) const BYTES_MAX: usize = 8 << 20;
/// Seconds that a record may be older than its arrival here: an answer that took as long as any.
const OLDEST: i64 = 86_400;
/// Seconds that two programs' clocks may differ by.
const AHEAD: i64 = 60;

/// `POST /api/records`: kept in the store as this program's own are. None of them is where any is
/// refused; one that is there already counts once.
pub(super) async fn add(Extract(state): Shared, sent: Bytes) -> Result<StatusCode, Fault> {
    let records = unpack(&sent).ok_or_else(|| {
        Fault::bad(
            "records",
            "these are no records as this version of the program packs them",
        )
    })?;
    let now = state.handles.clock.wall();
    if !records.iter().all(|record| is_of_run(record, now)) {
        let message = "only what probes, benchmarks and evaluations of the last day asked is taken";
        return Err(Fault::bad("records", message));
    }
    let take = &state.handles.records;
    let without_room = records
        .into_iter()
        .filter_map(|record| (!take(record)).then_some(()));
    match without_room.count() {
        0 => Ok(StatusCode::NO_CONTENT),
        some => Err(Fault::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store_unavailable",
            format!("{some} records found no room: /health says why"),
        )),
    }
}

fn is_of_run(record: &ExchangeRecord, now: WallTime) -> bool {
    let span = now.plus_secs(-OLDEST)..=now.plus_secs(AHEAD);
    record.origin.is_of_run() && record.active.is_some() && span.contains(&record.started)
}
