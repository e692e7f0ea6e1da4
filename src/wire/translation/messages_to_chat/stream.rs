//! Says a chat stream as Anthropic's events.

use std::io::Write as _;

use super::super::carried::Seal;
use super::super::chat_pieces::escaped;
use super::super::chat_read::Said;
use super::super::chat_voice::{Failure, Field, Finish, Voice};
use super::super::shape::{Kept, Restream, Stamp};
use super::answer::{Stop, call_id, stop_reason, usage};
use crate::record::Language;
use crate::wire::dialect::errors::Report;

/// A stream of events to which `kept` was asked.
pub(super) fn stream(kept: &Kept, stamp: &Stamp) -> Box<dyn Restream> {
    Box::new(Said::by(Blocks {
        stamp: stamp.clone(),
        model: kept.model.clone(),
        there: kept.model_there.clone(),
        index: 0,
        open: Open::Nothing,
        seal: Seal::default(),
        calls: 0,
        refused: false,
        stop: Stop::of(kept),
        held: Vec::new(),
    }))
}

/// The blocks of a message, one after the other.
#[derive(Debug)]
struct Blocks {
    stamp: Stamp,
    /// What the client asked for.
    model: String,
    /// The same at the provider.
    there: String,
    /// The block that is open, or the next one.
    index: usize,
    open: Open,
    /// What of the open thinking block has to come back.
    seal: Seal,
    calls: usize,
    refused: bool,
    stop: Stop,
    /// Proofs of reasoning that came behind text. An answer ends with what it says: many clients take
    /// its last block for it. They go before the next block, or nowhere: nobody asks for them back.
    held: Vec<String>,
}

/// The kind of the block that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Text,
    Thinking,
    Call,
}

impl Blocks {
    /// Opens a block of this kind, unless it is open; `start` is its beginning.
    fn open(&mut self, out: &mut Vec<u8>, kind: Open, start: &str) {
        if self.open == kind {
            return;
        }
        self.close(out);
        for detail in std::mem::take(&mut self.held) {
            self.redacted(out, &detail);
        }
        self.open = kind;
        let index = self.index;
        event(out, "content_block_start");
        let _ = write!(out, ",\"index\":{index},\"content_block\":{start}");
        end(out);
    }

    /// A block of thought that nobody can read.
    fn redacted(&mut self, out: &mut Vec<u8>, detail: &str) {
        self.close(out);
        let mut seal = Seal::default();
        seal.detail(detail);
        let data = escaped(&seal.take(&self.there));
        let start = format!("{{\"type\":\"redacted_thinking\",\"data\":\"{data}\"}}");
        // A kind of its own would be open for no event at all.
        self.open(out, Open::Text, &start);
        self.close(out);
    }

    /// Closes the block that is open.
    fn close(&mut self, out: &mut Vec<u8>) {
        match self.open {
            Open::Nothing => return,
            Open::Thinking => {
                let signature = escaped(&self.seal.take(&self.there));
                self.delta(out, "signature_delta\",\"signature", &signature);
            }
            Open::Text | Open::Call => {}
        }
        self.open = Open::Nothing;
        event(out, "content_block_stop");
        let _ = write!(out, ",\"index\":{}", self.index);
        end(out);
        self.index += 1;
    }

    /// A piece of the open block; `kind` is the delta's type and, behind it, its field.
    fn delta(&self, out: &mut Vec<u8>, kind: &str, text: &str) {
        event(out, "content_block_delta");
        let _ = write!(out, ",\"index\":{},\"delta\":{{\"type\":\"", self.index);
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\":\"");
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(b"\"}");
        end(out);
    }
}

impl Voice for Blocks {
    fn begin(&mut self, out: &mut Vec<u8>, model: &str) {
        let model = if model.is_empty() { &self.model } else { model };
        let (id, model) = (escaped(&self.stamp.id), escaped(model));
        event(out, "message_start");
        // What the prompt took is known at the end only: the last event says it.
        let _ = write!(
            out,
            ",\"message\":{{\"id\":\"msg_{id}\",\"type\":\"message\",\"role\":\"assistant\",\
             \"model\":\"{model}\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\
             \"usage\":{{\"input_tokens\":0,\"output_tokens\":0}}}}"
        );
        end(out);
        event(out, "ping");
        end(out);
    }

    fn reasoning(&mut self, out: &mut Vec<u8>, text: &str, field: Field) {
        let start = r#"{"type":"thinking","thinking":"","signature":""}"#;
        self.open(out, Open::Thinking, start);
        self.seal.field(field);
        self.delta(out, "thinking_delta\",\"thinking", text);
    }

    fn proof(&mut self, out: &mut Vec<u8>, detail: &str, of_text: bool) {
        if of_text {
            let start = r#"{"type":"thinking","thinking":"","signature":""}"#;
            self.open(out, Open::Thinking, start);
            self.seal.detail(detail);
            // What is signed is whole.
            self.close(out);
            return;
        }
        if self.open == Open::Text {
            self.held.push(detail.to_owned());
        } else {
            self.redacted(out, detail);
        }
    }

    fn text(&mut self, out: &mut Vec<u8>, text: &str) {
        self.open(out, Open::Text, r#"{"type":"text","text":""}"#);
        self.delta(out, "text_delta\",\"text", text);
    }

    fn refusal(&mut self, out: &mut Vec<u8>, text: &str) {
        self.refused = true;
        self.text(out, text);
    }

    fn call(&mut self, out: &mut Vec<u8>, id: &str, name: &str) {
        self.close(out);
        self.calls += 1;
        let id = escaped(&call_id(id, &self.stamp, self.calls));
        let name = escaped(name);
        let start =
            format!("{{\"type\":\"tool_use\",\"id\":\"{id}\",\"name\":\"{name}\",\"input\":{{}}}}");
        self.open(out, Open::Call, &start);
    }

    fn arguments(&mut self, out: &mut Vec<u8>, text: &str) {
        // A call that text came behind is closed, and its pieces are lost to no one: the reader
        // opens no block without a call.
        if self.open == Open::Call {
            self.delta(out, "input_json_delta\",\"partial_json", text);
        }
    }

    fn stopped_at(&mut self, sequence: Option<&str>) {
        self.stop.meet(sequence);
    }

    fn finish(&mut self, out: &mut Vec<u8>, finish: &Finish) {
        self.close(out);
        let (reason, met) = stop_reason(finish, self.refused, &self.stop);
        let sequence = met.map_or_else(|| "null".to_owned(), |met| format!("\"{}\"", escaped(met)));
        event(out, "message_delta");
        let _ = write!(
            out,
            ",\"delta\":{{\"stop_reason\":\"{reason}\",\"stop_sequence\":{sequence}}},\"usage\":{}",
            usage(&finish.usage),
        );
        end(out);
        event(out, "message_stop");
        end(out);
    }

    fn fail(&mut self, out: &mut Vec<u8>, failure: &Failure<'_>) {
        let report = Report::of_provider(failure.error, 200, failure.message);
        let event = report.event(Language::AnthropicMessages);
        out.extend_from_slice(event.as_bytes());
    }
}

/// Begins an event, up to its type.
fn event(out: &mut Vec<u8>, name: &str) {
    for part in ["event: ", name, "\ndata: {\"type\":\"", name, "\""] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Ends an event.
fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"}\n\n");
}
