//! Makes records: realistic ones for sizes and speed, arbitrary ones for properties.

use std::sync::Arc;

use tollgate::record::{
    Active, Arm, Assigned, AssignedUnit, AttemptRecord, CancelledBy, Coin, Considered, Decision,
    End, Enrolment, ErrorClass, ExchangeId, ExchangeRecord, FinishReason, Gaps, KeyedHash,
    Language, Mark, Moment, Name, Nanos, NoCost, NotEnrolled, Oddity, Origin, Outcome, OwnDelay,
    Pair, PicoDollars, Protocol, ProviderKind, RateLimitHeader, RequestFacts, ServerTiming,
    Session, SessionSource, Timeline, TokenSource, Tokens, TraceId, Usage, WallTime,
};

/// A small generator of its own, so that a seed gives the same records everywhere.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Long-tailed, as latencies are: `typical` nanoseconds give or take a factor.
    pub(crate) fn latency(&mut self, typical: u64) -> u64 {
        let spread = (0..4).map(|_| self.below(1000)).sum::<u64>();
        let factor = 0.3 + (spread as f64 / 2000.0).powi(3) * 0.7;
        (typical as f64 * factor) as u64 + self.below(1000)
    }
}

pub(crate) const START: WallTime = WallTime(1_795_307_760_000_000);

const MS: u64 = 1_000_000;

const HEADERS: [&str; 8] = [
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "retry-after-ms",
    "x-ratelimit-remaining-project",
];

const ROUTES: [(&str, &str, ProviderKind); 5] = [
    ("openai", "gpt-4.1", ProviderKind::Direct),
    ("openrouter", "openai/gpt-4.1", ProviderKind::Router),
    ("groq", "llama-3.3-70b-versatile", ProviderKind::Direct),
    ("openai", "gpt-4.1-mini", ProviderKind::Direct),
    ("anthropic", "claude-sonnet-4-5", ProviderKind::Direct),
];

/// A finished exchange of one attempt as a real provider gives it: a stream of about 64 tokens,
/// or a whole answer, with eight rate-limit headers, usage, timings, ids and hashes.
pub(crate) fn realistic(random: &mut Random, started: WallTime, stream: bool) -> ExchangeRecord {
    let started_at =
        Moment((86_400_000_000_000 + (started.0 - START.0).clamp(0, 1 << 50) * 1000) as u64);
    let route = ROUTES[random.below(ROUTES.len() as u64) as usize];
    let tokens = random.between(48, 80);
    let (attempt, own, closed_at) = attempt(random, started_at, route, stream, tokens);
    let input = random.between(200, 6000);
    ExchangeRecord {
        id: ExchangeId::new(started, random.next()),
        trace: None,
        started,
        started_at,
        origin: Origin::Live,
        config: KeyedHash(0x1234_5678_9abc_def0),
        endpoint: "/v1/chat/completions".into(),
        language: Language::OpenAiChat,
        model: Some("gpt-4.1".into()),
        tags: Vec::new(),
        client_key: Some(KeyedHash(random.below(5) * 0x1111_2222_3333_4444)),
        session: Some(Session {
            hash: KeyedHash(random.next()),
            source: SessionSource::Prefix,
            turn: random.between(1, 12) as u32,
        }),
        client_retries: Some(0),
        client_protocol: Protocol::Http1,
        request: RequestFacts {
            bytes: input * 4 + random.below(400),
            prompt_tokens_estimated: Some(input + random.below(100)),
            messages: Some(random.between(1, 20) as u32),
            max_tokens: Some(4096),
            tools: random.chance(40).then(|| random.between(1, 9) as u32),
            stream,
            usage_injected: stream,
            prompt_hash: Some(KeyedHash(random.next())),
            prefix_hash: Some(KeyedHash(random.next())),
            ..RequestFacts::default()
        },
        policy: "ordered".into(),
        reason: "first".into(),
        response_bytes: attempt.response_bytes,
        attempts: vec![attempt],
        outcome: Outcome::Ok,
        status: Some(200),
        tokens: Tokens {
            usage: Usage {
                input: Some(input),
                cached_read: Some(input / 128 * 64),
                output: Some(tokens),
                reasoning: Some(0),
                ..Usage::default()
            },
            source: Some(TokenSource::Usage),
        },
        cost: Some(PicoDollars(input * 2_000_000 + tokens * 8_000_000)),
        no_cost: None,
        prices: Some("2026-11-22".into()),
        experiment: None,
        decision: None,
        active: None,
        cost_billed: None,
        own,
        cached_answer: false,
        closed_at,
    }
}

