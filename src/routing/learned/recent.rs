//! Keeps the last spans to the first token by size of prompt, for deadlines and hedges.

use std::collections::VecDeque;

use crate::record::{Moment, Nanos};

/// Sizes of prompts whose first tokens are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stratum {
    /// Below 1,000 tokens.
    Short,
    /// Below 4,000.
    Middle,
    /// Below 16,000.
    Long,
    /// More.
    Huge,
}

impl Stratum {
    /// Every stratum, the shortest first.
    pub const ALL: [Self; 4] = [Self::Short, Self::Middle, Self::Long, Self::Huge];

    /// The stratum of a prompt.
    #[must_use]
    pub const fn of(prompt_tokens: u64) -> Self {
        match prompt_tokens {
            0..1_000 => Self::Short,
            1_000..4_000 => Self::Middle,
            4_000..16_000 => Self::Long,
            _ => Self::Huge,
        }
    }
}

/// Spans kept of each stratum.
const KEPT: usize = 64;
/// Spans from which on a percentile is told.
const ENOUGH: usize = 20;
/// What is older says nothing of now.
const AGE_MAX: Nanos = Nanos(24 * 3_600 * 1_000_000_000);

/// The last spans to the first token of a route. Percentiles are made when a span comes, so that
/// asking costs nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecentSpans {
    strata: [(VecDeque<(Moment, u32)>, Option<u32>); 4],
}

impl RecentSpans {
    /// Takes in a span.
    pub fn insert(&mut self, prompt_tokens: u64, span: Nanos, now: Moment) {
        let millis = u32::try_from(span.0.div_ceil(1_000_000)).unwrap_or(u32::MAX);
        self.add(Stratum::of(prompt_tokens) as usize, millis, now);
    }

    /// A span as it was kept; oldest first.
    pub(super) fn restore(&mut self, stratum: u8, at: Moment, millis: u32) {
        if usize::from(stratum) < self.strata.len() {
            self.add(usize::from(stratum), millis, at);
        }
    }

    fn add(&mut self, stratum: usize, millis: u32, now: Moment) {
        let (spans, p95) = &mut self.strata[stratum];
        if spans.len() == KEPT {
            spans.pop_front();
        }
        spans.push_back((now, millis));
        while spans
            .front()
            .is_some_and(|(at, _)| now.since(*at) > AGE_MAX)
        {
            spans.pop_front();
        }
        *p95 = (spans.len() >= ENOUGH).then(|| {
            let mut millis = [0; KEPT];
            let millis = &mut millis[..spans.len()];
            for (place, (_, span)) in millis.iter_mut().zip(spans.iter()) {
                *place = *span;
            }
            // The rank that 95 of 100 do not exceed: ⌈0.95 n⌉. A few lie above it: to put all in
            // order for that would cost seven times as much.
            let rank = (millis.len() * 95).div_ceil(100) - 1;
            *millis.select_nth_unstable(rank).1
        });
    }

    /// The 95th percentile of the stratum; absent below 20 spans, or where the last is a day old.
    #[must_use]
    pub fn p95(&self, prompt_tokens: u64, now: Moment) -> Option<Nanos> {
        let (spans, p95) = &self.strata[Stratum::of(prompt_tokens) as usize];
        let (last, _) = spans.back()?;
        (now.since(*last) <= AGE_MAX).then_some(())?;
        p95.map(|millis| Nanos::from_millis(u64::from(millis)))
    }

    /// Between which spans of the stratum eight of ten lie; absent where there is no percentile of
    /// them.
    #[must_use]
    pub fn eight_of_ten(&self, prompt_tokens: u64, now: Moment) -> Option<(Nanos, Nanos)> {
        self.p95(prompt_tokens, now)?;
        let spans = self.spans(Stratum::of(prompt_tokens));
        let mut sorted: Vec<u32> = spans.map(|(_, millis)| millis).collect();
        sorted.sort_unstable();
        let of = |tenths: usize| {
            let rank = (sorted.len() * tenths).div_ceil(10).max(1);
            Nanos::from_millis(u64::from(sorted[rank - 1]))
        };
        Some((of(1), of(9)))
    }

    /// The longest of the last spans of the stratum; absent where there is no percentile of them.
    #[must_use]
    pub fn longest(&self, prompt_tokens: u64, now: Moment) -> Option<Nanos> {
        self.p95(prompt_tokens, now)?;
        let spans = self.spans(Stratum::of(prompt_tokens));
        let longest = spans.map(|(_, millis)| millis).max()?;
        Some(Nanos::from_millis(u64::from(longest)))
    }

    /// The spans of a stratum, oldest first, in milliseconds.
    pub fn spans(&self, stratum: Stratum) -> impl Iterator<Item = (Moment, u32)> {
        self.strata[stratum as usize].0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_needs_twenty_spans_of_its_own_stratum() {
        let mut recent = RecentSpans::default();
        for n in 1..=19 {
            recent.insert(100, Nanos::from_millis(n * 100), Moment(n));
            assert_eq!(recent.p95(100, Moment(n)), None);
        }
        recent.insert(999, Nanos::from_millis(2_000), Moment(20));
        assert_eq!(recent.p95(5, Moment(20)), Some(Nanos::from_millis(1_900)));
        assert_eq!(recent.p95(1_000, Moment(20)), None);
        assert_eq!(
            recent.longest(5, Moment(20)),
            Some(Nanos::from_millis(2_000))
        );
        assert_eq!(recent.longest(1_000, Moment(20)), None);
        let eight = (Nanos::from_millis(200), Nanos::from_millis(1_800));
        assert_eq!(recent.eight_of_ten(5, Moment(20)), Some(eight));
        assert_eq!(recent.eight_of_ten(1_000, Moment(20)), None);
        // A day later nothing is known.
        assert_eq!(recent.p95(5, Moment(21).plus(AGE_MAX)), None);
    }
}
