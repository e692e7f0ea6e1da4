//! Keeps of an exchange what a load is judged by: a few numbers instead of its record.

use crate::record::{ExchangeRecord, Moment, Nanos, Outcome, PicoDollars};
use crate::statistics::metric;

/// What is kept of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The step that it belongs to.
    pub step: u32,
    /// It only warmed connections.
    pub warm_up: bool,
    /// When it was to be sent.
    pub intended: Moment,
    /// When its first byte came in.
    pub sent: Moment,
    /// When everything was over.
    pub ended: Moment,
    /// From the first byte of the request to the first token with the client; absent of a whole
    /// answer and where none came.
    pub first_token: Option<Nanos>,
    /// From the first byte of the request to the last token with the client; to the end of a whole
    /// answer; absent unless it was answered.
    pub total: Option<Nanos>,
    /// How it ended.
    pub outcome: Outcome,
    /// Tokens of the prompt, where told.
    pub input: Option<u64>,
    /// Tokens of the answer, where told.
    pub output: Option<u64>,
    /// Thousandths of tokens per second that its user saw.
    pub rate: Option<u64>,
    /// What Tollgate itself added to the first token.
    pub own: Option<Nanos>,
    /// What it cost, where known.
    pub cost: Option<PicoDollars>,
}

impl Sample {
    /// What is kept of `record`; absent unless it is a request of a load.
    #[must_use]
    pub fn of(record: &ExchangeRecord) -> Option<Self> {
        let active = record.active.as_ref()?;
        let usage = &record.tokens.usage;
        let answered = record.outcome == Outcome::Ok;
        let total = || {
            let streamed = metric::e2e_client(record).ok();
            streamed.unwrap_or_else(|| record.closed_at.since(record.started_at))
        };
        Some(Self {
            step: active.round,
            warm_up: active.warm_up,
            intended: active.intended?,
            sent: record.started_at,
            ended: record.closed_at,
            first_token: metric::ttft_client(record).ok(),
            total: answered.then(total),
            outcome: record.outcome,
            input: usage.input,
            output: usage.output,
            rate: metric::output_rate(record).ok().map(|rate| rate.0),
            own: metric::own_delay(record),
            cost: record.cost,
        })
    }

    /// How late it was sent.
    #[must_use]
    pub fn lag(&self) -> Nanos {
        self.sent.since(self.intended)
    }

    /// From its intended start to its first token.
    #[must_use]
    pub fn first_token_intended(&self) -> Option<Nanos> {
        Some(Nanos(self.lag().0.saturating_add(self.first_token?.0)))
    }

    /// From its intended start to its end; absent unless it was answered.
    #[must_use]
    pub fn total_intended(&self) -> Option<Nanos> {
        Some(Nanos(self.lag().0.saturating_add(self.total?.0)))
    }

    /// Whether it was given up, or cut off as the run ended: a request that waited `patience` in
    /// vain is a failure, one that was cut off before says nothing.
    #[must_use]
    pub fn was_cut_off(&self, patience: Nanos) -> bool {
        let left = matches!(self.outcome, Outcome::ClientGone | Outcome::Shutdown);
        left && self.ended.since(self.sent) < patience
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const fn ms(millis: u64) -> Nanos {
        Nanos::from_millis(millis)
    }

    /// A request that was meant for `at` ms, sent `lag` ms later, and answered `total` ms after.
    pub(crate) fn answered(at: u64, lag: u64, total: u64) -> Sample {
        let intended = Moment(0).plus(ms(at));
        let sent = intended.plus(ms(lag));
        Sample {
            step: 0,
            warm_up: false,
            intended,
            sent,
            ended: sent.plus(ms(total)),
            first_token: Some(ms(total / 2)),
            total: Some(ms(total)),
            outcome: Outcome::Ok,
            input: Some(10),
            output: Some(20),
            rate: Some(50_000),
            own: Some(Nanos(50_000)),
            cost: Some(PicoDollars(1_000_000)),
        }
    }

    #[test]
    fn latency_counts_from_the_intended_start() {
        let sample = answered(100, 30, 200);
        assert_eq!(sample.lag(), ms(30));
        assert_eq!(sample.total_intended(), Some(ms(230)));
        assert_eq!(sample.first_token_intended(), Some(ms(130)));
    }

    #[test]
    fn what_waited_in_vain_is_a_failure_and_what_was_cut_off_is_nothing() {
        let left = |total| Sample {
            outcome: Outcome::ClientGone,
            total: None,
            ..answered(0, 0, total)
        };
        assert!(!left(1_000).was_cut_off(ms(1_000)));
        assert!(left(999).was_cut_off(ms(1_000)));
        assert!(!answered(0, 0, 5).was_cut_off(ms(1_000)));
    }
}
