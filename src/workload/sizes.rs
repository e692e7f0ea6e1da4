//! Draws how long prompts and answers are, from a few percentiles of each.

use crate::statistics::compare::Random;

/// Lengths up to a percentile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percentile {
    /// The percentile, over 0 and up to 100.
    pub percentile: f64,
    /// Tokens of the prompt there.
    pub input_tokens: u64,
    /// Tokens of the answer there.
    pub output_tokens: u64,
}

/// How long a request and its answer are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the answer, at most.
    pub output_tokens: u64,
}

/// Tokens of a prompt or an answer at most: no model's context is longer (that of Llama 4 Scout, the
/// longest that is sold, holds so many).
pub const LENGTH_MAX: u64 = 10_000_000;

/// Why percentiles are no distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizesFault {
    /// There is none.
    Empty,
    /// One is not over 0 and up to 100, or not over the one before it.
    Percentile(usize),
    /// One has fewer tokens than the one before it.
    Falling(usize),
    /// One has no token of a prompt or of an answer.
    Zero(usize),
    /// One has more than [`LENGTH_MAX`] of either.
    Long(usize),
}

/// The distribution that a few percentiles describe.
#[derive(Debug, Clone, PartialEq)]
pub struct Sizes(Vec<Percentile>);

impl Sizes {
    /// The distribution through these percentiles, in rising order.
    pub fn new(percentiles: Vec<Percentile>) -> Result<Self, SizesFault> {
        if percentiles.is_empty() {
            return Err(SizesFault::Empty);
        }
        let mut before: Option<&Percentile> = None;
        for (index, of) in percentiles.iter().enumerate() {
            let last = before.map_or(0.0, |before| before.percentile);
            if !(of.percentile > last && of.percentile <= 100.0) {
                return Err(SizesFault::Percentile(index));
            }
            if of.input_tokens == 0 || of.output_tokens == 0 {
                return Err(SizesFault::Zero(index));
            }
            if of.input_tokens.max(of.output_tokens) > LENGTH_MAX {
                return Err(SizesFault::Long(index));
            }
            let falls = before.is_some_and(|before| {
                of.input_tokens < before.input_tokens || of.output_tokens < before.output_tokens
            });
            if falls {
                return Err(SizesFault::Falling(index));
            }
            before = Some(of);
        }
        Ok(Self(percentiles))
    }

    /// The percentiles.
    #[must_use]
    pub fn percentiles(&self) -> &[Percentile] {
        &self.0
    }

    /// A drawn size. Between two percentiles lengths rise evenly; below the first they are spread
    /// from half of it up, and beyond the last all are as long as it: nothing longer was said to
    /// come. Prompt and answer are drawn at one percentile, as the table says them together.
    pub fn draw(&self, random: &mut Random) -> Size {
        self.at(random.unit() * 100.0)
    }

    /// The size at a percentile.
    #[must_use]
    pub fn at(&self, percentile: f64) -> Size {
        let above = self.0.iter().position(|of| of.percentile >= percentile);
        let Some(above) = above else {
            let last = self.0[self.0.len() - 1];
            return Size {
                input_tokens: last.input_tokens,
                output_tokens: last.output_tokens,
            };
        };
        let high = self.0[above];
        let low = match above.checked_sub(1) {
            Some(below) => self.0[below],
            None => Percentile {
                percentile: 0.0,
                input_tokens: high.input_tokens.div_ceil(2),
                output_tokens: high.output_tokens.div_ceil(2),
            },
        };
        let share = (percentile - low.percentile) / (high.percentile - low.percentile);
        let between = |low: u64, high: u64| low + ((high - low) as f64 * share).round() as u64;
        Size {
            input_tokens: between(low.input_tokens, high.input_tokens),
            output_tokens: between(low.output_tokens, high.output_tokens),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(percentile: f64, input_tokens: u64, output_tokens: u64) -> Percentile {
        Percentile {
            percentile,
            input_tokens,
            output_tokens,
        }
    }

    fn chat() -> Sizes {
        Sizes::new(vec![
            of(50.0, 200, 150),
            of(95.0, 400, 250),
            of(99.0, 800, 400),
        ])
        .unwrap()
    }

    #[test]
    fn sizes_go_through_the_percentiles() {
        for (percentile, input, output) in [
            (0.0, 100, 75),
            (25.0, 150, 113),
            (50.0, 200, 150),
            (72.5, 300, 200),
            (95.0, 400, 250),
            (97.0, 600, 325),
            (99.0, 800, 400),
            (99.9, 800, 400),
        ] {
            let size = chat().at(percentile);
            assert_eq!(
                (size.input_tokens, size.output_tokens),
                (input, output),
                "{percentile}"
            );
        }
    }

    #[test]
    fn many_draws_have_the_percentiles_asked_for() {
        let seed = 11;
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let sizes = chat();
        let draws: Vec<u64> = (0..20_000)
            .map(|_| sizes.draw(&mut random).input_tokens)
            .collect();
        for (tokens, share) in [(200, 0.50), (400, 0.95), (799, 0.99)] {
            let found = draws.iter().filter(|drawn| **drawn <= tokens).count() as f64 / 20_000.0;
            assert!((found - share).abs() < 0.012, "{tokens}: {found}");
        }
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        for (percentiles, fault) in [
            (vec![], SizesFault::Empty),
            (vec![of(0.0, 1, 1)], SizesFault::Percentile(0)),
            (vec![of(101.0, 1, 1)], SizesFault::Percentile(0)),
            (vec![of(f64::NAN, 1, 1)], SizesFault::Percentile(0)),
            (
                vec![of(50.0, 9, 9), of(50.0, 9, 9)],
                SizesFault::Percentile(1),
            ),
            (vec![of(50.0, 9, 9), of(60.0, 8, 9)], SizesFault::Falling(1)),
            (vec![of(50.0, 9, 0)], SizesFault::Zero(0)),
            (
                vec![of(50.0, 9, 9), of(60.0, 9, LENGTH_MAX + 1)],
                SizesFault::Long(1),
            ),
        ] {
            assert_eq!(Sizes::new(percentiles), Err(fault));
        }
    }
}
