//! Speaks `OpenAI` chat completions, and what everyone who copies them does differently.

use std::io::Write as _;

use crate::config::settings::UsagePlace;
use crate::simulator::truth::Carried;

use super::super::answer::{Answer, Filter, Part, Stroke, Usage, push_escaped};
use super::super::errors::error_event;
use super::super::fault::Fault;
use super::super::quirks::ReasoningField;
use super::speech::Voice;

/// `OpenAI` chat completions.
pub(super) struct Chat;

// Writing to a vector cannot fail, so the results of `write!` are dropped throughout.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => { let _ = write!($out, $($arg)*); };
}

impl Voice for Chat {
    fn openings(&self, answer: &Answer) -> u32 {
        answer.choices + u32::from(answer.filter != Filter::None)
    }

    fn open(&mut self, answer: &Answer, index: u32, out: &mut Vec<u8>) {
        let choice = match (answer.filter, index) {
            (Filter::None, choice) => choice,
            (_, 0) => {
                out.extend_from_slice(PROMPT_VERDICT);
                return;
            }
            (_, next) => next - 1,
        };
        let calls = answer.parts.first().is_some_and(Part::is_call);
        let content = if calls { "null" } else { "\"\"" };
        chunk(answer, 0, out, |out| {
            put!(
                out,
                r#"{{"index":{choice},"delta":{{"role":"assistant","content":{content},"refusal":null}},"logprobs":null,"finish_reason":null}}"#
            );
        });
    }

