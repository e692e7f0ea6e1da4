//! Reads answers in forms that providers' documentation shows and their models' makers do not.

use super::{BodyEnd, Expect, Observation, Observer, TokenKind};
use crate::record::{
    Dialect, End, ErrorClass, FinishReason, Language, Mark, Moment, Oddity, Outcome, TokenSource,
    Usage,
};

/// What comes in these pieces, one a millisecond, asked of `model`.
fn observe(language: Language, model: &str, stream: bool, pieces: &[String]) -> Observation {
    let dialect = match language {
        Language::AnthropicMessages => Dialect::Anthropic,
        Language::GeminiGenerate => Dialect::Gemini,
        Language::BedrockConverse | Language::BedrockInvoke => Dialect::Bedrock,
        _ => Dialect::OpenAi,
    };
    let media = match (language, stream) {
        (_, false) => "application/json",
        (Language::OllamaNative, true) => "application/x-ndjson",
        _ => "text/event-stream",
    };
    let mut observer = Observer::new(&Expect {
        dialect,
        provider: "",
        language,
        status: 200,
        content_type: Some(media),
        content_encoding: None,
        error_type: None,
        stream,
        model_asked: Some(model),
        choices: None,
        usage_injected: false,
        event_bytes_max: 1 << 20,
        decoded_bytes_max: 1 << 20,
        started: Some(Moment(0)),
    });
    let mut at = 0;
    for piece in pieces {
        at += 1_000_000;
        observer.chunk(Moment(at), piece.as_bytes());
    }
    observer.end(Moment(at + 1_000_000), BodyEnd::Complete)
}

fn whole(language: Language, body: &str) -> Observation {
    observe(language, "m", false, &[body.to_owned()])
}

fn events(language: Language, model: &str, events: &[&str]) -> Observation {
    let pieces: Vec<String> = events
        .iter()
        .map(|event| match event.split_once('!') {
            Some(("error", data)) => format!("event: error\ndata: {data}\n\n"),
            _ => format!("data: {event}\n\n"),
        })
        .collect();
    observe(language, model, true, &pieces)
}

/// An answer that holds no generated content may be one.
#[test]
fn what_is_no_content_is_an_answer_all_the_same() {
    use Language::{BedrockInvoke, OllamaNative, OpenAiResponses};
    let (ok, empty) = (Outcome::Ok, Outcome::Empty);
    for (language, body, outcome, output, odd) in [
        // A job in the background.
        (
            OpenAiResponses,
            r#"{"object":"response","status":"queued","background":true,"output":[],"usage":null}"#,
            ok,
            None,
            vec![],
        ),
        (
            OpenAiResponses,
            r#"{"object":"response","status":"in_progress","output":[]}"#,
            ok,
            None,
            vec![],
        ),
        (
            OpenAiResponses,
            r#"{"object":"response","status":"completed","output":[]}"#,
            empty,
            None,
            vec![],
        ),
        // A model taken into memory, and out of it.
        (
            OllamaNative,
            r#"{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"load"}"#,
            ok,
            None,
            vec![],
        ),
        (
            OllamaNative,
            r#"{"model":"m","response":"","done":true,"done_reason":"unload"}"#,
            ok,
            None,
            vec![],
        ),
        (
            OllamaNative,
            r#"{"model":"m","response":"","done":true,"done_reason":"stop"}"#,
            empty,
            None,
            vec![],
        ),
        // Vectors, ranks and pictures; what is not known here.
        (
            BedrockInvoke,
            r#"{"embedding":[0.1,0.2],"inputTextTokenCount":4}"#,
            ok,
            Some(0),
            vec![],
        ),
        (
            BedrockInvoke,
            r#"{"embeddings":[[0.1]],"id":"x","response_type":"embeddings_floats","texts":["a"]}"#,
            ok,
            Some(0),
            vec![],
        ),
        (
            BedrockInvoke,
            r#"{"embeddings":{"float":[[0.1]]}}"#,
            ok,
            Some(0),
            vec![],
        ),
        (
            BedrockInvoke,
            r#"{"results":[{"index":0,"relevance_score":0.5}]}"#,
            ok,
            None,
            vec![],
        ),
        (
            BedrockInvoke,
            r#"{"images":["aGk="],"error":null}"#,
            ok,
            None,
            vec![],
        ),
        (
            BedrockInvoke,
            r#"{"result":"success","artifacts":[{"base64":"aGk="}]}"#,
            ok,
            None,
            vec![],
        ),
        (
            BedrockInvoke,
            r#"{"vectors":[1]}"#,
            ok,
            None,
            vec![Oddity::UnknownEvent],
        ),
        (
            BedrockInvoke,
            r#"{"generation":"","stop_reason":"stop"}"#,
            empty,
            None,
            vec![],
        ),
        (
            BedrockInvoke,
            r#"{"images":null,"error":"blocked by the filter"}"#,
            Outcome::InBandError,
            None,
            vec![],
        ),
    ] {
        let seen = whole(language, body);
        let found = (seen.outcome_hint, seen.tokens.usage.output, seen.oddities);
        assert_eq!(found, (outcome, output, odd), "{body}");
    }
}

