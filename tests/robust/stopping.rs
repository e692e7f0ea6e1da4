//! Tells the program to stop while it works: nothing that it carries is cut, and nothing is forgotten.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tollgate::record::Outcome;
use tollgate::simulator::bare::{Connection, ReadEnd};

use super::canary::admin_of;
use super::program::{Home, Program, call, chat, config, records, simulator, until};

const STREAMS: usize = 30;
const IDLE: usize = 5;
/// A stream of one and a half seconds, and one of an hour.
const LONG: &str = "sim:ft-20ms:gap-50ms:n-30";
const ENDLESS: &str = "sim:ft-5ms:gap-1s:n-3600";

/// What is not waited for is over by then, on a machine that has much else to do too: half of the
/// time that a drain may take.
const SOON: Duration = Duration::from_secs(15);

/// Starts `count` streams; each gives the reading of its whole answer.
fn streams(
    program: &Program,
    model: &'static str,
    count: usize,
) -> Vec<thread::JoinHandle<tollgate::simulator::bare::Reading>> {
    (0..count)
        .map(|number| {
            let mut connection = program.connect();
            let request = chat(model, true, &format!("stream-{number}"));
            thread::spawn(move || connection.exchange(&request).unwrap())
        })
        .collect()
}

#[test]
fn streams_in_flight_end_whole_and_idle_connections_are_closed() {
    let simulator = simulator();
    let home = Home::new(&config(&simulator, ""));
    let program = home.serve();
    let mut idle: Vec<Connection> = (0..IDLE).map(|_| program.connect()).collect();
    for (number, connection) in idle.iter_mut().enumerate() {
        let reading = connection.exchange(&chat("sim:n-2", false, &format!("idle-{number}")));
        assert_eq!(reading.unwrap().status, 200);
    }
    let streams = streams(&program, LONG, STREAMS);
    until("every stream at the provider", || {
        let begun = |number: &usize| simulator.truth(&format!("stream-{number}")).is_some();
        (0..STREAMS).all(|number| begun(&number)).then_some(())
    });
    program.signal(Signal::TERM);
    let told = Instant::now();
    for connection in idle {
        let mut socket = connection.socket();
        assert_eq!(
            socket.read(&mut [0; 64]).unwrap(),
            0,
            "an idle connection was closed"
        );
    }
    let idle_after = told.elapsed();
    until("new connections refused", || {
        TcpStream::connect(program.address).err()
    });
    let refused_after = told.elapsed();
    // The admin plane says meanwhile that no more work is wanted here, and how far it is.
    let text = std::fs::read_to_string(home.config()).unwrap();
    let look = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        call(admin_of(&text), request.as_bytes()).unwrap()
    };
    let ready = look("/readyz");
    assert_eq!(ready.status, 503, "{}", ready.text());
    assert!(
        ready.text().contains("\"stopping\":true"),
        "{}",
        ready.text()
    );
    let metrics = look("/metrics").text();
    assert!(metrics.contains("tollgate_in_flight "), "{metrics}");
    for (number, stream) in streams.into_iter().enumerate() {
        let reading = stream.join().unwrap();
        let truth = simulator.truth(&format!("stream-{number}")).unwrap();
        assert_eq!((reading.status, reading.end), (200, ReadEnd::Complete));
        assert_eq!(
            reading.body.len() as u64,
            truth.body_bytes,
            "stream {number}"
        );
        assert!(
            reading.body.ends_with(b"data: [DONE]\n\n"),
            "stream {number}"
        );
    }
    let streams_after = told.elapsed();
    let (status, said) = program.ended();
    let ended_after = told.elapsed();
    assert_eq!(status.code(), Some(0), "{said}");
    let records = records(&home.store());
    assert_eq!(records.len(), STREAMS + IDLE);
    assert!(records.iter().all(|record| record.outcome == Outcome::Ok));
    println!(
        "SIGTERM with {STREAMS} streams: {IDLE} idle connections closed after {idle_after:?}, \
         connections refused after {refused_after:?}, streams whole after {streams_after:?}, \
         ended after {ended_after:?}"
    );
    let further = ended_after.saturating_sub(streams_after);
    assert!(
        idle_after < SOON && further < SOON,
        "{idle_after:?}, {further:?}"
    );
}

#[test]
fn a_signal_right_at_the_start_ends_it_in_order() {
    let simulator = simulator();
    let home = Home::new(&config(&simulator, ""));
    for signal in [Signal::TERM, Signal::INT] {
        // As soon as it listens, and before it waits for anything.
        let program = home.serve();
        program.signal(Signal::HUP);
        program.signal(signal);
        let (status, said) = program.ended();
        assert_eq!(status.code(), Some(0), "{signal:?}: {status} {said}");
    }
}

