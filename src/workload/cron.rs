//! Computes the dates of a schedule in cron's five fields from a date that it is given.
//!
//! Source: crontab(5): minute, hour, day of month, month, day of week; `*`, lists, ranges, steps,
//! names of months and days, Sunday as 0 or 7. Where both days are restricted, either is enough.

use std::fmt;

use crate::record::WallTime;

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a day of the month, and a day of the week, are asked for.
    restricted: [bool; 2],
    /// Seconds that its clock is ahead of UTC.
    offset: i64,
}

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronFault {
    /// It has not five fields.
    #[error("{0} fields where five are expected: minute, hour, day of month, month, day of week")]
    Fields(usize),
    /// A field cannot be read.
    #[error("`{text}` is no {field}: {least} to {most}, `*`, `a-b`, `a,b` or `*/n`")]
    Field {
        /// Its text.
        text: String,
        /// What it is of.
        field: &'static str,
        /// The least number there.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// No date is ever of it.
    #[error("no date is ever of it")]
    Never,
    /// The zone cannot be read.
    #[error("`{0}` is no zone: \"UTC\", or an offset such as \"+01:00\"")]
    Zone(String),
}

struct Field {
    name: &'static str,
    least: u64,
    most: u64,
    words: &'static [&'static str],
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

#[rustfmt::skip]
const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, words: &[] },
    Field { name: "hour", least: 0, most: 23, words: &[] },
    Field { name: "day of month", least: 1, most: 31, words: &[] },
    Field { name: "month", least: 1, most: 12, words: &MONTHS },
    Field { name: "day of week", least: 0, most: 7, words: &WEEKDAYS },
];

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;
/// Days that are looked at: a 29 February is up to eight years off.
const DAYS_MAX: i64 = 366 * 9;

impl Cron {
    /// Reads five fields, by UTC.
    pub fn parse(text: &str) -> Result<Self, CronFault> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(CronFault::Fields(fields.len()));
        };
        let of = |place: usize, text: &str| FIELDS[place].read(text);
        let weekdays = of(4, weekday)?;
        let cron = Self {
            text: fields.join(" "),
            minutes: of(0, minute)?,
            hours: of(1, hour)?,
            days: of(2, day)?,
            months: of(3, month)?,
            // Sunday is 0 and 7.
            weekdays: (weekdays | (weekdays >> 7)) & 0x7f,
            restricted: [!day.starts_with('*'), !weekday.starts_with('*')],
            offset: 0,
        };
        let some = cron.next(WallTime(0)).ok_or(CronFault::Never)?;
        debug_assert!(some.0 > 0, "a date lies behind the one that it follows");
        Ok(cron)
    }

    /// The same by the clocks of `zone`: `UTC`, or an offset (`+01:00`), which knows no summer.
    pub fn in_zone(mut self, zone: &str) -> Result<Self, CronFault> {
        self.offset = offset(zone).ok_or_else(|| CronFault::Zone(zone.to_owned()))?;
        Ok(self)
    }

    /// The first date of it after `now`, to the minute.
    #[must_use]
    pub fn next(&self, now: WallTime) -> Option<WallTime> {
        let local = now.as_secs() + self.offset;
        let from = local.div_euclid(MINUTE) * MINUTE + MINUTE;
        let (first, rest) = (from.div_euclid(DAY), from.rem_euclid(DAY) / MINUTE);
        (first..first + DAYS_MAX)
            .filter(|day| self.takes_day(*day))
            .find_map(|day| {
                let earliest = if day == first { rest } else { 0 };
                let minute = (earliest..DAY / MINUTE).find(|minute| self.takes_minute(*minute))?;
                let seconds = day * DAY + minute * MINUTE - self.offset;
                Some(WallTime(seconds * 1_000_000))
            })
    }

    /// The shortest time between two of its dates, in seconds, over a month from `now`; a month
    /// where there is no second one.
    #[must_use]
    pub fn shortest(&self, now: WallTime) -> i64 {
        let end = now.plus_secs(31 * DAY);
        let mut least = 31 * DAY;
        let mut before: Option<WallTime> = None;
        let mut at = self.next(now);
        while let Some(date) = at.filter(|date| *date < end && least > MINUTE) {
            if let Some(before) = before {
                least = least.min((date.0 - before.0) / 1_000_000);
            }
            before = Some(date);
            at = self.next(date);
        }
        least
    }

    fn takes_minute(&self, minute: i64) -> bool {
        is_in(self.hours, minute / 60) && is_in(self.minutes, minute % 60)
    }

    /// Whether it has dates on that day, counted from 1970.
    fn takes_day(&self, day: i64) -> bool {
        let (_, month, of_month) = civil(day);
        // 1970 began on a Thursday.
        let weekday = (day + 4).rem_euclid(7);
        let (by_month, by_week) = (is_in(self.days, of_month), is_in(self.weekdays, weekday));
        let fits = match self.restricted {
            [true, true] => by_month || by_week,
            _ => by_month && by_week,
        };
        is_in(self.months, month) && fits
    }
}