    fn stroke(&mut self, answer: &Answer, stroke: Stroke, out: &mut Vec<u8>) {
        let before = answer.parts[..stroke.part].iter().map(Part::tokens);
        let each = before.sum::<u32>() + stroke.from;
        let so_far = u64::from(each) * u64::from(answer.choices) + u64::from(stroke.count);
        chunk(answer, so_far, out, |out| {
            put!(out, r#"{{"index":{},"delta":"#, stroke.choice);
            delta(answer, stroke, out);
            out.extend_from_slice(br#","logprobs":null,"finish_reason":null"#);
            out.extend_from_slice(verdict(answer));
        });
        let place = stroke.from + stroke.count;
        if answer.filter == Filter::Late && place.is_multiple_of(LATE_EVERY) {
            late_verdict(stroke.choice, place, out);
        }
    }

    fn closings(&self, answer: &Answer) -> u32 {
        // A finish for each choice, the usage event, the terminator.
        answer.choices + 2
    }

    fn close(&mut self, answer: &Answer, index: u32, out: &mut Vec<u8>) -> Carried {
        if index < answer.choices {
            return finish(answer, index, out);
        }
        if index == answer.choices {
            return usage_event(answer, out);
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
        head(answer, "chat.completion", &mut out);
        out.extend_from_slice(br#""choices":["#);
        for choice in 0..answer.choices {
            if choice > 0 {
                out.push(b',');
            }
            put!(out, r#"{{"index":{choice},"message":"#);
            message(answer, choice, &mut out);
            let finish = answer.finish();
            put!(out, r#","logprobs":null,"finish_reason":"{finish}""#);
            out.extend_from_slice(verdict(answer));
        }
        out.push(b']');
        if !answer.has(Fault::UsageMissing) {
            out.extend_from_slice(br#","usage":"#);
            usage(answer, answer.usage, &mut out);
        }
        out.extend_from_slice(br#","service_tier":"default","system_fingerprint":"fp_simulator"}"#);
        out
    }
}

/// What Azure says of the prompt before anything else.
const PROMPT_VERDICT: &[u8] = b"data: {\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\
\"object\":\"\",\"prompt_filter_results\":[{\"prompt_index\":0,\"content_filter_results\":{\
\"hate\":{\"filtered\":false,\"severity\":\"safe\"},\
\"jailbreak\":{\"filtered\":false,\"detected\":false}}}]}\n\n";

/// Tokens between two late verdicts.
const LATE_EVERY: u32 = 4;

/// What Azure says of a choice, and the brace that closes it.
fn verdict(answer: &Answer) -> &'static [u8] {
    match (answer.filter, answer.finish()) {
        (Filter::None, _) => b"}",
        (_, "content_filter") => {
            br#","content_filter_results":{"violence":{"filtered":true,"severity":"medium"}}}"#
        }
        _ => br#","content_filter_results":{}}"#,
    }
}

/// What Azure says of text that is out already: a choice without a delta.
fn late_verdict(choice: u32, place: u32, out: &mut Vec<u8>) {
    put!(
        out,
        "data: {{\"id\":\"\",\"object\":\"\",\"created\":0,\"model\":\"\",\"choices\":[{{\
         \"index\":{choice},\"finish_reason\":null,\"content_filter_results\":{{\"hate\":{{\
         \"filtered\":false,\"severity\":\"safe\"}}}},\"content_filter_offsets\":{{\
         \"check_offset\":{place},\"start_offset\":0,\"end_offset\":{place}}}}}]}}\n\n"
    );
}

/// `{"id":…,"object":…,"created":…,"model":…,`
fn head(answer: &Answer, object: &str, out: &mut Vec<u8>) {
    let (tail, created) = (&answer.tail, answer.created);
    put!(
        out,
        r#"{{"id":"chatcmpl-sim-{tail}","object":"{object}","created":{created},"model":""#
    );
    push_escaped(out, &answer.model);
    out.extend_from_slice(b"\",");
}

/// One chunk with what `choices` puts into its choices, when `so_far` tokens are out.
fn chunk(answer: &Answer, so_far: u64, out: &mut Vec<u8>, choices: impl FnOnce(&mut Vec<u8>)) {
    chunk_with(answer, out, choices, |out| {
        let every = answer.has(Fault::UsageEveryEvent);
        if every {
            let output = so_far.min(answer.usage.output);
            out.extend_from_slice(br#","usage":"#);
            usage(
                answer,
                Usage {
                    output,
                    ..answer.usage
                },
                out,
            );
        } else if answer.include_usage {
            out.extend_from_slice(br#","usage":null"#);
        }
    });
}

fn chunk_with(
    answer: &Answer,
    out: &mut Vec<u8>,
    choices: impl FnOnce(&mut Vec<u8>),
    rest: impl FnOnce(&mut Vec<u8>),
) {
    out.extend_from_slice(b"data: ");
    head(answer, "chat.completion.chunk", out);
    out.extend_from_slice(
        br#""service_tier":"default","system_fingerprint":"fp_simulator","choices":["#,
    );
    choices(out);
    out.push(b']');
    rest(out);
    if answer.quirks.reasoning == ReasoningField::ReasoningDetails {
        out.extend_from_slice(br#","provider":"Simulator""#);
    }
    out.extend_from_slice(b"}\n\n");
}

fn delta(answer: &Answer, stroke: Stroke, out: &mut Vec<u8>) {
    match answer.parts.get(stroke.part) {
        Some(Part::Call { id, name, .. }) => {
            let calls_before = answer.parts[..stroke.part].iter().filter(|p| p.is_call());
            let index = calls_before.count();
            if stroke.from == 0 {
                put!(
                    out,
                    r#"{{"tool_calls":[{{"index":{index},"id":"{id}","type":"function","function":{{"name":""#
                );
                push_escaped(out, name);
                out.extend_from_slice(br#"","arguments":""}}]}"#);
            } else {
                put!(
                    out,
                    r#"{{"tool_calls":[{{"index":{index},"function":{{"arguments":""#
                );
                answer.push_text(stroke, out);
                out.extend_from_slice(br#""}}]}"#);
            }
        }
        Some(part) if part.is_reasoning() => reasoning_delta(answer, stroke, out),
        _ => {
            out.extend_from_slice(br#"{"content":""#);
            answer.push_text(stroke, out);
            out.extend_from_slice(br#""}"#);
        }
    }
}

fn reasoning_delta(answer: &Answer, stroke: Stroke, out: &mut Vec<u8>) {
    let field = answer.quirks.reasoning;
    let name = match field {
        ReasoningField::ReasoningContent => "reasoning_content",
        ReasoningField::Reasoning | ReasoningField::ReasoningDetails => "reasoning",
    };
    put!(out, r#"{{"{name}":""#);
    answer.push_text(stroke, out);
    out.push(b'"');
    if field == ReasoningField::ReasoningDetails {
        out.extend_from_slice(br#","reasoning_details":[{"type":"reasoning.text","text":""#);
        answer.push_text(stroke, out);
        out.extend_from_slice(br#"","format":"unknown","index":0}]"#);
    }
    out.push(b'}');
}

fn finish(answer: &Answer, choice: u32, out: &mut Vec<u8>) -> Carried {
    if answer.has(Fault::MissingFinish) {
        return Carried::default();
    }
    let last = choice + 1 == answer.choices;
    let place = answer.quirks.usage_place;
    let wanted = !answer.has(Fault::UsageMissing);
    let on_finish = wanted
        && last
        && (matches!(place, UsagePlace::FinishChunk) || answer.has(Fault::UsageTwice));
    let groq = wanted && last && matches!(place, UsagePlace::GroqAndOwnChunk);
    chunk_with(
        answer,
        out,
        |out| {
            let finish = answer.finish();
            put!(
                out,
                r#"{{"index":{choice},"delta":{{}},"logprobs":null,"finish_reason":"{finish}""#
            );
            out.extend_from_slice(verdict(answer));
        },
        |out| {
            if on_finish {
                out.extend_from_slice(br#","usage":"#);
                usage(answer, answer.usage, out);
            } else if answer.include_usage {
                out.extend_from_slice(br#","usage":null"#);
            }
            if groq {
                put!(
                    out,
                    r#","x_groq":{{"id":"req_sim-{}","usage":"#,
                    answer.tail
                );
                usage(answer, answer.usage, out);
                out.push(b'}');
            }
        },
    );
    if on_finish || groq {
        Carried::FINISH.and(Carried::USAGE)
    } else {
        Carried::FINISH
    }
}

fn usage_event(answer: &Answer, out: &mut Vec<u8>) -> Carried {
    let own = match answer.quirks.usage_place {
        UsagePlace::OwnChunk => true,
        UsagePlace::FinishChunk => false,
        UsagePlace::OwnChunkOnRequest
        | UsagePlace::GroqAndOwnChunk
        | UsagePlace::AnthropicEvents => answer.include_usage,
    };
    if !(own || answer.has(Fault::UsageTwice)) || answer.has(Fault::UsageMissing) {
        return Carried::default();
    }
    chunk_with(
        answer,
        out,
        |_| {},
        |out| {
            out.extend_from_slice(br#","usage":"#);
            usage(answer, answer.usage, out);
        },
    );
    Carried::USAGE
}

/// The usage object of chat completions and of the older completions.
pub(super) fn usage(answer: &Answer, usage: Usage, out: &mut Vec<u8>) {
    let Usage {
        input,
        cached,
        output,
        reasoning,
    } = usage;
    let total = input + output;
    put!(
        out,
        r#"{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total},"#
    );
    if answer.has(Fault::UsageNullDetails) {
        out.extend_from_slice(br#""prompt_tokens_details":null,"completion_tokens_details":null}"#);
        return;
    }
    put!(
        out,
        r#""prompt_tokens_details":{{"cached_tokens":{cached},"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":{reasoning},"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}"#
    );
}

fn message(answer: &Answer, choice: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"role":"assistant","content":"#);
    let texts = |part: &&Part| !part.is_reasoning() && !part.is_call();
    if answer.parts.iter().any(Part::is_call) && !answer.parts.iter().any(|p| texts(&p)) {
        out.extend_from_slice(b"null");
    } else {
        out.push(b'"');
        push_parts(answer, choice, out, |part| texts(&part));
        out.push(b'"');
    }
    out.extend_from_slice(br#","refusal":null,"annotations":[]"#);
    if answer.parts.iter().any(Part::is_reasoning) {
        let name = match answer.quirks.reasoning {
            ReasoningField::ReasoningContent => "reasoning_content",
            ReasoningField::Reasoning | ReasoningField::ReasoningDetails => "reasoning",
        };
        put!(out, r#","{name}":""#);
        push_parts(answer, choice, out, Part::is_reasoning);
        out.push(b'"');
    }
    push_calls(answer, choice, out);
    out.push(b'}');
}

fn push_parts(answer: &Answer, choice: u32, out: &mut Vec<u8>, wanted: impl Fn(&Part) -> bool) {
    for (index, part) in answer.parts.iter().enumerate() {
        if wanted(part) {
            answer.push_part(index, choice, out);
        }
    }
}

fn push_calls(answer: &Answer, choice: u32, out: &mut Vec<u8>) {
    let mut first = true;
    for (index, part) in answer.parts.iter().enumerate() {
        let Part::Call { id, name, .. } = part else {
            continue;
        };
        out.extend_from_slice(if first { br#","tool_calls":["# } else { b"," });
        first = false;
        put!(
            out,
            r#"{{"id":"{id}","type":"function","function":{{"name":""#
        );
        push_escaped(out, name);
        out.extend_from_slice(br#"","arguments":""#);
        answer.push_part(index, choice, out);
        out.extend_from_slice(br#""}}"#);
    }
    if !first {
        out.push(b']');
    }
}
