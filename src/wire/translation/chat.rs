//! Writes OpenAI chat: the chunks of a stream, and whole answers.

use std::io::Write as _;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::shape::{Kept, Stamp};
use crate::record::{FinishReason, Usage};

/// What every chunk of one stream begins with.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    id: String,
    created: i64,
    model: String,
    /// `"usage":null` on all chunks but the last, as OpenAI has it where usage was asked for.
    usage_null: bool,
    /// `data: {"id":…,"choices":[`, written once.
    head: Vec<u8>,
}

impl Chunks {
    /// Those of a stream to which `kept` was asked; the provider's id and model are set later.
    pub(super) fn new(kept: &Kept, stamp: &Stamp) -> Self {
        let mut chunks = Self {
            id: format!("chatcmpl-{}", stamp.id),
            created: stamp.created,
            model: kept.model.clone(),
            usage_null: kept.include_usage,
            head: Vec::new(),
        };
        chunks.renew();
        chunks
    }

    /// Takes over what the provider calls the answer; empty names say nothing.
    pub(super) fn name(&mut self, id: &str, model: &str) {
        if !id.is_empty() {
            id.clone_into(&mut self.id);
        }
        if !model.is_empty() {
            model.clone_into(&mut self.model);
        }
        self.renew();
    }

    fn renew(&mut self) {
        self.head.clear();
        self.head.extend_from_slice(b"data: {\"id\":");
        string(&mut self.head, &self.id);
        let _ = write!(
            self.head,
            ",\"object\":\"chat.completion.chunk\",\"created\":{},\"model\":",
            self.created
        );
        string(&mut self.head, &self.model);
        self.head.extend_from_slice(b",\"choices\":[");
    }

    /// The chunk that says who speaks.
    pub(super) fn role(&self, out: &mut Vec<u8>) {
        self.delta(out, |out| {
            out.extend_from_slice(b"\"role\":\"assistant\",\"content\":\"\"");
        });
    }

    /// A piece of the answer's text.
    pub(super) fn content(&self, out: &mut Vec<u8>, text: &str) {
        self.text(out, b"\"content\":", text);
    }

    /// A piece of a refusal.
    #[expect(dead_code, reason = "for pairs that are on their way")]
    pub(super) fn refusal(&self, out: &mut Vec<u8>, text: &str) {
        self.text(out, b"\"refusal\":", text);
    }

    /// A piece of reasoning, by the name that most clients read.
    pub(super) fn reasoning(&self, out: &mut Vec<u8>, text: &str) {
        self.text(out, b"\"reasoning_content\":", text);
    }

    /// One of [`reasoning details`](super::reasoning): what of the reasoning is to be sent back.
    pub(super) fn reasoning_detail(&self, out: &mut Vec<u8>, detail: &Value) {
        self.detail_of(out, 0, detail);
    }

    /// The same of the choice `index`.
    pub(super) fn detail_of(&self, out: &mut Vec<u8>, index: u64, detail: &Value) {
        self.delta_of(out, index, |out| {
            out.extend_from_slice(b"\"reasoning_details\":[");
            value(out, detail);
            out.push(b']');
        });
    }

    /// The beginning of a tool call; `index` counts tool calls only.
    pub(super) fn tool_call(&self, out: &mut Vec<u8>, index: usize, id: &str, name: &str) {
        self.delta(out, |out| {
            let _ = write!(out, "\"tool_calls\":[{{\"index\":{index},\"id\":");
            string(out, id);
            out.extend_from_slice(b",\"type\":\"function\",\"function\":{\"name\":");
            string(out, name);
            out.extend_from_slice(b",\"arguments\":\"\"}}]");
        });
    }

    /// A piece of a tool call's arguments.
    pub(super) fn arguments(&self, out: &mut Vec<u8>, index: usize, text: &str) {
        self.delta(out, |out| {
            let _ = write!(
                out,
                "\"tool_calls\":[{{\"index\":{index},\"function\":{{\"arguments\":"
            );
            string(out, text);
            out.extend_from_slice(b"}}]");
        });
    }

    /// The chunk that says why the model stopped.
    pub(super) fn finish(&self, out: &mut Vec<u8>, reason: FinishReason) {
        self.finish_of(out, 0, reason);
    }

    /// The same of the choice `index`.
    pub(super) fn finish_of(&self, out: &mut Vec<u8>, index: u64, reason: FinishReason) {
        self.finish_by(out, index, reason, None);
    }

    /// The same with the provider's own word, where OpenAI's says less.
    pub(super) fn finish_by(
        &self,
        out: &mut Vec<u8>,
        index: u64,
        reason: FinishReason,
        native: Option<&str>,
    ) {
        self.open(out, index);
        let reason = word(reason);
        let _ = write!(out, ",\"delta\":{{}},\"finish_reason\":\"{reason}\"");
        if let Some(native) = native {
            let _ = write!(out, ",\"native_finish_reason\":\"{native}\"");
        }
        out.extend_from_slice(b"}]");
        self.close(out);
    }

