//! Takes from a record what judging policies needs: who could have answered, who was asked, with
//! what chance, and how it went.

use std::collections::BTreeMap;

use crate::record::{ExchangeRecord, Mark, Moment, Nanos, Outcome, PicoDollars};
use crate::routing::route::RouteKey;

/// One recorded exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// When it came: microseconds since 1970 as a moment, so that runs of the program line up.
    pub at: Moment,
    /// Prompt tokens, as counted or else as estimated.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// The routes that could have been first, with their chances; empty where none was recorded.
    pub chances: Vec<(RouteKey, f64)>,
    /// The route asked first.
    pub route: RouteKey,
    /// From the choice to its first token; absent where it failed or did not stream.
    pub first_token: Option<Nanos>,
    /// Per token after it.
    pub per_token: Option<Nanos>,
    /// Whether it failed by the route's fault.
    pub failed: bool,
    /// What the exchange cost, in US dollars.
    pub cost: Option<f64>,
}

impl Logged {
    /// What a record tells; absent where no provider was asked or the client's own fault or will
    /// ended it.
    #[must_use]
    pub fn of(record: &ExchangeRecord) -> Option<Self> {
        let attempt = record.attempts.first()?;
        let only = record.attempts.len() == 1;
        let judged = !only || record.outcome.in_failure_rate();
        if !judged || record.cached_answer {
            return None;
        }
        let timeline = &attempt.timeline;
        let first_token = timeline.span(Mark::RouteChosen, Mark::FirstToken);
        let output = record.tokens.usage.output.unwrap_or(0);
        let spread = timeline.span(Mark::FirstToken, Mark::LastToken);
        let decision = record.decision.as_ref();
        let considered = decision.map_or(&[][..], |decision| decision.routes.as_slice());
        let chances = considered
            .iter()
            .filter(|of| of.propensity > 0)
            .map(|of| {
                let route = RouteKey::new(of.provider.clone(), of.model.clone());
                (route, f64::from(of.propensity) / 1e6)
            })
            .collect();
        let estimated = record.request.prompt_tokens_estimated;
        Some(Self {
            at: Moment(u64::try_from(record.started.0).ok()?.saturating_mul(1_000)),
            prompt_tokens: record.tokens.usage.input.or(estimated).unwrap_or(0),
            output_tokens: output,
            chances,
            route: RouteKey::new(attempt.provider.clone(), attempt.model.clone()),
            first_token,
            per_token: spread
                .filter(|_| output > 1)
                .map(|spread| Nanos(spread.0 / (output - 1))),
            failed: !only || record.outcome != Outcome::Ok,
            cost: record.cost.map(PicoDollars::as_dollars),
        })
    }
}

/// The routes of `logged`, the most used first, with how often each answered with a first token.
#[must_use]
pub fn routes(logged: &[Logged]) -> Vec<(RouteKey, usize)> {
    let mut counts: BTreeMap<&RouteKey, usize> = BTreeMap::new();
    for of in logged.iter().filter(|of| of.first_token.is_some()) {
        *counts.entry(&of.route).or_default() += 1;
    }
    let mut routes: Vec<_> = counts
        .into_iter()
        .map(|(route, count)| (route.clone(), count))
        .collect();
    routes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    routes
}
