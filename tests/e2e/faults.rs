//! Every fault of a provider, what the client gets of it, and what is recorded.

use serde_json::{Value, json};
use tollgate::record::{End, ErrorClass as Class, ExchangeRecord, Mark, Oddity, Outcome};
use tollgate::simulator::Truth;
use tollgate::simulator::bare::{ReadEnd, Reading};

use super::marks::assert_in_order;
use crate::support::{Ask, Rig};

/// What the client gets.
#[derive(Debug, Clone, Copy)]
enum Client {
    /// The provider's status, and its body to the last byte.
    Passed(u16),
    /// What the provider sent, then this error in-band, and a clean end.
    InBand(&'static str),
    /// A success that breaks off.
    Broken,
    /// An error of Tollgate's own.
    Own(u16, &'static str),
}

use Client::{Broken, InBand, Own, Passed};

/// One fault and what must come of it.
struct Row {
    ask: Ask,
    name: String,
    client: Client,
    outcome: Outcome,
    end: End,
    class: Option<Class>,
}

fn row(ask: Ask, name: &str, client: Client, outcome: Outcome, end: End) -> Row {
    Row {
        ask,
        name: name.to_owned(),
        client,
        outcome,
        end,
        class: None,
    }
}

impl Row {
    fn class(self, class: Class) -> Self {
        Self {
            class: Some(class),
            ..self
        }
    }
}

/// A streamed chat that meets `fault`.
fn stream(fault: &str, client: Client, outcome: Outcome, end: End) -> Row {
    let ask = Ask::chat_with_usage(&format!("sim:n-6:gap-2ms:fault-{fault}"));
    row(ask, &format!("stream {fault}"), client, outcome, end)
}

/// A whole chat that meets `fault`.
fn whole(fault: &str, client: Client, outcome: Outcome, end: End) -> Row {
    let ask = Ask::chat(&format!("sim:n-6:fault-{fault}"), false);
    row(ask, &format!("whole {fault}"), client, outcome, end)
}

fn messages(fault: &str, client: Client, outcome: Outcome, end: End) -> Row {
    let ask = Ask::messages(&format!("sim:n-6:gap-2ms:fault-{fault}"), true);
    row(ask, &format!("messages {fault}"), client, outcome, end)
}

fn responses(fault: &str, client: Client, outcome: Outcome, end: End) -> Row {
    let ask = Ask::responses(&format!("sim:n-6:gap-2ms:fault-{fault}"), true);
    row(ask, &format!("responses {fault}"), client, outcome, end)
}

/// Asks for every row, eight at a time, and judges them all before it fails.
fn judge(rig: &Rig, rows: Vec<Row>) {
    let next = std::sync::Mutex::new(rows.into_iter());
    let findings = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(row) = { next.lock().unwrap().next() } {
                    let reading = rig.send(&row.ask);
                    let record = rig.record(&row.ask);
                    let truth = rig.truth(&row.ask);
                    let mut list = Vec::new();
                    compare(&row, &reading, &record, &truth, &mut list);
                    findings.lock().unwrap().extend(list);
                }
            });
        }
    });
    let findings = findings.into_inner().unwrap();
    assert!(
        findings.is_empty(),
        "{} findings\n{}",
        findings.len(),
        findings.join("\n")
    );
}

