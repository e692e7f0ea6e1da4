//! Streams of so many tokens as each provider sends them, and what asks for them in each language.

use tollgate::record::Language;
use tollgate::wire::framing::event_stream::encode_event;
use tollgate::wire::translation::{Asked, Back, Stamp, Terms, Translation};

/// The client's language and the provider's: every way there is, in one leg or two.
pub(crate) const WAYS: [(Language, Language); 10] = [
    (Language::OpenAiChat, Language::AnthropicMessages),
    (Language::OpenAiChat, Language::GeminiGenerate),
    (Language::OpenAiChat, Language::BedrockConverse),
    (Language::AnthropicMessages, Language::OpenAiChat),
    (Language::OpenAiResponses, Language::OpenAiChat),
    (Language::AnthropicMessages, Language::GeminiGenerate),
    (Language::AnthropicMessages, Language::BedrockConverse),
    (Language::OpenAiResponses, Language::AnthropicMessages),
    (Language::OpenAiResponses, Language::GeminiGenerate),
    (Language::OpenAiResponses, Language::BedrockConverse),
];

/// What stands in for ids and dates.
pub(crate) fn stamp() -> Stamp {
    Stamp {
        id: "0198a1b2c3d4e5f60718293a4b5c6d7e".to_owned(),
        created: 1_795_000_000,
    }
}

/// A way and what its answers need, of a small request for a stream.
pub(crate) fn way(client: Language, provider: Language) -> (Translation, Back) {
    let terms = Terms {
        drop_params: false,
        merge_system: false,
        max_tokens: 4096,
        takes_sampling: true,
        thinks_by_budget: false,
        takes_effort: true,
        takes_labels: true,
        takes_tier: true,
        takes_top_k: true,
        limits_completion: false,
        pass_urls: false,
        refused: Vec::new(),
    };
    let translation = Translation::between(client, provider).unwrap();
    let asked = Asked {
        body: request(client).as_bytes(),
        model: "m",
        terms: &terms,
    };
    let back = translation.request(&asked).unwrap().back;
    (translation, back)
}

fn request(client: Language) -> &'static str {
    match client {
        Language::OpenAiResponses => r#"{"model":"m","stream":true,"store":false,"input":"Hi"}"#,
        Language::AnthropicMessages => {
            r#"{"model":"m","stream":true,"max_tokens":99,"messages":[{"role":"user","content":"Hi"}]}"#
        }
        _ => {
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi"}]}"#
        }
    }
}

/// A stream of `tokens` as a provider sends it: a buffer for each read.
pub(crate) fn stream(provider: Language, tokens: usize) -> Vec<Vec<u8>> {
    match provider {
        Language::AnthropicMessages => messages(tokens),
        Language::GeminiGenerate => gemini(tokens),
        Language::BedrockConverse => converse(tokens),
        _ => chat(tokens),
    }
}

fn chat(tokens: usize) -> Vec<Vec<u8>> {
    let chunk = |delta: &str, finish: &str| {
        format!(
            concat!(
                r#"data: {{"id":"chatcmpl-CxYz0123456789abcdefghij","object":"chat.completion.chunk","#,
                r#""created":1795000000,"model":"gpt-4.1-mini-2025-04-14","service_tier":"default","#,
                r#""system_fingerprint":"fp_0123456789","choices":[{{"index":0,"delta":{},"#,
                r#""logprobs":null,"finish_reason":{}}}],"usage":null,"obfuscation":"a1B2c3D4e5"}}"#,
                "\n\n"
            ),
            delta, finish
        )
        .into_bytes()
    };
    let mut events = vec![chunk(r#"{"role":"assistant","content":""}"#, "null")];
    events.extend((0..tokens).map(|_| chunk(r#"{"content":" token"}"#, "null")));
    events.push(chunk("{}", r#""stop""#));
    events.push(b"data: [DONE]\n\n".to_vec());
    events
}

fn messages(tokens: usize) -> Vec<Vec<u8>> {
    let event =
        |kind: &str, rest: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n");
    let start = r#","message":{"id":"msg_01","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"usage":{"input_tokens":12,"output_tokens":1}}"#;
    let block = r#","index":0,"content_block":{"type":"text","text":""}"#;
    let delta = r#","index":0,"delta":{"type":"text_delta","text":" token"}"#;
    let end = r#","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":64}"#;
    let mut events = vec![event("message_start", start) + &event("content_block_start", block)];
    events.extend((0..tokens).map(|_| event("content_block_delta", delta)));
    let stop = event("content_block_stop", r#","index":0"#);
    events.push(stop + &event("message_delta", end) + &event("message_stop", ""));
    events.into_iter().map(String::into_bytes).collect()
}

fn gemini(tokens: usize) -> Vec<Vec<u8>> {
    let event = |finish: &str| {
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
    let mut events: Vec<Vec<u8>> = (1..tokens).map(|_| event("")).collect();
    events.push(event(r#","finishReason":"STOP""#));
    events
}

fn converse(tokens: usize) -> Vec<Vec<u8>> {
    let frame = |kind: &str, payload: &str| {
        let mut bytes = Vec::new();
        encode_event(kind, payload.as_bytes(), &mut bytes).unwrap();
        bytes
    };
    let delta = r#"{"contentBlockIndex":0,"delta":{"text":" token"},"p":"abcdefghijklmnopqr"}"#;
    let usage = r#"{"usage":{"inputTokens":8,"outputTokens":64,"totalTokens":72},"metrics":{"latencyMs":9}}"#;
    let mut frames = vec![frame("messageStart", r#"{"p":"abcd","role":"assistant"}"#)];
    frames.extend((0..tokens).map(|_| frame("contentBlockDelta", delta)));
    frames.push(frame("contentBlockStop", r#"{"contentBlockIndex":0}"#));
    frames.push(frame("messageStop", r#"{"stopReason":"end_turn"}"#));
    frames.push(frame("metadata", usage));
    frames
}
