//! Speaks Anthropic messages.

use std::io::Write as _;

use crate::config::settings::Keepalive;
use crate::simulator::truth::Carried;

use super::super::answer::{Answer, Part, Stroke, Usage, push_escaped};
use super::super::check::SIGNATURE;
use super::super::errors::error_event;
use super::super::fault::Fault;
use super::speech::Voice;

/// Anthropic messages.
#[derive(Default)]
pub(super) struct Messages;

macro_rules! put {
    ($out:expr, $($arg:tt)*) => { let _ = write!($out, $($arg)*); };
}

const PING: &[u8] = b"event: ping\ndata: {\"type\": \"ping\"}\n\n";

impl Voice for Messages {
    fn openings(&self, _: &Answer) -> u32 {
        1
    }

    fn open(&mut self, answer: &Answer, _: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":",
        );
        message(answer, out, b"[]", None, 1);
        out.extend_from_slice(b"}\n\n");
    }

    fn starts(&self, part: &Part) -> u32 {
        // The block start of a tool call names the tool: it is a stroke.
        u32::from(!part.is_call())
    }

    fn start(&mut self, answer: &Answer, part: usize, _: u32, out: &mut Vec<u8>) {
        let block = match answer.parts.get(part) {
            Some(part) if part.is_reasoning() => {
                r#"{"type":"thinking","thinking":"","signature":""}"#
            }
            _ => r#"{"type":"text","text":""}"#,
        };
        event(out, "content_block_start", |out| {
            put!(out, r#","index":{part},"content_block":{block}"#);
        });
        if part == 0 && answer.quirks.keepalive == Keepalive::PingEvent {
            out.extend_from_slice(PING);
        }
    }

    fn stroke(&mut self, answer: &Answer, stroke: Stroke, out: &mut Vec<u8>) {
        let part = stroke.part;
        let (kind, field) = match answer.parts.get(part) {
            Some(Part::Call { id, name, .. }) if stroke.from == 0 => {
                event(out, "content_block_start", |out| {
                    put!(
                        out,
                        r#","index":{part},"content_block":{{"type":"tool_use","id":"{id}","name":""#
                    );
                    push_escaped(out, name);
                    out.extend_from_slice(br#"","input":{}}"#);
                });
                return;
            }
            Some(Part::Call { .. }) => ("input_json_delta", "partial_json"),
            Some(part) if part.is_reasoning() => ("thinking_delta", "thinking"),
            _ => ("text_delta", "text"),
        };
        event(out, "content_block_delta", |out| {
            put!(
                out,
                r#","index":{part},"delta":{{"type":"{kind}","{field}":""#
            );
            answer.push_text(stroke, out);
            out.extend_from_slice(b"\"}");
        });
    }

    fn ends(&self, part: &Part) -> u32 {
        // Thinking is signed at its end.
        1 + u32::from(part.is_reasoning())
    }

    fn end(&mut self, answer: &Answer, part: usize, index: u32, out: &mut Vec<u8>) {
        if answer.parts.get(part).is_some_and(Part::is_reasoning) && index == 0 {
            event(out, "content_block_delta", |out| {
                put!(
                    out,
                    r#","index":{part},"delta":{{"type":"signature_delta","signature":"{SIGNATURE}"}}"#
                );
            });
            return;
        }
        event(out, "content_block_stop", |out| {
            put!(out, r#","index":{part}"#);
        });
    }

    fn closings(&self, _: &Answer) -> u32 {
        2
    }

    fn close(&mut self, answer: &Answer, index: u32, out: &mut Vec<u8>) -> Carried {
        if index == 1 {
            if !answer.lacks_done() {
                self.terminator(answer, out);
            }
            return Carried::DONE;
        }
        if answer.has(Fault::MissingFinish) {
            return Carried::default();
        }
        event(out, "message_delta", |out| {
            let reason = answer.stop_reason();
            put!(
                out,
                r#","delta":{{"stop_reason":"{reason}","stop_sequence":null}}"#
            );
            if !answer.has(Fault::UsageMissing) {
                out.extend_from_slice(br#","usage":"#);
                usage(answer, answer.usage.output, out);
            }
        });
        Carried::FINISH.and(Carried::USAGE)
    }

    fn error(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        error_event(answer, out);
    }

    fn terminator(&mut self, _: &Answer, out: &mut Vec<u8>) {
        event(out, "message_stop", |_| {});
    }

    fn whole(&self, answer: &Answer) -> Vec<u8> {
        let mut blocks = Vec::with_capacity(256);
        for (index, part) in answer.parts.iter().enumerate() {
            blocks.push(if index == 0 { b'[' } else { b',' });
            block(answer, index, part, &mut blocks);
        }
        if answer.parts.is_empty() {
            blocks.push(b'[');
        }
        blocks.push(b']');
        let mut out = Vec::with_capacity(blocks.len() + 256);
        message(
            answer,
            &mut out,
            &blocks,
            Some(answer.stop_reason()),
            answer.usage.output,
        );
        out
    }
}

/// One named event; `rest` is what follows the type.
fn event(out: &mut Vec<u8>, name: &str, rest: impl FnOnce(&mut Vec<u8>)) {
    put!(out, "event: {name}\ndata: {{\"type\":\"{name}\"");
    rest(out);
    out.extend_from_slice(b"}\n\n");
}

fn message(answer: &Answer, out: &mut Vec<u8>, content: &[u8], stop: Option<&str>, output: u64) {
    put!(
        out,
        r#"{{"id":"msg_sim-{}","type":"message","role":"assistant","model":""#,
        answer.tail
    );
    push_escaped(out, &answer.model);
    out.extend_from_slice(br#"","content":"#);
    out.extend_from_slice(content);
    let stop = stop.map_or("null".to_owned(), |stop| format!("\"{stop}\""));
    put!(
        out,
        r#","stop_reason":{stop},"stop_sequence":null,"usage":"#
    );
    usage(answer, output, out);
    out.push(b'}');
}

fn usage(answer: &Answer, output: u64, out: &mut Vec<u8>) {
    let Usage {
        input,
        cached,
        reasoning,
        ..
    } = answer.usage;
    // Anthropic's input does not include what was read from the cache.
    let fresh = input.saturating_sub(cached);
    if answer.has(Fault::UsageNullDetails) {
        put!(
            out,
            r#"{{"input_tokens":{fresh},"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"output_tokens":{output}}}"#
        );
        return;
    }
    put!(
        out,
        r#"{{"input_tokens":{fresh},"cache_creation_input_tokens":0,"cache_read_input_tokens":{cached},"cache_creation":{{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0}},"output_tokens":{output},"service_tier":"standard""#
    );
    // While the answer is made nobody knows yet how much of it is thinking.
    if reasoning > 0 && output >= reasoning {
        put!(
            out,
            r#","output_tokens_details":{{"thinking_tokens":{reasoning}}}"#
        );
    }
    out.push(b'}');
}

fn block(answer: &Answer, index: usize, part: &Part, out: &mut Vec<u8>) {
    match part {
        Part::Call { id, name, pieces } => {
            put!(out, r#"{{"type":"tool_use","id":"{id}","name":""#);
            push_escaped(out, name);
            out.extend_from_slice(br#"","input":"#);
            for piece in pieces {
                out.extend_from_slice(piece.as_bytes());
            }
            out.push(b'}');
        }
        part if part.is_reasoning() => {
            out.extend_from_slice(br#"{"type":"thinking","thinking":""#);
            answer.push_part(index, 0, out);
            put!(out, r#"","signature":"{SIGNATURE}"}}"#);
        }
        _ => {
            out.extend_from_slice(br#"{"type":"text","text":""#);
            answer.push_part(index, 0, out);
            out.extend_from_slice(br#""}"#);
        }
    }
}
