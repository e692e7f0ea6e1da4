//! Codes one attempt of an exchange.

use crate::record::{
    AttemptRecord, KeyedHash, Moment, Name, Nanos, PicoDollars, Protocol, ProviderKind,
    RateLimitHeader, ServerTiming, Usage,
};

use super::super::names::NameTable;
use super::bytes::{Damaged, Presence, Read, Reader, Writer};
use super::listed::Listed;
use super::timing::{read_gaps, read_timeline, write_gaps, write_timeline};

/// Writes `attempt`; `zero` is the exchange's start.
pub(super) fn write(w: &mut Writer<'_>, attempt: &AttemptRecord, zero: Moment) {
    w.shape(presence(attempt).bits());
    w.name(&attempt.provider);
    for name in [
        &attempt.region,
        &attempt.model,
        &attempt.served_by,
        &attempt.model_answered,
        &attempt.fingerprint,
        &attempt.service_tier,
        &attempt.error_code,
    ] {
        optional(name.as_ref(), |name| w.name(name));
    }
    optional(attempt.credential, |hash| w.hash(hash));
    optional(attempt.upstream_request_id.as_ref(), |id| w.text(id));
    optional(attempt.status, |status| w.number(u64::from(status)));
    optional(attempt.error_class, |class| w.byte(class.place()));
    optional(attempt.end, |end| w.byte(end.place()));
    optional(attempt.cancelled_by, |by| w.byte(by.place()));
    if attempt.resends > 0 {
        w.byte(attempt.resends);
    }
    write_lists(w, attempt);
    write_timeline(w, &attempt.timeline, zero);
    optional(attempt.gaps.as_ref(), |gaps| write_gaps(w, gaps));
    w.number(attempt.response_bytes);
    optional(attempt.lost_usage.as_ref(), |usage| write_usage(w, usage));
    optional(attempt.lost_cost, |cost| w.number(cost.0));
    optional(attempt.language, |language| w.byte(language.place()));
    if !attempt.dropped.is_empty() {
        // Clients make up fields without end: they are no names of the table.
        w.list(&attempt.dropped, |w, field| w.text(field));
    }
    optional(lost_for_an_hour(attempt), |count| w.number(count));
}

/// The one count of a lost answer that came with a later version than the others.
fn lost_for_an_hour(attempt: &AttemptRecord) -> Option<u64> {
    attempt.lost_usage.as_ref()?.cache_write_1h
}

/// Each count one higher than it is; zero stands for unknown.
fn write_usage(w: &mut Writer<'_>, usage: &Usage) {
    for count in [
        usage.input,
        usage.cached_read,
        usage.cache_write,
        usage.output,
        usage.reasoning,
        usage.audio,
    ] {
        // The one count that has no place above it is a lie of the provider's.
        w.number(count.map_or(0, |count| count.saturating_add(1)));
    }
}

fn read_usage<N: NameTable>(r: &mut Reader<'_, N>) -> Read<Usage> {
    let mut count = || Ok(r.number()?.checked_sub(1));
    Ok(Usage {
        input: count()?,
        cached_read: count()?,
        cache_write: count()?,
        output: count()?,
        reasoning: count()?,
        audio: count()?,
        cache_write_1h: None,
    })
}

/// Reads what [`write`] wrote.
pub(super) fn read<N: NameTable>(r: &mut Reader<'_, N>, zero: Moment) -> Read<AttemptRecord> {
    let mut has = Presence::of(r.shape()?);
    let mut attempt = AttemptRecord {
        provider: r.name()?,
        kind: [ProviderKind::Direct, ProviderKind::Router][usize::from(has.take())],
        client_credential: has.take(),
        protocol: [Protocol::Http1, Protocol::Http2][usize::from(has.take())],
        reused: has.take(),
        maybe_billed: has.take(),
        region: take(&mut has, r, Reader::name)?,
        model: take(&mut has, r, Reader::name)?,
        served_by: take(&mut has, r, Reader::name)?,
        model_answered: take(&mut has, r, Reader::name)?,
        fingerprint: take(&mut has, r, Reader::name)?,
        service_tier: take(&mut has, r, Reader::name)?,
        error_code: take(&mut has, r, Reader::name)?,
        credential: take(&mut has, r, read_hash_name)?,
        upstream_request_id: take(&mut has, r, |r| Ok(Name::from(r.text()?)))?,
        status: take(&mut has, r, Reader::narrow)?,
        error_class: take(&mut has, r, read_listed)?,
        end: take(&mut has, r, read_listed)?,
        cancelled_by: take(&mut has, r, read_listed)?,
        resends: take(&mut has, r, Reader::byte)?.unwrap_or(0),
        ..AttemptRecord::default()
    };
    read_lists(r, &mut has, &mut attempt)?;
    attempt.timeline = read_timeline(r, zero)?;
    attempt.gaps = take(&mut has, r, read_gaps)?;
    attempt.response_bytes = r.number()?;
    attempt.lost_usage = take(&mut has, r, read_usage)?;
    attempt.lost_cost = take(&mut has, r, |r| Ok(PicoDollars(r.number()?)))?;
    attempt.language = take(&mut has, r, read_listed)?;
    let field = |r: &mut Reader<'_, N>| Ok(Name::from(r.text()?));
    attempt.dropped = take(&mut has, r, |r| r.list(field))?.unwrap_or_default();
    let for_an_hour = take(&mut has, r, Reader::number)?;
    if let Some(usage) = &mut attempt.lost_usage {
        usage.cache_write_1h = for_an_hour;
    }
    Ok(attempt)
}

