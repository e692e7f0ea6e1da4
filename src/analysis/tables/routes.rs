//! The report `routes`: what each way to a model did in a span of time.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::record::{AttemptRecord, ExchangeRecord, KeyedHash, Origin, Outcome, WallTime};
use crate::statistics::Rollup;

use super::route::{OutcomeCounts, RouteName, RouteReport};
use super::row::{Exclusion, Row, Selection};
use super::tally::Tally;
use super::window::Window;

/// What a report is of, beside its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportHead {
    /// The span asked for.
    pub window: Window,
    /// When it was made.
    pub made: WallTime,
    /// The origins taken, by name.
    pub origin: String,
    /// The model asked for, where one was.
    pub model: Option<String>,
    /// The provider asked for, where one was.
    pub provider: Option<String>,
    /// Fingerprints of the settings under which its first and its last exchange ran.
    pub configs: Vec<KeyedHash>,
    /// Rows that were damaged and are missing.
    pub damaged: u64,
    /// Exchanges with several attempts whose lost ones were not looked up, for their number.
    pub lost_unread: u64,
    /// Made of roll-ups: counts and sums exact, quantiles within their sketches' error.
    pub rolled: bool,
}

/// What a roll-up is of. Names are numbers, as in [`Row`]; zero is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollupOf {
    /// The provider.
    pub provider: u32,
    /// The model's name there.
    pub model: u32,
    /// Where its exchanges come from.
    pub origin: Origin,
    /// Whether they asked for streams.
    pub stream: bool,
}

/// What each way to a model did in a span of time.
#[derive(Debug, Clone, PartialEq)]
pub struct RoutesReport {
    /// What it is of.
    pub head: ReportHead,
    /// Exchanges looked at.
    pub scanned: u64,
    /// Exchanges in it.
    pub taken: u64,
    /// Dates of the first and of the last exchange in it.
    pub span: Option<(WallTime, WallTime)>,
    /// Exchanges that are not in it, by reason, in the order of [`Exclusion::ALL`].
    pub excluded: [u64; Exclusion::ALL.len()],
    /// Exchanges that no provider saw.
    pub unrouted: OutcomeCounts,
    /// The routes, the busiest first.
    pub routes: Vec<RouteReport>,
    /// Those behind them that are left out.
    pub further: Further,
}

/// Routes that a bounded report leaves out, all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Further {
    /// How many.
    pub routes: u64,
    /// Their exchanges.
    pub exchanges: u64,
}

/// Makes a report of rows handed in one by one.
#[derive(Debug, Default)]
pub struct RoutesBuilder {
    selection: Selection,
    /// Routes told at most.
    most: Option<usize>,
    routes: HashMap<(u32, u32), Tally>,
    excluded: [u64; Exclusion::ALL.len()],
    unrouted: OutcomeCounts,
    scanned: u64,
    taken: u64,
    span: Option<(WallTime, WallTime)>,
}

impl RoutesBuilder {
    /// An empty report of what `selection` takes.
    #[must_use]
    pub fn new(selection: Selection) -> Self {
        Self {
            selection,
            ..Self::default()
        }
    }

    /// The same, of which the report tells the busiest `most` routes: clients make up names of
    /// models without end, and each route takes thousands of bytes.
    #[must_use]
    pub const fn at_most(mut self, most: usize) -> Self {
        self.most = Some(most);
        self
    }

    /// Adds one exchange, and says whether it is in the report.
    pub fn add(&mut self, row: &Row) -> bool {
        self.scanned += 1;
        if let Some(reason) = self.selection.excludes(row) {
            self.excluded[reason as usize] += 1;
            return false;
        }
        self.taken += 1;
        let (first, last) = self.span.unwrap_or((row.started, row.started));
        self.span = Some((first.min(row.started), last.max(row.started)));
        if row.provider == 0 {
            self.unrouted.add(row.outcome);
        } else {
            self.tally((row.provider, row.model)).add(row.started, row);
        }
        true
    }

