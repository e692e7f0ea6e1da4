//! Fills the disk under a running program: traffic goes on, what is dropped is counted, and recording resumes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tollgate::simulator::bare::Connection;

use super::canary::admin_of;
use super::program::{Home, Program, chat, config, records, simulator, until};

/// Calls while the disk is full: more than the writer and its queue hold.
const CALLS: usize = 2_000;
/// The least time in which recording must resume.
const RESUMED: Duration = Duration::from_secs(20);

/// A small file system in memory, gone when it is dropped.
struct Disk(PathBuf);

impl Disk {
    fn mounted(at: &Path) -> Result<Self, String> {
        Self::of_size(at, "2m")
    }

    fn of_size(at: &Path, size: &str) -> Result<Self, String> {
        fs::create_dir(at).unwrap();
        let size = format!("size={size}");
        mount(&["-t", "tmpfs", "-o", &size, "tollgate-test"], at)?;
        Ok(Self(at.to_owned()))
    }

    fn grow(&self) {
        mount(&["-o", "remount,size=64m"], &self.0).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A mount that stays is seen by whoever looks; a test cannot do more.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount(words: &[&str], at: &Path) -> Result<(), String> {
    let output = Command::new("mount").args(words).arg(at).output();
    let output = output.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success().then_some(()).ok_or(said)
}

/// Calls on four connections; every one must be answered well.
fn call(program: &Program, calls: usize, tag: &str) {
    let turn = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = Connection::open(program.address).unwrap();
                loop {
                    let turn = turn.fetch_add(1, Ordering::Relaxed);
                    if turn >= calls {
                        return;
                    }
                    let request = chat("sim:n-2", false, &format!("{tag}-{turn}"));
                    let reading = connection.exchange(&request).unwrap();
                    let said = || format!("{reading:?}\n{}", program.said());
                    assert_eq!(reading.status, 200, "{}", said());
                }
            });
        }
    });
}

/// Waits until the queue is taken in: it was full, and what comes has to have room.
fn taken_in(home: &Home) {
    let text = fs::read_to_string(home.config()).unwrap();
    until("an empty queue", || {
        let request = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
        let metrics = super::program::call(admin_of(&text), request)?.text();
        metrics.contains("\ntollgate_store_queue 0\n").then_some(())
    });
}

/// The number before ` records were dropped`.
fn dropped(said: &str) -> usize {
    let before = said
        .split_once(" records were dropped")
        .map(|(before, _)| before);
    let number = before.and_then(|text| text.rsplit(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[test]
fn a_limit_of_file_size_stops_no_traffic_and_recording_resumes() {
    let simulator = simulator();
    let home = Home::new(&config(&simulator, ""));
    let program = home.serve();
    call(&program, 50, "before");
    let limit = |current| {
        let hard = getrlimit(Resource::Fsize).maximum;
        let limit = Rlimit {
            current,
            maximum: hard,
        };
        prlimit(
            Some(Pid::from_child(&program.child)),
            Resource::Fsize,
            limit,
        )
        .unwrap();
    };
    let size = fs::metadata(home.store()).unwrap().len();
    limit(Some(size));
    let mut calls = 50;
    while !program.said().contains("no space is left") {
        call(&program, 100, &format!("filling-{calls}"));
        calls += 100;
        assert!(
            calls < 50_000,
            "the limit of {size} is never met: {}",
            program.said()
        );
    }
    assert!(program.said().contains("LimitFSIZE"), "{}", program.said());
    call(&program, CALLS, "full");
    calls += CALLS;
    limit(None);
    program.hear("takes records again");
    taken_in(&home);
    call(&program, 10, "after");
    calls += 10;
    let (status, said) = program.stop();
    assert_eq!(status.code(), Some(0), "{said}");
    let records = records(&home.store());
    let lost = dropped(&said);
    assert_eq!(
        records.len() + lost,
        calls,
        "every exchange is kept or counted: {said}"
    );
}

#[test]
fn a_full_disk_stops_no_traffic_and_recording_resumes() {
    let simulator = simulator();
    let config = config(&simulator, "").replace("{folder}/store", "{folder}/disk/store");
    let home = Home::new(&config);
    let disk = match Disk::mounted(&home.folder.join("disk")) {
        Ok(disk) => disk,
        Err(reason) => {
            println!("skipped, a small disk cannot be mounted: {reason}");
            return;
        }
    };
    let program = home.serve();
    let mut calls = 0;
    while !program.said().contains("no space is left") {
        call(&program, 100, &format!("filling-{calls}"));
        calls += 100;
    }
    let full_after = calls;
    let began = Instant::now();
    call(&program, CALLS, "full");
    calls += CALLS;
    let pace = CALLS as f64 / began.elapsed().as_secs_f64();
    disk.grow();
    let grown = Instant::now();
    let resumed_after = program.hear("takes records again").max(grown.elapsed());
    taken_in(&home);
    call(&program, 10, "after");
    calls += 10;
    let (status, said) = program.stop();
    assert_eq!(status.code(), Some(0), "{said}");
    let records = records(&home.folder.join("disk/store.redb"));
    let kept_after = records
        .iter()
        .filter(|record| record.tags.iter().any(|tag| tag.starts_with("after-")));
    assert_eq!(kept_after.count(), 10, "{said}");
    let lost = dropped(&said);
    assert!(lost > 0, "{said}");
    assert_eq!(
        records.len() + lost,
        calls,
        "every exchange is kept or counted: {said}"
    );
    println!(
        "disk full after {full_after} exchanges; then {CALLS} answered at {pace:.0}/s, {lost} of \
         {calls} records dropped and counted; recording resumed {resumed_after:?} after there \
         was space"
    );
    assert!(resumed_after <= RESUMED, "{resumed_after:?}");
}

#[test]
fn what_a_full_disk_keeps_out_of_the_store_is_told() {
    let simulator = simulator();
    let config = config(
        &simulator,
        "[models.m]\nroutes = [{ provider = \"sim\", model = \"sim:n-20\" }]",
    );
    let home = Home::new(&config.replace("{folder}/store", "{folder}/disk/store"));
    let disk = match Disk::of_size(&home.folder.join("disk"), "64k") {
        Ok(disk) => disk,
        Err(reason) => {
            println!("skipped, a small disk cannot be mounted: {reason}");
            return;
        }
    };
    let set = home.folder.join("set.jsonl");
    fs::write(&set, "{\"input\": \"a\", \"expected\": \"b\"}\n").unwrap();
    let (set, out) = (set.display(), home.folder.join("out"));
    let out = out.display();
    for (line, code, told) in [
        // Nothing else has what it measured.
        ("probe".to_owned(), 3, "1 of 1 records could not be stored"),
        (
            format!("bench --models m --iterations 3 --warm-ups 1 --out {out} --run b"),
            0,
            "4 of 4 records could not be stored",
        ),
        (
            format!("eval {set} --models m --scorer exact --out {out} --run e"),
            0,
            "unknown to `min_score`: no space is left",
        ),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let output = home.command(&words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        assert!(said.contains(told), "{line}: {said}");
        assert!(said.contains("no space is left"), "{line}: {said}");
        assert!(!said.contains("the store is in use"), "{line}: {said}");
    }
    // What is there cannot be put in order, and trying again would not do it.
    let report = || {
        let output = home.command(&["report", "runs"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = report();
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("no space is left to put it in order"),
        "{said}"
    );
    assert!(!said.contains("try again"), "{said}");
    disk.grow();
    let (code, said) = report();
    // In order, and empty: what was measured never got there.
    assert!(
        code != Some(3) && said.contains("no exchange in this window"),
        "{said}"
    );
}
