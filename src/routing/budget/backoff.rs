//! Says how long to wait before the same route is tried again.

use crate::record::Nanos;

/// The first pause is at most this,
const BASE: Nanos = Nanos::from_millis(250);
/// and none is longer than this.
const CAP: Nanos = Nanos::from_millis(8_000);

/// The pause before the `retry`-th further attempt at the same route, counted from 1: full jitter,
/// `draw · min(cap, base · 2^(retry − 1))`. Another route needs none.
///
/// Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog 2015.
#[must_use]
pub fn backoff(retry: u32, draw: f64) -> Nanos {
    let doublings = retry.saturating_sub(1).min(16);
    let longest = (BASE.0 << doublings).min(CAP.0);
    Nanos((longest as f64 * draw.clamp(0.0, 1.0)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_cap_and_jitter_takes_any_part_of_them() {
        for (retry, draw, millis) in [
            (1, 1.0, 250),
            (2, 1.0, 500),
            (5, 1.0, 4_000),
            (6, 1.0, 8_000),
            (60, 1.0, 8_000),
            (3, 0.5, 500),
            (3, 0.0, 0),
        ] {
            assert_eq!(backoff(retry, draw), Nanos::from_millis(millis), "{retry}");
        }
    }
}
