//! Marks stand where the simulator's stamps say, and in the order of the street.

use serde_json::json;
use tollgate::record::{AttemptRecord, Mark, Moment, Outcome};
use tollgate::simulator::bare::Reading;
use tollgate::simulator::{Carried, Truth, Write};

use crate::support::{Ask, Rig};

/// Marks of which each comes no earlier than the one before.
const STREET: [Mark; 16] = [
    Mark::RequestFirstByte,
    Mark::RequestComplete,
    Mark::RouteChosen,
    Mark::PoolWait,
    Mark::Dns,
    Mark::Connect,
    Mark::Tls,
    Mark::SendStart,
    Mark::RequestSent,
    Mark::Headers,
    Mark::FirstByte,
    Mark::FirstEvent,
    Mark::FirstToken,
    Mark::LastToken,
    Mark::Done,
    Mark::Closed,
];

/// Further pairs in order.
const PAIRS: [(Mark, Mark); 8] = [
    (Mark::FirstEvent, Mark::FirstRole),
    (Mark::FirstToken, Mark::FirstReasoning),
    (Mark::FirstToken, Mark::FirstAnswer),
    (Mark::FirstAnswer, Mark::FirstText),
    (Mark::FirstAnswer, Mark::FirstToolCall),
    (Mark::Usage, Mark::Closed),
    (Mark::FirstToken, Mark::ClientFirstToken),
    (Mark::LastToken, Mark::ClientLastToken),
];

pub(crate) fn assert_in_order(attempt: &AttemptRecord, what: &str) {
    let at = |mark| attempt.timeline.get(mark);
    let came: Vec<_> = STREET
        .into_iter()
        .filter_map(|mark| Some((mark, at(mark)?)))
        .collect();
    for pair in came.windows(2) {
        assert!(pair[0].1 <= pair[1].1, "{what}: {pair:?}");
    }
    for (first, second) in PAIRS {
        if let (Some(before), Some(after)) = (at(first), at(second)) {
            assert!(
                before <= after,
                "{what}: {first:?} {before:?}, {second:?} {after:?}"
            );
        }
    }
}

/// What a stream does, and what must be so of its marks beyond the common.
struct Case {
    name: &'static str,
    ask: Ask,
    /// Whether role and first token are so far apart that their marks must be.
    role_apart: bool,
}

fn cases() -> Vec<Case> {
    let case = |name, ask, role_apart| Case {
        name,
        ask,
        role_apart,
    };
    vec![
        case(
            "chat",
            Ask::chat_with_usage("sim:ft-40ms:gap-50ms:n-4"),
            true,
        ),
        case(
            "usage injected",
            Ask::chat("sim:ft-40ms:gap-50ms:n-4", true).to("/inj"),
            true,
        ),
        case(
            "late role",
            Ask::chat("sim:hd-60ms:ft-120ms:gap-50ms:n-3", true),
            true,
        ),
        case(
            "role with token",
            Ask::chat("sim:hd-60ms:ft-60ms:gap-50ms:n-3", true),
            false,
        ),
        case(
            "comment flood",
            Ask::chat("sim:ft-60ms:gap-50ms:n-3:fault-comment_flood", true),
            true,
        ),
        case(
            "merged events",
            Ask::chat("sim:ft-40ms:gap-50ms:n-4:merge-2", true),
            false,
        ),
        case(
            "split events",
            Ask::chat("sim:ft-40ms:gap-50ms:n-4:split-5", true),
            true,
        ),
        case(
            "messages",
            Ask::messages("sim:ft-40ms:gap-50ms:n-4", true),
            true,
        ),
        case(
            "pings",
            Ask::messages("sim:ft-120ms:ka-10ms:gap-50ms:n-3", true),
            true,
        ),
        case(
            "responses",
            Ask::responses("sim:ft-40ms:gap-50ms:n-4", true),
            false,
        ),
    ]
}

#[test]
fn every_mark_stands_between_the_writes_around_it() {
    let rig = Rig::start();
    let mut errors = Vec::new();
    for _ in 0..3 {
        std::thread::scope(|scope| {
            let asked = cases().into_iter().map(|case| {
                let rig = &rig;
                scope.spawn(move || {
                    let (reading, record, truth) = rig.exchange(&case.ask);
                    (case, reading, record, truth)
                })
            });
            let asked: Vec<_> = asked.collect();
            for done in asked {
                let (case, reading, record, truth) = done.join().unwrap();
                let name = case.name;
                assert_eq!(reading.status, 200, "{name}: {}", reading.text());
                assert_eq!(record.outcome, Outcome::Ok, "{name}");
                errors.push(check_stream(&case, &reading, &record.attempts[0], &truth));
            }
        });
    }
    print_errors("first token, after the write", &mut errors);
}

