//! Plays every fault at a bare socket, and judges what comes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::time::Duration;

use tollgate::simulator::bare::{self, Connection, ReadEnd, Reading};
use tollgate::simulator::{Config, Fault, PeerEnd, Simulator};

/// What a bare reader meets.
#[derive(Clone, Copy)]
struct Case {
    fault: Fault,
    words: &'static str,
    status: u16,
    end: ReadEnd,
    /// Token events that are whole, and whether the terminator came.
    body: (usize, bool),
    /// Bytes that stand in head or body.
    has: &'static [u8],
}

const fn case(fault: Fault, status: u16, end: ReadEnd, tokens: usize, done: bool) -> Case {
    Case {
        fault,
        words: "",
        status,
        end,
        body: (tokens, done),
        has: b"",
    }
}

const fn with(words: &'static str, has: &'static [u8], case: Case) -> Case {
    Case { words, has, ..case }
}

/// A stream of six tokens whose fault strikes at the fourth.
const BASE: &str = "n-6:at-3:for-60ms";

fn cases() -> Vec<Case> {
    use Fault::*;
    use ReadEnd::{Complete, Cut, Delimited, Malformed, Reset};
    vec![
        case(ResetBeforeHeaders, 0, Reset, 0, false),
        case(CloseBeforeHeaders, 0, Cut, 0, false),
        // On a fresh connection these two are good answers: see below.
        case(ResetReused, 200, Complete, 6, true),
        case(CloseReused, 200, Complete, 6, true),
        case(CloseAfterAnswer, 200, Complete, 6, true),
        case(ResetAfterAnswer, 200, Complete, 6, true),
        case(ResetAfterHeaders, 200, Reset, 0, false),
        case(CloseAfterHeaders, 200, Cut, 0, false),
        case(ResetMid, 200, Reset, 3, false),
        case(CloseMid, 200, Cut, 3, false),
        case(EndMid, 200, Complete, 3, false),
        case(PartialEvent, 200, Complete, 3, false),
        case(CloseDelimited, 200, Delimited, 6, true),
        case(CloseDelimitedNoDone, 200, Delimited, 6, false),
        case(MissingDone, 200, Complete, 6, false),
        case(MissingFinish, 200, Complete, 6, true),
        case(PendingLastEvent, 200, Complete, 6, true),
        with(
            "",
            b"after the terminator",
            case(JunkAfterDone, 200, Complete, 6, true),
        ),
        case(HalfClose, 200, Complete, 6, true),
        case(StallHeaders, 200, Complete, 6, true),
        case(StallFirstToken, 200, Complete, 6, true),
        case(StallMid, 200, Complete, 6, true),
        with("for-10us", b"", case(Drip, 200, Complete, 6, true)),
        case(TinyChunks, 200, Complete, 6, true),
        // Read for a while only.
        with("gap-1ms", b"", case(Endless, 200, Complete, 0, false)),
        with(
            "",
            b": flood\n\n: flood",
            case(CommentFlood, 200, Complete, 6, true),
        ),
        case(RoleThenSilence, 200, Cut, 0, false),
        case(EmptyStream, 200, Complete, 0, false),
        with(
            "",
            b"\"finish_reason\":\"stop\"",
            case(EmptyAnswer, 200, Complete, 0, true),
        ),
        case(DoneOnly, 200, Complete, 0, true),
        with(
            "",
            b"\r\nretry-after: 2\r\n",
            case(RateLimit, 429, Complete, 0, false),
        ),
        with(
            "",
            b" GMT\r\ncontent-length",
            case(RateLimitDate, 429, Complete, 0, false),
        ),
        with(
            "ra-1500ms",
            b"retry-after-ms: 1500",
            case(RateLimitMillis, 429, Complete, 0, false),
        ),
        with(
            "",
            b"rate_limit_exceeded",
            case(RateLimitBare, 429, Complete, 0, false),
        ),
        with(
            "",
            b"insufficient_quota",
            case(Quota, 429, Complete, 0, false),
        ),
        with(
            "",
            b"invalid_api_key",
            case(Unauthorized, 401, Complete, 0, false),
        ),
        with(
            "",
            b"permission_denied",
            case(Forbidden, 403, Complete, 0, false),
        ),
        with(
            "",
            b"model_not_found",
            case(NotFound, 404, Complete, 0, false),
        ),
        with(
            "",
            b"context_length_exceeded",
            case(ContextLength, 400, Complete, 0, false),
        ),
        with(
            "",
            b"content_policy",
            case(ContentFilter, 400, Complete, 0, false),
        ),
        with("", b"server_error", case(Http500, 500, Complete, 0, false)),
        case(Http502, 502, Complete, 0, false),
        case(Http503, 503, Complete, 0, false),
        case(Http504, 504, Complete, 0, false),
        with(
            "",
            b" 529 Overloaded\r\n",
            case(Http529, 529, Complete, 0, false),
        ),
        with(
            "code-418",
            b"teapot",
            case(HttpStatus, 418, Complete, 0, false),
        ),
        with("", b"<html>", case(HttpHtml, 502, Complete, 0, false)),
        with(
            "code-503",
            b"content-length: 0\r\n",
            case(HttpEmpty, 503, Complete, 0, false),
        ),
        with(
            "size-100k",
            b"content-length: 102400\r\n",
            case(HttpLarge, 500, Complete, 0, false),
        ),
        with(
            "code-307",
            b"location: http://",
            case(Redirect, 307, Complete, 0, false),
        ),
        with(
            "",
            b"application/json",
            case(ErrorIn200, 200, Complete, 0, false),
        ),
        with("", b"<html>", case(HtmlIn200, 200, Complete, 0, false)),
        case(ErrorFirst, 200, Complete, 0, false),
        case(ErrorFirstDone, 200, Complete, 0, true),
        with(
            "",
            b"data: {\"error\":",
            case(ErrorMid, 200, Complete, 3, false),
        ),
        with(
            "",
            b"data: {\"error\":",
            case(ErrorMidDone, 200, Complete, 3, true),
        ),
        with("", b"}\r\rdata: ", case(SseCr, 200, Complete, 6, true)),
        with(
            "",
            b"}\r\n\r\ndata: ",
            case(SseCrLf, 200, Complete, 6, true),
        ),
        with(
            "",
            b"\n\ndata:{\"id\"",
            case(SseNoSpace, 200, Complete, 6, true),
        ),
        with("", b"\xef\xbb\xbf", case(SseBom, 200, Complete, 6, true)),
        // Two token events run into one, which is no JSON.
        with(
            "",
            b"}\ndata: {",
            case(SseNoBlankLine, 200, Complete, 4, true),
        ),
        case(SseBadJson, 200, Complete, 5, true),
        with(
            "",
            b"\xff\xfe\xc3",
            case(SseBadUtf8, 200, Complete, 6, true),
        ),
        with("", b"\0", case(SseNul, 200, Complete, 6, true)),
        with(
            "size-200k",
            &[b'p'; 200 << 10],
            case(SseHugeLine, 200, Complete, 6, true),
        ),
        with(
            "",
            b"event: sim.unknown",
            case(SseUnknown, 200, Complete, 6, true),
        ),
        with(
            "",
            b"content-encoding: gzip",
            case(Gzip, 200, Complete, 0, false),
        ),
        with(
            "",
            b"content-encoding: deflate",
            case(Deflate, 200, Complete, 0, false),
        ),
        // Stored blocks: the events can be seen through them.
        with(
            "",
            b"content-encoding: br",
            case(Brotli, 200, Complete, 0, false),
        ),
        with(
            "",
            b"content-encoding: zstd",
            case(Zstd, 200, Complete, 0, false),
        ),
        with(
            "",
            b"content-encoding: gzip",
            case(GzipTruncated, 200, Complete, 0, false),
        ),
        with(
            "size-32m",
            b"content-encoding: gzip",
            case(GzipBomb, 200, Complete, 0, false),
        ),
        case(ChunkBadHex, 200, Malformed, 3, false),
        case(ChunkOverflow, 200, Malformed, 3, false),
        case(ChunkNoCrLf, 200, Malformed, 4, false),
        case(ChunkExtension, 200, Complete, 6, true),
        with(
            "",
            b"trailer: x-sim-trailer",
            case(Trailers, 200, Complete, 6, true),
        ),
        case(LengthShort, 200, Complete, 6, false),
        case(LengthLong, 200, Cut, 6, true),
        with(
            "",
            b"content-length: 5\r\ntransfer-enc",
            case(LengthAndChunked, 200, Complete, 6, true),
        ),
        case(TwoLengths, 200, Complete, 6, true),
        case(BadStatusLine, 0, Malformed, 0, false),
        case(BadHeader, 0, Malformed, 0, false),
        with(
            "size-5k",
            b"hhhhhhhh",
            case(HugeHeader, 200, Complete, 6, true),
        ),
        with(
            "",
            b"\r\nx-many-499: 499\r\n",
            case(ManyHeaders, 200, Complete, 6, true),
        ),
        case(EarlyHintsFlood, 200, Complete, 6, true),
        case(EarlyHints, 200, Complete, 6, true),
        case(FakeUpgrade, 101, Complete, 0, false),
        case(NoContentWithBody, 204, Complete, 0, false),
        case(NotModifiedWithBody, 304, Complete, 0, false),
        case(NoContentType, 200, Complete, 6, true),
        with(
            "",
            b"content-type: application/json",
            case(WrongContentType, 200, Complete, 6, true),
        ),
        with("", b"HTTP/1.0 200", case(Http10, 200, Delimited, 6, true)),
        with(
            "",
            b"-2026-01-31-other\"",
            case(ModelChanged, 200, Complete, 6, true),
        ),
        case(UsageMissing, 200, Complete, 6, true),
        with("", b"\"usage\":{", case(UsageTwice, 200, Complete, 6, true)),
        with(
            "",
            b"\"completion_tokens\":0,",
            case(UsageZero, 200, Complete, 6, true),
        ),
        case(UsageEveryEvent, 200, Complete, 6, true),
        with(
            "",
            b"\"prompt_tokens_details\":null",
            case(UsageNullDetails, 200, Complete, 6, true),
        ),
        // Told by the path, as the body is not read: see below.
        with("", b"", case(EarlyResponse, 413, Complete, 0, false)),
    ]
}

