//! Decides what an answer consists of, before anything of it is written.

use crate::record::{Language, Nanos};

use super::asked::{Asked, Format, Medium};
use super::behaviour::Behaviour;
use super::endpoints::{Address, Cloud};
use super::fault::Fault;
use super::key::Known;
use super::lexicon::push_word;
use super::manner::Manner;
use super::quirks::Quirks;
use super::tools::{pieces, sample};

/// A run of generated pieces of one kind.
#[derive(Debug)]
pub(super) enum Part {
    /// Words out of the lexicon, `from` on.
    Words {
        /// Whether they are reasoning.
        reasoning: bool,
        /// First word.
        from: u32,
        /// Number of words.
        count: u32,
    },
    /// Given text.
    Pieces(Vec<String>),
    /// A tool call: its header is a piece too.
    Call {
        /// Its id.
        id: String,
        /// The tool's name.
        name: String,
        /// Its arguments.
        pieces: Vec<String>,
    },
}

impl Part {
    /// Generated pieces, each of which counts as a token.
    pub(super) fn tokens(&self) -> u32 {
        match self {
            Self::Words { count, .. } => *count,
            Self::Pieces(pieces) => pieces.len() as u32,
            Self::Call { pieces, .. } => pieces.len() as u32 + 1,
        }
    }

    /// Whether it is reasoning.
    pub(super) const fn is_reasoning(&self) -> bool {
        matches!(
            self,
            Self::Words {
                reasoning: true,
                ..
            }
        )
    }

    /// Whether it is a tool call.
    pub(super) const fn is_call(&self) -> bool {
        matches!(self, Self::Call { .. })
    }
}

/// Some pieces of one part that go out in one event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stroke {
    /// Which part.
    pub(super) part: usize,
    /// First piece.
    pub(super) from: u32,
    /// Number of pieces.
    pub(super) count: u32,
    /// Which choice.
    pub(super) choice: u32,
}

/// Usage numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    pub(super) input: u64,
    pub(super) cached: u64,
    pub(super) output: u64,
    pub(super) reasoning: u64,
}

/// How long an answer takes, as its provider tells: by the schedule, from the complete request on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    /// Until the first token.
    pub(super) first: Nanos,
    /// Until the last token.
    pub(super) last: Nanos,
}

impl Pace {
    /// Milliseconds until the first token.
    pub(super) const fn first_ms(self) -> u64 {
        self.first.0 / 1_000_000
    }

    /// Milliseconds until the last token.
    pub(super) const fn latency_ms(self) -> u64 {
        self.last.0 / 1_000_000
    }
}

/// What Azure's content filter adds to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    /// There is none.
    None,
    /// Verdicts stand in every chunk.
    Inline,
    /// Verdicts come in chunks of their own, after the text that they are about.
    Late,
}

impl Filter {
    fn of(making: &Making<'_>) -> Self {
        let owner = &*making.quirks.owner;
        let azure =
            making.address.cloud == Cloud::Azure || matches!(owner, "azure" | "azure-deployment");
        match (azure, making.behaviour.late_filter) {
            (false, _) => Self::None,
            (true, false) => Self::Inline,
            (true, true) => Self::Late,
        }
    }
}

/// What an answer consists of.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) language: Language,
    /// What its ids have in common.
    pub(super) tail: String,
    /// Unix seconds.
    pub(super) created: i64,
    /// The model that it says has answered.
    pub(super) model: String,
    pub(super) choices: u32,
    pub(super) parts: Vec<Part>,
    pub(super) usage: Usage,
    pub(super) include_usage: bool,
    pub(super) quirks: Quirks,
    pub(super) fault: Option<Fault>,
    /// In whose words its errors are told.
    pub(super) manner: Manner,
    /// The status that an error within the stream stands for.
    pub(super) error_status: Option<u16>,
    /// Whether its stream is one JSON array.
    pub(super) array: bool,
    /// Whether it completes a prompt in Ollama's own language.
    pub(super) completes: bool,
    /// What Azure's content filter adds.
    pub(super) filter: Filter,
    /// Whether it comes from Google's cloud.
    pub(super) vertex: bool,
    /// Whether its reasoning is not shown.
    pub(super) hides_thoughts: bool,
    /// How long it takes, as its provider tells.
    pub(super) pace: Pace,
    finish: Option<String>,
    cut: bool,
    seed: u64,
    token_bytes: Option<usize>,
    token_cap: u32,
}

