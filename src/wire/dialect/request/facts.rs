//! Counts what a request's body holds, by the language it is written in.

use super::fault::RequestFault;
use super::reading::{RequestReading, Top, read_top, span};
use crate::record::{Language, Name};
use crate::wire::dialect::json::RawJson;
use crate::wire::dialect::lenient::{Count, List, Raw, Text, Truth, lenient_object, reread};

/// Reads a request's body: the top level once, of messages only what is counted.
pub fn read(
    language: Language,
    body: &[u8],
    depth_max: usize,
) -> Result<RequestReading, RequestFault> {
    let (text, top, mut reading) = read_top(body, depth_max)?;
    // Ollama streams unless it is told not to.
    reading.stream |= language == Language::OllamaNative
        && top.stream.is_none_or(|stream| stream.get() == "null");
    reading.facts.bytes = body.len() as u64;
    reading.facts.stream = reading.stream;
    if !language.is_inference() {
        return Ok(reading);
    }
    let mut counter = Counter {
        text,
        reading: &mut reading,
        text_bytes: 0,
        tokens: 0,
        prefix_closed: false,
    };
    counter.options(&top);
    match language {
        Language::OpenAiEmbeddings => counter.prompts(top.input, 1),
        Language::OpenAiCompletions => {
            let n = reread::<Count>(top.n).0.unwrap_or(1);
            counter.prompts(top.prompt, n);
        }
        Language::OpenAiResponses => {
            counter.system(top.instructions);
            counter.input(top.input);
        }
        Language::GeminiGenerate | Language::GeminiCountTokens | Language::GeminiEmbed => {
            counter.gemini(&top);
        }
        Language::BedrockConverse => counter.converse(&top),
        Language::BedrockInvoke => counter.invoke(&top),
        Language::OllamaNative => counter.ollama(&top),
        _ => {
            counter.system(top.system);
            counter.messages(top.messages);
        }
    }
    let estimated = counter.text_bytes / BYTES_PER_TOKEN + counter.tokens;
    reading.facts.prompt_tokens_estimated = Some(estimated);
    Ok(reading)
}

/// The prior for text of unknown script, until usage tells a model's own ratio.
const BYTES_PER_TOKEN: u64 = 4;

/// Spans kept of the beginning; a first message of more parts is cut there.
const PREFIX_SPANS_MAX: usize = 64;

/// Where in a prompt a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Said by the application, for all calls.
    System,
    /// Said first by the user.
    Opening,
    /// Behind it.
    Later,
}

pub(super) struct Counter<'a, 'r> {
    text: &'a str,
    pub(super) reading: &'r mut RequestReading,
    pub(super) text_bytes: u64,
    /// Prompt tokens sent as numbers.
    tokens: u64,
    /// The first user message has been seen.
    pub(super) prefix_closed: bool,
}

lenient_object! {
    /// A message or an input item.
    struct Message {
        kind: Text<'de> = "type",
        role: Text<'de> = "role",
        content: Raw<'de> = "content",
        tool_calls: Raw<'de> = "tool_calls",
        arguments: Raw<'de> = "arguments",
        output: Raw<'de> = "output",
    }
}

lenient_object! {
    /// A part of a message's content.
    struct Part {
        kind: Text<'de> = "type",
        text: Raw<'de> = "text",
        content: Raw<'de> = "content",
        input: Raw<'de> = "input",
    }
}

lenient_object! {
    /// An object of which one key names a kind or a degree.
    struct Choice {
        kind: Text<'de> = "type",
        effort: Text<'de> = "effort",
        format: Raw<'de> = "format",
        user_id: Text<'de> = "user_id",
    }
}