/// What is there, in the order in which [`read`] asks.
fn presence(attempt: &AttemptRecord) -> Presence {
    Presence::default()
        .put(attempt.kind == ProviderKind::Router)
        .put(attempt.client_credential)
        .put(attempt.protocol == Protocol::Http2)
        .put(attempt.reused)
        .put(attempt.maybe_billed)
        .put(attempt.region.is_some())
        .put(attempt.model.is_some())
        .put(attempt.served_by.is_some())
        .put(attempt.model_answered.is_some())
        .put(attempt.fingerprint.is_some())
        .put(attempt.service_tier.is_some())
        .put(attempt.error_code.is_some())
        .put(attempt.credential.is_some())
        .put(attempt.upstream_request_id.is_some())
        .put(attempt.status.is_some())
        .put(attempt.error_class.is_some())
        .put(attempt.end.is_some())
        .put(attempt.cancelled_by.is_some())
        .put(attempt.resends > 0)
        .put(!attempt.rate_limits.is_empty())
        .put(!attempt.server_timings.is_empty())
        .put(!attempt.finish.is_empty())
        .put(!attempt.oddities.is_empty())
        .put(attempt.gaps.is_some())
        .put(attempt.lost_usage.is_some())
        .put(attempt.lost_cost.is_some())
        .put(attempt.language.is_some())
        .put(!attempt.dropped.is_empty())
        .put(lost_for_an_hour(attempt).is_some())
}

fn write_lists(w: &mut Writer<'_>, attempt: &AttemptRecord) {
    if !attempt.rate_limits.is_empty() {
        // A provider sends the same ones with every answer: their names are one name.
        let mut names = String::with_capacity(256);
        for (at, header) in attempt.rate_limits.iter().enumerate() {
            if at > 0 {
                names.push_str(BETWEEN_NAMES);
            }
            names.push_str(&header.name);
        }
        w.name(&names);
        w.list(&attempt.rate_limits, |w, header| w.text(&header.value));
    }
    if !attempt.server_timings.is_empty() {
        w.list(&attempt.server_timings, |w, timing| {
            w.name(&timing.source);
            write_reported(w, timing.span);
        });
    }
    if !attempt.finish.is_empty() {
        w.list(&attempt.finish, |w, finish| w.byte(finish.place()));
    }
    if !attempt.oddities.is_empty() {
        w.list(&attempt.oddities, |w, oddity| w.byte(oddity.place()));
    }
}

fn read_lists<N: NameTable>(
    r: &mut Reader<'_, N>,
    has: &mut Presence,
    attempt: &mut AttemptRecord,
) -> Read<()> {
    let timing = |r: &mut Reader<'_, N>| {
        Ok(ServerTiming {
            source: r.name()?,
            span: read_reported(r)?,
        })
    };
    attempt.rate_limits = take(has, r, read_rate_limits)?.unwrap_or_default();
    attempt.server_timings = take(has, r, |r| r.list(timing))?.unwrap_or_default();
    attempt.finish = take(has, r, |r| r.list(read_listed))?.unwrap_or_default();
    attempt.oddities = take(has, r, |r| r.list(read_listed))?.unwrap_or_default();
    Ok(())
}

/// Cannot be in a header's name.
const BETWEEN_NAMES: &str = "\n";

fn read_rate_limits<N: NameTable>(r: &mut Reader<'_, N>) -> Read<Vec<RateLimitHeader>> {
    let names = r.name()?;
    let values = r.list(Reader::text)?;
    if names.split(BETWEEN_NAMES).count() != values.len() {
        return Err(Damaged);
    }
    let named = names.split(BETWEEN_NAMES).zip(values);
    let headers = named.map(|(name, value)| RateLimitHeader {
        name: name.into(),
        value: value.into(),
    });
    Ok(headers.collect())
}

/// Providers report whole milliseconds, mostly: those are short.
fn write_reported(w: &mut Writer<'_>, span: Nanos) {
    let millis = span.0 / NANOS_PER_MILLI;
    if millis * NANOS_PER_MILLI == span.0 {
        w.number(millis << 1 | 1);
    } else {
        w.number(span.0 << 1);
        w.byte((span.0 >> 63) as u8);
    }
}

fn read_reported<N: NameTable>(r: &mut Reader<'_, N>) -> Read<Nanos> {
    let number = r.number()?;
    if number & 1 == 1 {
        return Ok(Nanos((number >> 1).saturating_mul(NANOS_PER_MILLI)));
    }
    let high = u64::from(r.byte()? & 1);
    Ok(Nanos(high << 63 | number >> 1))
}

const NANOS_PER_MILLI: u64 = 1_000_000;

/// Does something with a value that is there.
pub(super) fn optional<T>(value: Option<T>, write: impl FnOnce(T)) {
    if let Some(value) = value {
        write(value);
    }
}

/// Reads a value that may be there.
pub(super) fn take<'a, N, T>(
    has: &mut Presence,
    r: &mut Reader<'a, N>,
    read: impl FnOnce(&mut Reader<'a, N>) -> Read<T>,
) -> Read<Option<T>> {
    has.take().then(|| read(r)).transpose()
}

/// Reads a value of an enum.
pub(super) fn read_listed<N: NameTable, T: Listed>(r: &mut Reader<'_, N>) -> Read<T> {
    T::at(r.byte()?).ok_or(Damaged)
}

/// Reads what [`Writer::hash`] wrote.
pub(super) fn read_hash_name<N: NameTable>(r: &mut Reader<'_, N>) -> Read<KeyedHash> {
    let hash = u64::from_str_radix(&r.name()?, 16).map_err(|_| Damaged)?;
    Ok(KeyedHash(hash))
}
