//! Speaks `OpenAI` responses: every event numbered, the whole object at the end.

use std::io::Write as _;

use crate::simulator::truth::Carried;

use super::super::answer::{Answer, Part, Stroke, Usage, push_escaped};
use super::super::errors::responses_error_event;
use super::super::fault::Fault;
use super::speech::Voice;

/// `OpenAI` responses.
#[derive(Default)]
pub(super) struct Responses {
    /// Number of the next event.
    sequence: u32,
}

macro_rules! put {
    ($out:expr, $($arg:tt)*) => { let _ = write!($out, $($arg)*); };
}

impl Voice for Responses {
    fn openings(&self, _: &Answer) -> u32 {
        2
    }

    fn open(&mut self, answer: &Answer, index: u32, out: &mut Vec<u8>) {
        let name = ["response.created", "response.in_progress"][index as usize % 2];
        self.event(out, name, |out| {
            out.extend_from_slice(br#","response":"#);
            response(answer, State::InProgress, out);
        });
    }

    fn starts(&self, part: &Part) -> u32 {
        // The item of a call names the tool: it is a stroke.
        if part.is_call() { 0 } else { 2 }
    }

    fn start(&mut self, answer: &Answer, part: usize, index: u32, out: &mut Vec<u8>) {
        let reasoning = answer.parts.get(part).is_some_and(Part::is_reasoning);
        if index == 0 {
            self.event(out, "response.output_item.added", |out| {
                put!(out, r#","output_index":{part},"item":"#);
                item(answer, part, false, out);
            });
            return;
        }
        let id = item_id(answer, part);
        let name = if reasoning {
            "response.reasoning_summary_part.added"
        } else {
            "response.content_part.added"
        };
        self.event(out, name, |out| {
            put!(
                out,
                r#","item_id":"{id}","output_index":{part},"{}":0,"part":"#,
                place(reasoning)
            );
            content(answer, part, false, out);
        });
    }

    fn stroke(&mut self, answer: &Answer, stroke: Stroke, out: &mut Vec<u8>) {
        let part = stroke.part;
        let id = item_id(answer, part);
        let (name, extra) = match answer.parts.get(part) {
            Some(Part::Call { .. }) if stroke.from == 0 => {
                self.event(out, "response.output_item.added", |out| {
                    put!(out, r#","output_index":{part},"item":"#);
                    item(answer, part, false, out);
                });
                return;
            }
            Some(Part::Call { .. }) => ("response.function_call_arguments.delta", ""),
            Some(part) if part.is_reasoning() => (
                "response.reasoning_summary_text.delta",
                r#","summary_index":0"#,
            ),
            _ => (
                "response.output_text.delta",
                r#","content_index":0,"logprobs":[]"#,
            ),
        };
        self.event(out, name, |out| {
            put!(
                out,
                r#","item_id":"{id}","output_index":{part}{extra},"delta":""#
            );
            answer.push_text(stroke, out);
            out.push(b'"');
        });
    }

    fn ends(&self, part: &Part) -> u32 {
        if part.is_call() { 2 } else { 3 }
    }

    fn end(&mut self, answer: &Answer, part: usize, index: u32, out: &mut Vec<u8>) {
        let last = answer.parts.get(part).map_or(0, |part| self.ends(part) - 1);
        if index == last {
            self.event(out, "response.output_item.done", |out| {
                put!(out, r#","output_index":{part},"item":"#);
                item(answer, part, true, out);
            });
        } else if index == 0 {
            self.text_done(answer, part, out);
        } else {
            self.part_done(answer, part, out);
        }
    }

    fn closings(&self, _: &Answer) -> u32 {
        1
    }

    fn close(&mut self, answer: &Answer, _: u32, out: &mut Vec<u8>) -> Carried {
        if answer.lacks_done() || answer.has(Fault::MissingFinish) {
            return Carried::default();
        }
        self.terminator(answer, out);
        Carried::FINISH.and(Carried::USAGE).and(Carried::DONE)
    }

    fn error(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        if State::ended(answer) == State::Failed {
            return;
        }
        let sequence = self.sequence;
        self.sequence += 1;
        responses_error_event(answer, sequence, out);
    }

    fn terminator(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        let state = State::ended(answer);
        let name = match state {
            State::Incomplete => "response.incomplete",
            State::Failed => "response.failed",
            State::InProgress | State::Completed => "response.completed",
        };
        self.event(out, name, |out| {
            out.extend_from_slice(br#","response":"#);
            response(answer, state, out);
        });
    }

    fn whole(&self, answer: &Answer) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        response(answer, State::ended(answer), &mut out);
        out
    }
}

impl Responses {
    fn event(&mut self, out: &mut Vec<u8>, name: &str, rest: impl FnOnce(&mut Vec<u8>)) {
        let sequence = self.sequence;
        self.sequence += 1;
        put!(
            out,
            "event: {name}\ndata: {{\"type\":\"{name}\",\"sequence_number\":{sequence}"
        );
        rest(out);
        out.extend_from_slice(b"}\n\n");
    }

    fn text_done(&mut self, answer: &Answer, part: usize, out: &mut Vec<u8>) {
        let id = item_id(answer, part);
        let (name, fields, text) = match answer.parts.get(part) {
            Some(Part::Call { .. }) => ("response.function_call_arguments.done", "", "arguments"),
            Some(part) if part.is_reasoning() => (
                "response.reasoning_summary_text.done",
                r#","summary_index":0"#,
                "text",
            ),
            _ => (
                "response.output_text.done",
                r#","content_index":0,"logprobs":[]"#,
                "text",
            ),
        };
        self.event(out, name, |out| {
            put!(out, r#","item_id":"{id}","output_index":{part}{fields}"#);
            if let Some(Part::Call { name, .. }) = answer.parts.get(part) {
                out.extend_from_slice(br#","name":""#);
                push_escaped(out, name);
                out.push(b'"');
            }
            put!(out, r#","{text}":""#);
            answer.push_part(part, 0, out);
            out.push(b'"');
        });
    }

    fn part_done(&mut self, answer: &Answer, part: usize, out: &mut Vec<u8>) {
        let reasoning = answer.parts.get(part).is_some_and(Part::is_reasoning);
        let id = item_id(answer, part);
        let name = if reasoning {
            "response.reasoning_summary_part.done"
        } else {
            "response.content_part.done"
        };
        self.event(out, name, |out| {
            put!(
                out,
                r#","item_id":"{id}","output_index":{part},"{}":0,"part":"#,
                place(reasoning)
            );
            content(answer, part, true, out);
        });
    }
}

const fn place(reasoning: bool) -> &'static str {
    if reasoning {
        "summary_index"
    } else {
        "content_index"
    }
}

fn item_id(answer: &Answer, part: usize) -> String {
    let prefix = match answer.parts.get(part) {
        Some(Part::Call { .. }) => "fc",
        Some(part) if part.is_reasoning() => "rs",
        _ => "msg",
    };
    format!("{prefix}_sim-{}-{part}", answer.tail)
}

/// The one content part of an item.
fn content(answer: &Answer, part: usize, full: bool, out: &mut Vec<u8>) {
    let reasoning = answer.parts.get(part).is_some_and(Part::is_reasoning);
    let kind = if reasoning {
        "summary_text"
    } else {
        "output_text"
    };
    put!(out, r#"{{"type":"{kind}","text":""#);
    if full {
        answer.push_part(part, 0, out);
    }
    out.push(b'"');
    if !reasoning {
        out.extend_from_slice(br#","annotations":[],"logprobs":[]"#);
    }
    out.push(b'}');
}

fn item(answer: &Answer, part: usize, full: bool, out: &mut Vec<u8>) {
    let id = item_id(answer, part);
    let status = if full { "completed" } else { "in_progress" };
    match answer.parts.get(part) {
        Some(Part::Call { id: call, name, .. }) => {
            put!(
                out,
                r#"{{"id":"{id}","type":"function_call","status":"{status}","call_id":"{call}","name":""#
            );
            push_escaped(out, name);
            out.extend_from_slice(br#"","arguments":""#);
            if full {
                answer.push_part(part, 0, out);
            }
            out.extend_from_slice(b"\"}");
        }
        Some(inner) if inner.is_reasoning() => {
            put!(out, r#"{{"id":"{id}","type":"reasoning","summary":["#);
            if full {
                content(answer, part, true, out);
            }
            out.extend_from_slice(b"]}");
        }
        _ => {
            put!(
                out,
                r#"{{"id":"{id}","type":"message","status":"{status}","role":"assistant","content":["#
            );
            if full {
                content(answer, part, true, out);
            }
            out.extend_from_slice(b"]}");
        }
    }
}

/// Where a response stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    InProgress,
    Completed,
    Incomplete,
    Failed,
}

impl State {
    fn ended(answer: &Answer) -> Self {
        // An error that has a terminator is told by the terminator.
        if answer.has(Fault::ErrorMidDone) || answer.has(Fault::ErrorFirstDone) {
            return Self::Failed;
        }
        match answer.finish() {
            "length" | "content_filter" => Self::Incomplete,
            _ => Self::Completed,
        }
    }
}

fn response(answer: &Answer, state: State, out: &mut Vec<u8>) {
    let status = match state {
        State::InProgress => "in_progress",
        State::Completed => "completed",
        State::Incomplete => "incomplete",
        State::Failed => "failed",
    };
    let error = if state == State::Failed {
        r#"{"code":"server_error","message":"The model failed to generate a response."}"#
    } else {
        "null"
    };
    let (tail, created) = (&answer.tail, answer.created);
    put!(
        out,
        r#"{{"id":"resp_sim-{tail}","object":"response","created_at":{created},"status":"{status}","background":false,"error":{error},"incomplete_details":"#
    );
    match (state, answer.finish()) {
        (State::Incomplete, "length") => {
            out.extend_from_slice(br#"{"reason":"max_output_tokens"}"#);
        }
        (State::Incomplete, reason) => {
            put!(out, r#"{{"reason":"{reason}"}}"#);
        }
        _ => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(br#","instructions":null,"max_output_tokens":null,"model":""#);
    push_escaped(out, &answer.model);
    out.extend_from_slice(br#"","output":["#);
    if !matches!(state, State::InProgress | State::Failed) {
        for part in 0..answer.parts.len() {
            if part > 0 {
                out.push(b',');
            }
            item(answer, part, true, out);
        }
    }
    out.extend_from_slice(br#"],"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"service_tier":"default","store":false,"temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled","usage":"#);
    let usage_told = !matches!(state, State::InProgress | State::Failed);
    if !usage_told || answer.has(Fault::UsageMissing) {
        out.extend_from_slice(b"null");
    } else {
        usage(answer, out);
    }
    out.extend_from_slice(br#","user":null,"metadata":{}}"#);
}

fn usage(answer: &Answer, out: &mut Vec<u8>) {
    let Usage {
        input,
        cached,
        output,
        reasoning,
    } = answer.usage;
    let total = input + output;
    if answer.has(Fault::UsageNullDetails) {
        put!(
            out,
            r#"{{"input_tokens":{input},"input_tokens_details":null,"output_tokens":{output},"output_tokens_details":null,"total_tokens":{total}}}"#
        );
        return;
    }
    put!(
        out,
        r#"{{"input_tokens":{input},"input_tokens_details":{{"cached_tokens":{cached},"cache_write_tokens":0}},"output_tokens":{output},"output_tokens_details":{{"reasoning_tokens":{reasoning}}},"total_tokens":{total}}}"#
    );
}