impl<'a> Counter<'a, '_> {
    fn options(&mut self, top: &Top<'a>) {
        for tools in [top.tools, top.functions].into_iter().flatten() {
            let count = reread::<List<Raw<'_>>>(Some(tools)).0.len();
            let facts = &mut self.reading.facts;
            facts.tools = Some(facts.tools.unwrap_or(0).saturating_add(clip(count as u64)));
            if count > 0 {
                self.text_bytes += tools.get().len() as u64;
                self.fix(tools);
            }
        }
        let facts = &mut self.reading.facts;
        facts.max_tokens = [
            top.max_completion_tokens,
            top.max_output_tokens,
            top.max_tokens,
        ]
        .into_iter()
        .find_map(|raw| reread::<Count>(raw).0);
        facts.choices = reread::<Count>(top.n).0.map(clip);
        let (reasoning, output) = (kind_of(top.reasoning), kind_of(top.output_config));
        let thinking = kind_of(top.thinking);
        facts.reasoning_effort = [
            reread::<Text<'_>>(top.reasoning_effort),
            reasoning.effort,
            output.effort.clone(),
            thinking.kind,
        ]
        .into_iter()
        .find_map(|text| short(&text, 16));
        facts.response_format = [
            kind_of(top.response_format),
            kind_of(kind_of(top.text).format),
            kind_of(output.format),
        ]
        .into_iter()
        .find_map(|format| short(&format.kind, 24));
        facts.background = reread::<Truth>(top.background).0 == Some(true);
        self.reading.bound_to_account = self.reading.facts.background
            || [top.previous_response_id, top.conversation]
                .into_iter()
                .flatten()
                .any(|raw| raw.get() != "null");
        self.reading.previous_response_id = owned(reread(top.previous_response_id));
        self.reading.stores = reread::<Truth>(top.store).0 == Some(true);
        self.reading.prompt_cache_key = owned(reread(top.prompt_cache_key));
        self.reading.metadata_user_id = owned(kind_of(top.metadata).user_id);
    }

    /// `prompt` or `input` of the older endpoints: a string, tokens, or an array of either.
    fn prompts(&mut self, raw: Raw<'a>, n: u64) {
        let Some(raw) = raw else { return };
        let mut prompts = 1;
        match raw.get().strip_prefix('[').map(str::trim_start) {
            Some(rest) if rest.starts_with(['"', '[', '{']) => {
                let list = reread::<List<Raw<'a>>>(Some(raw)).0;
                prompts = list.len() as u64;
                for prompt in list.into_iter().flatten() {
                    self.prompt(prompt);
                }
            }
            _ => self.prompt(raw),
        }
        self.reading.facts.choices = Some(clip(prompts.saturating_mul(n)));
    }

    fn prompt(&mut self, raw: RawJson<'a>) {
        match raw.get().strip_prefix('[').map(str::trim_start) {
            Some("]") => {}
            // Numbers hold no commas: there may be a million of them, and they need no reading.
            Some(rest) => {
                self.tokens += 1 + memchr::memchr_iter(b',', rest.as_bytes()).count() as u64;
            }
            None => self.text_bytes += text_bytes(raw.get()),
        }
    }

    /// `system` or `instructions`: text, or a list of parts.
    pub(super) fn system(&mut self, raw: Raw<'a>) {
        if let Some(raw) = raw.filter(|raw| raw.get() != "null") {
            self.content(raw, Place::System);
        }
    }

    /// The input of a response: text, or a list of items.
    fn input(&mut self, raw: Raw<'a>) {
        match raw {
            Some(text) if text.get().starts_with('"') => {
                self.reading.facts.messages = Some(1);
                self.reading.turn = 1;
                self.content(text, Place::Opening);
            }
            other => self.messages(other),
        }
    }

    pub(super) fn messages(&mut self, raw: Raw<'a>) {
        let Some(raw) = raw else { return };
        let messages = reread::<List<Message<'a>>>(Some(raw)).0;
        self.reading.facts.messages = Some(clip(messages.len() as u64));
        for message in &messages {
            self.message(message);
        }
    }

    fn message(&mut self, message: &Message<'a>) {
        let user = message.role.as_str() == "user";
        let system = matches!(message.role.as_str(), "system" | "developer");
        let place = self.place(system, user);
        let results_only = message.content.is_some_and(|raw| self.content(raw, place));
        if user && !results_only {
            self.prefix_closed = true;
            self.reading.turn = self.reading.turn.saturating_add(1);
        }
        match message.kind.as_str() {
            "input_image" => self.reading.facts.image = true,
            "input_file" => self.reading.facts.document = true,
            _ => {}
        }
        for raw in [message.tool_calls, message.arguments]
            .into_iter()
            .flatten()
        {
            self.text_bytes += raw.get().len() as u64;
        }
        if let Some(output) = message.output {
            self.content(output, Place::Later);
        }
    }

    /// Counts a content; whether it is tool results and nothing else.
    fn content(&mut self, raw: RawJson<'a>, place: Place) -> bool {
        if !raw.get().starts_with('[') {
            if raw.get().starts_with('"') {
                self.text(raw, place);
            }
            return false;
        }
        let parts = reread::<List<Part<'a>>>(Some(raw)).0;
        let mut results_only = !parts.is_empty();
        for part in &parts {
            results_only &= part.kind.as_str() == "tool_result";
            self.part(part, place);
            if let (Some(inner), "tool_result") = (part.content, part.kind.as_str()) {
                self.result(inner);
            }
        }
        results_only
    }

    fn part(&mut self, part: &Part<'a>, place: Place) {
        let facts = &mut self.reading.facts;
        match part.kind.as_str() {
            "image_url" | "input_image" | "image" => facts.image = true,
            "input_audio" | "audio" => facts.audio = true,
            "file" | "input_file" | "document" => facts.document = true,
            "tool_use" => {
                self.text_bytes += part.input.map_or(0, |raw| raw.get().len() as u64);
            }
            _ => {}
        }
        if let Some(text) = part.text {
            self.text(text, place);
        }
    }

    /// Counts a text, and keeps its place where it belongs to the stable beginning.
    pub(super) fn text(&mut self, raw: RawJson<'a>, place: Place) {
        self.text_bytes += text_bytes(raw.get());
        self.keep(raw, place);
    }

    /// What a tool gave back: text, or parts, one level deep.
    fn result(&mut self, raw: RawJson<'a>) {
        if raw.get().starts_with('[') {
            for part in reread::<List<Part<'a>>>(Some(raw)).0 {
                self.part(&part, Place::Later);
            }
        } else {
            self.text_bytes += text_bytes(raw.get());
        }
    }

    fn keep(&mut self, raw: RawJson<'_>, place: Place) {
        let reading = &mut *self.reading;
        if place == Place::Later || reading.prefix.len() >= PREFIX_SPANS_MAX {
            return;
        }
        let text = span(self.text, raw.get());
        reading.prefix.push(text.clone());
        match place {
            // What is said between later messages is behind what changes from call to call.
            Place::System if !self.prefix_closed => reading.fixed.push(text),
            Place::Opening => reading.opening.push(text),
            Place::System | Place::Later => {}
        }
    }

    /// Keeps the place of what is the same from call to call.
    pub(super) fn fix(&mut self, raw: RawJson<'_>) {
        self.reading.fixed.push(span(self.text, raw.get()));
    }

    /// Where the words of such a role stand.
    pub(super) const fn place(&self, system: bool, user: bool) -> Place {
        match (system, user && !self.prefix_closed) {
            (true, _) => Place::System,
            (false, true) => Place::Opening,
            (false, false) => Place::Later,
        }
    }
}

/// Bytes of a JSON string's text in UTF-8, near enough: an escape of six bytes is two, of two one.
fn text_bytes(json: &str) -> u64 {
    let json = json.as_bytes();
    let mut bytes = json.len().saturating_sub(2);
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        let escape = at + found;
        bytes = bytes.saturating_sub(if json.get(escape + 1) == Some(&b'u') {
            4
        } else {
            1
        });
        at = escape + 2;
    }
    bytes as u64
}

fn kind_of(raw: Raw<'_>) -> Choice<'_> {
    reread(raw)
}

pub(super) fn clip(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn owned(text: Text<'_>) -> Option<String> {
    text.0
        .filter(|text| !text.is_empty())
        .map(std::borrow::Cow::into_owned)
}

/// A short word for the record; what is longer is not one of the known words anyway.
pub(super) fn short(text: &Text<'_>, bytes_max: usize) -> Option<Name> {
    Some(text.as_str())
        .filter(|text| !text.is_empty() && text.len() <= bytes_max)
        .map(Name::from)
}
