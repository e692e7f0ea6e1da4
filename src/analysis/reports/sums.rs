//! Says what the roll-ups of a route came to, in the terms of reports.

use std::collections::BTreeMap;

use super::figures::{Numbers, Route};
use crate::analysis::tables::Share;
use crate::record::PicoDollars;
use crate::statistics::Rollup;

/// The sums of every route.
pub(super) type Routes = BTreeMap<Route, Sums>;

/// What a route did: of streams, and of whole answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums {
    pub(super) streams: Rollup,
    pub(super) wholes: Rollup,
}

impl Sums {
    /// Both kinds of answers together.
    pub(super) fn both(&self) -> Rollup {
        let mut all = self.streams.clone();
        all.merge(&self.wholes);
        all
    }

    /// Adds everything that `other` holds.
    pub(super) fn merge(&mut self, other: &Self) {
        self.streams.merge(&other.streams);
        self.wholes.merge(&other.wholes);
    }

    fn of_both(&self, of: impl Fn(&Rollup) -> u64) -> u64 {
        of(&self.streams) + of(&self.wholes)
    }

    /// Exchanges that it answered last.
    pub(super) fn exchanges(&self) -> u64 {
        self.of_both(Rollup::exchanges)
    }

    /// The same with its lost tries.
    pub(super) fn tries(&self) -> u64 {
        self.exchanges() + self.of_both(|part| part.lost)
    }

    /// Those that failed by its fault, lost tries included.
    pub(super) fn failed(&self) -> Share {
        let lost = self.of_both(|part| part.further.lost_failures);
        Share::of(
            self.of_both(Rollup::failures) + lost,
            self.of_both(Rollup::judged) + lost,
        )
    }

    /// Mean cost of those whose cost is known, and how many they are.
    pub(super) fn cost(&self) -> Option<(f64, u64)> {
        let count = self.of_both(|part| part.further.spent_count);
        let sum = PicoDollars(self.of_both(|part| part.further.spent)).as_dollars();
        (count > 0).then(|| (sum / count as f64, count))
    }

    /// Streams that failed by its fault, as infinitely slow ones.
    fn infinite(&self) -> u64 {
        let (streams, further) = (&self.streams, &self.streams.further);
        let failed = if streams.untold() == 0 {
            further.infinite
        } else {
            streams.failures()
        };
        failed + further.lost_failures
    }

    /// Time to first token of streams.
    pub(super) fn first_token(&self) -> Numbers {
        Numbers::rolled(&self.streams.first_token, self.infinite(), 1.0)
    }

    /// Time to first answer of streams.
    pub(super) fn first_answer(&self) -> Numbers {
        Numbers::rolled(&self.streams.first_answer, self.infinite(), 1.0)
    }

    /// Output rate of streams that ended, in tokens per second.
    pub(super) fn rate(&self) -> Numbers {
        Numbers::rolled(&self.streams.output_rate, 0, 1e-3)
    }
}
