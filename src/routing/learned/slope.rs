//! Learns how much longer a larger prompt takes: the slope of `ln first token` over `ln size`.

/// The size of a prompt on the scale of the slope: `ln(1 + tokens)`, zero at 1,000 tokens.
#[must_use]
pub fn size(prompt_tokens: u64) -> f64 {
    (1.0 + prompt_tokens as f64).ln() - LN_1001
}

const LN_1001: f64 = 6.908_754_779_315_221;
/// What is believed before anything is seen: eight times the prompt takes half as long again.
const PRIOR: f64 = 0.2;
/// How strongly: as that much spread of sizes, squared.
const RIDGE: f64 = 8.0;
/// What an observation leaves of the weight of those before it.
const KEPT: f64 = 0.995;
/// How fast the means follow.
const FOLLOW: f64 = 0.1;
/// A residual counts no more than this.
const CLIP: f64 = 1.2;

/// A slope through the middle of what was lately seen, by ridge regression with forgetting.
///
/// Deviations are taken from means that follow, so that a route that drifts does not tilt it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Slope {
    xy: f64,
    xx: f64,
    mean_x: f64,
    mean_y: f64,
    count: u64,
}

impl Slope {
    /// The sums as they were kept.
    #[must_use]
    pub const fn kept(xy: f64, xx: f64) -> Self {
        Self {
            xy,
            xx,
            mean_x: 0.0,
            mean_y: 0.0,
            count: 0,
        }
    }

    /// The sums, for keeping.
    #[must_use]
    pub const fn sums(&self) -> (f64, f64) {
        (self.xy, self.xx)
    }

    /// Takes in an observation of a logarithm at a size.
    pub fn observe(&mut self, x: f64, y: f64) {
        if self.count == 0 {
            (self.mean_x, self.mean_y) = (x, y);
        }
        let dx = x - self.mean_x;
        let expected = self.slope(PRIOR) * dx;
        let dy = expected + (y - self.mean_y - expected).clamp(-CLIP, CLIP);
        self.xy = KEPT * self.xy + dx * dy;
        self.xx = KEPT * self.xx + dx * dx;
        self.mean_x += FOLLOW * dx;
        self.mean_y += FOLLOW * dy;
        self.count += 1;
    }

    /// The slope, drawn towards `prior` where little was seen; never falling, and never steeper
    /// than in proportion.
    #[must_use]
    pub fn slope(&self, prior: f64) -> f64 {
        ((self.xy + RIDGE * prior) / (self.xx + RIDGE)).clamp(0.0, 1.0)
    }

    /// The slope, drawn towards what is believed of any route.
    #[must_use]
    pub fn alone(&self) -> f64 {
        self.slope(PRIOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::compare::Random;

    #[test]
    fn the_slope_is_found_beside_drift_and_outliers() {
        let mut random = Random::new(3);
        let mut slope = Slope::default();
        for n in 0..2_000 {
            let x = 4.0 * random.unit() - 2.0;
            let drift = (f64::from(n) / 300.0).sin();
            let outlier = if random.unit() < 0.03 { 2.0 } else { 0.0 };
            slope.observe(x, 6.0 + drift + 0.45 * x + outlier);
        }
        assert!((slope.alone() - 0.45).abs() < 0.08, "seed 3: {slope:?}");
    }

    #[test]
    fn nothing_seen_is_the_prior_and_one_size_says_nothing() {
        assert!((Slope::default().alone() - PRIOR).abs() < 1e-12);
        let mut slope = Slope::default();
        for _ in 0..100 {
            slope.observe(1.0, 9.0);
        }
        assert!((slope.alone() - PRIOR).abs() < 1e-12);
        assert!(size(1_000).abs() < 1e-9);
    }
}
