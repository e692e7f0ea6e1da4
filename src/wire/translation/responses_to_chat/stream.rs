//! Says a chat stream as the events of a response, and a whole answer as the response itself.
//!
//! The language repeats at its end what was said piece by piece: texts in `…done`, items in
//! `response.output_item.done`, all of them in `response.completed`, and official clients read
//! them there. So they are kept, up to [`KEPT_BYTES_MAX`]; all else is bounded.

use std::io::Write as _;

use super::super::carried::Seal;
use super::super::chat_pieces::escaped;
use super::super::chat_read::{Said, whole};
use super::super::chat_voice::{Failure, Field, Finish, Voice};
use super::super::shape::{Kept, Restream, Stamp, Unreadable};
use super::items::{Open, Part, custom_input};
use super::response::{Response, Status, code};
use super::tools::Origin;
use crate::record::{FinishReason, Usage};

/// What is kept of an answer at most: ten times what the longest answers of today have.
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A stream of events to which `kept` was asked.
pub(super) fn stream(kept: &Kept, stamp: &Stamp) -> Box<dyn Restream> {
    Box::new(Said::by(Items::new(kept, stamp, false)))
}

/// Says the whole answer `body`.
pub(super) fn answer(body: &[u8], kept: &Kept, stamp: &Stamp) -> Result<Vec<u8>, Unreadable> {
    Ok(whole(body, Items::new(kept, stamp, true))?.last)
}

/// The items of a response, one after the other.
#[derive(Debug)]
struct Items {
    response: Response,
    /// Only the response itself is written, at the end.
    quiet: bool,
    sequence: u64,
    /// The item that is open, or the next one.
    index: usize,
    open: Option<Open>,
    /// The open item's id.
    id: String,
    /// Its content parts that are closed.
    parts: usize,
    /// What the open part or call holds: the inside of a JSON string.
    text: String,
    /// The inside of the list of closed items.
    output: Vec<u8>,
    seal: Seal,
    calls: usize,
    /// The response as it ended, where nothing else is written.
    last: Vec<u8>,
}

impl Items {
    fn new(kept: &Kept, stamp: &Stamp, quiet: bool) -> Self {
        Self {
            response: Response::new(kept, stamp),
            quiet,
            sequence: 0,
            index: 0,
            open: None,
            id: String::new(),
            parts: 0,
            text: String::new(),
            output: Vec::new(),
            seal: Seal::default(),
            calls: 0,
            last: Vec::new(),
        }
    }

    /// Writes an event; `rest` is what stands behind its number.
    fn event(&mut self, out: &mut Vec<u8>, name: &str, rest: impl FnOnce(&Self, &mut Vec<u8>)) {
        if self.quiet {
            return;
        }
        for part in [
            "event: response.",
            name,
            "\ndata: {\"type\":\"response.",
            name,
        ] {
            out.extend_from_slice(part.as_bytes());
        }
        let _ = write!(out, "\",\"sequence_number\":{}", self.sequence);
        self.sequence += 1;
        rest(self, out);
        out.extend_from_slice(b"}\n\n");
    }

    /// Writes an event of the open item; `rest` is what stands behind the item's place.
    fn item_event(
        &mut self,
        out: &mut Vec<u8>,
        name: &str,
        rest: impl FnOnce(&Self, &mut Vec<u8>),
    ) {
        self.event(out, name, |items, out| {
            let _ = write!(
                out,
                ",\"item_id\":\"{}\",\"output_index\":{}",
                items.id, items.index
            );
            rest(items, out);
        });
    }

    /// Writes a piece of the open item.
    fn delta(
        &mut self,
        out: &mut Vec<u8>,
        name: &str,
        place: Option<usize>,
        text: &str,
        end: &str,
    ) {
        self.text.push_str(text);
        self.item_event(out, name, |_, out| {
            if let Some(place) = place {
                let _ = write!(out, ",\"content_index\":{place}");
            }
            for part in [",\"delta\":\"", text, "\"", end] {
                out.extend_from_slice(part.as_bytes());
            }
        });
    }

    /// Writes the event of a whole response.
    fn response_event(&mut self, out: &mut Vec<u8>, status: Status<'_>, usage: Option<&Usage>) {
        let name = match status {
            Status::InProgress => "in_progress",
            Status::Completed => "completed",
            Status::Incomplete(_) => "incomplete",
            Status::Failed(..) => "failed",
        };
        self.event(out, name, |items, out| {
            out.extend_from_slice(b",\"response\":");
            items.response.write(out, status, &items.output, usage);
        });
    }

