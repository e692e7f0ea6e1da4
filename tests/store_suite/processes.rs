//! Several processes on one store, and the killing of one: this test's own program, run again.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tollgate::clock::Clock;
use tollgate::edge::store::{Store, StoreReader};

use super::append::ids;
use super::records::{Random, mixed};
use super::{seeds, settings};

/// Records of a batch that the child writes.
const BATCH: usize = 10;

fn run(job: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::child", "--ignored", "--nocapture"])
        .env("STORE_SUITE_JOB", job)
        .env("STORE_SUITE_PATH", path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn said(job: &str, path: &Path) -> String {
    let output = run(job, path).wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text
        .lines()
        .find_map(|line| line.split_once("SAID "))
        .unwrap();
    line.1.to_owned()
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nSAID {line}").unwrap();
    out.flush().unwrap();
}

#[test]
#[ignore = "the other process of the tests beside it"]
fn child() {
    let Ok(job) = std::env::var("STORE_SUITE_JOB") else {
        return;
    };
    let path = std::env::var("STORE_SUITE_PATH").unwrap();
    let path = Path::new(&path);
    match job.as_str() {
        "read" => say(&ids(&StoreReader::open(path).unwrap()).len().to_string()),
        "open" => match Store::open(&settings(path), &Clock::system()) {
            Ok(_) => say("opened"),
            Err(error) => say(&error.to_string()),
        },
        _ => {
            let (mut store, _) = Store::open(&settings(path), &Clock::system()).unwrap();
            let seed = store.records().unwrap();
            for (turn, batch) in mixed(seed, 4_000, 1_000).chunks(BATCH).enumerate() {
                store.append(batch).unwrap();
                say(&turn.to_string());
            }
        }
    }
}

#[test]
fn a_second_process_reads_and_does_not_write() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let (mut store, _) = Store::open(&settings(&path), &Clock::system()).unwrap();
    for (turn, batch) in mixed(31, 300, 1_000).chunks(100).enumerate() {
        store.append(batch).unwrap();
        assert_eq!(said("read", &path), ((turn + 1) * 100).to_string());
    }
    let refused = said("open", &path);
    assert!(refused.contains("in use by another tollgate"), "{refused}");
    drop(store);
    assert_eq!(said("read", &path), "300");
    assert_eq!(said("open", &path), "opened");
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let mut random = Random(77);
    let mut before = 0;
    for kill in 0..seeds(6) {
        let mut child = run("write", &path);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged = lines
            .map_while(Result::ok)
            .filter(|line| line.contains("SAID "))
            .take(random.between(1, 60) as usize)
            .count();
        child.kill().unwrap();
        child.wait().unwrap();
        // A reader needs no repair by a writer.
        let read = ids(&StoreReader::open(&path).unwrap()).len();
        assert!(
            read >= before + acknowledged * BATCH,
            "kill {kill}: acknowledged is lost"
        );
        assert_eq!(read % BATCH, 0, "kill {kill}: a batch is torn");
        let (mut store, opened) = Store::open(&settings(&path), &Clock::system()).unwrap();
        assert_eq!(opened.moved_aside, None);
        let verified = store.verify().unwrap();
        assert!(verified.is_clean(), "kill {kill}: {verified:?}");
        before = verified.records as usize;
        assert_eq!(before, read);
    }
}
