//! Says a stream of Converse's frames as chat chunks.

use std::ops::ControlFlow;

use super::super::chat::Chunks;
use super::super::reasoning::{Detail, Proof};
use super::super::shape::{Ended, Kept, Restream, Stamp};
use super::model::Family;
use super::read::{Event, Said, at_sequence, finish};
use crate::record::{Dialect, ErrorClass, FinishReason, Language, Name, Usage};
use crate::wire::dialect::errors::{Classified, Report, classify_typed};
use crate::wire::dialect::json::read_bytes;
use crate::wire::framing::event_stream::{
    Frame, HEADERS_BYTES_MAX, Message, PAYLOAD_BYTES_MAX, Splitter,
};

/// Says a stream of Converse's in OpenAI's words.
pub(super) fn stream(kept: &Kept, stamp: &Stamp) -> Box<dyn Restream> {
    Box::new(Stream {
        frames: Splitter::new(HEADERS_BYTES_MAX + PAYLOAD_BYTES_MAX),
        saying: Saying {
            chunks: Chunks::new(kept, stamp),
            proofs: Family::of(&kept.model_there).proofs(),
            include_usage: kept.include_usage,
            calls: 0,
            block: Open::Nothing,
            thought: 0,
            details: 0,
            finish: None,
            native: None,
            state: State::Before,
        },
    })
}

#[derive(Debug)]
struct Stream {
    frames: Splitter,
    saying: Saying,
}

impl Restream for Stream {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Self { frames, saying } = self;
        if saying.is_over() {
            return;
        }
        if let Err(fault) = frames.feed(bytes, |frame| saying.frame(&frame, out))
            && !saying.is_over()
        {
            let error = Classified::bare(ErrorClass::ProtocolError);
            let _ = saying.fail(
                error,
                &format!("the provider's stream is broken: {fault}"),
                out,
            );
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Ended {
        self.saying.end(out)
    }
}

/// What was said so far: a few numbers.
#[derive(Debug)]
struct Saying {
    chunks: Chunks,
    /// By what name proofs of reasoning go to the client.
    proofs: &'static str,
    include_usage: bool,
    /// Calls so far: the client counts them alone, not all blocks.
    calls: usize,
    block: Open,
    /// Characters of reasoning that no proof was given for yet.
    thought: u64,
    /// Proofs so far.
    details: u64,
    /// Why the model stopped, until that is said.
    finish: Option<FinishReason>,
    /// The same in the provider's own word, where OpenAI's says less.
    native: Option<&'static str>,
    state: State,
}

/// The block that is open.
#[derive(Debug)]
enum Open {
    /// Text, reasoning, or none.
    Nothing,
    /// A call, and whether any of its arguments came.
    Call(bool),
    /// An image of this format.
    Image(String),
}

#[derive(Debug)]
enum State {
    Before,
    Speaking,
    /// All is said.
    Done,
    Failed(Classified),
}

impl Saying {
    fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> ControlFlow<()> {
        if self.is_over() {
            return ControlFlow::Continue(());
        }
        let kind = match frame.message() {
            Message::Event(kind) => kind,
            Message::Exception(kind) => {
                let error = classify_typed(Dialect::Bedrock, "", 200, Some(kind), frame.payload);
                let event = read_bytes::<Event<'_>>(frame.payload).unwrap_or_default();
                return self.fail(error, event.message(), out);
            }
            Message::Error { code, message } => {
                let error = classify_typed(Dialect::Bedrock, "", 200, Some(code), b"");
                return self.fail(error, message, out);
            }
        };
        let Some(event) = read_bytes::<Event<'_>>(frame.payload) else {
            let error = Classified::bare(ErrorClass::ProtocolError);
            return self.fail(error, "the provider sent an event that is not JSON", out);
        };
        match kind {
            "messageStart" => self.begin(out),
            "contentBlockStart" => self.block_start(&event, out),
            "contentBlockDelta" => self.delta(&event, out),
            "contentBlockStop" => self.block_stop(out),
            "messageStop" => return self.message_stop(event.reason(), out),
            "metadata" => self.metadata(&event.usage(), event.tier(), out),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    /// Whether nothing more is said, whatever comes.
    fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Failed(_))
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if matches!(self.state, State::Before) {
            self.state = State::Speaking;
            self.chunks.role(out);
        }
    }

