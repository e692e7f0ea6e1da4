//! Reads the usage object of `OpenAI` and of everyone who copies it, into one meaning.

use super::json::{Lenient, Members, NotJson};
use super::learned::{Learned, SECOND};
use super::lenient::{Count, Number, Raw, Truth, lenient_object, reread};
use crate::record::{PicoDollars, Usage};

lenient_object! {
    /// A usage object, of chat and completions or of responses.
    pub(super) struct UsageObject {
        prompt: Count = "prompt_tokens",
        completion: Count = "completion_tokens",
        input: Count = "input_tokens",
        output: Count = "output_tokens",
        total: Count = "total_tokens",
        prompt_details: Details<'de> = "prompt_tokens_details",
        completion_details: Details<'de> = "completion_tokens_details",
        input_details: Details<'de> = "input_tokens_details",
        output_details: Details<'de> = "output_tokens_details",
        cached: Count = "cached_tokens",
        cache_hit: Count = "prompt_cache_hit_tokens",
        reasoning: Count = "reasoning_tokens",
        cost: Cost = "cost",
        own_key: Truth = "is_byok",
        cost_details: CostDetails<'de> = "cost_details",
        ticks: Count = "cost_in_usd_ticks",
        queue_time: Number = "queue_time",
        prompt_time: Number = "prompt_time",
        completion_time: Number = "completion_time",
        total_time: Number = "total_time",
    }
}

lenient_object! {
    /// The parts of a count.
    struct Details {
        cached: Count = "cached_tokens",
        cache_write: Count = "cache_write_tokens",
        reasoning: Count = "reasoning_tokens",
        audio: Count = "audio_tokens",
    }
}

/// Reads a usage object found at `place`; whether it had any number.
pub(crate) fn learn(raw: Raw<'_>, place: &str, learned: &mut Learned) -> bool {
    learn_read(&reread(raw), place, learned)
}

/// The same of one that is read already.
pub(super) fn learn_read(object: &UsageObject<'_>, place: &str, learned: &mut Learned) -> bool {
    for (name, time) in [
        ("queue_time", object.queue_time),
        ("prompt_time", object.prompt_time),
        ("completion_time", object.completion_time),
        ("total_time", object.total_time),
    ] {
        if time.0.is_some() {
            learned.timing(&format!("{place}.{name}"), time.0, SECOND);
        }
    }
    if let Some(cost) = cost(object) {
        learned.cost = Some(cost);
    }
    let usage = object.normalised();
    // Zeros are sent early in a stream, or in place of numbers not known; no call uses nothing.
    let nothing = [usage.input, usage.output]
        .iter()
        .all(|count| count.unwrap_or(0) == 0);
    if nothing {
        return false;
    }
    learned.merge(usage);
    true
}

impl UsageObject<'_> {
    fn normalised(&self) -> Usage {
        let (prompts, outputs) = (
            [&self.prompt_details, &self.input_details],
            [&self.completion_details, &self.output_details],
        );
        let input = self.prompt.0.or(self.input.0);
        let reasoning = outputs
            .iter()
            .find_map(|details| details.reasoning.0)
            // SGLang, some versions.
            .or(self.reasoning.0);
        Usage {
            input,
            cached_read: prompts
                .iter()
                .find_map(|details| details.cached.0)
                // Together; DeepSeek.
                .or(self.cached.0)
                .or(self.cache_hit.0),
            cache_write: prompts.iter().find_map(|details| details.cache_write.0),
            cache_write_1h: None,
            output: self.whole_output(input, reasoning),
            reasoning,
            audio: prompts
                .iter()
                .chain(&outputs)
                .filter_map(|details| details.audio.0)
                .reduce(u64::saturating_add),
        }
    }

    /// xAI counts reasoning beside the completion: seen by the total, not by the provider's name,
    /// since routers pass such numbers on.
    fn whole_output(&self, input: Option<u64>, reasoning: Option<u64>) -> Option<u64> {
        let output = self.completion.0.or(self.output.0);
        let (Some(output), Some(input), Some(total)) = (output, input, self.total.0) else {
            return output;
        };
        let beside = reasoning.unwrap_or(0).saturating_add(output);
        let outside =
            input.saturating_add(output) != total && input.saturating_add(beside) == total;
        Some(if outside { beside } else { output })
    }
}

/// A cost in dollars: a number, or Perplexity's list of its parts with their sum.
#[derive(Debug, Default, Clone, Copy)]
struct Cost(Option<f64>);

impl<'de> Lenient<'de> for Cost {
    fn number(number: f64) -> Self {
        Self(Some(number))
    }

    fn text(text: &str) -> Self {
        Self(Number::text(text).0)
    }

    fn map(map: &mut Members<'_, 'de>) -> Result<Self, NotJson> {
        CostParts::map(map).map(|parts| Self(parts.total.0))
    }
}

lenient_object! {
    /// The parts of a cost.
    struct CostParts {
        total: Number = "total_cost",
    }
}

lenient_object! {
    /// What is billed elsewhere.
    struct CostDetails {
        upstream: Number = "upstream_inference_cost",
    }
}

/// What the provider bills: `OpenRouter` in dollars, xAI in ticks of 10^-10 dollars. With the
/// user's own key at `OpenRouter`'s provider, that one bills the call and `OpenRouter` a fee.
fn cost(object: &UsageObject<'_>) -> Option<PicoDollars> {
    let dollars = match object.own_key.0 {
        Some(true) => object
            .cost_details
            .upstream
            .0
            .map(|upstream| upstream + object.cost.0.unwrap_or(0.0)),
        _ => object.cost.0,
    };
    let dollars = dollars.filter(|cost| (0.0..1e6).contains(cost));
    let ticks = object.ticks.0.and_then(|ticks| ticks.checked_mul(100));
    dollars
        .map(|cost| (cost * 1e12).round() as u64)
        .or(ticks)
        .map(PicoDollars)
}
