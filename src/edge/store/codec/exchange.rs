//! Codes the detail of an exchange: everything that its record holds.

use crate::record::{
    Assigned, Coin, Enrolment, ExchangeId, ExchangeRecord, KeyedHash, Language, Mark, Moment,
    Nanos, Origin, Outcome, OwnDelay, PicoDollars, Protocol, RequestFacts, Session, SessionSource,
    Tokens, TraceId, Usage, WallTime,
};

use super::super::keys;
use super::super::names::{NameTable, Names, Scope};
use super::active;
use super::attempt::{self, optional, read_hash_name, read_listed, take};
use super::bytes::{Damaged, Presence, Read, Reader, Writer};
use super::decision;
use super::listed::Listed;
use super::seal;

/// The version of this coding, in every detail's seal.
const DETAIL: u8 = 1;

/// Writes the sealed detail of `record` to `out`; its id is the key.
pub(in super::super) fn encode(record: &ExchangeRecord, names: &mut Names, out: &mut Vec<u8>) {
    seal::open(DETAIL, out);
    let mut w = Writer {
        out,
        names,
        scope: Scope::Core,
    };
    write(&mut w, record);
    seal::close(&record.id.0, out);
}

/// The record of a sealed detail; `None` where the row is damaged.
pub(in super::super) fn decode<N: NameTable>(
    id: ExchangeId,
    value: &[u8],
    names: &N,
) -> Option<ExchangeRecord> {
    match seal::check(&id.0, value)? {
        (DETAIL, payload) => read(&mut Reader::new(payload, names), id).ok(),
        _ => None,
    }
}

fn write(w: &mut Writer<'_>, record: &ExchangeRecord) {
    w.shape(presence(record).bits());
    w.signed(record.started.0.wrapping_sub(keys::date(record.id).0));
    w.number(record.started_at.0);
    w.byte(record.origin.place());
    w.byte(record.language.place());
    w.byte(record.outcome.place());
    w.hash(record.config);
    for name in [&record.endpoint, &record.policy, &record.reason] {
        w.name(name);
    }
    write_client(w, record);
    write_request(w, &record.request);
    w.list(&record.attempts, |w, attempt| {
        attempt::write(w, attempt, record.started_at);
    });
    write_result(w, record);
}

fn read<N: NameTable>(r: &mut Reader<'_, N>, id: ExchangeId) -> Read<ExchangeRecord> {
    let mut has = Presence::of(r.shape()?);
    let started = WallTime(keys::date(id).0.wrapping_add(r.signed()?));
    let started_at = Moment(r.number()?);
    let origin: Origin = read_listed(r)?;
    let language: Language = read_listed(r)?;
    let outcome: Outcome = read_listed(r)?;
    let config = read_hash_name(r)?;
    let (endpoint, policy, reason) = (r.name()?, r.name()?, r.name()?);
    let client_protocol = [Protocol::Http1, Protocol::Http2][usize::from(has.take())];
    let cached_answer = has.take();
    let mut record = ExchangeRecord {
        id,
        started,
        started_at,
        closed_at: Moment::default(),
        origin,
        language,
        outcome,
        config,
        endpoint,
        policy,
        reason,
        client_protocol,
        cached_answer,
        trace: take(&mut has, r, |r| Ok(TraceId(r.fixed()?)))?,
        model: take(&mut has, r, Reader::name)?,
        client_key: take(&mut has, r, read_hash_name)?,
        session: take(&mut has, r, read_session)?,
        client_retries: take(&mut has, r, Reader::narrow)?,
        tags: take(&mut has, r, |r| r.list(Reader::name))?.unwrap_or_default(),
        request: read_request(r, &mut has)?,
        attempts: r.list(|r| attempt::read(r, started_at))?,
        status: None,
        cost: take(&mut has, r, |r| Ok(PicoDollars(r.number()?)))?,
        cost_billed: take(&mut has, r, |r| Ok(PicoDollars(r.number()?)))?,
        own: read_own(r, &mut has)?,
        tokens: read_tokens(r, &mut has)?,
        response_bytes: 0,
        no_cost: None,
        prices: None,
        experiment: None,
        decision: None,
        active: None,
    };
    read_ending(r, &mut has, &mut record)?;
    // Bits that an older record has not are zeros.
    record.no_cost = take(&mut has, r, read_listed)?;
    record.prices = take(&mut has, r, Reader::name)?;
    let (enrolled, assigned) = (has.take(), has.take());
    if enrolled {
        record.experiment = Some(read_enrolment(r, assigned)?);
    }
    record.decision = take(&mut has, r, decision::read)?;
    record.active = take(&mut has, r, |r| active::read(r, started_at))?;
    record.tokens.usage.cache_write_1h = take(&mut has, r, Reader::number)?;
    // What is left over is not of this version.
    r.is_empty().then_some(record).ok_or(Damaged)
}