fn compare(
    row: &Row,
    reading: &Reading,
    record: &ExchangeRecord,
    truth: &Truth,
    out: &mut Vec<String>,
) {
    let name = &row.name;
    let mut check = |what: &str, expected: String, found: String| {
        if expected != found {
            out.push(format!(
                "{name}: {what}: expected {expected}, found {found}"
            ));
        }
    };
    let show = |value: &dyn std::fmt::Debug| format!("{value:?}");
    let status = match row.client {
        Passed(status) | Own(status, _) => status,
        InBand(_) | Broken => 200,
    };
    check("status", show(&status), show(&reading.status));
    check("recorded status", show(&Some(status)), show(&record.status));
    check("outcome", show(&row.outcome), show(&record.outcome));
    check("attempts", show(&1), show(&record.attempts.len()));
    let attempt = &record.attempts[0];
    check("end", show(&Some(row.end)), show(&attempt.end));
    check("class", show(&row.class), show(&attempt.error_class));
    let timeline = &attempt.timeline;
    for mark in [
        Mark::PoolWait,
        Mark::SendStart,
        Mark::RequestSent,
        Mark::Closed,
    ] {
        check(
            "mark",
            format!("{mark:?}"),
            timeline
                .get(mark)
                .map_or_else(String::new, |_| format!("{mark:?}")),
        );
    }
    assert_in_order(attempt, name);
    if !matches!(row.client, Own(..)) {
        check(
            "provider's status",
            show(&Some(status)),
            show(&attempt.status),
        );
    }
    match row.client {
        Passed(_) => {
            check(
                "end of the answer",
                show(&ReadEnd::Complete),
                show(&reading.end),
            );
            check(
                "bytes",
                show(&truth.body_bytes),
                show(&(reading.body.len() as u64)),
            );
            check(
                "bytes recorded",
                show(&truth.body_bytes),
                show(&record.response_bytes),
            );
        }
        InBand(code) => {
            check(
                "end of the answer",
                show(&ReadEnd::Complete),
                show(&reading.end),
            );
            check("code", code.to_owned(), in_band_code(&reading.body));
            let done = reading.text().contains("[DONE]") || reading.text().contains("message_stop");
            check("terminator", show(&false), show(&done));
        }
        Broken => {
            let broken = matches!(reading.end, ReadEnd::Cut | ReadEnd::Reset);
            check(
                "broken off",
                "true".to_owned(),
                format!("{broken} ({:?})", reading.end)
                    .replace("true (Cut)", "true")
                    .replace("true (Reset)", "true"),
            );
        }
        Own(_, code) => {
            check(
                "end of the answer",
                show(&ReadEnd::Complete),
                show(&reading.end),
            );
            check(
                "x-proxy-error",
                show(&Some(code)),
                show(&reading.header("x-proxy-error")),
            );
            let error: Value = serde_json::from_slice(&reading.body).unwrap_or_default();
            check(
                "code",
                show(&Some(code)),
                show(&error["error"]["code"].as_str()),
            );
        }
    }
}

/// The code of the event with which a body ends.
fn in_band_code(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let data = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("data: "));
    let json: Value = data
        .and_then(|data| serde_json::from_str(data).ok())
        .unwrap_or_default();
    let code = json["error"]["code"].as_str().or(json["code"].as_str());
    code.map_or_else(|| format!("none in {text:?}"), str::to_owned)
}

#[test]
fn faults_before_and_after_the_headers() {
    let (upstream, none) = (Outcome::UpstreamError, End::None);
    let reset = || Own(502, "upstream_reset");
    judge(
        &Rig::start(),
        vec![
            stream("reset_before_headers", reset(), upstream, none).class(Class::Reset),
            stream("close_before_headers", reset(), upstream, none).class(Class::Reset),
            whole("reset_before_headers", reset(), upstream, none).class(Class::Reset),
            whole("close_before_headers", reset(), upstream, none).class(Class::Reset),
            stream(
                "reset_after_headers",
                InBand("upstream_reset"),
                Outcome::Empty,
                End::Reset,
            )
            .class(Class::Reset),
            stream(
                "close_after_headers",
                InBand("upstream_truncated"),
                Outcome::Empty,
                End::Truncated,
            )
            .class(Class::Truncated),
            whole(
                "reset_after_headers",
                Broken,
                Outcome::Truncated,
                End::Reset,
            )
            .class(Class::Reset),
            whole(
                "close_after_headers",
                Broken,
                Outcome::Truncated,
                End::Truncated,
            )
            .class(Class::Truncated),
            stream("redirect", Own(502, "upstream_redirect"), upstream, none)
                .class(Class::Redirect),
            whole("redirect", Own(502, "upstream_redirect"), upstream, none).class(Class::Redirect),
            whole(
                "redirect:code-307",
                Own(502, "upstream_redirect"),
                upstream,
                none,
            )
            .class(Class::Redirect),
        ],
    );
}

