//! Holds the quantities that must not be confused: moments, spans, wall time, money, names.

use std::fmt;
use std::sync::Arc;

/// A moment on the machine's monotonic clock (`CLOCK_MONOTONIC`), in nanoseconds.
///
/// Only differences between moments mean anything; a moment is never shown as a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// The span from `earlier` to `self`; zero where `earlier` is in fact the later one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment `span` after `self`.
    #[must_use]
    pub fn plus(self, span: Nanos) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

/// A span of time in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nanos(pub u64);

impl Nanos {
    /// A span of whole milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The span in milliseconds, for showing.
    #[must_use]
    pub fn as_millis(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The span in microseconds, for showing.
    #[must_use]
    pub fn as_micros(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// The span in seconds, for showing.
    #[must_use]
    pub fn as_secs(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

/// A date: microseconds since 1970-01-01 UTC. A label, never a clock to measure with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(pub i64);

impl WallTime {
    /// The beginning of a day, 1970 to 9999; absent where the calendar has no such day.
    #[must_use]
    pub fn of_day(year: i64, month: i64, day: i64) -> Option<Self> {
        let valid = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in(year, month)).contains(&day);
        valid.then(|| Self::default().plus_secs(days_from_civil(year, month, day) * 86_400))
    }

    /// The date `seconds` after this one (before it, where negative).
    #[must_use]
    pub fn plus_secs(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Its year and month.
    #[must_use]
    pub fn month(self) -> (i64, i64) {
        let (year, month, _) = civil_from_days(self.as_secs().div_euclid(86_400));
        (year, month)
    }

    /// The date as RFC 3339 in UTC with microseconds, e.g. `2026-11-22T00:35:49.000001Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let seconds = self.as_secs();
        let micros = self.0.rem_euclid(1_000_000);
        let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
        let of_day = seconds.rem_euclid(86_400);
        format!(
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{micros:06}Z",
            of_day / 3600,
            of_day / 60 % 60,
            of_day % 60
        )
    }
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar.
/// Source: H. Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Days since 1970 as (year, month, day) of the proleptic Gregorian calendar.
/// Source: H. Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

/// Money in integer pico-dollars (1 USD = 10^12), so that no sum depends on its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PicoDollars(pub u64);

impl PicoDollars {
    /// The amount in US dollars, for showing.
    #[must_use]
    pub fn as_dollars(self) -> f64 {
        self.0 as f64 / 1e12
    }
}

/// A short shared text that names something: a provider, a model, a region.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name(Arc<str>);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::ops::Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(Arc::from(text))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(Arc::from(text))
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_as_rfc3339() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_001, "2000-02-29T00:00:00.000001Z"),
            (1_795_307_749_123_456, "2026-11-22T00:35:49.123456Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(WallTime(micros).rfc3339(), text);
        }
    }

    #[test]
    fn a_span_never_runs_backwards() {
        assert_eq!(Moment(5).since(Moment(9)), Nanos(0));
        assert_eq!(Moment(9).since(Moment(5)), Nanos(4));
    }
}
