//! Reads the messages of a request into turns, and finds the call of each tool result.

use serde_json::Value;
use serde_json::value::RawValue;

use super::super::fields::{Fields, Left, missing, refusal};
use super::super::reasoning::{Detail, Proof, Signed};
use super::super::shape::{Refusal, Terms};
use super::content::{Marked, Part, parts, texts};

/// The messages of a request.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// What stands before all turns, one text per message or part.
    pub(crate) system: Vec<Marked<String>>,
    /// The turns, in their order.
    pub(crate) turns: Vec<Turn>,
}

/// What one side said, or what came of the other's calls.
#[derive(Debug)]
pub(crate) enum Turn {
    /// A user's message; never empty.
    User(Vec<Marked<Part>>),
    /// The model's; never empty.
    Assistant(Spoken),
    /// What came of its calls, in the order of the calls.
    Results(Vec<ToolResult>),
}

/// What a model said.
#[derive(Debug)]
pub(crate) struct Spoken {
    /// Where it stands in the request.
    pub(crate) at: String,
    /// Its texts.
    pub(crate) texts: Vec<Marked<String>>,
    /// What it thought, as far as the client was told.
    pub(crate) reasoning: Option<String>,
    /// The proofs of what it thought, each with its place in the request.
    pub(crate) details: Vec<(String, Detail)>,
    /// The tools that it calls.
    pub(crate) calls: Vec<Call>,
}

/// What was thought, with its proof.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Thought {
    /// A text and its signature.
    Signed {
        /// What was thought.
        text: String,
        /// The proof of it.
        signature: String,
    },
    /// A text that nobody may read.
    Redacted(String),
}

impl Spoken {
    /// What was thought, as far as its proof is in the `format` of the provider that it goes to.
    /// Everything else of it is left out, and said: providers take none that they have not signed.
    pub(crate) fn thoughts(&self, format: &str, left: &mut Left) -> Vec<Thought> {
        let mut signed = Signed::new(self.reasoning.as_deref().unwrap_or_default());
        let mut thoughts = Vec::new();
        for (at, detail) in &self.details {
            if detail.format != format {
                left.hint(at.as_str());
                continue;
            }
            thoughts.push(match &detail.proof {
                Proof::Signature {
                    text,
                    characters,
                    signature,
                } => {
                    let of_content = signed.next(*characters);
                    Thought::Signed {
                        text: text.clone().unwrap_or_else(|| of_content.to_owned()),
                        signature: signature.clone(),
                    }
                }
                Proof::Encrypted(data) => Thought::Redacted(data.clone()),
            });
        }
        if self.reasoning.is_some() && thoughts.is_empty() {
            left.hint(format!("{}.reasoning_content", self.at));
        }
        thoughts
    }
}

/// A call of a tool.
#[derive(Debug)]
pub(crate) struct Call {
    /// Its id.
    pub(crate) id: String,
    /// The tool's name.
    pub(crate) name: String,
    /// A JSON object, as the model wrote it.
    pub(crate) arguments: Box<RawValue>,
    /// The proof by which Google's own chat endpoint goes along with a call.
    pub(crate) signature: Option<String>,
}

/// What came of a call.
#[derive(Debug)]
pub(crate) struct ToolResult {
    /// The id of the call.
    pub(crate) id: String,
    /// The name of the tool that was called.
    pub(crate) name: String,
    /// The result: texts, and what tools give beside them.
    pub(crate) parts: Vec<Marked<Part>>,
    /// Which call of all it answers: results stand in the order of their calls.
    place: usize,
}

impl ToolResult {
    /// Its text, for languages that have no other results.
    pub(crate) fn text(&self) -> Result<String, Refusal> {
        let texts = texts(self.parts.clone())?;
        Ok(texts.into_iter().map(|text| text.said).collect())
    }
}

impl Conversation {
    /// Takes the messages of `body`. `marks`: whether Anthropic's marks of where a prompt may be
    /// cached have a place in the provider's language.
    pub(crate) fn take(
        body: &mut Fields,
        terms: &Terms,
        marks: bool,
        left: &mut Left,
    ) -> Result<Self, Refusal> {
        let list = body.list("messages")?;
        let list = list.ok_or_else(|| missing("messages"))?;
        let mut reader = Reader {
            terms,
            marks,
            left,
            read: Self::default(),
            calls: Vec::new(),
            empty: None,
        };
        for (index, value) in list.into_iter().enumerate() {
            reader.message(&format!("messages[{index}]"), value)?;
        }
        if let Some(at) = reader.empty {
            // Without it the model would go on with its own answer, which nobody asked for.
            let why = "is empty, and the provider takes no empty messages";
            return Err(refusal(&format!("{at}.content"), why));
        }
        let mut read = reader.read;
        if read.turns.is_empty() {
            let why = "has nothing to answer: the provider needs a message of the user's";
            return Err(refusal("messages", why));
        }
        for turn in &mut read.turns {
            if let Turn::Results(results) = turn {
                results.sort_by_key(|result| result.place);
            }
        }
        Ok(read)
    }
}