    /// The chunk with the tokens used, and no choice.
    pub(super) fn usage(&self, out: &mut Vec<u8>, usage: &Usage, tier: Option<&str>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"],\"usage\":");
        value(out, &usage_object(usage));
        if let Some(tier) = tier {
            out.extend_from_slice(b",\"service_tier\":");
            string(out, tier);
        }
        out.extend_from_slice(b"}\n\n");
    }

    /// The terminator.
    pub(super) fn done(out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn text(&self, out: &mut Vec<u8>, key: &[u8], text: &str) {
        self.delta(out, |out| {
            out.extend_from_slice(key);
            string(out, text);
        });
    }

    fn delta(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        self.delta_of(out, 0, write);
    }

    /// A delta of the choice `index`, whose members `write` writes.
    pub(super) fn delta_of(&self, out: &mut Vec<u8>, index: u64, write: impl FnOnce(&mut Vec<u8>)) {
        self.open(out, index);
        out.extend_from_slice(b",\"delta\":{");
        write(out);
        out.extend_from_slice(b"},\"finish_reason\":null}]");
        self.close(out);
    }

    /// A delta of one text, `key` and colon in front, as it stands between the quotes of other
    /// JSON: most texts of a stream go through without being read.
    pub(super) fn piece_of(&self, out: &mut Vec<u8>, index: u64, key: &[u8], inside: &str) {
        self.delta_of(out, index, |out| {
            out.extend_from_slice(key);
            out.push(b'"');
            out.extend_from_slice(inside.as_bytes());
            out.push(b'"');
        });
    }

    /// A piece of a tool call's arguments, as it stands between the quotes of other JSON.
    pub(super) fn arguments_of(&self, out: &mut Vec<u8>, call: usize, inside: &str) {
        self.delta_of(out, 0, |out| {
            let _ = write!(
                out,
                "\"tool_calls\":[{{\"index\":{call},\"function\":{{\"arguments\":\"{inside}\"}}}}]"
            );
        });
    }

    /// An image, as routers have made it usual to say one: OpenAI chat has no place for it.
    pub(super) fn image_of(&self, out: &mut Vec<u8>, index: u64, url: &str) {
        self.delta_of(out, index, |out| {
            out.extend_from_slice(IMAGE);
            string(out, url);
            out.extend_from_slice(b"}}]");
        });
    }

    /// Sound of the choice `index`, in base 64.
    pub(super) fn sound_of(&self, out: &mut Vec<u8>, index: u64, data: &str) {
        self.delta_of(out, index, |out| {
            out.extend_from_slice(b"\"audio\":{\"data\":");
            string(out, data);
            out.push(b'}');
        });
    }

    /// The probabilities of the last tokens of the choice `index`.
    pub(super) fn logprobs_of(&self, out: &mut Vec<u8>, index: u64, logprobs: &Value) {
        self.open(out, index);
        out.extend_from_slice(b",\"delta\":{},\"logprobs\":");
        value(out, logprobs);
        out.extend_from_slice(b",\"finish_reason\":null}]");
        self.close(out);
    }

    fn open(&self, out: &mut Vec<u8>, index: u64) {
        out.extend_from_slice(&self.head);
        let _ = write!(out, "{{\"index\":{index}");
    }

    fn close(&self, out: &mut Vec<u8>) {
        if self.usage_null {
            out.extend_from_slice(b",\"usage\":null");
        }
        out.extend_from_slice(b"}\n\n");
    }
}

/// What stands before the address of an image.
const IMAGE: &[u8] = b"\"images\":[{\"type\":\"image_url\",\"image_url\":{\"url\":";

/// A whole answer, as it is put together.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The provider's id; empty where it has none.
    pub(super) id: String,
    /// The model that it names; empty where it names none.
    pub(super) model: String,
    /// What was answered: one choice, or as many as were asked for.
    pub(super) choices: Vec<Choice>,
    /// Tokens used; unknown ones are absent.
    pub(super) usage: Usage,
    /// The service tier that the provider names.
    pub(super) tier: Option<String>,
}

/// One choice of an answer.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Which one.
    pub(super) index: u64,
    /// Text; absent where there is none.
    pub(super) content: Option<String>,
    /// A refusal's text.
    pub(super) refusal: Option<String>,
    /// Reasoning; empty where there is none.
    pub(super) reasoning: String,
    /// What of the reasoning is to be sent back.
    pub(super) details: Vec<Value>,
    /// Tool calls: id, name and arguments.
    pub(super) calls: Vec<(String, String, String)>,
    /// Images, as `data:` URLs.
    pub(super) images: Vec<String>,
    /// Sound, in base 64; empty where there is none.
    pub(super) sound: String,
    /// Probabilities of its tokens.
    pub(super) logprobs: Option<Value>,
    /// Why the model stopped.
    pub(super) finish: Option<FinishReason>,
    /// The same in the provider's own word, where OpenAI's says less.
    pub(super) native: Option<&'static str>,
}

