//! Wears the program out: many connections that break off anywhere, and long mixed load. Nothing may be left behind.
//!
//! Both tests take long and do nothing unless asked: `make soak`, or `TOLLGATE_SOAK=1` for the leak check and
//! `TOLLGATE_SOAK_MINUTES=10` for the load. `SOAK_CONNECTIONS` and `SEED` change them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::print_stdout,
    reason = "figures are printed for whoever reads them"
)]

#[expect(dead_code, reason = "it starts programs only")]
#[path = "support/ports.rs"]
mod ports;
#[expect(dead_code, reason = "the tests of robustness use all of it")]
#[path = "robust/program.rs"]
mod program;

#[path = "soak/inside.rs"]
mod inside;
#[path = "soak/load.rs"]
mod load;

use std::thread;
use std::time::{Duration, Instant};

use inside::{Admin, Inside};
use load::Load;
use program::{Home, Program, config, simulator, until};

/// Idle connections to the provider are let go of soon, so that none of them hides a leak.
const CONFIG: &str =
    "models = [\"*\"]\n[timeouts]\npool_idle = \"1s\"\n[limits]\nconnections = 4096\n";
/// Exchanges on each connection.
const EXCHANGES: usize = 50;
/// Connections at a time.
const AT_A_TIME: usize = 100;

/// A number from the environment.
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn seed() -> u64 {
    let seed = asked("SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    seed
}

fn start() -> (tollgate::simulator::Simulator, Home, Program, Inside) {
    let simulator = simulator();
    // A small cache of the store is full soon: the usual 16 MiB would look like growth for minutes.
    let text = config(&simulator, CONFIG)
        .replace("queue_max = 200", "queue_max = 65536\ncache = \"1MiB\"");
    let home = Home::new(&text);
    let program = home.serve();
    let inside = Inside {
        process: program.child.id(),
        provider: simulator.addr().port(),
        admin: Admin::of(&text),
    };
    (simulator, home, program, inside)
}

#[test]
fn connections_that_break_off_anywhere_leave_nothing_behind() {
    if asked("TOLLGATE_SOAK").is_none() {
        println!("skipped: set TOLLGATE_SOAK=1");
        return;
    }
    let connections = asked("SOAK_CONNECTIONS").unwrap_or(1000);
    let (_simulator, home, program, inside) = start();
    let load = Load::new(program.address, seed());
    // What a first use opens once and keeps is part of the baseline.
    load.run(20, 10, 10);
    settle(&inside, None);
    let baseline = inside.descriptors();
    let began = Instant::now();
    load.run(connections, EXCHANGES, AT_A_TIME);
    println!(
        "{connections} connections x {EXCHANGES} exchanges in {:?}: {}",
        began.elapsed(),
        load.told()
    );
    // Beyond its idle pool it has no connection to the provider, and that empties itself.
    settle(&inside, Some(baseline));
    println!(
        "afterwards: in flight 0, connections to the provider 0, descriptors {} of {baseline} \
         before, {} KiB",
        inside.descriptors(),
        inside.memory_kib()
    );
    let accepted = inside.admin.number("accepted");
    let (status, said) = program.stop();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    let records = program::records(&home.store()).len() as u64;
    assert_eq!(records, accepted, "one record for each exchange");
}

/// Waits until nothing is open that belongs to an exchange.
fn settle(inside: &Inside, descriptors: Option<usize>) {
    until("no exchange at work", || {
        (inside.admin.number("in_flight") == 0).then_some(())
    });
    until("no connection to the provider", || {
        (inside.connections_to_provider() == 0).then_some(())
    });
    if let Some(most) = descriptors {
        until("the descriptors of before", || {
            (inside.descriptors() <= most).then_some(())
        });
    }
}

#[test]
fn memory_stays_flat_under_mixed_load() {
    let Some(minutes) = asked("TOLLGATE_SOAK_MINUTES") else {
        println!("skipped: set TOLLGATE_SOAK_MINUTES to a number");
        return;
    };
    let (_simulator, _home, mut program, inside) = start();
    let load = Load::new(program.address, seed());
    let span = Duration::from_secs(60 * minutes);
    let interval = span / 20;
    let (began, mut points) = (Instant::now(), Vec::new());
    println!("    seconds    exchanges  in flight  descriptors  threads        KiB");
    thread::scope(|scope| {
        let working = scope.spawn(|| load.run_for(span, 32));
        while !working.is_finished() {
            let ended = program.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended, {ended:?}: {}", program.said());
            thread::sleep(interval.min(span.saturating_sub(began.elapsed()) + interval / 10));
            let at = began.elapsed().as_secs_f64();
            let memory = inside.memory_kib();
            points.push((at, memory as f64));
            println!(
                "{at:>11.0} {:>12} {:>10} {:>12} {:>8} {memory:>10}",
                inside.admin.number("accepted"),
                inside.admin.number("in_flight"),
                inside.descriptors(),
                inside.threads(),
            );
        }
    });
    println!("{}", load.told());
    // The first third fills caches, buffers and the figures of the last hour.
    let late: Vec<_> = points.split_off(points.len() / 3);
    let slope = inside::slope(&late) * 3600.0 / 1024.0;
    let mean = late.iter().map(|(_, kib)| kib).sum::<f64>() / late.len() as f64 / 1024.0;
    let grown = slope * (late[late.len() - 1].0 - late[0].0) / 3600.0;
    let flat = grown < GROWN_MAX_MIB;
    println!(
        "memory: {mean:.1} MiB in the last two thirds, {grown:+.2} MiB over them ({slope:+.1} MiB \
         an hour): {}",
        if flat { "flat" } else { "NOT FLAT" }
    );
    settle(&inside, None);
    assert!(flat, "{grown:.2} MiB more");
    assert_eq!(program.stop().0.code(), Some(0));
}

/// Growth that passes for none: pages of the store, and the allocator's own.
const GROWN_MAX_MIB: f64 = 8.0;
