//! Analyses pairs: the percentile of differences, never the difference of percentiles.

use super::rank::{mann_whitney_p, sign_p, wilcoxon_p};
use super::shift::{hodges_lehmann, hodges_lehmann_paired};
use crate::statistics::interval::{Estimate, OrderInterval, order_ci};
use crate::statistics::quantile::{Sample, sorted};

/// What pairs say about `D = a − b`.
#[derive(Debug, Clone, PartialEq)]
pub struct Paired {
    /// How many pairs.
    pub count: usize,
    /// The median of the differences with the exact interval of the sign test: the headline.
    pub median: Estimate,
    /// That interval's ranks and coverage.
    pub order: OrderInterval,
    /// The typical shift with Wilcoxon's interval: secondary.
    pub hodges_lehmann: Estimate,
    /// The p-value of the sign test; absent where every difference is zero.
    pub sign_p: Option<f64>,
    /// The p-value of Wilcoxon's signed ranks; absent where every difference is zero.
    pub wilcoxon_p: Option<f64>,
}

/// The analysis of finite `differences`, one a pair; absent for none. Pairs of which either side
/// failed are left out before, and their rates reported apart.
#[must_use]
pub fn paired(differences: &[f64], alpha: f64, seed: u64) -> Option<Paired> {
    let (values, unknown) = sorted(differences.iter().copied());
    if unknown > 0 {
        return None;
    }
    let sample = Sample::new(&values, 0);
    let order = order_ci(sample, 0.5, alpha);
    Some(Paired {
        count: values.len(),
        median: Estimate {
            value: sample.quantile(0.5)?,
            interval: order.bounds(),
        },
        order,
        hodges_lehmann: hodges_lehmann_paired(&values, alpha, seed)?,
        sign_p: sign_p(&values),
        wilcoxon_p: wilcoxon_p(&values),
    })
}

/// Whether it matters which side of a pair was asked first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrderEffect {
    /// The shift of `D` where `a` was asked first against where `b` was.
    pub shift: Estimate,
    /// The p-value of Mann and Whitney for `D` by order.
    pub p_value: f64,
    /// The mean of the two orders' median differences: what to lead with if order matters.
    pub balanced_median: f64,
}

/// The effect of order, from the differences `D = a − b` of pairs with `a` first and with `b`
/// first; absent where there are none of a kind or one is not finite.
#[must_use]
pub fn order_effect(
    a_first: &[f64],
    b_first: &[f64],
    alpha: f64,
    seed: u64,
) -> Option<OrderEffect> {
    let ((first, lost), (second, missed)) = (
        sorted(a_first.iter().copied()),
        sorted(b_first.iter().copied()),
    );
    if lost + missed > 0 {
        return None;
    }
    let (one, other) = (Sample::new(&first, 0), Sample::new(&second, 0));
    Some(OrderEffect {
        shift: hodges_lehmann(one, other, alpha, seed)?,
        p_value: mann_whitney_p(&first, &second)?,
        balanced_median: f64::midpoint(one.quantile(0.5)?, other.quantile(0.5)?),
    })
}