/// What is there, in the order in which [`read`] asks.
fn presence(record: &ExchangeRecord) -> Presence {
    let request = &record.request;
    let usage = &record.tokens.usage;
    let own = &record.own;
    Presence::default()
        .put(record.client_protocol == Protocol::Http2)
        .put(record.cached_answer)
        .put(record.trace.is_some())
        .put(record.model.is_some())
        .put(record.client_key.is_some())
        .put(record.session.is_some())
        .put(record.client_retries.is_some())
        .put(!record.tags.is_empty())
        .put(request.image)
        .put(request.audio)
        .put(request.document)
        .put(request.stream)
        .put(request.usage_injected)
        .put(request.model_replaced)
        .put(request.background)
        .put(request.prompt_tokens_estimated.is_some())
        .put(request.messages.is_some())
        .put(request.max_tokens.is_some())
        .put(request.choices.is_some())
        .put(request.tools.is_some())
        .put(request.reasoning_effort.is_some())
        .put(request.response_format.is_some())
        .put(request.prompt_hash.is_some())
        .put(request.prefix_hash.is_some())
        .put(record.cost.is_some())
        .put(record.cost_billed.is_some())
        .put(own.inbound.is_some())
        .put(own.first_token.is_some())
        .put(own.chunk_max.is_some())
        .put(own.chunk_p99.is_some())
        .put(own.last.is_some())
        .put(usage.input.is_some())
        .put(usage.cached_read.is_some())
        .put(usage.cache_write.is_some())
        .put(usage.output.is_some())
        .put(usage.reasoning.is_some())
        .put(usage.audio.is_some())
        .put(record.tokens.source.is_some())
        .put(record.status.is_some())
        .put(record.no_cost.is_some())
        .put(record.prices.is_some())
        .put(record.experiment.is_some())
        .put(matches!(
            &record.experiment,
            Some(Enrolment { part: Ok(_), .. })
        ))
        .put(record.decision.is_some())
        .put(record.active.is_some())
        .put(usage.cache_write_1h.is_some())
}

fn write_client(w: &mut Writer<'_>, record: &ExchangeRecord) {
    optional(record.trace, |trace| w.fixed(&trace.0));
    // Anyone can ask for a model that nobody serves.
    w.scope = asked_scope(record);
    optional(record.model.as_ref(), |model| w.name(model));
    w.scope = Scope::Loose;
    optional(record.client_key, |key| w.hash(key));
    optional(record.session, |session| {
        w.fixed(&session.hash.0.to_le_bytes());
        w.byte(session.source.place());
        w.number(u64::from(session.turn));
    });
    optional(record.client_retries, |count| w.number(u64::from(count)));
    if !record.tags.is_empty() {
        w.list(&record.tags, |w, tag| w.name(tag));
    }
}

/// How freely the model asked for may get a number.
pub(in super::super) const fn asked_scope(record: &ExchangeRecord) -> Scope {
    if matches!(record.outcome, Outcome::Ok) {
        Scope::Core
    } else {
        Scope::Loose
    }
}

fn read_session<N: NameTable>(r: &mut Reader<'_, N>) -> Read<Session> {
    Ok(Session {
        hash: KeyedHash(u64::from_le_bytes(r.fixed()?)),
        source: read_listed::<N, SessionSource>(r)?,
        turn: r.narrow()?,
    })
}

fn write_request(w: &mut Writer<'_>, request: &RequestFacts) {
    w.number(request.bytes);
    optional(request.prompt_tokens_estimated, |count| w.number(count));
    optional(request.messages, |count| w.number(u64::from(count)));
    optional(request.max_tokens, |count| w.number(count));
    optional(request.choices, |count| w.number(u64::from(count)));
    optional(request.tools, |count| w.number(u64::from(count)));
    optional(request.reasoning_effort.as_ref(), |name| w.name(name));
    optional(request.response_format.as_ref(), |name| w.name(name));
    optional(request.prompt_hash, |hash| w.fixed(&hash.0.to_le_bytes()));
    optional(request.prefix_hash, |hash| w.fixed(&hash.0.to_le_bytes()));
    w.scope = Scope::Core;
}

fn read_request<N: NameTable>(r: &mut Reader<'_, N>, has: &mut Presence) -> Read<RequestFacts> {
    let hash = |r: &mut Reader<'_, N>| Ok(KeyedHash(u64::from_le_bytes(r.fixed()?)));
    Ok(RequestFacts {
        image: has.take(),
        audio: has.take(),
        document: has.take(),
        stream: has.take(),
        usage_injected: has.take(),
        model_replaced: has.take(),
        background: has.take(),
        bytes: r.number()?,
        prompt_tokens_estimated: take(has, r, Reader::number)?,
        messages: take(has, r, Reader::narrow)?,
        max_tokens: take(has, r, Reader::number)?,
        choices: take(has, r, Reader::narrow)?,
        tools: take(has, r, Reader::narrow)?,
        reasoning_effort: take(has, r, Reader::name)?,
        response_format: take(has, r, Reader::name)?,
        prompt_hash: take(has, r, hash)?,
        prefix_hash: take(has, r, hash)?,
    })
}

