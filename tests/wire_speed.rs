//! Prints what reading costs: `cargo test --release --test wire_speed -- --ignored --nocapture`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that prints"
)]

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use tollgate::record::{Dialect, Language, Moment};
use tollgate::wire::dialect::request;
use tollgate::wire::framing::event_stream::encode_event;
use tollgate::wire::framing::usage_filter::UsageFilter;
use tollgate::wire::observer::{BodyEnd, Expect, Observer};
use tollgate::wire::translation::{Asked, Ended, Stamp, Terms, Translation};

const EXPECT: Expect<'_> = Expect {
    dialect: Dialect::OpenAi,
    provider: "openai",
    language: Language::OpenAiChat,
    status: 200,
    content_type: Some("text/event-stream; charset=utf-8"),
    content_encoding: None,
    error_type: None,
    stream: true,
    model_asked: Some("gpt-4.1-mini"),
    choices: None,
    usage_injected: false,
    event_bytes_max: 4 << 20,
    decoded_bytes_max: 32 << 20,
    started: Some(Moment(0)),
};

const CHAT: &str = concat!(
    r#"data: {"id":"chatcmpl-CxYz0123456789abcdefghij","object":"chat.completion.chunk","#,
    r#""created":1795000000,"model":"gpt-4.1-mini-2025-04-14","service_tier":"default","#,
    r#""system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":{"content":" token"},"#,
    r#""logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"a1B2c3D4e5"}"#,
    "\n\n"
);
const RESPONSES: &str = concat!(
    "event: response.output_text.delta\n",
    r#"data: {"type":"response.output_text.delta","sequence_number":5,"item_id":"msg_0123456789"#,
    r#"abcdef0123456789","output_index":0,"content_index":0,"delta":" token","logprobs":[],"#,
    r#""obfuscation":"a1B2c3D4e5"}"#,
    "\n\n"
);
const ANTHROPIC: &str = concat!(
    "event: content_block_delta\n",
    r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" token"}}"#,
    "\n\n"
);

fn time(name: &str, rounds: u32, mut work: impl FnMut()) {
    let best = (0..7)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..rounds {
                work();
            }
            start.elapsed() / rounds
        })
        .min();
    println!("{name}: {:?}", best.unwrap());
}

#[test]
#[ignore = "prints times"]
fn what_an_event_costs() {
    println!("an observer is {} bytes", size_of::<Observer>());
    for (name, language, event) in [
        ("chat", Language::OpenAiChat, CHAT),
        ("responses", Language::OpenAiResponses, RESPONSES),
        ("anthropic", Language::AnthropicMessages, ANTHROPIC),
    ] {
        let expect = Expect { language, ..EXPECT };
        let mut observer = Observer::new(&expect);
        let mut at = 0;
        time(
            &format!("{name}, {} bytes, whole", event.len()),
            200_000,
            || {
                at += 5_000_000;
                black_box(observer.chunk(Moment(at), black_box(event.as_bytes())));
            },
        );
        let (head, tail) = event.as_bytes().split_at(event.len() / 2);
        time(
            &format!("{name}, {} bytes, in two", event.len()),
            200_000,
            || {
                at += 5_000_000;
                observer.chunk(Moment(at), black_box(head));
                black_box(observer.chunk(Moment(at), black_box(tail)));
            },
        );
        let events = observer.end(Moment(at), BodyEnd::ClientGone).token_events;
        assert_eq!(events, 7 * 400_000);
    }
    let mut filter = UsageFilter::new();
    let chunk = Bytes::from_static(CHAT.as_bytes());
    time("usage filter, one event", 200_000, || {
        black_box(filter.chunk(black_box(chunk.clone())));
    });
}

/// Chunks of the streams that are said again.
const CHUNKS: usize = 64;

