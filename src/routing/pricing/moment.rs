//! Reads the dates and hours of prices, which are UTC.

use std::fmt;

use crate::record::WallTime;

/// The beginning of a day such as `2026-03-13`.
#[must_use]
pub fn day(text: &str) -> Option<WallTime> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = number(&text[..4])?;
    let (month, day) = (number(&text[5..7])?, number(&text[8..])?);
    WallTime::of_day(year, month, day)
}

/// A day, or a minute such as `2026-08-16T16:00Z`.
#[must_use]
pub fn instant(text: &str) -> Option<WallTime> {
    let Some((date, time)) = text.split_once('T') else {
        return day(text);
    };
    let minute = minute(time.strip_suffix('Z')?)?;
    // 24:00 is the day after.
    (minute < MINUTES_OF_DAY)
        .then(|| day(date))?
        .map(|date| date.plus_secs(i64::from(minute) * 60))
}

/// The minute of the day of a text such as `16:30`; `24:00` is its end.
#[must_use]
pub(super) fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two = |part: &str| number(part).filter(|_| part.len() == 2);
    let minutes = two(hour)? * 60 + two(minute).filter(|minute| *minute < 60)?;
    u16::try_from(minutes)
        .ok()
        .filter(|minutes| *minutes <= MINUTES_OF_DAY)
}

/// Days of the week, Monday first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Days(u8);

impl Days {
    /// Every day.
    pub const ALL: Self = Self(0x7f);

    /// The names of the days, as a price table writes them.
    pub const NAMES: [&'static str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    /// The days of those names; at least one.
    #[must_use]
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut bits = 0;
        for name in names {
            bits |= 1 << Self::NAMES.iter().position(|known| *known == name)?;
        }
        (bits != 0).then_some(Self(bits))
    }

    const fn has(self, day: u32) -> bool {
        self.0 >> day & 1 == 1
    }
}

/// A span of the day in UTC; one that ends before it begins goes over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    from: u16,
    to: u16,
    days: Days,
}

impl Span {
    /// The span between two hours such as `16:30` and `00:30`, on those days: the day on which it
    /// begins counts.
    #[must_use]
    pub fn between(from: &str, to: &str, days: Days) -> Option<Self> {
        let (from, to) = (minute(from)?, minute(to)?);
        (from != to && from < MINUTES_OF_DAY).then_some(Self { from, to, days })
    }

    /// Whether a moment lies in it; its end does not.
    #[must_use]
    pub const fn holds(self, at: WallTime) -> bool {
        let seconds = at.0.div_euclid(1_000_000);
        let day = seconds.div_euclid(DAY);
        let minute = (seconds.rem_euclid(DAY) / 60) as u16;
        // 1970-01-01 was a Thursday.
        let today = (day + 3).rem_euclid(7) as u32;
        let yesterday = (today + 6) % 7;
        if self.from < self.to {
            return self.days.has(today) && self.from <= minute && minute < self.to;
        }
        (self.days.has(today) && minute >= self.from)
            || (self.days.has(yesterday) && minute < self.to)
    }
}

/// `16:30-00:30`, and the days where not every one is meant.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from, self.to);
        write!(
            f,
            "{:02}:{:02}-{:02}:{:02}",
            from / 60,
            from % 60,
            to / 60,
            to % 60
        )?;
        if self.days != Days::ALL {
            for (at, name) in (0..).zip(Days::NAMES) {
                if self.days.has(at) {
                    write!(f, " {name}")?;
                }
            }
        }
        Ok(())
    }
}

const DAY: i64 = 86_400;
const MINUTES_OF_DAY: u16 = 1_440;

fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        for (text, expected) in [
            ("2026-03-13", Some("2026-03-13T00:00:00.000000Z")),
            ("2024-02-29", Some("2024-02-29T00:00:00.000000Z")),
            ("2026-08-16T16:00Z", Some("2026-08-16T16:00:00.000000Z")),
            ("2026-02-29", None),
            ("2026-3-13", None),
            ("2026-08-16T16:00", None),
            ("2026-08-16T24:00Z", None),
            ("2026-08-16T16:60Z", None),
            ("åå-åå-å", None),
            ("", None),
        ] {
            let found = instant(text).map(WallTime::rfc3339);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn spans_hold_their_beginning_and_not_their_end() {
        let night = Span::between("16:30", "00:30", Days::ALL).unwrap();
        let peak = Span::between("01:00", "04:00", Days::of(["mon", "fri"]).unwrap()).unwrap();
        let over = Span::between("23:00", "01:00", Days::of(["sun"]).unwrap()).unwrap();
        let day = Span::between("00:00", "24:00", Days::of(["sat"]).unwrap()).unwrap();
        for (span, at, held) in [
            (night, "2026-11-20T16:29Z", false),
            (night, "2026-11-20T16:30Z", true),
            (night, "2026-11-20T00:29Z", true),
            (night, "2026-11-20T00:30Z", false),
            // A Friday, a Saturday, a Monday.
            (peak, "2026-11-20T01:00Z", true),
            (peak, "2026-11-20T04:00Z", false),
            (peak, "2026-11-21T01:00Z", false),
            (peak, "2026-11-23T03:59Z", true),
            (over, "2026-11-22T23:30Z", true),
            (over, "2026-11-23T00:59Z", true),
            (over, "2026-11-22T00:30Z", false),
            (day, "2026-11-21T23:59Z", true),
            (day, "2026-11-22T00:00Z", false),
        ] {
            assert_eq!(span.holds(instant(at).unwrap()), held, "{span:?} {at}");
        }
        assert_eq!(Span::between("25:00", "01:00", Days::ALL), None);
        assert_eq!(Span::between("01:00", "01:00", Days::ALL), None);
        assert_eq!(Days::of(["monday"]), None);
        assert_eq!(Days::of([]), None);
    }
}
