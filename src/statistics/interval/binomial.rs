//! Knows the binomial distribution: its chances, their sum and the inverse of that.

use super::special::{beta_regularised, ln_beta_density, normal_quantile};

/// The chance of exactly `k` successes of `n`, each with chance `p`.
#[must_use]
pub fn chance(k: u64, n: u64, p: f64) -> f64 {
    if k > n {
        return 0.0;
    }
    if p <= 0.0 || p >= 1.0 {
        let sure = if p <= 0.0 { 0 } else { n };
        return if k == sure { 1.0 } else { 0.0 };
    }
    let all = n as f64 + 1.0;
    let (hits, misses) = (k as f64 + 1.0, (n - k) as f64 + 1.0);
    ln_beta_density(hits, misses, p).exp() / (p * (1.0 - p) * all)
}

/// The chance of `k` successes at most: `F(k) = I_{1−p}(n − k, k + 1)`.
#[must_use]
pub fn cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    beta_regularised((n - k) as f64, k as f64 + 1.0, 1.0 - p)
}

/// The smallest `k` with `F(k) ≥ q`, equal to twelve digits being equal: a start by Cornish and Fisher, then a walk on the exact sum.
#[must_use]
pub fn quantile(q: f64, n: u64, p: f64) -> u64 {
    if q <= 0.0 || n == 0 {
        return 0;
    }
    if q >= 1.0 {
        return n;
    }
    let all = n as f64;
    let deviation = (all * p * (1.0 - p)).sqrt();
    let normal = normal_quantile(q);
    let start =
        all * p + normal * deviation + (1.0 - 2.0 * p) * (normal * normal - 1.0) / 6.0 - 0.5;
    let mut k = (start.round().max(0.0) as u64).min(n);
    let q = q * (1.0 - 1e-12);
    if cdf(k, n, p) < q {
        while k < n && cdf(k, n, p) < q {
            k += 1;
        }
        return k;
    }
    while k > 0 && cdf(k - 1, n, p) >= q {
        k -= 1;
    }
    k
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "exact by construction")]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_is_the_smallest_that_reaches() {
        for n in [1, 2, 7, 30, 400, 5_000] {
            for p in [0.001, 0.05, 0.5, 0.95, 0.999] {
                for q in [1e-9, 0.025, 0.3, 0.5, 0.975, 1.0 - 1e-9] {
                    let k = quantile(q, n, p);
                    assert!(cdf(k, n, p) >= q * (1.0 - 1e-12), "{n} {p} {q}");
                    assert!(k == 0 || cdf(k - 1, n, p) < q, "{n} {p} {q}");
                }
            }
            let sum: f64 = (0..=n).map(|k| chance(k, n, 0.3)).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{n}: {sum}");
        }
        assert_eq!([chance(0, 5, 0.0), chance(5, 5, 1.0)], [1.0, 1.0]);
    }
}