fn request(fault: Fault, words: &str, stream: bool) -> Vec<u8> {
    let model = format!("sim:{BASE}:fault-{}:{words}", fault.name());
    let body = format!(
        "{{\"model\":\"{model}\",\"stream\":{stream},\"stream_options\":{{\"include_usage\":true}},\
         \"messages\":[{{\"role\":\"user\",\"content\":\"hello\"}}]}}"
    );
    let path = match fault {
        Fault::EarlyResponse => "/sim:fault-early_response/v1/chat/completions",
        _ => "/v1/chat/completions",
    };
    bare::post(path, "", &body)
}

/// Events with a content delta that are whole JSON, and whether the terminator came.
fn judge(reading: &Reading) -> (usize, bool) {
    let mut tokens = 0;
    let mut done = false;
    for event in String::from_utf8_lossy(&reading.body)
        .replace("\r\n", "\n")
        .replace('\r', "\n")
        .split("\n\n")
    {
        let data: Vec<_> = event
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .collect();
        let data = data.join("\n");
        done |= data.trim() == "[DONE]";
        let json: Option<serde_json::Value> = serde_json::from_str(&data).ok();
        let content = json
            .as_ref()
            .and_then(|json| json.pointer("/choices/0/delta/content"));
        let text = content.and_then(|content| content.as_str());
        tokens += usize::from(text.is_some_and(|text| !text.is_empty()));
    }
    (tokens, done)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty()
        || haystack
            .windows(needle.len())
            .any(|window| window == needle)
}

