//! Weighs numbers: quantiles by weight, and how alike two arms are before they are compared.

/// The weighted `p`-quantile of (value, weight) in any order, after Hájek: the smallest `x` with
/// `Σ_{x_i ≤ x} w_i / Σ w_i ≥ p`. Failures are infinite values; absent for no weight.
#[must_use]
pub fn weighted_quantile(weighted: &[(f64, f64)], p: f64) -> Option<f64> {
    let mut sorted: Vec<(f64, f64)> = weighted.iter().copied().filter(|x| x.1 > 0.0).collect();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
    let whole: f64 = sorted.iter().map(|x| x.1).sum();
    if whole.is_nan() || !(0.0..=1.0).contains(&p) {
        return None;
    }
    let mut sum = 0.0;
    let reached = sorted.iter().find(|(_, weight)| {
        sum += weight;
        // A share that p names exactly is reached, whatever the last digit of the sum.
        sum >= p * whole * (1.0 - 1e-12)
    });
    reached.or(sorted.last()).map(|found| found.0)
}

/// The standardised mean difference of a covariate between arms of (value, weight):
/// `(x̄_a − x̄_b) / √((s_a² + s_b²) / 2)`, with weighted means and variances
/// `s² = Σ w (x − x̄)² / (Σ w − Σ w² / Σ w)`; absent where an arm has no variance to speak of.
#[must_use]
pub fn standardised_difference(a: &[(f64, f64)], b: &[(f64, f64)]) -> Option<f64> {
    let ((mean_a, variance_a), (mean_b, variance_b)) = (moments(a)?, moments(b)?);
    let spread = f64::midpoint(variance_a, variance_b).sqrt();
    let apart = mean_a - mean_b;
    if apart == 0.0 {
        return Some(0.0);
    }
    (spread > 0.0).then(|| apart / spread)
}

fn moments(weighted: &[(f64, f64)]) -> Option<(f64, f64)> {
    let whole: f64 = weighted.iter().map(|x| x.1).sum();
    let squares: f64 = weighted.iter().map(|x| x.1 * x.1).sum();
    let freedom = whole - squares / whole;
    if whole.is_nan() || whole <= 0.0 || freedom <= 0.0 {
        return None;
    }
    let mean = weighted.iter().map(|(x, w)| x * w).sum::<f64>() / whole;
    let sum: f64 = weighted.iter().map(|(x, w)| w * (x - mean).powi(2)).sum();
    Some((mean, sum / freedom))
}
