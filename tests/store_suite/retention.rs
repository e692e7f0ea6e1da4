//! What is too old or too much goes, oldest first, a bounded piece at a time.

use std::path::Path;
use std::time::Duration;

use tollgate::clock::Clock;
use tollgate::config::settings::StoreSettings;
use tollgate::edge::store::{Grain, Store};
use tollgate::record::WallTime;
use tollgate::statistics::DEFINITIONS;

use super::append::{ALWAYS, ids};
use super::records::{START, mixed};
use super::settings;

fn store(change: impl FnOnce(&mut StoreSettings)) -> Store {
    let mut settings = settings(Path::new("memory"));
    change(&mut settings);
    Store::in_memory(&settings).unwrap().0
}

fn rollups(store: &Store, grain: Grain) -> usize {
    let mut count = 0;
    let reader = store.reader().unwrap();
    let each = |_: &_, _: &_| {
        count += 1;
        std::ops::ControlFlow::Continue(())
    };
    reader.rollups(DEFINITIONS, grain, ALWAYS, each).unwrap();
    count
}

#[test]
fn old_records_go() {
    let mut store = store(|settings| settings.keep_records = Duration::from_secs(1000));
    let records = mixed(1, 3_000, 1_000_000);
    store.append(&records).unwrap();
    let end = START.plus_secs(3_000);
    let trimmed = store.trim(end).unwrap();
    assert_eq!((trimmed.records, trimmed.more), (2_000, false));
    let left = ids(&store.reader().unwrap());
    assert_eq!(left.len(), 1_000);
    assert_eq!(left[0], records[2_000].id);
    assert_eq!(
        store.reader().unwrap().detail(records[1_999].id).unwrap(),
        None
    );
    assert!(rollups(&store, Grain::Minute) > 100, "roll-ups stay");
    let verified = store.verify().unwrap();
    assert!(verified.is_clean() && verified.rollups > 0, "{verified:?}");
    assert_eq!(store.trim(end).unwrap().records, 0);
}

#[test]
fn what_is_too_much_goes_oldest_first() {
    let mut store = store(|settings| settings.keep_bytes = 200_000);
    let records = mixed(2, 2_000, 1_000);
    store.append(&records).unwrap();
    let before = store.record_bytes();
    let trimmed = store.trim(START).unwrap();
    assert!(store.record_bytes() <= 200_000);
    let left = ids(&store.reader().unwrap());
    assert_eq!(left.len() as u64 + trimmed.records, 2_000);
    assert_eq!(left[0], records[trimmed.records as usize].id);
    // It counts right after being opened again, and to the last record.
    let mut bare = self::store(|settings| settings.keep_bytes = 0);
    bare.append(&records).unwrap();
    assert_eq!(bare.record_bytes(), before);
    bare.trim(START).unwrap();
    assert_eq!((bare.record_bytes(), bare.records().unwrap()), (0, 0));
    assert!(bare.verify().unwrap().is_clean());
    bare.append(&records[..10]).unwrap();
    assert!(bare.verify().unwrap().is_clean());
}

#[test]
fn one_call_removes_a_bounded_piece() {
    let mut store = store(|settings| settings.keep_records = Duration::from_secs(1));
    for part in mixed(3, 21_000, 10).chunks(5_000) {
        store.append(part).unwrap();
    }
    let later = START.plus_secs(86_400);
    let mut calls = Vec::new();
    loop {
        let trimmed = store.trim(later).unwrap();
        calls.push(trimmed.records);
        if !trimmed.more {
            break;
        }
    }
    assert_eq!(calls, [20_000, 1_000]);
}

#[test]
fn old_rollups_go_and_hours_stay_longer() {
    let mut store = store(|settings| {
        settings.keep_minutes = Duration::from_hours(2);
        settings.keep_hours = Duration::from_hours(48);
    });
    // One record in ten minutes for four days.
    store.append(&mixed(4, 576, 600_000_000)).unwrap();
    let hours = rollups(&store, Grain::Hour);
    store.trim(START.plus_secs(4 * 86_400)).unwrap();
    let minutes = rollups(&store, Grain::Minute);
    assert!((12..=40).contains(&minutes), "{minutes}");
    let left = rollups(&store, Grain::Hour);
    assert!(left < hours && left > hours / 3, "{left} of {hours}");
    assert_eq!(ids(&store.reader().unwrap()).len(), 576);
    assert!(store.verify().unwrap().is_clean());
}

#[test]
fn the_size_is_known_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(&directory.path().join("store.redb"));
    let (mut store, _) = Store::open(&settings, &Clock::system()).unwrap();
    store.append(&mixed(5, 100, 1_000)).unwrap();
    let bytes = store.record_bytes();
    drop(store);
    let (store, opened) = Store::open(&settings, &Clock::system()).unwrap();
    assert_eq!(store.record_bytes(), bytes);
    assert!(!opened.created && bytes > 10_000);
}

#[test]
fn a_date_before_all_others_removes_nothing() {
    let mut store = store(|settings| settings.keep_records = Duration::from_secs(10));
    store.append(&mixed(6, 10, 1_000)).unwrap();
    for now in [WallTime(0), WallTime(i64::MIN / 2), START] {
        assert_eq!(store.trim(now).unwrap().records, 0);
    }
}
