//! Draws the rank of a resampled quantile, and what it comes to, in one look into a table.

use super::random::Random;
use crate::statistics::interval::binomial::chance;
use crate::statistics::interval::effective_count;

/// The ranks that the index bootstrap draws for the `p`-quantile of `n` numbers:
/// `i ~ Binomial(n + 1, p)`, moved into `1..=n`.
///
/// A table of aliases, `O(√n)` long: a draw is one look into it (Walker, ACM Transactions on
/// Mathematical Software 3, 1977; built as Vose, IEEE Transactions on Software Engineering 17,
/// 1991). What lies beyond the table has a chance below 1e-16.
#[derive(Debug, Clone)]
pub struct IndexLaw {
    first: usize,
    places: Vec<Place>,
    /// How many numbers the law is of.
    law: usize,
    /// How many there are.
    count: usize,
}

/// One place of the table, on which every draw of as many falls alike.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The share of its draws that are its own, in 2⁻³².
    share: u32,
    /// Whose the others are.
    alias: u32,
}

/// What a law's draws come to: `K` numbers of each rank that can be drawn.
#[derive(Debug, Clone)]
pub struct Outcomes<const K: usize>(Vec<Outcome<K>>);

/// A place with what either of its ranks comes to, side by side: a draw touches one line of memory.
#[derive(Debug, Clone, Copy)]
struct Outcome<const K: usize> {
    share: u32,
    own: [f64; K],
    alias: [f64; K],
}

/// Which of `length` places 32 random bits fall on, and what is left of them.
const fn place(bits: u32, length: usize) -> (usize, u32) {
    let product = bits as u64 * length as u64;
    ((product >> 32) as usize, product as u32)
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
        let chances = below.into_iter().rev().chain([top]).chain(above);
        Self {
            first,
            places: aliases(chances.collect()),
            law,
            count,
        }
    }

    /// A rank, counted from 1.
    pub fn draw(&self, random: &mut Random) -> usize {
        let (index, rest) = place(random.bits() as u32, self.places.len());
        let Place { share, alias } = self.places[index];
        self.rank(if rest < share { index } else { alias as usize })
    }

    /// What `value` makes of each rank that can be drawn: a replicate then costs one look, whatever
    /// the value takes to make. One outcome where all ranks come to the same.
    pub fn outcomes<const K: usize>(&self, value: impl Fn(usize) -> [f64; K]) -> Outcomes<K> {
        let indices = 0..self.places.len();
        let values: Vec<[f64; K]> = indices.map(|index| value(self.rank(index))).collect();
        let outcome = |(place, own): (&Place, &[f64; K])| Outcome {
            share: place.share,
            own: *own,
            alias: values[place.alias as usize],
        };
        let mut all: Vec<Outcome<K>> = self.places.iter().zip(&values).map(outcome).collect();
        let same = |one: &[f64; K], other: &[f64; K]| {
            one.iter()
                .zip(other)
                .all(|(one, other)| one.total_cmp(other).is_eq())
        };
        if values.windows(2).all(|pair| same(&pair[0], &pair[1])) {
            all.truncate(1);
        }
        Outcomes(all)
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

impl<const K: usize> Outcomes<K> {
    /// The outcome of the draw that 32 random bits make.
    #[inline]
    #[must_use]
    pub fn draw(&self, bits: u32) -> [f64; K] {
        let (index, rest) = place(bits, self.0.len());
        let outcome = &self.0[index];
        if rest < outcome.share {
            outcome.own
        } else {
            outcome.alias
        }
    }

    /// The one outcome, where there is no other.
    #[must_use]
    pub fn only(&self) -> Option<[f64; K]> {
        match self.0.as_slice() {
            [outcome] => Some(outcome.own),
            _ => None,
        }
    }
}

/// Places of equal share for outcomes of these chances: what an outcome has too much of fills the
/// places of those that have too little.
fn aliases(mut chances: Vec<f64>) -> Vec<Place> {
    let all: f64 = chances.iter().sum();
    let count = chances.len() as f64;
    chances.iter_mut().for_each(|chance| *chance *= count / all);
    // A place that nothing fills up is whole: rounding is all that it lacks.
    let whole = |index: usize| Place {
        share: u32::MAX,
        alias: index as u32,
    };
    let mut places: Vec<Place> = (0..chances.len()).map(whole).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) =
        (0..chances.len()).partition(|index| chances[*index] < 1.0);
    while let (Some(low), Some(high)) = (small.pop(), large.last().copied()) {
        places[low] = Place {
            share: (chances[low] * 2_f64.powi(32)) as u32,
            alias: high as u32,
        };
        chances[high] -= 1.0 - chances[low];
        if chances[high] < 1.0 {
            large.pop();
            small.push(high);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_gives_each_rank_its_chance() {
        for (count, p) in [(1, 0.5), (10, 0.5), (59, 0.95), (4_000, 0.5), (700, 0.99)] {
            let law = IndexLaw::new(count, p);
            let each = 1.0 / law.places.len() as f64;
            let mut found = vec![0.0; law.places.len()];
            for (index, place) in law.places.iter().enumerate() {
                let own = f64::from(place.share) / 2_f64.powi(32);
                found[index] += own * each;
                found[place.alias as usize] += (1.0 - own) * each;
            }
            for (index, found) in found.into_iter().enumerate() {
                let exact = chance((law.first + index) as u64, count as u64 + 1, p);
                assert!(
                    (found - exact).abs() < 1e-8,
                    "{count} {p} {index}: {found} {exact}"
                );
            }
        }
    }

    #[test]
    fn an_outcome_is_that_of_its_rank() {
        let law = IndexLaw::effective(50, 2.0, 0.5);
        let outcomes = law.outcomes(|rank| [rank as f64, -(rank as f64)]);
        let mut random = Random::new(5);
        for _ in 0..1_000 {
            let bits = random.clone().bits() as u32;
            let rank = law.draw(&mut random) as f64;
            let [one, other] = outcomes.draw(bits);
            assert!((one - rank).abs() < 1e-9 && (other + rank).abs() < 1e-9);
        }
        assert_eq!(outcomes.only(), None);
        assert_eq!(law.outcomes(|_| [3.0]).only(), Some([3.0]));
    }
}
