//! Speaks Ollama's own language: one JSON object per line, durations in nanoseconds.

use std::io::Write as _;

use crate::record::WallTime;
use crate::simulator::truth::Carried;

use super::super::answer::{Answer, Part, Stroke, push_escaped};
use super::super::errors::error_event;
use super::super::fault::Fault;
use super::speech::Voice;

/// Ollama's `/api/chat` and `/api/generate`.
pub(super) struct Ollama;

macro_rules! put {
    ($out:expr, $($arg:tt)*) => { let _ = write!($out, $($arg)*); };
}

impl Voice for Ollama {
    fn openings(&self, _: &Answer) -> u32 {
        0
    }

    fn open(&mut self, _: &Answer, _: u32, _: &mut Vec<u8>) {}

    fn stroke(&mut self, answer: &Answer, stroke: Stroke, out: &mut Vec<u8>) {
        head(answer, out);
        let part = answer.parts.get(stroke.part);
        let thinks = part.is_some_and(Part::is_reasoning);
        let text = |out: &mut Vec<u8>| answer.push_text(stroke, out);
        if part.is_some_and(Part::is_call) {
            said(
                answer,
                out,
                |_| {},
                |_| {},
                |out| call(answer, stroke.part, out),
            );
        } else if thinks {
            said(answer, out, |_| {}, text, |_| {});
        } else {
            said(answer, out, text, |_| {}, |_| {});
        }
        out.extend_from_slice(b",\"done\":false}\n");
    }

    fn closings(&self, _: &Answer) -> u32 {
        1
    }

    fn close(&mut self, answer: &Answer, _: u32, out: &mut Vec<u8>) -> Carried {
        if answer.has(Fault::MissingFinish) {
            return Carried::default();
        }
        self.terminator(answer, out);
        Carried::FINISH.and(Carried::USAGE).and(Carried::DONE)
    }

    fn error(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        error_event(answer, out);
    }

    fn terminator(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        head(answer, out);
        said(answer, out, |_| {}, |_| {}, |_| {});
        tail(answer, out);
        out.push(b'\n');
    }

    fn whole(&self, answer: &Answer) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        head(answer, &mut out);
        let all = |wanted: fn(&Part) -> bool| {
            move |out: &mut Vec<u8>| {
                for (index, part) in answer.parts.iter().enumerate() {
                    if wanted(part) {
                        answer.push_part(index, 0, out);
                    }
                }
            }
        };
        said(
            answer,
            &mut out,
            all(|part| !part.is_reasoning() && !part.is_call()),
            all(Part::is_reasoning),
            |out| {
                let calls = (0..answer.parts.len()).filter(|index| answer.parts[*index].is_call());
                for (place, index) in calls.enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    call(answer, index, out);
                }
            },
        );
        tail(answer, &mut out);
        out
    }
}

fn head(answer: &Answer, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"model":""#);
    push_escaped(out, &answer.model);
    let date = WallTime(answer.created * 1_000_000).rfc3339();
    put!(out, r#"","created_at":"{date}","#);
}

/// What is said: text, thoughts and calls, each where it is of this endpoint.
fn said(
    answer: &Answer,
    out: &mut Vec<u8>,
    text: impl FnOnce(&mut Vec<u8>),
    thoughts: impl FnOnce(&mut Vec<u8>),
    calls: impl FnOnce(&mut Vec<u8>),
) {
    out.extend_from_slice(if answer.completes {
        br#""response":""#
    } else {
        br#""message":{"role":"assistant","content":""#
    });
    text(out);
    out.push(b'"');
    let mut part = Vec::new();
    thoughts(&mut part);
    if !part.is_empty() {
        out.extend_from_slice(br#","thinking":""#);
        out.append(&mut part);
        out.push(b'"');
    }
    calls(&mut part);
    if !part.is_empty() {
        out.extend_from_slice(br#","tool_calls":["#);
        out.append(&mut part);
        out.push(b']');
    }
    if !answer.completes {
        out.push(b'}');
    }
}

fn call(answer: &Answer, part: usize, out: &mut Vec<u8>) {
    let Some(Part::Call { id, name, .. }) = answer.parts.get(part) else {
        return;
    };
    let index = answer.parts[..part].iter().filter(|part| part.is_call());
    put!(
        out,
        r#"{{"id":"{id}","function":{{"index":{},"name":""#,
        index.count()
    );
    push_escaped(out, name);
    out.extend_from_slice(br#"","arguments":"#);
    answer.push_arguments(part, out);
    out.extend_from_slice(b"}}");
}

/// Why it ends, what it used, and how long that took: the prompt until the first token, and the
/// answer from there on.
fn tail(answer: &Answer, out: &mut Vec<u8>) {
    let reason = match answer.finish() {
        "tool_calls" => "stop",
        other => other,
    };
    put!(out, r#","done":true,"done_reason":"{reason}""#);
    let (first, last) = (answer.pace.first.0, answer.pace.last.0);
    put!(
        out,
        r#","total_duration":{last},"load_duration":0,"prompt_eval_duration":{first},"eval_duration":{}"#,
        last.saturating_sub(first)
    );
    if !answer.has(Fault::UsageMissing) {
        let usage = answer.usage;
        put!(
            out,
            r#","prompt_eval_count":{},"eval_count":{}"#,
            usage.input,
            usage.output
        );
    }
    out.push(b'}');
}