struct Reader<'a> {
    terms: &'a Terms,
    marks: bool,
    left: &'a mut Left,
    read: Conversation,
    /// Id and name of every call so far.
    calls: Vec<(String, String)>,
    /// The message before is the user's, and empty.
    empty: Option<String>,
}

impl Reader<'_> {
    fn message(&mut self, at: &str, value: Value) -> Result<(), Refusal> {
        let mut message = Fields::of(at, value)?;
        let role = message.needed_text("role")?;
        self.empty = None;
        if role != "tool" {
            // Who of several speaks is of no effect on what is said.
            message.hints(&["name"], self.left);
        }
        match role.as_str() {
            "system" | "developer" => self.system(at, &mut message)?,
            "user" => self.user(at, &mut message)?,
            "assistant" => self.assistant(at, &mut message)?,
            "tool" => self.result(&mut message)?,
            "function" => {
                let why = "is `function`, the former name of `tool`: send that, with \
                           `tool_call_id`";
                return Err(refusal(&message.at("role"), why));
            }
            _ => {
                let why = format!("is `{role}`, a role that OpenAI chat does not have");
                return Err(refusal(&message.at("role"), &why));
            }
        }
        message.finish(self.left)
    }

    fn system(&mut self, at: &str, message: &mut Fields) -> Result<(), Refusal> {
        let content = needed(message, "content")?;
        let texts = texts(self.parts(message, content)?)?;
        if !self.read.turns.is_empty() && !self.terms.merge_system {
            let why = "instructs the model in the middle of the conversation, which the \
                       provider's language cannot say; put it first, or set `merge_system = \
                       true` on the provider to have it joined to the first ones";
            return Err(refusal(at, why));
        }
        self.read.system.extend(texts);
        Ok(())
    }

    fn user(&mut self, at: &str, message: &mut Fields) -> Result<(), Refusal> {
        let content = needed(message, "content")?;
        let parts = self.parts(message, content)?;
        if parts.is_empty() {
            // No provider but OpenAI takes what says nothing.
            self.left.hint(at);
            self.empty = Some(at.to_owned());
            return Ok(());
        }
        self.read.turns.push(Turn::User(parts));
        Ok(())
    }

    /// The parts of a message's content.
    fn parts(&mut self, message: &Fields, content: Value) -> Result<Vec<Marked<Part>>, Refusal> {
        parts(&message.at("content"), content, self.marks, self.left)
    }

    fn assistant(&mut self, at: &str, message: &mut Fields) -> Result<(), Refusal> {
        let mut said = match message.take("content") {
            None => Vec::new(),
            Some(content) => texts(self.parts(message, content)?)?,
        };
        let refusal = message.text("refusal")?.filter(|text| !text.is_empty());
        said.extend(refusal.map(|said| Marked { said, mark: None }));
        // What answers have beside what was said, and clients send back with them.
        message.skip_if("annotations", |value| {
            value.as_array().is_some_and(Vec::is_empty)
        });
        message.hints(&["annotations"], self.left);
        let reasoning = message.text("reasoning_content")?;
        let same = message.text("reasoning")?;
        let spoken = Spoken {
            at: at.to_owned(),
            texts: said,
            reasoning: reasoning.or(same).filter(|text| !text.is_empty()),
            details: self.details(message)?,
            calls: self.calls(message)?,
        };
        if spoken.texts.is_empty() && spoken.calls.is_empty() {
            // Of an answer that was cut off before its first word nothing is left to say.
            self.left.hint(at);
            return Ok(());
        }
        self.read.turns.push(Turn::Assistant(spoken));
        Ok(())
    }

    fn details(&mut self, message: &mut Fields) -> Result<Vec<(String, Detail)>, Refusal> {
        let list = message.list("reasoning_details")?.unwrap_or_default();
        let at = message.at("reasoning_details");
        let mut details = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            let at = format!("{at}[{index}]");
            match Detail::read(value) {
                Some(detail) => details.push((at, detail)),
                None => self.left.hint(at),
            }
        }
        // A client may have gathered them in any order.
        details.sort_by_key(|(_, detail)| detail.index);
        Ok(details)
    }

    fn calls(&mut self, message: &mut Fields) -> Result<Vec<Call>, Refusal> {
        let list = message.list("tool_calls")?.unwrap_or_default();
        let at = message.at("tool_calls");
        let mut calls = Vec::with_capacity(list.len());
        for (index, value) in list.into_iter().enumerate() {
            let call = self.call(&format!("{at}[{index}]"), value)?;
            self.calls.push((call.id.clone(), call.name.clone()));
            calls.push(call);
        }
        Ok(calls)
    }

    fn call(&mut self, at: &str, value: Value) -> Result<Call, Refusal> {
        let mut call = Fields::of(at, value)?;
        // Clients send back what they gathered from a stream; the place is that in the list.
        call.skip_if("index", Value::is_u64);
        let kind = call.text("type")?;
        if kind.is_some_and(|kind| kind != "function") {
            let why = "is no `function`: the provider knows no other tools";
            return Err(refusal(&call.at("type"), why));
        }
        let id = call.text("id")?.filter(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| format!("call_{}", self.calls.len() + 1));
        let found = call.object("function")?;
        let mut function = found.ok_or_else(|| missing(&call.at("function")))?;
        let name = function.needed_text("name")?;
        let arguments = function.take("arguments");
        let arguments = object(&function.at("arguments"), arguments)?;
        function.finish(self.left)?;
        let signature = google_signature(&mut call, self.left)?;
        call.finish(self.left)?;
        Ok(Call {
            id,
            name,
            arguments,
            signature,
        })
    }

    fn result(&mut self, message: &mut Fields) -> Result<(), Refusal> {
        let id = message.needed_text("tool_call_id")?;
        let parts = match message.take("content") {
            None => Vec::new(),
            Some(content) => self.parts(message, content)?,
        };
        let place = self.calls.iter().rposition(|(called, _)| *called == id);
        let Some((place, (_, name))) = place.and_then(|at| Some((at, self.calls.get(at)?))) else {
            let why = "is the id of no call before it: send the assistant's message with the \
                       call too";
            return Err(refusal(&message.at("tool_call_id"), why));
        };
        message.skip_if("name", |said| said == name.as_str());
        message.hints(&["name"], self.left);
        let result = ToolResult {
            id,
            name: name.clone(),
            parts,
            place,
        };
        // Results come before what the user says beside them.
        let turns = &mut self.read.turns;
        let spoken = turns
            .iter()
            .rposition(|turn| matches!(turn, Turn::Assistant(_)));
        let behind = spoken.map_or(turns.len(), |spoken| spoken + 1);
        if let Some(Turn::Results(results)) = turns.get_mut(behind) {
            results.push(result);
        } else {
            turns.insert(behind, Turn::Results(vec![result]));
        }
        Ok(())
    }
}