/// Which dates of a schedule were looked at: each is due once, and what was missed is not made up
/// for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timetable {
    looked: WallTime,
}

impl Timetable {
    /// One that begins at `now`.
    #[must_use]
    pub const fn new(now: WallTime) -> Self {
        Self { looked: now }
    }

    /// Whether a date of `cron` has come since it was last due.
    pub fn is_due(&mut self, cron: &Cron, now: WallTime) -> bool {
        // A clock that was put back is followed: else nothing would be due for as long.
        self.looked = self.looked.min(now);
        let due = cron.next(self.looked).is_some_and(|date| date <= now);
        if due {
            self.looked = now;
        }
        due
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_in(mask: u64, number: i64) -> bool {
    u32::try_from(number).is_ok_and(|number| mask.checked_shr(number).is_some_and(|of| of & 1 == 1))
}

impl Field {
    /// The numbers of a list as bits.
    fn read(&self, text: &str) -> Result<u64, CronFault> {
        text.split(',').try_fold(0, |mask, part| {
            let of = self.part(part).ok_or_else(|| CronFault::Field {
                text: text.to_owned(),
                field: self.name,
                least: self.least,
                most: self.most,
            })?;
            Ok(mask | of)
        })
    }

    fn part(&self, part: &str) -> Option<u64> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, number(step).filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (self.value(from)?, self.value(to)?),
            None if range == "*" => (self.least, self.most),
            // A step from one number on goes to the end, as Vixie's cron has it.
            None if part.contains('/') => (self.value(range)?, self.most),
            None => (self.value(range)?, self.value(range)?),
        };
        let step = usize::try_from(step).ok()?;
        (from <= to).then(|| {
            let numbers = (from..=to).step_by(step);
            numbers.fold(0, |mask, number| mask | 1 << number)
        })
    }

    fn value(&self, text: &str) -> Option<u64> {
        let word = text.to_ascii_lowercase();
        let named = self.words.iter().position(|name| *name == word);
        let value = match named {
            Some(place) => place as u64 + self.least,
            None => number(text)?,
        };
        (self.least..=self.most).contains(&value).then_some(value)
    }
}

/// Digits alone: `+5` is no number here.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("utc") || zone == "Z" {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let seconds = i64::try_from(hours * 3_600 + minutes * 60).ok()?;
    (hours <= 14 && minutes < 60).then_some(sign * seconds)
}