    fn block_start(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.begin(out);
        // Those who forget to close a block have closed it by opening the next.
        self.block_stop(out);
        if let Some(call) = event.call() {
            self.chunks
                .tool_call(out, self.calls, call.id(), call.name());
            self.block = Open::Call(false);
        } else if let Some(format) = event.image() {
            self.block = Open::Image(format.to_owned());
        }
    }

    fn delta(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.begin(out);
        match event.said() {
            Said::Text(text) if !text.raw().is_empty() => {
                self.chunks.piece_of(out, 0, b"\"content\":", text.raw());
            }
            Said::Input(input)
                if !input.raw().is_empty() && matches!(self.block, Open::Call(_)) =>
            {
                self.block = Open::Call(true);
                self.chunks.arguments_of(out, self.calls, input.raw());
            }
            Said::Thought(text) if !text.raw().is_empty() => {
                self.thought = self.thought.saturating_add(text.characters());
                self.chunks
                    .piece_of(out, 0, b"\"reasoning_content\":", text.raw());
            }
            Said::Signature(signature) => {
                let proof = Proof::Signature {
                    text: None,
                    characters: Some(std::mem::take(&mut self.thought)),
                    signature: signature.to_owned(),
                };
                self.detail(proof, out);
            }
            Said::Redacted(data) => self.detail(Proof::Encrypted(data.to_owned()), out),
            Said::Image(bytes) => {
                let format = match &self.block {
                    Open::Image(format) => format.as_str(),
                    _ => "png",
                };
                let url = format!("data:image/{format};base64,{bytes}");
                self.chunks.image_of(out, 0, &url);
            }
            Said::Text(_) | Said::Input(_) | Said::Thought(_) | Said::Nothing => {}
        }
    }

    fn detail(&mut self, proof: Proof, out: &mut Vec<u8>) {
        let detail = Detail {
            format: self.proofs.to_owned(),
            index: self.details,
            id: None,
            proof,
        };
        self.details = self.details.saturating_add(1);
        self.chunks.reasoning_detail(out, &detail.write());
    }

    fn block_stop(&mut self, out: &mut Vec<u8>) {
        if let Open::Call(arguments) = self.block {
            // A call without arguments has no delta, and clients want JSON.
            if !arguments {
                self.chunks.arguments_of(out, self.calls, "{}");
            }
            self.calls = self.calls.saturating_add(1);
        }
        self.block = Open::Nothing;
    }

    fn message_stop(&mut self, reason: &str, out: &mut Vec<u8>) -> ControlFlow<()> {
        self.begin(out);
        if reason.is_empty() {
            // Nothing says why: whoever reads must not take this for the whole.
            return ControlFlow::Continue(());
        }
        match finish(reason) {
            Some(finish) => {
                self.finish = Some(finish);
                self.native = at_sequence(reason);
                ControlFlow::Continue(())
            }
            None => {
                let error = Classified {
                    class: ErrorClass::ServerError,
                    code: Some(Name::from(reason)),
                };
                let said = format!("the model's answer was malformed: {reason}");
                self.fail(error, &said, out)
            }
        }
    }

    /// The last event. The reason was held back until now, so that usage follows it.
    fn metadata(&mut self, usage: &Usage, tier: Option<&str>, out: &mut Vec<u8>) {
        let Some(finish) = self.finish.take() else {
            return;
        };
        self.chunks.finish_by(out, 0, finish, self.native);
        if self.include_usage && !usage.is_unknown() {
            self.chunks.usage(out, usage, tier);
        }
        Chunks::done(out);
        self.state = State::Done;
    }

    fn fail(&mut self, error: Classified, said: &str, out: &mut Vec<u8>) -> ControlFlow<()> {
        let said = match said {
            "" => "the provider reported an error without a message",
            said => said,
        };
        let report = Report::of_provider(&error, 200, said);
        out.extend_from_slice(report.event(Language::OpenAiChat).as_bytes());
        self.state = State::Failed(error);
        ControlFlow::Break(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Ended {
        if let Some(finish) = self.finish.take() {
            // Without its metadata it is whole all the same.
            self.chunks.finish_by(out, 0, finish, self.native);
            Chunks::done(out);
            self.state = State::Done;
        }
        match &self.state {
            State::Done => Ended::Whole,
            State::Failed(error) => Ended::Failed(Box::new(error.clone())),
            State::Before | State::Speaking => Ended::Broken,
        }
    }
}
