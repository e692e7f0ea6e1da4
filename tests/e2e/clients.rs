//! Clients that go away, that read slowly, and that do not read at all.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tollgate::clock::Clock;
use tollgate::record::{CancelledBy, End, ErrorClass, Mark, Nanos, Oddity, Outcome, TokenSource};
use tollgate::simulator::{Framing, Script, Simulator, Then};

use super::marks::assert_in_order;
use crate::support::program::Program;
use crate::support::records::until;
use crate::support::rig::{KEY, simulator};
use crate::support::{Ask, Rig};

/// What is asserted of the median delay; what is aimed at (10 ms) is only printed: the machine is
/// noisy.
const CANCEL_MAX: Duration = Duration::from_millis(250);
/// And of each: the provider would not have said its next word, or its last one, by then.
const CANCEL_EACH_MAX: Duration = Duration::from_secs(15);

/// How a client goes.
#[derive(Debug, Clone, Copy)]
enum Leaving {
    Fin,
    Reset,
}

/// How much of its answer it has seen by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    Headers,
    Tokens,
}

/// Sends the request, and reads until that much has come.
fn begin(rig: &Rig, ask: &Ask, seen: Seen) -> TcpStream {
    let mut stream = TcpStream::connect(rig.addr()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.write_all(&ask.bytes()).unwrap();
    if seen == Seen::Nothing {
        until("the provider to have the request", || {
            rig.simulator
                .truth(&ask.tag)
                .and_then(|truth| truth.received_at)
        });
        return stream;
    }
    let wanted = if seen == Seen::Headers {
        "\r\n\r\n"
    } else {
        "\"content\":\""
    };
    let (mut text, mut buffer, mut found) = (String::new(), [0; 4096], 0);
    // The role's event has an empty content too.
    while found < if seen == Seen::Tokens { 4 } else { 1 } {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "ended early: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        found = text.matches(wanted).count();
    }
    stream
}

fn leave(stream: TcpStream, how: Leaving) {
    match how {
        Leaving::Fin => stream.shutdown(Shutdown::Both).unwrap(),
        Leaving::Reset => {
            // Lingering for no time makes closing a reset.
            socket2::SockRef::from(&stream)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
        }
    }
    drop(stream);
}

#[test]
fn a_client_that_goes_takes_the_providers_work_with_it() {
    let rig = Rig::start();
    let mut delays = Vec::new();
    for round in 0..5 {
        for how in [Leaving::Fin, Leaving::Reset] {
            for (seen, ask) in [
                (Seen::Nothing, Ask::chat("sim:hd-20s:ft-20s:n-3", true)),
                (Seen::Nothing, Ask::chat("sim:ft-20s:n-3", false)),
                (Seen::Headers, Ask::chat("sim:ft-20s:n-3", true)),
                (Seen::Headers, Ask::chat("sim:ft-20s:n-3", true).to("/inj")),
                (Seen::Tokens, Ask::chat("sim:gap-10ms:n-5000", true)),
                (
                    Seen::Tokens,
                    Ask::chat("sim:gap-10ms:n-5000", true).to("/inj"),
                ),
            ] {
                let place = format!("{round}: {how:?} having seen {seen:?}");
                let stream = begin(&rig, &ask, seen);
                let left_at = Clock::system().now();
                leave(stream, how);
                let (record, truth) = (rig.record(&ask), rig.truth(&ask));
                let (closed_at, _) = truth.peer_end.unwrap_or_else(|| panic!("{place}: unseen"));
                let delay = Duration::from_nanos(closed_at.since(left_at).0);
                assert!(
                    delay < CANCEL_EACH_MAX,
                    "{place}: upstream closed after {delay:?}"
                );
                delays.push(delay);
                assert_eq!(record.outcome, Outcome::ClientGone, "{place}");
                assert_eq!(record.attempts.len(), 1, "{place}");
                let attempt = &record.attempts[0];
                assert_eq!(attempt.cancelled_by, Some(CancelledBy::Client), "{place}");
                assert_eq!(attempt.end, Some(End::ClientGone), "{place}");
                assert_eq!(attempt.error_class, None, "{place}");
                assert_eq!(record.status.is_some(), seen != Seen::Nothing, "{place}");
                assert!(
                    attempt.maybe_billed,
                    "{place}: the provider may bill what it did"
                );
                assert_in_order(attempt, &place);
                for mark in [
                    Mark::PoolWait,
                    Mark::SendStart,
                    Mark::RequestSent,
                    Mark::Closed,
                ] {
                    assert!(attempt.timeline.get(mark).is_some(), "{place}: no {mark:?}");
                }
                if seen == Seen::Tokens {
                    assert!(
                        record.tokens.usage.output.is_some_and(|n| n >= 3),
                        "{place}"
                    );
                    assert_eq!(record.tokens.source, Some(TokenSource::Chunks), "{place}");
                    assert!(attempt.timeline.get(Mark::FirstToken).is_some(), "{place}");
                    assert!(attempt.timeline.get(Mark::Done).is_none(), "{place}");
                    let written = attempt.timeline.get(Mark::ClientFirstToken);
                    assert!(written.is_some(), "{place}");
                    assert!(record.own.first_token.is_some(), "{place}");
                }
            }
        }
    }
    delays.sort_unstable();
    println!(
        "client gone → provider sees it: median {:?}, p99 {:?}, worst {:?}, n = {}",
        delays[delays.len() / 2],
        delays[delays.len() * 99 / 100],
        delays[delays.len() - 1],
        delays.len()
    );
    assert!(delays[delays.len() / 2] < CANCEL_MAX, "{delays:?}");
}

/// Requests sent at once on one connection are answered one after the other: the wait behind the
/// answers before it is no delay of ours.
#[test]
fn the_wait_behind_an_answer_on_the_same_connection_is_no_delay() {
    let rig = Rig::start();
    let asks = [0, 1, 2].map(|_| Ask::chat("sim:ft-1500ms:n-4", true));
    let mut stream = TcpStream::connect(rig.addr()).unwrap();
    let requests: Vec<u8> = asks.iter().flat_map(Ask::bytes).collect();
    stream.write_all(&requests).unwrap();
    for ask in &asks {
        let record = rig.record(ask);
        assert_eq!(record.outcome, Outcome::Ok);
        let own = record.own.inbound.unwrap();
        assert!(own < Nanos::from_millis(1_200), "{own:?}");
        assert_in_order(&record.attempts[0], "pipelined");
    }
}

/// One chunk of HTTP's with these events.
fn framed(events: &str) -> Bytes {
    format!("{:x}\r\n{events}\r\n", events.len()).into()
}

/// Sends the request, reads until `wanted` has come, and leaves.
fn leave_at(rig: &Rig, ask: &Ask, wanted: &str, how: Leaving) {
    let mut stream = TcpStream::connect(rig.addr()).unwrap();
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).unwrap();
    stream.write_all(&ask.bytes()).unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !text.contains(wanted) {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "ended early: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    leave(stream, how);
}

/// Most SDKs close where they have read the last event, or an error, and do not wait for the end of
/// the body, which a provider may send a while later: they did not leave before the end.
#[test]
fn a_client_that_closes_at_the_last_event_has_not_left() {
    const CHAT: &str = "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\
        \"finish_reason\":null}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    const DONE: &str = "data: [DONE]\n\n";
    const FAILED: &str = "data: {\"error\":{\"message\":\"boom\",\"type\":\"server_error\"}}\n\n";
    const MESSAGE: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5}}}\n\n\
        event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
        event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n\
        event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
        event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}}\n\n\
        event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    const MALFORMED: &str = "data: {\"candidates\":[{\"index\":0,\"content\":{\"parts\":[{\"text\":\"a\"}]},\
        \"finishReason\":\"MALFORMED_FUNCTION_CALL\"}]}\n\n";
    let rig = Rig::configured(
        "[providers.ge]\ndialect = \"gemini\"\nbase_url = \"http://{sim}\"\napi_key = \"{key}\"\n",
    );
    let ok = (Some(End::Complete), None, Outcome::Ok);
    let error = |end| {
        (
            Some(end),
            Some(ErrorClass::ServerError),
            Outcome::InBandError,
        )
    };
    for (provider, body, wanted, ended) in [
        ("/oa", format!("{CHAT}{DONE}"), "[DONE]", ok),
        ("/inj", format!("{CHAT}{DONE}"), "[DONE]", ok),
        ("/an", MESSAGE.to_owned(), "[DONE]", ok),
        (
            "/oa",
            format!("{CHAT}{FAILED}"),
            "boom",
            error(End::ErrorEvent),
        ),
        (
            "/ge",
            MALFORMED.to_owned(),
            "malformed",
            error(End::Complete),
        ),
        // Before its end it has.
        (
            "/oa",
            CHAT.to_owned(),
            "stop",
            (Some(End::ClientGone), None, Outcome::ClientGone),
        ),
    ] {
        for how in [Leaving::Fin, Leaving::Reset] {
            let place = format!("{provider}, {wanted}, {how:?}");
            let script = Script {
                head: "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                       transfer-encoding: chunked\r\n\r\n"
                    .into(),
                body: vec![
                    (Nanos(0), framed(&body)),
                    (Nanos(80_000_000), Bytes::from_static(b"0\r\n\r\n")),
                ],
                framing: Framing::AsGiven,
                then: Then::KeepAlive,
            };
            rig.simulator.play("ends-late", script);
            let ask = Ask::chat("ends-late", true).to(provider);
            leave_at(&rig, &ask, wanted, how);
            let record = rig.record(&ask);
            let attempt = record.attempts.last().unwrap();
            let seen = (attempt.end, attempt.error_class, record.outcome);
            assert_eq!(seen, ended, "{place}");
            let left = record.outcome == Outcome::ClientGone;
            let by = Some(CancelledBy::Client).filter(|_| left);
            assert_eq!(attempt.cancelled_by, by, "{place}");
            // The body's end was waited for: its connection goes on.
            let closed = rig.truth(&ask).peer_end.is_some();
            assert_eq!(closed, left, "{place}");
            rig.forget();
        }
    }
}