fn attempt(
    random: &mut Random,
    started_at: Moment,
    (provider, model, kind): (&str, &str, ProviderKind),
    stream: bool,
    tokens: u64,
) -> (AttemptRecord, OwnDelay, Moment) {
    let reused = random.chance(97);
    let mut timeline = Timeline::default();
    let mut at = started_at;
    let mut step = |timeline: &mut Timeline, mark, span| {
        at = at.plus(Nanos(span));
        timeline.set(mark, at);
        at
    };
    let t = &mut timeline;
    step(t, Mark::RequestFirstByte, 0);
    step(t, Mark::RequestComplete, random.latency(30_000));
    step(t, Mark::RouteChosen, random.latency(20_000));
    step(t, Mark::PoolWait, random.latency(3_000));
    if !reused {
        step(t, Mark::Dns, random.latency(2 * MS));
        step(t, Mark::Connect, random.latency(20 * MS));
        step(t, Mark::Tls, random.latency(30 * MS));
    }
    step(t, Mark::SendStart, random.latency(15_000));
    step(t, Mark::RequestSent, random.latency(10_000));
    step(t, Mark::Headers, random.latency(350 * MS));
    step(t, Mark::FirstByte, random.latency(200_000));
    let gaps = stream.then(|| streamed(random, t, &mut step, tokens));
    if !stream {
        step(t, Mark::Usage, random.latency(40 * MS));
        step(t, Mark::Done, random.latency(1000));
        step(t, Mark::ClientLastToken, random.latency(20_000));
    }
    step(t, Mark::Closed, random.latency(5_000));
    let own = OwnDelay {
        inbound: Some(Nanos(random.latency(35_000))),
        first_token: stream.then(|| Nanos(random.latency(18_000))),
        chunk_max: stream.then(|| Nanos(random.latency(90_000))),
        chunk_p99: stream.then(|| Nanos(random.latency(60_000))),
        last: Some(Nanos(random.latency(18_000))),
    };
    let id = format!("req_{:016x}{:016x}", random.next(), random.next());
    let record = AttemptRecord {
        provider: provider.into(),
        kind,
        model: Some(model.into()),
        credential: Some(KeyedHash(0xfeed_0000 + provider.len() as u64)),
        reused,
        served_by: (kind == ProviderKind::Router).then(|| "Azure".into()),
        model_answered: Some(format!("{model}-2026-04-14").into()),
        fingerprint: Some("fp_44709d6fcb".into()),
        service_tier: Some("default".into()),
        upstream_request_id: Some(id.into()),
        status: Some(200),
        end: Some(End::Complete),
        rate_limits: rate_limits(random),
        server_timings: vec![ServerTiming {
            source: "openai-processing-ms".into(),
            span: Nanos::from_millis(random.between(200, 900)),
        }],
        timeline,
        gaps,
        finish: vec![FinishReason::Stop],
        response_bytes: tokens * 300 + random.below(999),
        ..AttemptRecord::default()
    };
    (record, own, at)
}

