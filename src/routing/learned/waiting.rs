//! Knows for how long requests at work wait, or waited, for their first tokens.
//!
//! A route is judged by exchanges that are over, and while it hangs there are none: at ten requests
//! a second and first tokens after six seconds it would get sixty of them before the first is
//! known. Those that wait say already that it takes no less.

use std::collections::VecDeque;

use crate::record::{Moment, Nanos};
use crate::statistics::filter::Belief;

/// Of fewer nothing is concluded: one slow answer is no slow route.
const TOLD_MIN: usize = 3;
/// The last so many count that say something.
const TOLD_MAX: usize = 9;
/// So many requests are kept, however many are at work.
const KEPT_MAX: usize = 256;
/// The standard deviations above the middle that 19 of 20 first tokens keep under.
const UNLIKELY: f64 = 1.645;
/// How long a first token that came is news.
const FRESH: Nanos = Nanos(30_000_000_000);

/// A request that waits for its first token, or lately did.
#[derive(Debug, Clone, PartialEq)]
struct Wait {
    begun: Moment,
    came: Option<Moment>,
    /// The level that was believed then.
    level: f64,
    /// Milliseconds that first tokens of its kind typically took by it.
    typical_ms: f64,
    /// Milliseconds that 19 of 20 of them take at most.
    most_ms: f64,
}

impl Wait {
    /// How long it waited; so far, where it goes on.
    fn waited_ms(&self, now: Moment) -> f64 {
        self.came.unwrap_or(now).since(self.begun).as_millis()
    }

    /// One that has only begun says nothing yet.
    fn tells(&self, now: Moment) -> bool {
        match self.came {
            Some(came) => now.since(came) <= FRESH,
            None => self.waited_ms(now) > self.typical_ms,
        }
    }
}

/// The requests of a route that wait for their first token, or lately did, in their order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Waiting(VecDeque<Wait>);

impl Waiting {
    /// A request began of which this was believed (`ln` of milliseconds), of its route this `level`.
    pub(super) fn begin(&mut self, begun: Moment, level: f64, belief: Belief) {
        if self.0.len() >= KEPT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Wait {
            begun,
            came: None,
            level,
            typical_ms: belief.typical(),
            most_ms: (belief.mean + UNLIKELY * belief.deviation()).exp(),
        });
    }

    /// The first token of one that began then came.
    pub(super) fn came(&mut self, begun: Moment, at: Moment) {
        let mut waits = self.0.iter_mut().rev();
        if let Some(wait) = waits.find(|wait| wait.begun == begun && wait.came.is_none()) {
            wait.came = Some(at);
        }
    }

    /// One that began then is over, or no longer looked at: it tells only what it has told.
    pub(super) fn over(&mut self, begun: Moment) {
        let waits = |wait: &Wait| wait.begun == begun && wait.came.is_none();
        if let Some(at) = self.0.iter().rposition(waits) {
            self.0.remove(at);
        }
    }

    /// The level that the route has at least where it is late: where more than half of the last
    /// waits are longer than 19 of 20 of their kind, the middle one of all that are says it. One
    /// that goes on is a bound from below.
    pub(super) fn level(&self, now: Moment) -> Option<f64> {
        let is_late = |wait: &Wait| wait.waited_ms(now) > wait.most_ms;
        let telling = || self.0.iter().rev().filter(|wait| wait.tells(now));
        let (late, told) = telling().take(TOLD_MAX).fold((0, 0), |(late, told), wait| {
            (late + usize::from(is_late(wait)), told + 1)
        });
        if told < TOLD_MIN || late * 2 <= told {
            return None;
        }
        let late = telling().filter(|wait| is_late(wait));
        let mut levels: Vec<f64> = late
            .map(|wait| wait.level + (wait.waited_ms(now) / wait.typical_ms).ln())
            .collect();
        let middle = levels.len() / 2;
        let (_, middle, _) = levels.select_nth_unstable_by(middle, f64::total_cmp);
        Some(*middle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment(millis * 1_000_000)
    }

    /// First tokens typically after 100 ms, 19 of 20 within 228 ms.
    const BELIEF: Belief = Belief {
        mean: 4.605_170_185_988_092,
        variance: 0.05,
        noise: 0.2,
    };

    /// What was believed of the route when its requests began.
    const LEVEL: f64 = 4.0;

    /// By how much the route is later than that.
    fn ratio(waiting: &Waiting, now: u64) -> f64 {
        let level = waiting.level(at(now));
        level.map_or(1.0, |level| (level - LEVEL).exp())
    }

    #[test]
    fn what_waits_says_that_a_route_is_late() {
        for (what, begun, now, expected) in [
            ("nobody waits", &[][..], 5_000, 1.0),
            ("two are too few", &[0, 0], 5_000, 1.0),
            ("three that have only begun", &[910, 950, 990], 1_000, 1.0),
            ("half of four are late", &[0, 0, 850, 850], 1_000, 1.0),
            ("two of three are late", &[0, 200, 850], 1_000, 10.0),
            (
                "two, and one that has only begun",
                &[0, 200, 990],
                1_000,
                1.0,
            ),
            ("all are", &[0, 0, 0, 0, 0], 6_000, 60.0),
            ("within what happens", &[0, 0, 0], 220, 1.0),
        ] {
            let mut waiting = Waiting::default();
            for begun in begun {
                waiting.begin(at(*begun), LEVEL, BELIEF);
            }
            let late = ratio(&waiting, now);
            assert!((late - expected).abs() < 1e-9, "{what}: {late}");
        }
    }

    #[test]
    fn what_came_is_news_for_a_while() {
        let mut waiting = Waiting::default();
        for begun in [1, 2, 3, 3] {
            waiting.begin(at(begun), LEVEL, BELIEF);
        }
        assert!(ratio(&waiting, 4_000) > 39.9, "four wait");
        for begun in [1, 2, 3] {
            waiting.came(at(begun), at(begun + 1_000));
        }
        // The one that never got its own is left out once it is over; those that came stay.
        for begun in [3, 3, 2, 1] {
            waiting.over(at(begun));
        }
        assert_eq!(waiting.0.len(), 3);
        for (now, expected) in [(4_000, 10.0), (31_001, 10.0), (31_900, 1.0)] {
            let late = ratio(&waiting, now);
            assert!((late - expected).abs() < 1e-9, "{now}: {late}");
        }
        for begun in 4_000..4_005 {
            waiting.begin(at(begun), LEVEL, BELIEF);
            waiting.came(at(begun), at(begun + 90));
        }
        assert!(
            (ratio(&waiting, 5_000) - 1.0).abs() < 1e-9,
            "it is well again"
        );
    }

    #[test]
    fn so_many_are_kept() {
        let mut waiting = Waiting::default();
        for begun in 0..1_000 {
            waiting.begin(at(begun), LEVEL, BELIEF);
        }
        assert_eq!(waiting.0.len(), KEPT_MAX);
        waiting.over(at(0));
        waiting.came(at(0), at(1));
        assert!(ratio(&waiting, 10_000) > 90.0);
    }
}
