//! Speaks Bedrock's `InvokeModel` for Claude: Anthropic's own events within frames.

use std::io::Write as _;

use crate::simulator::truth::Carried;

use super::super::answer::{Answer, Part, Stroke};
use super::super::base64;
use super::super::errors::exception_frame;
use super::super::fault::Fault;
use super::super::wrapping::push_frame;
use super::converse::pad;
use super::messages::Messages;
use super::speech::Voice;

/// Bedrock's `InvokeModel` for Claude.
#[derive(Default)]
pub(super) struct Invoke {
    inner: Messages,
    number: u64,
}

impl Voice for Invoke {
    fn openings(&self, answer: &Answer) -> u32 {
        self.inner.openings(answer)
    }

    fn open(&mut self, answer: &Answer, index: u32, out: &mut Vec<u8>) {
        self.wrapped(answer, out, |inner, out| inner.open(answer, index, out));
    }

    fn starts(&self, part: &Part) -> u32 {
        self.inner.starts(part)
    }

    fn start(&mut self, answer: &Answer, part: usize, index: u32, out: &mut Vec<u8>) {
        self.wrapped(answer, out, |inner, out| {
            inner.start(answer, part, index, out);
        });
    }

    fn stroke(&mut self, answer: &Answer, stroke: Stroke, out: &mut Vec<u8>) {
        self.wrapped(answer, out, |inner, out| inner.stroke(answer, stroke, out));
    }

    fn ends(&self, part: &Part) -> u32 {
        self.inner.ends(part)
    }

    fn end(&mut self, answer: &Answer, part: usize, index: u32, out: &mut Vec<u8>) {
        self.wrapped(answer, out, |inner, out| {
            inner.end(answer, part, index, out);
        });
    }

    fn closings(&self, answer: &Answer) -> u32 {
        self.inner.closings(answer)
    }

    fn close(&mut self, answer: &Answer, index: u32, out: &mut Vec<u8>) -> Carried {
        let mut carried = Carried::default();
        self.wrapped(answer, out, |inner, out| {
            carried = inner.close(answer, index, out);
        });
        carried
    }

    fn error(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        exception_frame(answer, out);
    }

    fn terminator(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        self.wrapped(answer, out, |inner, out| inner.terminator(answer, out));
    }

    fn whole(&self, answer: &Answer) -> Vec<u8> {
        self.inner.whole(answer)
    }
}

impl Invoke {
    /// Has an event spoken in Anthropic's words, and puts its data into a frame.
    fn wrapped(
        &mut self,
        answer: &Answer,
        out: &mut Vec<u8>,
        speak: impl FnOnce(&mut Messages, &mut Vec<u8>),
    ) {
        let mut event = Vec::new();
        speak(&mut self.inner, &mut event);
        // An opening may be two events: a block's start, and a ping.
        for data in event.split(|byte| *byte == b'\n') {
            let Some(data) = data.strip_prefix(b"data: ") else {
                continue;
            };
            let mut data = data.to_vec();
            if data.starts_with(br#"{"type":"message_stop""#) && !answer.has(Fault::UsageMissing) {
                data.pop();
                metrics(answer, &mut data);
            }
            let mut payload = Vec::with_capacity(data.len() * 4 / 3 + 96);
            payload.extend_from_slice(br#"{"bytes":""#);
            payload.extend_from_slice(base64::encode(&data).as_bytes());
            payload.push(b'"');
            pad(answer, self.number, &mut payload);
            payload.push(b'}');
            self.number += 1;
            push_frame("chunk", &payload, out);
        }
    }
}

/// What the service says of the call in the last event, and the brace that closes it.
fn metrics(answer: &Answer, out: &mut Vec<u8>) {
    let usage = answer.usage;
    // Writing to a vector cannot fail.
    let _ = write!(
        out,
        r#","amazon-bedrock-invocationMetrics":{{"inputTokenCount":{},"outputTokenCount":{},"invocationLatency":{},"firstByteLatency":{},"cacheReadInputTokenCount":{},"cacheWriteInputTokenCount":0}}}}"#,
        usage.input.saturating_sub(usage.cached),
        usage.output,
        answer.pace.latency_ms(),
        answer.pace.first_ms(),
        usage.cached,
    );
}
