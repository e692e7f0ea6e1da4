//! Says what is believed of a span that is followed on a logarithmic scale, and how surely.

/// What is believed of a logarithm at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Belief {
    /// The expected logarithm.
    pub mean: f64,
    /// How unsure that is: the variance of the mean.
    pub variance: f64,
    /// How much single observations scatter around it: a variance.
    pub noise: f64,
}

impl Belief {
    /// The typical span: `exp(mean)`, a median.
    #[must_use]
    pub fn typical(&self) -> f64 {
        self.mean.exp()
    }

    /// The hopeful span: `exp(mean − c·√variance)`.
    #[must_use]
    pub fn hopeful(&self, c: f64) -> f64 {
        (self.mean - c * self.variance.sqrt()).exp()
    }

    /// The standard deviation of the next observation's logarithm.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        (self.variance + self.noise).sqrt()
    }

    /// What the next observation's logarithm is expected to be once it is known to be above
    /// `logarithm`: the mean of a normal distribution cut off below.
    #[must_use]
    pub fn mean_beyond(&self, logarithm: f64) -> f64 {
        /// From where on the difference of two probabilities has too few digits left.
        const FAR: f64 = 3.5;
        let deviation = self.deviation();
        let z = (logarithm - self.mean) / deviation;
        let hazard = if z > FAR {
            // The beginning of the expansion of the inverse of Mills' ratio.
            z + 1.0 / z - 2.0 / z.powi(3)
        } else {
            let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            density / (1.0 - phi(z))
        };
        self.mean + deviation * hazard
    }

    /// The chance that the next observation is at most `span`, in the unit of the observations.
    #[must_use]
    pub fn chance_within(&self, span: f64) -> f64 {
        if span <= 0.0 {
            return 0.0;
        }
        phi((span.ln() - self.mean) / self.deviation())
    }
}

/// The normal distribution function, within 1.5e-7: for choosing among many in little time.
/// Source: Abramowitz and Stegun, 7.1.26.
#[must_use]
pub fn phi(z: f64) -> f64 {
    const TERMS: [f64; 5] = [
        1.061_405_429,
        -1.453_152_027,
        1.421_413_741,
        -0.284_496_736,
        0.254_829_592,
    ];
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let sum = TERMS.iter().fold(0.0, |sum, term| (sum + term) * t);
    let tail = 0.5 * sum * (-x * x).exp();
    if z < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::interval::special::normal_cdf;

    #[test]
    fn the_quick_normal_is_near_the_exact_one() {
        for step in -800..=800 {
            let z = f64::from(step) / 100.0;
            assert!((phi(z) - normal_cdf(z)).abs() < 1.6e-7, "{z}");
        }
    }

    #[test]
    fn what_is_known_to_take_longer_is_expected_to_by_so_much() {
        let belief = Belief {
            mean: 1.0,
            variance: 3.0,
            noise: 1.0,
        };
        // Of the standard normal: the mean beyond z is its density over its upper tail.
        for (z, beyond) in [
            (-8.0, 0.0),
            (-1.0, 0.287_600),
            (0.0, 0.797_885),
            (1.0, 1.525_135),
            (3.0, 3.283_099),
            (4.0, 4.225_607),
            (9.0, 9.108_523),
        ] {
            let found = belief.mean_beyond(1.0 + 2.0 * z);
            assert!((found - (1.0 + 2.0 * beyond)).abs() < 0.02, "{z}: {found}");
        }
    }
}
