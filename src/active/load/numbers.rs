//! Reads the numbers of a step back from a result's JSON.

use serde_json::Value;

use crate::analysis::paper::Cell;
use crate::statistics::interval::{Estimate, Interval};

/// A number of a step, at `place` in it and times `scale`, with its interval where it has one.
pub(super) fn number(step: &Value, place: &str, scale: f64) -> Cell {
    let Some(found) = step.pointer(place) else {
        return Cell::absent("not in the file");
    };
    if let Some(value) = found.as_f64() {
        return Cell::Value(value * scale);
    }
    let end = |key: &str, otherwise: f64| found[key].as_f64().map_or(otherwise, |end| end * scale);
    match found["value"].as_f64() {
        None => Cell::absent(found["why"].as_str().unwrap_or("not known")),
        Some(value) => {
            let interval = Interval {
                low: end("low", f64::NEG_INFINITY),
                high: end("high", f64::INFINITY),
            };
            let value = value * scale;
            Cell::quantile(
                &Estimate { value, interval },
                step["n"].as_u64().unwrap_or(0),
            )
        }
    }
}
