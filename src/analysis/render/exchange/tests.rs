//! Tests that an exported record has every field, and only fields that are documented.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fields::FIELDS;
use super::*;
use crate::record::*;

/// A record that has everything.
pub(in crate::analysis) fn full() -> ExchangeRecord {
    let zero = Moment(86_400_000_000_000);
    let mut timeline = Timeline::default();
    for (index, mark) in Mark::ALL.into_iter().enumerate() {
        timeline.set(mark, zero.plus(Nanos(index as u64 * 1_500_000)));
    }
    let some = |text: &str| Some(Name::from(text));
    let attempt = AttemptRecord {
        provider: "openrouter".into(),
        kind: ProviderKind::Router,
        region: some("eu"),
        model: some("openai/gpt-4.1"),
        lost_usage: Some(Usage::default()),
        credential: Some(KeyedHash(7)),
        served_by: some("Azure"),
        model_answered: some("gpt-4.1-2026-04-14"),
        fingerprint: some("fp_1"),
        service_tier: some("default"),
        upstream_request_id: some("req_1"),
        status: Some(200),
        error_class: Some(ErrorClass::Truncated),
        error_code: some("=cut"),
        end: Some(End::Truncated),
        cancelled_by: Some(CancelledBy::Client),
        rate_limits: vec![RateLimitHeader {
            name: "x-ratelimit-remaining-requests".into(),
            value: "9999".into(),
        }],
        server_timings: vec![ServerTiming {
            source: "openai-processing-ms".into(),
            span: Nanos::from_millis(300),
        }],
        timeline,
        gaps: Some(Gaps {
            token_events: 40,
            token_reads: 39,
            first_event_tokens: 1,
            sketch: Bins {
                zeros: 1,
                bins: vec![(820, 30), (830, 8)],
            },
            longest: Nanos::from_millis(20),
            ..Gaps::default()
        }),
        finish: vec![FinishReason::Stop, FinishReason::Length],
        oddities: vec![Oddity::MissingDone],
        language: Some(Language::AnthropicMessages),
        dropped: vec!["logit_bias".into(), "messages[0].name".into()],
        ..AttemptRecord::default()
    };
    ExchangeRecord {
        id: ExchangeId::new(WallTime(1_795_307_749_123_456), 99),
        trace: TraceId::from_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        started: WallTime(1_795_307_749_123_456),
        started_at: zero,
        origin: Origin::Live,
        config: KeyedHash(0x1234),
        endpoint: "/v1/chat/completions".into(),
        language: Language::OpenAiChat,
        model: some("gpt-4.1"),
        tags: vec!["team-a".into(), "nightly".into()],
        client_key: Some(KeyedHash(5)),
        session: Some(Session {
            hash: KeyedHash(6),
            source: SessionSource::Prefix,
            turn: 3,
        }),
        client_retries: Some(1),
        client_protocol: Protocol::Http1,
        request: RequestFacts {
            bytes: 4_000,
            prompt_tokens_estimated: Some(1_000),
            messages: Some(5),
            max_tokens: Some(512),
            choices: Some(1),
            tools: Some(2),
            reasoning_effort: some("low"),
            response_format: some("json_schema"),
            stream: true,
            prompt_hash: Some(KeyedHash(8)),
            prefix_hash: Some(KeyedHash(9)),
            ..RequestFacts::default()
        },
        policy: "ordered".into(),
        reason: "first".into(),
        attempts: vec![
            AttemptRecord {
                provider: "openai".into(),
                error_class: Some(ErrorClass::ServerError),
                status: Some(500),
                ..AttemptRecord::default()
            },
            attempt,
        ],
        outcome: Outcome::Truncated,
        status: Some(200),
        response_bytes: 12_345,
        tokens: Tokens {
            usage: Usage {
                input: Some(1_000),
                cached_read: Some(128),
                cache_write: Some(20),
                cache_write_1h: Some(10),
                output: Some(64),
                reasoning: Some(0),
                audio: Some(0),
            },
            source: Some(TokenSource::Usage),
        },
        cost: Some(PicoDollars(2_500_000_000)),
        no_cost: None,
        prices: Some("2026-11-22".into()),
        active: Some(Active {
            run: "bench-1".into(),
            round: 2,
            pair: Some(Pair {
                number: 7,
                order: 1,
            }),
            item: some("prompt-3"),
            trial: 1,
            intended: Some(Moment(zero.0 - 5)),
            warm_up: true,
            cold: true,
        }),
        decision: Some(Decision {
            routes: vec![Considered {
                provider: "openai".into(),
                model: Some("gpt-4.1".into()),
                other_model: false,
                score: Some(-6_500_000),
                propensity: 980_000,
                left_out: None,
            }],
            rule: Some(1),
            explored: true,
            hedge: None,
        }),
        experiment: Some(Enrolment {
            experiment: "router-tax".into(),
            part: Ok(Assigned {
                arm: Arm::B,
                coin: Coin(3 << 30),
                propensity: 500_000,
                unit: AssignedUnit::Session,
            }),
        }),
        cost_billed: Some(PicoDollars(2_400_000_000)),
        own: OwnDelay {
            inbound: Some(Nanos(31_000)),
            first_token: Some(Nanos(9_000)),
            chunk_max: Some(Nanos(80_000)),
            chunk_p99: Some(Nanos(60_000)),
            last: Some(Nanos(10_000)),
        },
        cached_answer: false,
        closed_at: zero.plus(Nanos(40_000_000)),
    }
}

