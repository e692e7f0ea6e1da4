//! Packing and backups keep everything, and a store goes on after them.

use std::fs;

use tollgate::clock::Clock;
use tollgate::edge::store::{Store, StoreError, StoreReader};
use tollgate::record::ExchangeRecord;

use super::append::{ALWAYS, ids};
use super::records::mixed;
use super::settings;

fn records(reader: &StoreReader) -> Vec<ExchangeRecord> {
    let mut records = Vec::new();
    let scanned = reader.records(ALWAYS, |record| {
        records.push(record);
        std::ops::ControlFlow::Continue(())
    });
    assert_eq!(scanned.unwrap().damaged, 0);
    records
}

#[test]
fn packing_keeps_everything_and_readers_follow() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(&directory.path().join("store.redb"));
    let (mut store, _) = Store::open(&settings, &Clock::system()).unwrap();
    let mut all = mixed(1, 1_000, 10_000);
    // In an order that leaves pages half full.
    all.sort_by_key(|record| record.id.0[9]);
    for part in all.chunks(50) {
        store.append(part).unwrap();
    }
    let reader = store.reader().unwrap();
    let before = records(&reader);
    let (mut store, compacted) = store.compact().unwrap();
    assert!(
        compacted.after < compacted.before && compacted.damaged == 0,
        "{compacted:?}"
    );
    assert!(records(&reader) == before, "the reader reads the new file");
    let verified = store.verify().unwrap();
    assert!(
        verified.is_clean() && verified.records == 1_000,
        "{verified:?}"
    );
    store.append(&mixed(2, 10, 10)).unwrap();
    assert_eq!(ids(&reader).len(), 1_010);
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        1,
        "nothing is left behind"
    );
}

#[test]
fn a_backup_is_a_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let (mut store, _) = Store::open(&settings(&path), &Clock::system()).unwrap();
    store.append(&mixed(3, 500, 10_000)).unwrap();
    // By the writer, and by a reader beside it.
    let copies = ["by writer", "by reader"].map(|name| directory.path().join(name));
    assert_eq!(store.backup(&copies[0]).unwrap(), 0);
    StoreReader::open(&path)
        .unwrap()
        .backup(&copies[1])
        .unwrap();
    store.append(&mixed(4, 10, 10)).unwrap();
    for copy in &copies {
        let (mut backup, opened) = Store::open(&settings(copy), &Clock::system()).unwrap();
        assert!(!opened.created);
        let verified = backup.verify().unwrap();
        assert!(
            verified.is_clean() && verified.records == 500,
            "{verified:?}"
        );
        assert_eq!(fs::metadata(copy).unwrap().len() % 4096, 0);
    }
    let error = store.backup(&copies[0]).unwrap_err();
    assert!(
        matches!(error, StoreError::Io { .. }),
        "no file is written over: {error}"
    );
}

#[cfg(unix)]
#[test]
fn others_cannot_read_a_store() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let (store, _) = Store::open(&settings(&path), &Clock::system()).unwrap();
    let copy = directory.path().join("copy");
    store.backup(&copy).unwrap();
    let (_store, _) = store.compact().unwrap();
    for path in [path, copy] {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}
