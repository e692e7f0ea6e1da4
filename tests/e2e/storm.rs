//! One record for every exchange, whatever happens to it, also when everything happens at once.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use fastrand::Rng;
use tollgate::record::{Moment, Outcome};
use tollgate::simulator::bare::ReadEnd;

use super::marks::assert_in_order;
use crate::support::records::until;
use crate::support::{Ask, Rig};

const SEED: u64 = 0x57_0a_12;
const EXCHANGES: usize = 300;
const CLIENTS: usize = 12;

/// What a client does with its answer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Client {
    Reads,
    /// Leaves before anything came.
    LeavesAtOnce,
    /// Leaves after so many bytes.
    LeavesAfter(usize),
}

/// One of the exchanges: what is asked, how the client behaves, and how it must be recorded.
fn draw(rng: &mut Rng) -> (Ask, Client, Outcome) {
    let tokens = rng.u32(1..30);
    let at = rng.u32(0..tokens);
    let model = |words: &str| format!("sim:gap-1ms:n-{tokens}:at-{at}:{words}");
    let provider = ["/oa", "/inj"][rng.usize(..2)];
    let (words, stream, client, outcome) = match rng.u32(0..17) {
        0 | 1 => ("", true, Client::Reads, Outcome::Ok),
        2 => ("", false, Client::Reads, Outcome::Ok),
        3 => ("fault-gzip", true, Client::Reads, Outcome::Ok),
        4 => (
            "fault-reset_before_headers",
            true,
            Client::Reads,
            Outcome::UpstreamError,
        ),
        5 => (
            "fault-close_before_headers",
            false,
            Client::Reads,
            Outcome::UpstreamError,
        ),
        6 => (
            "ft-5ms:fault-close_mid",
            true,
            Client::Reads,
            Outcome::Truncated,
        ),
        7 => ("fault-end_mid", true, Client::Reads, Outcome::Truncated),
        8 => ("fault-missing_done", true, Client::Reads, Outcome::Ok),
        9 => ("fault-error_mid", true, Client::Reads, Outcome::InBandError),
        10 => (
            "fault-rate_limit",
            rng.bool(),
            Client::Reads,
            Outcome::RateLimited,
        ),
        11 => (
            "fault-http_500+http_503+http_html",
            rng.bool(),
            Client::Reads,
            Outcome::UpstreamError,
        ),
        12 => (
            "fault-redirect",
            rng.bool(),
            Client::Reads,
            Outcome::UpstreamError,
        ),
        13 => (
            "fault-chunk_bad_hex",
            true,
            Client::Reads,
            Outcome::Truncated,
        ),
        14 => (
            "ft-30s",
            rng.bool(),
            Client::LeavesAtOnce,
            Outcome::ClientGone,
        ),
        15 => (
            "n-100000",
            true,
            Client::LeavesAfter(rng.usize(1..9000)),
            Outcome::ClientGone,
        ),
        _ => (
            "hd-30s:ft-30s",
            true,
            Client::LeavesAtOnce,
            Outcome::ClientGone,
        ),
    };
    (
        Ask::chat(&model(words), stream).to(provider),
        client,
        outcome,
    )
}

#[test]
fn a_storm_leaves_one_record_for_each_exchange() {
    println!("seed {SEED:#x}");
    let rig = Rig::start();
    let asked: Vec<BTreeMap<String, (Outcome, String)>> = std::thread::scope(|scope| {
        let clients = (0..CLIENTS).map(|number| {
            let rig = &rig;
            scope.spawn(move || {
                let mut rng = Rng::with_seed(SEED ^ number as u64);
                let mut connection = rig.connect();
                let mut asked = BTreeMap::new();
                for _ in 0..EXCHANGES / CLIENTS {
                    let (ask, client, outcome) = draw(&mut rng);
                    let name = String::from_utf8_lossy(ask.json()).into_owned();
                    asked.insert(ask.tag.clone(), (outcome, name));
                    if client == Client::Reads {
                        let reading = connection.exchange(&ask.bytes()).unwrap();
                        let again = reading.end == ReadEnd::Complete
                            && reading.header("connection") != Some("close");
                        if !again {
                            connection = rig.connect();
                        }
                    } else {
                        leave(rig, &ask, client);
                    }
                }
                asked
            })
        });
        let clients: Vec<_> = clients.collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });
    let expected: BTreeMap<_, _> = asked.into_iter().flatten().collect();
    assert_eq!(expected.len(), EXCHANGES);
    until("every record", || {
        (rig.records.count() >= EXCHANGES as u64).then_some(())
    });
    let mut counts: BTreeMap<Outcome, usize> = BTreeMap::new();
    let mut findings = Vec::new();
    for record in rig.records.all() {
        *counts.entry(record.outcome).or_default() += 1;
        let (outcome, name) = &expected[record.tags[0].as_str()];
        if record.outcome != *outcome {
            findings.push(format!(
                "{name}: expected {outcome:?}, found {:?}",
                record.outcome
            ));
        }
    }
    println!("{counts:?}");
    assert!(
        findings.is_empty(),
        "{} findings\n{}",
        findings.len(),
        findings.join("\n")
    );
    assert_eq!(counts.values().sum::<usize>(), EXCHANGES);
    assert_eq!(
        rig.node().shared.counts(),
        (EXCHANGES as u64, EXCHANGES as u64)
    );
}