impl Answer {
    /// As the body that the client reads.
    pub(super) fn write(self, kept: &Kept, stamp: &Stamp) -> Vec<u8> {
        let id = if self.id.is_empty() {
            format!("chatcmpl-{}", stamp.id)
        } else {
            self.id
        };
        let model = if self.model.is_empty() {
            kept.model.clone()
        } else {
            self.model
        };
        let choices = self.choices.into_iter();
        let choices = choices.map(|choice| choice.said(&id, stamp));
        let mut answer = json!({
            "id": id,
            "object": "chat.completion",
            "created": stamp.created,
            "model": model,
            "choices": choices.collect::<Vec<_>>(),
        });
        if let Value::Object(members) = &mut answer {
            if !self.usage.is_unknown() {
                members.insert("usage".into(), usage_object(&self.usage));
            }
            if let Some(tier) = self.tier {
                members.insert("service_tier".into(), tier.into());
            }
        }
        let mut body = Vec::new();
        value(&mut body, &answer);
        body
    }
}

impl Choice {
    fn said(self, id: &str, stamp: &Stamp) -> Value {
        let mut message = Map::new();
        message.insert("role".into(), "assistant".into());
        message.insert("content".into(), self.content.into());
        message.insert("refusal".into(), self.refusal.into());
        if !self.reasoning.is_empty() {
            message.insert("reasoning_content".into(), self.reasoning.into());
        }
        if !self.details.is_empty() {
            message.insert("reasoning_details".into(), self.details.into());
        }
        if !self.calls.is_empty() {
            let calls = self.calls.into_iter().map(|(id, name, arguments)| {
                let function = json!({"name": name, "arguments": arguments});
                json!({"id": id, "type": "function", "function": function})
            });
            message.insert("tool_calls".into(), calls.collect());
        }
        if !self.images.is_empty() {
            let images = self.images.into_iter();
            let images = images.map(|url| json!({"type": "image_url", "image_url": {"url": url}}));
            message.insert("images".into(), images.collect());
        }
        if !self.sound.is_empty() {
            // Nobody keeps it: it can be referred to for as long as it was there, not at all.
            let sound = json!({
                "id": format!("audio-{id}"), "data": self.sound,
                "expires_at": stamp.created, "transcript": "",
            });
            message.insert("audio".into(), sound);
        }
        let mut said = json!({
            "index": self.index,
            "message": message,
            "logprobs": self.logprobs,
            "finish_reason": self.finish.map(word),
        });
        if let Some(native) = self.native {
            said["native_finish_reason"] = native.into();
        }
        said
    }
}

/// A finish reason in OpenAI's words.
pub(super) const fn word(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Length => "length",
        FinishReason::ToolCalls | FinishReason::FunctionCall => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Error => "error",
        FinishReason::Stop | FinishReason::Other => "stop",
    }
}

/// Tokens used, by OpenAI's names: the input holds the cache, the output the reasoning.
fn usage_object(usage: &Usage) -> Value {
    let (input, output) = (usage.input.unwrap_or(0), usage.output.unwrap_or(0));
    let mut object = json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input.saturating_add(output),
    });
    let Value::Object(members) = &mut object else {
        return object;
    };
    let mut prompt = Map::new();
    if let Some(cached) = usage.cached_read {
        prompt.insert("cached_tokens".into(), cached.into());
    }
    if let Some(written) = usage.cache_write {
        prompt.insert("cache_write_tokens".into(), written.into());
    }
    if !prompt.is_empty() {
        members.insert("prompt_tokens_details".into(), prompt.into());
    }
    if let Some(reasoning) = usage.reasoning {
        let details = json!({"reasoning_tokens": reasoning});
        members.insert("completion_tokens_details".into(), details);
    }
    object
}

/// JSON without the space between its members, as models write it in arguments.
pub(super) fn compact(json: &str) -> String {
    let mut compact = String::with_capacity(json.len());
    let (mut within, mut escaped) = (false, false);
    for next in json.chars() {
        if within {
            within = escaped || next != '"';
            escaped = !escaped && next == '\\';
        } else if next.is_ascii_whitespace() {
            continue;
        } else {
            within = next == '"';
        }
        compact.push(next);
    }
    compact
}

/// Writes a JSON string.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    value(out, text);
}

/// Writes a JSON value. Memory takes whatever is written, and no value here has keys that are no
/// strings: it cannot fail.
fn value<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let _ = serde_json::to_writer(out, value);
}
