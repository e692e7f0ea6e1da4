//! Holds what one route did: the numbers of a report with both ends of every fraction.

use crate::record::{Name, NoCost, Outcome, ProviderKind, TokenSource};
use crate::statistics::interval::{ALPHA, Estimate, Nearby, wilson_deff};
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
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Share {
    /// The part.
    pub part: u64,
    /// The whole.
    pub whole: u64,
    /// How many of the whole say as much as one that came alone would.
    alike: f64,
    /// Whether they are of so few hours that nothing tells how hours differ.
    few_hours: bool,
}

impl Share {
    /// `part` of `whole`.
    #[must_use]
    pub const fn of(part: u64, whole: u64) -> Self {
        Self {
            part,
            whole,
            alike: 1.0,
            few_hours: false,
        }
    }

    /// How many of them say as much as one that came alone would.
    #[must_use]
    pub const fn design_effect(self) -> f64 {
        self.alike
    }

    /// The same share, where it is known how alike they are.
    #[must_use]
    pub const fn with_design_effect(self, alike: f64) -> Self {
        Self { alike, ..self }
    }

    /// The share of those that are so, of which those that came near each other may be alike: an
    /// outage fails many at once.
    #[must_use]
    pub fn nearby(groups: &Nearby<(u64, u64)>) -> Self {
        let sum = |(part, whole): (u64, u64), group: &(u64, u64)| (part + group.0, whole + group.1);
        let (part, whole) = groups.groups().fold((0, 0), sum);
        Self {
            part,
            whole,
            alike: groups.effect(),
            few_hours: whole > 0 && groups.is_of_few_hours(),
        }
    }

    /// The share of all others of the same whole, which are as alike.
    #[must_use]
    pub const fn others(self) -> Self {
        Self {
            part: self.whole - self.part,
            ..self
        }
    }

    /// Whether it is of less than three hours: its interval cannot know how hours differ.
    #[must_use]
    pub const fn is_of_few_hours(self) -> bool {
        self.few_hours
    }

    /// The same of a span of time that is what it is about.
    #[must_use]
    pub const fn of_its_span(self) -> Self {
        Self {
            few_hours: false,
            ..self
        }
    }

    /// The fraction with Wilson's interval, 95 %, of as many as say something of their own; absent
    /// of nothing.
    #[must_use]
    pub fn estimate(self) -> Option<Estimate> {
        wilson_deff(self.part, self.whole, self.alike, ALPHA)
    }

    /// How much larger it is than `other`, with Newcombe's interval of those of both; absent where
    /// one is of nothing.
    #[must_use]
    pub fn less(self, other: Self) -> Option<Estimate> {
        Some(self.estimate()?.less(&other.estimate()?))
    }

    /// The interval of the fraction, 95 %; absent of nothing.
    #[must_use]
    pub fn ends(self) -> Option<(f64, f64)> {
        let found = self.estimate()?.interval;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::WallTime;
    use crate::statistics::compare::Random;
    use crate::statistics::interval::{Pool as _, wilson};

    const HOUR: i64 = 3_600_000_000;

    /// Of 24 hours of 60 requests each: which of them failed.
    fn day(failed: impl Fn(i64, i64) -> bool) -> Share {
        let mut groups = Nearby::<(u64, u64)>::default();
        for (hour, minute) in (0..24).flat_map(|hour| (0..60).map(move |minute| (hour, minute))) {
            let at = WallTime(hour * HOUR + minute * HOUR / 60);
            groups.at(at).pool((u64::from(failed(hour, minute)), 1));
        }
        Share::nearby(&groups)
    }

    #[test]
    fn failures_of_one_outage_say_less_than_as_many_that_came_alone() {
        let width = |share: Share| share.ends().map(|(low, high)| high - low).unwrap();
        let alone = day(|hour, minute| minute == hour);
        let outage = day(|hour, minute| hour == 7 && minute < 24);
        let none = day(|_, _| false);
        for (share, part) in [(alone, 24), (outage, 24), (none, 0)] {
            assert_eq!((share.part, share.whole), (part, 1_440));
        }
        let plain = wilson(24, 1_440, ALPHA).unwrap().interval;
        assert!(width(alone) < 1.2 * (plain.high - plain.low));
        assert!(width(outage) > 3.0 * (plain.high - plain.low));
        assert_eq!(none.ends(), Share::of(0, 1_440).ends());
        // After one outage nobody can say that it will be the worse one; of failures that came
        // alone one can.
        let few = day(|hour, minute| minute == hour && hour % 3 == 0);
        let less = |a: Share, b: Share| a.less(b).unwrap().interval;
        assert!(less(outage, few).low <= 0.0);
        assert!(less(alone, few).low > 0.0);
    }

    /// Seeds 0 to 400: an hour is one of trouble in ten, and a fifth fails in it.
    #[test]
    fn intervals_hold_the_rate_where_hours_of_trouble_come() {
        let (mut held, mut plain, worlds) = (0, 0, 400);
        for seed in 0..worlds {
            let mut random = Random::new(seed);
            let trouble: Vec<bool> = (0..24).map(|_| random.unit() < 0.1).collect();
            let draws: Vec<f64> = (0..1_440).map(|_| random.unit()).collect();
            let share = day(|hour, minute| {
                let draw = draws[(hour * 60 + minute) as usize];
                draw < if trouble[hour as usize] { 0.2 } else { 0.01 }
            });
            let holds = |found: Estimate| u64::from(found.interval.contains(0.029));
            held += holds(share.estimate().unwrap());
            plain += holds(wilson(share.part, share.whole, ALPHA).unwrap());
        }
        eprintln!("seeds 0 to {worlds}: {held} hold, as independent ones {plain}");
        assert!(held * 100 >= worlds * 88, "{held} of {worlds}");
        assert!(plain * 100 < worlds * 75, "{plain} of {worlds}");
    }
}