/// A stream of 64 tokens as each provider sends it: its language, and a buffer for each read.
fn streams() -> Vec<(Language, Vec<Vec<u8>>)> {
    let anthropic = |event: &str, data: &str| format!("event: {event}\ndata: {data}\n\n");
    let start = r#"{"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"usage":{"input_tokens":12,"output_tokens":1}}}"#;
    let block =
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let end = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":64}}"#;
    let mut messages =
        vec![anthropic("message_start", start) + &anthropic("content_block_start", block)];
    messages.extend((0..CHUNKS).map(|_| ANTHROPIC.to_owned()));
    messages.push(
        anthropic("message_delta", end) + &anthropic("message_stop", r#"{"type":"message_stop"}"#),
    );
    let messages = messages.into_iter().map(String::into_bytes).collect();

    let gemini = |finish: &str| {
        format!(
            concat!(
                r#"data: {{"candidates":[{{"content":{{"parts":[{{"text":" token"}}],"role":"model"}}{},"#,
                r#""index":0}}],"usageMetadata":{{"promptTokenCount":8,"candidatesTokenCount":2,"#,
                r#""totalTokenCount":10,"promptTokensDetails":[{{"modality":"TEXT","tokenCount":8}}]}},"#,
                r#""modelVersion":"gemini-2.5-flash","responseId":"abcdefghijklmnopqrstuv"}}"#,
                "\r\n\r\n"
            ),
            finish
        )
        .into_bytes()
    };
    let mut events: Vec<Vec<u8>> = (1..CHUNKS).map(|_| gemini("")).collect();
    events.push(gemini(r#","finishReason":"STOP""#));

    let frame = |kind: &str, payload: &str| {
        let mut bytes = Vec::new();
        encode_event(kind, payload.as_bytes(), &mut bytes).unwrap();
        bytes
    };
    let delta = r#"{"contentBlockIndex":0,"delta":{"text":" token"},"p":"abcdefghijklmnopqr"}"#;
    let mut frames = vec![frame("messageStart", r#"{"p":"abcd","role":"assistant"}"#)];
    frames.extend((0..CHUNKS).map(|_| frame("contentBlockDelta", delta)));
    frames.push(frame("messageStop", r#"{"stopReason":"end_turn"}"#));
    let usage = r#"{"usage":{"inputTokens":8,"outputTokens":64,"totalTokens":72},"metrics":{"latencyMs":9}}"#;
    frames.push(frame("metadata", usage));
    vec![
        (Language::AnthropicMessages, messages),
        (Language::GeminiGenerate, events),
        (Language::BedrockConverse, frames),
    ]
}

/// What saying a stream of 64 chunks again costs beside observing it, which every stream costs:
/// a chat stream is observed and goes through as it is.
#[test]
#[ignore = "prints times"]
fn what_a_translated_stream_costs() {
    let observed = |language: Language, pieces: &[Vec<u8>]| {
        let expect = Expect { language, ..EXPECT };
        let mut observer = Observer::new(&expect);
        for (at, piece) in pieces.iter().enumerate() {
            black_box(observer.chunk(Moment(at as u64), black_box(piece)));
        }
        black_box(observer.end(Moment(CHUNKS as u64), BodyEnd::Complete));
    };
    let mut chat: Vec<Vec<u8>> = (0..CHUNKS).map(|_| CHAT.as_bytes().to_vec()).collect();
    chat.push(b"data: [DONE]\n\n".to_vec());
    let name = format!("{CHUNKS} chunks of chat, observed");
    time(&name, 2_000, || observed(Language::OpenAiChat, &chat));
    let terms = Terms {
        drop_params: false,
        merge_system: false,
        max_tokens: 4096,
        takes_sampling: true,
        thinks_by_budget: false,
        takes_effort: true,
        takes_labels: true,
        takes_top_k: true,
        limits_completion: false,
        pass_urls: false,
    };
    let body = br#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi"}]}"#;
    let stamp = Stamp {
        id: "0198a1b2c3d4e5f60718293a4b5c6d7e".to_owned(),
        created: 1_795_000_000,
    };
    for (provider, pieces) in streams() {
        let translation = Translation::between(Language::OpenAiChat, provider).unwrap();
        let asked = Asked {
            body,
            model: "m",
            terms: &terms,
        };
        let back = translation.request(&asked).unwrap().back;
        let name = provider.name();
        time(&format!("the same of {name}, observed"), 2_000, || {
            observed(provider, &pieces);
        });
        let mut out = Vec::new();
        time(&format!("the same of {name}, said in chat"), 2_000, || {
            let mut stream = translation.stream(&back, &stamp);
            for piece in &pieces {
                out.clear();
                stream.feed(black_box(piece), &mut out);
                black_box(&out);
            }
            assert_eq!(stream.end(&mut out), Ended::Whole);
        });
    }
}

#[test]
#[ignore = "prints times"]
fn what_a_request_costs() {
    let message = "The quick brown fox\\njumps over the lazy dog. ".repeat(20);
    for messages in [4, 2200] {
        let messages: Vec<String> = (0..messages)
            .map(|_| format!(r#"{{"role":"user","content":"{message}"}}"#))
            .collect();
        let messages = messages.join(",");
        let body = format!(r#"{{"model":"gpt-4.1","stream":true,"messages":[{messages}]}}"#);
        let rounds = u32::try_from(20_000_000 / body.len()).unwrap();
        time(&format!("request of {} bytes", body.len()), rounds, || {
            black_box(
                request::read(Language::OpenAiChat, black_box(body.as_bytes()), 128).unwrap(),
            );
        });
    }
    let numbers: Vec<String> = (0..300_000).map(|n| (n % 99_991).to_string()).collect();
    let body = format!(r#"{{"model":"e","input":[{}]}}"#, numbers.join(","));
    time(
        &format!("embeddings of {} bytes of numbers", body.len()),
        10,
        || {
            black_box(
                request::read(Language::OpenAiEmbeddings, black_box(body.as_bytes()), 128).unwrap(),
            );
        },
    );
}
