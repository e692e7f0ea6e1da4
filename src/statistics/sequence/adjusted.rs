//! Adjusts the effect of an arm for what was known before it was chosen, and follows it in time.
//!
//! Sources: Lin, Annals of Applied Statistics 7, 2013 (arm, centred covariates and their
//! products); `MacKinnon` and White 1985 (HC2); Deng et al. 2013 (CUPED); Waudby-Smith et al.,
//! arXiv 2103.06476 (asymptotic confidence sequence).

use crate::statistics::interval::special::normal_quantile;
use crate::statistics::interval::{Estimate, Interval};

/// From how many numbers on the asymptotic sequence is given.
pub const SEQUENCE_FROM: usize = 100;

/// The count of numbers for which the asymptotic sequence is made sharpest, `t*`.
pub const SEQUENCE_SHARPEST: f64 = 1_000.0;

/// One request of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// What came of it, as `ln TTFT`; finite.
    pub outcome: f64,
    /// Whether it was in the arm whose effect is asked for.
    pub treated: bool,
    /// What was known before: as many in every observation.
    pub covariates: Vec<f64>,
}

/// The effect of an arm on the logarithm of a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adjusted {
    /// τ: the difference of the logarithms.
    pub log_effect: f64,
    /// Its standard error by HC2.
    pub standard_error: f64,
    /// How many observations.
    pub count: usize,
}

impl Adjusted {
    /// The effect as a factor, `exp(τ)`, with the normal interval of confidence `1 − alpha`: for
    /// a report whose end was fixed before.
    #[must_use]
    pub fn ratio(&self, alpha: f64) -> Estimate {
        let reach = normal_quantile(1.0 - alpha / 2.0) * self.standard_error;
        self.within(reach)
    }

    /// The effect as a factor with the interval that holds however often one looks; absent below
    /// [`SEQUENCE_FROM`] observations.
    #[must_use]
    pub fn ratio_sequence(&self, alpha: f64) -> Option<Estimate> {
        asymptotic(self.standard_error, self.count, alpha).map(|reach| self.within(reach))
    }

    fn within(&self, reach: f64) -> Estimate {
        let around = Interval {
            low: self.log_effect - reach,
            high: self.log_effect + reach,
        };
        Estimate {
            value: self.log_effect.exp(),
            interval: around.map(f64::exp),
        }
    }
}

/// Half the width of the asymptotic confidence sequence after `count` numbers whose estimate has
/// `standard_error = σ̂ / √t`:
/// `σ̂ √(2 (tρ² + 1) / (t²ρ²) · ln(√(tρ² + 1) / α))`, `ρ² = (−2 ln α + ln(−2 ln α) + 1) / t*`.
#[must_use]
pub fn asymptotic(standard_error: f64, count: usize, alpha: f64) -> Option<f64> {
    if count < SEQUENCE_FROM {
        return None;
    }
    let t = count as f64;
    let double = -2.0 * alpha.ln();
    let grown = t * (double + double.ln() + 1.0) / SEQUENCE_SHARPEST;
    let square = 2.0 * (grown + 1.0) / grown * ((grown + 1.0).sqrt() / alpha).ln();
    Some(standard_error * square.sqrt())
}

/// Lin's regression: the outcome on the arm, the centred covariates and their products.
///
/// Covariates that do not vary are left out. Absent where an arm is empty, observations are too
/// few for the columns, columns depend on one another, or a number is not finite: failures have
/// no logarithm and are compared by quantiles.
#[must_use]
pub fn lin(observations: &[Observation]) -> Option<Adjusted> {
    let count = observations.len();
    let width = observations.first()?.covariates.len();
    let sound = |each: &Observation| {
        each.outcome.is_finite()
            && each.covariates.len() == width
            && each.covariates.iter().all(|value| value.is_finite())
    };
    if !observations.iter().all(sound) {
        return None;
    }
    let covariates: Vec<Vec<f64>> = (0..width)
        .filter_map(|column| standardised(observations, column))
        .collect();
    let rows: Vec<Vec<f64>> = (0..count)
        .map(|index| {
            let arm = if observations[index].treated {
                1.0
            } else {
                0.0
            };
            let centred = covariates.iter().map(|column| column[index]);
            let products = centred.clone().map(|value| arm * value);
            [1.0, arm]
                .into_iter()
                .chain(centred)
                .chain(products)
                .collect()
        })
        .collect();
    let outcomes: Vec<f64> = observations.iter().map(|each| each.outcome).collect();
    let (log_effect, variance) = least_squares(&rows, &outcomes)?;
    Some(Adjusted {
        log_effect,
        standard_error: variance.sqrt(),
        count,
    })
}