/// What an answer is made from besides the request's wishes.
pub(super) struct Making<'a> {
    pub(super) language: Language,
    pub(super) address: &'a Address,
    pub(super) tail: String,
    pub(super) created: i64,
    pub(super) behaviour: &'a Behaviour,
    pub(super) quirks: &'a Quirks,
    pub(super) fault: Option<Fault>,
    pub(super) seed: u64,
}

impl Answer {
    /// Decides.
    pub(super) fn new(asked: &Asked, making: Making<'_>) -> Self {
        let Making {
            behaviour, fault, ..
        } = making;
        let (parts, cut) = parts(asked, &making);
        let per_choice: u64 = parts.iter().map(|part| u64::from(part.tokens())).sum();
        let thought = parts.iter().filter(|part| part.is_reasoning());
        let thought: u64 = thought.map(|part| u64::from(part.tokens())).sum();
        let choices = u64::from(asked.choices);
        let model = asked.model.clone().unwrap_or_default();
        let zero = fault == Some(Fault::UsageZero);
        let usage = Usage {
            input: behaviour
                .usage_input
                .unwrap_or_else(|| asked.prompt_tokens()),
            cached: behaviour.usage_cached,
            output: behaviour.usage_output.unwrap_or(per_choice * choices),
            reasoning: thought * choices,
        };
        Self {
            language: making.language,
            created: making.created,
            model: if fault == Some(Fault::ModelChanged) {
                format!("{model}-2026-01-31-other")
            } else {
                model
            },
            choices: asked.choices,
            parts,
            usage: if zero { Usage::default() } else { usage },
            include_usage: asked.include_usage,
            quirks: making.quirks.clone(),
            fault,
            manner: Manner::of(making.address, making.quirks),
            error_status: behaviour.fault_code,
            array: making.address.array,
            completes: making.address.completes,
            filter: Filter::of(&making),
            vertex: making.address.cloud == Cloud::Vertex,
            hides_thoughts: asked.hides_thoughts,
            pace: Pace::default(),
            finish: behaviour.finish.clone(),
            cut,
            seed: making.seed,
            token_bytes: behaviour.token_bytes,
            token_cap: behaviour.tokens_per_event.max(1),
            tail: making.tail,
        }
    }

    /// Whether that fault is played.
    pub(super) fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Whether its prompt is blocked: Gemini says so in an answer without candidates.
    pub(super) fn is_blocked(&self) -> bool {
        self.language == Language::GeminiGenerate && self.has(Fault::ContentFilter)
    }

    /// Whether its terminator is left out.
    pub(super) fn lacks_done(&self) -> bool {
        self.has(Fault::MissingDone) || self.has(Fault::CloseDelimitedNoDone)
    }

    /// Tokens of all choices.
    pub(super) fn tokens(&self) -> u32 {
        let each = self.parts.iter().map(Part::tokens);
        each.fold(0, u32::saturating_add)
            .saturating_mul(self.choices)
    }

    /// Token events of all choices.
    pub(super) fn strokes(&self) -> u32 {
        let each = self.parts.iter().map(|part| match part {
            Part::Call { .. } if says_calls_whole(self.language) => 1,
            Part::Call { pieces, .. } => 1 + (pieces.len() as u32).div_ceil(self.token_cap),
            part => part.tokens().div_ceil(self.token_cap),
        });
        each.fold(0, u32::saturating_add)
            .saturating_mul(self.choices)
    }