#[test]
fn every_fault_shows_what_it_says() {
    let simulator = Simulator::start(Config::default()).unwrap();
    let cases = cases();
    for fault in Fault::ALL {
        assert!(
            cases.iter().any(|case| case.fault == *fault),
            "{} has no case",
            fault.name()
        );
    }
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| play(&simulator, case).err())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Plays a case; what is not as expected is told.
fn play(simulator: &Simulator, case: &Case) -> Result<(), String> {
    let name = case.fault.name();
    let mut connection = Connection::open(simulator.addr()).unwrap();
    connection.silence(Duration::from_secs(30)).unwrap();
    let request = request(case.fault, case.words, true);
    let most = if case.fault == Fault::Endless {
        20_000
    } else {
        usize::MAX
    };
    let reading = connection.exchange_until(&request, most).unwrap();
    let all = [&reading.head[..], &reading.body].concat();
    let tell = |what: &str| {
        let text = String::from_utf8_lossy(&all[..all.len().min(3000)]).into_owned();
        Err(format!(
            "{name}: {what}: {} {:?}: {text}",
            reading.status, reading.end
        ))
    };
    if (reading.status, reading.end) != (case.status, case.end) {
        return tell("status or end");
    }
    if !contains(&all, case.has) {
        return tell("bytes");
    }
    let coded = contains(&all, b"content-encoding");
    let judged = judge(&reading);
    let enough = case.fault == Fault::Endless && judged.0 > 50;
    if judged != case.body && !coded && !enough {
        return tell(&format!("tokens and terminator {judged:?}"));
    }
    let played = simulator.requests().pop().unwrap().fault;
    let reused = matches!(case.fault, Fault::ResetReused | Fault::CloseReused);
    if played == (!reused).then_some(name) {
        Ok(())
    } else {
        tell("fault noted")
    }
}

