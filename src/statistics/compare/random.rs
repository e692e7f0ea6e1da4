//! Draws numbers that a seed decides: the same report twice gives the same figures.
//!
//! Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (`SplitMix64`),
//! OOPSLA 2014. For resampling; of no use for secrets.

use crate::statistics::interval::binomial::chance;
use crate::statistics::interval::effective_count;

/// A small generator.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The generator that `seed` starts.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number of `[0, 1)` with 53 digits of two.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }

    /// Puts `values` in chance order.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for end in (1..values.len()).rev() {
            values.swap(end, self.below(end + 1));
        }
    }
}

/// The ranks that the index bootstrap draws for the `p`-quantile of `n` numbers:
/// `i ~ Binomial(n + 1, p)`, moved into `1..=n`.
///
/// A table of the sums of the chances, `O(√n)` long; what lies beyond has a chance below 1e-16.
#[derive(Debug, Clone)]
pub struct IndexLaw {
    first: usize,
    sums: Vec<f64>,
    /// Where to begin looking among the sums, by equal shares of the whole: two steps find most.
    guide: Vec<u32>,
    /// How many numbers the law is of.
    law: usize,
    /// How many there are.
    count: usize,
}

impl IndexLaw {
    /// The law for the `p`-quantile of `count` numbers.
    #[must_use]
    pub fn new(count: usize, p: f64) -> Self {
        Self::effective(count, 1.0, p)
    }

    /// The same for numbers of which `deff` say what one independent one would: the law is that of
    /// `n_eff = ⌊n / deff⌋` numbers, its ranks moved to `n` of them, `i (n + 1) / (n_eff + 1)`.
    #[must_use]
    pub fn effective(count: usize, deff: f64, p: f64) -> Self {
        let law = effective_count(count as u64, deff) as usize;
        let draws = law as u64 + 1;
        let mode = ((draws as f64 + 1.0) * p).floor().min(draws as f64) as u64;
        let top = chance(mode, draws, p);
        let odds = p / (1.0 - p);
        let (mut below, mut above) = (Vec::new(), Vec::new());
        let (mut k, mut term) = (mode, top);
        while k > 0 && term > top * 1e-18 {
            term *= k as f64 / ((draws - k + 1) as f64 * odds);
            k -= 1;
            below.push(term);
        }
        let first = k as usize;
        (k, term) = (mode, top);
        while k < draws && term > top * 1e-18 {
            term *= (draws - k) as f64 * odds / (k + 1) as f64;
            k += 1;
            above.push(term);
        }
        let mut sum = 0.0;
        let chances = below.into_iter().rev().chain([top]).chain(above);
        let sums = chances.map(|chance| {
            sum += chance;
            sum
        });
        let sums: Vec<f64> = sums.collect();
        let all = sums.last().copied().unwrap_or(1.0);
        let shares = sums.len().max(1);
        let guide = (0..shares)
            .map(|share| {
                let from = share as f64 / shares as f64 * all;
                sums.partition_point(|sum| *sum <= from) as u32
            })
            .collect();
        Self {
            first,
            sums,
            guide,
            law,
            count,
        }
    }

    /// A rank, counted from 1.
    pub fn draw(&self, random: &mut Random) -> usize {
        self.rank(self.index(random))
    }

    /// What `value` makes of each rank that can be drawn, in the order of [`Self::index`]: a
    /// replicate then costs one look into a table, whatever the value takes to make.
    pub fn table(&self, value: impl Fn(usize) -> f64) -> Vec<f64> {
        let indices = 0..self.sums.len();
        indices.map(|index| value(self.rank(index))).collect()
    }

    /// A draw: which of the ranks that can be drawn, counted from 0.
    pub fn index(&self, random: &mut Random) -> usize {
        let all = self.sums.last().copied().unwrap_or(1.0);
        let unit = random.unit();
        let at = unit * all;
        let share = (unit * self.guide.len() as f64) as usize;
        let mut index = self.guide.get(share).map_or(0, |index| *index as usize);
        // Rounding may begin one too late, never more.
        index = index.saturating_sub(1);
        while self.sums.get(index).is_some_and(|sum| *sum <= at) {
            index += 1;
        }
        index.min(self.sums.len().saturating_sub(1))
    }

    fn rank(&self, index: usize) -> usize {
        let rank = self.first + index;
        let rank = if self.law == self.count {
            rank
        } else {
            let share = (self.count + 1) as f64 / (self.law + 1) as f64;
            (rank as f64 * share).round() as usize
        };
        rank.clamp(1, self.count.max(1))
    }
}
