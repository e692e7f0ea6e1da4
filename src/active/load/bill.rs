//! Says what a step's exchanges cost, of how many that is known, and what a good answer costs.

use super::sample::Sample;
use crate::record::{Outcome, PicoDollars};

/// What the exchanges of a step cost, warm-ups left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bill {
    /// What good answers cost, of those whose cost is known.
    pub answers: PicoDollars,
    /// What failures cost, as far as known: a refused one nothing.
    pub failures: PicoDollars,
    /// Good answers.
    pub answered: u64,
    /// Those of them whose cost is known.
    pub priced: u64,
}

impl Bill {
    /// The bill of `samples`.
    pub fn of<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Self {
        let mut bill = Self::default();
        for sample in samples {
            let cost = sample.cost.unwrap_or_default().0;
            if sample.outcome == Outcome::Ok {
                bill.answered += 1;
                bill.priced += u64::from(sample.cost.is_some());
                bill.answers.0 = bill.answers.0.saturating_add(cost);
            } else {
                bill.failures.0 = bill.failures.0.saturating_add(cost);
            }
        }
        bill
    }

    /// US dollars of everything whose cost is known; absent where nothing is known but that
    /// refused requests cost nothing, which is no price.
    #[must_use]
    pub fn known(&self) -> Option<f64> {
        let sum = self.answers.0.saturating_add(self.failures.0);
        (self.priced > 0 || sum > 0).then(|| PicoDollars(sum).as_dollars())
    }

    /// US dollars for a thousand good answers: the mean of those whose cost is known, and each
    /// one's part of what failures cost.
    #[must_use]
    pub fn per_thousand(&self) -> Option<f64> {
        (self.priced > 0).then(|| {
            let each = self.answers.as_dollars() / self.priced as f64;
            (each + self.failures.as_dollars() / self.answered as f64) * 1e3
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::tests::answered;
    use super::*;

    /// A cost in millionths of a dollar.
    fn one(outcome: Outcome, micros: Option<u64>) -> Sample {
        Sample {
            outcome,
            cost: micros.map(|micros| PicoDollars(micros * 1_000_000)),
            ..answered(0, 0, 100)
        }
    }

    #[test]
    fn an_unknown_price_is_no_zero_and_failures_are_borne_by_the_answers() {
        use Outcome::{Ok, Truncated, UpstreamError};
        for (of, known, thousand) in [
            // One refused, the others unpriced.
            (&[(Ok, None), (UpstreamError, Some(0))][..], None, None),
            (&[(UpstreamError, Some(0))], None, None),
            (&[(Ok, Some(0))], Some(0.0), Some(0.0)),
            // Refused ones and unpriced ones make good answers neither cheaper nor dearer.
            (
                &[
                    (Ok, Some(3)),
                    (Ok, Some(5)),
                    (Ok, None),
                    (UpstreamError, Some(0)),
                    (UpstreamError, None),
                ],
                Some(8e-6),
                Some(4e-3),
            ),
            // What broke off was paid for, by two answers.
            (
                &[(Ok, Some(3)), (Ok, Some(3)), (Truncated, Some(2))],
                Some(8e-6),
                Some(4e-3),
            ),
            (&[(Truncated, Some(2))], Some(2e-6), None),
        ] {
            let samples: Vec<Sample> = of.iter().map(|(end, cost)| one(*end, *cost)).collect();
            let bill = Bill::of(&samples);
            for (name, found, expected) in [
                ("known", bill.known(), known),
                ("per thousand", bill.per_thousand(), thousand),
            ] {
                let near = found
                    .zip(expected)
                    .is_none_or(|(a, b)| (a - b).abs() < 1e-12);
                assert!(
                    found.is_some() == expected.is_some() && near,
                    "{name} of {of:?}: {found:?}"
                );
            }
        }
    }
}
