//! Speaks Gemini's `generateContent`: every event a whole response, usage in each of them.

use std::io::Write as _;

use crate::simulator::truth::Carried;

use super::super::answer::{Answer, Part, Stroke, push_escaped};
use super::super::check::SIGNATURE;
use super::super::errors::error_event;
use super::super::fault::Fault;
use super::speech::Voice;

/// Gemini's language: server-sent events, or the items of one array.
#[derive(Default)]
pub(super) struct Gemini {
    /// Whether an item of the array is out.
    begun: bool,
    /// Whether the array is closed.
    closed: bool,
}

macro_rules! put {
    ($out:expr, $($arg:tt)*) => { let _ = write!($out, $($arg)*); };
}

impl Voice for Gemini {
    fn openings(&self, _: &Answer) -> u32 {
        0
    }

    fn open(&mut self, _: &Answer, _: u32, _: &mut Vec<u8>) {}

    fn stroke(&mut self, answer: &Answer, stroke: Stroke, out: &mut Vec<u8>) {
        let thought = answer
            .parts
            .get(stroke.part)
            .is_some_and(Part::is_reasoning);
        if thought && answer.hides_thoughts {
            return;
        }
        let said = said(answer, stroke);
        self.event(answer, out, |out| {
            put!(
                out,
                r#"{{"candidates":[{{"index":{},"content":{{"role":"model","parts":["#,
                stroke.choice
            );
            part(answer, stroke, out);
            out.extend_from_slice(b"]}}]");
            tail(answer, said, out);
        });
    }

    fn closings(&self, answer: &Answer) -> u32 {
        // A finish for each choice, the end of the array.
        answer.choices + 1
    }

    fn close(&mut self, answer: &Answer, index: u32, out: &mut Vec<u8>) -> Carried {
        if index == answer.choices {
            if answer.array && !answer.lacks_done() {
                self.terminator(answer, out);
                return Carried::DONE;
            }
            return Carried::default();
        }
        if answer.has(Fault::MissingFinish) {
            return Carried::default();
        }
        self.event(answer, out, |out| {
            last(answer, index, out);
        });
        let end = Carried::FINISH.and(Carried::USAGE);
        if answer.array || index + 1 < answer.choices {
            end
        } else {
            end.and(Carried::DONE)
        }
    }

    fn error(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        if answer.array {
            let mut event = Vec::new();
            error_event(answer, &mut event);
            self.event(answer, out, |out| out.extend_from_slice(&event));
            self.terminator(answer, out);
        } else {
            error_event(answer, out);
        }
    }

    fn terminator(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        if answer.array && !self.closed {
            out.extend_from_slice(if self.begun { b"\r\n]" } else { b"[]" });
            self.closed = true;
        }
    }

