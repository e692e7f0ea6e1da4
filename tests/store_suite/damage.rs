//! Files that are not what was written: never a panic, never a wrong row.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use redb::{ConcurrencyMode, ReadableDatabase, ReadableTable, TableDefinition};
use tollgate::clock::Clock;
use tollgate::edge::store::{SCHEMA, Store, StoreError, StoreReader};
use tollgate::record::{Moment, WallTime};

use super::append::{ALWAYS, ids};
use super::records::{Random, mixed};
use super::{seeds, settings};

fn written(path: &Path, count: usize) -> Vec<std::sync::Arc<tollgate::record::ExchangeRecord>> {
    let (mut store, _) = Store::open(&settings(path), &Clock::system()).unwrap();
    let records = mixed(21, count, 50_000);
    store.append(&records).unwrap();
    records
}

fn raw(path: &Path) -> redb::Database {
    let mut builder = redb::Builder::new();
    builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder.open(path).unwrap()
}

#[test]
fn a_file_that_is_no_store_is_moved_aside() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Moment(0), WallTime(1_795_307_749_000_000));
    for (name, bytes) in [
        ("junk", vec![7; 10_000]),
        ("short", b"redb".to_vec()),
        ("zeros", vec![0; 1 << 20]),
    ] {
        let path = directory.path().join(name);
        fs::write(&path, &bytes).unwrap();
        let (mut store, opened) = Store::open(&settings(&path), &clock).unwrap();
        let aside = directory
            .path()
            .join(format!("{name}.corrupt-20261122T003549Z"));
        assert_eq!(opened.moved_aside.as_ref(), Some(&aside));
        assert!(opened.created && opened.damage.is_some());
        assert_eq!(fs::read(&aside).unwrap(), bytes, "nothing is thrown away");
        store.append(&mixed(1, 10, 10)).unwrap();
        drop(store);
        // A second one at the same second does not take the first one's name.
        fs::write(&path, &bytes).unwrap();
        let (_, opened) = Store::open(&settings(&path), &clock).unwrap();
        assert_eq!(
            opened.moved_aside,
            Some(PathBuf::from(format!("{}-1", aside.display())))
        );
    }
}