/// Asks on a connection of its own and leaves it.
fn leave(rig: &Rig, ask: &Ask, client: Client) {
    let mut stream = TcpStream::connect(rig.addr()).unwrap();
    stream.write_all(&ask.bytes()).unwrap();
    let Client::LeavesAfter(enough) = client else {
        // A request that nobody has read is no exchange.
        until("the provider to have it", || {
            rig.simulator
                .truth(&ask.tag)
                .and_then(|truth| truth.received_at)
        });
        return;
    };
    let (mut read, mut buffer) = (0, [0; 1024]);
    while read < enough {
        read += stream.read(&mut buffer).unwrap();
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_and_recorded_each() {
    let rig = Rig::start();
    let asks: Vec<Ask> = (0..20)
        .map(|n| Ask::chat(&format!("sim:n-{}", n + 1), n % 2 == 0))
        .collect();
    let mut connection = rig.connect();
    let mut socket = connection.socket().try_clone().unwrap();
    let all: Vec<u8> = asks.iter().flat_map(Ask::bytes).collect();
    socket.write_all(&all).unwrap();
    for (number, ask) in asks.iter().enumerate() {
        let reading = connection.read(Moment(0), false, usize::MAX);
        assert_eq!(
            (reading.status, reading.end),
            (200, ReadEnd::Complete),
            "{number}"
        );
        let tokens = reading.text().matches("\"content\":\"").count();
        // Of a stream, each token and the role; of a whole answer the one content.
        let expected = if number % 2 == 0 { number + 2 } else { 1 };
        assert_eq!(tokens, expected, "{number}: {}", reading.text());
        let record = rig.record(ask);
        assert_eq!(record.outcome, Outcome::Ok, "{number}");
        assert_in_order(&record.attempts[0], "pipelined");
    }
}

#[test]
fn what_is_refused_is_recorded_too() {
    let rig = Rig::configured("[limits]\nrequest_body = \"64KiB\"");
    for (name, ask, status, reason) in [
        (
            "no JSON",
            Ask::chat("sim", true).body("{"),
            400,
            "invalid_request",
        ),
        (
            "too large",
            Ask::chat("sim", true).body(vec![b' '; 70_000]),
            413,
            "request_too_large",
        ),
        (
            "no such model",
            Ask::chat("nobodys", true).to(""),
            404,
            "model_not_found",
        ),
        (
            "no such route",
            Ask::chat("sim", true).header("x-tollgate-route", "x"),
            400,
            "unknown_route",
        ),
        (
            "another host",
            Ask::chat("sim", true).header("origin", "http://evil"),
            403,
            "origin_not_allowed",
        ),
        (
            "no provider",
            Ask::new("GET", "/v1/files").to(""),
            404,
            "no_provider",
        ),
        (
            "websocket",
            Ask::new("GET", "/v1/realtime").header("upgrade", "websocket"),
            426,
            "websocket_unsupported",
        ),
    ] {
        let reading = rig.send(&ask);
        assert_eq!(reading.status, status, "{name}: {}", reading.text());
        let record = rig.record(&ask);
        assert_eq!(record.outcome, Outcome::Rejected, "{name}");
        assert_eq!(
            (record.status, record.reason.as_str()),
            (Some(status), reason),
            "{name}"
        );
        assert!(record.attempts.is_empty(), "{name}");
        assert_eq!(reading.header("x-proxy-error"), Some(reason), "{name}");
        let id = record.id.to_string();
        assert_eq!(
            reading.header("x-tollgate-exchange"),
            Some(id.as_str()),
            "{name}"
        );
    }
    assert_eq!(rig.simulator.request_count(), 0);
}

#[test]
fn what_is_at_work_when_the_node_stops_is_settled_as_shutdown() {
    let mut rig = Rig::start();
    let ask = Ask::chat("sim:gap-10ms:n-5000", true);
    let mut stream = TcpStream::connect(rig.addr()).unwrap();
    stream.write_all(&ask.bytes()).unwrap();
    until("its beginning", || {
        rig.simulator
            .truth(&ask.tag)
            .filter(|truth| truth.writes.len() > 5)
    });
    rig.stop();
    let record = rig.record(&ask);
    assert_eq!(record.outcome, Outcome::Shutdown);
    let mut rest = Vec::new();
    // The connection ends; how is the kernel's matter.
    let _ = stream.read_to_end(&mut rest);
}