    fn whole(&self, answer: &Answer) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        if answer.is_blocked() {
            last(answer, 0, &mut out);
            return out;
        }
        out.extend_from_slice(br#"{"candidates":["#);
        for choice in 0..answer.choices {
            if choice > 0 {
                out.push(b',');
            }
            put!(
                out,
                r#"{{"index":{choice},"content":{{"role":"model","parts":["#
            );
            let shown = |part: &&Part| !(part.is_reasoning() && answer.hides_thoughts);
            let mut first = true;
            for (index, inner) in answer.parts.iter().enumerate() {
                if !shown(&inner) {
                    continue;
                }
                if !std::mem::take(&mut first) {
                    out.push(b',');
                }
                let whole = Stroke {
                    part: index,
                    from: 0,
                    count: inner.tokens(),
                    choice,
                };
                part(answer, whole, &mut out);
            }
            put!(out, r#"]}},"finishReason":"{}"}}"#, reason(answer));
        }
        out.push(b']');
        tail(answer, Said::all(answer), &mut out);
        out
    }
}

impl Gemini {
    /// One event or item around a response.
    fn event(&mut self, answer: &Answer, out: &mut Vec<u8>, response: impl FnOnce(&mut Vec<u8>)) {
        if !answer.array {
            out.extend_from_slice(b"data: ");
            response(out);
            out.extend_from_slice(b"\r\n\r\n");
            return;
        }
        out.extend_from_slice(if self.begun { b",\r\n" } else { b"[" });
        self.begun = true;
        response(out);
    }
}

/// What is out of all choices.
#[derive(Clone, Copy)]
struct Said {
    thoughts: u64,
    words: u64,
}

impl Said {
    fn all(answer: &Answer) -> Self {
        Self {
            thoughts: answer.usage.reasoning,
            words: answer.usage.output.saturating_sub(answer.usage.reasoning),
        }
    }
}

/// What is out with this stroke, never more than there will be.
fn said(answer: &Answer, stroke: Stroke) -> Said {
    let (mut thoughts, mut words) = (0, 0);
    for (index, part) in answer.parts.iter().enumerate().take(stroke.part + 1) {
        let each = if index == stroke.part {
            stroke.from + stroke.count
        } else {
            part.tokens()
        };
        let sum = if part.is_reasoning() {
            &mut thoughts
        } else {
            &mut words
        };
        *sum += u64::from(each) * u64::from(answer.choices);
    }
    let all = Said::all(answer);
    Said {
        thoughts: thoughts.min(all.thoughts),
        words: words.min(all.words),
    }
}

/// One part: thought, call or text.
fn part(answer: &Answer, stroke: Stroke, out: &mut Vec<u8>) {
    match answer.parts.get(stroke.part) {
        Some(Part::Call { id, name, .. }) => {
            put!(out, r#"{{"functionCall":{{"id":"{id}","name":""#);
            push_escaped(out, name);
            out.extend_from_slice(br#"","args":"#);
            answer.push_arguments(stroke.part, out);
            out.push(b'}');
            let first = !answer.parts[..stroke.part].iter().any(Part::is_call);
            if first {
                put!(out, r#","thoughtSignature":"{SIGNATURE}""#);
            }
            out.push(b'}');
        }
        inner => {
            out.extend_from_slice(br#"{"text":""#);
            answer.push_text(stroke, out);
            out.push(b'"');
            if inner.is_some_and(Part::is_reasoning) {
                out.extend_from_slice(br#","thought":true"#);
            }
            out.push(b'}');
        }
    }
}

/// The response that ends a candidate, or that says why there is none.
fn last(answer: &Answer, choice: u32, out: &mut Vec<u8>) {
    if answer.is_blocked() {
        out.extend_from_slice(br#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}"#);
        tail(
            answer,
            Said {
                thoughts: 0,
                words: 0,
            },
            out,
        );
        return;
    }
    put!(out, r#"{{"candidates":[{{"index":{choice},"#);
    let thought = answer.parts.iter().any(Part::is_reasoning);
    let called = answer.parts.iter().any(Part::is_call);
    if answer.tokens() > 0 {
        out.extend_from_slice(br#""content":{"role":"model","parts":[{"text":"""#);
        // Who thought and called nothing signs the last of the text.
        if thought && !called {
            put!(out, r#","thoughtSignature":"{SIGNATURE}""#);
        }
        out.extend_from_slice(b"}]},");
    }
    put!(out, r#""finishReason":"{}"}}]"#, reason(answer));
    tail(answer, Said::all(answer), out);
}

/// Why it ends, in Gemini's words.
fn reason(answer: &Answer) -> &str {
    match answer.finish() {
        // A call is a stop like any other.
        "stop" | "tool_calls" => "STOP",
        "length" => "MAX_TOKENS",
        "content_filter" => "SAFETY",
        other => other,
    }
}

/// Usage, names, and the brace that closes the response.
fn tail(answer: &Answer, said: Said, out: &mut Vec<u8>) {
    if !answer.has(Fault::UsageMissing) {
        out.extend_from_slice(br#","usageMetadata":"#);
        usage(answer, said, out);
    }
    out.extend_from_slice(br#","modelVersion":""#);
    push_escaped(out, &answer.model);
    put!(out, r#"","responseId":"sim-{}""#, answer.tail);
    if answer.vertex {
        let date = crate::record::WallTime(answer.created * 1_000_000).rfc3339();
        put!(out, r#","createTime":"{date}""#);
    }
    out.push(b'}');
}

fn usage(answer: &Answer, said: Said, out: &mut Vec<u8>) {
    let (input, cached) = (answer.usage.input, answer.usage.cached);
    let Said { thoughts, words } = said;
    put!(out, r#"{{"promptTokenCount":{input}"#);
    if words > 0 {
        put!(out, r#","candidatesTokenCount":{words}"#);
    }
    if thoughts > 0 {
        put!(out, r#","thoughtsTokenCount":{thoughts}"#);
    }
    if cached > 0 {
        put!(out, r#","cachedContentTokenCount":{cached}"#);
    }
    put!(out, r#","totalTokenCount":{}"#, input + words + thoughts);
    if answer.has(Fault::UsageNullDetails) {
        out.extend_from_slice(br#","promptTokensDetails":null"#);
    } else {
        put!(
            out,
            r#","promptTokensDetails":[{{"modality":"TEXT","tokenCount":{input}}}]"#
        );
    }
    if answer.vertex {
        out.extend_from_slice(br#","trafficType":"ON_DEMAND""#);
    }
    out.push(b'}');
}
