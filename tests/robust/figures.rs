//! Measures what a start costs: the time to the first call carried, and the memory of a program at rest.

use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::program::{Home, Program, call, chat, config, simulator, until};

const STARTS: usize = 9;

/// Kilobytes of one line of `/proc/<pid>/status`.
fn kilobytes(program: &Program, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.child.id())).unwrap();
    let found = status.lines().find_map(|text| text.strip_prefix(line));
    let number = found.unwrap().trim_start_matches(':').trim();
    number.trim_end_matches("kB").trim().parse().unwrap()
}

/// How long the program had a processor so far.
fn processor_time(program: &Program) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", program.child.id())).unwrap();
    // Behind the name, which ends with the last parenthesis: its own time and the system's for it.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let hundredths = fields.split(' ').skip(11).take(2);
    let sum: u64 = hundredths.map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(10 * sum)
}

#[test]
fn a_start_is_soon_over_and_a_program_at_rest_is_small() {
    let simulator = simulator();
    let mut carried = Vec::new();
    let mut rests = Vec::new();
    let mut worked = Vec::new();
    for _ in 0..STARTS {
        let text = config(&simulator, "");
        let home = Home::new(&text);
        let port = text.split_once("listen = \"").unwrap().1;
        let address: SocketAddr = port.split('"').next().unwrap().parse().unwrap();
        let request = chat("sim:n-1", false, "first");
        let began = Instant::now();
        let caller = thread::spawn(move || {
            until("the first call", || {
                let reading = call(address, &request)?;
                assert_eq!(reading.status, 200, "{}", reading.text());
                Some(began.elapsed())
            })
        });
        let program = home.serve();
        carried.push(caller.join().unwrap());
        thread::sleep(Duration::from_millis(200));
        rests.push((kilobytes(&program, "VmRSS"), kilobytes(&program, "RssAnon")));
        worked.push(processor_time(&program));
        assert_eq!(program.stop().0.code(), Some(0));
    }
    carried.sort_unstable();
    rests.sort_unstable();
    worked.sort_unstable();
    let rest = rests[STARTS / 2];
    println!(
        "spawn to the first call carried: median {:?}, worst {:?}; at rest {} kB, of which {} kB \
         are its own and not the file's",
        carried[STARTS / 2],
        carried[STARTS - 1],
        rest.0,
        rest.1
    );
    // Bars are for a release build on a quiet machine: these only catch what is out of hand.
    // What others take of the processor's time is not the program's.
    assert!(worked[STARTS / 2] < Duration::from_secs(2), "{worked:?}");
    assert!(carried[STARTS / 2] < Duration::from_secs(20), "{carried:?}");
    assert!(rest.1 < 60_000, "{} kB", rest.1);
}
