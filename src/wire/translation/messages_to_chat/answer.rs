//! Says a whole chat answer as one of Anthropic's messages.

use serde_json::{Value, json};

use super::super::carried::Seal;
use super::super::chat_pieces::unescaped;
use super::super::chat_read::whole;
use super::super::chat_voice::{Failure, Field, Finish, Voice};
use super::super::shape::{Kept, Stamp, Unreadable};
use crate::record::{FinishReason, Usage};
use crate::wire::dialect::finish::STOP_SEQUENCE;

/// Says the answer `body`.
pub(super) fn answer(body: &[u8], kept: &Kept, stamp: &Stamp) -> Result<Vec<u8>, Unreadable> {
    let voice = Whole {
        stop: Stop::of(kept),
        ..Whole::default()
    };
    let mut said = whole(body, voice)?;
    text_last(&mut said.blocks);
    let mut blocks = Vec::with_capacity(said.blocks.len());
    let mut calls = 0;
    for block in said.blocks {
        blocks.push(match block {
            Block::Text(text) => json!({"type": "text", "text": unescaped(&text)}),
            Block::Thinking(text, mut seal) => json!({
                "type": "thinking",
                "thinking": unescaped(&text),
                "signature": seal.take(&kept.model_there),
            }),
            Block::Redacted(mut seal) => {
                json!({"type": "redacted_thinking", "data": seal.take(&kept.model_there)})
            }
            Block::Call(id, name, arguments) => {
                calls += 1;
                call(&call_id(&id, stamp, calls), &name, &unescaped(&arguments))?
            }
        });
    }
    let model = if said.model.is_empty() {
        &kept.model
    } else {
        &said.model
    };
    let finish = said.finish.unwrap_or(Finish {
        reason: FinishReason::Other,
        usage: Usage::default(),
        called: false,
    });
    let (reason, sequence) = stop_reason(&finish, said.refused, &said.stop);
    let message = json!({
        "id": format!("msg_{}", stamp.id),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": reason,
        "stop_sequence": sequence,
        "usage": usage(&finish.usage),
    });
    Ok(message.to_string().into_bytes())
}

/// Puts proofs of reasoning that come behind the last text before it, as Anthropic's own stand: many
/// clients take the last block for the answer.
fn text_last(blocks: &mut [Block]) {
    let proofs = blocks.iter().rev();
    let proofs = proofs.take_while(|block| matches!(block, Block::Redacted(_)));
    let text = blocks.len() - proofs.count();
    if let Some(at) = text.checked_sub(1)
        && let Some(end @ [Block::Text(_), ..]) = blocks.get_mut(at..)
    {
        end.rotate_left(1);
    }
}

/// A tool call; its input is an object, or the answer is no message.
fn call(id: &str, name: &str, arguments: &str) -> Result<Value, Unreadable> {
    let text = arguments.trim();
    let text = if text.is_empty() { "{}" } else { text };
    match serde_json::from_str(text) {
        Ok(input @ Value::Object(_)) => {
            Ok(json!({"type": "tool_use", "id": id, "name": name, "input": input}))
        }
        _ => Err(Unreadable {
            message: format!("the model called {name} with arguments that are no JSON object"),
        }),
    }
}

/// The id of the call of this number, counted from one, where the provider gave none.
pub(super) fn call_id(id: &str, stamp: &Stamp, number: usize) -> String {
    if id.is_empty() {
        format!("toolu_{}_{number}", stamp.id)
    } else {
        id.to_owned()
    }
}

/// Why the model stopped, in Anthropic's words, and at which stop sequence. Some providers say `stop`
/// after a tool call.
pub(super) fn stop_reason<'s>(
    finish: &Finish,
    refused: bool,
    stop: &'s Stop,
) -> (&'static str, Option<&'s str>) {
    let reason = match finish.reason {
        FinishReason::Length => "max_tokens",
        FinishReason::ContentFilter => "refusal",
        _ if finish.called => "tool_use",
        _ if refused => "refusal",
        FinishReason::Stop if stop.met => return (STOP_SEQUENCE, stop.sequence.as_deref()),
        FinishReason::Stop
        | FinishReason::ToolCalls
        | FinishReason::FunctionCall
        | FinishReason::Error
        | FinishReason::Other => "end_turn",
    };
    (reason, None)
}

/// Under what name the request's stop sequences are kept for the way back.
pub(super) const STOPS: &str = "stop_sequences";