#[test]
fn faults_of_whole_answers_show_too() {
    let simulator = Simulator::start(Config::default()).unwrap();
    for (fault, status, end) in [
        (Fault::ResetBeforeHeaders, 0, ReadEnd::Reset),
        (Fault::ResetAfterHeaders, 200, ReadEnd::Reset),
        (Fault::ResetMid, 200, ReadEnd::Reset),
        (Fault::CloseMid, 200, ReadEnd::Cut),
        (Fault::StallMid, 200, ReadEnd::Complete),
        (Fault::StallHeaders, 200, ReadEnd::Complete),
        (Fault::Drip, 200, ReadEnd::Complete),
        (Fault::TinyChunks, 200, ReadEnd::Complete),
        (Fault::ChunkBadHex, 200, ReadEnd::Malformed),
        (Fault::LengthShort, 200, ReadEnd::Complete),
        (Fault::LengthLong, 200, ReadEnd::Cut),
        (Fault::CloseDelimited, 200, ReadEnd::Delimited),
        (Fault::Gzip, 200, ReadEnd::Complete),
        (Fault::Http503, 503, ReadEnd::Complete),
        (Fault::UsageMissing, 200, ReadEnd::Complete),
    ] {
        let words = if fault == Fault::Drip { "for-10us" } else { "" };
        let reading = bare::stream(simulator.addr(), &request(fault, words, false)).unwrap();
        assert_eq!(
            (reading.status, reading.end),
            (status, end),
            "{}",
            fault.name()
        );
    }
}

#[test]
fn a_reused_connection_breaks_as_it_is_told() {
    let simulator = Simulator::start(Config::default()).unwrap();
    for (fault, first, second) in [
        (Fault::ResetReused, ReadEnd::Complete, ReadEnd::Reset),
        (Fault::CloseReused, ReadEnd::Complete, ReadEnd::Cut),
        (Fault::CloseAfterAnswer, ReadEnd::Complete, ReadEnd::Cut),
    ] {
        let mut connection = Connection::open(simulator.addr()).unwrap();
        let request = request(fault, "for-0", true);
        let reading = connection.exchange(&request).unwrap();
        assert_eq!(reading.end, first, "{}", fault.name());
        assert_ne!(reading.header("connection"), Some("close"));
        std::thread::sleep(Duration::from_millis(30));
        // The write may fail already: the connection is closed under it.
        let end = connection
            .exchange(&request)
            .map_or(ReadEnd::Cut, |reading| reading.end);
        let closed = fault == Fault::CloseAfterAnswer && end == ReadEnd::Reset;
        assert!(end == second || closed, "{}: {end:?}", fault.name());
    }
}

#[test]
fn stalls_last_as_long_as_they_are_told() {
    let simulator = Simulator::start(Config::default()).unwrap();
    for (fault, event) in [
        (Fault::StallHeaders, 0),
        (Fault::StallFirstToken, 1),
        (Fault::StallMid, 4),
    ] {
        let reading = bare::stream(simulator.addr(), &request(fault, "for-80ms", true)).unwrap();
        let at: Vec<_> = reading.events().iter().map(|event| event.at).collect();
        let before = if event == 0 {
            reading.sent_at
        } else {
            at[event - 1]
        };
        let silence = at[event].since(before).as_millis();
        assert!(
            (75.0..20_000.0).contains(&silence),
            "{}: {silence}",
            fault.name()
        );
    }
}

#[test]
fn an_early_response_does_not_wait_for_the_body() {
    let simulator = Simulator::start(Config::default()).unwrap();
    let mut connection = Connection::open(simulator.addr()).unwrap();
    let head = b"POST /sim:fault-early_response:code-400/v1/files HTTP/1.1\r\nhost: x\r\n\
                 content-length: 100000000\r\n\r\n";
    connection.socket().write_all(head).unwrap();
    let reading = connection.exchange(&vec![0; 100_000]).unwrap();
    assert_eq!(
        (reading.status, reading.header("connection")),
        (400, Some("close"))
    );
}

#[test]
fn a_cancel_is_seen_at_once() {
    let simulator = Simulator::start(Config::default()).unwrap();
    let body = "{\"model\":\"sim:n-1000:gap-30s\",\"stream\":true,\"messages\":[]}";
    let request = bare::post("/v1/chat/completions", "x-sim-id: cancelled\r\n", body);
    let mut connection = Connection::open(simulator.addr()).unwrap();
    connection.exchange_until(&request, 300).unwrap();
    let left = tollgate::clock::Clock::system().now();
    drop(connection);
    for _ in 0..2_000 {
        if simulator.open_connections() == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let truth = simulator.truth("cancelled").unwrap();
    let (at, end) = truth.peer_end.unwrap();
    assert_eq!((end, simulator.open_connections()), (PeerEnd::Fin, 0));
    // The next token would have come half a minute later.
    assert!(at.since(left).as_millis() < 20_000.0);
    assert!(truth.finished_at.is_some());
}
