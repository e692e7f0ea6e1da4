//! Checks a difference of medians by exchanging the arms' labels within each stratum.
//!
//! Source: Phipson and Smyth 2010: the p-value `(1 + #{|T*| ≥ |T|}) / (B + 1)` is never zero.

use super::bootstrap::Stratum;
use super::random::Random;
use super::shift::median;

/// The two-sided p-value of `T = Σ w_s (median_a,s − median_b,s)`, by `permutations` exchanges of
/// labels that `seed` decides; absent where there is nothing to exchange or `T` is no number.
#[must_use]
pub fn permutation_p(strata: &[Stratum<'_>], permutations: u32, seed: u64) -> Option<f64> {
    let mut random = Random::new(seed);
    let mut pools: Vec<(Vec<f64>, usize, f64)> = Vec::new();
    for stratum in strata.iter().filter(|stratum| stratum.weight > 0.0) {
        let mut pool = Vec::with_capacity(stratum.a.len() + stratum.b.len());
        for arm in [stratum.a, stratum.b] {
            pool.extend_from_slice(arm.finite());
            pool.resize(pool.len() + arm.failures(), f64::INFINITY);
        }
        pools.push((pool, stratum.a.len(), stratum.weight));
    }
    let seen = contrast(&mut pools)?.abs();
    if seen.is_nan() {
        return None;
    }
    // Sums in another order differ in their last digits; equal contrasts count as reached.
    let reached = seen - seen * 1e-12;
    let mut extreme = 0_u32;
    for _ in 0..permutations {
        for (pool, _, _) in &mut pools {
            random.shuffle(pool);
        }
        let found = contrast(&mut pools)?.abs();
        // Infinite less infinite may be as far apart as anything.
        if found.is_nan() || found >= reached {
            extreme += 1;
        }
    }
    Some(f64::from(extreme + 1) / (f64::from(permutations) + 1.0))
}

fn contrast(pools: &mut [(Vec<f64>, usize, f64)]) -> Option<f64> {
    let mut sum = None;
    for (pool, count, weight) in pools {
        let (a, b) = pool.split_at_mut(*count);
        sum = Some(sum.unwrap_or(0.0) + *weight * (median(a)? - median(b)?));
    }
    sum
}
