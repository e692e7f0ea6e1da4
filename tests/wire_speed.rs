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
use tollgate::wire::framing::usage_filter::UsageFilter;
use tollgate::wire::observer::{BodyEnd, Expect, Observer};

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
