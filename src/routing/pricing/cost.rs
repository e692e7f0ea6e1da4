//! Computes what a call cost, exactly, or says why nobody can know.

use crate::record::{NoCost, PicoDollars, Usage, WallTime};

use super::amount::{Rate, Share};
use super::row::{PriceRow, Prices, Tier};

/// What a call used.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Its tokens, normalised: cached ones inside the input, reasoning inside the output.
    pub usage: &'a Usage,
    /// Whether the endpoint answers with generated tokens; embeddings do not.
    pub generates: bool,
    /// When it was made.
    pub at: WallTime,
    /// How it was worked on.
    pub tier: Tier,
    /// The share that the provider takes off its price, where one was agreed.
    pub discount: Option<Share>,
}

/// What a call cost by `row`.
///
/// A count that the provider does not report (cached, reasoning, audio) is one that it does not
/// price apart: its tokens cost what the others cost, which is at most too much. Cache writes are
/// priced for the usual time.
pub fn cost(row: &PriceRow, call: &Call<'_>) -> Result<PicoDollars, NoCost> {
    let usage = call.usage;
    let input = usage.input.ok_or(NoCost::UsageUnknown)?;
    let output = match usage.output {
        Some(output) => output,
        None if call.generates => return Err(NoCost::UsageUnknown),
        None => 0,
    };
    let prices = prices_of(row, input, call.at);
    let sum = tokens(&prices, usage, input, output)?
        + u128::from(prices.per_request.map_or(0, |price| price.0));
    if sum >= u128::from(ABSURD) {
        return Err(NoCost::UsageContradicts);
    }
    let batch = match call.tier {
        // A row of the tier's own has the tier's own prices.
        Tier::Batch if row.tier == Tier::Standard => row.batch.ok_or(NoCost::NoTierPrice)?,
        _ => Share::WHOLE,
    };
    let left = call.discount.map_or(Share::WHOLE, Share::rest);
    let amount = Share::both_of(batch, left, sum);
    u64::try_from(amount)
        .map(PicoDollars)
        .map_err(|_| NoCost::UsageContradicts)
}

/// The prices that hold for a call of so many prompt tokens at that time.
pub(super) fn prices_of(row: &PriceRow, input: u64, at: WallTime) -> Prices {
    let base = row
        .windows
        .iter()
        .find(|window| window.span.holds(at))
        .map_or(row.prices, |window| window.prices.over(row.prices));
    match &row.long {
        Some(long) if input > long.over => long.prices.over(base),
        _ => base,
    }
}

fn tokens(prices: &Prices, usage: &Usage, input: u64, output: u64) -> Result<u128, NoCost> {
    let (cached, written) = (
        usage.cached_read.unwrap_or(0),
        usage.cache_write.unwrap_or(0),
    );
    let for_an_hour = usage.cache_write_1h.unwrap_or(0);
    let reasoning = usage.reasoning.unwrap_or(0);
    let less = |whole: u64, part: u64| whole.checked_sub(part).ok_or(NoCost::UsageContradicts);
    let mut plain_input = less(less(input, cached)?, written)?;
    let mut plain_output = output;
    let mut parts = Vec::with_capacity(8);
    if let Some(rate) = prices.reasoning {
        plain_output = less(plain_output, reasoning)?;
        parts.push((reasoning, Some(rate)));
    }
    match (
        usage.audio.unwrap_or(0),
        prices.audio_input,
        prices.audio_output,
    ) {
        (0, ..) => {}
        (audio, Some(rate), None) => {
            plain_input = less(plain_input, audio)?;
            parts.push((audio, Some(rate)));
        }
        (audio, None, Some(rate)) => {
            plain_output = less(plain_output, audio)?;
            parts.push((audio, Some(rate)));
        }
        (_, Some(_), Some(_)) => return Err(NoCost::AudioMixed),
        (_, None, None) => return Err(NoCost::NoPartPrice),
    }
    parts.extend([
        (plain_input, prices.input),
        (cached, prices.cached_read),
        (less(written, for_an_hour)?, prices.cache_write),
        (for_an_hour, prices.cache_write_1h),
        (plain_output, prices.output),
    ]);
    let mut sum = 0_u128;
    for (count, rate) in parts {
        if count > 0 {
            let Rate(rate) = rate.ok_or(NoCost::NoPartPrice)?;
            sum += u128::from(count) * u128::from(rate);
        }
    }
    Ok(sum)
}

/// A call of more than thirty thousand dollars is a provider's slip in counting, and what a row
/// of the store holds ends not much above.
const ABSURD: u64 = 30_000_000_000_000_000;
