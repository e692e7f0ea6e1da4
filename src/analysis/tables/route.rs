//! Holds what one route did: the numbers of a report with both ends of every fraction.

use crate::record::{Name, NoCost, Outcome, ProviderKind, TokenSource};
use crate::statistics::interval::{ALPHA, wilson};
use crate::statistics::rollup::TokenSums;

use super::spread::Spread;

/// A way to a model, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouteName {
    /// The provider.
    pub provider: String,
    /// The model's name there.
    pub model: Option<String>,
    /// The provider's region, as configured now.
    pub region: Option<Name>,
    /// Whether the provider is a router, as configured now.
    pub kind: Option<ProviderKind>,
}

impl RouteName {
    /// `provider/model`.
    #[must_use]
    pub fn text(&self) -> String {
        let model = self.model.as_deref().unwrap_or("(no model)");
        format!("{}/{model}", self.provider)
    }
}

/// A part of a whole, with both ends of the fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// The part.
    pub part: u64,
    /// The whole.
    pub whole: u64,
}

impl Share {
    /// `part` of `whole`.
    #[must_use]
    pub const fn of(part: u64, whole: u64) -> Self {
        Self { part, whole }
    }

    /// Wilson's interval of the fraction, 95 %; absent of nothing.
    #[must_use]
    pub fn ends(self) -> Option<(f64, f64)> {
        let found = wilson(self.part, self.whole, ALPHA)?.interval;
        Some((found.low, found.high))
    }

    /// The fraction; absent of nothing.
    #[must_use]
    pub fn fraction(self) -> Option<f64> {
        (self.whole > 0).then(|| self.part as f64 / self.whole as f64)
    }
}

/// Exchanges by outcome, in the order of [`Outcome::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutcomeCounts(pub [u64; Outcome::ALL.len()]);

impl OutcomeCounts {
    /// Exchanges of that outcome.
    #[must_use]
    pub const fn of(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize]
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Those that failed by the route's fault.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.count(Outcome::is_route_failure)
    }

    /// Those that are in the failure rate at all.
    #[must_use]
    pub fn judged(&self) -> u64 {
        self.count(Outcome::in_failure_rate)
    }

    /// The outcomes that came, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, u64)> + '_ {
        let counts = Outcome::ALL.into_iter().zip(self.0);
        counts.filter(|(_, count)| *count > 0)
    }

    fn count(&self, wanted: impl Fn(Outcome) -> bool) -> u64 {
        let wanted = self.iter().filter(|(outcome, _)| wanted(*outcome));
        wanted.map(|(_, count)| count).sum()
    }
}

/// Attempts on a route after which the exchange went on to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    /// All of them.
    pub attempts: u64,
    /// Those that failed by the route's fault.
    pub failures: u64,
    /// Those that met a rate limit or quota.
    pub rate_limited: u64,
    /// Those whose credential was refused.
    pub credential_faults: u64,
    /// Those whose request was refused.
    pub client_errors: u64,
}

/// What was paid, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Costs {
    /// Pico-dollars by the price table, of exchanges that the route answered.
    pub cost: u64,
    /// Pico-dollars by the price table of its lost attempts that reported usage.
    pub lost: u64,
    /// Exchanges whose cost is known; refused ones, which cost nothing, are not counted.
    pub priced: u64,
    /// Pico-dollars that the provider said it billed.
    pub billed: u64,
    /// Exchanges of which it said so.
    pub billed_count: u64,
    /// Exchanges whose cost is not known, by reason, in the order of [`NoCost::ALL`].
    pub without: [u64; NoCost::ALL.len()],
    /// Exchanges whose cost is not known, or says nothing, where roll-ups do not say why.
    pub without_reason: u64,
}

impl Costs {
    /// US dollars by the price table, lost attempts included; absent where nothing has a price.
    #[must_use]
    pub fn dollars(&self) -> Option<f64> {
        let all = self.cost.saturating_add(self.lost);
        (self.priced > 0 || self.lost > 0).then(|| all as f64 / 1e12)
    }

    /// The reasons why costs are not known, with how often each is.
    pub fn reasons(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let reasons = NoCost::ALL.iter().map(|reason| reason.name());
        reasons.zip(self.without).filter(|(_, count)| *count > 0)
    }

    /// Why none of them has a price: the commonest reason.
    #[must_use]
    pub fn why_none(&self) -> Option<&'static str> {
        if self.priced > 0 {
            return None;
        }
        let most = self.reasons().max_by_key(|(_, count)| *count);
        Some(match most {
            Some((reason, _)) => reason,
            _ if self.without_reason > 0 => "not_in_rollups",
            // All were refused, or failed without an answer.
            _ => "nothing_used",
        })
    }

    /// US dollars for each exchange whose cost is known.
    #[must_use]
    pub fn dollars_each(&self) -> Option<f64> {
        (self.priced > 0).then(|| self.cost as f64 / 1e12 / self.priced as f64)
    }

    /// US dollars that the provider said it billed.
    #[must_use]
    pub fn billed_dollars(&self) -> Option<f64> {
        (self.billed_count > 0).then(|| self.billed as f64 / 1e12)
    }
}

/// What one route did.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteReport {
    /// The route.
    pub route: RouteName,
    /// Exchanges whose last attempt it had.
    pub exchanges: u64,
    /// Of those, the ones that asked for a stream; the others asked for a whole answer.
    pub streams: u64,
    /// Its attempts, lost ones included.
    pub attempts: u64,
    /// Exchanges that failed by its fault, of those that say something about it.
    pub failure_rate: Share,
    /// The same with its lost attempts: what clients would have seen without failover.
    pub attempt_failure_rate: Share,
    /// Attempts that met a rate limit or quota.
    pub rate_limited: Share,
    /// Attempts whose credential was refused.
    pub credential_faults: Share,
    /// Attempts after which the exchange went elsewhere.
    pub lost: Lost,
    /// Exchanges by outcome.
    pub outcomes: OutcomeCounts,
    /// Exchanges on a connection that was there already.
    pub reused: u64,
    /// Streams that the provider held back and sent in one burst.
    pub pseudo_streams: u64,
    /// Streams that stalled.
    pub stalled: u64,
    /// Background calls, left out of latency.
    pub background: u64,
    /// Answers out of a cache, left out of latency.
    pub cached_answers: u64,
    /// Exchanges whose outcome is neither a success nor the route's failure, left out of latency.
    pub untimed: u64,
    /// Nanoseconds to first token; failures of streams are infinite.
    pub first_token: Spread,
    /// Nanoseconds to first answer; failures of streams are infinite.
    pub first_answer: Spread,
    /// Nanoseconds to the last token, or to the end of a whole answer; failures are infinite.
    pub total: Spread,
    /// Output rates in thousandths of a token per second.
    pub output_rate: Spread,
    /// Nanoseconds that Tollgate added.
    pub own_delay: Spread,
    /// Tokens used.
    pub tokens: TokenSums,
    /// Exchanges by the source of their token counts, in the order of [`TokenSource::ALL`]; absent
    /// from roll-ups, which do not say.
    pub token_sources: Option<[u64; TokenSource::ALL.len()]>,
    /// What was paid.
    pub costs: Costs,
}
