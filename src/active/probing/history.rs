//! Reads what earlier probes said from the store.

use std::collections::{BTreeMap, HashMap};
use std::ops::{ControlFlow, Range};

use crate::analysis::watch::Point;
use crate::edge::store::{NameId, Scanned, StoreError, StoreReader};
use crate::record::{ExchangeId, ExchangeRecord, Origin, WallTime};
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
    seen: impl FnMut(),
) -> Result<Series, StoreError> {
    let probes = probes(reader, now.plus_secs(-REACH)..now.plus_secs(1), seen)?;
    let mut series = Series::new();
    records(reader, &probes, |record, idle| {
        if let Some((route, point)) = Point::of(&record) {
            add(&mut series, route, Point { idle, ..point });
        }
    })?;
    Ok(series)
}

/// The probes begun within `range`, oldest first, each with the microseconds since the call of its
/// route before it, whoever made that; `seen` is called for every exchange that is looked at.
pub fn probes(
    reader: &StoreReader,
    range: Range<WallTime>,
    mut seen: impl FnMut(),
) -> Result<Vec<(ExchangeId, Option<i64>)>, StoreError> {
    let mut probes = Vec::new();
    let mut last: HashMap<(NameId, NameId), WallTime> = HashMap::new();
    reader.scan(range, |summary| {
        seen();
        let route = (summary.provider, summary.route_model);
        let before = last.insert(route, summary.started);
        if summary.origin == Origin::Probe {
            let idle = before.map(|before| summary.started.0 - before.0);
            probes.push((summary.id, idle));
        }
        ControlFlow::Continue(())
    })?;
    Ok(probes)
}

/// The records of `probes`, in their order.
pub fn records(
    reader: &StoreReader,
    probes: &[(ExchangeId, Option<i64>)],
    mut each: impl FnMut(ExchangeRecord, Option<i64>),
) -> Result<Scanned, StoreError> {
    let ids: Vec<ExchangeId> = probes.iter().map(|(id, _)| *id).collect();
    let idle: HashMap<ExchangeId, Option<i64>> = probes.iter().copied().collect();
    reader.details(&ids, |record| {
        let idle = idle.get(&record.id).copied().flatten();
        each(record, idle);
    })
}

/// Puts a probe behind the others of its route; the oldest goes where there are too many.
pub fn add(series: &mut Series, route: RouteKey, point: Point) {
    let points = series.entry(route).or_default();
    if points.len() >= KEPT {
        points.remove(0);
    }
    let before = points.last().map(|last| point.at.0 - last.at.0);
    points.push(Point {
        idle: point.idle.or(before),
        ..point
    });
}
