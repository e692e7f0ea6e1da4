//! The journal beside the store: what a killed process wrote there is found again, once, and nothing else is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tollgate::clock::Clock;
use tollgate::edge::store::{Opened, Store, StoreReader, pack, unpack};
use tollgate::record::ExchangeRecord;
use tollgate::recorder::{Opener, Pace, Recorder};

use super::append::ids;
use super::records::{Random, arbitrary, mixed};
use super::settings;

fn open(path: &Path) -> (Store, Opened) {
    Store::open(&settings(path), &Clock::system()).unwrap()
}

fn files(path: &Path) -> [PathBuf; 2] {
    ["0", "1"].map(|turn| path.with_file_name(format!("store.redb.journal-{turn}")))
}

/// A new store beside whose file a journal with `records` lies, as a killed process leaves both.
fn left(path: &Path, committed: &[Arc<ExchangeRecord>], records: &[Arc<ExchangeRecord>]) {
    let (mut store, _) = open(path);
    let mut journal = store.journal().unwrap();
    for batch in records.chunks(7) {
        journal.add(batch).unwrap();
    }
    store.append(committed).unwrap();
}

/// Opens, holds the store sound, and says what was taken up and how many records there are.
fn taken(path: &Path) -> (u64, u64, Option<String>) {
    let (mut store, opened) = open(path);
    let verified = store.verify().unwrap();
    assert!(verified.is_clean(), "{verified:?}");
    assert_eq!(opened.moved_aside, None);
    (
        opened.replayed.records,
        verified.records,
        opened.replayed.left_out,
    )
}

#[test]
fn what_a_killed_process_left_is_taken_up_once() {
    let mut random = Random(17);
    let records: Vec<_> = (0..60).map(|_| Arc::new(arbitrary(&mut random))).collect();
    for committed in [0, 25, 60] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.redb");
        left(&path, &records[..committed], &records);
        let missing = 60 - committed as u64;
        assert_eq!(taken(&path), (missing, 60, None), "{committed}");
        let reader = StoreReader::open(&path).unwrap();
        for record in &records {
            let read = reader.detail(record.id).unwrap();
            assert_eq!(read.as_ref(), Some(&**record), "{committed}");
        }
        assert!(files(&path).iter().all(|file| !file.exists()));
        assert_eq!(taken(&path), (0, 60, None), "{committed}");
    }
}

#[test]
fn a_cut_tail_is_left_out_and_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let records = mixed(3, 12, 1_000);
    left(&path, &[], &records);
    let [file, _] = files(&path);
    let (store, whole) = (fs::read(&path).unwrap(), fs::read(&file).unwrap());
    let mut before = 0;
    for cut in (0..=whole.len()).step_by(11).chain([whole.len()]) {
        fs::write(&path, &store).unwrap();
        fs::write(&file, &whole[..cut]).unwrap();
        let (taken, there, told) = taken(&path);
        assert_eq!(taken, there, "{cut}");
        assert!(taken >= before, "{cut}: a longer journal holds no less");
        let torn = told.is_some_and(|told| told.contains("no whole entry"));
        assert!(torn || cut == 0 || taken > 0, "{cut}");
        before = taken;
    }
    assert_eq!(before, 12);
}

#[test]
fn no_flipped_bit_gets_into_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let records = mixed(4, 3, 1_000);
    left(&path, &[], &records);
    let [file, _] = files(&path);
    let (store, whole) = (fs::read(&path).unwrap(), fs::read(&file).unwrap());
    let mut random = Random(5);
    for _ in 0..40 {
        let bit = random.between(0, whole.len() as u64 * 8 - 1) as usize;
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &store).unwrap();
        fs::write(&file, &flipped).unwrap();
        let (taken, _, told) = taken(&path);
        assert!(taken < 3 && told.is_some(), "{bit}: {taken}, {told:?}");
        let reader = StoreReader::open(&path).unwrap();
        for id in ids(&reader) {
            let read = reader.detail(id).unwrap();
            let is_one = |record: &Arc<ExchangeRecord>| read.as_ref() == Some(&**record);
            assert!(records.iter().any(is_one), "{bit}");
        }
    }
}

#[test]
fn another_store_s_journal_is_refused_and_kept_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    left(&path, &[], &mixed(3, 5, 1_000));
    fs::remove_file(&path).unwrap();
    let (taken, there, told) = taken(&path);
    assert_eq!((taken, there), (0, 0));
    let told = told.unwrap();
    assert!(told.contains("another store's"), "{told}");
    let names = fs::read_dir(directory.path()).unwrap();
    let names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        names
            .iter()
            .any(|name| name.starts_with("store.redb.journal-0.corrupt-")),
        "{names:?}"
    );
}