/// `drain`: what was asked of the provider is read on, so that the record has what it is billed.
#[test]
fn an_answer_is_read_on_for_its_usage_when_its_client_goes() {
    let rig = Rig::configured("[failover]\nclient_gone = \"drain\"\n");
    for how in [Leaving::Fin, Leaving::Reset] {
        for (seen, ask, tokens) in [
            (Seen::Nothing, Ask::chat("sim:ft-300ms:n-7", false), 7),
            (
                Seen::Nothing,
                Ask::chat("sim:hd-300ms:ft-300ms:n-8", true).to("/inj"),
                8,
            ),
            (
                Seen::Headers,
                Ask::chat("sim:ft-300ms:n-9", true).to("/inj"),
                9,
            ),
            (
                Seen::Tokens,
                Ask::chat("sim:gap-10ms:n-60", true).to("/inj"),
                60,
            ),
            (Seen::Tokens, Ask::chat_with_usage("sim:gap-10ms:n-50"), 50),
            (Seen::Headers, Ask::messages("sim:ft-300ms:n-6", true), 6),
        ] {
            let place = format!("{how:?} having seen {seen:?}, {tokens} tokens");
            leave(begin(&rig, &ask, seen), how);
            let (record, truth) = (rig.record(&ask), rig.truth(&ask));
            assert_eq!(record.outcome, Outcome::ClientGone, "{place}");
            let [attempt] = &record.attempts[..] else {
                panic!("{place}: {} attempts", record.attempts.len())
            };
            assert_eq!(attempt.cancelled_by, Some(CancelledBy::Client), "{place}");
            assert_eq!(attempt.end, Some(End::Complete), "{place}");
            assert_eq!(attempt.error_class, None, "{place}");
            assert!(attempt.oddities.contains(&Oddity::ReadOn), "{place}");
            assert_eq!(record.tokens.usage.output, Some(tokens), "{place}");
            let source = record.tokens.source;
            assert!(
                matches!(
                    source,
                    Some(TokenSource::Usage | TokenSource::UsageInjected)
                ),
                "{place}: {source:?}"
            );
            assert!(attempt.response_bytes > record.response_bytes, "{place}");
            assert_in_order(attempt, &place);
            assert!(truth.finished_at.is_some(), "{place}");
        }
    }
}