    /// Pieces of the next event of a part of which `from` are out already.
    pub(super) fn stroke_len(&self, part: &Part, from: u32) -> u32 {
        if part.is_call() && says_calls_whole(self.language) {
            return part.tokens() - from;
        }
        // The header of a call is an event of its own.
        if part.is_call() && from == 0 {
            return 1;
        }
        (part.tokens() - from).min(self.token_cap)
    }

    /// Appends the text of a stroke, escaped for JSON, without quotes.
    pub(super) fn push_text(&self, stroke: Stroke, out: &mut Vec<u8>) {
        match self.parts.get(stroke.part) {
            Some(Part::Words { from, .. }) => {
                let seed = self.seed ^ u64::from(stroke.choice) << 48;
                let first = from + stroke.from;
                for index in first..first + stroke.count {
                    push_word(out, seed, index, self.token_bytes);
                }
            }
            Some(Part::Pieces(pieces)) => push_pieces(pieces, stroke.from, stroke.count, out),
            // Piece 0 of a call is its header, which has no text.
            Some(Part::Call { pieces, .. }) => {
                let header = u32::from(stroke.from == 0);
                let from = stroke.from.saturating_sub(1);
                push_pieces(pieces, from, stroke.count - header, out);
            }
            None => {}
        }
    }

    /// Appends all text of a part, escaped for JSON, without quotes.
    pub(super) fn push_part(&self, part: usize, choice: u32, out: &mut Vec<u8>) {
        let count = self.parts.get(part).map_or(0, Part::tokens);
        let whole = Stroke {
            part,
            from: 0,
            count,
            choice,
        };
        self.push_text(whole, out);
    }

    /// Appends the arguments of a call as the JSON object that they are.
    pub(super) fn push_arguments(&self, part: usize, out: &mut Vec<u8>) {
        if let Some(Part::Call { pieces, .. }) = self.parts.get(part) {
            pieces
                .iter()
                .for_each(|piece| out.extend_from_slice(piece.as_bytes()));
        }
    }

    /// Why it ends, in `OpenAI`'s words.
    pub(super) fn finish(&self) -> &str {
        match &self.finish {
            Some(finish) => finish,
            None if self.cut => "length",
            None if self.parts.iter().any(Part::is_call) => "tool_calls",
            None => "stop",
        }
    }

    /// Why it ends, in Anthropic's words.
    pub(super) fn stop_reason(&self) -> &str {
        match self.finish() {
            "stop" => "end_turn",
            "length" => "max_tokens",
            "tool_calls" => "tool_use",
            other => other,
        }
    }
}

/// Whether a language says a call at once, and not piece by piece.
const fn says_calls_whole(language: Language) -> bool {
    matches!(language, Language::GeminiGenerate | Language::OllamaNative)
}

fn push_pieces(pieces: &[String], from: u32, count: u32, out: &mut Vec<u8>) {
    let pieces = pieces.iter().skip(from as usize).take(count as usize);
    pieces.for_each(|piece| push_escaped(out, piece));
}

/// Appends a text, escaped for JSON, without quotes.
pub(super) fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let quoted = serde_json::Value::from(text).to_string();
    out.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
}

