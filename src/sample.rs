//! A record whose every moment is known, for the unit tests of both packages.

use crate::record::{
    AttemptRecord, End, ExchangeId, ExchangeRecord, Gaps, KeyedHash, Language, Mark, Moment, Nanos,
    Origin, Outcome, OwnDelay, Protocol, RequestFacts, TokenSource, Tokens, Usage, WallTime,
};

const MS: u64 = 1_000_000;

/// A stream of 33 tokens: sent at 10 ms, first token (reasoning) at 110, first answer at 130,
/// first text at 140, last at 430, done at 435, writes 1 ms after the reads.
pub(crate) fn record() -> ExchangeRecord {
    let mut attempt = AttemptRecord {
        provider: "openai".into(),
        model: Some("gpt".into()),
        status: Some(200),
        end: Some(End::Complete),
        gaps: Some(Gaps {
            token_events: 33,
            token_reads: 20,
            first_event_tokens: 1,
            ..Gaps::default()
        }),
        ..AttemptRecord::default()
    };
    for (mark, at) in [
        (Mark::RequestFirstByte, 0),
        (Mark::SendStart, 10),
        (Mark::RequestSent, 11),
        (Mark::Headers, 90),
        (Mark::FirstByte, 95),
        (Mark::FirstToken, 110),
        (Mark::FirstReasoning, 110),
        (Mark::FirstAnswer, 130),
        (Mark::FirstText, 140),
        (Mark::LastToken, 430),
        (Mark::Done, 435),
        (Mark::ClientFirstToken, 111),
        (Mark::ClientLastToken, 431),
    ] {
        attempt.timeline.set(mark, Moment((1_000 + at) * MS));
    }
    ExchangeRecord {
        id: ExchangeId::default(),
        trace: None,
        started: WallTime(1_795_307_749_000_000),
        started_at: Moment(1_000 * MS),
        origin: Origin::Live,
        config: KeyedHash(1),
        endpoint: "/v1/chat/completions".into(),
        language: Language::OpenAiChat,
        model: Some("gpt".into()),
        tags: Vec::new(),
        client_key: None,
        session: None,
        client_retries: None,
        client_protocol: Protocol::Http1,
        request: RequestFacts {
            stream: true,
            bytes: 900,
            ..RequestFacts::default()
        },
        policy: "ordered".into(),
        reason: "first".into(),
        attempts: vec![attempt],
        outcome: Outcome::Ok,
        status: Some(200),
        response_bytes: 5_000,
        tokens: Tokens {
            usage: Usage {
                input: Some(100),
                output: Some(33),
                reasoning: Some(10),
                ..Usage::default()
            },
            source: Some(TokenSource::Usage),
        },
        cost: None,
        no_cost: None,
        prices: None,
        experiment: None,
        decision: None,
        active: None,
        cost_billed: None,
        own: OwnDelay {
            inbound: Some(Nanos(40)),
            first_token: Some(Nanos(2)),
            last: Some(Nanos(900)),
            ..OwnDelay::default()
        },
        cached_answer: false,
        closed_at: Moment(1_440 * MS),
    }
}
