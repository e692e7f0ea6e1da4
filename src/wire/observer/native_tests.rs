//! Reads the streams that are no server-sent events, and what their languages say of their own.

use super::{BodyEnd, Expect, Observation, Observer, Stands, TokenKind};
use crate::record::{
    Dialect, End, ErrorClass, FinishReason, Language, Mark, Moment, Oddity, Outcome,
};
use crate::wire::framing::event_stream::{encode_event, encode_exception};

const FRAMES: &str = "application/vnd.amazon.eventstream";
const EVENTS: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";
const JSON: &str = "application/json";

fn observer(language: Language, media: &str, stream: bool) -> Observer {
    let dialect = match language {
        Language::GeminiGenerate => Dialect::Gemini,
        Language::BedrockConverse | Language::BedrockInvoke => Dialect::Bedrock,
        _ => Dialect::OpenAi,
    };
    Observer::new(&Expect {
        dialect,
        provider: "",
        language,
        status: 200,
        content_type: Some(media),
        content_encoding: None,
        error_type: None,
        stream,
        model_asked: None,
        choices: None,
        usage_injected: false,
        event_bytes_max: 1 << 20,
        decoded_bytes_max: 1 << 20,
        started: Some(Moment(0)),
    })
}

/// What an answer in `language` reads as that comes in these pieces, one a millisecond.
fn read(language: Language, media: &str, stream: bool, pieces: &[&[u8]]) -> Observation {
    let mut observer = observer(language, media, stream);
    let mut at = 0;
    for piece in pieces {
        at += 1_000_000;
        observer.chunk(Moment(at), piece);
    }
    observer.end(Moment(at + 1_000_000), BodyEnd::Complete)
}

fn frames(events: &[(&str, &str)]) -> Vec<Vec<u8>> {
    let frame = |(kind, payload): &(&str, &str)| {
        let mut out = Vec::new();
        match kind.strip_prefix('!') {
            Some(kind) => encode_exception(kind, payload.as_bytes(), &mut out).unwrap(),
            None => encode_event(kind, payload.as_bytes(), &mut out).unwrap(),
        }
        out
    };
    events.iter().map(frame).collect()
}

fn read_frames(language: Language, events: &[(&str, &str)]) -> Observation {
    let frames = frames(events);
    let pieces: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    read(language, FRAMES, true, &pieces)
}

#[test]
fn frames_are_marked_as_their_reads_came() {
    let seen = read_frames(
        Language::BedrockConverse,
        &[
            ("messageStart", r#"{"role":"assistant"}"#),
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"a"}}}"#,
            ),
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":0,"delta":{"text":"b"}}"#,
            ),
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":0,"delta":{"text":"c"}}"#,
            ),
            // Alike but for its name: nothing that brings tokens.
            (
                "contentBlockNews",
                r#"{"contentBlockIndex":0,"delta":{"text":"d"}}"#,
            ),
            ("messageStop", r#"{"stopReason":"max_tokens"}"#),
            (
                "metadata",
                r#"{"usage":{"inputTokens":5,"outputTokens":3,"cacheReadInputTokens":2},
                    "metrics":{"latencyMs":7},"serviceTier":{"type":"flex"}}"#,
            ),
        ],
    );
    for (mark, at) in [
        (Mark::FirstRole, 1),
        (Mark::FirstToken, 2),
        (Mark::FirstReasoning, 2),
        (Mark::FirstAnswer, 3),
        (Mark::FirstText, 3),
        (Mark::LastToken, 4),
        (Mark::Usage, 7),
        (Mark::Done, 7),
    ] {
        let found = seen.timeline.get(mark);
        assert_eq!(found, Some(Moment(at * 1_000_000)), "{mark:?}");
    }
    assert_eq!(
        (seen.events, seen.token_events, seen.end),
        (7, 3, End::Complete)
    );
    assert_eq!(seen.finish, [FinishReason::Length]);
    assert_eq!(seen.provider_usage.input, Some(7));
    assert_eq!(seen.service_tier.as_deref(), Some("flex"));
    assert_eq!(seen.oddities, [Oddity::UnknownEvent]);
}

