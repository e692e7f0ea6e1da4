//! Knows how rank statistics fall by chance: Mann and Whitney's, Wilcoxon's, the sign test's.
//!
//! Source: Hollander, Wolfe, Chicken, "Nonparametric Statistical Methods", 2014, chapters 3, 4.
//! Exact for small samples without ties, by counting; normal with the ties' correction otherwise.

use crate::statistics::interval::binomial;
use crate::statistics::interval::order::mid_ranks;
use crate::statistics::interval::special::{normal_cdf, normal_quantile};

/// The largest arms whose Mann–Whitney statistic is counted exactly.
const EXACT_ARM_MAX: usize = 50;
/// The most pairs whose signed ranks are counted exactly.
const EXACT_PAIRS_MAX: usize = 100;

/// The chances that `U`, the number of pairs with `a > b`, is 0, 1, … for arms of `m` and `n`.
fn mann_whitney_chances(m: usize, n: usize) -> Vec<f64> {
    // Gaussian binomial coefficients: multiply by (1 − q^(n+i)), divide by (1 − q^i).
    let top = m * n;
    let mut ways = vec![0.0; top + 1];
    ways[0] = 1.0;
    for i in 1..=m {
        for u in (n + i..=top).rev() {
            ways[u] -= ways[u - n - i];
        }
        for u in i..=top {
            ways[u] += ways[u - i];
        }
    }
    // The falling half loses digits in the subtraction: the rising one is its mirror.
    let middle = top / 2;
    for u in middle + 1..=top {
        ways[u] = ways[top - u];
    }
    let all: f64 = ways.iter().sum();
    ways.iter_mut().for_each(|way| *way /= all);
    ways
}

/// The chances that the sum of the positive signed ranks of `n` pairs is 0, 1, ….
fn wilcoxon_chances(n: usize) -> Vec<f64> {
    let top = n * (n + 1) / 2;
    let mut ways = vec![0.0; top + 1];
    ways[0] = 1.0;
    for rank in 1..=n {
        for sum in (rank..=top).rev() {
            ways[sum] = f64::midpoint(ways[sum], ways[sum - rank]);
        }
        for way in &mut ways[..rank] {
            *way /= 2.0;
        }
    }
    ways
}

/// The smallest value whose sum of chances reaches `q`.
fn inverse(chances: &[f64], q: f64) -> usize {
    let mut sum = 0.0;
    let below = chances.iter().take_while(|chance| {
        sum += **chance;
        sum < q
    });
    below.count()
}

/// The same by the normal distribution, with correction for continuity.
fn inverse_normal(mean: f64, variance: f64, q: f64) -> usize {
    (mean + normal_quantile(q) * variance.sqrt() - 0.5)
        .ceil()
        .max(0.0) as usize
}

/// The rank, counted from the smallest difference, at which the Mann–Whitney interval begins;
/// 0 where it is open.
#[must_use]
pub fn mann_whitney_rank(m: usize, n: usize, alpha: f64) -> usize {
    if m <= EXACT_ARM_MAX && n <= EXACT_ARM_MAX {
        return inverse(&mann_whitney_chances(m, n), alpha / 2.0);
    }
    let (m, n) = (m as f64, n as f64);
    inverse_normal(m * n / 2.0, m * n * (m + n + 1.0) / 12.0, alpha / 2.0)
}

/// The rank, counted from the smallest Walsh average, at which the Wilcoxon interval begins; 0
/// where it is open.
#[must_use]
pub fn wilcoxon_rank(n: usize, alpha: f64) -> usize {
    if n <= EXACT_PAIRS_MAX {
        return inverse(&wilcoxon_chances(n), alpha / 2.0);
    }
    let n = n as f64;
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0;
    inverse_normal(n * (n + 1.0) / 4.0, variance, alpha / 2.0)
}

/// The two-sided p-value that neither arm tends to be larger. Of stochastic equality, never of
/// the medians. Infinities are failures, equal to one another.
#[must_use]
pub fn mann_whitney_p(a: &[f64], b: &[f64]) -> Option<f64> {
    let (m, n) = (a.len(), b.len());
    if m == 0 || n == 0 {
        return None;
    }
    let pooled: Vec<f64> = a.iter().chain(b).copied().collect();
    let ranks = mid_ranks(&pooled);
    let sum: f64 = ranks[..m].iter().sum();
    let above = sum - (m * (m + 1)) as f64 / 2.0;
    let larger = above.max((m * n) as f64 - above);
    let ties = ties(&ranks);
    if ties == 0.0 && m <= EXACT_ARM_MAX && n <= EXACT_ARM_MAX {
        let chances = mann_whitney_chances(m, n);
        // By symmetry the upper tail is the lower one: its sum keeps its digits.
        let tail: f64 = chances[..=m * n - larger as usize].iter().sum();
        return Some((2.0 * tail).min(1.0));
    }
    let (m, n) = (m as f64, n as f64);
    let all = m + n;
    let variance = m * n / 12.0 * ((all + 1.0) - ties / (all * (all - 1.0)));
    Some(two_sided(larger - m * n / 2.0 - 0.5, variance))
}

/// The two-sided p-value that differences lie evenly around zero (Wilcoxon's signed ranks); zero
/// differences are dropped.
#[must_use]
pub fn wilcoxon_p(differences: &[f64]) -> Option<f64> {
    let kept: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let sizes: Vec<f64> = kept.iter().map(|d| d.abs()).collect();
    let count = kept.len();
    if count == 0 {
        return None;
    }
    let ranks = mid_ranks(&sizes);
    let positive = kept.iter().zip(&ranks).filter(|(d, _)| **d > 0.0);
    let sum: f64 = positive.map(|(_, rank)| rank).sum();
    let top = (count * (count + 1) / 2) as f64;
    let larger = sum.max(top - sum);
    let ties = ties(&ranks);
    if ties == 0.0 && count <= EXACT_PAIRS_MAX {
        let tail = wilcoxon_chances(count);
        let tail: f64 = tail[..=(top - larger) as usize].iter().sum();
        return Some((2.0 * tail).min(1.0));
    }
    let n = count as f64;
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ties / 48.0;
    Some(two_sided(larger - top / 2.0 - 0.5, variance))
}

/// The two-sided p-value of the sign test: that a difference is as often positive as negative;
/// zero differences are dropped.
#[must_use]
pub fn sign_p(differences: &[f64]) -> Option<f64> {
    let positive = differences.iter().filter(|d| **d > 0.0).count() as u64;
    let negative = differences.iter().filter(|d| **d < 0.0).count() as u64;
    let count = positive + negative;
    let tail = binomial::cdf(positive.min(negative), count, 0.5);
    (count > 0).then(|| (2.0 * tail).min(1.0))
}

/// `Σ (t³ − t)` over the runs of `t` equal ranks.
fn ties(ranks: &[f64]) -> f64 {
    let mut sorted = ranks.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let runs = sorted.chunk_by(|one, other| one.total_cmp(other).is_eq());
    runs.map(|run| (run.len() as f64).powi(3) - run.len() as f64)
        .sum()
}

fn two_sided(beyond: f64, variance: f64) -> f64 {
    if variance <= 0.0 {
        return 1.0;
    }
    (2.0 * normal_cdf(-beyond / variance.sqrt())).min(1.0)
}