/// Whether the answer ended at one of the request's stop sequences, and at which.
#[derive(Debug, Default)]
pub(super) struct Stop {
    asked: Vec<String>,
    met: bool,
    /// The one it was, where that is known.
    sequence: Option<String>,
}

impl Stop {
    /// None met yet, of those that the request had.
    pub(super) fn of(kept: &Kept) -> Self {
        let asked = kept.echo.get(STOPS).and_then(Value::as_array);
        let asked = asked.into_iter().flatten().filter_map(Value::as_str);
        Self {
            asked: asked.map(str::to_owned).collect(),
            ..Self::default()
        }
    }

    /// The provider says that it was this one, or one of them. What the request did not ask for is
    /// none: some providers have other words in that place.
    pub(super) fn meet(&mut self, sequence: Option<&str>) {
        let found = match (sequence, &self.asked[..]) {
            (None, [only]) => Some(only),
            (None, several) => {
                self.met |= !several.is_empty();
                None
            }
            (Some(sequence), asked) => asked.iter().find(|one| *one == sequence),
        };
        if let Some(found) = found {
            self.met = true;
            self.sequence = Some(found.clone());
        }
    }
}

/// Tokens used, in Anthropic's words: the input without what came from the cache or went there.
/// The language has no way to say that a count is unknown: then it is 0.
pub(super) fn usage(usage: &Usage) -> Value {
    let cached = usage.cached_read.unwrap_or(0);
    let written = usage.cache_write.unwrap_or(0);
    let input = usage.input.unwrap_or(0);
    let mut said = json!({
        "input_tokens": input.saturating_sub(cached).saturating_sub(written),
        "output_tokens": usage.output.unwrap_or(0),
    });
    if usage.cached_read.is_some() {
        said["cache_read_input_tokens"] = cached.into();
    }
    if usage.cache_write.is_some() {
        said["cache_creation_input_tokens"] = written.into();
    }
    if let Some(reasoning) = usage.reasoning {
        said["output_tokens_details"] = json!({"thinking_tokens": reasoning});
    }
    said
}

/// An answer as it is put together.
#[derive(Debug, Default)]
struct Whole {
    model: String,
    blocks: Vec<Block>,
    refused: bool,
    stop: Stop,
    finish: Option<Finish>,
}

/// A block; texts are insides of JSON strings.
#[derive(Debug)]
enum Block {
    Text(String),
    Thinking(String, Seal),
    Redacted(Seal),
    Call(String, String, String),
}

impl Voice for Whole {
    fn begin(&mut self, _: &mut Vec<u8>, model: &str) {
        model.clone_into(&mut self.model);
    }

    fn reasoning(&mut self, _: &mut Vec<u8>, text: &str, field: Field) {
        if let Some(Block::Thinking(all, _)) = self.blocks.last_mut() {
            all.push_str(text);
        } else {
            let mut seal = Seal::default();
            seal.field(field);
            self.blocks.push(Block::Thinking(text.to_owned(), seal));
        }
    }

    fn proof(&mut self, _: &mut Vec<u8>, detail: &str, of_text: bool) {
        if let Some(Block::Thinking(_, seal)) = self.blocks.last_mut()
            && of_text
        {
            seal.detail(detail);
            return;
        }
        let mut seal = Seal::default();
        seal.detail(detail);
        self.blocks.push(if of_text {
            Block::Thinking(String::new(), seal)
        } else {
            Block::Redacted(seal)
        });
    }

    fn text(&mut self, _: &mut Vec<u8>, text: &str) {
        if let Some(Block::Text(all)) = self.blocks.last_mut() {
            all.push_str(text);
        } else {
            self.blocks.push(Block::Text(text.to_owned()));
        }
    }

    fn refusal(&mut self, out: &mut Vec<u8>, text: &str) {
        self.refused = true;
        self.text(out, text);
    }

    fn call(&mut self, _: &mut Vec<u8>, id: &str, name: &str) {
        self.blocks
            .push(Block::Call(id.to_owned(), name.to_owned(), String::new()));
    }

    fn arguments(&mut self, _: &mut Vec<u8>, text: &str) {
        if let Some(Block::Call(.., arguments)) = self.blocks.last_mut() {
            arguments.push_str(text);
        }
    }

    fn stopped_at(&mut self, sequence: Option<&str>) {
        self.stop.meet(sequence);
    }

    fn finish(&mut self, _: &mut Vec<u8>, finish: &Finish) {
        self.finish = Some(*finish);
    }

    fn fail(&mut self, _: &mut Vec<u8>, _: &Failure<'_>) {}
}