    /// Opens an item behind the one that is open.
    fn start(&mut self, out: &mut Vec<u8>, item: Open) {
        self.close(out, "completed");
        self.parts = 0;
        self.id = item.id(&self.response.id, self.index);
        let written = item.write(&self.id, "in_progress", "", None);
        self.open = Some(item);
        self.event(out, "output_item.added", |items, out| {
            let _ = write!(out, ",\"output_index\":{},\"item\":", items.index);
            out.extend_from_slice(&written);
        });
    }

    /// Opens a message with a part of this kind, or such a part of the message that is open.
    fn part(&mut self, out: &mut Vec<u8>, kind: Part) {
        match &self.open {
            Some(Open::Message { part, .. }) if *part == kind => return,
            Some(Open::Message { .. }) => self.close_part(out),
            _ => self.start(
                out,
                Open::Message {
                    part: kind,
                    closed: String::new(),
                },
            ),
        }
        if let Some(Open::Message { part, .. }) = &mut self.open {
            *part = kind;
        }
        self.item_event(out, "content_part.added", |items, out| {
            let (place, part) = (items.parts, kind.write(""));
            let _ = write!(out, ",\"content_index\":{place},\"part\":{part}");
        });
    }

    fn close_part(&mut self, out: &mut Vec<u8>) {
        let text = std::mem::take(&mut self.text);
        let Some(Open::Message { part, closed }) = &mut self.open else {
            return;
        };
        let part = *part;
        let place = self.parts;
        let written = part.write(&text);
        if place > 0 {
            closed.push(',');
        }
        closed.push_str(&written);
        let (name, key, end) = match part {
            Part::Text => ("output_text.done", "text", ",\"logprobs\":[]"),
            Part::Refusal => ("refusal.done", "refusal", ""),
        };
        self.item_event(out, name, |_, out| {
            let _ = write!(out, ",\"content_index\":{place},\"{key}\":\"{text}\"{end}");
        });
        self.item_event(out, "content_part.done", |_, out| {
            let _ = write!(out, ",\"content_index\":{place},\"part\":{written}");
        });
        self.parts += 1;
    }

    /// Closes the item that is open.
    fn close(&mut self, out: &mut Vec<u8>, status: &str) {
        let mut sealed = None;
        match &self.open {
            None => return,
            Some(Open::Message { .. }) => self.close_part(out),
            Some(Open::Reasoning { part }) => {
                if *part {
                    self.reasoning_done(out);
                }
                let seal = self.seal.take(self.response.there());
                sealed = self.response.seals().then_some(seal);
            }
            Some(Open::Image) => {
                self.item_event(out, "image_generation_call.completed", |_, _| {});
            }
            Some(Open::Call { origin, .. }) => {
                let origin = origin.clone();
                if self.text.is_empty()
                    && status == "completed"
                    && matches!(origin, Origin::Function(..))
                {
                    // No arguments at all are no JSON, and clients read them as such.
                    self.delta(out, "function_call_arguments.delta", None, "{}", "");
                }
                self.call_done(out, &origin);
            }
        }
        let text = std::mem::take(&mut self.text);
        let Some(item) = self.open.take() else {
            return;
        };
        let written = item.write(&self.id, status, &text, sealed.as_deref());
        self.event(out, "output_item.done", |items, out| {
            let _ = write!(out, ",\"output_index\":{},\"item\":", items.index);
            out.extend_from_slice(&written);
        });
        if !self.output.is_empty() {
            self.output.push(b',');
        }
        self.output.extend_from_slice(&written);
        self.index += 1;
    }

    fn reasoning_done(&mut self, out: &mut Vec<u8>) {
        self.item_event(out, "reasoning_text.done", |items, out| {
            let _ = write!(out, ",\"content_index\":0,\"text\":\"{}\"", items.text);
        });
        self.item_event(out, "content_part.done", |items, out| {
            let _ = write!(
                out,
                ",\"content_index\":0,\"part\":{{\"type\":\"reasoning_text\",\"text\":\"{}\"}}",
                items.text
            );
        });
    }

