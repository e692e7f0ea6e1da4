//! Observes hand-made responses with hand-made moments.

use tollgate::record::{
    Dialect, End, ErrorClass, FinishReason, Language, Mark, Moment, Nanos, Oddity, Outcome,
    TokenSource, Usage,
};
use tollgate::wire::observer::{BodyEnd, Expect, Observation, Observer, Seen, TokenKind};

const MILLI: u64 = 1_000_000;

const CHAT: Expect<'_> = Expect {
    dialect: Dialect::OpenAi,
    provider: "",
    language: Language::OpenAiChat,
    status: 200,
    content_type: Some("text/event-stream"),
    content_encoding: None,
    error_type: None,
    stream: true,
    model_asked: Some("m"),
    choices: None,
    usage_injected: false,
    event_bytes_max: 1 << 20,
    decoded_bytes_max: 1 << 20,
    started: Some(Moment(0)),
};

fn chunk(delta: &str, finish: &str) -> String {
    format!(
        r#"data: {{"model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#
    ) + "\n\n"
}

fn role() -> String {
    chunk(r#"{"role":"assistant","content":""}"#, "null")
}

fn text() -> String {
    chunk(r#"{"content":"a"}"#, "null")
}

fn stop() -> String {
    chunk("{}", r#""stop""#)
}

const DONE: &str = "data: [DONE]\n\n";
const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n";

fn observe(expect: &Expect<'_>, body: &str, how: BodyEnd) -> Observation {
    let mut observer = Observer::new(expect);
    if !body.is_empty() {
        observer.chunk(Moment(1), body.as_bytes());
    }
    observer.end(Moment(2), how)
}

#[test]
fn marks_come_from_the_read_that_ended_their_event() {
    let mut observer = Observer::new(&CHAT);
    let mut at =
        |millis: u64, bytes: &str| observer.chunk(Moment(millis * MILLI), bytes.as_bytes());
    let none = Seen::default();
    assert_eq!(at(10, ": processing\n\n"), none);
    let one = Seen { events: 1, ..none };
    assert_eq!(at(20, &role()), one);
    let reasoning = chunk(r#"{"reasoning":"hm"}"#, "null");
    let (head, tail) = reasoning.split_at(40);
    assert_eq!(at(30, head), none);
    assert_eq!(
        at(40, tail),
        Seen {
            token_events: 1,
            first_token: true,
            ..one
        }
    );
    let call = chunk(
        r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f"}}]}"#,
        "null",
    );
    assert_eq!(
        at(50, &call),
        Seen {
            token_events: 1,
            ..one
        }
    );
    assert_eq!(
        at(60, &(text() + &text())),
        Seen {
            events: 2,
            token_events: 2,
            ..none
        }
    );
    assert_eq!(at(70, &stop()), one);
    assert_eq!(at(80, USAGE), one);
    assert_eq!(at(90, DONE), Seen { done: true, ..one });
    let seen = observer.end(Moment(100 * MILLI), BodyEnd::Complete);
    let marks: Vec<(Mark, u64)> = seen
        .timeline
        .iter()
        .map(|(mark, at)| (mark, at.0 / MILLI))
        .collect();
    assert_eq!(
        marks,
        [
            (Mark::FirstByte, 10),
            (Mark::FirstEvent, 20),
            (Mark::FirstRole, 20),
            (Mark::FirstToken, 40),
            (Mark::FirstReasoning, 40),
            (Mark::FirstAnswer, 50),
            (Mark::FirstText, 60),
            (Mark::FirstToolCall, 50),
            (Mark::LastToken, 60),
            (Mark::Usage, 80),
            (Mark::Done, 90),
        ]
    );
    let gaps = seen.gaps.unwrap();
    assert_eq!(
        (gaps.token_events, gaps.token_reads, gaps.burst_permille),
        (4, 3, 250)
    );
    assert_eq!((gaps.longest, gaps.sketch.zeros), (Nanos(10 * MILLI), 1));
    assert_eq!((seen.comments, seen.events, seen.token_events), (1, 7, 4));
    assert_eq!(seen.first_token_kind, Some(TokenKind::Reasoning));
    assert_eq!(
        (seen.end, seen.outcome_hint, seen.error),
        (End::Complete, Outcome::Ok, None)
    );
}

#[test]
fn endings_are_told_apart() {
    let begun = role() + &text();
    let finished = begun.clone() + &stop();
    let done = finished.clone() + DONE;
    let n2 = Expect {
        choices: Some(2),
        ..CHAT
    };
    let class = Some;
    for (name, expect, body, how, end, error, outcome) in [
        (
            "whole",
            &CHAT,
            done.clone(),
            BodyEnd::Complete,
            End::Complete,
            None,
            Outcome::Ok,
        ),
        (
            "client leaves after the end",
            &CHAT,
            done.clone(),
            BodyEnd::ClientGone,
            End::Complete,
            None,
            Outcome::Ok,
        ),
        (
            "reset after the end",
            &CHAT,
            done,
            BodyEnd::Reset,
            End::Complete,
            None,
            Outcome::Ok,
        ),
        (
            "no terminator",
            &CHAT,
            finished.clone(),
            BodyEnd::Complete,
            End::Unterminated,
            None,
            Outcome::Ok,
        ),
        (
            "one finish of two",
            &n2,
            finished.clone(),
            BodyEnd::Complete,
            End::Truncated,
            class(ErrorClass::Truncated),
            Outcome::Truncated,
        ),
        (
            "short by its length",
            &CHAT,
            finished,
            BodyEnd::Truncated,
            End::Truncated,
            class(ErrorClass::Truncated),
            Outcome::Truncated,
        ),
        (
            "no finish",
            &CHAT,
            begun.clone(),
            BodyEnd::Complete,
            End::Truncated,
            class(ErrorClass::Truncated),
            Outcome::Truncated,
        ),
        (
            "no finish, though its word is written out",
            &CHAT,
            begun.clone() + &chunk("{}", r#""null""#),
            BodyEnd::Complete,
            End::Truncated,
            class(ErrorClass::Truncated),
            Outcome::Truncated,
        ),
        (
            "a fault of the model's in Google's words",
            &CHAT,
            begun.clone()
                + &chunk("{}", r#""function_call_filter: MALFORMED_FUNCTION_CALL""#)
                + DONE,
            BodyEnd::Complete,
            End::Complete,
            class(ErrorClass::ServerError),
            Outcome::InBandError,
        ),
        (
            "no finish, but the terminator",
            &CHAT,
            begun.clone() + DONE,
            BodyEnd::Complete,
            End::Truncated,
            class(ErrorClass::Truncated),
            Outcome::Truncated,
        ),
        (
            "the terminator alone",
            &CHAT,
            role() + DONE,
            BodyEnd::Complete,
            End::Truncated,
            class(ErrorClass::EmptyResponse),
            Outcome::Empty,
        ),
        (
            "nothing but a finish",
            &CHAT,
            role() + &stop() + DONE,
            BodyEnd::Complete,
            End::Complete,
            class(ErrorClass::EmptyResponse),
            Outcome::Empty,
        ),
        (
            "hidden output",
            &CHAT,
            role() + &stop() + USAGE + DONE,
            BodyEnd::Complete,
            End::Complete,
            None,
            Outcome::Ok,
        ),
        (
            "reset",
            &CHAT,
            begun.clone(),
            BodyEnd::Reset,
            End::Reset,
            class(ErrorClass::Truncated),
            Outcome::Truncated,
        ),
        (
            "stalled",
            &CHAT,
            begun.clone(),
            BodyEnd::Stalled,
            End::Stalled,
            class(ErrorClass::SilenceTimeout),
            Outcome::Stalled,
        ),
        (
            "client leaves",
            &CHAT,
            begun.clone(),
            BodyEnd::ClientGone,
            End::ClientGone,
            None,
            Outcome::ClientGone,
        ),
        (
            "cut",
            &CHAT,
            begun.clone(),
            BodyEnd::CutByLimit,
            End::CutByLimit,
            None,
            Outcome::Truncated,
        ),
        (
            "shutdown",
            &CHAT,
            begun,
            BodyEnd::Shutdown,
            End::CutByLimit,
            None,
            Outcome::Shutdown,
        ),
        (
            "nothing",
            &CHAT,
            String::new(),
            BodyEnd::Complete,
            End::Truncated,
            class(ErrorClass::Truncated),
            Outcome::Truncated,
        ),
        (
            "an error as JSON",
            &CHAT,
            r#"{"error":{"code":"rate_limit_exceeded"}}"#.into(),
            BodyEnd::Complete,
            End::ErrorEvent,
            class(ErrorClass::RateLimited),
            Outcome::InBandError,
        ),
        (
            "an error in an array",
            &CHAT,
            r#"[{"error":{"code":503}}]"#.into(),
            BodyEnd::Complete,
            End::ErrorEvent,
            class(ErrorClass::Overloaded),
            Outcome::InBandError,
        ),
        (
            "an error after events",
            &CHAT,
            role() + "{\n\"error\": {\n\"code\": 503}\n}\n",
            BodyEnd::Complete,
            End::ErrorEvent,
            class(ErrorClass::Overloaded),
            Outcome::InBandError,
        ),
        (
            "a page",
            &CHAT,
            "<html></html>".into(),
            BodyEnd::Complete,
            End::Truncated,
            class(ErrorClass::ProtocolError),
            Outcome::UpstreamError,
        ),
        (
            "the first bytes of a field",
            &CHAT,
            "dat".into(),
            BodyEnd::Complete,
            End::Truncated,
            class(ErrorClass::Truncated),
            Outcome::Truncated,
        ),
    ] {
        let seen = observe(expect, &body, how);
        let found = (
            seen.end,
            seen.error.map(|error| error.class),
            seen.outcome_hint,
        );
        assert_eq!(found, (end, error, outcome), "{name}");
    }
}

#[test]
fn whole_answers_have_no_first_token() {
    let whole = Expect {
        content_type: Some("application/json"),
        stream: false,
        ..CHAT
    };
    let answer = |content: &str, finish: &str| {
        format!(
            r#"{{"choices":[{{"message":{{"role":"assistant","content":{content}}},"finish_reason":{finish}}}],"usage":null}}"#
        )
    };
    for (name, body, how, end, error, outcome) in [
        (
            "whole",
            answer("\"a\"", "\"stop\""),
            BodyEnd::Complete,
            End::Complete,
            None,
            Outcome::Ok,
        ),
        (
            "whole, behind a BOM",
            format!("\u{feff}{}", answer("\"a\"", "\"stop\"")),
            BodyEnd::Complete,
            End::Complete,
            None,
            Outcome::Ok,
        ),
        (
            "empty",
            answer("null", "\"stop\""),
            BodyEnd::Complete,
            End::Complete,
            Some(ErrorClass::EmptyResponse),
            Outcome::Empty,
        ),
        (
            "failed",
            answer("\"a\"", "\"error\""),
            BodyEnd::Complete,
            End::Complete,
            Some(ErrorClass::ServerError),
            Outcome::InBandError,
        ),
        (
            "error",
            r#"{"error":"x"}"#.into(),
            BodyEnd::Complete,
            End::ErrorEvent,
            Some(ErrorClass::ServerError),
            Outcome::InBandError,
        ),
        (
            "cut",
            r#"{"choices":["#.into(),
            BodyEnd::Complete,
            End::Truncated,
            Some(ErrorClass::Truncated),
            Outcome::Truncated,
        ),
        (
            "a page",
            "<html>".into(),
            BodyEnd::Complete,
            End::Truncated,
            Some(ErrorClass::ProtocolError),
            Outcome::UpstreamError,
        ),
        (
            "nothing",
            "\n\n".into(),
            BodyEnd::Complete,
            End::Truncated,
            Some(ErrorClass::EmptyResponse),
            Outcome::Empty,
        ),
        (
            "client leaves",
            answer("\"a\"", "\"stop\""),
            BodyEnd::ClientGone,
            End::ClientGone,
            None,
            Outcome::ClientGone,
        ),
    ] {
        let seen = observe(&whole, &body, how);
        assert!(
            !seen.streamed && seen.gaps.is_none() && seen.first_token_index.is_none(),
            "{name}"
        );
        assert_eq!(seen.timeline.get(Mark::FirstToken), None, "{name}");
        let found = (
            seen.end,
            seen.error.map(|error| error.class),
            seen.outcome_hint,
        );
        assert_eq!(found, (end, error, outcome), "{name}");
    }
}

#[test]
fn usage_has_its_source() {
    let finished = role() + &text() + &text() + &stop();
    let injected = Expect {
        usage_injected: true,
        ..CHAT
    };
    let two = Usage {
        output: Some(2),
        ..Usage::default()
    };
    let full = Usage {
        input: Some(3),
        ..two
    };
    for (name, expect, body, usage, source) in [
        (
            "sent",
            &CHAT,
            finished.clone() + USAGE + DONE,
            full,
            Some(TokenSource::Usage),
        ),
        (
            "asked for",
            &injected,
            finished.clone() + USAGE + DONE,
            full,
            Some(TokenSource::UsageInjected),
        ),
        (
            "counted",
            &CHAT,
            finished.clone() + DONE,
            two,
            Some(TokenSource::Chunks),
        ),
        ("unknown", &CHAT, role() + DONE, Usage::default(), None),
        (
            "zeros are no numbers",
            &CHAT,
            finished.clone() + &USAGE.replace(":3", ":0").replace(":2", ":0") + DONE,
            two,
            Some(TokenSource::Chunks),
        ),
        (
            "in the last choice",
            &CHAT,
            finished.replace(
                r#""finish_reason":"stop""#,
                r#""finish_reason":"stop","usage":{"prompt_tokens":3,"completion_tokens":2}"#,
            ) + DONE,
            full,
            Some(TokenSource::Usage),
        ),
        (
            "the last one wins, and is not added",
            &CHAT,
            finished + &USAGE.replace(":2", ":1") + USAGE + &USAGE.replace(":2", ":null") + DONE,
            full,
            Some(TokenSource::Usage),
        ),
    ] {
        let seen = observe(expect, &body, BodyEnd::Complete);
        assert_eq!(
            (seen.tokens.usage, seen.tokens.source),
            (usage, source),
            "{name}"
        );
        let counted = source == Some(TokenSource::Chunks);
        assert_eq!(
            seen.provider_usage.is_unknown(),
            counted || source.is_none(),
            "{name}"
        );
    }
    // A broken Anthropic stream: the input is known, the output a lower bound.
    let anthropic = Expect {
        dialect: Dialect::Anthropic,
        language: Language::AnthropicMessages,
        ..CHAT
    };
    let body = concat!(
        r#"data: {"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}"#,
        "\n\n",
        r#"data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}"#,
        "\n\n",
    );
    let seen = observe(&anthropic, body, BodyEnd::Reset);
    assert_eq!(
        (seen.tokens.usage.input, seen.tokens.usage.output),
        (Some(5), Some(1))
    );
    assert_eq!(seen.tokens.source, Some(TokenSource::Chunks));
    assert_eq!(seen.provider_usage.output, None);
}

#[test]
fn oddities_are_noted() {
    let done = role() + &text() + &stop() + DONE;
    let json = Expect {
        content_type: Some("application/json"),
        ..CHAT
    };
    let whole = Expect {
        stream: false,
        ..json
    };
    let small = Expect {
        event_bytes_max: 200,
        ..CHAT
    };
    let gzip = Expect {
        content_encoding: Some("gzip"),
        ..CHAT
    };
    let other = Expect {
        model_asked: Some("gpt-4.1"),
        ..CHAT
    };
    let large = format!("data: {}\n\n", "x".repeat(300));
    for (expect, body, oddities) in [
        (&CHAT, done.clone(), vec![]),
        (
            &CHAT,
            format!("\u{feff}{done}"),
            vec![Oddity::ByteOrderMark],
        ),
        (
            &whole,
            "\n\u{feff}{\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}"
                .to_owned(),
            vec![Oddity::ByteOrderMark],
        ),
        (&CHAT, done.clone() + "x", vec![Oddity::BytesAfterDone]),
        (&CHAT, role() + &text() + &stop(), vec![Oddity::MissingDone]),
        (
            &CHAT,
            done.trim_end().to_owned(),
            vec![Oddity::PendingEvent],
        ),
        (
            &CHAT,
            role() + &text() + &stop() + "data: {\"a",
            vec![Oddity::MissingDone, Oddity::PartialEvent],
        ),
        (
            &CHAT,
            "data: {x}\n\n".to_owned() + DONE,
            vec![Oddity::BadJson],
        ),
        (
            &CHAT,
            "data: {\"x\":1}\n\n".to_owned() + &done,
            vec![Oddity::UnknownEvent],
        ),
        (&small, role() + &large + &done, vec![Oddity::EventTooLarge]),
        (
            &CHAT,
            role() + &text() + &stop() + USAGE + USAGE + DONE,
            vec![Oddity::UsageTwice],
        ),
        (
            &CHAT,
            text().replace("]}\n", "],\"usage\":{\"prompt_tokens\":1}}\n") + &stop() + DONE,
            vec![Oddity::UsageOnTokenEvent],
        ),
        (
            &gzip,
            done.clone(),
            vec![Oddity::Compressed, Oddity::Undecodable],
        ),
        (&other, done.clone(), vec![Oddity::ModelChanged]),
        (&json, done.clone(), vec![Oddity::ContentTypeMismatch]),
        (
            &CHAT,
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}"#.into(),
            vec![Oddity::ContentTypeMismatch],
        ),
        (
            &CHAT,
            role() + "{\"error\":\"x\"}",
            vec![Oddity::RawErrorTail],
        ),
    ] {
        let seen = observe(expect, &body, BodyEnd::Complete);
        assert_eq!(seen.oddities, oddities, "{body}");
    }
}

#[test]
fn one_event_too_large_to_read_leaves_what_follows_to_be_read() {
    let small = Expect {
        event_bytes_max: 200,
        ..CHAT
    };
    let large = format!("data: {}\n\n", "x".repeat(300));
    let error = "data: {\"error\":{\"message\":\"m\",\"type\":\"server_error\"}}\n\n";
    let whole = (End::Complete, Outcome::Ok);
    let cut = (End::Truncated, Outcome::Truncated);
    // Body, how it ended, whether first and last token are known, output tokens.
    for (body, ended, first, last, output) in [
        (
            role() + &text() + &large + &text() + &stop() + USAGE + DONE,
            whole,
            true,
            true,
            Some(TokenSource::Usage),
        ),
        (
            role() + &large + &text() + &stop() + DONE,
            whole,
            false,
            true,
            Some(TokenSource::Chunks),
        ),
        (
            role() + &text() + &large + &stop() + DONE,
            whole,
            true,
            false,
            Some(TokenSource::Chunks),
        ),
        (
            role() + &text() + &large + &text() + error,
            (End::ErrorEvent, Outcome::InBandError),
            true,
            true,
            Some(TokenSource::Chunks),
        ),
        (
            role() + &text() + &large + &text(),
            cut,
            true,
            true,
            Some(TokenSource::Chunks),
        ),
        // The terminator may have been in it: the transport's word stands.
        (
            role() + &text() + &large,
            whole,
            true,
            false,
            Some(TokenSource::Chunks),
        ),
    ] {
        let seen = observe(&small, &body, BodyEnd::Complete);
        assert_eq!((seen.end, seen.outcome_hint), ended, "{body}");
        assert!(seen.oddities.contains(&Oddity::EventTooLarge), "{body}");
        let known = |mark| seen.timeline.get(mark).is_some();
        assert_eq!(known(Mark::FirstToken), first, "{body}");
        assert_eq!(known(Mark::LastToken), last, "{body}");
        assert_eq!(seen.tokens.source, output, "{body}");
    }
}

#[test]
fn a_model_is_the_same_under_its_aliases() {
    for (asked, answered, changed) in [
        ("gpt-4.1", "gpt-4.1-2025-04-14", false),
        ("openai/gpt-4.1", "gpt-4.1", false),
        ("gpt-oss-120b:cerebras", "openai/gpt-oss-120b", false),
        ("meta-llama/Llama-3.1-8B", "llama-3.1-8b-instruct", false),
        ("claude-sonnet-4-6-20260101", "claude-sonnet-4-6", false),
        ("gemini-1.5-pro", "gemini-1.5-pro-002", false),
        ("mistral-small-latest", "mistral-small", false),
        ("mistral-small-latest", "mistral-small-2506", false),
        ("gemini-flash-latest", "gemini-2.5-flash", false),
        (
            "gemini-flash-latest",
            "gemini-2.5-flash-preview-09-2025",
            false,
        ),
        ("gemini-flash-latest", "gemini-2.5-flash-lite", true),
        ("gemini-flash-latest", "gemini-2.5-pro", true),
        ("chatgpt-4o-latest", "gpt-4o-2024-08-06", true),
        (
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "claude-sonnet-4-5-20250929",
            false,
        ),
        (
            "anthropic.claude-3-haiku-20240307-v1:0",
            "claude-3-haiku-20240307",
            false,
        ),
        (
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "claude-haiku-4-5-20251001",
            true,
        ),
        ("deepseek-v3", "deepseek-v2", true),
        ("gpt-4.1", "gpt-5.1", true),
        ("gpt-4.1", "gpt-4o", true),
        ("gpt-4.1", "gpt-4.1-mini", true),
        ("claude-sonnet-4", "claude-sonnet-4-6", true),
        ("gpt-4.1-mini", "gpt-4.1-nano", true),
    ] {
        let expect = Expect {
            model_asked: Some(asked),
            ..CHAT
        };
        let body = (text() + &stop() + DONE).replace("\"m\"", &format!("\"{answered}\""));
        let seen = observe(&expect, &body, BodyEnd::Complete);
        assert_eq!(seen.model_answered.as_deref(), Some(answered));
        assert_eq!(
            seen.oddities.contains(&Oddity::ModelChanged),
            changed,
            "{asked}"
        );
    }
}

#[test]
fn what_providers_do_otherwise_is_read() {
    let mistral = chunk(
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#,
        "null",
    );
    let seen = observe(&CHAT, &(mistral + &stop() + DONE), BodyEnd::Complete);
    assert_eq!(seen.first_token_kind, Some(TokenKind::Reasoning));

    let retyped = r#"data: {"model":7,"model":"m","choices":[{"index":"x","delta":{"content":5,"refusal":"no"},"finish_reason":"stop"},null,3],"usage":"none"}"#;
    let seen = observe(&CHAT, &format!("{retyped}\n\n{DONE}"), BodyEnd::Complete);
    assert_eq!(seen.first_token_kind, Some(TokenKind::Refusal));
    assert_eq!(seen.finish, [FinishReason::Stop]);
    assert_eq!((seen.end, seen.oddities), (End::Complete, vec![]));

    let cost = r#"data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"cost":0.00014,"reasoning_tokens":1},"provider":"Groq"}"#;
    let body = text() + &stop() + cost + "\n\n" + DONE;
    let seen = observe(&CHAT, &body, BodyEnd::Complete);
    assert_eq!(seen.cost_billed.map(|cost| cost.0), Some(140_000_000));
    assert_eq!(seen.provider_usage.reasoning, Some(1));
    assert_eq!(seen.served_by.as_deref(), Some("Groq"));

    // Google's words through its own endpoint, and a name of nothing before the end.
    let call = chunk(
        r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f"}}]}"#,
        r#""null""#,
    );
    let body = call + &chunk("{}", r#""STOP""#) + DONE;
    let seen = observe(&CHAT, &body, BodyEnd::Complete);
    assert_eq!(seen.finish, [FinishReason::ToolCalls]);
    assert_eq!(seen.finish_word.as_deref(), Some("STOP"));

    // Two choices, each with its own end; the same end told twice is one.
    let two = [0, 1, 1].map(|index| stop().replace("\"index\":0", &format!("\"index\":{index}")));
    let seen = observe(&CHAT, &(text() + &two.concat() + DONE), BodyEnd::Complete);
    assert_eq!(seen.finish, [FinishReason::Stop, FinishReason::Stop]);
}

#[test]
fn other_paths_are_timed_and_not_read() {
    for language in [
        Language::Plain,
        Language::Models,
        Language::AnthropicCountTokens,
    ] {
        let expect = Expect {
            language,
            content_type: Some("audio/mpeg"),
            ..CHAT
        };
        let seen = observe(&expect, "data: {not json}\n\n", BodyEnd::Complete);
        assert_eq!((seen.end, seen.outcome_hint), (End::Complete, Outcome::Ok));
        assert_eq!((seen.events, seen.oddities), (0, vec![]));
        assert_eq!(
            seen.timeline.span(Mark::FirstByte, Mark::Done),
            Some(Nanos(1))
        );
    }
}

#[test]
fn failing_statuses_are_classified() {
    let expect = Expect {
        status: 429,
        content_type: None,
        ..CHAT
    };
    let seen = observe(
        &expect,
        r#"{"error":{"code":"insufficient_quota"}}"#,
        BodyEnd::Complete,
    );
    let error = seen.error.unwrap();
    assert_eq!(error.class, ErrorClass::Quota);
    assert_eq!(error.code.as_deref(), Some("insufficient_quota"));
    assert_eq!(seen.outcome_hint, Outcome::RateLimited);
    // A page of a megabyte is not kept, and its status says enough.
    let expect = Expect {
        status: 502,
        ..expect
    };
    let seen = observe(&expect, &"x".repeat(1_000_000), BodyEnd::Complete);
    assert_eq!(seen.error.unwrap().class, ErrorClass::ServerError);
    assert_eq!(seen.oddities, [Oddity::LimitReached]);
}

#[test]
fn the_first_event_has_its_share_of_the_tokens() {
    let text = |words: usize| {
        chunk(
            &format!(r#"{{"content":"{}"}}"#, "word ".repeat(words)),
            "null",
        )
    };
    let usage = |output: u32| {
        format!("data: {{\"choices\":[],\"usage\":{{\"completion_tokens\":{output}}}}}\n\n")
    };
    let escaped = chunk(r#"{"content":"\u00e9\u00e9\u00e9\u00e9"}"#, "null");
    for (events, output, first) in [
        // Fifty tokens an event, and one.
        (vec![text(50), text(50), text(50), text(50)], 200, 50),
        (vec![text(3), text(1), text(1)], 3, 1),
        (vec![text(1), text(50), text(49)], 100, 1),
        // No other says the same, nor can be compared.
        (vec![text(24), escaped.clone(), escaped], 60, 43),
        // What the first calls is not told.
        (
            vec![
                chunk(
                    r#"{"tool_calls":[{"id":"c","function":{"name":"f","arguments":""}}]}"#,
                    "null",
                ),
                chunk(
                    r#"{"tool_calls":[{"function":{"arguments":"{}"}}]}"#,
                    "null",
                ),
            ],
            40,
            1,
        ),
    ] {
        let body = role() + &events.concat() + &stop() + &usage(output) + DONE;
        let gaps = observe(&CHAT, &body, BodyEnd::Complete).gaps.unwrap();
        assert_eq!(gaps.first_event_tokens, first, "{body}");
    }
    // Without the provider's counts, an event is a token.
    let body = role() + &text(9) + &text(1) + &stop() + DONE;
    let gaps = observe(&CHAT, &body, BodyEnd::Complete).gaps.unwrap();
    assert_eq!(gaps.first_event_tokens, 1);
}

#[test]
fn a_whole_answer_too_large_to_be_decoded_is_an_answer() {
    let body = format!(
        r#"{{"data":[{{"embedding":[{}0]}}]}}"#,
        "0.25,".repeat(1 << 18)
    );
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, body.as_bytes()).unwrap();
    let sent = gzip.finish().unwrap();
    for (coding, sent, oddity) in [
        (Some("gzip"), &sent[..], Oddity::DecodedTooLarge),
        (None, body.as_bytes(), Oddity::LimitReached),
    ] {
        let mut observer = Observer::new(&Expect {
            language: Language::OpenAiEmbeddings,
            content_type: Some("application/json"),
            content_encoding: coding,
            stream: false,
            ..CHAT
        });
        for piece in sent.chunks(1000) {
            observer.chunk(Moment(1), piece);
        }
        let seen = observer.end(Moment(2), BodyEnd::Complete);
        assert_eq!(
            (seen.end, seen.outcome_hint),
            (End::Complete, Outcome::Ok),
            "{coding:?}"
        );
        assert_eq!((seen.error, seen.tokens.usage), (None, Usage::default()));
        assert!(seen.oddities.contains(&oddity), "{coding:?}");
    }
}