#[test]
fn faults_in_the_middle() {
    let (cut, reset) = (End::Truncated, End::Reset);
    let truncated = Outcome::Truncated;
    let mut rows = vec![
        stream(
            "close_mid:at-0",
            InBand("upstream_truncated"),
            truncated,
            cut,
        )
        .class(Class::Truncated),
        stream("reset_mid:at-0", InBand("upstream_reset"), truncated, reset).class(Class::Reset),
        stream("end_mid:at-3", InBand("upstream_truncated"), truncated, cut)
            .class(Class::Truncated),
        stream(
            "partial_event:at-3",
            InBand("upstream_truncated"),
            truncated,
            cut,
        )
        .class(Class::Truncated),
        stream("missing_finish", Passed(200), truncated, cut).class(Class::Truncated),
        stream(
            "role_then_silence:for-30ms",
            InBand("upstream_truncated"),
            truncated,
            cut,
        )
        .class(Class::Truncated),
        whole("reset_mid", Broken, truncated, reset).class(Class::Reset),
        whole("close_mid", Broken, truncated, cut).class(Class::Truncated),
        messages(
            "close_mid:at-3",
            InBand("upstream_truncated"),
            truncated,
            cut,
        )
        .class(Class::Truncated),
        messages("reset_mid:at-3", InBand("upstream_reset"), truncated, reset).class(Class::Reset),
        messages("end_mid:at-3", InBand("upstream_truncated"), truncated, cut)
            .class(Class::Truncated),
        responses(
            "close_mid:at-3",
            InBand("upstream_truncated"),
            truncated,
            cut,
        )
        .class(Class::Truncated),
        responses("end_mid:at-3", InBand("upstream_truncated"), truncated, cut)
            .class(Class::Truncated),
        responses("reset_mid:at-3", InBand("upstream_reset"), truncated, reset).class(Class::Reset),
    ];
    for at in [1, 3, 5] {
        let (closed, broken) = (format!("close_mid:at-{at}"), format!("reset_mid:at-{at}"));
        rows.push(
            stream(&closed, InBand("upstream_truncated"), truncated, cut).class(Class::Truncated),
        );
        rows.push(stream(&broken, InBand("upstream_reset"), truncated, reset).class(Class::Reset));
    }
    judge(&Rig::start(), rows);
}

#[test]
fn odd_ends_that_are_none() {
    let ok = |fault, end| stream(fault, Passed(200), Outcome::Ok, end);
    let (complete, unterminated) = (End::Complete, End::Unterminated);
    judge(
        &Rig::start(),
        vec![
            ok("close_delimited", complete),
            ok("close_delimited_no_done", unterminated),
            ok("missing_done", unterminated),
            ok("pending_last_event", complete),
            ok("junk_after_done", complete),
            ok("half_close", complete),
            ok("tiny_chunks", complete),
            ok("comment_flood", complete),
            ok("drip:n-1:for-100us", complete),
            ok("chunk_extension", complete),
            ok("trailers", complete),
            ok("http_10", complete),
            ok("early_hints", complete),
            ok("no_content_type", complete),
            ok("wrong_content_type", complete),
            messages("missing_done", Passed(200), Outcome::Ok, unterminated),
            whole("close_delimited", Passed(200), Outcome::Ok, complete),
            whole("http_10", Passed(200), Outcome::Ok, complete),
            whole("trailers", Passed(200), Outcome::Ok, complete),
            whole("drip:n-1:for-100us", Passed(200), Outcome::Ok, complete),
        ],
    );
}

