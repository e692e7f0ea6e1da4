//! Adds up what each month has cost.

use crate::record::{PicoDollars, WallTime};

/// Months that are kept: this one, and those that a clock which went wrong has seen.
const MONTHS: usize = 4;

/// What the last months have cost, by year and month of UTC, the one that was added to last behind.
///
/// A month is not left for good when a later one is seen: a machine that wakes with its clock a year
/// ahead, sends a request and puts the clock right would go on without its budget otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spending(Vec<((i64, i64), Spent)>);

/// What a month has cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// What is known of it.
    pub known: PicoDollars,
    /// Exchanges that may be billed and whose cost is not known: they are not in that sum.
    pub unpriced: u64,
}

impl Spending {
    /// Adds what was spent at a date.
    pub fn add(&mut self, cost: PicoDollars, at: WallTime) {
        let spent = self.of(at.month());
        spent.known = PicoDollars(spent.known.0.saturating_add(cost.0));
    }

    /// Adds an exchange of that date of which nobody knows what it costs.
    pub fn add_unpriced(&mut self, at: WallTime) {
        let spent = self.of(at.month());
        spent.unpriced = spent.unpriced.saturating_add(1);
    }

    /// At least so much was spent in the month of `now`.
    pub fn at_least(&mut self, least: PicoDollars, now: WallTime) {
        let spent = self.of(now.month());
        spent.known = least.max(spent.known);
    }

    /// What the month of `now` has cost so far.
    #[must_use]
    pub fn of_month(&self, now: WallTime) -> Spent {
        let month = now.month();
        let found = self.0.iter().find(|(of, _)| *of == month);
        found.map_or_else(Spent::default, |(_, spent)| *spent)
    }

    /// As text, to be kept: for each month its year, its number, and pico-dollars, with a plus behind
    /// them and the number of the exchanges whose cost is not known, where there were any.
    #[must_use]
    pub fn text(&self) -> String {
        let of = |((year, month), spent): &((i64, i64), Spent)| {
            let known = format!("{year} {month} {}", spent.known.0);
            match spent.unpriced {
                0 => known,
                unpriced => format!("{known}+{unpriced}"),
            }
        };
        let months: Vec<String> = self.0.iter().map(of).collect();
        months.join(" ")
    }

    /// What was kept so.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut months = Vec::new();
        for month in words.chunks(3) {
            let [year, month, spent] = month else {
                return None;
            };
            let of = (year.parse().ok()?, month.parse().ok()?);
            let (known, unpriced) = spent.split_once('+').unwrap_or((spent, "0"));
            let spent = Spent {
                known: PicoDollars(known.parse().ok()?),
                unpriced: unpriced.parse().ok()?,
            };
            // Nothing was spent yet: kept as month 0 by earlier versions.
            if (1..=12).contains(&of.1) {
                months.push((of, spent));
            }
        }
        months.truncate(MONTHS);
        Some(Self(months))
    }

    /// A month, which is the last of the list from then on; the first makes room.
    fn of(&mut self, month: (i64, i64)) -> &mut Spent {
        let place = self.0.iter().position(|(of, _)| *of == month);
        let found = place.map_or((month, Spent::default()), |place| self.0.remove(place));
        if self.0.len() >= MONTHS {
            self.0.remove(0);
        }
        let last = self.0.len();
        self.0.push(found);
        &mut self.0[last].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(year: i64, month: i64) -> WallTime {
        WallTime::of_day(year, month, 1).unwrap()
    }

    #[test]
    fn a_month_begins_with_nothing() {
        let (november, december) = (of(2026, 11), of(2026, 12));
        let mut spending = Spending::default();
        assert_eq!(spending.of_month(november).known, PicoDollars(0));
        spending.add(PicoDollars(5), november);
        spending.add(PicoDollars(7), november);
        assert_eq!(spending.of_month(november).known, PicoDollars(12));
        assert_eq!(spending.of_month(december).known, PicoDollars(0));
        spending.add(PicoDollars(1), december);
        // One that ended before the month did, and is told of late, is that month's.
        spending.add(PicoDollars(3), november);
        assert_eq!(spending.of_month(december).known, PicoDollars(1));
        assert_eq!(spending.of_month(november).known, PicoDollars(15));
        // What the store knows is never less than is said.
        for (sum, expected) in [(0, 1), (9, 9), (4, 9)] {
            spending.at_least(PicoDollars(sum), december);
            assert_eq!(spending.of_month(december).known, PicoDollars(expected));
        }
        spending.at_least(PicoDollars(100), november);
        assert_eq!(spending.of_month(december).known, PicoDollars(9));
    }

    #[test]
    fn a_clock_that_was_ahead_costs_no_budget() {
        let now = of(2026, 11);
        let mut spending = Spending::default();
        spending.add(PicoDollars(10), now);
        for ahead in [of(2027, 11), of(2036, 1), of(2099, 12), of(2100, 1)] {
            spending.add(PicoDollars(1), ahead);
            spending.add(PicoDollars(1), now);
        }
        assert_eq!(spending.of_month(now).known, PicoDollars(14));
        assert_eq!(spending.0.len(), MONTHS);
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let mut spending = Spending::default();
        assert_eq!(Spending::of_text(&spending.text()), Some(spending.clone()));
        spending.add(PicoDollars(3), of(2026, 11));
        spending.add_unpriced(of(2026, 11));
        spending.add(PicoDollars(4), of(2027, 1));
        assert_eq!(Spending::of_text(&spending.text()), Some(spending));
        for (text, november) in [
            ("0 0 0", Some((0, 0))),
            ("2026 11 5", Some((5, 0))),
            ("2026 11 5+7", Some((5, 7))),
            ("2026 11 5+", None),
            ("2026 11", None),
        ] {
            let found = Spending::of_text(text).map(|spending| spending.of_month(of(2026, 11)));
            let november = november.map(|(known, unpriced)| Spent {
                known: PicoDollars(known),
                unpriced,
            });
            assert_eq!(found, november, "{text}");
        }
    }
}
