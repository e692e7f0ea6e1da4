//! Disks that fail at any moment and power that goes: nothing acknowledged is lost.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use tollgate::edge::store::Store;
use tollgate::record::{ExchangeId, ExchangeRecord};

use super::append::ids;
use super::backend::Disk;
use super::records::{Random, mixed};
use super::{seeds, settings};

fn open(disk: &Disk) -> Store {
    Store::open_on(disk.clone(), &settings(Path::new("disk")))
        .unwrap()
        .0
}

/// The store opens, is sound, and holds every acknowledged batch whole and no batch in part.
fn check(disk: &Disk, batches: &[&[Arc<ExchangeRecord>]], acknowledged: usize, what: &str) {
    let mut store = open(disk);
    let found: BTreeSet<ExchangeId> = ids(&store.reader().unwrap()).into_iter().collect();
    for (turn, batch) in batches.iter().enumerate() {
        let kept = batch
            .iter()
            .filter(|record| found.contains(&record.id))
            .count();
        let whole = kept == batch.len();
        assert!(whole || kept == 0, "{what}: batch {turn} is torn: {kept}");
        assert!(
            whole || turn >= acknowledged,
            "{what}: batch {turn} is lost"
        );
    }
    let verified = store.verify().unwrap();
    assert!(verified.is_clean(), "{what}: {verified:?}");
}

#[test]
fn every_write_and_sync_may_fail() {
    let records = mixed(11, 50, 400_000);
    let batches: Vec<_> = records.chunks(10).collect();
    for n in 1.. {
        let disk = Disk::default();
        let mut store = open(&disk);
        disk.fail_at(n);
        let mut acknowledged = 0;
        for batch in &batches {
            if store.append(batch).is_err() {
                break;
            }
            acknowledged += 1;
        }
        let clean = !disk.has_failed();
        assert!(clean || acknowledged < batches.len());
        // Broken stays broken until it is opened again.
        assert!(clean || store.append(batches[0]).is_err());
        drop(store);
        let what = format!("write {n}");
        check(&disk.after_kill(), &batches, acknowledged, &what);
        // The same disk, healed: the failed batch is tried again, and counts once.
        disk.heal();
        let mut store = open(&disk);
        for batch in &batches[acknowledged..] {
            store.append(batch).unwrap();
        }
        drop(store);
        check(&disk, &batches, batches.len(), &what);
        if clean {
            assert!(n > 20, "something was written");
            return;
        }
    }
}

#[test]
fn power_may_go_at_any_moment() {
    let records = mixed(12, 400, 300_000);
    let batches: Vec<_> = records.chunks(10).collect();
    for seed in 0..seeds(40) {
        let mut random = Random(seed);
        let mut disk = Disk::default();
        drop(open(&disk));
        let mut acknowledged = 0;
        // Three power losses in the life of one disk.
        for _ in 0..3 {
            let mut store = open(&disk);
            disk.fail_at(random.between(1, 80));
            while acknowledged < batches.len() && store.append(batches[acknowledged]).is_ok() {
                acknowledged += 1;
            }
            let left = disk.after_power_loss(&mut random);
            // What still runs writes to a disk that is not there any more.
            drop(store);
            disk = left;
            let mut store = open(&disk);
            let found = ids(&store.reader().unwrap()).len();
            assert!(
                found >= acknowledged * 10,
                "seed {seed}: acknowledged is lost"
            );
            assert_eq!(found % 10, 0, "seed {seed}: a batch is torn");
            // The batch in doubt may have reached the disk: writing it again changes nothing.
            if let Some(batch) = batches.get(acknowledged) {
                store.append(batch).unwrap();
                acknowledged += 1;
            }
        }
        check(&disk, &batches, acknowledged, &format!("seed {seed}"));
    }
}

#[test]
fn power_may_go_under_the_recorder() {
    use std::time::Duration;
    use tollgate::clock::Clock;
    use tollgate::recorder::{Opener, Pace, Recorder};

    for seed in 0..seeds(10) {
        let mut random = Random(seed);
        let disk = Disk::default();
        let of_opener = disk.clone();
        let opener: Opener =
            Box::new(move || Store::open_on(of_opener.clone(), &settings(Path::new("disk"))));
        let pace = Pace {
            wait: Duration::from_millis(1),
            ..Pace::default()
        };
        let (recorder, running, _) =
            Recorder::start_with(opener, 10_000, pace, Clock::system()).unwrap();
        let mut feed = recorder.subscribe();
        disk.fail_at(random.between(1, 60));
        let mut offered = mixed(seed, 5_000, 1_000).into_iter();
        while recorder.health().is_ok() && offered.len() > 0 {
            for record in offered.by_ref().take(20) {
                recorder.offer(ExchangeRecord::clone(&record));
            }
            std::thread::yield_now();
        }
        let left = disk.after_power_loss(&mut random);
        let shown: Vec<_> = std::iter::from_fn(|| feed.try_recv().ok()).collect();
        drop(running);
        let mut store = open(&left);
        let found: BTreeSet<_> = ids(&store.reader().unwrap()).into_iter().collect();
        for record in shown {
            assert!(found.contains(&record.id), "seed {seed}: shown and lost");
        }
        assert!(store.verify().unwrap().is_clean(), "seed {seed}");
    }
}