#[test]
fn silence_is_cut_after_its_deadline() {
    let rig = Rig::configured("[timeouts]\nsilence = \"1s\"");
    let late = || InBand("upstream_silence_timeout");
    let (stalled, end, class) = (Outcome::Stalled, End::Stalled, Class::SilenceTimeout);
    let own = || Own(504, "upstream_silence_timeout");
    judge(
        &rig,
        vec![
            stream("stall_headers:for-5s", own(), Outcome::TimedOut, End::None).class(class),
            whole("stall_headers:for-5s", own(), Outcome::TimedOut, End::None).class(class),
            stream("stall_first_token:for-5s", late(), stalled, end).class(class),
            stream("stall_mid:at-3:for-5s", late(), stalled, end).class(class),
            stream("role_then_silence:for-5s", late(), stalled, end).class(class),
            whole("stall_mid:for-5s", Broken, stalled, end).class(class),
            messages("stall_mid:at-3:for-5s", late(), stalled, end).class(class),
            responses("stall_mid:at-3:for-5s", late(), stalled, end).class(class),
            // Comments are life.
            row(
                Ask::messages("sim:n-2:ft-3s:ka-50ms", true),
                "pings",
                Passed(200),
                Outcome::Ok,
                End::Complete,
            ),
        ],
    );
}

#[test]
fn an_exchange_ends_with_its_total() {
    let rig = Rig::configured("[timeouts]\ntotal = \"1500ms\"");
    let late = || InBand("upstream_total_timeout");
    let class = Class::TotalTimeout;
    judge(
        &rig,
        vec![
            stream(
                "endless:gap-10ms",
                late(),
                Outcome::TimedOut,
                End::CutByLimit,
            )
            .class(class),
            stream(
                "stall_mid:at-2:for-5s",
                late(),
                Outcome::TimedOut,
                End::CutByLimit,
            )
            .class(class),
            stream(
                "stall_headers:for-5s",
                Own(504, "upstream_total_timeout"),
                Outcome::TimedOut,
                End::None,
            )
            .class(class),
            whole(
                "stall_mid:for-5s",
                Broken,
                Outcome::TimedOut,
                End::CutByLimit,
            )
            .class(class),
        ],
    );
}

#[test]
fn empty_answers_and_errors_in_band() {
    let empty = |fault, end| stream(fault, Passed(200), Outcome::Empty, end);
    let event = |fault| stream(fault, Passed(200), Outcome::InBandError, End::ErrorEvent);
    judge(
        &Rig::start(),
        vec![
            empty("empty_stream", End::Truncated).class(Class::Truncated),
            empty("empty_answer", End::Complete).class(Class::EmptyResponse),
            empty("done_only", End::Truncated).class(Class::EmptyResponse),
            event("error_first").class(Class::ServerError),
            event("error_first_done").class(Class::ServerError),
            event("error_mid:at-3").class(Class::ServerError),
            event("error_mid_done:at-3").class(Class::ServerError),
            event("error_in_200").class(Class::ServerError),
            whole(
                "error_in_200",
                Passed(200),
                Outcome::InBandError,
                End::ErrorEvent,
            )
            .class(Class::ServerError),
            messages(
                "error_mid:at-3",
                Passed(200),
                Outcome::InBandError,
                End::ErrorEvent,
            )
            .class(Class::Overloaded),
            stream(
                "html_in_200",
                Passed(200),
                Outcome::UpstreamError,
                End::Truncated,
            )
            .class(Class::ProtocolError),
            whole(
                "html_in_200",
                Passed(200),
                Outcome::UpstreamError,
                End::Truncated,
            )
            .class(Class::ProtocolError),
        ],
    );
}

