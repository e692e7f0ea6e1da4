//! Says whether a moment is within certain hours of certain days, in UTC.

use crate::record::WallTime;

/// Hours of the day, on some days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// Minute of the day at which they begin.
    pub from: u16,
    /// Minute of the day before which they end; before `from` where they go over midnight.
    pub until: u16,
    /// The days on which they begin, Monday first.
    pub days: [bool; 7],
}

const DAY: i64 = 86_400;

impl Hours {
    /// Whether `at` is within them.
    #[must_use]
    pub fn holds(&self, at: WallTime) -> bool {
        let minute = (at.as_secs().rem_euclid(DAY) / 60) as u16;
        // 1970-01-01 was a Thursday.
        let today = (at.as_secs().div_euclid(DAY) + 3).rem_euclid(7) as usize;
        if self.from <= self.until {
            return self.days[today] && (self.from..self.until).contains(&minute);
        }
        let yesterday = (today + 6) % 7;
        self.days[today] && minute >= self.from || self.days[yesterday] && minute < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_go_over_midnight() {
        let only = |day: usize| std::array::from_fn(|at| at == day);
        let hours = |from, until, days| Hours { from, until, days };
        // 2026-11-22 is a Sunday.
        let sunday = WallTime::of_day(2026, 11, 22).unwrap();
        let at = |hour: i64, minute: i64| sunday.plus_secs(hour * 3_600 + minute * 60);
        for (hours, at, holds) in [
            (hours(540, 1_020, [true; 7]), at(9, 0), true),
            (hours(540, 1_020, [true; 7]), at(17, 0), false),
            (hours(540, 1_020, only(6)), at(12, 0), true),
            (hours(540, 1_020, only(0)), at(12, 0), false),
            (hours(1_320, 360, only(6)), at(23, 0), true),
            (hours(1_320, 360, only(6)), at(3, 0), false),
            (hours(1_320, 360, only(5)), at(3, 0), true),
            (hours(1_320, 360, only(6)), at(27, 0), true),
        ] {
            assert_eq!(hours.holds(at), holds, "{hours:?} {at:?}");
        }
    }
}