fn needed(message: &mut Fields, key: &str) -> Result<Value, Refusal> {
    let found = message.take(key);
    found.ok_or_else(|| missing(&message.at(key)))
}

/// The arguments of a call: a JSON object, in a string. Models that call a tool without arguments
/// write nothing at all, and some clients send the object itself.
fn object(at: &str, arguments: Option<Value>) -> Result<Box<RawValue>, Refusal> {
    let text = match arguments {
        None => "{}".to_owned(),
        Some(Value::String(text)) if text.trim().is_empty() => "{}".to_owned(),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    };
    let read = RawValue::from_string(text).map_err(|error| {
        let why = format!("is not JSON ({error}), and the provider takes arguments as an object");
        refusal(at, &why)
    })?;
    if !read.get().starts_with('{') {
        return Err(refusal(
            at,
            "is no JSON object, and the provider takes nothing else",
        ));
    }
    Ok(read)
}

/// Takes the proof that Google's own chat endpoint puts beside a call.
fn google_signature(call: &mut Fields, left: &mut Left) -> Result<Option<String>, Refusal> {
    let Some(mut extra) = call.object("extra_content")? else {
        return Ok(None);
    };
    let Some(mut google) = extra.object("google")? else {
        extra.finish(left)?;
        return Ok(None);
    };
    let signature = google.text("thought_signature")?;
    google.finish(left)?;
    extra.finish(left)?;
    Ok(signature.filter(|text| !text.is_empty()))
}