fn streamed(
    random: &mut Random,
    t: &mut Timeline,
    step: &mut impl FnMut(&mut Timeline, Mark, u64) -> Moment,
    tokens: u64,
) -> Gaps {
    step(t, Mark::FirstEvent, 0);
    step(t, Mark::FirstRole, 0);
    step(t, Mark::FirstToken, random.latency(5 * MS));
    step(t, Mark::FirstAnswer, 0);
    step(t, Mark::FirstText, 0);
    let mut sketch = tollgate::statistics::Sketch::default();
    let mut whole = 0;
    let mut longest = 0;
    for _ in 1..tokens {
        let gap = random.latency(16 * MS);
        sketch.insert(gap);
        whole += gap;
        longest = longest.max(gap);
    }
    step(t, Mark::LastToken, whole);
    step(t, Mark::Usage, random.latency(200_000));
    step(t, Mark::Done, random.latency(5_000));
    let first = t.get(Mark::FirstToken).unwrap_or_default();
    let last = t.get(Mark::LastToken).unwrap_or_default();
    t.set(
        Mark::ClientFirstToken,
        first.plus(Nanos(random.latency(18_000))),
    );
    t.set(
        Mark::ClientLastToken,
        last.plus(Nanos(random.latency(18_000))),
    );
    Gaps {
        token_events: tokens as u32,
        token_reads: tokens as u32 - random.below(5) as u32,
        first_event_tokens: 1,
        sketch: sketch.into_bins(),
        longest: Nanos(longest),
        burst_permille: random.below(80) as u16,
        ..Gaps::default()
    }
}

fn rate_limits(random: &mut Random) -> Vec<RateLimitHeader> {
    let values = [
        "10000".to_owned(),
        "30000000".to_owned(),
        random.between(9000, 9999).to_string(),
        random.between(29_000_000, 29_999_999).to_string(),
        format!("{}ms", random.between(5, 60)),
        format!("{}m{}s", random.below(7), random.below(60)),
        random.below(1000).to_string(),
        random.between(100_000, 999_999).to_string(),
    ];
    let named = HEADERS.iter().zip(values);
    named
        .map(|(name, value)| RateLimitHeader {
            name: (*name).into(),
            value: value.into(),
        })
        .collect()
}

/// `count` records begun one every `every` microseconds, four streams to one whole answer, some
/// of which failed or moved on.
pub(crate) fn mixed(seed: u64, count: usize, every: i64) -> Vec<Arc<ExchangeRecord>> {
    let mut random = Random(seed);
    (0..count as i64)
        .map(|n| {
            let stream = random.chance(80);
            let mut record = realistic(&mut random, WallTime(START.0 + n * every), stream);
            if random.chance(10) {
                fail(&mut random, &mut record);
            }
            Arc::new(record)
        })
        .collect()
}

pub(crate) fn fail(random: &mut Random, record: &mut ExchangeRecord) {
    let mut lost = record.attempts[0].clone();
    lost.error_class = Some(ErrorClass::ALL[random.below(25) as usize]);
    lost.end = Some(End::None);
    lost.status = Some(429);
    lost.gaps = None;
    if random.chance(50) {
        record.attempts.insert(0, lost);
    } else {
        record.attempts[0] = lost;
        record.outcome = Outcome::ALL[random.below(13) as usize];
        record.tokens = Tokens::default();
        record.cost = None;
    }
}

