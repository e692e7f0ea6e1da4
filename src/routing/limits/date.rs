//! Reads dates as HTTP writes them.

use crate::record::{RateLimitHeader, WallTime};

/// The date of `Sun, 06 Nov 1994 08:49:37 GMT`, or of the two older forms that a recipient reads
/// too (RFC 9110, 5.6.7): `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`.
#[must_use]
pub fn http_date(text: &str) -> Option<WallTime> {
    let text = text.trim();
    let words: Vec<&str> = text
        .split([' ', '-'])
        .filter(|word| !word.is_empty())
        .collect();
    // IMF-fixdate and RFC 850's form, else that of asctime().
    let (day, month, year, clock) = match words[..] {
        [name, day, month, year, clock, "GMT"] if name.ends_with(',') => (day, month, year, clock),
        [_, month, day, clock, year] => (day, month, year, clock),
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let day: i64 = day.parse().ok()?;
    let year: i64 = match (year.len(), year.parse::<i64>().ok()?) {
        // Two digits: of this century, since nobody asks to be left alone until 1994.
        (2, short) => 2_000 + short,
        (_, year) => year,
    };
    at(year, month, day, clock)
}

/// The date of RFC 3339: `2026-11-22T00:00:00Z`, a fraction and an offset allowed.
#[must_use]
pub(super) fn rfc3339(text: &str) -> Option<WallTime> {
    let (date, rest) = text.trim().split_once(['T', 't', ' '])?;
    let mut parts = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || rest.len() < 9 || !rest.is_ascii() {
        return None;
    }
    let (clock, rest) = rest.split_at(8);
    let zone = rest.strip_prefix('.').map_or(rest, |rest| {
        rest.trim_start_matches(|c: char| c.is_ascii_digit())
    });
    let whole = at(year, month, day, clock)?;
    let fraction = &rest[..rest.len() - zone.len()];
    let micros = format!("0{fraction}").parse::<f64>().ok()? * 1e6;
    let whole = whole.plus_secs(-offset(zone)?);
    Some(WallTime(whole.0.saturating_add(micros as i64)))
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let seconds = hours.parse::<i64>().ok()? * 3_600 + minutes.parse::<i64>().ok()? * 60;
    match zone.as_bytes().first()? {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

fn at(year: i64, month: i64, day: i64, clock: &str) -> Option<WallTime> {
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let valid = (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second)
        && parts.next().is_none();
    let day = WallTime::of_day(year, month, day)?;
    valid.then(|| day.plus_secs(hour * 3_600 + minute * 60 + second))
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The provider's own date, where it is among the headers, else `now`.
pub(super) fn dated(headers: &[RateLimitHeader], now: WallTime) -> WallTime {
    let mut dates = headers
        .iter()
        .filter(|header| header.name.as_str() == "date");
    dates.find_map(|date| http_date(&date.value)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_or_refused() {
        for (text, date) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sunday, 06-Nov-26 08:49:37 GMT", Some(1_793_954_977)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 31 Feb 2026 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 25:00:00 GMT", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(http_date(text).map(WallTime::as_secs), date, "{text}");
        }
        for (text, micros) in [
            ("1970-01-01T00:00:01Z", Some(1_000_000)),
            ("1970-01-01T00:00:01.25Z", Some(1_250_000)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("1970-01-01T00:00:00-00:30", Some(1_800_000_000)),
            ("1970-01-01T00:00:01", None),
            ("1970-01-01", None),
            ("1970-01-01T00:00é1Z", None),
        ] {
            assert_eq!(rfc3339(text).map(|date| date.0), micros, "{text}");
        }
    }
}