#[test]
fn failing_statuses_pass_as_they_are() {
    let limited = Outcome::RateLimited;
    let mut rows = Vec::new();
    for (fault, status, outcome, class) in [
        ("rate_limit", 429, limited, Class::RateLimited),
        ("rate_limit_date", 429, limited, Class::RateLimited),
        ("rate_limit_ms", 429, limited, Class::RateLimited),
        ("rate_limit_bare", 429, limited, Class::RateLimited),
        ("quota", 429, limited, Class::Quota),
        ("unauthorized", 401, Outcome::ClientError, Class::Auth),
        ("forbidden", 403, Outcome::ClientError, Class::Permission),
        ("not_found", 404, Outcome::ClientError, Class::NotFound),
        (
            "context_length",
            400,
            Outcome::ClientError,
            Class::ContextLength,
        ),
        (
            "content_filter",
            400,
            Outcome::ClientError,
            Class::ContentFilter,
        ),
        ("http_500", 500, Outcome::UpstreamError, Class::ServerError),
        ("http_502", 502, Outcome::UpstreamError, Class::ServerError),
        ("http_503", 503, Outcome::UpstreamError, Class::Overloaded),
        ("http_504", 504, Outcome::UpstreamError, Class::Timeout),
        ("http_529", 529, Outcome::UpstreamError, Class::Overloaded),
        ("http_html", 502, Outcome::UpstreamError, Class::ServerError),
        (
            "http_empty",
            500,
            Outcome::UpstreamError,
            Class::ServerError,
        ),
        (
            "http_large",
            500,
            Outcome::UpstreamError,
            Class::ServerError,
        ),
        (
            "http_status:code-422",
            422,
            Outcome::ClientError,
            Class::Unprocessable,
        ),
        ("http_status:code-402", 402, limited, Class::Quota),
        (
            "http_status:code-418",
            418,
            Outcome::ClientError,
            Class::BadRequest,
        ),
    ] {
        for row in [stream, whole].map(|of| of(fault, Passed(status), outcome, End::Complete)) {
            rows.push(row.class(class));
        }
    }
    judge(&Rig::start(), rows);
}

#[test]
fn hints_of_rate_limits_pass() {
    let rig = Rig::start();
    for (fault, header, value) in [
        ("rate_limit", "retry-after", Some("2")),
        ("rate_limit_ms", "retry-after-ms", Some("2000")),
        ("rate_limit_bare", "retry-after", None),
    ] {
        let ask = Ask::chat(&format!("sim:fault-{fault}"), false);
        let reading = rig.send(&ask);
        assert_eq!(reading.header(header), value, "{fault}");
        assert_eq!(reading.header("x-proxy-error"), None, "{fault}");
    }
}

#[test]
fn event_streams_that_are_not_as_they_should_be_pass_unchanged() {
    let ok = |fault| stream(fault, Passed(200), Outcome::Ok, End::Complete);
    let odd = |fault| stream(fault, Passed(200), Outcome::InBandError, End::ErrorEvent);
    judge(
        &Rig::start(),
        vec![
            ok("sse_cr"),
            ok("sse_crlf"),
            ok("sse_no_space"),
            ok("sse_bom"),
            ok("sse_unknown:at-2"),
            ok("sse_huge_line:at-2"),
            odd("sse_no_blank_line:at-2").class(Class::ProtocolError),
            odd("sse_bad_json:at-2").class(Class::ProtocolError),
            ok("sse_bad_utf8:at-2"),
            odd("sse_nul:at-2").class(Class::ProtocolError),
            ok("gzip"),
            ok("deflate"),
            ok("brotli"),
            ok("zstd"),
            ok("gzip_bomb:size-64m"),
            ok("model_changed"),
            ok("usage_missing"),
            ok("usage_twice"),
            ok("usage_zero"),
            ok("usage_every_event"),
            ok("usage_null_details"),
            whole("gzip", Passed(200), Outcome::Ok, End::Complete),
            whole("zstd", Passed(200), Outcome::Ok, End::Complete),
            // Nobody knows what is in it, and that is not the provider's failure.
            whole(
                "gzip_bomb:size-64m",
                Passed(200),
                Outcome::Ok,
                End::Complete,
            ),
        ],
    );
}

