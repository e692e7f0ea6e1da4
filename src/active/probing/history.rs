//! Reads what earlier probes said from the store.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::analysis::watch::Point;
use crate::edge::store::{StoreError, StoreReader};
use crate::record::{ExchangeId, Origin, WallTime};
use crate::routing::route::RouteKey;

/// The probes of each route, in the order of time.
pub type Series = BTreeMap<RouteKey, Vec<Point>>;

/// Seconds that are looked back: nightly probes have a baseline then.
const REACH: i64 = 35 * 86_400;
/// Probes of a route that are kept: ten days of one each quarter of an hour.
const KEPT: usize = 1_000;

/// What probes up to `now` said. Blocks for as long as reading takes; `seen` is called for every
/// exchange that is looked at.
pub fn history(
    reader: &StoreReader,
    now: WallTime,
    mut seen: impl FnMut(),
) -> Result<Series, StoreError> {
    let mut ids: Vec<ExchangeId> = Vec::new();
    reader.scan(now.plus_secs(-REACH)..now.plus_secs(1), |summary| {
        seen();
        if summary.origin == Origin::Probe {
            ids.push(summary.id);
        }
        ControlFlow::Continue(())
    })?;
    let mut series = Series::new();
    reader.details(&ids, |record| {
        if let Some((route, point)) = Point::of(&record) {
            add(&mut series, route, point);
        }
    })?;
    Ok(series)
}

/// Puts a probe behind the others of its route; the oldest goes where there are too many.
pub fn add(series: &mut Series, route: RouteKey, point: Point) {
    let points = series.entry(route).or_default();
    if points.len() >= KEPT {
        points.remove(0);
    }
    points.push(point);
}