/// Judges one stream; gives how long after its write the first token was marked.
fn check_stream(case: &Case, reading: &Reading, attempt: &AttemptRecord, truth: &Truth) -> u64 {
    let name = case.name;
    let mark = |mark| attempt.timeline.get(mark);
    let stamp = |carried| truth.at(carried);
    assert_in_order(attempt, name);
    let (first, tokens) = (mark(Mark::FirstToken).unwrap(), truth.token_moments());
    assert!(first >= tokens[0], "{name}: first token before its write");
    assert!(
        is_of_token(Some(first), 0, reading, truth),
        "{name}: first token later than the client had it"
    );
    assert!(
        mark(Mark::LastToken).unwrap() >= *tokens.last().unwrap(),
        "{name}: last token early"
    );
    assert!(
        mark(Mark::Done) >= stamp(Carried::DONE),
        "{name}: done before its write"
    );
    assert!(
        mark(Mark::Headers) >= stamp(Carried::HEAD),
        "{name}: headers before their write"
    );
    assert!(
        mark(Mark::ClientFirstToken).unwrap() >= first,
        "{name}: client before provider"
    );
    if case.role_apart {
        let role = mark(Mark::FirstRole).unwrap_or_else(|| mark(Mark::FirstEvent).unwrap());
        assert!(
            role >= stamp(Carried::ROLE).unwrap(),
            "{name}: role before its write"
        );
        let is_role = |write: &&Write| write.carried.has(Carried::ROLE);
        let write = truth.writes.iter().find(is_role).unwrap();
        assert!(
            role <= read_at(reading, write),
            "{name}: role later than the client had it"
        );
    }
    if let Some(usage) = mark(Mark::Usage) {
        assert!(
            Some(usage) >= stamp(Carried::USAGE),
            "{name}: usage before its write"
        );
    }
    first.since(tokens[0]).0
}

/// Printed, not judged: a busy machine is no fault of the code.
fn print_errors(what: &str, errors: &mut [u64]) {
    errors.sort_unstable();
    let us = |rank: usize| errors[rank.min(errors.len() - 1)] as f64 / 1000.0;
    let (median, high) = (us(errors.len() / 2), us(errors.len() * 99 / 100));
    println!(
        "{what}: median {median:.1} µs, p99 {high:.1} µs, n = {}",
        errors.len()
    );
}

#[test]
fn the_median_error_of_a_lone_stream_is_printed() {
    let rig = Rig::start();
    let mut connection = rig.connect();
    let (mut marks, mut client) = (Vec::new(), Vec::new());
    for _ in 0..30 {
        let ask = Ask::chat("sim:ft-3ms:gap-3ms:n-3", true);
        let reading = connection.exchange(&ask.bytes()).unwrap();
        let (record, truth) = (rig.record(&ask), rig.truth(&ask));
        let written = truth.token_at(0).unwrap();
        let at = |mark| record.attempts[0].timeline.get(mark).unwrap();
        marks.push(at(Mark::FirstToken).since(written).0);
        client.push(reading.events()[1].at.since(written).0);
        assert!(at(Mark::FirstToken) >= written);
    }
    print_errors("first token, mark − write", &mut marks);
    print_errors("first token, client's read − write", &mut client);
}

#[test]
fn the_three_firsts_stand_apart_where_the_model_thinks_first() {
    let rig = Rig::start();
    let thinking = "sim:think-2:n-3:ft-30ms:gap-60ms";
    for ask in [Ask::chat(thinking, true), Ask::messages(thinking, true)] {
        let (reading, record, truth) = rig.exchange(&ask);
        let attempt = &record.attempts[0];
        assert_in_order(attempt, &ask.target());
        let at = |mark| attempt.timeline.get(mark);
        let tokens = truth.token_moments();
        assert_eq!(tokens.len(), 5, "{}", ask.target());
        assert_eq!(at(Mark::FirstToken), at(Mark::FirstReasoning));
        assert_eq!(at(Mark::FirstAnswer), at(Mark::FirstText));
        assert!(
            is_of_token(at(Mark::FirstToken), 0, &reading, &truth),
            "{}",
            ask.target()
        );
        assert!(
            is_of_token(at(Mark::FirstAnswer), 2, &reading, &truth),
            "{}",
            ask.target()
        );
        assert!(at(Mark::FirstToolCall).is_none());
    }
}

