//! Holds amounts without fractions: prices per token, shares, dollars read from decimals.

use std::fmt;

use crate::record::PicoDollars;

/// A price per token in whole pico-dollars: one is a dollar per million million tokens, so that
/// US dollars per million tokens with six decimals are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rate(pub u64);

impl Rate {
    /// The rate of a decimal such as `2.50`, US dollars per million tokens.
    #[must_use]
    pub fn per_million(text: &str) -> Option<Self> {
        decimal(text, 6).filter(|rate| *rate <= HIGHEST).map(Self)
    }
}

/// US dollars per million tokens, without zeros that say nothing.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0, 6)
    }
}

/// A million dollars per million tokens: a higher price is a slip of the pen, and sums stay small.
const HIGHEST: u64 = 1_000_000_000_000;

/// A share of a whole in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

impl Share {
    /// The whole.
    pub const WHOLE: Self = Self(MILLION);

    /// The share of a decimal such as `0.1`; from 0 to 1, six decimals at most.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let millionths = u32::try_from(decimal(text, 6)?).ok()?;
        (millionths <= MILLION).then_some(Self(millionths))
    }

    /// So many millionths, the whole at most.
    #[must_use]
    pub const fn of_millionths(millionths: u32) -> Self {
        Self(if millionths > MILLION {
            MILLION
        } else {
            millionths
        })
    }

    /// The share as a number from 0 to 1.
    #[must_use]
    pub fn as_fraction(self) -> f64 {
        f64::from(self.0) / f64::from(MILLION)
    }

    /// The share in millionths.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// What is left when this share is taken away.
    #[must_use]
    pub const fn rest(self) -> Self {
        Self(MILLION - self.0)
    }

    /// One share of another of an amount below 2^64, rounded once, to the nearest whole, halves
    /// upward.
    #[must_use]
    pub const fn both_of(one: Self, other: Self, amount: u128) -> u128 {
        const WHOLE: u128 = MILLION as u128 * MILLION as u128;
        (amount * one.0 as u128 * other.0 as u128 + WHOLE / 2) / WHOLE
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0.into(), 6)
    }
}

const MILLION: u32 = 1_000_000;

/// The amount of a decimal of US dollars such as `2.50`, twelve decimals at most.
#[must_use]
pub fn dollars(text: &str) -> Option<PicoDollars> {
    decimal(text, 12).map(PicoDollars)
}

/// A decimal as a whole number of its `places`-th parts. No sign, no exponent, nothing rounded.
fn decimal(text: &str, places: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let fraction = fraction.trim_end_matches('0');
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > places {
        return None;
    }
    let scale = 10_u64.checked_pow(u32::try_from(places).ok()?)?;
    let padded = format!("{fraction:0<places$}");
    let parts: u64 = padded.parse().ok()?;
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(scale)?
        .checked_add(parts)
}

fn write_decimal(f: &mut fmt::Formatter<'_>, parts: u64, places: usize) -> fmt::Result {
    let scale = 10_u64.pow(places as u32);
    let fraction = format!("{:0places$}", parts % scale);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() {
        write!(f, "{}", parts / scale)
    } else {
        // Money has two places at least.
        write!(f, "{}.{fraction:0<2}", parts / scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        for (text, rate) in [
            ("3", Some(3_000_000)),
            ("3.30", Some(3_300_000)),
            ("0.0028", Some(2_800)),
            ("0.003625", Some(3_625)),
            ("0", Some(0)),
            ("0.00362500", Some(3_625)),
            ("0.0000001", None),
            ("-1", None),
            ("1e-3", None),
            (".5", None),
            ("", None),
            ("inf", None),
            ("1,5", None),
            ("1000000", Some(1_000_000_000_000)),
            ("1000001", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(Rate::per_million(text).map(|rate| rate.0), rate, "{text}");
        }
    }

    #[test]
    fn amounts_are_shown_as_they_are_read() {
        for text in ["3", "3.30", "0.0028", "0.003625", "0", "12.50"] {
            assert_eq!(Rate::per_million(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn shares_round_halves_upward() {
        let half = Share::read("0.5").unwrap();
        for (amount, share) in [
            (0, 0),
            (1, 1),
            (2, 1),
            (3, 2),
            (u128::from(u64::MAX), 1 << 63),
        ] {
            assert_eq!(
                Share::both_of(half, Share::WHOLE, amount),
                share,
                "{amount}"
            );
        }
        // A quarter of 2 is a half, of 1 a quarter: not a half of a half rounded twice.
        assert_eq!(Share::both_of(half, half, 2), 1);
        assert_eq!(Share::both_of(half, half, 1), 0);
        let tenth = Share::read("0.1").unwrap();
        assert_eq!(tenth.rest(), Share::read("0.9").unwrap());
        assert_eq!(Share::read("1.1"), None);
        assert_eq!(Share::read("0.0000001"), None);
    }
}
