//! Speaks Bedrock's Converse: frames of their own, usage after the stop.

use std::io::Write as _;

use crate::simulator::truth::Carried;

use super::super::answer::{Answer, Part, Stroke, Usage, push_escaped};
use super::super::check::SIGNATURE;
use super::super::errors::exception_frame;
use super::super::fault::Fault;
use super::super::lexicon::mix;
use super::super::wrapping::push_frame;
use super::speech::Voice;

/// Bedrock's Converse.
#[derive(Default)]
pub(super) struct Converse {
    /// Number of the next frame: its padding is drawn from it.
    number: u64,
}

macro_rules! put {
    ($out:expr, $($arg:tt)*) => { let _ = write!($out, $($arg)*); };
}

impl Voice for Converse {
    fn openings(&self, _: &Answer) -> u32 {
        1
    }

    fn open(&mut self, answer: &Answer, _: u32, out: &mut Vec<u8>) {
        self.event(answer, "messageStart", out, |out| {
            out.extend_from_slice(br#""role":"assistant""#);
        });
    }

    fn stroke(&mut self, answer: &Answer, stroke: Stroke, out: &mut Vec<u8>) {
        let index = stroke.part;
        match answer.parts.get(index) {
            // A call's header names the tool: it is a stroke. Text has no such event.
            Some(Part::Call { id, name, .. }) if stroke.from == 0 => {
                self.event(answer, "contentBlockStart", out, |out| {
                    put!(
                        out,
                        r#""contentBlockIndex":{index},"start":{{"toolUse":{{"toolUseId":"{id}","name":""#
                    );
                    push_escaped(out, name);
                    out.extend_from_slice(br#""}}"#);
                });
            }
            part => {
                let (before, after) = match part {
                    Some(Part::Call { .. }) => (r#"{"toolUse":{"input":""#, r#""}}"#),
                    Some(part) if part.is_reasoning() => {
                        (r#"{"reasoningContent":{"text":""#, r#""}}"#)
                    }
                    _ => (r#"{"text":""#, r#""}"#),
                };
                self.event(answer, "contentBlockDelta", out, |out| {
                    put!(out, r#""contentBlockIndex":{index},"delta":{before}"#);
                    answer.push_text(stroke, out);
                    out.extend_from_slice(after.as_bytes());
                });
            }
        }
    }

    fn ends(&self, part: &Part) -> u32 {
        // Thinking is signed at its end.
        1 + u32::from(part.is_reasoning())
    }

    fn end(&mut self, answer: &Answer, part: usize, index: u32, out: &mut Vec<u8>) {
        if answer.parts.get(part).is_some_and(Part::is_reasoning) && index == 0 {
            self.event(answer, "contentBlockDelta", out, |out| {
                put!(
                    out,
                    r#""contentBlockIndex":{part},"delta":{{"reasoningContent":{{"signature":"{SIGNATURE}"}}}}"#
                );
            });
            return;
        }
        self.event(answer, "contentBlockStop", out, |out| {
            put!(out, r#""contentBlockIndex":{part}"#);
        });
    }

    fn closings(&self, _: &Answer) -> u32 {
        2
    }

    fn close(&mut self, answer: &Answer, index: u32, out: &mut Vec<u8>) -> Carried {
        if index == 0 {
            if answer.has(Fault::MissingFinish) {
                return Carried::default();
            }
            let reason = reason(answer);
            self.event(answer, "messageStop", out, |out| {
                put!(out, r#""stopReason":"{reason}""#);
            });
            return Carried::FINISH;
        }
        if answer.lacks_done() {
            return Carried::default();
        }
        self.terminator(answer, out);
        Carried::USAGE.and(Carried::DONE)
    }

    fn error(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        exception_frame(answer, out);
    }

    fn terminator(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        self.event(answer, "metadata", out, |out| {
            put!(
                out,
                r#""metrics":{{"latencyMs":{}}}"#,
                answer.pace.latency_ms()
            );
            if !answer.has(Fault::UsageMissing) {
                out.extend_from_slice(br#","usage":"#);
                usage(answer, out);
            }
        });
    }

    fn whole(&self, answer: &Answer) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(br#"{"output":{"message":{"role":"assistant","content":["#);
        for (index, part) in answer.parts.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            block(answer, index, part, &mut out);
        }
        put!(out, r#"]}}}},"stopReason":"{}""#, reason(answer));
        if !answer.has(Fault::UsageMissing) {
            out.extend_from_slice(br#","usage":"#);
            usage(answer, &mut out);
        }
        put!(
            out,
            r#","metrics":{{"latencyMs":{}}}}}"#,
            answer.pace.latency_ms()
        );
        out
    }
}

impl Converse {
    fn event(
        &mut self,
        answer: &Answer,
        kind: &str,
        out: &mut Vec<u8>,
        fields: impl FnOnce(&mut Vec<u8>),
    ) {
        let mut payload = Vec::with_capacity(128);
        payload.push(b'{');
        fields(&mut payload);
        pad(answer, self.number, &mut payload);
        payload.push(b'}');
        self.number += 1;
        push_frame(kind, &payload, out);
    }
}

/// Padding of a length that says nothing, as the service puts it into every payload.
pub(super) fn pad(answer: &Answer, number: u64, out: &mut Vec<u8>) {
    const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let length = 1 + mix(answer.created as u64 ^ number << 32) as usize % LETTERS.len();
    out.extend_from_slice(br#","p":""#);
    out.extend_from_slice(&LETTERS[..length.min(LETTERS.len())]);
    out.push(b'"');
}

/// Why it ends, in Bedrock's words.
fn reason(answer: &Answer) -> &str {
    match answer.finish() {
        "content_filter" => "content_filtered",
        _ => answer.stop_reason(),
    }
}

fn block(answer: &Answer, index: usize, part: &Part, out: &mut Vec<u8>) {
    match part {
        Part::Call { id, name, .. } => {
            put!(out, r#"{{"toolUse":{{"toolUseId":"{id}","name":""#);
            push_escaped(out, name);
            out.extend_from_slice(br#"","input":"#);
            answer.push_arguments(index, out);
            out.extend_from_slice(b"}}");
        }
        part if part.is_reasoning() => {
            out.extend_from_slice(br#"{"reasoningContent":{"reasoningText":{"text":""#);
            answer.push_part(index, 0, out);
            put!(out, r#"","signature":"{SIGNATURE}"}}}}}}"#);
        }
        _ => {
            out.extend_from_slice(br#"{"text":""#);
            answer.push_part(index, 0, out);
            out.extend_from_slice(b"\"}");
        }
    }
}

/// Its input does not include what was read from the cache; its total does.
fn usage(answer: &Answer, out: &mut Vec<u8>) {
    let Usage {
        input,
        cached,
        output,
        ..
    } = answer.usage;
    let fresh = input.saturating_sub(cached);
    put!(
        out,
        r#"{{"inputTokens":{fresh},"outputTokens":{output},"totalTokens":{}"#,
        input + output
    );
    if answer.has(Fault::UsageNullDetails) {
        out.extend_from_slice(br#","cacheReadInputTokens":null,"cacheWriteInputTokens":null}"#);
    } else {
        put!(
            out,
            r#","cacheReadInputTokens":{cached},"cacheWriteInputTokens":0}}"#
        );
    }
}