#[test]
fn copies_are_the_same_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let records = mixed(6, 20, 1_000);
    left(&path, &records[..5], &records);
    let [file, _] = files(&path);
    let journal = fs::read(&file).unwrap();
    // Packing opens for writing, which takes the journal up; it is put back.
    let (store, _) = open(&path).0.compact().unwrap();
    drop(store);
    fs::write(&file, &journal).unwrap();
    assert_eq!(taken(&path), (0, 20, None));
}

#[test]
fn the_files_take_turns_and_are_their_owner_s_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let (store, _) = open(&path);
    let mut journal = store.journal().unwrap();
    let size = |turn: usize| fs::metadata(&files(&path)[turn]).map_or(0, |file| file.len());
    let records = mixed(6, 30, 1_000);
    journal.add(&records[..10]).unwrap();
    journal.turn();
    let first = size(0);
    journal.add(&records[10..20]).unwrap();
    assert!(size(0) == first && first > 0 && size(1) > 0);
    // The first one's commit is not over: nothing turns.
    journal.turn();
    journal.add(&records[20..]).unwrap();
    assert_eq!(size(0), first);
    journal.forget().unwrap();
    assert_eq!(size(0), 0);
    #[cfg(unix)]
    for file in files(&path) {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    // A reader leaves it as it is.
    let before = fs::read(&files(&path)[1]).unwrap();
    assert_eq!(ids(&StoreReader::open(&path).unwrap()).len(), 0);
    assert_eq!(fs::read(&files(&path)[1]).unwrap(), before);
    drop(store);
    assert_eq!(taken(&path), (20, 20, None));
}

fn until(what: &str, come: impl Fn() -> bool) {
    let came = (0..60_000).any(|_| {
        std::thread::sleep(Duration::from_millis(1));
        come()
    });
    assert!(came, "never came: {what}");
}

fn recorder(path: &Path, pace: Pace) -> (Recorder, tollgate::recorder::Running) {
    let settings = settings(path);
    let opener: Opener = Box::new(move || Store::open(&settings, &Clock::system()));
    let (recorder, running, _) =
        Recorder::start_with(opener, 1_000, pace, Clock::system()).unwrap();
    (recorder, running)
}

#[test]
fn records_are_in_the_journal_long_before_their_commit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let patient = Pace {
        wait: Duration::from_hours(1),
        age: Duration::from_hours(1),
        ..Pace::default()
    };
    let (recorder, running) = recorder(&path, patient);
    let records = mixed(8, 40, 1_000);
    for record in &records {
        assert!(recorder.offer(ExchangeRecord::clone(record)));
    }
    until("the journal", || files(&path)[0].exists());
    assert_eq!(recorder.health().written, 0);
    // What a kill would leave at this moment.
    let left = tempfile::tempdir().unwrap();
    let copy = left.path().join("store.redb");
    until("all of them", || {
        fs::copy(&path, &copy).unwrap();
        fs::copy(&files(&path)[0], &files(&copy)[0]).unwrap();
        taken(&copy) == (40, 40, None)
    });
    let health = running.shutdown();
    assert_eq!((health.written, health.unjournaled), (40, 0));
    assert!(files(&path).iter().all(|file| !file.exists()));
    assert_eq!(taken(&path), (0, 40, None));
}

#[test]
fn a_journal_that_cannot_be_written_stops_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    drop(open(&path));
    let (recorder, running) = recorder(&path, Pace::default());
    for file in files(&path) {
        fs::create_dir(file).unwrap();
    }
    let records = mixed(9, 30, 1_000);
    for record in &records {
        assert!(recorder.offer(ExchangeRecord::clone(record)));
    }
    until("written", || recorder.health().written == 30);
    let health = running.shutdown();
    assert_eq!((health.dropped(), health.unjournaled), (0, 30));
}

#[test]
fn what_is_packed_for_another_process_comes_whole_or_not_at_all() {
    let mut random = Random(23);
    let records: Vec<_> = (0..20).map(|_| arbitrary(&mut random)).collect();
    let packed = pack(&records);
    assert_eq!(unpack(&packed), Some(records));
    let one = pack(&[arbitrary(&mut random)]);
    let nothing = pack(&[]);
    for cut in nothing.len() + 1..one.len() {
        assert_eq!(unpack(&one[..cut]), None, "{cut}");
    }
    for _ in 0..200 {
        let mut flipped = one.clone();
        let bit = random.between(0, one.len() as u64 * 8 - 1) as usize;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(unpack(&flipped), None, "bit {bit}");
    }
    for other in [&b""[..], b"{}", b"tgjrnl1\n"] {
        assert_eq!(unpack(other), None);
    }
}
