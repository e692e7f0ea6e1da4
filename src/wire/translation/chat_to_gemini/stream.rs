//! Says a stream of `GenerateContentResponse`s as chat chunks.

use std::io::Write as _;
use std::ops::ControlFlow;

use super::super::chat::{Chunks, compact, string};
use super::super::events::Events;
use super::super::reasoning::{Detail, GEMINI, Proof};
use super::super::shape::{Ended, Kept, Restream, Stamp};
use super::read::{Call, Candidate, Finish, Kind, Part, Response};
use crate::record::{Dialect, ErrorClass, FinishReason, Language, Name, Usage};
use crate::wire::dialect::errors::{Classified, Report, in_band, is_error, is_error_body, message};
use crate::wire::dialect::json::read_bytes;

/// Says a stream of Gemini's in OpenAI's words.
pub(super) fn stream(kept: &Kept, stamp: &Stamp) -> Box<dyn Restream> {
    Box::new(Stream {
        events: Events::default(),
        saying: Saying {
            chunks: Chunks::new(kept, stamp),
            stamp: stamp.id.clone(),
            include_usage: kept.include_usage,
            asked: kept.choices.max(1),
            named: false,
            blocked: false,
            calls: 0,
            choices: Vec::new(),
            usage: Usage::default(),
            tier: None,
            failed: None,
        },
    })
}

#[derive(Debug)]
struct Stream {
    events: Events,
    saying: Saying,
}

impl Restream for Stream {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Self { events, saying } = self;
        if saying.failed.is_none() {
            events.feed(bytes, |data| saying.event(data, out));
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Ended {
        let Self { events, saying } = self;
        if saying.failed.is_none() {
            events.end(|data| saying.event(data, out));
            // Google may break off with an error that is no event.
            if saying.failed.is_none() && is_error_body(events.raw()) {
                let error = in_band(Dialect::Gemini, events.raw());
                let said = message(events.raw());
                let _ = saying.fail(error, said.as_deref(), out);
            }
        }
        saying.end(out)
    }
}

/// What was said so far: a few numbers for each choice.
#[derive(Debug)]
struct Saying {
    chunks: Chunks,
    stamp: String,
    include_usage: bool,
    /// How many choices there must be.
    asked: u64,
    named: bool,
    blocked: bool,
    /// Calls of all choices, for the ids that Google did not give.
    calls: u32,
    choices: Vec<Choice>,
    usage: Usage,
    tier: Option<&'static str>,
    failed: Option<Classified>,
}

#[derive(Debug, Default)]
struct Choice {
    index: u64,
    calls: u32,
    details: u64,
    /// Characters of thoughts that no signature was given for yet.
    thought: u64,
    finished: bool,
}

/// More choices than any request can ask for: an answer with more is none of Google's.
const CHOICES_MAX: usize = 128;

impl Saying {
    fn event(&mut self, data: &[u8], out: &mut Vec<u8>) -> ControlFlow<()> {
        let Some(response) = read_bytes::<Response<'_>>(data) else {
            let error = Classified::bare(ErrorClass::ProtocolError);
            return self.fail(
                error,
                Some("the provider sent an event that is not JSON"),
                out,
            );
        };
        if is_error(response.error()) {
            let said = message(data);
            return self.fail(in_band(Dialect::Gemini, data), said.as_deref(), out);
        }
        if !self.named {
            self.named = true;
            let id = response.id();
            let id = if id.is_empty() {
                String::new()
            } else {
                format!("chatcmpl-{id}")
            };
            self.chunks.name(&id, response.model());
        }
        // The counts are those so far; an event need not have all of them.
        if let Some(usage) = response.usage() {
            self.usage.merge(usage);
            self.tier = response.tier().or(self.tier);
        }
        for candidate in response.candidates() {
            self.candidate(candidate, out)?;
        }
        if response.is_blocked() && !self.blocked && self.choices.is_empty() {
            self.blocked = true;
            self.chunks.role(out);
            self.chunks.finish(out, FinishReason::ContentFilter);
        }
        ControlFlow::Continue(())
    }

    fn candidate(&mut self, candidate: &Candidate<'_>, out: &mut Vec<u8>) -> ControlFlow<()> {
        let index = candidate.index();
        let at = self.choices.iter().position(|choice| choice.index == index);
        let at = match at {
            Some(at) => at,
            None if self.choices.len() < CHOICES_MAX => {
                self.choices.push(Choice {
                    index,
                    ..Choice::default()
                });
                self.chunks.delta_of(out, index, |out| {
                    out.extend_from_slice(b"\"role\":\"assistant\",\"content\":\"\"");
                });
                self.choices.len() - 1
            }
            None => return ControlFlow::Continue(()),
        };
        let Some(choice) = self.choices.get_mut(at) else {
            return ControlFlow::Continue(());
        };
        if choice.finished {
            return ControlFlow::Continue(());
        }
        for part in candidate.parts() {
            if let Kind::Call(call) = part.kind() {
                let id = call
                    .id()
                    .map_or_else(|| call_id(&self.stamp, self.calls), str::to_owned);
                self.calls = self.calls.saturating_add(1);
                say_call(&self.chunks, choice, part, call, &id, out);
            } else {
                say(&self.chunks, choice, part, out);
            }
        }
        if let Some(logprobs) = candidate.logprobs() {
            self.chunks.logprobs_of(out, index, &logprobs);
        }
        match candidate.finish(choice.calls > 0) {
            None => {}
            Some(Finish::As(reason)) => {
                choice.finished = true;
                self.chunks.finish_of(out, index, reason);
            }
            Some(Finish::Fault) => {
                let (error, said) = fault(candidate);
                return self.fail(error, Some(&said), out);
            }
        }
        ControlFlow::Continue(())
    }