#[test]
fn bedrock_hands_on_ends_and_counts_in_other_places() {
    use crate::wire::framing::event_stream::encode_event;
    use base64::Engine as _;
    // DeepSeek's and Mistral's end of a choice has another name than chat's.
    let pieces = [
        r#"{"choices":[{"index":0,"text":"a","stop_reason":null}]}"#,
        r#"{"choices":[{"index":0,"text":"","stop_reason":"length"}],"amazon-bedrock-invocationMetrics":{"inputTokenCount":4,"outputTokenCount":2}}"#,
    ];
    let mut bytes = Vec::new();
    for piece in pieces {
        let piece = base64::engine::general_purpose::STANDARD.encode(piece);
        let payload = format!(r#"{{"bytes":"{piece}"}}"#);
        encode_event("chunk", payload.as_bytes(), &mut bytes).unwrap();
    }
    let mut observer = Observer::new(&Expect {
        dialect: Dialect::Bedrock,
        provider: "",
        language: Language::BedrockInvoke,
        status: 200,
        content_type: Some("application/vnd.amazon.eventstream"),
        content_encoding: None,
        error_type: None,
        stream: true,
        model_asked: None,
        choices: None,
        usage_injected: false,
        event_bytes_max: 1 << 20,
        decoded_bytes_max: 1 << 20,
        started: Some(Moment(0)),
    });
    observer.chunk(Moment(1), &bytes);
    let seen = observer.end(Moment(2), BodyEnd::Complete);
    assert_eq!((seen.end, seen.outcome_hint), (End::Complete, Outcome::Ok));
    assert_eq!(seen.finish, [FinishReason::Length]);
    for (body, output) in [
        (r#"{"choices":[{"text":"a","stop_reason":"stop"}]}"#, None),
        (
            r#"{"choices":[{"index":0,"message":{"content":"a"},"stop_reason":"stop"}]}"#,
            None,
        ),
        (
            r#"{"inputTextTokenCount":5,"results":[{"tokenCount":3,"outputText":"a","completionReason":"FINISH"}]}"#,
            Some(3),
        ),
    ] {
        let seen = whole(Language::BedrockInvoke, body);
        assert_eq!(seen.finish, [FinishReason::Stop], "{body}");
        assert_eq!(seen.provider_usage.output, output, "{body}");
    }
    // Counts beside the body: those in the body stand.
    let told = Usage {
        input: Some(5),
        output: Some(3),
        ..Usage::default()
    };
    for (body, output) in [
        (r#"{"outputs":[{"text":"a","stop_reason":"stop"}]}"#, 3),
        (
            r#"{"generation":"a","stop_reason":"stop","prompt_token_count":5,"generation_token_count":4}"#,
            4,
        ),
    ] {
        let mut observer = Observer::new(&Expect {
            dialect: Dialect::Bedrock,
            provider: "",
            language: Language::BedrockInvoke,
            status: 200,
            content_type: Some("application/json"),
            content_encoding: None,
            error_type: None,
            stream: false,
            model_asked: None,
            choices: None,
            usage_injected: false,
            event_bytes_max: 1 << 20,
            decoded_bytes_max: 1 << 20,
            started: None,
        })
        .counted(Some(told));
        observer.chunk(Moment(1), body.as_bytes());
        let seen = observer.end(Moment(2), BodyEnd::Complete);
        let usage = seen.tokens.usage;
        assert_eq!(
            (usage.input, usage.output),
            (Some(5), Some(output)),
            "{body}"
        );
        assert_eq!(seen.tokens.source, Some(TokenSource::Usage), "{body}");
        assert_eq!(seen.oddities, [], "{body}");
    }
}

const ROLE: &str = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
const TEXT: &str = r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#;
const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

#[test]
fn routers_draw_pictures_in_chat() {
    let picture = r#"{"choices":[{"index":0,"delta":{"content":"","images":[{"type":"image_url","image_url":{"url":"data:"}}]}}]}"#;
    let part = r#"{"choices":[{"index":0,"delta":{"content":[{"type":"image_url","image_url":{"url":"data:"}}]}}]}"#;
    let none = r#"{"choices":[{"index":0,"delta":{"content":"","images":[]}}]}"#;
    for (piece, kind, outcome) in [
        (picture, Some(TokenKind::Image), Outcome::Ok),
        (part, Some(TokenKind::Image), Outcome::Ok),
        (none, None, Outcome::Empty),
    ] {
        let chat = Language::OpenAiChat;
        let seen = events(chat, "m", &[ROLE, piece, STOP, "[DONE]"]);
        assert_eq!(
            (seen.first_token_kind, seen.outcome_hint),
            (kind, outcome),
            "{piece}"
        );
        let body = piece.replace("delta", "message");
        let body = body.replace(r#""index":0"#, r#""finish_reason":"stop""#);
        assert_eq!(whole(chat, &body).outcome_hint, outcome, "{body}");
    }
}

/// Beside each delta stands the whole text so far, also beside an empty one.
#[test]
fn what_was_said_before_is_no_token() {
    let repeated = |delta: &str, said: &str, finish: &str| {
        format!(
            r#"{{"choices":[{{"index":0,"delta":{{{delta}}},"message":{{"role":"assistant","content":"{said}"}},"finish_reason":{finish}}}]}}"#
        )
    };
    let pieces = [
        repeated(r#""role":"assistant","content":"""#, "", "null"),
        repeated(r#""content":"a""#, "a", "null"),
        repeated(r#""content":"b""#, "ab", "null"),
        repeated(r#""content":"""#, "ab", r#""stop""#),
    ];
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let seen = events(Language::OpenAiChat, "m", &pieces);
    assert_eq!(seen.token_events, 2);
    assert_eq!(seen.timeline.get(Mark::FirstToken), Some(Moment(2_000_000)));
    assert_eq!(seen.timeline.get(Mark::LastToken), Some(Moment(3_000_000)));
    // A server that has no deltas at all.
    let without =
        r#"{"choices":[{"delta":null,"message":{"content":"a"},"finish_reason":"stop"}]}"#;
    let seen = events(Language::OpenAiChat, "m", &[without]);
    assert_eq!((seen.token_events, seen.outcome_hint), (1, Outcome::Ok));
}

#[test]
fn a_count_that_tokens_overtook_is_not_the_last() {
    let early = |output: u32| {
        format!(r#"{{"choices":[],"usage":{{"prompt_tokens":5,"completion_tokens":{output}}}}}"#)
    };
    let late = early(2);
    for (first, rest, output, source) in [
        (early(0), vec![TEXT, TEXT, TEXT], 3, TokenSource::Chunks),
        (
            early(1),
            vec![TEXT, TEXT, STOP, "[DONE]"],
            2,
            TokenSource::Chunks,
        ),
        (
            early(9),
            vec![TEXT, TEXT, STOP, "[DONE]"],
            9,
            TokenSource::Usage,
        ),
        // Fewer tokens than events: the last word is the provider's.
        (
            early(1),
            vec![TEXT, TEXT, TEXT, STOP, &late],
            2,
            TokenSource::Usage,
        ),
    ] {
        let pieces: Vec<&str> = [&*first].into_iter().chain(rest).collect();
        let seen = events(Language::OpenAiChat, "m", &pieces);
        let (usage, found) = (seen.tokens.usage, seen.tokens.source);
        assert_eq!(
            (usage.input, usage.output),
            (Some(5), Some(output)),
            "{pieces:?}"
        );
        assert_eq!(found, Some(source), "{pieces:?}");
    }
}

#[test]
fn the_part_of_an_answer_that_was_cut_is_no_larger_than_what_came() {
    let start = |details: &str| {
        format!(r#"{{"type":"message_start","message":{{"usage":{{"input_tokens":5{details}}}}}}}"#)
    };
    let thought = r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"a"}}"#;
    let part = |tokens: u32| format!(r#","output_tokens_details":{{"thinking_tokens":{tokens}}}"#);
    for (details, reasoning) in [(part(100), None), (part(3), Some(3)), (String::new(), None)] {
        let start = start(&details);
        let pieces = [&*start, thought, thought, thought];
        let tokens = events(Language::AnthropicMessages, "m", &pieces).tokens;
        let found = (tokens.usage.output, tokens.usage.reasoning, tokens.source);
        assert_eq!(
            found,
            (Some(3), reasoning, Some(TokenSource::Chunks)),
            "{details}"
        );
    }
}

#[test]
fn a_part_is_no_larger_than_its_whole() {
    let usage = |counts: &str| format!(r#"{{"choices":[],"usage":{{{counts}}}}}"#);
    for (counts, output) in [
        // Perplexity's deep research, whose total leaves the reasoning out.
        (
            r#""prompt_tokens":5,"completion_tokens":7163,"total_tokens":7168,"reasoning_tokens":73997"#,
            81_160,
        ),
        (
            r#""prompt_tokens":5,"completion_tokens":3,"completion_tokens_details":{"reasoning_tokens":4}"#,
            7,
        ),
        (
            r#""prompt_tokens":5,"completion_tokens":4,"completion_tokens_details":{"reasoning_tokens":4}"#,
            4,
        ),
    ] {
        let usage = usage(counts);
        let seen = events(Language::OpenAiChat, "m", &[TEXT, STOP, &usage, "[DONE]"]);
        assert_eq!(seen.tokens.usage.output, Some(output), "{counts}");
    }
    // Gemini's last event may tell no more of the thoughts than was told before.
    let gemini = |counts: &str, end: &str| {
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"a"}}]}}{end}}}],"usageMetadata":{{"promptTokenCount":3,{counts}}}}}"#
        )
    };
    let first = gemini(r#""thoughtsTokenCount":20,"totalTokenCount":23"#, "");
    let last = gemini(
        r#""candidatesTokenCount":9,"totalTokenCount":32"#,
        r#","finishReason":"STOP""#,
    );
    let seen = events(Language::GeminiGenerate, "m", &[&first, &last]);
    let usage = seen.tokens.usage;
    assert_eq!((usage.output, usage.reasoning), (Some(29), Some(20)));
}

