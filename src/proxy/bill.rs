//! Prices a finished exchange: what every attempt that reported usage cost, or why nobody knows.

use crate::config::settings::Settings;
use crate::record::{
    AttemptRecord, ExchangeRecord, Language, NoCost, PicoDollars, TokenSource, Usage, WallTime,
};
use crate::routing::pricing::{Asked, Call, Tier, cost};

/// Writes the cost into `record`, or why it is unknown, and the version of the prices.
///
/// An attempt that was refused before anything was generated costs nothing. One that may be billed
/// although nobody saw its usage (`maybe_billed`) is not in the sum of an exchange that went on
/// elsewhere: the sum is then the least that it can have cost.
pub fn price(record: &mut ExchangeRecord, settings: &Settings) {
    match sum(record, settings) {
        Ok(cost) => record.cost = Some(cost),
        Err(reason) => record.no_cost = Some(reason),
    }
    if !record.attempts.is_empty() {
        record.prices = Some(settings.prices.version().clone());
    }
}

fn sum(record: &mut ExchangeRecord, settings: &Settings) -> Result<PicoDollars, NoCost> {
    let language = record.language;
    if !language.is_inference() || language.counts_tokens() {
        return Err(NoCost::NoModelCall);
    }
    let started = record.started;
    let Some((last, lost)) = record.attempts.split_last_mut() else {
        return Err(NoCost::NotAsked);
    };
    if record.cached_answer {
        return Err(NoCost::CachedAnswer);
    }
    let of = |attempt: &AttemptRecord, usage: &Usage| {
        attempt_cost(attempt, usage, language, started, settings)
    };
    let mut unknown = None;
    let mut total = 0_u64;
    for attempt in lost {
        let Some(usage) = &attempt.lost_usage else {
            continue;
        };
        match of(attempt, usage) {
            Ok(cost) => {
                total = total.saturating_add(cost.0);
                attempt.lost_cost = Some(cost);
            }
            Err(reason) => unknown = Some(reason),
        }
    }
    let tokens = &record.tokens;
    // A number that was counted or guessed here is not what the provider bills by.
    let reported = matches!(
        tokens.source,
        Some(TokenSource::Usage | TokenSource::UsageInjected)
    );
    let own = if reported {
        of(last, &tokens.usage)?
    } else if let Some(usage) = last.lost_usage {
        // Its answer came, and was nobody's: it could not be said in the client's language.
        let cost = of(last, &usage)?;
        last.lost_cost = Some(cost);
        cost
    } else if was_refused(last) {
        PicoDollars(0)
    } else {
        of(last, &Usage::default())?
    };
    match unknown {
        Some(reason) => Err(reason),
        None => Ok(PicoDollars(total.saturating_add(own.0))),
    }
}

/// Whether nothing was generated: it never got there, or got a failing status.
fn was_refused(attempt: &AttemptRecord) -> bool {
    !attempt.maybe_billed && attempt.status.is_none_or(|status| status >= 400)
}

fn attempt_cost(
    attempt: &AttemptRecord,
    usage: &Usage,
    language: Language,
    at: WallTime,
    settings: &Settings,
) -> Result<PicoDollars, NoCost> {
    let provider = settings.provider(&attempt.provider).map(|found| &**found);
    if provider.is_some_and(|provider| provider.per_hour.is_some()) {
        return Err(NoCost::PerHour);
    }
    let tier = match attempt.service_tier.as_deref() {
        None => Tier::Standard,
        Some(name) => Tier::answered(name).ok_or(NoCost::NoTierPrice)?,
    };
    let find = |model: &str| {
        settings.prices.find(&Asked {
            provider: &attempt.provider,
            preset: provider.and_then(|provider| provider.preset.as_deref()),
            model,
            at,
            tier,
        })
    };
    let model = attempt.model.as_deref().ok_or(NoCost::NoModel)?;
    // A name that nobody prices may stand for another one: the answer says which.
    let row = find(model).or_else(|reason| match &attempt.model_answered {
        Some(answered) if reason == NoCost::NoPrice => find(answered),
        _ => Err(reason),
    })?;
    cost(
        row,
        &Call {
            usage,
            generates: language.generates(),
            at,
            tier,
            discount: provider.and_then(|provider| provider.discount),
        },
    )
}

#[cfg(test)]
#[path = "bill_tests.rs"]
pub(super) mod tests;
