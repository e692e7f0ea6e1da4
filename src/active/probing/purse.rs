//! Keeps to what probes may be sent and may cost in a day.

use crate::config::probes::ProbeSettings;
use crate::record::{PicoDollars, WallTime};

/// What was sent since the day began, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purse {
    day: i64,
    sent: u64,
    cost: PicoDollars,
    /// Whether it was said today that no more is left.
    said: bool,
}

impl Purse {
    /// That of the day of `now`, on which so many probes were sent that cost so much.
    #[must_use]
    pub fn new(now: WallTime, (sent, cost): (u64, PicoDollars)) -> Self {
        Self {
            day: day_of(now),
            sent,
            cost,
            said: false,
        }
    }

    /// Takes one probe that may cost `most` out of it; none where the day's number or money would
    /// be passed.
    pub fn take(&mut self, limits: &ProbeSettings, most: PicoDollars, now: WallTime) -> bool {
        self.turn(now);
        let cost = self.cost.0.saturating_add(most.0);
        let fits = self.sent < limits.per_day && cost <= limits.cost_per_day.0;
        if fits {
            self.sent += 1;
            self.cost = PicoDollars(cost);
        } else if !self.said {
            self.said = true;
            tracing::warn!(
                sent = self.sent,
                usd = self.cost.as_dollars(),
                "no more probes today: probes.per_day or probes.max_cost_per_day is reached"
            );
        }
        fits
    }

    /// Probes sent today, and US dollars that they may have cost.
    #[must_use]
    pub fn spent(&mut self, now: WallTime) -> (u64, PicoDollars) {
        self.turn(now);
        (self.sent, self.cost)
    }

    /// A new day has everything again.
    fn turn(&mut self, now: WallTime) {
        if day_of(now) != self.day {
            *self = Self::new(now, (0, PicoDollars(0)));
        }
    }
}

fn day_of(at: WallTime) -> i64 {
    at.as_secs().div_euclid(86_400)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_day_has_its_number_and_its_money() {
        let limits = |per_day, dollars: u64| ProbeSettings {
            enabled: false,
            idle_after: Duration::from_mins(15),
            schedule: None,
            models: Vec::new(),
            cold: false,
            per_day,
            cost_per_day: PicoDollars(dollars),
            max_tokens: None,
        };
        let (noon, night) = (WallTime(43_200_000_000), WallTime(86_400_000_000));
        for (per_day, dollars, before, expected) in [
            (5, 100, (0, 0), 5),
            (50, 25, (0, 0), 2),
            (5, 100, (4, 0), 1),
            (50, 25, (1, 20), 0),
            (50, 0, (0, 0), 0),
        ] {
            let mut purse = Purse::new(noon, (before.0, PicoDollars(before.1)));
            let limits = limits(per_day, dollars);
            let mut taken = |at| {
                let takes = |_: &i32| purse.take(&limits, PicoDollars(10), at);
                (0..20).filter(takes).count() as u64
            };
            assert_eq!(taken(noon), expected, "{per_day} {dollars} {before:?}");
            assert_eq!(taken(night), per_day.min(dollars / 10), "the day after");
        }
        // What has no price costs nothing that is known.
        let mut purse = Purse::new(noon, (0, PicoDollars(0)));
        assert!(purse.take(&limits(1, 0), PicoDollars(0), noon));
    }
}
