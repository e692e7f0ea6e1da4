//! What is appended is read back: exactly, once, also while it is being written.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use tollgate::clock::Clock;
use tollgate::edge::store::{Appended, Grain, Store, StoreReader};
use tollgate::record::{ExchangeId, ExchangeRecord, Name, WallTime};
use tollgate::statistics::{DEFINITIONS, Figures, Rollup};

use super::records::{Random, START, arbitrary, mixed};
use super::settings;

pub(crate) const ALWAYS: std::ops::Range<WallTime> = WallTime(i64::MIN / 2)..WallTime(i64::MAX / 2);

pub(crate) fn memory() -> Store {
    Store::in_memory(&settings(Path::new("memory"))).unwrap().0
}

pub(crate) fn ids(reader: &StoreReader) -> Vec<ExchangeId> {
    let mut ids = Vec::new();
    let scanned = reader.scan(ALWAYS, |summary| {
        ids.push(summary.id);
        ControlFlow::Continue(())
    });
    assert_eq!(scanned.unwrap().damaged, 0);
    ids
}

#[test]
fn records_round_trip_exactly() {
    let mut store = memory();
    let reader = store.reader().unwrap();
    for seed in 0..200 {
        let mut random = Random(seed);
        let records: Vec<_> = (0..10).map(|_| arbitrary(&mut random)).collect();
        store.append(&records).unwrap();
        for record in &records {
            let read = reader.detail(record.id).unwrap();
            assert_eq!(read.as_ref(), Some(record), "seed {seed}");
        }
    }
    drop(reader);
    let verified = store.verify().unwrap();
    assert!(verified.is_clean(), "{verified:?}");
    assert_eq!(verified.records, 2_000);
}

#[test]
fn summaries_say_what_records_say() {
    let mut store = memory();
    let records = mixed(3, 500, 40_000);
    store.append(&records).unwrap();
    let reader = store.reader().unwrap();
    let names = reader.names().unwrap();
    let mut seen = 0;
    reader
        .scan(ALWAYS, |summary| {
            let record = &records[seen];
            let last = record.attempts.last();
            let name = |id| names.get(id).map(Name::as_str);
            assert_eq!(summary.id, record.id);
            assert_eq!(summary.started, record.started);
            assert_eq!(summary.outcome, record.outcome);
            let figures = Figures {
                ttfb: None,
                ..Figures::of(record)
            };
            assert_eq!(summary.figures, figures);
            assert_eq!(summary.usage, record.tokens.usage);
            assert_eq!(summary.cost, record.cost);
            assert_eq!(
                name(summary.provider),
                last.map(|attempt| &*attempt.provider)
            );
            assert_eq!(name(summary.model), record.model.as_deref());
            assert_eq!(summary.attempts as usize, record.attempts.len());
            seen += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, records.len());
    let newest = reader.newest(ALWAYS, 3).unwrap();
    let expected: Vec<_> = records
        .iter()
        .rev()
        .take(3)
        .map(|record| record.id)
        .collect();
    assert_eq!(newest.iter().map(|s| s.id).collect::<Vec<_>>(), expected);
}

#[test]
fn a_range_is_of_the_starts() {
    let mut store = memory();
    store.append(&mixed(1, 100, 1_000_000)).unwrap();
    let reader = store.reader().unwrap();
    let at = |second: i64| START.plus_secs(second);
    for (range, rows) in [
        (ALWAYS, 100),
        (at(0)..at(100), 100),
        (at(10)..at(20), 10),
        (at(99)..at(1000), 1),
        (at(20)..at(10), 0),
        (at(100)..at(200), 0),
    ] {
        let scanned = reader.scan(range.clone(), |_| ControlFlow::Continue(()));
        assert_eq!(scanned.unwrap().rows, rows, "{range:?}");
        let scanned = reader.records(range, |_| ControlFlow::Continue(()));
        assert_eq!(scanned.unwrap().rows, rows);
    }
    let scanned = reader.scan(ALWAYS, |_| ControlFlow::Break(()));
    assert_eq!(scanned.unwrap().rows, 1);
}

#[test]
fn appending_twice_counts_once() {
    let mut store = memory();
    let records = mixed(1, 50, 10_000);
    store.append(&records[..30]).unwrap();
    let again = store.append(&records).unwrap();
    assert_eq!(
        again,
        Appended {
            written: 20,
            known: 30
        }
    );
    assert!(store.verify().unwrap().is_clean());
    assert_eq!(store.records().unwrap(), 50);
}

#[test]
fn rollups_are_what_the_records_give() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let settings = settings(&path);
    let records = mixed(9, 3_000, 100_000);
    let mut late = records.clone();
    // Answers that took long arrive minutes later, in any order, across reopenings.
    late.sort_by_key(|record| record.id.0[15]);
    for batch in late.chunks(700) {
        let (mut store, _) = Store::open(&settings, &Clock::system()).unwrap();
        for piece in batch.chunks(90) {
            store.append(piece).unwrap();
        }
    }
    let (mut store, _) = Store::open(&settings, &Clock::system()).unwrap();
    let verified = store.verify().unwrap();
    assert!(verified.is_clean() && verified.rollups > 20, "{verified:?}");
    let reader = store.reader().unwrap();
    let total = |grain| {
        let mut all = Rollup::default();
        let scanned = reader.rollups(DEFINITIONS, grain, ALWAYS, |_, rollup| {
            all.merge(rollup);
            ControlFlow::Continue(())
        });
        assert_eq!(scanned.unwrap().damaged, 0);
        all
    };
    assert_eq!(total(Grain::Minute), total(Grain::Hour));
    assert_eq!(total(Grain::Hour).exchanges(), 3_000);
    let attempts: usize = records.iter().map(|record| record.attempts.len()).sum();
    assert_eq!(total(Grain::Hour).attempts as usize, attempts);
}

#[test]
fn a_clock_that_jumps_breaks_no_key() {
    let mut store = memory();
    let mut by_id: BTreeMap<ExchangeId, ExchangeRecord> = BTreeMap::new();
    let mut random = Random(4);
    for jump in [0, -86_400, 366 * 86_400, -1, 0, 1 << 33, -(1 << 33)] {
        let at = START.plus_secs(jump);
        let records: Vec<_> = (0..20)
            .map(|n| super::records::realistic(&mut random, WallTime(at.0 + n), true))
            .collect();
        store.append(&records).unwrap();
        by_id.extend(records.into_iter().map(|record| (record.id, record)));
    }
    let reader = store.reader().unwrap();
    assert_eq!(ids(&reader), by_id.keys().copied().collect::<Vec<_>>());
    for (id, record) in &by_id {
        assert_eq!(reader.detail(*id).unwrap().as_ref(), Some(record));
    }
    drop(reader);
    assert!(store.verify().unwrap().is_clean());
}

#[test]
fn two_readers_follow_the_writer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let (mut store, opened) = Store::open(&settings(&path), &Clock::system()).unwrap();
    assert!(opened.created);
    let readers = [StoreReader::open(&path).unwrap(), store.reader().unwrap()];
    let records = mixed(5, 2_000, 1_000);
    for (turn, batch) in records.chunks(100).enumerate() {
        store.append(batch).unwrap();
        for reader in &readers {
            assert_eq!(ids(reader).len(), (turn + 1) * 100);
            let last = &batch[99];
            assert_eq!(reader.detail(last.id).unwrap().as_ref(), Some(&**last));
        }
    }
    // Readers of files also outlive the writer.
    drop(store);
    assert_eq!(ids(&readers[0]).len(), 2_000);
}
