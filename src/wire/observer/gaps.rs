//! Measures what lies between the token events of one stream.

use crate::record::{Bins, Gaps, Moment, Nanos};

/// Collects gaps as token events come.
#[derive(Debug, Default)]
pub(super) struct GapMeter {
    first: Option<Moment>,
    last: Moment,
    last_read: u32,
    gaps: Gaps,
    /// Gaps of at least the shortest stall: which of them are stalls is known at the end.
    long: Vec<Nanos>,
    long_lost: bool,
}

const STALL_MIN: Nanos = Nanos(1_000_000_000);
const STALL_MEDIANS: u64 = 10;
/// Silences of a second kept per stream: more of them are a rate, not stalls.
const LONG_GAPS_MAX: usize = 256;

impl GapMeter {
    /// Takes one token event of the read with this number.
    pub(super) fn token(&mut self, at: Moment, read: u32) {
        if self.first.is_none() {
            self.first = Some(at);
            self.gaps.first_event_tokens = 1;
            self.gaps.token_reads = 1;
        } else {
            self.gap(at.since(self.last));
            self.gaps.token_reads += u32::from(read != self.last_read);
        }
        self.gaps.token_events = self.gaps.token_events.saturating_add(1);
        (self.last, self.last_read) = (at, read);
    }

    fn gap(&mut self, gap: Nanos) {
        add(&mut self.gaps.sketch, gap);
        self.gaps.longest = self.gaps.longest.max(gap);
        if gap > STALL_MIN {
            if self.long.len() < LONG_GAPS_MAX {
                self.long.push(gap);
            } else {
                self.long_lost = true;
            }
        }
    }

    /// Token events so far.
    pub(super) fn events(&self) -> u32 {
        self.gaps.token_events
    }

    /// Whether some long gap could not be kept.
    pub(super) fn is_lossy(&self) -> bool {
        self.long_lost
    }

    /// The gaps of the stream; `started` is when its request was sent. `None` without a token.
    pub(super) fn finish(self, started: Option<Moment>) -> Option<Gaps> {
        let first = self.first?;
        let mut gaps = self.gaps;
        let median = Nanos(
            median(&gaps.sketch)
                .unwrap_or(0)
                .saturating_mul(STALL_MEDIANS),
        );
        for gap in self.long.iter().filter(|gap| **gap > STALL_MIN.max(median)) {
            gaps.stalls += 1;
            gaps.stalled.0 = gaps.stalled.0.saturating_add(gap.0);
        }
        let shared = u64::from(gaps.token_events - gaps.token_reads.min(gaps.token_events));
        gaps.burst_permille = (shared * 1000 / u64::from(gaps.token_events.max(1))) as u16;
        let spread = self.last.since(first);
        gaps.pseudo_stream = started.is_some_and(|started| {
            let wait = first.since(started);
            gaps.token_events >= PSEUDO_EVENTS_MIN
                && spread <= PSEUDO_SPREAD_MAX
                && wait >= PSEUDO_WAIT_MIN
                && wait.0 >= PSEUDO_WAIT_SPREADS * spread.0
        });
        Some(gaps)
    }
}

/// What makes a pseudo-stream: the definition stands at [`Gaps::pseudo_stream`].
const PSEUDO_EVENTS_MIN: u32 = 5;
const PSEUDO_SPREAD_MAX: Nanos = Nanos(250_000_000);
const PSEUDO_WAIT_MIN: Nanos = Nanos(800_000_000);
const PSEUDO_WAIT_SPREADS: u64 = 4;

/// The ratio between the bounds of a bin: (1 + α) ÷ (1 − α) with a relative error α of 1 %
/// (`DDSketch`, Masson et al. 2019). Must equal what `statistics::sketch` means by its bins.
const GAMMA: f64 = 1.01 / 0.99;