/// Year, month and day of a day counted from 1970: Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms".
const fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> WallTime {
        let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
        let day = WallTime::of_day(number(0..4), number(5..7), number(8..10)).unwrap();
        day.plus_secs(number(11..13) * 3_600 + number(14..16) * 60)
    }

    #[test]
    fn the_next_date_is_found() {
        // Sunday, 22 November 2026.
        for (cron, zone, now, next) in [
            (
                "*/15 * * * *",
                "UTC",
                "2026-11-22T13:07",
                "2026-11-22T13:15",
            ),
            (
                "*/15 * * * *",
                "UTC",
                "2026-11-22T13:15",
                "2026-11-22T13:30",
            ),
            (
                "*/15 * * * *",
                "UTC",
                "2026-12-31T23:45",
                "2027-01-01T00:00",
            ),
            ("0 */6 * * *", "UTC", "2026-11-22T13:07", "2026-11-22T18:00"),
            (
                "30 9 * * mon-fri",
                "UTC",
                "2026-11-22T13:07",
                "2026-11-23T09:30",
            ),
            ("0 0 * * 7", "UTC", "2026-11-22T13:07", "2026-11-29T00:00"),
            ("0 0 * * SUN", "UTC", "2026-11-21T13:07", "2026-11-22T00:00"),
            ("0 0 1 * *", "UTC", "2026-11-22T13:07", "2026-12-01T00:00"),
            ("0 0 31 * *", "UTC", "2026-11-22T13:07", "2026-12-31T00:00"),
            ("0 0 29 2 *", "UTC", "2026-11-22T13:07", "2028-02-29T00:00"),
            ("0 0 29 2 *", "UTC", "2096-11-22T13:07", "2104-02-29T00:00"),
            // Either day will do where both are asked for.
            (
                "0 12 1 * tue",
                "UTC",
                "2026-11-22T13:07",
                "2026-11-24T12:00",
            ),
            (
                "5/20 8-10/2,22 * jan,nov *",
                "UTC",
                "2026-11-22T13:07",
                "2026-11-22T22:05",
            ),
            (
                "5/20 8-10/2,22 * jan,nov *",
                "UTC",
                "2026-11-30T22:46",
                "2027-01-01T08:05",
            ),
            (
                "0 9 * * *",
                "+02:00",
                "2026-11-22T06:59",
                "2026-11-22T07:00",
            ),
            (
                "0 9 * * *",
                "-05:30",
                "2026-11-22T14:30",
                "2026-11-23T14:30",
            ),
        ] {
            let cron = Cron::parse(cron).unwrap().in_zone(zone).unwrap();
            let found = cron.next(at(now)).unwrap();
            assert_eq!(found.rfc3339(), at(next).rfc3339(), "{cron} after {now}");
        }
    }

    #[test]
    fn every_date_is_of_it_and_none_is_left_out() {
        let cron = Cron::parse("7,37 3-5 * * *").unwrap();
        let (start, mut dates) = (at("2026-11-22T00:00"), Vec::new());
        let mut now = start;
        while let Some(date) = cron
            .next(now)
            .filter(|date| *date < start.plus_secs(2 * DAY))
        {
            dates.push(date.rfc3339()[11..16].to_owned());
            now = date;
        }
        let day = ["03:07", "03:37", "04:07", "04:37", "05:07", "05:37"];
        assert_eq!(dates, [day, day].concat());
        assert_eq!(cron.shortest(start), 1_800);
        assert_eq!(Cron::parse("0 0 * * *").unwrap().shortest(start), DAY);
    }

    #[test]
    fn each_date_is_due_once_and_what_was_missed_is_not_made_up_for() {
        let cron = Cron::parse("*/15 * * * *").unwrap();
        let mut table = Timetable::new(at("2026-11-22T13:07"));
        for (now, due) in [
            ("2026-11-22T13:07", false),
            ("2026-11-22T13:14", false),
            ("2026-11-22T13:15", true),
            ("2026-11-22T13:15", false),
            ("2026-11-22T13:29", false),
            // An hour asleep.
            ("2026-11-22T14:31", true),
            ("2026-11-22T14:32", false),
            // The clock is put back.
            ("2026-11-22T13:40", false),
            ("2026-11-22T13:45", true),
        ] {
            assert_eq!(table.is_due(&cron, at(now)), due, "{now}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for (text, says) in [
            ("", "0 fields"),
            ("* * * *", "4 fields"),
            ("60 * * * *", "`60` is no minute"),
            ("* 24 * * *", "no hour"),
            ("* * 0 * *", "no day of month"),
            ("* * * 13 *", "no month"),
            ("* * * * 8", "no day of week"),
            ("*/0 * * * *", "no minute"),
            ("9-5 * * * *", "no minute"),
            ("+5 * * * *", "no minute"),
            ("1,,2 * * * *", "no minute"),
            ("@daily", "1 fields"),
            ("0 0 30 2 *", "no date"),
        ] {
            let fault = Cron::parse(text).unwrap_err().to_string();
            assert!(fault.contains(says), "{text}: {fault}");
        }
        let cron = Cron::parse("* * * * *").unwrap();
        for zone in ["", "CET", "+1", "+15:00", "+01:60", "01:00"] {
            assert!(cron.clone().in_zone(zone).is_err(), "{zone}");
        }
    }

    /// Its clock is UTC or an offset from it: where others turn their clocks, no hour comes twice
    /// and none is missing.
    #[test]
    fn no_hour_is_doubled_or_missing_where_clocks_are_turned() {
        // The nights of Europe's and America's changes.
        for day in ["2026-03-28", "2026-10-24", "2026-03-07", "2026-10-31"] {
            let numbers: Vec<i64> = day.split('-').map(|part| part.parse().unwrap()).collect();
            let from = WallTime::of_day(numbers[0], numbers[1], numbers[2]).unwrap();
            for zone in ["UTC", "+01:00", "-05:00", "+05:30"] {
                let hourly = Cron::parse("30 * * * *").unwrap().in_zone(zone).unwrap();
                let nightly = Cron::parse("30 2 * * *").unwrap().in_zone(zone).unwrap();
                for (cron, apart, times) in [(hourly, 3_600, 72), (nightly, 86_400, 3)] {
                    let mut last = cron.next(from).unwrap();
                    for _ in 0..times {
                        let next = cron.next(last).unwrap();
                        assert_eq!(next.as_secs() - last.as_secs(), apart, "{day} {zone}");
                        last = next;
                    }
                }
            }
        }
    }
}
