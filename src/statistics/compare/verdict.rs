//! Decides from the interval of a difference what may be said about it.
//!
//! Source: two one-sided tests of equivalence (Schuirmann 1987), with the margin that the user
//! names. Whether two intervals overlap is never asked.

use crate::statistics::interval::Estimate;

/// The difference below which nobody cares, in the unit of what is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margin {
    /// The smallest margin, in the unit of the samples.
    pub absolute: f64,
    /// The smallest margin as a share of the reference.
    pub relative: f64,
}

impl Margin {
    /// The larger of 20 ms and 3 %, for samples in nanoseconds.
    pub const NANOS: Self = Self {
        absolute: 20e6,
        relative: 0.03,
    };

    /// The larger of 20 ms and 3 %, for samples in milliseconds.
    pub const MILLIS: Self = Self {
        absolute: 20.0,
        relative: 0.03,
    };

    /// The margin beside `reference`, the quantile of the arm compared with.
    #[must_use]
    pub fn beside(&self, reference: f64) -> f64 {
        self.absolute.max(self.relative * reference.abs())
    }
}

/// What may be said about a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The interval lies within the margin and holds zero.
    Equivalent,
    /// The interval excludes zero, and the difference is larger than the margin.
    Different,
    /// The interval excludes zero and lies within the margin.
    RealButNegligible,
    /// None of these.
    Inconclusive {
        /// About how many more numbers of each kind would decide, were the difference what it
        /// seems; absent where no number would, or none can be told.
        need_about_more: Option<u64>,
    },
}

/// The verdict on a difference of `count` numbers an arm (the smaller arm's, or pairs) beside
/// `margin`.
///
/// Widths shrink as `1/√n`, from which the number of those that are wanting follows.
#[must_use]
pub fn decide(difference: &Estimate, margin: f64, count: usize) -> Verdict {
    let Estimate { value, interval } = *difference;
    let real = !interval.contains(0.0);
    if interval.low >= -margin && interval.high <= margin {
        return if real {
            Verdict::RealButNegligible
        } else {
            Verdict::Equivalent
        };
    }
    if real && value.abs() > margin {
        return Verdict::Different;
    }
    Verdict::Inconclusive {
        need_about_more: wanting(difference, margin, count),
    }
}

fn wanting(difference: &Estimate, margin: f64, count: usize) -> Option<u64> {
    let Estimate { value, interval } = *difference;
    let (below, above) = (value - interval.low, interval.high - value);
    // By how much both sides must shrink.
    let factor = if value.abs() > margin {
        value.abs() / if value > 0.0 { below } else { above }
    } else {
        ((margin - value) / above).min((margin + value) / below)
    };
    let needed = count as f64 / (factor * factor);
    let more = (needed - count as f64).ceil().max(1.0);
    (interval.is_finite() && more < 1e12).then_some(more as u64)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "exact by construction")]
mod tests {
    use super::*;
    use crate::statistics::interval::Interval;

    #[test]
    fn verdicts_follow_the_interval_and_the_margin() {
        use Verdict::{Different, Equivalent, Inconclusive, RealButNegligible};
        let need = |more| Inconclusive {
            need_about_more: more,
        };
        for (low, value, high, expected) in [
            (-10.0, 1.0, 12.0, Equivalent),
            (2.0, 6.0, 12.0, RealButNegligible),
            (-20.0, 0.0, 20.0, Equivalent),
            (5.0, 30.0, 55.0, Different),
            (-55.0, -30.0, -5.0, Different),
            // Half the width would do: four times as many.
            (-40.0, 0.0, 40.0, need(Some(300))),
            (-30.0, 30.0, 90.0, need(Some(300))),
            (-90.0, -30.0, 30.0, need(Some(300))),
            // Surely no zero, but is it within the margin?
            (5.0, 15.0, 25.0, need(Some(300))),
            (5.0, 20.0, 35.0, need(None)),
            (-5.0, 30.0, f64::INFINITY, need(None)),
        ] {
            let interval = Interval { low, high };
            let found = decide(&Estimate { value, interval }, 20.0, 100);
            assert_eq!(found, expected, "{low} {value} {high}");
        }
        assert_eq!(Margin::MILLIS.beside(300.0), 20.0);
        assert_eq!(Margin::MILLIS.beside(1_000.0), 30.0);
    }
}
