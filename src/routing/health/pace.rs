//! Limits how many requests a route works on at once: from its rate limits, and while it recovers.
//!
//! Additive increase, multiplicative decrease on 429s: a provider's latency is not our queue, so
//! no gradient of latency is followed. After a breaker closes the limit begins at one and doubles
//! with every round of successes, so that no herd runs onto a route that just came back.

use crate::record::Moment;

/// How many requests may be at work; without a limit as many as come.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pace {
    limit: Option<f64>,
    /// Whether the limit doubles (recovery) or grows by one a round (after a rate limit).
    doubling: bool,
    /// The limit at which it is lifted.
    lift: f64,
    cut_at: Moment,
}

/// What a cut leaves of the requests at work.
const KEPT: f64 = 0.7;
/// A recovering route that works on so many at once has recovered.
const RECOVERED: f64 = 32.0;

impl Pace {
    /// The limit in force.
    #[must_use]
    pub fn limit(&self) -> Option<u32> {
        self.limit.map(|limit| limit.floor().max(1.0) as u32)
    }

    /// What is to be kept: the limit in thousandths, whether it doubles, and at which number,
    /// in thousandths too, it is lifted; absent without a limit.
    #[must_use]
    pub fn keep(&self) -> Option<(u32, bool, u32)> {
        let thousandths = |number: f64| (number * 1e3).round() as u32;
        let limit = self.limit.map(thousandths)?;
        Some((limit, self.doubling, thousandths(self.lift)))
    }

    /// As it was kept.
    #[must_use]
    pub fn kept(kept: Option<(u32, bool, u32)>) -> Self {
        kept.map_or_else(Self::default, |(limit, doubling, lift)| Self {
            limit: Some((f64::from(limit) / 1e3).max(1.0)),
            doubling,
            lift: f64::from(lift) / 1e3,
            cut_at: Moment(0),
        })
    }

    /// A route came back: one at a time first.
    pub fn recover(&mut self) {
        self.limit = Some(1.0);
        self.doubling = true;
        self.lift = RECOVERED;
    }

    /// A request that began at `begun` met a rate limit while `at_work` were at work. Those that
    /// began before the last cut tell nothing new.
    pub fn cut(&mut self, at_work: u32, begun: Moment, now: Moment) {
        if self.cut_at > Moment(0) && begun < self.cut_at {
            return;
        }
        let from = self
            .limit
            .map_or(f64::from(at_work), |limit| limit.min(f64::from(at_work)));
        self.limit = Some((from * KEPT).max(1.0));
        self.lift = (2.0 * from).max(4.0);
        self.doubling = false;
        self.cut_at = now;
    }

    /// A request succeeded.
    pub fn succeeded(&mut self) {
        let Some(limit) = self.limit else { return };
        let grown = limit + if self.doubling { 1.0 } else { 1.0 / limit };
        self.limit = (grown < self.lift).then_some(grown);
    }
}
