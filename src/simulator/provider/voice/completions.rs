//! Speaks `OpenAI`'s older completions.

use std::io::Write as _;

use crate::simulator::truth::Carried;

use super::super::answer::{Answer, Stroke, push_escaped};
use super::super::errors::error_event;
use super::super::fault::Fault;
use super::chat::usage;
use super::speech::Voice;

/// `OpenAI`'s older completions.
pub(super) struct Completions;

impl Voice for Completions {
    fn openings(&self, _: &Answer) -> u32 {
        0
    }

    fn open(&mut self, _: &Answer, _: u32, _: &mut Vec<u8>) {}

    fn stroke(&mut self, answer: &Answer, stroke: Stroke, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        head(answer, out);
        choice(answer, stroke.choice, None, out, |out| {
            answer.push_text(stroke, out);
        });
        close_event(answer, out);
    }

    fn closings(&self, answer: &Answer) -> u32 {
        answer.choices + 2
    }

    fn close(&mut self, answer: &Answer, index: u32, out: &mut Vec<u8>) -> Carried {
        if index < answer.choices {
            if answer.has(Fault::MissingFinish) {
                return Carried::default();
            }
            out.extend_from_slice(b"data: ");
            head(answer, out);
            choice(answer, index, Some(answer.finish()), out, |_| {});
            close_event(answer, out);
            return Carried::FINISH;
        }
        if index == answer.choices {
            if !answer.include_usage || answer.has(Fault::UsageMissing) {
                return Carried::default();
            }
            out.extend_from_slice(b"data: ");
            head(answer, out);
            out.extend_from_slice(br#"],"usage":"#);
            usage(answer, answer.usage, out);
            out.extend_from_slice(b"}\n\n");
            return Carried::USAGE;
        }
        if !answer.lacks_done() {
            out.extend_from_slice(b"data: [DONE]\n\n");
        }
        Carried::DONE
    }

    fn error(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        error_event(answer, out);
    }

    fn terminator(&mut self, _: &Answer, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn whole(&self, answer: &Answer) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        head(answer, &mut out);
        for index in 0..answer.choices {
            if index > 0 {
                out.push(b',');
            }
            choice(answer, index, Some(answer.finish()), &mut out, |out| {
                (0..answer.parts.len()).for_each(|part| answer.push_part(part, index, out));
            });
        }
        out.push(b']');
        if !answer.has(Fault::UsageMissing) {
            out.extend_from_slice(br#","usage":"#);
            usage(answer, answer.usage, &mut out);
        }
        out.push(b'}');
        out
    }
}

fn head(answer: &Answer, out: &mut Vec<u8>) {
    let (tail, created) = (&answer.tail, answer.created);
    let _ = write!(
        out,
        r#"{{"id":"cmpl-sim-{tail}","object":"text_completion","created":{created},"model":""#
    );
    push_escaped(out, &answer.model);
    out.extend_from_slice(br#"","system_fingerprint":"fp_simulator","choices":["#);
}

fn choice(
    _: &Answer,
    index: u32,
    finish: Option<&str>,
    out: &mut Vec<u8>,
    text: impl FnOnce(&mut Vec<u8>),
) {
    out.extend_from_slice(br#"{"text":""#);
    text(out);
    let _ = write!(out, r#"","index":{index},"logprobs":null,"finish_reason":"#);
    let _ = match finish {
        Some(finish) => write!(out, "\"{finish}\"}}"),
        None => write!(out, "null}}"),
    };
}

fn close_event(answer: &Answer, out: &mut Vec<u8>) {
    out.push(b']');
    if answer.include_usage {
        out.extend_from_slice(br#","usage":null"#);
    }
    out.extend_from_slice(b"}\n\n");
}