/// A whole answer that was held back for another route's sake is there when its client is not.
#[test]
fn a_held_answer_has_its_usage_when_its_client_goes() {
    let model = "sim:ft-300ms:n-7";
    let rig = Rig::configured(&format!(
        "[failover]\nclient_gone = \"drain\"\n\
         [models.\"{model}\"]\nroutes = [{{ provider = \"oa\" }}, {{ provider = \"inj\" }}]\n"
    ));
    let ask = Ask::chat(model, false).to("");
    leave(begin(&rig, &ask, Seen::Nothing), Leaving::Fin);
    let record = rig.record(&ask);
    assert_eq!(record.outcome, Outcome::ClientGone);
    let [attempt] = &record.attempts[..] else {
        panic!("{} attempts", record.attempts.len())
    };
    assert_eq!(attempt.cancelled_by, Some(CancelledBy::Client));
    assert_eq!(attempt.end, Some(End::Complete));
    assert_eq!(record.tokens.usage.output, Some(7));
    assert_eq!(record.tokens.source, Some(TokenSource::Usage));
    assert!(attempt.response_bytes > 0);
}

/// Reading on has an end, in time and in bytes, and nobody fails over for a client that has gone.
#[test]
fn reading_on_has_its_limits() {
    let rig = Rig::configured(
        "[failover]\nclient_gone = \"drain\"\ndrain_time = \"300ms\"\ndrain_bytes = \"8KiB\"\n\
         [timeouts]\nfirst_token = \"50ms\"\n\
         [models.\"sim:ft-20s:n-5\"]\nroutes = [{ provider = \"oa\" }, { provider = \"inj\" }]\n",
    );
    for (seen, ask) in [
        (Seen::Nothing, Ask::chat("sim:ft-20s:n-3", false)),
        (Seen::Headers, Ask::chat("sim:ft-20s:n-3", true)),
        (Seen::Tokens, Ask::chat("sim:gap-1ms:n-100000", true)),
        (Seen::Nothing, Ask::chat("sim:ft-20s:n-5", true).to("")),
    ] {
        let place = String::from_utf8_lossy(ask.json()).into_owned();
        leave(begin(&rig, &ask, seen), Leaving::Fin);
        let (record, truth) = (rig.record(&ask), rig.truth(&ask));
        assert_eq!(record.outcome, Outcome::ClientGone, "{place}");
        assert_eq!(record.attempts.len(), 1, "{place}");
        assert!(truth.finished_at.is_some(), "{place}");
        let read_on = record.attempts[0].response_bytes - record.response_bytes;
        assert!(read_on < 80 * 1024, "{place}: {read_on}");
    }
}

