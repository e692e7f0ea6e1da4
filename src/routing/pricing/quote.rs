//! Says beforehand what a call will cost, quickly and about: for choosing, never for records.

use crate::record::{PicoDollars, WallTime};

use super::amount::Rate;
use super::cost::prices_of;
use super::row::PriceRow;

/// What a route charges, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quote {
    /// Per prompt token that no cache holds.
    pub input: f64,
    /// Per prompt token that the provider's cache holds.
    pub cached: f64,
    /// Per token of the answer.
    pub output: f64,
    /// Per request.
    pub request: f64,
}

impl Quote {
    /// The quote of a price row for a prompt of that size at that time; absent where the row has
    /// no price for prompts.
    #[must_use]
    pub fn of(row: &PriceRow, prompt_tokens: u64, at: WallTime) -> Option<Self> {
        let prices = prices_of(row, prompt_tokens, at);
        let dollars = |Rate(rate): Rate| rate as f64 / 1e12;
        let input = dollars(prices.input?);
        Some(Self {
            input,
            cached: prices.cached_read.map_or(input, dollars),
            output: prices.output.map_or(0.0, dollars),
            request: prices.per_request.map_or(0.0, PicoDollars::as_dollars),
        })
    }

    /// The expected cost in US dollars.
    #[must_use]
    pub fn expected(&self, prompt_tokens: u64, cached_tokens: u64, output_tokens: f64) -> f64 {
        let cached = cached_tokens.min(prompt_tokens);
        (prompt_tokens - cached) as f64 * self.input
            + cached as f64 * self.cached
            + output_tokens * self.output
            + self.request
    }
}
