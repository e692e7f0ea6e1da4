//! Learns how much longer a larger prompt takes, or one that the model is to think about: slopes of
//! `ln first token` over `ln size`, and over being asked to reason.

/// The size of a prompt on the scale of the slope: `ln(1 + tokens)`, zero at 1,000 tokens.
#[must_use]
pub fn size(prompt_tokens: u64) -> f64 {
    (1.0 + prompt_tokens as f64).ln() - LN_1001
}

/// The prompt of that size, in whole tokens.
#[must_use]
pub(super) fn tokens_of(size: f64) -> u64 {
    ((size + LN_1001).exp() - 1.0).round().max(0.0) as u64
}

const LN_1001: f64 = 6.908_754_779_315_221;
/// What is believed of a slope, and how strongly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// What is believed before anything is seen.
    pub slope: f64,
    /// How strongly: as that much spread, squared.
    pub ridge: f64,
    /// The steepest that it can be; the flattest is none.
    pub most: f64,
}

impl Prior {
    /// Of a prompt's size: eight times the prompt takes half as long again, and no prompt takes
    /// longer than in proportion.
    pub const SIZE: Self = Self {
        slope: 0.2,
        ridge: 8.0,
        most: 1.0,
    };
    /// Of reasoning: three times as long, believed as four requests of either kind would show it,
    /// and a hundred times at most.
    pub const REASONING: Self = Self {
        slope: 1.1,
        ridge: 2.0,
        most: 4.6,
    };
}

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

    /// The same around that size of prompts, where it was kept.
    #[must_use]
    pub fn around(self, mean_x: Option<f64>) -> Self {
        let mean_x = mean_x.filter(|x| x.is_finite()).unwrap_or(0.0);
        Self { mean_x, ..self }
    }

    /// The size of what was lately seen; absent where nothing was.
    #[must_use]
    pub fn middle(&self) -> Option<f64> {
        (self.count > 0 || self.mean_x != 0.0).then_some(self.mean_x)
    }

    /// The sums, for keeping.
    #[must_use]
    pub const fn sums(&self) -> (f64, f64) {
        (self.xy, self.xx)
    }

    /// Takes in an observation of a logarithm at a size.
    pub fn observe(&mut self, prior: &Prior, x: f64, y: f64) {
        if self.count == 0 {
            (self.mean_x, self.mean_y) = (x, y);
        }
        let dx = x - self.mean_x;
        let expected = self.slope(prior) * dx;
        let dy = expected + (y - self.mean_y - expected).clamp(-CLIP, CLIP);
        self.xy = KEPT * self.xy + dx * dy;
        self.xx = KEPT * self.xx + dx * dx;
        self.mean_x += FOLLOW * dx;
        self.mean_y += FOLLOW * dy;
        self.count += 1;
    }

    /// The slope, drawn towards `prior` where little was seen; never falling.
    #[must_use]
    pub fn slope(&self, prior: &Prior) -> f64 {
        let drawn = (self.xy + prior.ridge * prior.slope) / (self.xx + prior.ridge);
        drawn.clamp(0.0, prior.most)
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
            slope.observe(&Prior::SIZE, x, 6.0 + drift + 0.45 * x + outlier);
        }
        assert!(
            (slope.slope(&Prior::SIZE) - 0.45).abs() < 0.08,
            "seed 3: {slope:?}"
        );
    }

    #[test]
    fn nothing_seen_is_the_prior_and_one_size_says_nothing() {
        assert!((Slope::default().slope(&Prior::SIZE) - Prior::SIZE.slope).abs() < 1e-12);
        let mut slope = Slope::default();
        for _ in 0..100 {
            slope.observe(&Prior::SIZE, 1.0, 9.0);
        }
        assert!((slope.slope(&Prior::SIZE) - Prior::SIZE.slope).abs() < 1e-12);
        assert!(size(1_000).abs() < 1e-9);
        for tokens in [0, 1, 100, 1_000, 200_000] {
            assert_eq!(tokens_of(size(tokens)), tokens);
        }
    }
}