/// Adds a value: bin `index` holds the values in (γ^(index − 1), γ^index].
fn add(bins: &mut Bins, value: Nanos) {
    if value.0 == 0 {
        bins.zeros += 1;
        return;
    }
    let index = ((value.0 as f64).ln() / GAMMA.ln()).ceil() as i32;
    match bins.bins.binary_search_by_key(&index, |(index, _)| *index) {
        Ok(at) => bins.bins[at].1 += 1,
        Err(at) => bins.bins.insert(at, (index, 1)),
    }
}

/// The lower median, within the sketch's error.
fn median(bins: &Bins) -> Option<u64> {
    let total = bins.zeros + bins.bins.iter().map(|(_, count)| count).sum::<u64>();
    let rank = total.checked_sub(1)? / 2;
    let mut below = bins.zeros;
    if rank < below {
        return Some(0);
    }
    for (index, count) in &bins.bins {
        below += count;
        if rank < below {
            // The middle of the bin in the measure of relative error.
            let upper = GAMMA.powi(*index);
            return Some((2.0 * upper / (1.0 + GAMMA)).round() as u64);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: u64 = 1_000_000;

    /// Token events at these milliseconds, each in the read of that number.
    fn measure(started: u64, events: &[(u64, u32)]) -> Gaps {
        let mut meter = GapMeter::default();
        for (at, read) in events {
            meter.token(Moment(at * MILLI), *read);
        }
        meter.finish(Some(Moment(started * MILLI))).unwrap()
    }

    #[test]
    fn nothing_is_measured_without_a_token() {
        assert_eq!(GapMeter::default().finish(Some(Moment(0))), None);
        let gaps = measure(0, &[(5, 0)]);
        assert_eq!((gaps.token_events, gaps.token_reads), (1, 1));
        assert_eq!(gaps.sketch, Bins::default());
    }

    #[test]
    fn gaps_bursts_and_stalls_are_counted() {
        // 20 ms apart, then two in one read, then a stall of 1.5 s.
        let gaps = measure(0, &[(100, 0), (120, 1), (140, 2), (140, 2), (1640, 3)]);
        assert_eq!((gaps.token_events, gaps.token_reads), (5, 4));
        assert_eq!(gaps.burst_permille, 200);
        assert_eq!(gaps.longest, Nanos(1500 * MILLI));
        assert_eq!((gaps.stalls, gaps.stalled), (1, Nanos(1500 * MILLI)));
        assert_eq!(gaps.sketch.zeros, 1);
        assert_eq!(
            gaps.sketch.bins.iter().map(|(_, count)| count).sum::<u64>(),
            3
        );
        // Two seconds are no stall where every gap is about as long.
        let gaps = measure(0, &[(0, 0), (2000, 1), (4000, 2), (6000, 3), (8100, 4)]);
        assert_eq!(gaps.stalls, 0);
    }

    #[test]
    fn a_pseudo_stream_is_one_burst_after_a_long_wait() {
        let burst = |first: u64, step: u64, count: u64| {
            let events: Vec<(u64, u32)> =
                (0..count).map(|n| (first + n * step, n as u32)).collect();
            measure(1000, &events).pseudo_stream
        };
        assert!(burst(1000 + 800, 10, 5));
        assert!(!burst(1000 + 799, 10, 5), "too short a wait");
        assert!(!burst(1000 + 800, 10, 4), "too few events");
        assert!(!burst(1000 + 2000, 63, 5), "too long a burst");
        assert!(
            !burst(1000 + 900, 57, 5),
            "the wait is less than four bursts"
        );
    }

    #[test]
    fn the_sketch_keeps_its_relative_error() {
        for exponent in 0..60 {
            let value = 1_u64 << exponent;
            let mut bins = Bins::default();
            add(&mut bins, Nanos(value));
            let read = median(&bins).unwrap() as f64;
            assert!(
                (read - value as f64).abs() <= 0.0101 * value as f64 + 0.5,
                "{value}: {read}"
            );
        }
    }
}
