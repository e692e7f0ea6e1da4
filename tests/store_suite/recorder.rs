//! The recorder: batches, feed after commit, full queues, disks that fail and heal.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tollgate::clock::Clock;
use tollgate::edge::store::{Store, StoreError, StoreReader};
use tollgate::record::{ErrorClass, ExchangeRecord, Moment, Nanos, PicoDollars, WallTime};
use tollgate::recorder::{Opener, Pace, Recorder, Running, State, kept};
use tollgate::routing::health::{Event, State as RouteState};
use tollgate::routing::route::RouteKey;

use super::append::ids;
use super::backend::Disk;
use super::records::{Random, mixed, realistic};
use super::settings;

/// Fast enough that no test waits for a clock of its own.
fn pace() -> Pace {
    Pace {
        wait: Duration::from_millis(2),
        retry_min: Duration::from_millis(1),
        retry_max: Duration::from_millis(8),
        ..Pace::default()
    }
}

fn on(disk: &Disk, queue_max: usize) -> (Recorder, Running) {
    let disk = disk.clone();
    let opener: Opener =
        Box::new(move || Store::open_on(disk.clone(), &settings(Path::new("disk"))));
    let started = Recorder::start_with(opener, queue_max, pace(), Clock::system());
    let (recorder, running, _) = started.unwrap();
    (recorder, running)
}

fn offer_all(recorder: &Recorder, records: &[Arc<ExchangeRecord>]) -> usize {
    let offered = records
        .iter()
        .filter(|record| recorder.offer(ExchangeRecord::clone(record)));
    offered.count()
}

/// Waits until something that must come has come; a minute is for ever.
fn until(what: &str, come: impl Fn() -> bool) {
    let came = (0..60_000).any(|_| {
        std::thread::sleep(Duration::from_millis(1));
        come()
    });
    assert!(came, "never came: {what}");
}

fn drain(feed: &mut Receiver<Arc<ExchangeRecord>>) -> Vec<Arc<ExchangeRecord>> {
    std::iter::from_fn(|| feed.try_recv().ok()).collect()
}

#[test]
fn what_is_offered_is_written_and_then_shown() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/store.redb");
    let (recorder, running, opened) = Recorder::start(&settings(&path), Clock::system()).unwrap();
    assert!(opened.created);
    let mut feed = recorder.subscribe();
    let reader = StoreReader::open(&path).unwrap();
    let records = mixed(1, 500, 1_000);
    assert_eq!(offer_all(&recorder, &records), 500);
    let mut shown = 0;
    while shown < 500 {
        if let Ok(record) = feed.try_recv() {
            // Shown is acknowledged: it is on the disk already.
            assert_eq!(reader.detail(record.id).unwrap().as_ref(), Some(&*record));
            shown += 1;
        }
    }
    let health = running.shutdown();
    assert_eq!(
        (health.written, health.dropped(), health.queue_len),
        (500, 0, 0)
    );
    assert_eq!(health.state, State::Stopped);
    assert_eq!(ids(&reader).len(), 500);
    assert!(
        !recorder.offer(ExchangeRecord::clone(&records[0])),
        "nobody writes it any more"
    );
}

#[test]
fn stopping_writes_what_is_queued() {
    let disk = Disk::default();
    let (recorder, running) = on(&disk, 100_000);
    let records = mixed(2, 3_000, 10);
    assert_eq!(offer_all(&recorder, &records), 3_000);
    assert_eq!(running.shutdown().written, 3_000);
    let (mut store, _) = Store::open_on(disk, &settings(Path::new("disk"))).unwrap();
    let verified = store.verify().unwrap();
    assert!(
        verified.is_clean() && verified.records == 3_000,
        "{verified:?}"
    );
}

#[test]
fn a_full_queue_drops_and_counts() {
    let disk = Disk::default();
    let (recorder, running) = on(&disk, 100);
    disk.fill();
    let records = mixed(3, 3_000, 10);
    let taken = offer_all(&recorder, &records);
    until("degraded", || {
        matches!(recorder.health().state, State::Degraded { .. })
    });
    let health = recorder.health();
    assert_eq!(taken as u64 + health.dropped_queue_full, 3_000);
    assert!(
        health.dropped_queue_full > 0 && health.queue_len <= 100,
        "{health:?}"
    );
    disk.heal();
    let health = running.shutdown();
    assert_eq!(health.written + health.dropped(), 3_000, "{health:?}");
}

