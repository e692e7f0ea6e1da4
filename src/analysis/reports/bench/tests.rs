//! Makes runs of benchmarks up.

use super::Kind;
use crate::record::{Active, ExchangeRecord, Mark, Moment};
use crate::sample::record;

/// What one route is asked.
pub(super) fn kind(cold: bool) -> Kind {
    Kind {
        model: "m".to_owned(),
        provider: "p".to_owned(),
        there: None,
        region: None,
        max_tokens: 64,
        json: false,
        prompt_tokens: None,
        cold,
    }
}

/// Exchanges, each of a kind over a connection that was there or not, with their first token after
/// `first_ms`.
pub(super) fn run(each: &[(usize, bool)], first_ms: f64) -> Vec<(usize, ExchangeRecord)> {
    let one = |(kind, reused): &(usize, bool)| {
        let mut record = record();
        let attempt = &mut record.attempts[0];
        attempt.reused = *reused;
        let sent = attempt.timeline.get(Mark::FirstToken).unwrap().0 - (first_ms * 1e6) as u64;
        attempt.timeline.set(Mark::SendStart, Moment(sent));
        record.active = Some(Active {
            cold: !reused,
            ..Active::default()
        });
        (*kind, record)
    };
    each.iter().map(one).collect()
}
