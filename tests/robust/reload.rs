//! Changes the config of a running program in every way, under traffic: no request notices.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::process::Signal;
use tollgate::simulator::bare::{Connection, ReadEnd};

use super::program::{Home, Program, call, chat, config, simulator, until};

/// How a new config gets there.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// The file is written anew.
    Written,
    /// Another file takes its name, as editors do.
    Renamed,
    /// It lies elsewhere, where nobody watches, and SIGHUP tells of it.
    Hangup,
    /// What is written is no config.
    Bad(&'static str),
}

const CHANGES: &[Way] = &[
    Way::Written,
    Way::Renamed,
    Way::Bad("[server\n"),
    Way::Renamed,
    Way::Bad("[serverr]\n"),
    Way::Written,
    Way::Hangup,
    Way::Bad("[providers.nowhere]\n"),
    Way::Hangup,
];

/// The number of the config in force: only with it is that model known.
fn has(program: &Program, number: usize) -> bool {
    let request = chat(&format!("missing-{number}"), false, "probe");
    call(program.address, &request).unwrap().status == 200
}

fn change(home: &Home, way: Way, text: &str) {
    let (path, other) = (home.config(), home.folder.join("elsewhere"));
    match way {
        Way::Written | Way::Bad(_) => fs::write(path, text).unwrap(),
        Way::Renamed => {
            let new = home.folder.join("new");
            fs::write(&new, text).unwrap();
            fs::rename(new, path).unwrap();
        }
        Way::Hangup => {
            fs::create_dir_all(&other).unwrap();
            fs::write(other.join("real.toml"), text).unwrap();
            if !path.is_symlink() {
                symlink(other.join("real.toml"), home.folder.join("link")).unwrap();
                fs::rename(home.folder.join("link"), path).unwrap();
            }
        }
    }
}

fn traffic(program: &Program, over: &AtomicBool, tag: &str) -> usize {
    let mut calls = 0;
    let mut connection = Connection::open(program.address).unwrap();
    while !over.load(Ordering::Relaxed) {
        let stream = calls % 2 == 1;
        let request = chat("sim:ft-1ms:gap-1ms:n-4", stream, &format!("{tag}-{calls}"));
        let reading = connection.exchange(&request).unwrap();
        assert_eq!((reading.status, reading.end), (200, ReadEnd::Complete));
        calls += 1;
    }
    calls
}

/// Ends the traffic, also where the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn configs_change_under_traffic_and_bad_ones_change_nothing() {
    let simulator = simulator();
    let plain = config(&simulator, "");
    let home = Home::new(&plain);
    let with = |number: usize| {
        let route = "{ provider = \"sim\", model = \"sim:n-2\" }";
        let text = format!("{plain}[models.missing-{number}]\nroutes = [{route}]\n");
        text.replace("{folder}", &home.folder.display().to_string())
    };
    let program = home.serve();
    let (over, failed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let calls = thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|client| {
                let (program, over) = (&program, &over);
                scope.spawn(move || traffic(program, over, &format!("c{client}")))
            })
            .collect();
        let _over = Over(&over);
        let mut force = None;
        for (number, way) in CHANGES.iter().enumerate() {
            let refusals = program.said().matches("config not reloaded").count();
            let text = match way {
                Way::Bad(text) => (*text).to_owned(),
                _ => with(number),
            };
            change(&home, *way, &text);
            if home.config().is_symlink() {
                program.signal(Signal::HUP);
            }
            if let Way::Bad(_) = way {
                until("the refusal in the log", || {
                    let now = program.said().matches("config not reloaded").count();
                    (now > refusals).then_some(())
                });
            } else {
                until("the new config in force", || {
                    has(&program, number).then_some(())
                });
                assert!(force.is_none_or(|old| !has(&program, old)), "{way:?}");
                force = Some(number);
            }
            assert!(has(&program, force.unwrap()), "after {way:?}");
        }
        over.store(true, Ordering::Relaxed);
        let calls: usize = clients
            .into_iter()
            .map(|client| {
                client.join().unwrap_or_else(|_| {
                    failed.fetch_add(1, Ordering::Relaxed);
                    0
                })
            })
            .sum();
        calls
    });
    let said = program.said();
    assert_eq!(failed.into_inner(), 0, "{said}");
    for reason in ["tollgate.toml:1", "serverr", "base_url"] {
        assert!(said.contains(reason), "{reason} in {said}");
    }
    println!("{} configs under {calls} calls: 0 failed", CHANGES.len());
    let (status, said) = program.stop();
    assert_eq!(status.code(), Some(0), "{said}");
}