fn write_result(w: &mut Writer<'_>, record: &ExchangeRecord) {
    optional(record.cost, |cost| w.number(cost.0));
    optional(record.cost_billed, |cost| w.number(cost.0));
    for span in [
        record.own.inbound,
        record.own.first_token,
        record.own.chunk_max,
        record.own.chunk_p99,
        record.own.last,
    ] {
        optional(span, |span| w.number(span.0));
    }
    let usage = &record.tokens.usage;
    for count in [
        usage.input,
        usage.cached_read,
        usage.cache_write,
        usage.output,
        usage.reasoning,
        usage.audio,
    ] {
        optional(count, |count| w.number(count));
    }
    optional(record.tokens.source, |source| w.byte(source.place()));
    write_ending(w, record);
    optional(record.no_cost, |reason| w.byte(reason.place()));
    optional(record.prices.as_ref(), |version| w.name(version));
    optional(record.experiment.as_ref(), |enrolment| {
        write_enrolment(w, enrolment);
    });
    optional(record.decision.as_ref(), |decision| {
        decision::write(w, decision);
    });
    // Names of runs and items come and go without end.
    w.scope = Scope::Loose;
    optional(record.active.as_ref(), |active| {
        active::write(w, active, record.started_at);
    });
    w.scope = Scope::Core;
    optional(usage.cache_write_1h, |count| w.number(count));
}

fn write_enrolment(w: &mut Writer<'_>, enrolment: &Enrolment) {
    w.name(&enrolment.experiment);
    match enrolment.part {
        Ok(assigned) => {
            w.byte(assigned.arm.place());
            w.fixed(&assigned.coin.0.to_le_bytes());
            w.number(u64::from(assigned.propensity));
            w.byte(assigned.unit.place());
        }
        Err(reason) => w.byte(reason.place()),
    }
}

fn read_enrolment<N: NameTable>(r: &mut Reader<'_, N>, assigned: bool) -> Read<Enrolment> {
    let experiment = r.name()?;
    let part = if assigned {
        Ok(Assigned {
            arm: read_listed(r)?,
            coin: Coin(u32::from_le_bytes(r.fixed()?)),
            propensity: r.narrow()?,
            unit: read_listed(r)?,
        })
    } else {
        Err(read_listed(r)?)
    };
    Ok(Enrolment { experiment, part })
}

/// What the client got is what the last attempt brought, mostly: the difference is short.
fn write_ending(w: &mut Writer<'_>, record: &ExchangeRecord) {
    let last = Last::of(record);
    optional(record.status, |status| {
        w.signed(i64::from(status) - i64::from(last.status));
    });
    w.signed(record.response_bytes.wrapping_sub(last.bytes) as i64);
    w.signed(record.closed_at.0.wrapping_sub(last.closed.0) as i64);
}

fn read_ending<N: NameTable>(
    r: &mut Reader<'_, N>,
    has: &mut Presence,
    record: &mut ExchangeRecord,
) -> Read<()> {
    let last = Last::of(record);
    let status = take(has, r, Reader::signed)?;
    let status = status.map(|more| u16::try_from(more.saturating_add(last.status.into())));
    record.status = status.transpose().map_err(|_| Damaged)?;
    record.response_bytes = last.bytes.wrapping_add(r.signed()? as u64);
    record.closed_at = Moment(last.closed.0.wrapping_add(r.signed()? as u64));
    Ok(())
}

/// What the end of an exchange differs little from.
struct Last {
    status: u16,
    bytes: u64,
    closed: Moment,
}

impl Last {
    fn of(record: &ExchangeRecord) -> Self {
        let last = record.attempts.last();
        let closed = last.and_then(|attempt| attempt.timeline.get(Mark::Closed));
        Self {
            status: last.and_then(|attempt| attempt.status).unwrap_or(200),
            bytes: last.map_or(0, |attempt| attempt.response_bytes),
            closed: closed.unwrap_or(record.started_at),
        }
    }
}

fn read_own<N: NameTable>(r: &mut Reader<'_, N>, has: &mut Presence) -> Read<OwnDelay> {
    let mut span = || take(has, r, |r| Ok(Nanos(r.number()?)));
    Ok(OwnDelay {
        inbound: span()?,
        first_token: span()?,
        chunk_max: span()?,
        chunk_p99: span()?,
        last: span()?,
    })
}

fn read_tokens<N: NameTable>(r: &mut Reader<'_, N>, has: &mut Presence) -> Read<Tokens> {
    let mut count = || take(has, r, Reader::number);
    let usage = Usage {
        input: count()?,
        cached_read: count()?,
        cache_write: count()?,
        output: count()?,
        reasoning: count()?,
        audio: count()?,
        // Came with a later version.
        cache_write_1h: None,
    };
    let source = take(has, r, read_listed)?;
    Ok(Tokens { usage, source })
}