#[test]
fn broken_framing_is_never_passed_for_whole() {
    let truncated = Outcome::Truncated;
    let (class, end) = (Class::ProtocolError, End::Reset);
    let own = || Own(502, "upstream_protocol_error");
    let mut rows = vec![
        // Its terminator came: what is missing is only what the provider promised too much.
        stream("length_long", Broken, Outcome::Ok, End::Complete),
        whole("length_long", Broken, truncated, End::Truncated).class(Class::Truncated),
    ];
    for fault in [
        "chunk_bad_hex:at-3",
        "chunk_overflow:at-3",
        "chunk_no_crlf:at-3",
    ] {
        rows.push(stream(fault, InBand("upstream_protocol_error"), truncated, end).class(class));
        rows.push(whole(fault, Broken, truncated, end).class(class));
    }
    for fault in [
        "two_lengths",
        "length_and_chunked",
        "bad_status_line",
        "bad_header",
        "huge_header:size-300k",
        "huge_header:size-100k",
        "many_headers",
        "fake_upgrade",
    ] {
        for of in [stream, whole] {
            rows.push(of(fault, own(), Outcome::UpstreamError, End::None).class(class));
        }
    }
    judge(&Rig::start(), rows);
}

#[test]
fn more_bytes_than_announced_are_not_taken_for_the_next_answer() {
    let rig = Rig::start();
    let mut connection = rig.connect();
    for fault in [
        "length_short",
        "length_and_chunked",
        "no_content_with_body",
        "early_hints_flood",
    ] {
        for is_stream in [true, false] {
            let model = format!("sim:n-3:fault-{fault}");
            let ask = Ask::chat(&model, is_stream);
            let reading = connection.exchange(&ask.bytes()).unwrap();
            assert_eq!(reading.end, ReadEnd::Complete, "{fault}");
            let record = rig.record(&ask);
            if fault == "length_short" {
                let oddities = &record.attempts[0].oddities;
                assert!(oddities.contains(&Oddity::ExtraBytes), "{oddities:?}");
            }
            let next = Ask::chat("sim:n-3", false);
            let reading = connection.exchange(&next.bytes()).unwrap();
            let place = || format!("after {fault}: {}", reading.text());
            assert_eq!(
                (reading.status, reading.end),
                (200, ReadEnd::Complete),
                "{}",
                place()
            );
            let json: Value = serde_json::from_slice(&reading.body).unwrap_or_default();
            assert_eq!(json["object"], "chat.completion", "{}", place());
            let record = rig.record(&next);
            assert_eq!(record.outcome, Outcome::Ok);
            if fault == "no_content_with_body" && is_stream {
                // What follows may come later: nobody waits for it on this connection.
                assert!(!record.attempts[0].reused, "{fault}");
            }
        }
    }
}

#[test]
fn an_event_of_ours_is_raised_by_the_official_sdk() {
    // What `openai` looks at: `data` that is an object with a truthy `error`; and Anthropic's:
    // an event named `error`. What a provider left half said must not swallow it.
    let rig = Rig::start();
    let chat = Ask::chat("sim:n-4:gap-5ms:split-3:fault-close_mid:at-2", true);
    let text = rig.send(&chat).text();
    let last = text.trim_end().rsplit("\n\n").next().unwrap().to_owned();
    let data: Value = serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(data["error"]["type"], "upstream_error", "{text}");
    assert!(
        data["error"]["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    let messages = Ask::messages("sim:n-4:gap-5ms:fault-close_mid:at-2", true);
    let text = rig.send(&messages).text();
    let last = text.trim_end().rsplit("\n\n").next().unwrap().to_owned();
    let (event, data) = last.split_once('\n').unwrap();
    assert_eq!(event, "event: error");
    let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(
        (&data["type"], &data["error"]["type"]),
        (&json!("error"), &json!("api_error"))
    );
    for ask in [chat, messages] {
        rig.record(&ask);
    }
}