/// A record whose every field may hold anything that its type and its limits allow.
pub(crate) fn arbitrary(random: &mut Random) -> ExchangeRecord {
    let started = WallTime(random.below(4_000_000_000_000_000) as i64);
    let stream = random.chance(50);
    let mut record = realistic(random, started, stream);
    if random.chance(10) {
        record.id = ExchangeId((u128::from(random.next()) << 64 | 7).to_be_bytes());
    }
    let r = random;
    record.started = if r.chance(5) { WallTime(-5) } else { started };
    record.started_at = Moment(extreme(r));
    record.closed_at = Moment(extreme(r));
    record.trace = r.chance(50).then(|| TraceId([r.below(256) as u8; 16]));
    record.origin = Origin::ALL[r.below(6) as usize];
    record.language = Language::ALL[r.below(Language::ALL.len() as u64) as usize];
    record.outcome = Outcome::ALL[r.below(13) as usize];
    record.config = KeyedHash(r.next());
    record.model = r.chance(80).then(|| text(r).into());
    record.tags = (0..r.below(9)).map(|_| text(r).into()).collect();
    record.client_key = r.chance(50).then(|| KeyedHash(r.next()));
    record.session = r.chance(50).then(|| Session {
        hash: KeyedHash(r.next()),
        source: SessionSource::ALL[r.below(6) as usize],
        turn: r.next() as u32,
    });
    record.client_retries = r.chance(50).then(|| r.next() as u32);
    record.client_protocol = Protocol::ALL[r.below(2) as usize];
    record.request = request(r);
    record.status = r.chance(80).then(|| r.next() as u16);
    record.response_bytes = extreme(r);
    record.cost = r.chance(60).then(|| PicoDollars(extreme(r)));
    record.no_cost = record
        .cost
        .is_none()
        .then(|| NoCost::ALL[r.below(13) as usize]);
    record.prices = r.chance(50).then(|| text(r).into());
    record.experiment = r.chance(50).then(|| Enrolment {
        experiment: text(r).into(),
        part: if r.chance(50) {
            Ok(Assigned {
                arm: Arm::ALL[r.below(2) as usize],
                coin: Coin(r.next() as u32),
                propensity: r.below(1_000_001) as u32,
                unit: AssignedUnit::ALL[r.below(2) as usize],
            })
        } else {
            Err(NotEnrolled::ALL[r.below(10) as usize])
        },
    });
    record.decision = r.chance(40).then(|| Decision {
        routes: (0..r.below(4))
            .map(|_| Considered {
                provider: text(r).into(),
                model: r.chance(80).then(|| text(r).into()),
                other_model: r.chance(20),
                score: r.chance(70).then(|| extreme(r) as i64),
                propensity: r.below(1_000_001) as u32,
                left_out: r.chance(30).then(|| text(r).into()),
            })
            .collect(),
        rule: r.chance(20).then(|| r.below(9) as u32),
        explored: r.chance(10),
        hedge: r.chance(10).then(|| r.below(3) as u32),
    });
    record.active = r.chance(30).then(|| Active {
        run: text(r).into(),
        round: r.next() as u32,
        pair: r.chance(50).then(|| Pair {
            number: r.next() as u32,
            order: r.below(256) as u8,
        }),
        item: r.chance(50).then(|| text(r).into()),
        trial: r.next() as u32,
        intended: r.chance(50).then(|| Moment(extreme(r))),
        warm_up: r.chance(10),
        cold: r.chance(10),
    });
    record.cost_billed = r.chance(30).then(|| PicoDollars(extreme(r)));
    record.cached_answer = r.chance(10);
    record.own = own(r);
    record.tokens = Tokens {
        usage: Usage {
            input: option(r),
            cached_read: option(r),
            cache_write: option(r),
            cache_write_1h: option(r),
            output: option(r),
            reasoning: option(r),
            audio: option(r),
        },
        source: r.chance(70).then(|| TokenSource::ALL[r.below(6) as usize]),
    };
    record.attempts = (0..r.below(4)).map(|_| arbitrary_attempt(r)).collect();
    record
}

fn own(r: &mut Random) -> OwnDelay {
    let mut span = || option(r).map(Nanos);
    OwnDelay {
        inbound: span(),
        first_token: span(),
        chunk_max: span(),
        chunk_p99: span(),
        last: span(),
    }
}

fn request(r: &mut Random) -> RequestFacts {
    RequestFacts {
        bytes: extreme(r),
        prompt_tokens_estimated: option(r),
        messages: option(r).map(|n| n as u32),
        max_tokens: option(r),
        choices: option(r).map(|n| n as u32),
        tools: option(r).map(|n| n as u32),
        reasoning_effort: r.chance(30).then(|| "high".into()),
        response_format: r.chance(30).then(|| text(r).into()),
        image: r.chance(20),
        audio: r.chance(20),
        document: r.chance(20),
        stream: r.chance(50),
        usage_injected: r.chance(50),
        model_replaced: r.chance(50),
        background: r.chance(10),
        prompt_hash: option(r).map(KeyedHash),
        prefix_hash: option(r).map(KeyedHash),
    }
}

