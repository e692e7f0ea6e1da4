//! Checks each definition against hand-written moments.

use super::*;
use crate::record::{Gaps, Language, Moment, Tokens};
use crate::sample::record;

const MS: u64 = 1_000_000;

#[expect(
    clippy::unnecessary_wraps,
    reason = "it is what the definitions return"
)]
fn ms(millis: u64) -> Metric {
    Ok(Nanos(millis * MS))
}

fn last(record: &mut ExchangeRecord) -> &mut AttemptRecord {
    record.attempts.last_mut().unwrap()
}

fn gaps(record: &mut ExchangeRecord) -> &mut Gaps {
    last(record).gaps.as_mut().unwrap()
}

#[test]
fn a_refused_requests_cost_is_no_price() {
    for (outcome, cost, told) in [
        (Outcome::Ok, Some(0), Some(0)),
        (Outcome::Ok, Some(7), Some(7)),
        (Outcome::Ok, None, None),
        (Outcome::UpstreamError, Some(0), None),
        (Outcome::ClientGone, Some(0), None),
        (Outcome::Truncated, Some(7), Some(7)),
    ] {
        let found = telling_cost(outcome, cost.map(PicoDollars));
        assert_eq!(found, told.map(PicoDollars), "{outcome:?} {cost:?}");
    }
}

#[test]
fn every_definition_on_one_stream() {
    let record = record();
    let attempt = &record.attempts[0];
    assert_eq!(ttfb(attempt), Some(Nanos(84 * MS)));
    assert_eq!(headers(attempt), Some(Nanos(79 * MS)));
    for (name, found, expected) in [
        ("ttft_up", ttft_up(attempt), ms(100)),
        ("ttfa", ttfa(attempt), ms(120)),
        ("first_text", first_text(attempt), ms(130)),
        ("ttft_client", ttft_client(&record), ms(111)),
        ("e2e_up", e2e_up(attempt), ms(420)),
        ("e2e_client", e2e_client(&record), ms(431)),
        ("total", total(attempt), ms(420)),
        ("tail", tail(attempt), ms(5)),
        ("tpot", tpot(&record), ms(10)),
        ("e2e_at", e2e_at(&record, 500), ms(120 + 4_990)),
    ] {
        assert_eq!(found, expected, "{name}");
    }
    assert_eq!(output_rate(&record), Ok(Rate(100_000)));
    assert_eq!(effective_rate(&record), Ok(Rate(33 * 1_000_000 / 420)));
    assert_eq!(hidden_reasoning(&record), Some(0));
    assert_eq!(own_delay(&record), Some(Nanos(42)));
}

#[test]
fn hidden_reasoning_is_not_speed() {
    let mut record = record();
    record.tokens.usage.output = Some(43);
    let mut bare = crate::record::Timeline::default();
    for (mark, at) in last(&mut record).timeline.iter() {
        if mark != Mark::FirstReasoning {
            bare.set(mark, at);
        }
    }
    last(&mut record).timeline = bare;
    assert_eq!(hidden_reasoning(&record), Some(10));
    assert_eq!(output_rate(&record), Ok(Rate(100_000)));
}

#[test]
fn a_summary_of_reasoning_is_not_what_was_counted() {
    let mut record = record();
    last(&mut record).oddities.push(Oddity::ReasoningSummary);
    assert_eq!(hidden_reasoning(&record), Some(10));
    // Of 33 tokens 10 were thought and 23 streamed, from the first answer on.
    assert_eq!(output_rate(&record), Ok(Rate(22 * 1_000_000 / 300)));
    assert_eq!(ttft_up(&record.attempts[0]), ms(100));
    assert_eq!(effective_rate(&record), Ok(Rate(33 * 1_000_000 / 420)));
}

