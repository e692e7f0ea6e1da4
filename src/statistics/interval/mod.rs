//! Says how far from the truth a quantile or a rate may be.

pub mod special;

pub mod binomial;

pub mod order;

pub mod nearby;

pub mod rate;

pub mod bounded;

pub use bounded::{bounded_difference, bounded_mean};
pub use nearby::{Nearby, Pool};
pub use order::{
    OrderEnd, OrderInterval, cluster_effect, counted_cluster_effect, design_effect,
    effective_count, numbered_cluster_effect, of_sketch, order_ci, order_ci_deff,
};
pub use rate::{newcombe, wilson, wilson_deff};

/// The chance of missing the truth that intervals are made for unless one says otherwise.
pub const ALPHA: f64 = 0.05;

/// What the truth lies between, both ends included; an infinite end is an open one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// The interval with both ends open: nothing is known.
    pub const UNKNOWN: Self = Self {
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
    };

    /// Whether `value` lies inside.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Whether both ends are numbers.
    #[must_use]
    pub const fn is_finite(&self) -> bool {
        self.low.is_finite() && self.high.is_finite()
    }

    /// Half the distance of the ends.
    #[must_use]
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }

    /// Both ends through a growing function, as `f64::exp` for an interval of logarithms.
    #[must_use]
    pub fn map(&self, growing: impl Fn(f64) -> f64) -> Self {
        Self {
            low: growing(self.low),
            high: growing(self.high),
        }
    }
}

/// A number found and the interval around it, in one unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The number found.
    pub value: f64,
    /// Where the true number lies.
    pub interval: Interval,
}

impl Estimate {
    /// How surely a difference is none, by its interval of confidence `1 − alpha` on the normal
    /// scale; one when nothing can be said. Never zero: so far out no interval tells the tail.
    #[must_use]
    pub fn p_value(&self, alpha: f64) -> f64 {
        let Self { value, interval } = *self;
        let reach = if value > 0.0 {
            value - interval.low
        } else {
            interval.high - value
        };
        if value == 0.0 || !reach.is_finite() || reach <= 0.0 {
            return 1.0;
        }
        let z = value.abs() / reach * special::normal_quantile(1.0 - alpha / 2.0);
        (2.0 * (1.0 - special::normal_cdf(z))).clamp(f64::EPSILON, 1.0)
    }

    /// The difference `self − other` of two independent estimates, with the interval that follows
    /// from theirs: `d − √((a−l_a)² + (u_b−b)²)` to `d + √((u_a−a)² + (b−l_b)²)`.
    ///
    /// Source: Zou and Donner, Statistics in Medicine 27, 2008 (MOVER); of two rates with Wilson's
    /// intervals it is Newcombe's method 10.
    #[must_use]
    pub fn less(&self, other: &Self) -> Self {
        let value = self.value - other.value;
        let below = |of: &Self| of.value - of.interval.low;
        let above = |of: &Self| of.interval.high - of.value;
        Self {
            value,
            interval: Interval {
                low: value - below(self).hypot(above(other)),
                high: value + above(self).hypot(below(other)),
            },
        }
    }
}
