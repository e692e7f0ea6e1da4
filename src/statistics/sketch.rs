//! Summarises many numbers in a mergeable sketch of known relative error (`DDSketch`).
//!
//! Source: Masson, Rim, Lee, "`DDSketch`: a fast and fully-mergeable quantile sketch", VLDB 2019.
//! Bin `i` holds the whole numbers `x` with `γ^(i−1) < x ≤ γ^i`, γ = (1 + α) / (1 − α), α = 1 %.

use crate::record::Bins;

/// The relative error of every quantile: α.
pub const RELATIVE_ERROR: f64 = 0.01;

/// The span of bin indices a sketch keeps; what lies lower is counted in the lowest one kept.
pub const BINS_MAX: usize = 2048;

/// A sketch of whole numbers: nanoseconds, tokens per second, whatever has one unit.
///
/// Two sketches of the same numbers are equal, however the numbers were split and merged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sketch {
    bins: Bins,
}

impl Sketch {
    /// The sketch that `bins` are the plain data of. Bins out of order, or empty ones, are set
    /// right.
    #[must_use]
    pub fn from_bins(mut bins: Bins) -> Self {
        let ordered = bins.bins.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !ordered || bins.bins.iter().any(|(_, count)| *count == 0) {
            let mut sketch = Self::default();
            sketch.bins.zeros = bins.zeros;
            for (index, count) in bins.bins.drain(..) {
                sketch.add(index, count);
            }
            return sketch;
        }
        let mut sketch = Self { bins };
        sketch.collapse();
        sketch
    }

    /// The sketch as plain data.
    #[must_use]
    pub const fn bins(&self) -> &Bins {
        &self.bins
    }

    /// The sketch as plain data, for keeping.
    #[must_use]
    pub fn into_bins(self) -> Bins {
        self.bins
    }

    /// Counts `value`.
    pub fn insert(&mut self, value: u64) {
        match index_of(value) {
            None => self.bins.zeros = self.bins.zeros.saturating_add(1),
            Some(index) => self.add(index, 1),
        }
    }

    /// Counts everything that `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        self.bins.zeros = self.bins.zeros.saturating_add(other.bins.zeros);
        if self.bins.bins.is_empty() {
            self.bins.bins.clone_from(&other.bins.bins);
            return;
        }
        for (index, count) in &other.bins.bins {
            self.add(*index, *count);
        }
    }

    /// How many numbers were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.bins
            .bins
            .iter()
            .fold(self.bins.zeros, |sum, (_, count)| {
                sum.saturating_add(*count)
            })
    }

    /// How many of them lie in bins up to that of `value`.
    #[must_use]
    pub fn count_upto(&self, value: u64) -> u64 {
        let bins = self.bins.bins.iter();
        let upto = bins.take_while(|(index, _)| value_of(*index) <= value);
        upto.fold(self.bins.zeros, |sum, (_, count)| {
            sum.saturating_add(*count)
        })
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bins.zeros == 0 && self.bins.bins.is_empty()
    }

    /// The `p`-quantile, within the relative error of the true order statistic.
    #[must_use]
    pub fn quantile(&self, p: f64) -> Option<u64> {
        self.quantile_among(p, 0)
    }

    /// The `p`-quantile when `failures` further numbers are larger than any counted one; absent
    /// where nothing was counted, or where the quantile falls among the failures.
    #[must_use]
    pub fn quantile_among(&self, p: f64, failures: u64) -> Option<u64> {
        let all = self.count().saturating_add(failures);
        if all == 0 || !(0.0..=1.0).contains(&p) {
            return None;
        }
        self.at_rank((p * (all - 1) as f64).floor() as u64)
    }

    /// The number of the given rank, counted from 0, within the relative error; absent where
    /// fewer were counted.
    #[must_use]
    pub fn at_rank(&self, rank: u64) -> Option<u64> {
        let mut below = self.bins.zeros;
        if rank < below {
            return Some(0);
        }
        for (index, count) in &self.bins.bins {
            below = below.saturating_add(*count);
            if rank < below {
                return Some(value_of(*index));
            }
        }
        None
    }

    fn add(&mut self, index: i32, count: u64) {
        if count == 0 {
            return;
        }
        let bins = &mut self.bins.bins;
        // The window slides with the highest bin, so that merging in any order ends alike.
        let lowest = bins.last().map_or(index, |last| last.0.max(index)) - (BINS_MAX as i32 - 1);
        let grows = bins.last().is_none_or(|last| last.0 < index);
        let index = index.max(lowest);
        match bins.binary_search_by_key(&index, |bin| bin.0) {
            Ok(at) => bins[at].1 = bins[at].1.saturating_add(count),
            Err(at) => bins.insert(at, (index, count)),
        }
        if grows {
            self.collapse();
        }
    }

    fn collapse(&mut self) {
        let bins = &mut self.bins.bins;
        let Some(lowest) = bins.last().map(|last| last.0 - (BINS_MAX as i32 - 1)) else {
            return;
        };
        let below = bins.partition_point(|bin| bin.0 < lowest);
        if below == 0 {
            return;
        }
        let collapsed = bins
            .drain(..below)
            .fold(0_u64, |sum, bin| sum.saturating_add(bin.1));
        match bins.first_mut().filter(|bin| bin.0 == lowest) {
            Some(bin) => bin.1 = bin.1.saturating_add(collapsed),
            None => bins.insert(0, (lowest, collapsed)),
        }
    }
}