#[test]
fn audio_that_was_heard_is_no_audio_that_was_said() {
    let mut record = record();
    record.tokens.usage.audio = Some(900);
    assert_eq!(output_rate(&record), Err(NullReason::NotTokens));
    last(&mut record).oddities.push(Oddity::AudioPrompt);
    assert_eq!(output_rate(&record), Ok(Rate(100_000)));
}

#[test]
fn an_output_rate_has_gates() {
    type Change = fn(&mut ExchangeRecord);
    let cases: [(NullReason, Change); 17] = [
        (NullReason::TooFewTokens, |r| {
            r.tokens.usage.output = Some(16);
        }),
        (NullReason::TooShort, |r| {
            last(r).timeline.set(Mark::LastToken, Moment(1_209 * MS));
        }),
        (NullReason::TooFewEvents, |r| gaps(r).token_events = 3),
        (NullReason::PseudoStream, |r| gaps(r).pseudo_stream = true),
        (NullReason::Coalesced, |r| gaps(r).token_reads = 1),
        (NullReason::Aborted, |r| last(r).end = Some(End::ClientGone)),
        (NullReason::Aborted, |r| last(r).end = Some(End::Truncated)),
        (NullReason::MultipleChoices, |r| r.request.choices = Some(2)),
        (NullReason::UsageUnknown, |r| r.tokens = Tokens::default()),
        (NullReason::UsageUnknown, |r| {
            r.tokens.source = Some(TokenSource::Chunks);
        }),
        (NullReason::ClientBackpressure, |r| {
            last(r).oddities.push(Oddity::ClientBackpressure);
        }),
        (NullReason::Unreadable, |r| {
            last(r).oddities.push(Oddity::EventTooLarge);
        }),
        (NullReason::UsageUnknown, |r| {
            last(r).oddities.push(Oddity::HiddenReasoning);
        }),
        (NullReason::Unreadable, |r| {
            last(r).gaps = None;
            last(r).oddities.push(Oddity::DecodedLate);
        }),
        (NullReason::NotTokens, |r| r.tokens.usage.audio = Some(3)),
        (NullReason::NotTokens, |r| {
            r.language = Language::OpenAiEmbeddings;
        }),
        (NullReason::WholeAnswer, |r| last(r).gaps = None),
    ];
    for (expected, change) in cases {
        let mut record = record();
        change(&mut record);
        assert_eq!(output_rate(&record), Err(expected));
        assert_eq!(tpot(&record), Err(expected));
    }
}

#[test]
fn a_whole_answer_has_a_total_and_no_first_token() {
    let mut record = record();
    last(&mut record).gaps = None;
    let attempt = &record.attempts[0];
    assert_eq!(ttft_up(attempt), Err(NullReason::WholeAnswer));
    assert_eq!(e2e_up(attempt), Err(NullReason::WholeAnswer));
    assert_eq!(ttft_client(&record), Err(NullReason::WholeAnswer));
    assert_eq!(total(attempt), ms(425));
    assert_eq!(own_delay(&record), Some(Nanos(940)));
}

#[test]
fn what_never_came_has_a_reason() {
    let mut record = record();
    record.client_protocol = Protocol::Http2;
    let mut bare = crate::record::Timeline::default();
    bare.set(Mark::SendStart, Moment(1_000 * MS));
    bare.set(Mark::FirstToken, Moment(1_100 * MS));
    last(&mut record).timeline = bare;
    assert_eq!(ttft_client(&record), Err(NullReason::Multiplexed));
    record.client_protocol = Protocol::Http1;
    assert_eq!(ttft_client(&record), Err(NullReason::Aborted));
    last(&mut record).end = Some(End::ClientGone);
    assert_eq!(
        ttft_up(&record.attempts[0]),
        ms(100),
        "a first token stands"
    );
    assert_eq!(e2e_up(&record.attempts[0]), Err(NullReason::Aborted));
    record.attempts.clear();
    assert_eq!(Figures::of(&record).first_token, Err(NullReason::NoToken));
    assert_eq!(own_delay(&record), Some(Nanos(940)));
}