#[test]
fn traffic_goes_on_through_a_full_disk_and_records_after_it() {
    let disk = Disk::default();
    let (recorder, running) = on(&disk, 100_000);
    let mut feed = recorder.subscribe();
    let records = mixed(4, 900, 1_000);
    offer_all(&recorder, &records[..300]);
    until("first part", || recorder.health().written == 300);
    disk.fill();
    offer_all(&recorder, &records[300..600]);
    until("degraded", || !recorder.health().is_ok());
    let State::Degraded { reason, .. } = recorder.health().state else {
        panic!("{:?}", recorder.health());
    };
    assert!(reason.contains("space"), "{reason}");
    assert_eq!(
        drain(&mut feed).len(),
        300,
        "nothing is shown that is not written"
    );
    let before = recorder.recent().routes().len();
    assert!(before > 0, "a dead store does not blind the routing");
    offer_all(&recorder, &records[600..]);
    disk.heal();
    until("written", || recorder.health().written == 900);
    assert!(recorder.health().is_ok());
    let health = running.shutdown();
    assert_eq!(health.dropped(), 0);
    assert!(health.reopened > 0);
    assert_eq!(drain(&mut feed).len(), 600);
    let (mut store, _) = Store::open_on(disk, &settings(Path::new("disk"))).unwrap();
    assert!(store.verify().unwrap().is_clean());
}

#[test]
fn panics_of_the_writer_are_caught_and_counted() {
    let disk = Disk::default();
    let opened = Arc::new(AtomicUsize::new(0));
    let (of_disk, count) = (disk.clone(), Arc::clone(&opened));
    let opener: Opener = Box::new(move || {
        // The second and third opening go wrong.
        let turn = count.fetch_add(1, Ordering::SeqCst);
        assert!(!(1..=2).contains(&turn), "injected");
        Store::open_on(of_disk.clone(), &settings(Path::new("disk")))
    });
    let (recorder, running, _) =
        Recorder::start_with(opener, 1000, pace(), Clock::system()).unwrap();
    disk.fill();
    let records = mixed(5, 100, 1_000);
    offer_all(&recorder, &records);
    until("panics", || recorder.health().panics == 2);
    disk.heal();
    until("written", || recorder.health().written == 100);
    assert_eq!(running.shutdown().dropped(), 0);
}

#[test]
fn a_batch_that_no_store_takes_is_dropped() {
    let broken = Arc::new(AtomicBool::new(false));
    let is_broken = Arc::clone(&broken);
    let disk = Disk::default();
    let opener: Opener = Box::new(move || {
        assert!(!is_broken.load(Ordering::SeqCst), "injected");
        Store::open_on(disk.clone(), &settings(Path::new("disk")))
    });
    let failing = Disk::default();
    let mut turn = 0;
    let mut opener = opener;
    let of_failing = failing.clone();
    let first_fails: Opener = Box::new(move || {
        turn += 1;
        if turn == 1 {
            Store::open_on(of_failing.clone(), &settings(Path::new("disk")))
        } else {
            opener()
        }
    });
    let (recorder, running, _) =
        Recorder::start_with(first_fails, 1000, pace(), Clock::system()).unwrap();
    broken.store(true, Ordering::SeqCst);
    failing.fail_at(1);
    let records = mixed(6, 60, 1_000);
    offer_all(&recorder, &records[..20]);
    until("dropped", || recorder.health().dropped_store_failed == 20);
    broken.store(false, Ordering::SeqCst);
    offer_all(&recorder, &records[20..]);
    until("written", || recorder.health().written == 40);
    assert_eq!(running.shutdown().dropped_store_failed, 20);
}

#[test]
fn what_is_too_much_is_trimmed_while_it_runs() {
    let disk = Disk::default();
    let mut settings = settings(Path::new("disk"));
    settings.keep_bytes = 40_000;
    let opener: Opener = Box::new(move || Store::open_on(disk.clone(), &settings));
    let pace = Pace {
        trim: Duration::from_millis(1),
        ..pace()
    };
    let (recorder, running, _) =
        Recorder::start_with(opener, 10_000, pace, Clock::system()).unwrap();
    offer_all(&recorder, &mixed(8, 1_500, 1_000));
    until("trimmed", || recorder.health().trimmed > 1_200);
    let left = ids(&recorder.reader()).len() as u64;
    assert!(left < 300 && recorder.health().is_ok(), "{left}");
    assert_eq!(running.shutdown().written, 1_500);
}

#[test]
fn a_store_that_does_not_open_is_no_start() {
    let opener: Opener = Box::new(|| Err(StoreError::InUse("x".into())));
    let started = Recorder::start_with(opener, 10, pace(), Clock::system());
    assert!(matches!(started, Err(StoreError::InUse(_))));
}

const MINUTE: u64 = 60_000_000_000;

