//! Learns how long answers get, by the model asked for and who asks.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::record::{KeyedHash, Name};

/// The mean of the logarithm, and how many were seen.
type Mean = (f64, u64);

/// How many answers in one a request asks for: each is as long as one alone.
#[must_use]
pub fn of_choices(choices: Option<u32>) -> f64 {
    f64::from(choices.unwrap_or(1).max(1))
}

/// Lengths of answers, each choice for itself, by model and client.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lengths {
    means: HashMap<(Name, Option<KeyedHash>), Mean, FixedState>,
}

/// What is assumed before anything is seen.
const UNKNOWN: f64 = 256.0;
/// How fast the mean follows once it has something.
const FOLLOW: f64 = 0.05;
/// Answers of one client from which on its own mean is used.
const ENOUGH: u64 = 5;
/// Pairs kept.
const PAIRS_MAX: usize = 4_096;

impl Lengths {
    /// Takes in an answer whose `choices` have so many tokens together.
    pub fn observe_choices(
        &mut self,
        model: &Name,
        client: Option<KeyedHash>,
        tokens: u64,
        choices: Option<u32>,
    ) {
        let each = tokens / u64::from(choices.unwrap_or(1).max(1));
        self.observe(model, client, each);
    }

    /// Takes in an answer of so many tokens.
    pub fn observe(&mut self, model: &Name, client: Option<KeyedHash>, tokens: u64) {
        let y = (1.0 + tokens as f64).ln();
        let of_all = (model.clone(), None);
        let of_client = client.map(|client| (model.clone(), Some(client)));
        for key in std::iter::once(of_all).chain(of_client) {
            if self.means.len() >= PAIRS_MAX && !self.means.contains_key(&key) {
                continue;
            }
            let (mean, count) = self.means.entry(key).or_insert((y, 0));
            *count += 1;
            // A plain mean at first.
            *mean += (y - *mean) * FOLLOW.max(1.0 / *count as f64);
        }
    }

    /// The tokens to expect of an answer, at most `max_tokens`.
    #[must_use]
    pub fn expected(
        &self,
        model: &Name,
        client: Option<KeyedHash>,
        max_tokens: Option<u64>,
    ) -> f64 {
        let of = |client| self.means.get(&(model.clone(), client));
        let mean = client
            .and_then(|client| of(Some(client)).filter(|(_, count)| *count >= ENOUGH))
            .or_else(|| of(None));
        let tokens = mean.map_or(UNKNOWN, |(mean, _)| mean.exp() - 1.0);
        max_tokens
            .map_or(tokens, |max| tokens.min(max as f64))
            .max(1.0)
    }

    /// The tokens to expect of an answer of `model`, at most `max_tokens`; absent where none was seen.
    #[must_use]
    pub fn expected_if_seen(&self, model: &Name, max_tokens: Option<u64>) -> Option<f64> {
        let seen = self.means.contains_key(&(model.clone(), None));
        seen.then(|| self.expected(model, None, max_tokens))
    }

    /// Every mean, for keeping.
    pub fn means(&self) -> impl Iterator<Item = (&Name, Option<KeyedHash>, f64, u64)> {
        self.means
            .iter()
            .map(|((model, client), (mean, count))| (model, *client, *mean, *count))
    }

    /// A mean as it was kept.
    pub fn keep(&mut self, model: Name, client: Option<KeyedHash>, mean: f64, count: u64) {
        if mean.is_finite() && self.means.len() < PAIRS_MAX {
            self.means.insert((model, client), (mean, count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_s_own_lengths_count_once_there_are_some() {
        let mut lengths = Lengths::default();
        let model = Name::from("m");
        assert!((lengths.expected(&model, None, None) - UNKNOWN).abs() < 1e-9);
        assert!((lengths.expected(&model, None, Some(10)) - 10.0).abs() < 1e-9);
        for n in 0..20 {
            lengths.observe(
                &model,
                Some(KeyedHash(n % 2)),
                if n % 2 == 0 { 50 } else { 2_000 },
            );
        }
        let expected = |lengths: &Lengths, client| lengths.expected(&Name::from("m"), client, None);
        assert!((expected(&lengths, Some(KeyedHash(0))) - 50.0).abs() < 1.0);
        assert!((expected(&lengths, Some(KeyedHash(1))) - 2_000.0).abs() < 40.0);
        // Ten choices of one answer are as long as ten answers, each.
        let two = KeyedHash(2);
        for _ in 0..20 {
            lengths.observe_choices(&model, Some(two), 10_000, Some(10));
        }
        let found = expected(&lengths, Some(two));
        assert!((found - 1_000.0).abs() < 20.0, "{found}");
        assert!((50.0..2_000.0).contains(&expected(&lengths, Some(KeyedHash(9)))));
    }
}
