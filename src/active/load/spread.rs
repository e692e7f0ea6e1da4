//! Finds quantiles of numbers that followed one another, failures among them, with their intervals.

use serde_json::{Value, json};

use crate::analysis::paper::Cell;
use crate::statistics::interval::{ALPHA, Estimate, design_effect, order_ci_deff};
use crate::statistics::quantile::{Sample, minimum_count, sorted};

/// Numbers in the order of time, sorted; a failure is larger than all of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spread {
    sorted: Vec<f64>,
    failures: usize,
    effect: f64,
}

/// The quantiles that a load's result has.
pub const SHOWN: [(f64, &str); 4] = [(0.5, "p50"), (0.9, "p90"), (0.95, "p95"), (0.99, "p99")];

impl Spread {
    /// The spread of numbers in the order of time; infinite ones are failures.
    #[must_use]
    pub fn in_time(values: &[f64]) -> Self {
        let (sorted, failures) = sorted(values.iter().copied());
        Self {
            sorted,
            failures,
            effect: design_effect(values),
        }
    }

    /// The quantile of the finite numbers of several, whatever stands behind it.
    #[must_use]
    pub fn of_all<'a>(all: impl IntoIterator<Item = &'a Self>, p: f64) -> Option<f64> {
        let numbers = all.into_iter().flat_map(|of| of.sorted.iter().copied());
        let (sorted, failures) = sorted(numbers);
        Sample::new(&sorted, failures).quantile(p)
    }

    /// How many there are, failures included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sorted.len() + self.failures
    }

    /// The `p`-quantile with its interval of 95 %, or why there is none.
    pub fn at(&self, p: f64) -> Result<Estimate, String> {
        let (has, needs) = (self.count() as u64, minimum_count(p, ALPHA));
        if has < needs.unwrap_or(u64::MAX) {
            return Err(format!("needs {}, has {has}", needs.unwrap_or_default()));
        }
        let sample = Sample::new(&self.sorted, self.failures);
        let value = sample.quantile(p).filter(|value| value.is_finite());
        Ok(Estimate {
            value: value.ok_or_else(|| format!("among failures, n {has}"))?,
            interval: order_ci_deff(sample, p, ALPHA, self.effect).bounds(),
        })
    }

    /// The median, whatever stands behind it.
    #[must_use]
    pub fn middle(&self) -> Option<f64> {
        Sample::new(&self.sorted, self.failures).quantile(0.5)
    }

    /// The quantile as a cell of a report.
    #[must_use]
    pub fn cell(&self, p: f64) -> Cell {
        match self.at(p) {
            Ok(estimate) => Cell::quantile(&estimate, self.count() as u64),
            Err(why) => Cell::absent(why),
        }
    }

    /// The quantiles as JSON, each number divided by `unit`.
    #[must_use]
    pub fn value(&self, unit: f64) -> Value {
        let mut value = json!({
            "n": self.count(),
            "failures": self.failures,
            "design_effect": self.effect,
        });
        let end = |end: f64| end.is_finite().then_some(end / unit);
        for (p, name) in SHOWN {
            value[name] = match self.at(p) {
                Ok(Estimate { value, interval }) => json!({
                    "value": value / unit,
                    "low": end(interval.low),
                    "high": end(interval.high),
                }),
                Err(why) => json!({ "value": null, "why": why }),
            };
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_need_enough_numbers_and_know_their_failures() {
        let few = Spread::in_time(&[1.0; 10]);
        assert_eq!(few.at(0.95), Err("needs 72, has 10".to_owned()));
        assert!(few.at(0.5).is_ok());
        let values: Vec<f64> = (0..200).map(|at| f64::from((at * 37) % 200)).collect();
        let spread = Spread::in_time(&values);
        let found = spread.at(0.5).unwrap();
        assert!((found.value - 99.5).abs() < 1e-9);
        assert!(found.interval.contains(99.5) && found.interval.half_width() < 25.0);
        assert_eq!(Spread::of_all([&few, &few], 0.5), Some(1.0));
        assert_eq!(Spread::of_all([], 0.5), None);
        let failing: Vec<f64> = values
            .iter()
            .map(|value| {
                if *value >= 180.0 {
                    f64::INFINITY
                } else {
                    *value
                }
            })
            .collect();
        let spread = Spread::in_time(&failing);
        assert_eq!(spread.at(0.95), Err("among failures, n 200".to_owned()));
        assert_eq!(spread.count(), 200);
        let value = spread.value(10.0);
        assert_eq!((&value["n"], &value["failures"]), (&200.into(), &20.into()));
        assert_eq!(value["p95"]["why"], "among failures, n 200");
        assert!(value["p50"]["value"].as_f64().is_some());
    }
}