#[test]
fn flipped_bits_are_never_served() {
    let directory = tempfile::tempdir().unwrap();
    let good = directory.path().join("good");
    let records = written(&good, 300);
    let bytes = fs::read(&good).unwrap();
    let path = directory.path().join("bad");
    let mut outcomes = [0; 3];
    for seed in 0..seeds(24) {
        let mut random = Random(seed);
        let mut bad = bytes.clone();
        match seed % 4 {
            0 => bad.truncate(random.below(bytes.len() as u64) as usize),
            1 => {
                let page = random.below(bytes.len() as u64 / 4096) as usize * 4096;
                bad[page..page + 4096].fill(0);
            }
            2 => bad[random.below(300) as usize] ^= 1 << random.below(8),
            _ => {
                for _ in 0..8 {
                    bad[random.below(bytes.len() as u64) as usize] ^= 1 << random.below(8);
                }
            }
        }
        fs::write(&path, &bad).unwrap();
        // A reader beside no writer meets the file as it is.
        if let Ok(reader) = StoreReader::open(&path) {
            outcomes[0] += 1;
            let _ = reader.scan(ALWAYS, |summary| {
                let record = records.iter().find(|record| record.id == summary.id);
                let record = record.expect("a summary that was never written");
                assert_eq!(summary.outcome, record.outcome, "seed {seed}");
                ControlFlow::Continue(())
            });
            for record in &records {
                if let Ok(Some(read)) = reader.detail(record.id) {
                    assert_eq!(read, **record, "seed {seed}");
                }
            }
            drop(reader);
        }
        // A writer checks small files whole, and begins anew where they are not sound.
        match Store::open(&settings(&path), &Clock::system()) {
            Ok((mut store, opened)) => {
                outcomes[1 + usize::from(opened.moved_aside.is_some())] += 1;
                store.append(&records).unwrap();
                assert!(store.verify().unwrap().is_clean(), "seed {seed}");
            }
            // A version that is not ours any more, or a table that is not: refused, left alone.
            Err(error) => assert!(
                matches!(error, StoreError::Newer { .. } | StoreError::Foreign(_)),
                "seed {seed}: {error}"
            ),
        }
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

/// A page that is none costs the rows that were on it, and not the store: a copy has the others.
#[test]
fn a_copy_has_what_can_still_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let good = directory.path().join("good");
    let records = written(&good, 1_500);
    let bytes = fs::read(&good).unwrap();
    let (bad, copy) = (directory.path().join("bad"), directory.path().join("copy"));
    let mut rescued = 0;
    for seed in 0..seeds(16) {
        let mut random = Random(seed);
        let mut spoilt = bytes.clone();
        let page = (1 + random.below(bytes.len() as u64 / 4096 - 1)) as usize * 4096;
        // What a page is stands in its first byte.
        spoilt[page..page + 16].fill(0x7f);
        fs::write(&bad, &spoilt).unwrap();
        let _ = fs::remove_file(&copy);
        let Ok(reader) = StoreReader::open(&bad) else {
            continue;
        };
        // The page may be one that everything hangs on.
        let Ok(lost) = reader.backup(&copy) else {
            assert!(!copy.exists(), "seed {seed}: half a copy is none");
            continue;
        };
        let copied = StoreReader::open(&copy).unwrap();
        let mut read = 0;
        for record in &records {
            match copied.detail(record.id) {
                Ok(Some(detail)) => {
                    assert_eq!(detail, **record, "seed {seed}");
                    read += 1;
                }
                Ok(None) => {}
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
        assert!(lost > 0 || read == records.len(), "seed {seed}: {read}");
        rescued += usize::from(lost > 0 && read > 0 && read < records.len());
    }
    assert!(rescued > 0, "no page of details was met");
}

#[test]
fn a_damaged_row_is_skipped_and_counted() {
    const DETAILS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("details.v1");
    const SUMMARIES: TableDefinition<'_, &[u8; 16], &[u8; 100]> =
        TableDefinition::new("summaries.v1");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let records = written(&path, 50);
    let db = raw(&path);
    let write = db.begin_write().unwrap();
    {
        let mut details = write.open_table(DETAILS).unwrap();
        let mut value = details
            .get(&records[7].id.0)
            .unwrap()
            .unwrap()
            .value()
            .to_vec();
        value[30] ^= 16;
        details.insert(&records[7].id.0, &*value).unwrap();
        let mut summaries = write.open_table(SUMMARIES).unwrap();
        let mut row = *summaries.get(&records[9].id.0).unwrap().unwrap().value();
        row[20] ^= 1;
        summaries.insert(&records[9].id.0, &row).unwrap();
    }
    write.commit().unwrap();
    drop(db);
    let reader = StoreReader::open(&path).unwrap();
    let mut seen = Vec::new();
    let scanned = reader.scan(ALWAYS, |summary| {
        seen.push(summary.id);
        ControlFlow::Continue(())
    });
    assert_eq!((scanned.unwrap().damaged, seen.len()), (1, 49));
    assert!(!seen.contains(&records[9].id));
    let error = reader.detail(records[7].id).unwrap_err();
    assert!(matches!(error, StoreError::Row { .. }), "{error}");
    let scanned = reader
        .records(ALWAYS, |_| ControlFlow::Continue(()))
        .unwrap();
    assert_eq!((scanned.rows, scanned.damaged), (49, 1));
    drop(reader);
    let (mut store, opened) = Store::open(&settings(&path), &Clock::system()).unwrap();
    assert_eq!(
        opened.moved_aside, None,
        "one row is no reason to give up a store"
    );
    let verified = store.verify().unwrap();
    assert_eq!(verified.damaged, 2);
    assert!(!verified.is_clean() && verified.pages_sound);
    let (store, compacted) = store.compact().unwrap();
    assert_eq!(compacted.damaged, 2);
    assert_eq!(ids(&store.reader().unwrap()).len(), 49);
    // What was left out is not thrown away, whoever compacts twice.
    let kept = compacted.kept.expect("a file as it was");
    assert!(
        kept.to_string_lossy()
            .ends_with("store.redb.before-compact")
    );
    let mut kept = Store::open(&settings(&kept), &Clock::system()).unwrap().0;
    assert_eq!(kept.verify().unwrap(), verified);
    let (_, again) = store.compact().unwrap();
    assert_eq!((again.damaged, again.kept), (0, None));
}

/// A damaged page ends a table early and says nothing; the summaries know what is missing.
#[test]
fn records_that_a_broken_table_leaves_out_are_counted() {
    const DETAILS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("details.v1");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    // More than are read at once.
    let records = written(&path, 5_000);
    let mut ids: Vec<[u8; 16]> = records.iter().map(|record| record.id.0).collect();
    ids.sort_unstable();
    let scan = |range| {
        let reader = StoreReader::open(&path).unwrap();
        let scanned = reader.records(range, |_| ControlFlow::Continue(()));
        let scanned = scanned.unwrap();
        (scanned.rows, scanned.damaged)
    };
    assert_eq!(scan(ALWAYS), (5_000, 0));
    let db = raw(&path);
    let write = db.begin_write().unwrap();
    {
        let mut details = write.open_table(DETAILS).unwrap();
        // One in the middle of the first part, and all from 3,000 on.
        for id in ids[7..8].iter().chain(&ids[3_000..]) {
            details.remove(id).unwrap();
        }
    }
    write.commit().unwrap();
    drop(db);
    assert_eq!(scan(ALWAYS), (2_999, 2_001));
}

#[test]
fn a_newer_store_is_refused_by_name_and_version() {
    const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta.v1");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    written(&path, 5);
    let db = raw(&path);
    let mut value = vec![1, 0, 0, 0, 0];
    value.extend_from_slice(&(SCHEMA + 1).to_le_bytes());
    value.extend_from_slice(b"9.9.9");
    let mut hasher = crc32fast::Hasher::new();
    for part in [&b"schema"[..], &value[..1], &value[5..]] {
        hasher.update(part);
    }
    let sum = hasher.finalize();
    value[1..5].copy_from_slice(&sum.to_le_bytes());
    let write = db.begin_write().unwrap();
    write
        .open_table(META)
        .unwrap()
        .insert("schema", &*value)
        .unwrap();
    write.commit().unwrap();
    drop(db);
    let before = fs::read(&path).unwrap();
    for error in [
        Store::open(&settings(&path), &Clock::system()).unwrap_err(),
        StoreReader::open(&path).unwrap_err(),
    ] {
        let said = error.to_string();
        for part in [
            "schema 2",
            "tollgate 9.9.9",
            "schema 1",
            env!("CARGO_PKG_VERSION"),
        ] {
            assert!(said.contains(part), "{said}");
        }
    }
    assert!(fs::read(&path).unwrap() == before, "not a byte is changed");
}

#[test]
fn another_program_s_database_is_left_alone() {
    const OTHER: TableDefinition<'_, u64, u64> = TableDefinition::new("mine");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.redb");
    let db = redb::Database::create(&path).unwrap();
    let write = db.begin_write().unwrap();
    write.open_table(OTHER).unwrap().insert(1, 2).unwrap();
    write.commit().unwrap();
    drop(db);
    let before = fs::read(&path).unwrap();
    let error = Store::open(&settings(&path), &Clock::system()).unwrap_err();
    assert!(matches!(error, StoreError::Foreign(_)), "{error}");
    assert!(fs::read(&path).unwrap() == before, "not a byte is changed");
    let db = redb::Database::open(&path).unwrap();
    let read = db.begin_read().unwrap();
    assert_eq!(
        read.open_table(OTHER)
            .unwrap()
            .get(1)
            .unwrap()
            .unwrap()
            .value(),
        2
    );
}

#[test]
fn a_second_writer_is_told_that_the_store_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let (store, _) = Store::open(&settings(&path), &Clock::system()).unwrap();
    let error = Store::open(&settings(&path), &Clock::system()).unwrap_err();
    assert!(matches!(error, StoreError::InUse(_)) && error.to_string().contains("in use"));
    drop(store);
    Store::open(&settings(&path), &Clock::system()).unwrap();
}

#[test]
fn bad_places_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [file.join("store.redb"), directory.path().to_owned()] {
        let error = Store::open(&settings(&path), &Clock::system()).unwrap_err();
        assert!(
            error.to_string().contains(&path.display().to_string()),
            "{error}"
        );
    }
    let error = StoreReader::open(&directory.path().join("none")).unwrap_err();
    assert!(matches!(error, StoreError::Missing(_)), "{error}");
    let error = Store::open(
        &settings(Path::new("/proc/none/store.redb")),
        &Clock::system(),
    );
    assert!(
        matches!(
            error,
            Err(StoreError::Denied { .. } | StoreError::Io { .. })
        ),
        "{error:?}"
    );
}