/// The covariate less its mean over its deviation; absent where it does not vary.
fn standardised(observations: &[Observation], column: usize) -> Option<Vec<f64>> {
    let values = observations.iter().map(|each| each.covariates[column]);
    let count = observations.len() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let deviation = (values.clone().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
    let varies = deviation > 1e-12 * mean.abs().max(1e-300);
    varies.then(|| values.map(|x| (x - mean) / deviation).collect())
}

/// The second coefficient of an ordinary least squares fit and its HC2 variance,
/// `[(XᵀX)⁻¹ Xᵀ diag(e² / (1 − h)) X (XᵀX)⁻¹]`.
fn least_squares(rows: &[Vec<f64>], outcomes: &[f64]) -> Option<(f64, f64)> {
    let width = rows.first()?.len();
    if rows.len() <= width {
        return None;
    }
    let mut gram = vec![vec![0.0; width]; width];
    let mut moments = vec![0.0; width];
    for (row, outcome) in rows.iter().zip(outcomes) {
        for (left, line) in row.iter().zip(&mut gram) {
            line.iter_mut()
                .zip(row)
                .for_each(|(sum, right)| *sum += left * right);
        }
        let terms = moments.iter_mut().zip(row);
        terms.for_each(|(sum, value)| *sum += value * outcome);
    }
    let inverse = inverted(gram)?;
    let times = |vector: &[f64]| -> Vec<f64> {
        let lines = inverse.iter();
        lines.map(|line| dot(line, vector)).collect()
    };
    let coefficients = times(&moments);
    let mut variance = 0.0;
    for (row, outcome) in rows.iter().zip(outcomes) {
        let projected = times(row);
        let residual = outcome - dot(&coefficients, row);
        let leverage = dot(&projected, row);
        // A row that alone holds a column has no residual: it adds nothing.
        if leverage < 1.0 - 1e-12 {
            variance += projected[1] * projected[1] * residual * residual / (1.0 - leverage);
        }
    }
    Some((coefficients[1], variance))
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(x, y)| x * y).sum()
}

/// The inverse of a symmetric positive matrix by Gauss and Jordan; absent where it has none.
fn inverted(mut matrix: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    let width = matrix.len();
    let scale = (0..width).map(|at| matrix[at][at]).fold(0.0, f64::max);
    for (at, line) in matrix.iter_mut().enumerate() {
        line.resize(2 * width, 0.0);
        line[width + at] = 1.0;
    }
    for at in 0..width {
        let best = (at..width).max_by(|x, y| {
            let size = |line: usize| matrix[line][at].abs();
            size(*x).total_cmp(&size(*y))
        })?;
        matrix.swap(at, best);
        let pivot = matrix[at][at];
        if pivot.abs() <= scale * 1e-11 {
            return None;
        }
        matrix[at].iter_mut().for_each(|value| *value /= pivot);
        let line = matrix[at].clone();
        for (index, other) in matrix
            .iter_mut()
            .enumerate()
            .filter(|(index, _)| *index != at)
        {
            debug_assert!(index != at);
            let factor = other[at];
            let pairs = other.iter_mut().zip(&line);
            pairs.for_each(|(value, of_line)| *value -= factor * of_line);
        }
    }
    Some(
        matrix
            .into_iter()
            .map(|line| line[width..].to_vec())
            .collect(),
    )
}

/// CUPED: `y − θ (x − x̄)` with `θ = cov(x, y) / var(x)`, and the share ρ² of the variance that
/// went; absent for unequal lengths, fewer than two numbers or an `x` that does not vary.
#[must_use]
pub fn cuped(outcomes: &[f64], covariate: &[f64]) -> Option<(Vec<f64>, f64)> {
    let count = outcomes.len() as f64;
    if outcomes.len() != covariate.len() || outcomes.len() < 2 {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
    let (mean_y, mean_x) = (mean(outcomes), mean(covariate));
    let pairs = outcomes.iter().zip(covariate);
    let mut sums = (0.0, 0.0, 0.0);
    for (y, x) in pairs.clone() {
        sums.0 += (x - mean_x) * (y - mean_y);
        sums.1 += (x - mean_x).powi(2);
        sums.2 += (y - mean_y).powi(2);
    }
    let (both, of_x, of_y) = sums;
    if of_x <= 0.0 || of_y <= 0.0 {
        return None;
    }
    let theta = both / of_x;
    let adjusted = pairs.map(|(y, x)| y - theta * (x - mean_x)).collect();
    Some((adjusted, both * both / (of_x * of_y)))
}