/// Whether a mark stands between the write of a token and the client's read of it: so it is before
/// the next token's write, wherever a busy machine let the client read before that.
pub(crate) fn is_of_token(
    mark: Option<Moment>,
    token: u32,
    reading: &Reading,
    truth: &Truth,
) -> bool {
    let has_it = |write: &&Write| write.carried.has_token(token);
    let write = truth.writes.iter().find(has_it).unwrap();
    mark.is_some_and(|mark| write.at <= mark && mark <= read_at(reading, write))
}

/// When the client had the last byte of a write.
fn read_at(reading: &Reading, write: &Write) -> Moment {
    let last = write.body_from + u64::from(write.body_bytes) - 1;
    reading.byte_at(last as usize).unwrap()
}

#[test]
fn the_header_of_a_tool_call_is_its_first_token() {
    let rig = Rig::start();
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let function = json!({"name": "weather", "parameters": schema});
    let openai = json!({
        "tools": [{"type": "function", "function": function}], "tool_choice": "required",
    });
    let anthropic = json!({
        "tools": [{"name": "weather", "input_schema": schema}], "tool_choice": {"type": "any"},
    });
    let model = "sim:tools-1:ft-80ms:gap-50ms:n-4";
    for ask in [
        Ask::chat(model, true).with(&openai),
        Ask::messages(model, true).with(&anthropic),
    ] {
        let (reading, record, truth) = rig.exchange(&ask);
        let attempt = &record.attempts[0];
        let name = ask.target();
        assert_in_order(attempt, &name);
        let at = |mark| attempt.timeline.get(mark);
        assert_eq!(at(Mark::FirstToken), at(Mark::FirstToolCall), "{name}");
        assert_eq!(at(Mark::FirstToken), at(Mark::FirstAnswer), "{name}");
        assert_eq!(at(Mark::FirstText), None, "{name}");
        // The first write of the call is its header; its arguments begin with the second.
        let (header, arguments) = (truth.token_at(0).unwrap(), truth.token_at(1).unwrap());
        assert!(header < arguments, "{name}");
        assert!(
            is_of_token(at(Mark::FirstToken), 0, &reading, &truth),
            "{name}"
        );
        let has_it = |write: &&Write| write.carried.has_token(0);
        let from = truth.writes.iter().find(has_it).unwrap().body_from as usize;
        let events = reading.events();
        let arrived = events
            .into_iter()
            .find(|event| event.range.contains(&from))
            .unwrap();
        let event = String::from_utf8_lossy(&reading.body[arrived.range]).into_owned();
        assert!(
            event.contains("weather") && !event.contains("city"),
            "{name}: {event}"
        );
    }
}

#[test]
fn whole_answers_have_no_first_token() {
    let rig = Rig::start();
    let whole = [
        Ask::chat("sim:n-5", false),
        Ask::messages("sim:n-5", false),
        Ask::responses("sim:n-5", false),
        Ask::post("/v1/embeddings", &json!({"model": "sim", "input": "hi"})),
    ];
    for ask in whole {
        let (reading, record, truth) = rig.exchange(&ask);
        let (name, attempt) = (ask.target(), &record.attempts[0]);
        assert_eq!(
            (reading.status, record.outcome),
            (200, Outcome::Ok),
            "{name}"
        );
        assert_in_order(attempt, &name);
        for mark in [
            Mark::FirstToken,
            Mark::FirstEvent,
            Mark::LastToken,
            Mark::ClientFirstToken,
        ] {
            assert_eq!(attempt.timeline.get(mark), None, "{name} {mark:?}");
        }
        assert!(attempt.gaps.is_none(), "{name}");
        assert!(
            attempt.timeline.get(Mark::FirstByte) >= truth.at(Carried::WHOLE),
            "{name}"
        );
        assert!(attempt.timeline.get(Mark::Done).is_some(), "{name}");
    }
}

#[test]
fn the_phases_of_connecting_are_those_of_a_fresh_connection_only() {
    let rig = Rig::start();
    let mut connection = rig.connect();
    for reused in [false, true, true] {
        let ask = Ask::chat("sim:n-2", true);
        connection.exchange(&ask.bytes()).unwrap();
        let (record, truth) = (rig.record(&ask), rig.truth(&ask));
        let attempt = &record.attempts[0];
        assert_in_order(attempt, "phases");
        assert_eq!((attempt.reused, truth.reused()), (reused, reused));
        assert!(attempt.timeline.get(Mark::PoolWait).is_some());
        for mark in [Mark::Dns, Mark::Connect] {
            assert_eq!(attempt.timeline.get(mark).is_none(), reused, "{mark:?}");
        }
        assert!(attempt.timeline.get(Mark::Tls).is_none());
    }
}