/// The bin of `value`: `⌈log_γ(value)⌉`; none for zero, which is counted apart.
#[must_use]
pub fn index_of(value: u64) -> Option<i32> {
    let bits = value.checked_ilog2()? as usize;
    // An octave spans 35 bins at most; which of them, whole numbers decide.
    let from = OCTAVES[bits] as usize;
    let to = (from + 36).min(BOUNDS_LEN);
    let within = BOUNDS[from..to].partition_point(|bound| *bound < value);
    Some((from + within) as i32)
}

/// The number that stands for bin `index`: off by α from both its ends.
#[must_use]
pub fn value_of(index: i32) -> u64 {
    let middle = 2.0 * GAMMA.powi(index) / (GAMMA + 1.0);
    middle.round() as u64
}

const GAMMA: f64 = (1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR);

/// `log_γ(2^64)` is 2218.1: the last bin's upper end is beyond every `u64`.
const BOUNDS_LEN: usize = 2220;

/// The largest whole number of each bin, by plain multiplication: the same on every machine,
/// which a logarithm of the machine's own library would not promise.
static BOUNDS: [u64; BOUNDS_LEN] = bounds();

/// The lowest bin that a number of so many binary digits (less one) can be in.
static OCTAVES: [u16; 64] = octaves(&BOUNDS);

#[expect(clippy::large_stack_arrays, reason = "only the compiler runs it")]
const fn bounds() -> [u64; BOUNDS_LEN] {
    let mut bounds = [u64::MAX; BOUNDS_LEN];
    let mut power = 1.0_f64;
    let mut index = 0;
    while index < BOUNDS_LEN {
        bounds[index] = power as u64;
        power *= GAMMA;
        index += 1;
    }
    bounds
}

const fn octaves(bounds: &[u64; BOUNDS_LEN]) -> [u16; 64] {
    let mut octaves = [0; 64];
    let mut bits = 0;
    let mut index = 0;
    while bits < 64 {
        while bounds[index] < 1 << bits {
            index += 1;
        }
        octaves[bits] = index as u16;
        bits += 1;
    }
    octaves
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(values: impl IntoIterator<Item = u64>) -> Sketch {
        let mut sketch = Sketch::default();
        for value in values {
            sketch.insert(value);
        }
        sketch
    }

    #[test]
    fn a_bin_holds_what_its_definition_says() {
        for value in (1..100_000).chain([u64::MAX / 3, u64::MAX - 1, u64::MAX, 1 << 63]) {
            let index = index_of(value).unwrap();
            let exact = (value as f64).ln() / GAMMA.ln();
            // Beside the definition by a rounding of the logarithm at most.
            assert!(f64::from(index) >= exact - 1e-9, "{value}: {index} {exact}");
            assert!(
                f64::from(index) < exact + 1.0 + 1e-9,
                "{value}: {index} {exact}"
            );
        }
        assert_eq!(index_of(0), None);
        assert_eq!(index_of(1), Some(0));
        for bits in 1..64 {
            let value = 1_u64 << bits;
            for near in [value - 1, value, value + 1] {
                let slow = BOUNDS.partition_point(|bound| *bound < near) as i32;
                assert_eq!(index_of(near), Some(slow), "{near}");
            }
        }
    }

    #[test]
    fn quantiles_are_within_the_relative_error() {
        let values: Vec<u64> = (1..=10_000).map(|n| n * n * 131 + 7).collect();
        let sketch = sketch(values.iter().copied());
        for p in [0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
            let exact = values[(p * 9_999.0_f64).floor() as usize] as f64;
            let found = sketch.quantile(p).unwrap() as f64;
            assert!(
                (found / exact - 1.0).abs() <= RELATIVE_ERROR + 1e-6,
                "{p}: {found} {exact}"
            );
        }
        assert_eq!(sketch.count(), 10_000);
    }

    #[test]
    fn failures_are_larger_than_every_number() {
        let sketch = sketch([0, 0, 100]);
        assert_eq!(sketch.quantile(0.5), Some(0));
        assert_eq!(sketch.quantile_among(0.5, 1), Some(0));
        assert_eq!(sketch.quantile_among(0.5, 2), sketch.quantile(1.0));
        assert_eq!(sketch.quantile_among(0.9, 2), None);
        assert_eq!(Sketch::default().quantile(0.5), None);
    }

    #[test]
    fn merging_in_any_order_ends_alike() {
        // Far enough apart that the lowest bins collapse.
        let parts = [
            sketch([1, 1, 2, 900]),
            sketch([0, 5, 1_000_000]),
            sketch([u64::MAX, 3]),
            sketch((0..500).map(|n| n * 17)),
        ];
        let merged = |order: [usize; 4]| {
            let mut all = Sketch::default();
            for index in order {
                all.merge(&parts[index]);
            }
            all
        };
        let mut right = parts[2].clone();
        right.merge(&parts[3]);
        let mut left = parts[0].clone();
        left.merge(&parts[1]);
        left.merge(&right);
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
            assert_eq!(merged(order), left, "{order:?}");
        }
        let all = [1, 1, 2, 900, 0, 5, 1_000_000, u64::MAX, 3];
        assert_eq!(
            left,
            sketch(all.into_iter().chain((0..500).map(|n| n * 17)))
        );
    }

    #[test]
    fn plain_data_out_of_order_is_set_right() {
        let bins = Bins {
            zeros: 1,
            bins: vec![(9, 1), (3, 2), (9, 4), (5, 0)],
        };
        let sketch = Sketch::from_bins(bins);
        assert_eq!(sketch.bins().bins, [(3, 2), (9, 5)]);
        assert_eq!(sketch.count(), 8);
    }
}