/// The parts, and whether the request's limit cut them.
fn parts(asked: &Asked, making: &Making<'_>) -> (Vec<Part>, bool) {
    let behaviour = making.behaviour;
    let gemini = making.language == Language::GeminiGenerate;
    // A call that the model could not write down leaves nothing; neither does a blocked prompt.
    let malformed = behaviour
        .finish
        .as_ref()
        .is_some_and(|finish| finish.starts_with("MALFORMED"));
    let nothing = making.fault == Some(Fault::ContentFilter) || malformed;
    if making.fault == Some(Fault::EmptyAnswer) || gemini && nothing {
        return (Vec::new(), false);
    }
    let mut parts = Vec::new();
    let limit = asked.max_tokens.unwrap_or(u32::MAX);
    let asks = if asked.reasoning {
        behaviour.tokens.div_ceil(4)
    } else {
        0
    };
    let reasoning = behaviour.reasoning.unwrap_or(asks).min(limit);
    if reasoning > 0 {
        parts.push(Part::Words {
            reasoning: true,
            from: 0,
            count: reasoning,
        });
    }
    if let Some(known) = known(asked, making) {
        return with_limit(parts, known, limit - reasoning);
    }
    let calls = calls(asked, making);
    if !calls.is_empty() {
        parts.extend(calls);
        return (parts, false);
    }
    let structured = match &asked.format {
        Format::Text => None,
        Format::JsonObject => Some(r#"{"answer":"Oslo","score":7}"#.to_owned()),
        Format::JsonSchema(schema) => Some(sample(schema).to_string()),
    };
    if let Some(text) = structured {
        parts.push(Part::Pieces(pieces(&text)));
        return (parts, false);
    }
    let wanted = if making.fault == Some(Fault::Endless) {
        u32::MAX - reasoning
    } else {
        behaviour.tokens
    };
    let left = limit - reasoning;
    let count = wanted.min(left);
    if !asked.media.is_empty() && count > 0 && making.fault != Some(Fault::Endless) {
        parts.push(Part::Pieces(seen(asked, making, reasoning, count)));
    } else if count > 0 {
        parts.push(Part::Words {
            reasoning: false,
            from: reasoning,
            count,
        });
    }
    (parts, wanted > left)
}

/// What came beside the prompt's text is told first, so that whoever asks knows that it arrived.
fn seen(asked: &Asked, making: &Making<'_>, from: u32, count: u32) -> Vec<String> {
    let words = (from..from + count).map(|index| {
        let mut word = Vec::new();
        push_word(&mut word, making.seed, index, making.behaviour.token_bytes);
        String::from_utf8_lossy(&word).into_owned()
    });
    asked.media.iter().map(Medium::told).chain(words).collect()
}

/// What the answer key says: where the tool that is to be called is not offered, it is written down.
fn known(asked: &Asked, making: &Making<'_>) -> Option<Part> {
    match asked.known.as_ref()? {
        Known::Call(call) if asked.tools.iter().any(|tool| tool.name == call.name) => {
            Some(Part::Call {
                id: call_id(making, 0),
                name: call.name.clone(),
                pieces: pieces(&call.arguments.to_string()),
            })
        }
        Known::Call(call) => {
            let text = format!("<function={}>{}</function>", call.name, call.arguments);
            Some(Part::Pieces(pieces(&text)))
        }
        Known::Text(text) => Some(Part::Pieces(pieces(text))),
    }
}

/// The last part behind the others, cut where it has more tokens than are left.
fn with_limit(mut parts: Vec<Part>, last: Part, left: u32) -> (Vec<Part>, bool) {
    let cut = last.tokens() > left;
    parts.push(match last {
        Part::Pieces(mut pieces) if cut => {
            pieces.truncate(left as usize);
            Part::Pieces(pieces)
        }
        whole => whole,
    });
    (parts, cut)
}

fn call_id(making: &Making<'_>, number: u32) -> String {
    let prefix = match making.language {
        Language::AnthropicMessages | Language::BedrockInvoke => "toolu_",
        Language::BedrockConverse => "tooluse_",
        _ => "call_",
    };
    format!("{prefix}{}x{number}", making.tail.replace('-', "x"))
}

fn calls(asked: &Asked, making: &Making<'_>) -> Vec<Part> {
    let wanted = making
        .behaviour
        .tool_calls
        .unwrap_or(u32::from(asked.tool_wanted));
    // Who has the result says something about it, unless it must call again.
    let answered = asked.tool_answered && !asked.tool_forced;
    if asked.tools.is_empty() || answered {
        return Vec::new();
    }
    let call = |number: u32| {
        let tool = asked.tools.get(number as usize % asked.tools.len())?;
        Some(Part::Call {
            id: call_id(making, number),
            name: tool.name.clone(),
            pieces: pieces(&sample(&tool.schema).to_string()),
        })
    };
    (0..wanted).filter_map(call).collect()
}