    fn call_done(&mut self, out: &mut Vec<u8>, origin: &Origin) {
        match origin {
            Origin::Function(name, _) => {
                let name = escaped(name);
                self.item_event(out, "function_call_arguments.done", |items, out| {
                    let _ = write!(out, ",\"name\":\"{name}\",\"arguments\":\"{}\"", items.text);
                });
            }
            // It comes wrapped in JSON, and is unwrapped when it is there.
            Origin::Custom(..) => {
                let input = custom_input(&self.text);
                self.text.clear();
                self.delta(out, "custom_tool_call_input.delta", None, &input, "");
                self.item_event(out, "custom_tool_call_input.done", |items, out| {
                    let _ = write!(out, ",\"input\":\"{}\"", items.text);
                });
            }
            Origin::Search => {}
        }
    }
}

impl Voice for Items {
    fn begin(&mut self, out: &mut Vec<u8>, model: &str) {
        self.response.name(model);
        self.event(out, "created", |items, out| {
            out.extend_from_slice(b",\"response\":");
            items.response.write(out, Status::InProgress, &[], None);
        });
        self.response_event(out, Status::InProgress, None);
    }

    fn reasoning(&mut self, out: &mut Vec<u8>, text: &str, field: Field) {
        if !matches!(self.open, Some(Open::Reasoning { part: true })) {
            self.start(out, Open::Reasoning { part: false });
            self.open = Some(Open::Reasoning { part: true });
            self.item_event(out, "content_part.added", |_, out| {
                let part = "{\"type\":\"reasoning_text\",\"text\":\"\"}";
                let _ = write!(out, ",\"content_index\":0,\"part\":{part}");
            });
        }
        self.seal.field(field);
        self.delta(out, "reasoning_text.delta", Some(0), text, "");
    }

    fn proof(&mut self, out: &mut Vec<u8>, detail: &str, of_text: bool) {
        if !self.response.seals() {
            return;
        }
        if !(of_text && matches!(self.open, Some(Open::Reasoning { .. }))) {
            self.start(out, Open::Reasoning { part: false });
        }
        self.seal.detail(detail);
        // What is signed is whole.
        self.close(out, "completed");
    }

    fn text(&mut self, out: &mut Vec<u8>, text: &str) {
        self.part(out, Part::Text);
        let place = Some(self.parts);
        self.delta(out, "output_text.delta", place, text, ",\"logprobs\":[]");
    }

    fn refusal(&mut self, out: &mut Vec<u8>, text: &str) {
        self.part(out, Part::Refusal);
        let place = Some(self.parts);
        self.delta(out, "refusal.delta", place, text, "");
    }

    fn image(&mut self, out: &mut Vec<u8>, url: &str) {
        // Behind an address of another kind the picture is not here.
        let data = url
            .strip_prefix("data:")
            .and_then(|url| url.split_once(','));
        if let Some((_, data)) = data {
            self.start(out, Open::Image);
            self.text.push_str(data);
            self.close(out, "completed");
        }
    }

    fn call(&mut self, out: &mut Vec<u8>, id: &str, name: &str) {
        self.calls += 1;
        let id = if id.is_empty() {
            format!("call_{}_{}", self.response.id, self.calls)
        } else {
            id.to_owned()
        };
        let origin = self.response.origin(name);
        self.start(out, Open::Call { id, origin });
    }

    fn arguments(&mut self, out: &mut Vec<u8>, text: &str) {
        if let Some(Open::Call { origin, .. }) = &self.open {
            if matches!(origin, Origin::Function(..)) {
                self.delta(out, "function_call_arguments.delta", None, text, "");
            } else {
                self.text.push_str(text);
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>, finish: &Finish) {
        let status = match finish.reason {
            FinishReason::Length => Status::Incomplete("max_output_tokens"),
            FinishReason::ContentFilter => Status::Incomplete("content_filter"),
            FinishReason::Stop
            | FinishReason::ToolCalls
            | FinishReason::FunctionCall
            | FinishReason::Error
            | FinishReason::Other => Status::Completed,
        };
        let of_item = match status {
            Status::Incomplete(_) => "incomplete",
            _ => "completed",
        };
        self.close(out, of_item);
        self.response_event(out, status, Some(&finish.usage));
        if self.quiet {
            let mut last = Vec::new();
            self.response
                .write(&mut last, status, &self.output, Some(&finish.usage));
            self.last = last;
        }
    }

    fn fail(&mut self, out: &mut Vec<u8>, failure: &Failure<'_>) {
        let status = Status::Failed(code(failure.error.class), failure.message);
        self.response_event(out, status, None);
    }

    fn is_full(&self) -> bool {
        let closed = match &self.open {
            Some(Open::Message { closed, .. }) => closed.len(),
            _ => 0,
        };
        self.output.len() + closed + self.text.len() > KEPT_BYTES_MAX
    }
}
