//! Holds one row of a price table: what a model costs somewhere, from when to when, and who says so.

use crate::record::{Name, PicoDollars, WallTime};

use super::amount::{Rate, Share};
use super::moment::Span;

/// How a call is worked on, where that changes its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Tier {
    /// As usual.
    #[default]
    Standard,
    /// Within a day, cheaper.
    Batch,
    /// When there is room, cheaper.
    Flex,
    /// Before others, dearer.
    Priority,
}

impl Tier {
    /// Every tier.
    pub const ALL: [Self; 4] = [Self::Standard, Self::Batch, Self::Flex, Self::Priority];

    /// The name used in price tables and on screens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
        }
    }

    /// The tier that an answer names; nothing for a name that nobody knows.
    #[must_use]
    pub fn answered(name: &str) -> Option<Self> {
        match name {
            // Groq calls it on_demand; `auto` is what a request asks for and some answers repeat.
            "default" | "auto" | "on_demand" | "ON_DEMAND" => Some(Self::Standard),
            // Vertex AI's, which are kinds of traffic.
            "ON_DEMAND_PRIORITY" => Some(Self::Priority),
            "ON_DEMAND_FLEX" => Some(Self::Flex),
            other => Self::ALL.into_iter().find(|tier| tier.name() == other),
        }
    }
}

/// The prices of the kinds of tokens. What is absent has no price of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prices {
    /// Prompt tokens that no other price is for.
    pub input: Option<Rate>,
    /// Prompt tokens read from the provider's cache.
    pub cached_read: Option<Rate>,
    /// Prompt tokens written to it, for the usual time (Anthropic: five minutes).
    pub cache_write: Option<Rate>,
    /// The same for an hour, where usage tells the two apart (Anthropic, Converse).
    pub cache_write_1h: Option<Rate>,
    /// Generated tokens.
    pub output: Option<Rate>,
    /// Reasoning, where it is priced apart from the rest of the output.
    pub reasoning: Option<Rate>,
    /// Audio tokens of the prompt.
    pub audio_input: Option<Rate>,
    /// Audio tokens of the answer.
    pub audio_output: Option<Rate>,
    /// Image tokens of the prompt; usage does not count them apart, so this one is only shown.
    pub image_input: Option<Rate>,
    /// What a request costs beside its tokens.
    pub per_request: Option<PicoDollars>,
}

impl Prices {
    /// These prices where they are given, else those of `base`.
    #[must_use]
    pub fn over(self, base: Self) -> Self {
        Self {
            input: self.input.or(base.input),
            cached_read: self.cached_read.or(base.cached_read),
            cache_write: self.cache_write.or(base.cache_write),
            cache_write_1h: self.cache_write_1h.or(base.cache_write_1h),
            output: self.output.or(base.output),
            reasoning: self.reasoning.or(base.reasoning),
            audio_input: self.audio_input.or(base.audio_input),
            audio_output: self.audio_output.or(base.audio_output),
            image_input: self.image_input.or(base.image_input),
            per_request: self.per_request.or(base.per_request),
        }
    }

    /// Whether nothing has a price.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The prices per million tokens that are given, by name.
    pub fn rates(&self) -> impl Iterator<Item = (&'static str, Rate)> {
        [
            ("input", self.input),
            ("cached_read", self.cached_read),
            ("cache_write", self.cache_write),
            ("cache_write_1h", self.cache_write_1h),
            ("output", self.output),
            ("reasoning", self.reasoning),
            ("audio_input", self.audio_input),
            ("audio_output", self.audio_output),
            ("image_input", self.image_input),
        ]
        .into_iter()
        .filter_map(|(name, rate)| Some((name, rate?)))
    }
}

/// Prices of calls with long prompts: they hold for every token of such a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongContext {
    /// Prompt tokens, cached ones included, beyond which they hold.
    pub over: u64,
    /// The prices that differ.
    pub prices: Prices,
}

/// Prices of a part of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When they hold.
    pub span: Span,
    /// The prices that differ.
    pub prices: Prices,
}

/// What a model costs somewhere, from when to when, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PriceRow {
    /// Names of providers, as configured, or of presets.
    pub providers: Vec<Name>,
    /// Models as they are called there: exact names, or beginnings with a trailing `*`.
    pub models: Vec<Name>,
    /// How a call is worked on.
    pub tier: Tier,
    /// From when it holds; always where absent.
    pub valid_from: Option<WallTime>,
    /// Until when, not included; to this day where absent.
    pub valid_until: Option<WallTime>,
    /// The prices.
    pub prices: Prices,
    /// The share of these prices that a batch costs.
    pub batch: Option<Share>,
    /// Prices of long prompts.
    pub long: Option<LongContext>,
    /// Prices of parts of the day; the first that holds counts.
    pub windows: Vec<Window>,
    /// Why there is no verified price; a row has either this or prices.
    pub unknown: Option<String>,
    /// Where the numbers are from.
    pub source: String,
    /// When they were read.
    pub read: Option<WallTime>,
    /// To what day the source itself dates them, where it says so.
    pub as_of: Option<WallTime>,
    /// What else is to know.
    pub note: Option<String>,
    /// Whether it is of the user's, not of the shipped table.
    pub own: bool,
}

impl PriceRow {
    /// Whether it holds at that date.
    #[must_use]
    pub fn is_valid(&self, at: WallTime) -> bool {
        self.valid_from.is_none_or(|from| from <= at)
            && self.valid_until.is_none_or(|until| at < until)
    }

    /// Whole days since its numbers were known to be right.
    #[must_use]
    pub fn age_days(&self, now: WallTime) -> Option<i64> {
        let known = self.as_of.or(self.read)?;
        Some((now.as_secs() - known.as_secs()).div_euclid(86_400))
    }

    /// How closely it names `model`: nothing where it does not, more for a longer pattern, and
    /// most for the name itself.
    #[must_use]
    pub fn closeness(&self, model: &str) -> Option<usize> {
        self.models
            .iter()
            .filter_map(|pattern| match pattern.strip_suffix('*') {
                Some(begin) => model.starts_with(begin).then_some(begin.len()),
                None => (**pattern == *model).then_some(usize::MAX),
            })
            .max()
    }

    /// What tells it from other rows: a table holds one row of each key.
    #[must_use]
    pub fn key(&self) -> String {
        let names = |names: &[Name]| {
            let mut names: Vec<&str> = names.iter().map(|name| &**name).collect();
            names.sort_unstable();
            names.join(",")
        };
        let from = self
            .valid_from
            .map_or_else(|| "always".to_owned(), WallTime::rfc3339);
        format!(
            "{} {} {} {from}",
            names(&self.providers),
            names(&self.models),
            self.tier.name()
        )
    }
}
