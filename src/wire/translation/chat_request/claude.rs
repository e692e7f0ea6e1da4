//! Asks a Claude to think, wherever it is served, and to draw its answers.
//!
//! What goes together is Anthropic's to say:
//! <https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking>.

use serde_json::Value;

use super::super::efforts::Effort;
use super::super::fields::{Fields, Left};
use super::super::manners::version_of;
use super::super::shape::{Asked, Refusal, Terms};
use super::settings::sampling;

/// The smallest budget of thinking that Claude takes.
const BUDGET_MIN: u64 = 1024;
/// The highest temperature that Claude takes; OpenAI's goes to 2.
const TEMPERATURE_MAX: f64 = 1.0;
/// From this version on a model takes `temperature` or `top_p`, and not both.
const TAKES_ONE: (u32, u32) = (4, 1);
/// The least `top_p` beside thinking.
const THINKING_TOP_P_MIN: f64 = 0.95;

/// What else of a request its thinking hangs on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// The client's limit of the answer, thinking included.
    pub(crate) max_tokens: Option<u64>,
    /// A tool must be called.
    pub(crate) forced: bool,
    /// The last turn is to be gone on with: it holds the results of calls, or is the beginning of
    /// the answer; and what the model said in it did not begin with its thoughts.
    pub(crate) unthought: bool,
}

/// What is asked of a Claude.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// Nothing.
    Unasked,
    /// Not to think.
    Disabled,
    /// To think with so many tokens.
    Budget(u64),
    /// To take this much effort, and to think as it sees fit where it may.
    Effort {
        /// The effort, in Anthropic's word.
        word: &'static str,
        /// Whether it may be asked to think.
        thinks: bool,
    },
}

/// What an effort asks of a Claude. An effort that nothing can be asked for is left out, and said.
pub(crate) fn thinking(
    effort: Effort,
    terms: &Terms,
    standing: Standing,
    left: &mut Left,
) -> Result<Thinking, Refusal> {
    if effort == Effort::None {
        return Ok(Thinking::Disabled);
    }
    if !terms.thinks_by_budget {
        return Ok(Thinking::Effort {
            word: effort.at_least_low(),
            thinks: !standing.forced,
        });
    }
    if standing.forced || standing.unthought {
        left.hint("reasoning_effort");
        return Ok(Thinking::Unasked);
    }
    // Half is left for the answer.
    let most = standing.max_tokens.map_or(u64::MAX, |max| max / 2);
    let budget = budget(effort).min(most).max(BUDGET_MIN);
    if standing.max_tokens.is_some_and(|max| budget >= max) {
        let why = format!("needs a limit of more than {BUDGET_MIN} tokens for the answer");
        left.unless_dropped("reasoning_effort", &why)?;
        return Ok(Thinking::Unasked);
    }
    Ok(Thinking::Budget(budget))
}

/// The budget of tokens for an effort. No provider says what they are; these double from one
/// effort to the next.
const fn budget(effort: Effort) -> u64 {
    match effort {
        Effort::None | Effort::Minimal => BUDGET_MIN,
        Effort::Low => 2048,
        Effort::Medium => 8192,
        Effort::High => 16_384,
        Effort::XHigh => 32_768,
        Effort::Max => 65_536,
    }
}

/// Whether a `thinking` of Anthropic's has the model think.
pub(crate) fn thinks(thinking: Option<&Value>) -> bool {
    let kind = thinking.and_then(|thinking| thinking.get("type")?.as_str());
    matches!(kind, Some("enabled" | "adaptive"))
}

/// How an answer is drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Draw {
    /// `temperature`.
    pub(crate) temperature: Option<f64>,
    /// `top_p`.
    pub(crate) top_p: Option<f64>,
    /// `top_k`.
    pub(crate) top_k: Option<u64>,
}

/// Takes how the answer is drawn; where the model thinks, nearly only as it likes.
pub(crate) fn draw(
    body: &mut Fields,
    asked: &Asked<'_>,
    thinks: bool,
    left: &mut Left,
) -> Result<Draw, Refusal> {
    let terms = asked.terms;
    let (temperature, top_p) = sampling(body, TEMPERATURE_MAX, terms, left)?;
    let mut draw = Draw {
        temperature,
        top_p,
        top_k: body.count("top_k")?,
    };
    if draw.top_k.is_some() && !terms.takes_sampling {
        draw.top_k = None;
        left.unless_dropped("top_k", "is not taken by this model")?;
    }
    let version = version_of("claude", &asked.model.to_ascii_lowercase());
    if version.is_some_and(|version| version >= TAKES_ONE)
        && let (Some(temperature), Some(top_p)) = (draw.temperature, draw.top_p)
    {
        // 1 is what is done anyway, and need not be said.
        let is_usual = |value: f64| (value - 1.0).abs() < f64::EPSILON;
        if is_usual(temperature) && !is_usual(top_p) {
            draw.temperature = None;
        } else {
            draw.top_p = None;
            if !is_usual(top_p) {
                let why = "cannot stand beside `temperature`, of which this model takes one";
                left.unless_dropped("top_p", why)?;
            }
        }
    }
    if !thinks {
        return Ok(draw);
    }
    if draw
        .temperature
        .is_some_and(|value| value < TEMPERATURE_MAX)
    {
        draw.temperature = None;
        left.unless_dropped("temperature", "can only be 1 where the model thinks")?;
    }
    if draw.top_p.is_some_and(|value| value < THINKING_TOP_P_MIN) {
        draw.top_p = None;
        let why = "can only be 0.95 to 1 where the model thinks";
        left.unless_dropped("top_p", why)?;
    }
    if draw.top_k.take().is_some() {
        left.unless_dropped("top_k", "is not taken where the model thinks")?;
    }
    Ok(draw)
}