    /// Adds a roll-up, begun `at`, of exchanges that none of the rows is of.
    pub fn add_rollup(&mut self, at: WallTime, of: &RollupOf, rollup: &Rollup) {
        let exchanges = rollup.exchanges();
        self.scanned += exchanges;
        let selection = &self.selection;
        let other = |wanted: Option<u32>, is: u32| wanted.is_some_and(|wanted| wanted != is);
        let reason = if !selection.origins.takes(of.origin) {
            Some(Exclusion::OtherOrigin)
        } else if other(selection.provider, of.provider) {
            Some(Exclusion::OtherProvider)
        } else if other(selection.model, of.model) {
            Some(Exclusion::OtherModel)
        } else if of.model == 0 {
            Some(Exclusion::NoModelCall)
        } else {
            None
        };
        if let Some(reason) = reason {
            self.excluded[reason as usize] += exchanges;
            return;
        }
        self.taken += exchanges;
        if of.provider == 0 {
            for (count, more) in self.unrouted.0.iter_mut().zip(rollup.outcomes) {
                *count += more;
            }
        } else {
            let tally = self.tally((of.provider, of.model));
            tally.add_rollup(at, rollup, of.stream);
        }
    }

    /// Whether attempts of that exchange may be in the report after which it went elsewhere: also
    /// where another route answered it.
    #[must_use]
    pub fn wants_lost(&self, row: &Row) -> bool {
        let any = Selection {
            provider: None,
            model: None,
            ..self.selection
        };
        any.excludes(row).is_none()
    }

    /// Whether the record of that exchange says something of its times that its row does not.
    #[must_use]
    pub fn wants_wait(row: &Row) -> bool {
        let left = matches!(row.outcome, Outcome::ClientGone | Outcome::Shutdown);
        left && row.provider != 0 && row.figures.total.is_err()
    }

    /// Adds an attempt after which its exchange, begun at `started` and asked of the model `asked`,
    /// went elsewhere; `stream` says whether a stream was asked for.
    pub fn add_lost(
        &mut self,
        (provider, model): (u32, u32),
        started: WallTime,
        asked: u32,
        attempt: &AttemptRecord,
        stream: bool,
    ) {
        if self.takes_route((provider, model), asked) {
            self.tally((provider, model))
                .add_lost(started, attempt, stream);
        }
    }

    /// Adds what the row of an exchange, which a route answered that was asked for as `asked`, does
    /// not say.
    pub fn amend(&mut self, route: (u32, u32), asked: u32, record: &ExchangeRecord) {
        if self.takes_route(route, asked) {
            self.tally(route).amend(record);
        }
    }

    fn takes_route(&self, (provider, model): (u32, u32), asked: u32) -> bool {
        let is = |wanted: Option<u32>, one: u32, other: u32| {
            wanted.is_none_or(|wanted| wanted == one || wanted == other)
        };
        let selection = &self.selection;
        is(selection.provider, provider, provider) && is(selection.model, model, asked)
    }

    /// The report; `name` gives the texts of a provider's and a model's number.
    pub fn finish(self, head: ReportHead, name: impl Fn(u32, u32) -> RouteName) -> RoutesReport {
        let mut tallies: Vec<(RouteName, Tally)> = self
            .routes
            .into_iter()
            .map(|((provider, model), tally)| (name(provider, model), tally))
            .collect();
        tallies.sort_by_cached_key(|(name, tally)| (Reverse(tally.exchanges()), name.text()));
        let rest = tallies.split_off(
            self.most
                .map_or(tallies.len(), |most| most.min(tallies.len())),
        );
        let further = Further {
            routes: rest.len() as u64,
            exchanges: rest.iter().map(|(_, tally)| tally.exchanges()).sum(),
        };
        drop(rest);
        let routes = tallies.into_iter();
        let routes = routes
            .map(|(name, tally)| tally.into_report(name))
            .collect();
        RoutesReport {
            head,
            scanned: self.scanned,
            taken: self.taken,
            span: self.span,
            excluded: self.excluded,
            unrouted: self.unrouted,
            routes,
            further,
        }
    }

    fn tally(&mut self, route: (u32, u32)) -> &mut Tally {
        self.routes.entry(route).or_default()
    }
}

#[cfg(test)]
#[path = "routes_tests.rs"]
pub(in crate::analysis) mod tests;
