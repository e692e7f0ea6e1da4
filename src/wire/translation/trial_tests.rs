//! Tries pairs in tests: a request against what it must become, a stream in every cut.

use std::fmt::Write as _;

use serde_json::Value;

use super::shape::{Asked, Ended, Kept, Pair, Refusal, Sent, Stamp, Terms};

/// Terms under which nothing is dropped, of a model that takes everything.
pub(super) const STRICT: Terms = Terms {
    drop_params: false,
    merge_system: false,
    max_tokens: 4096,
    takes_sampling: true,
    thinks_by_budget: false,
    takes_effort: true,
    takes_labels: true,
    takes_tier: true,
    takes_top_k: false,
    limits_completion: true,
    pass_urls: false,
    refused: Vec::new(),
};

/// Says `body` to a provider by `pair`.
pub(super) fn sent(pair: &Pair, body: &Value, model: &str, terms: &Terms) -> Result<Sent, Refusal> {
    let body = body.to_string();
    (pair.request)(&Asked {
        body: body.as_bytes(),
        model,
        terms,
    })
}

/// The stamp of all answers.
pub(super) fn stamp() -> Stamp {
    Stamp {
        id: "s1".to_owned(),
        created: 1_795_000_000,
    }
}

/// A sample of a provider's bytes.
pub(super) fn sample(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/../tests/fixtures/wire/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What the client reads of `bytes`, and how the stream ended: the same whole, byte by byte and
/// with a cut at every place.
pub(super) fn said(pair: &Pair, kept: &Kept, bytes: &[u8]) -> (String, Ended) {
    let stamp = stamp();
    let said = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut stream = (pair.stream)(kept, &stamp);
        let mut out = Vec::new();
        for piece in pieces {
            stream.feed(piece, &mut out);
        }
        let ended = stream.end(&mut out);
        (String::from_utf8(out).unwrap(), ended)
    };
    let whole = said(&mut std::iter::once(bytes));
    assert_eq!(said(&mut bytes.chunks(1)), whole, "byte by byte");
    for at in 0..=bytes.len() {
        let (one, other) = bytes.split_at(at);
        assert_eq!(said(&mut [one, other].into_iter()), whole, "cut at {at}");
    }
    whole
}

/// The chunks of a stream that a client reads, without what is alike in all of them, and whether
/// `[DONE]` ends them.
pub(super) fn chunks(said: &str) -> (Vec<Value>, bool) {
    let mut chunks = Vec::new();
    let mut done = false;
    for event in said.split_terminator("\n\n") {
        assert!(!done, "nothing follows the terminator: {event}");
        let data = event.strip_prefix("data: ").unwrap();
        if data == "[DONE]" {
            done = true;
            continue;
        }
        let mut chunk: Value = serde_json::from_str(data).unwrap();
        if let Some(object) = chunk.as_object_mut()
            && !object.contains_key("error")
        {
            assert_eq!(object["object"], "chat.completion.chunk");
            assert_eq!(object["created"], 1_795_000_000);
            for key in ["object", "created"] {
                object.shift_remove(key);
            }
        }
        chunks.push(chunk);
    }
    (chunks, done)
}

/// The deltas of the first choice of a stream, one after the other.
pub(super) fn deltas(said: &str) -> Vec<Value> {
    let (chunks, _) = chunks(said);
    let deltas = chunks.iter().filter_map(|chunk| {
        let delta = chunk["choices"].get(0)?.get("delta")?;
        (delta.as_object().is_some_and(|delta| !delta.is_empty())).then(|| delta.clone())
    });
    deltas.collect()
}

/// A chat stream of these deltas, which ends for the reason `finish` with usage, or without an end
/// where that is empty.
pub(super) fn chat_stream(deltas: &[&str], finish: &str) -> Vec<u8> {
    let mut stream = String::new();
    for delta in deltas {
        let _ = write!(
            stream,
            "data: {{\"id\":\"c\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\
             \"finish_reason\":null}}]}}\n\n"
        );
    }
    if !finish.is_empty() {
        let _ = write!(
            stream,
            "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{}},\
             \"finish_reason\":\"{finish}\"}}]}}\n\ndata: {{\"choices\":[],\"usage\":\
             {{\"prompt_tokens\":7,\"completion_tokens\":3}}}}\n\ndata: [DONE]\n\n"
        );
    }
    stream.into_bytes()
}

/// How a stream ended, in a word: that of the error's class where it failed.
pub(super) fn word(ended: &Ended) -> String {
    match ended {
        Ended::Whole => "Whole".to_owned(),
        Ended::Broken => "Broken".to_owned(),
        Ended::Failed(error) => format!("{:?}", error.class),
    }
}
