//! Reads the span of time that a report is asked for.

use std::ops::Range;

use crate::record::WallTime;

/// A span of time: from its first date up to, not including, its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// Its beginning.
    pub from: WallTime,
    /// Its end, not included.
    pub until: WallTime,
}

impl Window {
    /// The span asked for by `since` and `until`, each an age (`90m`, `24h`, `7d`) or a date
    /// (`2026-11-01`, `2026-11-01T12:30:00Z`); the last day where nothing is said.
    pub fn read(since: Option<&str>, until: Option<&str>, now: WallTime) -> Result<Self, String> {
        let from = date(since.unwrap_or("24h"), now)?;
        // What began this very microsecond is in.
        let until = until.map_or(Ok(WallTime(now.0 + 1)), |until| date(until, now))?;
        Self::between(from, until)
    }

    /// The two spans that `text` sets side by side: `FROM/UNTIL..FROM/UNTIL`, each in the words
    /// of [`Self::read`]. Of a side that says only where it begins, the first ends where the
    /// second begins, and the second at `until`, or now: `14d..7d` is the week before the last
    /// seven days against the last seven days.
    pub fn pair(text: &str, until: Option<&str>, now: WallTime) -> Result<[Self; 2], String> {
        let (first, second) = text.split_once("..").ok_or_else(|| {
            format!(
                "`{text}` names no two windows: expected A..B, as 14d..7d, \
                 2026-11-01..2026-11-08 or 2026-11-01/2026-11-08..2026-11-08/2026-11-15"
            )
        })?;
        let second = Self::side(second, until, now)?;
        let begins = second.from;
        let first = match first.split_once('/') {
            Some(_) => Self::side(first, None, now)?,
            None => Self::between(date(first, now)?, begins)?,
        };
        Ok([first, second])
    }

    fn side(text: &str, until: Option<&str>, now: WallTime) -> Result<Self, String> {
        match text.split_once('/') {
            Some((from, until)) => Self::read(Some(from), Some(until), now),
            None => Self::read(Some(text), until, now),
        }
    }

    fn between(from: WallTime, until: WallTime) -> Result<Self, String> {
        if from >= until {
            return Err(format!(
                "the window ends ({}) before it begins ({})",
                until.rfc3339(),
                from.rfc3339()
            ));
        }
        Ok(Self { from, until })
    }

    /// The span as a range.
    #[must_use]
    pub const fn range(&self) -> Range<WallTime> {
        self.from..self.until
    }

    /// Its length in seconds: one that was asked for to the second lacks part of one.
    #[must_use]
    pub const fn seconds(&self) -> i64 {
        (self.until.0 - self.from.0 + 999_998) / 1_000_000
    }
}

/// The longest age in seconds: longer ones reach back before 1970 too.
const AGE_MOST: i64 = 1 << 40;

/// The date that `text` means, seen from `now`. An age that reaches back before 1970 is all there is.
pub fn date(text: &str, now: WallTime) -> Result<WallTime, String> {
    age(text)
        .map(|seconds| now.plus_secs(-seconds).max(WallTime(0)))
        .or_else(|| calendar(text))
        .ok_or_else(|| {
            format!("`{text}` is neither an age (90m, 24h, 7d) nor a date (2026-11-01, 2026-11-01T12:30:00Z)")
        })
}

fn age(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let number = &text[..text.len() - 1];
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return None;
    }
    let count: i64 = number.parse().unwrap_or(AGE_MOST);
    Some(count.saturating_mul(seconds).min(AGE_MOST))
}

fn calendar(text: &str) -> Option<WallTime> {
    let (day, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00"));
    let time = time.strip_suffix('Z').unwrap_or(time);
    let [year, month, day] = numbers(day, '-')?;
    let seconds = if let Some([hour, minute, second]) = numbers(time.split('.').next()?, ':') {
        clock_time(hour, minute, second)?
    } else {
        let [hour, minute] = numbers(time, ':')?;
        clock_time(hour, minute, 0)?
    };
    WallTime::of_day(year, month, day).map(|day| day.plus_secs(seconds))
}

fn clock_time(hour: i64, minute: i64, second: i64) -> Option<i64> {
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

fn numbers<const N: usize>(text: &str, separator: char) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut found = [0; N];
    for number in &mut found {
        let part = parts.next()?;
        let digits = (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        *number = part.parse().ok().filter(|_| digits)?;
    }
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime(1_795_307_749_000_000);

    #[test]
    fn ages_and_dates_are_read() {
        for (text, expected) in [
            ("90m", Some("2026-11-21T23:05:49.000000Z")),
            ("24h", Some("2026-11-21T00:35:49.000000Z")),
            ("7d", Some("2026-11-15T00:35:49.000000Z")),
            ("9999999d", Some("1970-01-01T00:00:00.000000Z")),
            ("99999999999999999999d", Some("1970-01-01T00:00:00.000000Z")),
            ("2026-11-01", Some("2026-11-01T00:00:00.000000Z")),
            ("2024-02-29", Some("2024-02-29T00:00:00.000000Z")),
            ("2026-11-01T12:30", Some("2026-11-01T12:30:00.000000Z")),
            (
                "2026-11-01T12:30:05.25Z",
                Some("2026-11-01T12:30:05.000000Z"),
            ),
            ("2026-02-29", None),
            ("2026-13-01", None),
            ("2026-11-01T25:00", None),
            ("-1h", None),
            ("h", None),
            ("", None),
            ("yesterday", None),
            ("é", None),
        ] {
            let found = date(text, NOW).ok().map(WallTime::rfc3339);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn two_windows_are_read() {
        let day = |text: &str| date(text, NOW).unwrap();
        let ends = |window: Window| (window.from, window.until);
        let end = WallTime(NOW.0 + 1);
        let (one, eight, fifteen) = (day("2026-11-01"), day("2026-11-08"), day("2026-11-15"));
        for (text, until, expected) in [
            (
                "14d..7d",
                None,
                Ok([(day("14d"), day("7d")), (day("7d"), end)]),
            ),
            (
                "2026-11-01..2026-11-08",
                Some("2026-11-15"),
                Ok([(one, eight), (eight, fifteen)]),
            ),
            (
                "2026-11-01/2026-11-08..2026-11-08/2026-11-15",
                None,
                Ok([(one, eight), (eight, fifteen)]),
            ),
            (
                "2026-11-01/2026-11-08..24h",
                None,
                Ok([(one, eight), (day("24h"), end)]),
            ),
            ("7d..14d", None, Err("before it begins")),
            ("7d", None, Err("names no two windows")),
            ("..", None, Err("neither an age")),
            ("7d..soon", None, Err("`soon` is neither")),
            ("1d/2d..1h", None, Err("before it begins")),
        ] {
            match (Window::pair(text, until, NOW), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.map(ends), expected, "{text}"),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                (found, expected) => panic!("{text}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn a_window_ends_after_it_begins() {
        let day = Window::read(None, None, NOW).unwrap();
        assert_eq!((day.seconds(), day.until.0), (86_400, NOW.0 + 1));
        let to_the_second = Window {
            until: WallTime(day.until.0 / 1_000_000 * 1_000_000),
            from: WallTime(day.from.0 + 300_000),
        };
        assert_eq!(to_the_second.seconds(), 86_400);
        assert!(Window::read(Some("1h"), Some("2h"), NOW).is_err());
    }
}