#[test]
fn costs_are_summed_where_two_bill() {
    for (cost, billed) in [
        (r#""cost":0.5"#, Some(500_000_000_000)),
        (r#""cost":"0.5""#, Some(500_000_000_000)),
        (
            r#""cost":{"input_tokens_cost":0.25,"request_cost":0.25,"total_cost":0.5}"#,
            Some(500_000_000_000),
        ),
        (r#""cost":{}"#, None),
        (
            r#""cost":0.25,"is_byok":true,"cost_details":{"upstream_inference_cost":0.5}"#,
            Some(750_000_000_000),
        ),
        (
            r#""cost":0,"is_byok":true,"cost_details":{"upstream_inference_cost":null}"#,
            None,
        ),
        (
            r#""cost":0.5,"is_byok":false,"cost_details":{"upstream_inference_cost":0.25}"#,
            Some(500_000_000_000),
        ),
    ] {
        let usage = format!(
            r#"{{"choices":[],"usage":{{"prompt_tokens":5,"completion_tokens":3,{cost}}}}}"#
        );
        let seen = events(Language::OpenAiChat, "m", &[TEXT, STOP, &usage, "[DONE]"]);
        assert_eq!(seen.cost_billed.map(|cost| cost.0), billed, "{cost}");
    }
}

#[test]
fn each_candidate_that_began_ends() {
    let candidate = |index: u32, end: &str| {
        format!(
            r#"{{"candidates":[{{"index":{index},"content":{{"parts":[{{"text":"a"}}]}}{end}}}]}}"#
        )
    };
    let stop = r#","finishReason":"STOP""#;
    for (pieces, end) in [
        (
            vec![candidate(0, ""), candidate(1, stop), candidate(0, stop)],
            End::Complete,
        ),
        (vec![candidate(0, ""), candidate(1, stop)], End::Truncated),
        // Fewer than were asked for, perhaps.
        (vec![candidate(0, ""), candidate(0, stop)], End::Complete),
    ] {
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let seen = events(Language::GeminiGenerate, "m", &pieces);
        assert_eq!(seen.end, end, "{pieces:?}");
    }
}

#[test]
fn errors_are_found_where_no_error_key_is() {
    let choice = r#"{"choices":[{"index":0,"delta":{"content":""},"error":{"code":429,"message":"Provider returned error"}}]}"#;
    let flat = r#"{"message":"Tokens per minute limit exceeded","type":"too_many_tokens_error","param":"quota","code":"rate_limit_exceeded"}"#;
    for (event, class, odd) in [
        (choice, ErrorClass::RateLimited, None),
        (flat, ErrorClass::RateLimited, None),
        (
            r#"{"detail":"Internal error"}"#,
            ErrorClass::ServerError,
            Some(Oddity::UnknownEvent),
        ),
        (
            "error!out of memory",
            ErrorClass::ServerError,
            Some(Oddity::BadJson),
        ),
    ] {
        let seen = events(Language::OpenAiChat, "m", &[ROLE, event]);
        let found = seen.error.map(|error| error.class);
        assert_eq!((seen.end, found), (End::ErrorEvent, Some(class)), "{event}");
        if let Some(odd) = odd {
            assert_eq!(seen.oddities, [odd], "{event}");
        }
        let seen = whole(Language::OpenAiChat, &event.replace("delta", "message"));
        if odd != Some(Oddity::BadJson) {
            let found = seen.error.map(|error| error.class);
            assert_eq!((seen.end, found), (End::ErrorEvent, Some(class)), "{event}");
        }
    }
    // Neither is one.
    for event in [
        r#"{"message":"loading","type":"status"}"#,
        r#"{"message":{"content":"a"},"code":"x"}"#,
        r#"{"choices":[{"index":0,"delta":{},"error":null}]}"#,
    ] {
        let seen = events(
            Language::OpenAiChat,
            "m",
            &[ROLE, event, TEXT, STOP, "[DONE]"],
        );
        assert_eq!(seen.outcome_hint, Outcome::Ok, "{event}");
    }
    let seen = whole(
        Language::AnthropicMessages,
        r#"{"detail":"Not authenticated"}"#,
    );
    assert_eq!(seen.end, End::Complete);
}

/// What of the reasoning was streamed, and what only counted.
#[test]
fn reasoning_that_was_not_streamed_is_told() {
    use Language::{AnthropicMessages as Messages, GeminiGenerate, OpenAiChat, OpenAiResponses};
    let hidden = vec![Oddity::HiddenReasoning];
    let summary = vec![Oddity::ReasoningSummary];
    let both = vec![Oddity::HiddenReasoning, Oddity::ReasoningSummary];
    let start =
        |block: &str| format!(r#"{{"type":"content_block_start","content_block":{block}}}"#);
    let delta = |delta: &str| format!(r#"{{"type":"content_block_delta","delta":{delta}}}"#);
    let redacted = start(r#"{"type":"redacted_thinking","data":"x"}"#);
    let thinking = delta(r#"{"type":"thinking_delta","thinking":"hm"}"#);
    let signature = delta(r#"{"type":"signature_delta","signature":"x"}"#);
    let text = delta(r#"{"type":"text_delta","text":"a"}"#);
    let stop = |details: &str| {
        format!(
            r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{{"output_tokens":9{details}}}}}"#
        )
    };
    let (plain, counted) = (
        stop(""),
        stop(r#","output_tokens_details":{"thinking_tokens":7}"#),
    );
    let messages: [(&str, Vec<&str>, &Vec<Oddity>); 9] = [
        ("clone", vec![&text, &plain], &Vec::new()),
        ("clone", vec![&redacted, &text, &plain], &hidden),
        ("clone", vec![&redacted, &text, &counted], &Vec::new()),
        ("clone", vec![&signature, &text, &plain], &hidden),
        (
            "clone",
            vec![&thinking, &signature, &text, &plain],
            &Vec::new(),
        ),
        // Some in plain, some not: the count is of both.
        (
            "clone",
            vec![&thinking, &redacted, &text, &counted],
            &hidden,
        ),
        (
            "claude-3-7-sonnet-20250219",
            vec![&thinking, &text, &plain],
            &Vec::new(),
        ),
        (
            "claude-sonnet-4-5",
            vec![&thinking, &text, &counted],
            &summary,
        ),
        (
            "us.anthropic.claude-opus-4",
            vec![&thinking, &text, &plain],
            &both,
        ),
    ];
    for (model, pieces, odd) in messages {
        let over = r#"{"type":"message_stop"}"#;
        let seen = events(Messages, model, &[&pieces[..], &[over]].concat());
        assert_eq!(&seen.oddities, odd, "{model} {pieces:?}");
    }
    let usage = |details: &str| {
        format!(r#"{{"choices":[],"usage":{{"prompt_tokens":3,"completion_tokens":9{details}}}}}"#)
    };
    let (bare, full) = (
        usage(""),
        usage(r#","completion_tokens_details":{"reasoning_tokens":7}"#),
    );
    let detail = |detail: &str| {
        format!(r#"{{"choices":[{{"index":0,"delta":{{"reasoning_details":[{detail}]}}}}]}}"#)
    };
    let sealed = detail(r#"{"type":"reasoning.encrypted","data":"x"}"#);
    let summed = detail(r#"{"type":"reasoning.summary","summary":"hm"}"#);
    let open = detail(r#"{"type":"reasoning.text","text":"hm"}"#);
    for (pieces, odd) in [
        (vec![&*sealed, TEXT, STOP, &bare], &hidden),
        (vec![&sealed, TEXT, STOP, &full], &Vec::new()),
        (vec![&open, &sealed, TEXT, STOP, &bare], &Vec::new()),
        (vec![&summed, &sealed, TEXT, STOP, &full], &summary),
        (vec![&summed, TEXT, STOP, &bare], &both),
    ] {
        let seen = events(OpenAiChat, "m", &[&pieces[..], &["[DONE]"]].concat());
        assert_eq!(&seen.oddities, odd, "{pieces:?}");
        assert_eq!(seen.outcome_hint, Outcome::Ok, "{pieces:?}");
    }
    let item = r#"{"type":"response.output_item.added","item":{"type":"reasoning","summary":[]}}"#;
    let said = r#"{"type":"response.reasoning_text.delta","delta":"hm"}"#;
    let short = r#"{"type":"response.reasoning_summary_text.delta","delta":"hm"}"#;
    let text = r#"{"type":"response.output_text.delta","delta":"a"}"#;
    let done = |details: &str| {
        format!(
            r#"{{"type":"response.completed","response":{{"status":"completed","usage":{{"input_tokens":3,"output_tokens":9{details}}}}}}}"#
        )
    };
    let (bare, full) = (
        done(""),
        done(r#","output_tokens_details":{"reasoning_tokens":7}"#),
    );
    for (pieces, odd) in [
        ([item, text, &full, ""], &Vec::new()),
        ([item, text, &bare, ""], &hidden),
        ([item, said, text, &bare], &Vec::new()),
        ([item, short, text, &full], &summary),
    ] {
        let pieces: Vec<&str> = pieces
            .into_iter()
            .filter(|piece| !piece.is_empty())
            .collect();
        let seen = events(OpenAiResponses, "m", &pieces);
        assert_eq!(&seen.oddities, odd, "{pieces:?}");
    }
    let gemini = [
        r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"thoughtsTokenCount":7,"totalTokenCount":12}}"#,
    ];
    assert_eq!(events(GeminiGenerate, "m", &gemini).oddities, summary);
    // Of a whole answer no rate is made.
    let answer = r#"{"type":"message","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"}],"stop_reason":"end_turn","usage":{"output_tokens":9}}"#;
    assert_eq!(whole(Messages, answer).oddities, []);
}

#[test]
fn audio_of_the_prompt_alone_is_told() {
    let answer = |part: &str| {
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{part}]}},"finishReason":"STOP"}}],"usageMetadata":{{"promptTokenCount":905,"candidatesTokenCount":2,"promptTokensDetails":[{{"modality":"AUDIO","tokenCount":900}}]}}}}"#
        )
    };
    for (part, odd) in [
        (r#"{"text":"a"}"#, vec![Oddity::AudioPrompt]),
        (
            r#"{"inlineData":{"mimeType":"audio/L16","data":"AA"}}"#,
            vec![],
        ),
    ] {
        let body = answer(part);
        let seen = events(Language::GeminiGenerate, "m", &[&body]);
        assert_eq!(seen.oddities, odd, "{part}");
        assert_eq!(
            whole(Language::GeminiGenerate, &body).oddities,
            odd,
            "{part}"
        );
    }
}