#[test]
fn a_client_that_goes_while_it_uploads() {
    let rig = Rig::start();
    for (ask, attempts) in [
        // An inference body is read whole first: no provider hears of it.
        (Ask::chat("sim", true), 0),
        (
            Ask::new("POST", "/v1/files").header("content-type", "application/octet-stream"),
            1,
        ),
    ] {
        let mut stream = TcpStream::connect(rig.addr()).unwrap();
        stream.write_all(&ask.head(Some(1_000_000))).unwrap();
        stream.write_all(&vec![b' '; 100_000]).unwrap();
        if attempts == 1 {
            until("the upload's beginning", || rig.simulator.truth(&ask.tag));
        }
        leave(stream, Leaving::Fin);
        let record = rig.record(&ask);
        assert_eq!(record.outcome, Outcome::ClientGone);
        assert_eq!(record.attempts.len(), attempts);
    }
}

#[test]
fn an_upload_that_stands_still_is_its_clients_matter() {
    let rig = Rig::configured("[timeouts]\nrequest_body = \"400ms\"\nsilence = \"60s\"\n");
    for ask in [
        Ask::chat("sim", true),
        Ask::new("POST", "/v1/files").header("content-type", "application/octet-stream"),
    ] {
        let mut stream = TcpStream::connect(rig.addr()).unwrap();
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        stream.write_all(&ask.head(Some(1_000_000))).unwrap();
        stream.write_all(&vec![b' '; 100_000]).unwrap();
        let mut said = String::new();
        let _ = stream.read_to_string(&mut said);
        assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
        assert!(said.contains("timeouts.request_body"), "{said}");
        let record = rig.record(&ask);
        assert!(!record.outcome.is_route_failure(), "{:?}", record.outcome);
        assert!(record.response_bytes > 0);
    }
}

