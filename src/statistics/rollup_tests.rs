//! Checks that folding and merging end alike, and what is counted where.

use proptest::prelude::*;

use super::*;
use crate::record::{End, Mark, Moment, PicoDollars};
use crate::sample::record;

fn varied(outcome: usize, first: u64, tokens: u64, lost: usize) -> ExchangeRecord {
    let mut record = record();
    record.outcome = Outcome::ALL[outcome % Outcome::ALL.len()];
    record.tokens.usage.output = Some(tokens);
    record.cost = (!tokens.is_multiple_of(3)).then_some(PicoDollars(tokens * 1_000));
    record.attempts[0]
        .timeline
        .set(Mark::FirstToken, Moment(1_010_000_000 + first));
    for _ in 0..lost {
        let attempt = AttemptRecord {
            provider: "other".into(),
            error_class: Some(ErrorClass::RateLimited),
            ..AttemptRecord::default()
        };
        record.attempts.insert(0, attempt);
    }
    record
}

fn folded(records: &[ExchangeRecord]) -> Rollup {
    let mut rollup = Rollup::default();
    for record in records {
        for part in Part::of(record) {
            rollup.fold_part(part, &Figures::of(record));
        }
    }
    rollup
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn folded_equals_merged(
        seeds in prop::collection::vec((0_usize..13, 0_u64..400_000_000, 0_u64..500, 0_usize..3), 0..40),
        cut in 0_usize..40,
        second in 0_usize..40,
    ) {
        let records: Vec<_> = seeds
            .iter()
            .map(|(outcome, first, tokens, lost)| varied(*outcome, *first, *tokens, *lost))
            .collect();
        let (cut, second) = (cut.min(records.len()), second.min(records.len()));
        let (low, high) = (cut.min(second), cut.max(second));
        let parts = [&records[..low], &records[low..high], &records[high..]].map(folded);
        let whole = folded(&records);

        let mut left = parts[0].clone();
        left.merge(&parts[1]);
        left.merge(&parts[2]);
        let mut right = parts[2].clone();
        let mut tail = parts[1].clone();
        tail.merge(&parts[0]);
        right.merge(&tail);
        prop_assert_eq!(&left, &whole);
        prop_assert_eq!(&right, &whole);
    }
}

#[test]
fn each_part_goes_to_its_own_route() {
    let record = varied(0, 0, 50, 2);
    let routes: Vec<_> = Part::of(&record)
        .map(|part| part.route(&record).0.map(Name::to_string))
        .collect();
    let expected = ["openai", "other", "other"].map(|name| Some(name.to_owned()));
    assert_eq!(routes, expected);
    let rollup = folded(&[record]);
    assert_eq!(
        (rollup.attempts, rollup.lost, rollup.exchanges()),
        (3, 2, 1)
    );
    assert_eq!(rollup.rate_limits(), 2);
}

#[test]
fn failures_have_no_time_and_cached_answers_no_latency() {
    let mut failed = varied(0, 0, 50, 0);
    failed.outcome = Outcome::Truncated;
    failed.attempts[0].end = Some(End::Truncated);
    let mut cached = varied(0, 0, 50, 0);
    cached.cached_answer = true;
    let rollup = folded(&[failed, cached, varied(0, 0, 50, 0)]);
    assert_eq!(rollup.first_token.count(), 1);
    assert_eq!((rollup.failures(), rollup.judged()), (1, 3));
    assert_eq!(
        rollup.first_token.quantile_among(0.9, rollup.failures()),
        Some(rollup.first_token.quantile(1.0).unwrap())
    );
    assert_eq!(
        rollup.first_token.quantile_among(1.0, rollup.failures()),
        None
    );
}

#[test]
fn a_rejected_exchange_belongs_to_the_model_asked_for() {
    let mut record = record();
    record.attempts.clear();
    record.outcome = Outcome::Rejected;
    let part = Part::of(&record).next().unwrap();
    assert_eq!(part.route(&record), (None, record.model.as_ref()));
    assert_eq!(folded(&[record.clone()]).attempts, 0);
}

#[test]
fn numbers_of_stored_enums_are_their_places() {
    for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
        assert_eq!(outcome as usize, place);
    }
    for (place, class) in ErrorClass::ALL.into_iter().enumerate() {
        assert_eq!(class as usize, place);
    }
}

/// What a lost attempt cost is its route's, and what was not waited out is no failure and not fast.
#[test]
fn lost_attempts_keep_their_cost_and_their_wait() {
    let mut called_off = AttemptRecord {
        cancelled_by: Some(crate::record::CancelledBy::Hedge),
        lost_cost: Some(PicoDollars(2_000)),
        ..AttemptRecord::default()
    };
    called_off.timeline.set(Mark::SendStart, Moment(0));
    called_off.timeline.set(Mark::Closed, Moment(150));
    let mut hedged = record();
    hedged.cost = Some(PicoDollars(5_000));
    hedged.cost_billed = Some(PicoDollars(1_500));
    hedged.attempts.insert(0, called_off);
    let (mut own, mut other) = (Rollup::default(), Rollup::default());
    for part in Part::of(&hedged) {
        let rollup = if matches!(part, Part::Lost(_)) {
            &mut other
        } else {
            &mut own
        };
        rollup.fold_part(part, &Figures::of(&hedged));
    }
    let further = |rollup: &Rollup| (rollup.further.lost_failures, rollup.further.lost_spent);
    assert_eq!((further(&own), further(&other)), ((0, 0), (0, 2_000)));
    assert_eq!((own.cost, own.further.spent), (3_000, 1_500));
    assert_eq!(own.further.both_computed, 3_000);
    assert_eq!((own.further.streamed, other.further.streamed), (1, 0));
    let waits = |rollup: &Rollup| [&rollup.waited, &rollup.waited_answer].map(Sketch::count);
    assert_eq!((waits(&own), waits(&other)), ([0, 0], [1, 1]));
    assert_eq!((own.untold_waits(), other.untold_waits()), (0, 0));

    // A client that leaves before the first token, and one that leaves among the reasoning.
    for (came, expected) in [(false, [1, 1]), (true, [0, 1])] {
        let mut left = record();
        left.outcome = Outcome::ClientGone;
        let attempt = &mut left.attempts[0];
        attempt.end = Some(End::ClientGone);
        let line = std::mem::take(&mut attempt.timeline);
        for mark in [Mark::SendStart, Mark::Headers, Mark::FirstToken] {
            let at = line.get(mark).filter(|_| came || mark != Mark::FirstToken);
            at.into_iter().for_each(|at| attempt.timeline.set(mark, at));
        }
        attempt.timeline.set(Mark::Closed, Moment(1_400_000_000));
        assert_eq!(waits(&folded(&[left])), expected, "{came}");
    }
}
