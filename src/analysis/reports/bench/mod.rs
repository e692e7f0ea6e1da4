//! Says what runs of a benchmark measured: one run by all that it asked, and how runs differ.

mod cells;

mod one;

mod runs;

pub(in crate::analysis::reports) use cells::rows_of_runs;
pub use one::paper;
pub use runs::{Run, analysis};

use crate::record::ExchangeRecord;

/// One thing that a benchmark asks, again and again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// The model, as applications ask for it.
    pub model: String,
    /// The provider.
    pub provider: String,
    /// The model's name there.
    pub there: Option<String>,
    /// The provider's region, where it is known.
    pub region: Option<String>,
    /// Tokens of the answer, at most.
    pub max_tokens: u64,
    /// Whether JSON is asked for.
    pub json: bool,
    /// Tokens that the prompt is lengthened to.
    pub prompt_tokens: Option<u64>,
    /// Whether each request was to open a connection for itself.
    pub cold: bool,
}

impl Kind {
    /// What is asked, in words: `up to 256 tokens, JSON`.
    #[must_use]
    pub fn words(&self) -> String {
        format!("up to {}", self.short())
    }

    /// The same, shorter: `256 tokens, JSON`.
    fn short(&self) -> String {
        let mut words = format!("{} tokens", self.max_tokens);
        if self.json {
            words.push_str(", JSON");
        }
        if let Some(tokens) = self.prompt_tokens {
            words = format!("{words}, prompt of {tokens}");
        }
        words
    }
}

/// What was looked at in an answer, which is then forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quality {
    /// It has as many tokens as were asked for at least.
    pub long_enough: bool,
    /// A word of the topic is in it; absent where the topic has none.
    pub on_topic: Option<bool>,
    /// It is sentences, or JSON where JSON was asked for.
    pub well_formed: bool,
}

/// An exchange of a run.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// The place of what it asked in the list of kinds.
    pub kind: usize,
    /// Its record.
    pub record: &'a ExchangeRecord,
    /// What its answer was; absent where there was none.
    pub quality: Option<Quality>,
}

#[cfg(test)]
mod tests;
