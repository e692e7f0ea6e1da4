//! Reads OpenAI chat, of everyone who speaks it, and tells a [`Voice`] what was said.
//!
//! Text goes on as it stands between its quotes, escapes and all: it is JSON on both sides.

use std::ops::ControlFlow;

use super::chat_calls::Calls;
use super::chat_pieces::{Call, Choice, Chunk, Delta, Groq, Part};
use super::chat_voice::{Failure, Field, Finish, Voice};
use super::events::Events;
use super::shape::{Ended, Restream, Unreadable};
use crate::record::{Dialect, ErrorClass, FinishReason};
use crate::wire::dialect::errors::{self, Classified, in_band, is_error, is_error_body};
use crate::wire::dialect::finish::{STOP_SEQUENCE, fault_class, finish_reason, is_reason};
use crate::wire::dialect::json::read_bytes;
use crate::wire::dialect::language::mended;
use crate::wire::dialect::learned::Learned;
use crate::wire::dialect::lenient::reread;
use crate::wire::dialect::openai_usage;

/// A chat stream, said again by a voice.
#[derive(Debug)]
pub(super) struct Said<V> {
    events: Events,
    teller: Teller<V>,
}

impl<V: Voice> Said<V> {
    /// A stream at its beginning.
    pub(super) fn by(voice: V) -> Self {
        Self {
            events: Events::default(),
            teller: Teller::new(voice),
        }
    }
}

impl<V: Voice> Restream for Said<V> {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let teller = &mut self.teller;
        if teller.ended.is_none() {
            self.events.feed(bytes, |data| teller.event(data, out));
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Ended {
        let teller = &mut self.teller;
        if teller.ended.is_none() {
            self.events.end(|data| teller.last(data, out));
        }
        if teller.ended.is_none() && is_error_body(self.events.raw()) {
            teller.failed(self.events.raw(), out);
        }
        if teller.ended.is_none() {
            teller.conclude(out);
        }
        teller.ended.take().unwrap_or(Ended::Broken)
    }
}

/// Says a whole answer by `voice`, which is given back.
pub(super) fn whole<V: Voice>(body: &[u8], voice: V) -> Result<V, Unreadable> {
    let mut teller = Teller::new(voice);
    let out = &mut Vec::new();
    let unreadable = |message: String| Err(Unreadable { message });
    if teller.read(body, out).is_none() {
        return unreadable("the provider's answer is not JSON".to_owned());
    }
    teller.conclude(out);
    match teller.ended {
        Some(Ended::Whole) => Ok(teller.voice),
        Some(Ended::Failed(_)) => unreadable(format!(
            "the provider's answer is an error: {}",
            message_of(body)
        )),
        _ if !teller.choice => unreadable("the provider's answer has no choice".to_owned()),
        _ => unreadable("the provider's answer does not say why it ended".to_owned()),
    }
}

/// Follows a chat answer from chunk to chunk.
#[derive(Debug)]
struct Teller<V> {
    voice: V,
    begun: bool,
    /// A choice was seen.
    choice: bool,
    learned: Learned,
    finish: Option<FinishReason>,
    calls: Calls,
    ended: Option<Ended>,
}

impl<V: Voice> Teller<V> {
    fn new(voice: V) -> Self {
        Self {
            voice,
            begun: false,
            choice: false,
            learned: Learned::default(),
            finish: None,
            calls: Calls::default(),
            ended: None,
        }
    }

    /// Takes one event.
    fn event(&mut self, data: &[u8], out: &mut Vec<u8>) -> ControlFlow<()> {
        if data.starts_with(b"[DONE]") {
            self.conclude(out);
        } else if self.read(data, out).is_none() {
            self.broke_protocol("the provider sent an event that is not JSON", out);
        }
        if self.ended.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Takes what no blank line ended: an event, or a part of one that says nothing.
    fn last(&mut self, data: &[u8], out: &mut Vec<u8>) -> ControlFlow<()> {
        if data.starts_with(b"[DONE]") {
            self.conclude(out);
        } else {
            let _ = self.read(data, out);
        }
        ControlFlow::Break(())
    }

    /// Reads a chunk or a whole answer. `None` if it is not JSON.
    fn read(&mut self, data: &[u8], out: &mut Vec<u8>) -> Option<()> {
        if let Some(chunk) = read_bytes::<Chunk<'_>>(data) {
            self.chunk(&chunk, data, out);
            return Some(());
        }
        let mended = mended(data)?;
        let chunk = read_bytes::<Chunk<'_>>(mended.as_bytes())?;
        self.chunk(&chunk, mended.as_bytes(), out);
        Some(())
    }

