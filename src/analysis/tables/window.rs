//! Reads the span of time that a report is asked for.

use std::ops::Range;

use crate::record::WallTime;

/// A span of time: from its first date up to, not including, its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// Its length in seconds.
    #[must_use]
    pub const fn seconds(&self) -> i64 {
        (self.until.0 - self.from.0) / 1_000_000
    }
}

/// The date that `text` means, seen from `now`.
pub fn date(text: &str, now: WallTime) -> Result<WallTime, String> {
    age(text)
        .map(|seconds| now.plus_secs(-seconds))
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
    let count: i64 = number.parse().ok().filter(|_| digits)?;
    count.checked_mul(seconds).filter(|all| *all < 1 << 40)
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
            ("99999999999999999999d", None),
            ("é", None),
        ] {
            let found = date(text, NOW).ok().map(WallTime::rfc3339);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_window_ends_after_it_begins() {
        let day = Window::read(None, None, NOW).unwrap();
        assert_eq!((day.seconds(), day.until.0), (86_400, NOW.0 + 1));
        assert!(Window::read(Some("1h"), Some("2h"), NOW).is_err());
    }
}
