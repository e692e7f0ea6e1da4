//! Lays out whole distributions: which share of the requests was answered within which time.
//!
//! Band: Dvoretzky, Kiefer and Wolfowitz with Massart's constant (Annals of Probability 18, 1990):
//! the whole true curve lies within `√(ln(2/α) / 2n)` of the seen one with confidence `1 − α`.

use super::figures::Numbers;
use crate::analysis::paper::{Chart, Curve, Plot, Step, Unit};
use crate::statistics::interval::ALPHA;

/// Fewest independent numbers of a curve: below, its band is wider than three tenths.
const NUMBERS_MIN: f64 = 20.0;
/// Points of a curve at most.
const POINTS_MAX: usize = 160;
/// Curves of a chart at most: those of most numbers.
const CURVES_MAX: usize = 6;

/// The curves of time to first token; nothing where no group has numbers enough.
pub(super) fn first_tokens(title: &str, groups: Vec<(String, &Numbers)>) -> Option<Chart> {
    let mut known: Vec<(String, &Numbers)> = groups
        .into_iter()
        .filter(|(_, numbers)| worth(numbers) >= NUMBERS_MIN && finite(numbers) > 0)
        .collect();
    known.sort_by_key(|(_, numbers)| std::cmp::Reverse(numbers.count()));
    let curves: Vec<Curve> = known
        .into_iter()
        .take(CURVES_MAX)
        .map(|(name, numbers)| curve(name, numbers))
        .collect();
    (!curves.is_empty()).then(|| Chart {
        title: title.to_owned(),
        unit: Unit::Span,
        plot: Plot::Curves(curves),
        note: "Share of the requests whose first token had come by then, on a scale of \
               logarithms; the band holds the whole curve with 95 % confidence (Dvoretzky, \
               Kiefer, Wolfowitz, Massart; of as many requests as are independent). Failures never come: a curve that ends below 100 % \
               ends at its failures."
            .to_owned(),
    })
}

/// How many independent numbers say as much.
fn worth(numbers: &Numbers) -> f64 {
    numbers.count() as f64 / numbers.effect_of().max(1.0)
}

/// How many of the numbers are none of a failure.
fn finite(numbers: &Numbers) -> usize {
    let sample = numbers.sample();
    sample.len() - sample.failures()
}

fn curve(name: String, numbers: &Numbers) -> Curve {
    let (sample, finite, count) = (numbers.sample(), finite(numbers), numbers.count() as f64);
    let reach = ((2.0 / ALPHA).ln() / (2.0 * worth(numbers))).sqrt();
    let points = finite.min(POINTS_MAX);
    let steps = (1..=points)
        .map(|point| {
            let rank = point * finite / points;
            let share = rank as f64 / count;
            Step {
                at: sample.at(rank),
                share,
                low: (share - reach).max(0.0),
                high: (share + reach).min(1.0),
            }
        })
        .collect();
    Curve {
        name,
        count: numbers.count(),
        steps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_ends_at_its_failures_and_its_band_is_massarts() {
        let values = (1..=300).map(|n| f64::from(n) * 1e6);
        let numbers = Numbers::of(values.chain([f64::INFINITY; 100]));
        let few = Numbers::of((0..19).map(f64::from));
        let groups = vec![("a".to_owned(), &numbers), ("b".to_owned(), &few)];
        let chart = first_tokens("x", groups).unwrap();
        let Plot::Curves(curves) = &chart.plot else {
            panic!("curves");
        };
        assert_eq!(curves.len(), 1);
        let steps = &curves[0].steps;
        assert_eq!((steps.len(), curves[0].count), (160, 400));
        let last = steps[159];
        assert!((last.at - 300e6).abs() < 1.0 && (last.share - 0.75).abs() < 1e-12);
        // √(ln 40 / 800).
        assert!(
            (last.high - last.share - 0.067_905).abs() < 1e-5,
            "{last:?}"
        );
        assert!(steps.is_sorted_by(|a, b| a.at <= b.at && a.share <= b.share));
        assert_eq!(first_tokens("x", vec![("b".to_owned(), &few)]), None);
    }

    #[test]
    fn the_band_of_numbers_that_are_alike_is_as_wide_as_what_they_are_worth() {
        // Forty clusters of ten equal numbers each.
        let values = (0..400_u64).map(|n| (1e6 + (n / 10) as f64 * 1e6, n / 10));
        let numbers = Numbers::clustered(values.collect());
        assert!((numbers.effect_of() - 10.0).abs() < 1e-9);
        let chart = first_tokens("x", vec![("a".to_owned(), &numbers)]).unwrap();
        let Plot::Curves(curves) = &chart.plot else {
            panic!("curves");
        };
        let middle = curves[0].steps[80];
        // √(ln 40 / 80).
        assert!(
            (middle.high - middle.share - 0.214_735).abs() < 1e-5,
            "{middle:?}"
        );
        let few = Numbers::clustered((0..190_u64).map(|n| ((n / 10) as f64, n / 10)).collect());
        assert_eq!(first_tokens("x", vec![("b".to_owned(), &few)]), None);
    }
}
