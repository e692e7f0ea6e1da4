//! Says how steady a way is: by its quarters, not by a mean that one slow answer moves.

use crate::statistics::quantile::Sample;

/// Makes the median absolute deviation of normal numbers their standard deviation: `1 / Φ⁻¹(¾)`,
/// as tables print it.
pub const MAD_FACTOR: f64 = 1.4826;

/// Ratios that say how far numbers lie apart; none has a unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dispersion {
    /// The distance of the quartiles over the median: the headline.
    pub iqr_over_median: f64,
    /// `1.4826 · MAD / median`.
    pub mad_over_median: f64,
    /// `p95 / p50`, how heavy the tail is.
    pub tail_ratio: f64,
    /// Standard deviation (n − 1) over mean, as others print it: absent where there are failures
    /// or fewer than two numbers.
    pub cv: Option<f64>,
}

/// The dispersion of `sample`; absent where its median is zero, infinite or not there.
#[must_use]
pub fn dispersion(sample: Sample<'_>) -> Option<Dispersion> {
    let median = sample.quantile(0.5)?;
    if median <= 0.0 || median.is_infinite() {
        return None;
    }
    let mut apart: Vec<f64> = sample.finite().iter().map(|x| (x - median).abs()).collect();
    apart.sort_unstable_by(f64::total_cmp);
    let mad = Sample::new(&apart, sample.failures()).quantile(0.5)?;
    Some(Dispersion {
        iqr_over_median: (sample.quantile(0.75)? - sample.quantile(0.25)?) / median,
        mad_over_median: MAD_FACTOR * mad / median,
        tail_ratio: sample.quantile(0.95)? / median,
        cv: variation(sample),
    })
}

fn variation(sample: Sample<'_>) -> Option<f64> {
    let values = sample.finite();
    if sample.failures() > 0 || values.len() < 2 {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    Some((squares / (count - 1.0)).sqrt() / mean)
}