#[test]
fn recent_statistics_are_of_the_last_hour() {
    let settings = settings(Path::new("memory"));
    let clock = Clock::manual(Moment(0), WallTime(0));
    let (recorder, _running, _) = Recorder::start_in_memory(&settings, clock).unwrap();
    let mut random = Random(7);
    for minute in 0..120 {
        let mut record = realistic(&mut random, WallTime(minute as i64 * 60_000_000), true);
        record.attempts[0].provider = "openai".into();
        record.attempts[0].model = Some("gpt".into());
        record.closed_at = Moment(minute * MINUTE);
        recorder.offer(record);
    }
    let now = Moment(119 * MINUTE);
    let of = |minutes: u64| {
        let rollup = recorder
            .recent()
            .of("openai", "gpt", now, Nanos(minutes * MINUTE));
        rollup.map_or(0, |rollup| rollup.exchanges())
    };
    assert_eq!(
        (of(15), of(60)),
        (20, 65),
        "rounded up to slots of five minutes"
    );
    assert_eq!(of(10_000), 65);
    assert_eq!(recorder.recent().last("openai", "gpt").len(), 32);
    assert_eq!(recorder.recent().last("openai", "gpt")[0].at, now);
    assert_eq!(
        recorder.recent().of("openai", "none", now, Nanos(MINUTE)),
        None
    );
}

/// On a disk of the system that really is full: `STORE_SUITE_SMALL_DISK` names a directory of a
/// file system with about 16 MB, such as a `tmpfs` mounted for it.
#[test]
#[ignore = "needs a file system of its own"]
fn a_disk_of_the_system_fills_and_is_freed() {
    let directory = std::env::var("STORE_SUITE_SMALL_DISK").unwrap();
    let directory = Path::new(&directory);
    let (path, filler) = (directory.join("store.redb"), directory.join("filler"));
    std::fs::write(&filler, vec![1; 12 << 20]).unwrap();
    let (recorder, running, _) = Recorder::start(&settings(&path), Clock::system()).unwrap();
    let records = mixed(9, 20_000, 1_000);
    let mut offered = 0;
    while recorder.health().is_ok() && offered < records.len() {
        offered += offer_all(
            &recorder,
            &records[offered..(offered + 500).min(records.len())],
        );
        until("taken", || {
            recorder.health().queue_len == 0 || !recorder.health().is_ok()
        });
    }
    let health = recorder.health();
    let State::Degraded { reason, .. } = &health.state else {
        unreachable!("the disk is full: {health:?}");
    };
    assert!(reason.contains("space"), "{health:?}");
    std::fs::remove_file(&filler).unwrap();
    let freed = std::time::Instant::now();
    until("written", || recorder.health().written == offered as u64);
    assert!(
        freed.elapsed() < Duration::from_secs(6),
        "{:?}",
        freed.elapsed()
    );
    assert_eq!(running.shutdown().dropped(), 0);
    let (mut store, _) = Store::open(&settings(&path), &Clock::system()).unwrap();
    assert!(store.verify().unwrap().is_clean());
    drop(store);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn what_is_known_of_routes_and_the_month_s_cost_are_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let (recorder, running, _) = Recorder::start(&settings(&path), Clock::system()).unwrap();
    let now = (Moment(900_000_000_000), Clock::system().wall());
    // Nothing is kept yet: everything is new.
    let fresh = kept::restored(&recorder.reader(), now);
    assert_eq!(fresh.with(|board| board.health.routes().count()), 0);
    let mut random = Random(4);
    let records: Vec<_> = (0..60)
        .map(|n| {
            let mut record = realistic(&mut random, now.1, true);
            record.cost = Some(PicoDollars(1_000_000 + n));
            Arc::new(record)
        })
        .collect();
    assert_eq!(offer_all(&recorder, &records), 60);
    until("every record on the disk", || {
        recorder.health().written == 60
    });
    let sum: u64 = (0..60).map(|n| 1_000_000 + n).sum();
    let spent = |wall| kept::spent(&recorder.reader(), wall).unwrap();
    assert_eq!(spent(now.1), PicoDollars(sum));
    assert_eq!(spent(now.1.plus_secs(40 * 86_400)), PicoDollars(0));
    // A key is refused, and money is spent; both are written and found a minute later.
    let route = RouteKey::new("openai", Some("m".into()));
    fresh.with(|board| {
        let ticket = board.health.begin(&route, None, now.0);
        let (class, until) = (ErrorClass::Auth, None);
        board
            .health
            .end(ticket, Event::Failed { class, until }, now.0, 0.5);
        board.spending.add(PicoDollars(77), now.1);
        board.spending.add_unpriced(now.1);
    });
    assert!(kept::write(&recorder, &fresh, now));
    let later = (now.0.plus(Nanos(60_000_000_000)), now.1.plus_secs(60));
    let check = |reader: &StoreReader| {
        kept::restored(reader, later).with(|board| {
            let condition = board.health.condition(&route, None, later.0);
            assert_eq!(condition.state, RouteState::CredentialHeld);
            assert_eq!(
                (condition.since, condition.why),
                (Some(now.0), Some("auth"))
            );
            let spent = board.spending.of_month(now.1);
            assert_eq!((spent.known, spent.unpriced), (PicoDollars(77), 1));
        });
    };
    check(&recorder.reader());
    // Copies of the store have it too.
    let copy = directory.path().join("copy.redb");
    assert_eq!(recorder.reader().backup(&copy).unwrap(), 0);
    check(&StoreReader::open(&copy).unwrap());
    running.shutdown();
}