fn arbitrary_attempt(r: &mut Random) -> AttemptRecord {
    let mut timeline = Timeline::default();
    for mark in Mark::ALL {
        if r.chance(60) {
            timeline.set(mark, Moment(extreme(r).min(u64::MAX - 1)));
        }
    }
    AttemptRecord {
        provider: text(r).into(),
        kind: ProviderKind::ALL[r.below(2) as usize],
        region: name(r),
        model: name(r),
        credential: option(r).map(KeyedHash),
        client_credential: r.chance(50),
        protocol: Protocol::ALL[r.below(2) as usize],
        reused: r.chance(50),
        resends: r.below(3) as u8 * 100,
        served_by: name(r),
        model_answered: name(r),
        fingerprint: name(r),
        service_tier: name(r),
        upstream_request_id: name(r),
        status: r.chance(50).then(|| r.next() as u16),
        error_class: r.chance(50).then(|| ErrorClass::ALL[r.below(25) as usize]),
        error_code: name(r),
        end: r.chance(50).then(|| End::ALL[r.below(9) as usize]),
        cancelled_by: r.chance(30).then(|| CancelledBy::ALL[r.below(5) as usize]),
        maybe_billed: r.chance(20),
        rate_limits: (0..r.below(5))
            .map(|_| RateLimitHeader {
                name: text(r).into(),
                value: text(r).into(),
            })
            .collect(),
        server_timings: (0..r.below(3))
            .map(|_| ServerTiming {
                source: text(r).into(),
                span: Nanos(extreme(r)),
            })
            .collect(),
        timeline,
        gaps: r.chance(50).then(|| gaps(r)),
        finish: (0..r.below(4))
            .map(|_| FinishReason::ALL[r.below(7) as usize])
            .collect(),
        response_bytes: extreme(r),
        oddities: (0..r.below(4))
            .map(|_| Oddity::ALL[r.below(20) as usize])
            .collect(),
        lost_usage: r.chance(20).then(|| Usage {
            input: option(r).map(|count| count >> 1),
            output: option(r).map(|count| count >> 1),
            ..Usage::default()
        }),
        lost_cost: r.chance(20).then(|| PicoDollars(extreme(r))),
        language: r
            .chance(20)
            .then(|| Language::ALL[r.below(Language::ALL.len() as u64) as usize]),
        dropped: (0..r.below(3)).map(|_| text(r).into()).collect(),
    }
}

fn gaps(r: &mut Random) -> Gaps {
    let mut sketch = tollgate::statistics::Sketch::default();
    for _ in 0..r.below(40) {
        let value = extreme(r);
        for _ in 0..=r.below(3) {
            sketch.insert(value);
        }
    }
    Gaps {
        token_events: r.next() as u32,
        token_reads: r.next() as u32,
        first_event_tokens: r.next() as u32,
        sketch: sketch.into_bins(),
        longest: Nanos(extreme(r)),
        stalls: r.next() as u32,
        stalled: Nanos(extreme(r)),
        burst_permille: r.below(1001) as u16,
        pseudo_stream: r.chance(20),
    }
}

fn name(r: &mut Random) -> Option<Name> {
    r.chance(50).then(|| text(r).into())
}

fn option(r: &mut Random) -> Option<u64> {
    r.chance(60).then(|| extreme(r))
}

/// Numbers of every length, the ends of the range among them.
fn extreme(r: &mut Random) -> u64 {
    match r.below(10) {
        0 => 0,
        1 => u64::MAX,
        _ => r.next() >> r.below(64),
    }
}

fn text(r: &mut Random) -> String {
    match r.below(10) {
        0 => String::new(),
        1 => r.next().to_string(),
        2 => format!("0{}", r.below(99)),
        3 => format!("req_{:032x}", r.next()),
        4 => ExchangeId::new(WallTime(5), r.next()).to_string(),
        5 => WallTime(r.below(9_000_000_000_000_000) as i64)
            .rfc3339()
            .replacen(".000000", "", 1),
        6 => format!("{}m{}.5s", r.below(9), r.below(60)),
        7 => "żółć".repeat(r.below(80) as usize),
        8 => format!("model-{}", r.below(20)),
        _ => format!("X{:X}y", r.next()),
    }
}