    fn chunk(&mut self, chunk: &Chunk<'_>, data: &[u8], out: &mut Vec<u8>) {
        let groq: Groq<'_> = reread(chunk.groq);
        if is_error(chunk.error) || is_error(groq.error) || chunk.object.as_str() == "error" {
            self.begin(chunk, out);
            self.failed(data, out);
            return;
        }
        openai_usage::learn(groq.usage, "x_groq.usage", &mut self.learned);
        let choice = chunk.choices.0.as_ref();
        openai_usage::learn(
            choice.and_then(|choice| choice.usage),
            "usage",
            &mut self.learned,
        );
        openai_usage::learn(chunk.usage, "usage", &mut self.learned);
        let Some(choice) = choice else {
            return;
        };
        self.choice = true;
        self.begin(chunk, out);
        // Beside a delta a message repeats the whole so far (Perplexity).
        let said = choice.delta.0.as_ref().unwrap_or(&choice.message);
        self.delta(said, out);
        if self.ended.is_some() {
            return;
        }
        if let Some(error) = choice.error.filter(|error| is_error(Some(*error))) {
            let error = format!("{{\"error\":{}}}", error.get());
            self.failed(error.as_bytes(), out);
            return;
        }
        let word = choice.finish.as_str();
        if self.finish.is_some() || !is_reason(word) {
            return;
        }
        let reason = finish_reason(word, self.calls.any());
        if reason == FinishReason::Error {
            let error = Classified {
                class: fault_class(word),
                code: (word.len() <= 64).then(|| word.into()),
            };
            self.broke(error, "the provider ended its answer with an error", out);
        } else {
            self.stopped(choice);
            self.finish = Some(reason);
        }
    }

    /// Whether it was a stop sequence that ended the answer, as far as the provider says so.
    fn stopped(&mut self, choice: &Choice<'_>) {
        let met = [&choice.stop, &choice.matched]
            .into_iter()
            .find_map(|met| met.0.as_deref());
        if met.is_some() {
            self.voice.stopped_at(met);
        } else if [&choice.native, &choice.finish]
            .iter()
            .any(|word| word.as_str() == STOP_SEQUENCE)
        {
            self.voice.stopped_at(None);
        }
    }

    fn begin(&mut self, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            self.voice.begin(out, chunk.model.as_str());
        }
    }

    fn delta(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        if delta.says_other_than_calls() {
            self.calls.interrupt(&mut self.voice, out);
        }
        let voice = &mut self.voice;
        // Two names for the same: where both come, they are one.
        let (text, field) = if delta.reasoning_content.0.is_empty() {
            (delta.reasoning.0, Field::Reasoning)
        } else {
            (delta.reasoning_content.0, Field::ReasoningContent)
        };
        if !text.is_empty() {
            voice.reasoning(out, text, field);
        }
        for detail in delta.reasoning_details.as_slice() {
            if text.is_empty() && !detail.said().is_empty() {
                voice.reasoning(out, detail.said(), Field::Reasoning);
            }
            if detail.proves() {
                voice.proof(out, detail.raw, !detail.is_encrypted());
            }
        }
        for part in delta.content.parts() {
            match part {
                Part::Text(text) => voice.text(out, text),
                Part::Thinking(text) => voice.reasoning(out, text, Field::Content),
                Part::Image(url) => voice.image(out, url),
            }
        }
        for picture in delta.images.as_slice() {
            voice.image(out, picture.image.url.0);
        }
        if !delta.refusal.0.is_empty() {
            voice.refusal(out, delta.refusal.0);
        }
        for call in delta.tool_calls.as_slice() {
            self.call(call, out);
        }
        if delta.function_call.says() {
            self.call(&delta.function_call, out);
        }
        if self.ended.is_none() && self.voice.is_full() {
            let message = "the answer is longer than a response can be that repeats itself at its \
                           end; ask for it in pieces";
            self.broke(Classified::bare(ErrorClass::ServerError), message, out);
        }
    }

    fn call(&mut self, call: &Call<'_>, out: &mut Vec<u8>) {
        if self.ended.is_some() {
            return;
        }
        if let Err(mixed) = self.calls.piece(call, &mut self.voice, out) {
            self.broke_protocol(mixed.0, out);
        }
    }

    /// The stream says it is over, or is.
    fn conclude(&mut self, out: &mut Vec<u8>) {
        if self.ended.is_some() {
            return;
        }
        let Some(reason) = self.finish else {
            self.ended = Some(Ended::Broken);
            return;
        };
        self.calls.say_rest(&mut self.voice, out);
        let finish = Finish {
            reason,
            usage: self.learned.normalised(),
            called: self.calls.any(),
        };
        self.voice.finish(out, &finish);
        self.ended = Some(Ended::Whole);
    }

    /// Takes an error that the provider reports.
    fn failed(&mut self, data: &[u8], out: &mut Vec<u8>) {
        let error = in_band(Dialect::OpenAi, data);
        self.broke(error, &message_of(data), out);
    }

    fn broke_protocol(&mut self, message: &str, out: &mut Vec<u8>) {
        self.broke(Classified::bare(ErrorClass::ProtocolError), message, out);
    }

    fn broke(&mut self, error: Classified, message: &str, out: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            self.voice.begin(out, "");
        }
        let failure = Failure {
            error: &error,
            message,
        };
        self.voice.fail(out, &failure);
        self.ended = Some(Ended::Failed(Box::new(error)));
    }
}

/// What an error says; of one that says nothing, a sentence that says so.
fn message_of(body: &[u8]) -> String {
    let said = errors::message(body);
    said.unwrap_or_else(|| "the provider reports an error and does not say which".to_owned())
}