    fn fail(
        &mut self,
        error: Classified,
        said: Option<&str>,
        out: &mut Vec<u8>,
    ) -> ControlFlow<()> {
        let said = said.unwrap_or("the provider reported an error without a message");
        let report = Report::of_provider(&error, 200, said);
        out.extend_from_slice(report.event(Language::OpenAiChat).as_bytes());
        self.failed = Some(error);
        ControlFlow::Break(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Ended {
        if let Some(error) = self.failed.take() {
            return Ended::Failed(Box::new(error));
        }
        let finished =
            self.choices.len() as u64 >= self.asked && self.choices.iter().all(|one| one.finished);
        if !finished && !self.blocked {
            return Ended::Broken;
        }
        if self.include_usage && !self.usage.is_unknown() {
            self.chunks.usage(out, &self.usage, self.tier);
        }
        Chunks::done(out);
        Ended::Whole
    }
}

/// What a candidate that ended by the model's fault is reported as.
pub(super) fn fault(candidate: &Candidate<'_>) -> (Classified, String) {
    let reason = candidate.reason();
    let error = Classified {
        class: ErrorClass::ServerError,
        code: Some(Name::from(reason)),
    };
    let said = match candidate.message() {
        "" => format!("the model's answer was malformed: {reason}"),
        message => format!("the model's answer was malformed: {reason}: {message}"),
    };
    (error, said)
}

/// The id of a call that Google gave none: no other call of any turn has it.
pub(super) fn call_id(stamp: &str, number: u32) -> String {
    format!("call_{stamp}_{number}")
}

fn say(chunks: &Chunks, choice: &mut Choice, part: &Part<'_>, out: &mut Vec<u8>) {
    let index = choice.index;
    match part.kind() {
        Kind::Text(text) => {
            if !text.raw().is_empty() {
                chunks.piece_of(out, index, b"\"content\":", text.raw());
            }
            if let Some(signature) = part.signature() {
                let proof = Proof::Encrypted(signature.to_owned());
                say_detail(chunks, choice, None, proof, out);
            }
        }
        Kind::Thought(text) => {
            choice.thought = choice.thought.saturating_add(text.characters());
            if !text.raw().is_empty() {
                chunks.piece_of(out, index, b"\"reasoning_content\":", text.raw());
            }
            if let Some(signature) = part.signature() {
                let proof = Proof::Signature {
                    text: None,
                    characters: Some(std::mem::take(&mut choice.thought)),
                    signature: signature.to_owned(),
                };
                say_detail(chunks, choice, None, proof, out);
            }
        }
        Kind::Data(url) => chunks.image_of(out, index, &url),
        Kind::Sound(data) => chunks.sound_of(out, index, data),
        Kind::Call(_) => {}
    }
}

/// A call comes whole: one delta with all of its arguments.
fn say_call(
    chunks: &Chunks,
    choice: &mut Choice,
    part: &Part<'_>,
    call: &Call<'_>,
    id: &str,
    out: &mut Vec<u8>,
) {
    let number = choice.calls;
    choice.calls = choice.calls.saturating_add(1);
    chunks.delta_of(out, choice.index, |out| {
        let _ = write!(out, "\"tool_calls\":[{{\"index\":{number},\"id\":");
        string(out, id);
        out.extend_from_slice(b",\"type\":\"function\",\"function\":{\"name\":");
        string(out, call.name());
        out.extend_from_slice(b",\"arguments\":");
        string(out, &compact(call.args()));
        out.extend_from_slice(b"}}]");
    });
    if let Some(signature) = part.signature() {
        let proof = Proof::Encrypted(signature.to_owned());
        say_detail(chunks, choice, Some(id.to_owned()), proof, out);
    }
}

fn say_detail(
    chunks: &Chunks,
    choice: &mut Choice,
    id: Option<String>,
    proof: Proof,
    out: &mut Vec<u8>,
) {
    let detail = Detail {
        format: GEMINI.to_owned(),
        index: choice.details,
        id,
        proof,
    };
    choice.details = choice.details.saturating_add(1);
    chunks.detail_of(out, choice.index, &detail.write());
}