#[test]
fn a_slow_reader_slows_the_provider_and_fills_no_memory() {
    // What lies between a provider that writes and a client that does not read: socket buffers
    // of the kernel on both sides, and little else.
    const BETWEEN_MAX: u64 = 24 << 20;
    let rig = Rig::start();
    for provider in ["/oa", "/inj"] {
        let ask = Ask::chat("sim:cb-256k:n-800", true).to(provider);
        let mut stream = TcpStream::connect(rig.addr()).unwrap();
        stream.write_all(&ask.bytes()).unwrap();
        // The provider's writes come to rest although it has 200 MB to say.
        let mut last = (0, Instant::now());
        until("the provider's writes to come to rest", || {
            let written = rig
                .simulator
                .truth(&ask.tag)
                .map_or(0, |truth| truth.body_bytes);
            if written != last.0 {
                last = (written, Instant::now());
            }
            (written > 0 && last.1.elapsed() > Duration::from_millis(300)).then_some(())
        });
        assert!(
            last.0 < BETWEEN_MAX,
            "{provider}: {} bytes taken ahead of the client",
            last.0
        );
        // Read a little: a little more is taken.
        let mut read = 0;
        let mut buffer = vec![0; 64 << 10];
        while read < 8 << 20 {
            read += stream.read(&mut buffer).unwrap() as u64;
        }
        let written = rig.simulator.truth(&ask.tag).unwrap().body_bytes;
        assert!(
            written < read + BETWEEN_MAX,
            "{provider}: {written} bytes written, {read} read"
        );
        // Others are served meanwhile.
        let other = Ask::chat("sim:n-3", true);
        assert_eq!(rig.send(&other).status, 200);
        println!(
            "{provider}: {} KiB taken ahead of a client that does not read",
            last.0 >> 10
        );
        leave(stream, Leaving::Fin);
        let record = rig.record(&ask);
        assert_eq!(record.outcome, Outcome::ClientGone);
    }
}

#[test]
fn slow_readers_cost_little_memory_each() {
    // 256 MB are on their way to each. What they cost is buffers, and what the allocator keeps
    // of a burst; benches judge the figure, this test that it is none of the 256 MB.
    const STREAMS: u64 = 40;
    const EACH_MAX_KIB: u64 = 4 * 1024;
    let simulator = Simulator::start(simulator()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let providers = format!(
        "[providers.oa]\nbase_url = \"http://{}/v1\"\napi_key = \"{KEY}\"",
        simulator.addr()
    );
    let proxy = Program::serve(folder.path(), &providers);
    let mut streams = Vec::new();
    let mut memory_with = |count: u64| {
        while (streams.len() as u64) < count {
            let ask = Ask::chat("sim:cb-64k:n-4000", true);
            let mut stream = TcpStream::connect(&proxy.address).unwrap();
            stream.write_all(&ask.bytes()).unwrap();
            streams.push((ask, stream));
        }
        let mut last = (0, Instant::now());
        until("the providers' writes to come to rest", || {
            let truths = streams
                .iter()
                .filter_map(|(ask, _)| simulator.truth(&ask.tag));
            let written = truths.map(|truth| truth.body_bytes).sum::<u64>();
            if written != last.0 {
                last = (written, Instant::now());
            }
            (last.1.elapsed() > Duration::from_millis(300)).then_some(())
        });
        proxy.memory_kib()
    };
    let before = memory_with(0);
    let after = memory_with(STREAMS);
    let each = after.saturating_sub(before) / STREAMS;
    println!("{STREAMS} clients that do not read: {each} KiB each, over {before} KiB");
    assert!(each <= EACH_MAX_KIB, "{each} KiB each");
}

#[test]
fn a_client_that_stops_reading_is_cut() {
    let rig = Rig::configured("[timeouts]\nclient_write = \"300ms\"\nrequest_headers = \"200ms\"");
    for ask in [
        Ask::chat("sim:cb-256k:n-800", true),
        Ask::chat("sim:cb-256k:n-800", false),
    ] {
        let mut stream = TcpStream::connect(rig.addr()).unwrap();
        stream.write_all(&ask.bytes()).unwrap();
        let record = rig.record(&ask);
        assert_eq!(record.outcome, Outcome::ClientGone);
        assert_eq!(record.status, Some(200));
        let truth = rig.truth(&ask);
        assert!(truth.peer_end.is_some() || truth.body_bytes > 0);
        // The connection is gone, not only the exchange.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    }
}
