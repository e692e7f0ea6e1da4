//! Measures what lies between the token events of one stream.

use crate::record::{Gaps, Moment, Nanos};
use crate::statistics::Sketch;

/// Collects gaps as token events come.
#[derive(Debug, Default)]
pub(super) struct GapMeter {
    first: Option<Moment>,
    last: Moment,
    last_read: u32,
    gaps: Gaps,
    sketch: Sketch,
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
            self.gaps.token_reads = 1;
        } else {
            self.gap(at.since(self.last));
            self.gaps.token_reads += u32::from(read != self.last_read);
        }
        self.gaps.token_events = self.gaps.token_events.saturating_add(1);
        (self.last, self.last_read) = (at, read);
    }

    fn gap(&mut self, gap: Nanos) {
        self.sketch.insert(gap.0);
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

    /// The gaps of the stream; `started` is when its request was sent, `first_tokens` what came with
    /// its first token event. `None` without a token.
    pub(super) fn finish(self, started: Option<Moment>, first_tokens: u32) -> Option<Gaps> {
        let first = self.first?;
        let mut gaps = self.gaps;
        gaps.first_event_tokens = first_tokens;
        // The lower median, within the sketch's error.
        let median = self.sketch.quantile(0.5).unwrap_or(0);
        let median = Nanos(median.saturating_mul(STALL_MEDIANS));
        gaps.sketch = self.sketch.into_bins();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Bins;

    const MILLI: u64 = 1_000_000;

    /// Token events at these milliseconds, each in the read of that number.
    fn measure(started: u64, events: &[(u64, u32)]) -> Gaps {
        let mut meter = GapMeter::default();
        for (at, read) in events {
            meter.token(Moment(at * MILLI), *read);
        }
        meter.finish(Some(Moment(started * MILLI)), 1).unwrap()
    }

    #[test]
    fn nothing_is_measured_without_a_token() {
        assert_eq!(GapMeter::default().finish(Some(Moment(0)), 1), None);
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
    fn gaps_are_in_the_bins_of_the_statistics() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut spans: Vec<u64> = (0..2000)
            .map(|_| rng.u64(..) >> rng.u32(1..64))
            .filter(|span| *span < 1 << 52)
            .collect();
        // Around the bounds of the bins, where a logarithm and a table may part.
        for exponent in 0..50 {
            let edge = 1_u64 << exponent;
            spans.extend([edge - 1, edge, edge + 1]);
        }
        for index in 0..1700 {
            let edge = 1.01_f64.powi(index) / 0.99_f64.powi(index);
            spans.extend([edge as u64, edge as u64 + 1]);
        }
        spans.retain(|span| *span < 1 << 50);
        let (mut meter, mut at) = (GapMeter::default(), Moment(0));
        let mut expected = Sketch::default();
        meter.token(at, 0);
        for (read, span) in spans.iter().enumerate() {
            at = at.plus(Nanos(*span));
            meter.token(at, read as u32 + 1);
            expected.insert(*span);
        }
        let gaps = meter.finish(None, 1).unwrap();
        assert_eq!(gaps.sketch, expected.into_bins());
        for (index, _) in &gaps.sketch.bins {
            let value = crate::statistics::sketch::value_of(*index);
            // Small whole numbers share no bin with their rounded middle.
            if value > 200 {
                assert_eq!(crate::statistics::sketch::index_of(value), Some(*index));
            }
        }
    }
}