#[test]
fn an_exception_is_its_class() {
    for (kind, class) in [
        ("!throttlingException", ErrorClass::RateLimited),
        ("!internalServerException", ErrorClass::ServerError),
        ("!modelStreamErrorException", ErrorClass::ServerError),
        ("!modelTimeoutException", ErrorClass::Timeout),
        ("!serviceUnavailableException", ErrorClass::Overloaded),
        ("!validationException", ErrorClass::BadRequest),
    ] {
        let seen = read_frames(Language::BedrockInvoke, &[(kind, r#"{"message":"m"}"#)]);
        let error = seen.error.unwrap();
        assert_eq!(error.class, class, "{kind}");
        assert_eq!(error.code.as_deref(), kind.strip_prefix('!'));
        assert_eq!(
            (seen.end, seen.outcome_hint),
            (End::ErrorEvent, Outcome::InBandError)
        );
    }
}

/// What Bedrock says of a call in the last piece of its stream.
const METRICS: &str = r#""amazon-bedrock-invocationMetrics":{"inputTokenCount":4,"outputTokenCount":2,"invocationLatency":9}"#;

/// Bedrock hands on what each model says, in the model's own words.
#[test]
fn what_bedrock_hands_on_is_read_in_the_models_words() {
    use base64::Engine as _;
    let chunk = |text: &str| {
        let bytes = base64::engine::general_purpose::STANDARD.encode(text);
        format!(r#"{{"bytes":"{bytes}","p":"abc"}}"#)
    };
    for (name, pieces, finish) in [
        (
            "llama",
            vec![
                r#"{"generation":"a","stop_reason":null}"#.to_owned(),
                format!(r#"{{"generation":"","stop_reason":"length",{METRICS}}}"#),
            ],
            FinishReason::Length,
        ),
        (
            "mistral",
            vec![
                r#"{"outputs":[{"text":"a","stop_reason":null}]}"#.to_owned(),
                format!(r#"{{"outputs":[{{"text":"","stop_reason":"stop"}}],{METRICS}}}"#),
            ],
            FinishReason::Stop,
        ),
        (
            "titan",
            vec![format!(
                r#"{{"outputText":"a","completionReason":"FINISH",{METRICS}}}"#
            )],
            FinishReason::Stop,
        ),
        (
            "nova",
            vec![
                r#"{"messageStart":{"role":"assistant"}}"#.to_owned(),
                r#"{"contentBlockDelta":{"delta":{"text":"a"},"contentBlockIndex":0}}"#.to_owned(),
                r#"{"messageStop":{"stopReason":"end_turn"}}"#.to_owned(),
                format!(
                    r#"{{"metadata":{{"usage":{{"inputTokens":4,"outputTokens":2}}}},{METRICS}}}"#
                ),
            ],
            FinishReason::Stop,
        ),
        (
            "gpt-oss",
            vec![
                r#"{"object":"chat.completion.chunk","choices":[{"delta":{"content":"a"}}]}"#
                    .to_owned(),
                format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop"}}],{METRICS}}}"#),
            ],
            FinishReason::Stop,
        ),
    ] {
        let pieces: Vec<String> = pieces.iter().map(|piece| chunk(piece)).collect();
        let events: Vec<_> = pieces
            .iter()
            .map(|piece| ("chunk", piece.as_str()))
            .collect();
        let seen = read_frames(Language::BedrockInvoke, &events);
        assert_eq!((seen.end, &seen.error), (End::Complete, &None), "{name}");
        assert_eq!(
            (seen.token_events, seen.first_token_kind),
            (1, Some(TokenKind::Text)),
            "{name}"
        );
        assert_eq!(seen.finish, [finish], "{name}");
        let usage = seen.provider_usage;
        assert_eq!((usage.input, usage.output), (Some(4), Some(2)), "{name}");
    }
    for (body, output) in [
        (
            r#"{"generation":"a","prompt_token_count":3,"generation_token_count":1,"stop_reason":"stop"}"#,
            1,
        ),
        (
            r#"{"inputTextTokenCount":3,"results":[{"outputText":"a","completionReason":"FINISH"}],"totalOutputTextTokenCount":2}"#,
            2,
        ),
        (
            r#"{"type":"message","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4}}"#,
            4,
        ),
        (
            r#"{"output":{"message":{"content":[{"text":"a"}]}},"stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":5}}"#,
            5,
        ),
    ] {
        let seen = read(Language::BedrockInvoke, JSON, false, &[body.as_bytes()]);
        assert_eq!(
            (seen.outcome_hint, seen.provider_usage.output),
            (Outcome::Ok, Some(output)),
            "{body}"
        );
    }
}

#[test]
fn gemini_says_more_than_its_samples() {
    let event = |data: &str| format!("data: {data}\r\n\r\n").into_bytes();
    let one = |data: &str| read(Language::GeminiGenerate, EVENTS, true, &[&event(data)]);
    let part = |part: &str| {
        one(&format!(r#"{{"candidates":[{{"content":{{"parts":[{part}]}},"finishReason":"STOP"}}],"responseId":"r1",
            "usageMetadata":{{"promptTokenCount":3,"candidatesTokenCount":2,"thoughtsTokenCount":5,"totalTokenCount":10,
            "promptTokensDetails":[{{"modality":"AUDIO","tokenCount":1}}],"trafficType":"ON_DEMAND_FLEX"}}}}"#).replace('\n', ""))
    };
    for (json, kind) in [
        (r#"{"text":"a","thought":true}"#, TokenKind::Reasoning),
        (r#"{"text":"a","thoughtSignature":"s"}"#, TokenKind::Text),
        (r#"{"functionCall":{"name":"f"}}"#, TokenKind::Tool),
        (r#"{"executableCode":{"code":"1"}}"#, TokenKind::Tool),
        (
            r#"{"inlineData":{"mimeType":"audio/L16","data":"AA"}}"#,
            TokenKind::Audio,
        ),
        (
            r#"{"inlineData":{"mimeType":"image/png","data":"AA"}}"#,
            TokenKind::Image,
        ),
    ] {
        let seen = part(json);
        assert_eq!(seen.first_token_kind, Some(kind), "{json}");
        assert_eq!(
            (seen.end, seen.outcome_hint),
            (End::Complete, Outcome::Ok),
            "{json}"
        );
        // The thoughts are beside the candidates, by the total.
        let usage = seen.provider_usage;
        assert_eq!(
            (usage.output, usage.reasoning, usage.audio),
            (Some(7), Some(5), Some(1))
        );
        assert_eq!(seen.service_tier.as_deref(), Some("ON_DEMAND_FLEX"));
        assert_eq!(seen.answer_id.as_deref(), Some("r1"));
        let odd = match kind {
            TokenKind::Audio => vec![],
            TokenKind::Reasoning => vec![Oddity::ReasoningSummary, Oddity::AudioPrompt],
            _ => vec![Oddity::AudioPrompt],
        };
        assert_eq!(seen.oddities, odd, "{json}");
    }
    assert_eq!(part(r#"{"thoughtSignature":"s"}"#).first_token_kind, None);
    // A refused prompt is the caller's matter and nobody's failure.
    let blocked = one(r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#);
    assert_eq!(blocked.outcome_hint, Outcome::ClientError);
    assert_eq!(blocked.error.unwrap().class, ErrorClass::ContentFilter);
    for (word, class) in [
        ("UNEXPECTED_TOOL_CALL", ErrorClass::ServerError),
        ("MISSING_THOUGHT_SIGNATURE", ErrorClass::BadRequest),
    ] {
        let seen = one(&format!(
            r#"{{"candidates":[{{"finishReason":"{word}"}}]}}"#
        ));
        assert_eq!(seen.error.unwrap().class, class, "{word}");
    }
}

#[test]
fn objects_in_an_array_and_on_lines_are_events() {
    let array: &[&[u8]] = &[
        b"[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}",
        b"\n,\r\n",
        b"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\"}]},\"finishReason\":\"STOP\"}]}\n]",
    ];
    let seen = read(Language::GeminiGenerate, JSON, true, array);
    assert_eq!(
        (seen.events, seen.end, seen.streamed),
        (2, End::Complete, true)
    );
    assert_eq!(seen.timeline.get(Mark::FirstToken), Some(Moment(1_000_000)));
    assert_eq!(seen.timeline.get(Mark::LastToken), Some(Moment(3_000_000)));
    let open = read(Language::GeminiGenerate, JSON, true, &[array[0], array[1]]);
    assert_eq!(
        (open.end, open.oddities.as_slice()),
        (End::Truncated, &[Oddity::PartialEvent][..])
    );
    let unclosed = array[2].strip_suffix(b"\n]").unwrap();
    let unclosed = read(
        Language::GeminiGenerate,
        JSON,
        true,
        &[array[0], array[1], unclosed],
    );
    assert_eq!(
        (unclosed.end, unclosed.outcome_hint),
        (End::Unterminated, Outcome::Ok)
    );
    let error = read(
        Language::GeminiGenerate,
        JSON,
        true,
        &[array[0], b",{\"error\":{\"code\":503}}]"],
    );
    assert_eq!(error.error.unwrap().class, ErrorClass::Overloaded);
    let junk = read(Language::GeminiGenerate, JSON, true, &[array[0], b",x"]);
    assert_eq!(junk.error.unwrap().class, ErrorClass::ProtocolError);

    let lines: &[&[u8]] = &[
        b"{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":false}\n",
        b"{\"model\":\"m\",\"message\":{\"content\":\"a\"},\"done\":false}\n{\"model\":\"m\",",
        b"\"message\":{\"content\":\"\",\"tool_calls\":[{}]},\"done\":false}\n",
        b"{\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":3,\"eval_count\":2,\"total_duration\":5}\n",
    ];
    let seen = read(Language::OllamaNative, LINES, true, lines);
    assert_eq!(
        (seen.events, seen.token_events, seen.end),
        (4, 2, End::Complete)
    );
    assert_eq!(seen.timeline.get(Mark::FirstRole), Some(Moment(1_000_000)));
    assert_eq!(seen.timeline.get(Mark::FirstText), Some(Moment(2_000_000)));
    assert_eq!(
        seen.timeline.get(Mark::FirstToolCall),
        Some(Moment(3_000_000))
    );
    assert_eq!(seen.finish, [FinishReason::ToolCalls]);
    assert_eq!(seen.provider_usage.output, Some(2));
    // One object alone is a whole answer where that was asked for, or where its type says so.
    let whole: &[&[u8]] = &[b"{\"response\":\"a\",\"done\":true,\"done_reason\":\"length\"}"];
    for (media, stream) in [(JSON, false), (JSON, true), (LINES, false)] {
        let seen = read(Language::OllamaNative, media, stream, whole);
        assert_eq!(
            (seen.streamed, seen.outcome_hint),
            (false, Outcome::Ok),
            "{media} {stream}"
        );
        assert_eq!(seen.finish, [FinishReason::Length]);
    }
}

/// Whether an error of our own may follow, and how, hangs on where the stream stands.
#[test]
fn a_stream_says_where_it_stands() {
    use Language::{BedrockConverse, GeminiGenerate, OllamaNative, OpenAiChat};
    let stands = |language, media, bytes: &[u8]| {
        let mut observer = observer(language, media, true);
        observer.chunk(Moment(1), bytes);
        observer.stands()
    };
    let frame = &frames(&[("messageStart", "{}")])[0];
    let exception = &frames(&[("!throttlingException", "{}")])[0];
    for (language, media, bytes, expected) in [
        (
            BedrockConverse,
            FRAMES,
            &b""[..],
            Some(Stands::BetweenFrames),
        ),
        (BedrockConverse, FRAMES, frame, Some(Stands::BetweenFrames)),
        (BedrockConverse, FRAMES, &frame[..20], Some(Stands::Within)),
        (BedrockConverse, FRAMES, exception, Some(Stands::Told)),
        (BedrockConverse, FRAMES, &[1; 20], Some(Stands::Told)),
        (OllamaNative, LINES, b"", Some(Stands::BetweenLines)),
        (OllamaNative, LINES, b"{}\n", Some(Stands::BetweenLines)),
        (OllamaNative, LINES, b"{}", Some(Stands::BetweenLines)),
        (OllamaNative, LINES, b"{}\n{\"a\"", Some(Stands::Within)),
        (
            OllamaNative,
            LINES,
            b"{\"done\":true}\n",
            Some(Stands::Told),
        ),
        (
            GeminiGenerate,
            JSON,
            b"[",
            Some(Stands::InArray { first: true }),
        ),
        (
            GeminiGenerate,
            JSON,
            b"[{}",
            Some(Stands::InArray { first: false }),
        ),
        (GeminiGenerate, JSON, b"[{", Some(Stands::Within)),
        (GeminiGenerate, JSON, b"[{}]", Some(Stands::Within)),
        (GeminiGenerate, EVENTS, b"data: {}\r\n\r\n", None),
        (OpenAiChat, EVENTS, b"data: {", None),
        (OpenAiChat, JSON, b"{", None),
    ] {
        let place = format!("{language:?} {media} {}", String::from_utf8_lossy(bytes));
        assert_eq!(stands(language, media, bytes), expected, "{place}");
    }
}