/// The paths of a record's fields. What is a map of names is one field.
fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    let maps = ["rate_limits", "server_timings_ns", "timeline_ns"];
    match value {
        Value::Object(map) if !maps.iter().any(|name| path.ends_with(name)) => {
            for (key, value) in map {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                paths(value, &path, found);
            }
        }
        Value::Array(list) if path == "attempts" => {
            found.insert(path.to_owned());
            paths(&list[1], "attempts[]", found);
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

#[test]
fn every_field_is_documented_and_every_documented_field_is_there() {
    let mut found = BTreeSet::new();
    paths(
        &serde_json::to_value(Json(&full())).unwrap(),
        "",
        &mut found,
    );
    let documented: BTreeSet<String> = FIELDS.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(found, documented);
}

#[test]
fn timelines_are_offsets_and_the_zero_is_told() {
    let value = serde_json::to_value(Json(&full())).unwrap();
    assert_eq!(value["started_mono_ns"], 86_400_000_000_000_u64);
    assert_eq!(value["attempts"][1]["timeline_ns"]["request_first_byte"], 0);
    assert_eq!(value["attempts"][1]["timeline_ns"]["closed"], 36_000_000);
    assert_eq!(
        value["attempts"][1]["gaps"]["sketch_bins"][0],
        serde_json::json!([820, 30])
    );
    assert_eq!(value["attempts"][0]["gaps"], Value::Null);
    assert_eq!(value["attempts"][0]["timeline_ns"], serde_json::json!({}));
}

#[test]
fn what_was_exported_is_read_back_as_it_was() {
    let line = serde_json::to_string(&Json(&full())).unwrap();
    assert_eq!(read(&line), Ok(full()));
    let of = |from: &str, to: &str| read(&line.replace(from, to)).unwrap_err();
    for (from, to, said) in [
        ("tollgate.exchange/1", "other/1", "schema is `other/1`"),
        (
            "\"definitions\":",
            "\"definitions\":9",
            "numbers of the two may not be compared",
        ),
        (
            "\"outcome\":\"truncated\"",
            "\"outcome\":\"odd\"",
            "outcome is \"odd\"",
        ),
        (
            "\"bytes\":4000",
            "\"bytes\":-1",
            "request.bytes is -1, expected a number",
        ),
        ("\"kind\":\"router\"", "\"kind\":3", "attempts[].kind is 3"),
        ("\"closed_ns\"", "\"gone\"", "closed_ns is null"),
    ] {
        let found = of(from, to);
        assert!(found.contains(said), "{found}");
    }
    assert!(read("").is_err() && read("[]").is_err() && read("{}").is_err());
}

#[test]
fn csv_has_one_line_per_attempt_with_all_columns() {
    let mut text = header();
    text.push_str(&lines(&full()));
    let mut none = full();
    none.attempts.clear();
    text.push_str(&lines(&none));
    let mut reader = ::csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let names = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3);
    let field = |row: usize, name: &str| {
        let at = names.iter().position(|column| column == name).unwrap();
        rows[row][at].to_owned()
    };
    assert_eq!(field(1, "attempt"), "2");
    assert_eq!(field(1, "attempt_error_code"), "'=cut");
    assert_eq!(field(1, "attempt_finish"), "stop length");
    assert_eq!(field(1, "attempt_gaps_sketch_bins"), "[[820,30],[830,8]]");
    assert_eq!(field(0, "attempt_timeline_closed_ns"), "");
    assert_eq!(field(0, "request_max_tokens"), "512");
    assert_eq!(field(2, "attempt"), "");
}
