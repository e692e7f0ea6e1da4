//! Watches whether arms have the sizes that their chances say, at any time.
//!
//! Source: Lindon and Malek, "Anytime-valid inference for multinomial count data", `NeurIPS` 2022:
//! the Dirichlet–multinomial mixture against the chances that were thrown with, here of two arms.

use super::mixture::CENTRE;

/// The evidence that a coin is not as fair as it says, assignment by assignment.
#[derive(Debug, Clone, Default)]
pub struct RatioWatch {
    /// Chance of arm a in millionths, how many were thrown with it, and how many of them fell on a.
    groups: Vec<(u32, u64, u64)>,
    ln_mixture: f64,
    most: f64,
}

impl RatioWatch {
    /// One more unit, thrown with `chance` of arm a in millionths, on arm a or not.
    pub fn add(&mut self, chance: u32, on_a: bool) {
        let at = self.groups.iter().position(|group| group.0 == chance);
        let at = at.unwrap_or_else(|| {
            self.groups.push((chance, 0, 0));
            self.groups.len() - 1
        });
        let (_, thrown, fallen) = &mut self.groups[at];
        let p = f64::from(chance) / 1e6;
        let (p, hits) = if on_a {
            (p, *fallen)
        } else {
            (1.0 - p, *thrown - *fallen)
        };
        // What the mixture foretells of this throw over what the coin does.
        let foretold = (p * CENTRE + hits as f64) / (CENTRE + *thrown as f64);
        self.ln_mixture += (foretold / p).ln();
        *thrown += 1;
        *fallen += u64::from(on_a);
        self.most = self.most.max(self.ln_mixture);
    }

    /// The p-value that the coin is what it says, true at any time (Ville): one over the most
    /// evidence against it there ever was.
    #[must_use]
    pub fn p(&self) -> f64 {
        (-self.most).exp().min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::compare::Random;
    use crate::statistics::compare::design::RATIO_P_MIN;
    use crate::statistics::sequence::mixture::ln_mixture;

    fn watch(seed: u64, throws: usize, chance: u32, truth: f64) -> RatioWatch {
        let mut random = Random::new(seed);
        let mut watch = RatioWatch::default();
        (0..throws).for_each(|_| watch.add(chance, random.unit() < truth));
        watch
    }

    #[test]
    fn steps_sum_up_to_the_mixture() {
        let watch = watch(3, 777, 300_000, 0.3);
        let (_, thrown, fallen) = watch.groups[0];
        let whole = ln_mixture(fallen as usize, thrown as usize, 0.3, CENTRE);
        assert!((watch.ln_mixture - whole).abs() < 1e-9);
    }

    #[test]
    fn a_leak_is_seen_and_a_fair_coin_is_not() {
        // Looked at after every one of 3,000 throws.
        for (chance, truth, seen) in [
            (500_000, 0.5, false),
            (100_000, 0.1, false),
            (500_000, 0.6, true),
            (100_000, 0.2, true),
        ] {
            let alarms = (0..100)
                .filter(|seed| watch(*seed, 3_000, chance, truth).p() < RATIO_P_MIN)
                .count();
            assert!(
                if seen { alarms >= 99 } else { alarms <= 1 },
                "{chance} {truth}: {alarms} of 100"
            );
        }
    }
}