#[test]
fn a_second_signal_ends_it_though_the_store_hangs() {
    for signal in [Signal::TERM, Signal::INT] {
        let simulator = simulator();
        let home = Home::new(&config(&simulator, ""));
        let program = home.serve();
        // Every write of the store to the disk hangs from here on.
        let Some(hanging) = Hanging::begin(&program) else {
            println!("skipped: strace is not there, or may not trace");
            return;
        };
        let reading = program.connect().exchange(&chat("sim:n-2", false, "lost"));
        assert_eq!(reading.unwrap().status, 200, "traffic goes on");
        program.signal(Signal::TERM);
        program.hear("drained");
        let told = Instant::now();
        program.signal(signal);
        program.hear("1 records are not in it");
        let after = told.elapsed();
        // It ends in this moment; its tracer holds on to the thread that it delays.
        drop(hanging);
        let (status, said) = program.ended();
        assert_eq!(status.code(), Some(3), "{signal:?}: {said}");
        assert!(after < SOON, "{signal:?}: {after:?}");
        println!("a store that hangs, {signal:?} again: ended after {after:?}");
    }
}

/// A disk that hangs for one program, as long as this lives.
struct Hanging(Child);

impl Hanging {
    fn begin(program: &Program) -> Option<Self> {
        let mut child = Command::new("strace")
            .args(["-f", "-e", "trace=fsync,fdatasync"])
            .args(["-e", "inject=fsync,fdatasync:delay_enter=60000000"])
            .args(["-p", &program.child.id().to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        let mut said = BufReader::new(child.stderr.take()?);
        let mut line = String::new();
        said.read_line(&mut line).ok()?;
        let attached = line.contains("attached");
        // It must not wait for a reader of what it says.
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let hanging = Self(child);
        attached.then_some(hanging)
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        // It may have ended with the program.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What makes the program give up its streams.
struct Case {
    name: &'static str,
    more: &'static str,
    signals: &'static [Signal],
}

#[test]
fn streams_that_do_not_end_are_cut_in_the_end_and_recorded() {
    for case in [
        Case {
            name: "a second SIGTERM",
            more: "",
            signals: &[Signal::TERM, Signal::TERM],
        },
        Case {
            name: "a second signal, SIGINT both",
            more: "",
            signals: &[Signal::INT, Signal::INT],
        },
        Case {
            name: "the end of the drain time",
            more: "[timeouts]\ndrain = \"300ms\"\n",
            signals: &[Signal::TERM],
        },
    ] {
        let name = case.name;
        let simulator = simulator();
        let home = Home::new(&config(&simulator, case.more));
        let program = home.serve();
        let streams = streams(&program, ENDLESS, 5);
        until("first tokens written", || {
            let tokens = |number| Some(simulator.truth(&format!("stream-{number}"))?.body_bytes);
            (0..5)
                .all(|number| tokens(number) > Some(300))
                .then_some(())
        });
        let idle = program.connect();
        for signal in case.signals {
            program.signal(*signal);
            program.hear("draining");
            // Neither waits for the streams: these do not end.
            let mut socket = idle.socket();
            let closed = socket.read(&mut [0; 64]).map_err(|error| error.kind());
            assert!(
                matches!(closed, Ok(0) | Err(ErrorKind::ConnectionReset)),
                "{name}: an idle connection was closed: {closed:?}"
            );
            until("new connections refused", || {
                TcpStream::connect(program.address).err()
            });
        }
        let told = Instant::now();
        let (status, said) = program.ended();
        assert_eq!(status.code(), Some(0), "{name}: {said}");
        let after = told.elapsed();
        assert!(after < SOON, "{name}: {after:?}");
        for stream in streams {
            let reading = stream.join().unwrap();
            let text = reading.text();
            assert!(!text.contains("[DONE]"), "{name}: passed for whole: {text}");
            let told = text.contains("\"code\":\"shutting_down\"");
            assert!(told, "{name}: {:?} {text}", reading.end);
            assert_eq!(reading.end, ReadEnd::Complete, "{name}: in order: {text}");
        }
        let records = records(&home.store());
        assert_eq!(records.len(), 5, "{name}");
        let shutdown =
            |record: &tollgate::record::ExchangeRecord| record.outcome == Outcome::Shutdown;
        assert!(
            records.iter().all(shutdown),
            "{name}: {:?}",
            records[0].outcome
        );
        println!("{name}: ended after {after:?}");
    }
}
