//! Writes a record as JSON, field by field, without building it in memory first.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::record::{
    Active, AttemptRecord, CancelledBy, Considered, Decision, End, Enrolment, ErrorClass,
    ExchangeRecord, Gaps, Language, Moment, Name, Nanos, NoCost, NotEnrolled, OwnDelay,
    RequestFacts, Timeline, TokenSource, Tokens, Usage,
};
use crate::statistics::DEFINITIONS;

use super::SCHEMA;

/// A record to be written.
#[derive(Debug, Clone, Copy)]
pub struct Json<'a>(pub &'a ExchangeRecord);

/// Something whose text is written.
struct Text<T>(T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Writes an object's entries one by one.
macro_rules! object {
    ($serializer:expr, { $($key:literal: $value:expr,)* }) => {{
        let mut map = $serializer.serialize_map(None)?;
        $(map.serialize_entry($key, &$value)?;)*
        map.end()
    }};
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = self.0;
        let zero = record.started_at;
        let attempts: Vec<_> = record
            .attempts
            .iter()
            .map(|one| Attempt(one, zero))
            .collect();
        object!(serializer, {
            "schema": SCHEMA,
            "definitions": DEFINITIONS,
            "id": Text(record.id),
            "trace": record.trace.map(Text),
            "started": record.started.rfc3339(),
            "started_mono_ns": zero.0,
            "closed_ns": offset(record.closed_at, zero),
            "origin": record.origin.name(),
            "config": Text(record.config),
            "endpoint": record.endpoint.as_str(),
            "language": record.language.name(),
            "model": record.model.as_deref(),
            "tags": texts(&record.tags),
            "client_key": record.client_key.map(Text),
            "session": record.session.map(|session| Text(session.hash)),
            "session_source": record.session.map(|session| session.source.name()),
            "turn": record.session.map(|session| session.turn),
            "client_retries": record.client_retries,
            "client_protocol": record.client_protocol.name(),
            "request": Request(&record.request),
            "policy": record.policy.as_str(),
            "reason": record.reason.as_str(),
            "experiment": record.experiment.as_ref().map(Part),
            "decision": record.decision.as_ref().map(Weighed),
            "active": record.active.as_ref().map(|active| OfOurs(active, zero)),
            "outcome": record.outcome.name(),
            "status": record.status,
            "response_bytes": record.response_bytes,
            "tokens": Counts(&record.tokens),
            "cost_picodollars": record.cost.map(|cost| cost.0),
            "cost_billed_picodollars": record.cost_billed.map(|cost| cost.0),
            "no_cost": record.no_cost.map(NoCost::name),
            "prices": record.prices.as_deref(),
            "own": Own(&record.own),
            "cached_answer": record.cached_answer,
            "attempts": attempts,
        })
    }
}

struct Part<'a>(&'a Enrolment);

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let assigned = self.0.part.ok();
        object!(serializer, {
            "name": self.0.experiment.as_str(),
            "arm": assigned.map(|assigned| assigned.arm.name()),
            "coin": assigned.map(|assigned| assigned.coin.as_fraction()),
            "propensity": assigned.map(|assigned| f64::from(assigned.propensity) / 1e6),
            "unit": assigned.map(|assigned| assigned.unit.name()),
            "not_enrolled": self.0.part.err().map(NotEnrolled::name),
        })
    }
}

struct OfOurs<'a>(&'a Active, Moment);

impl Serialize for OfOurs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(active, zero) = self;
        object!(serializer, {
            "run": active.run.as_str(),
            "round": active.round,
            "pair": active.pair.map(|pair| pair.number),
            "order": active.pair.map(|pair| pair.order),
            "item": active.item.as_deref(),
            "trial": active.trial,
            "intended_ns": active.intended.map(|at| offset(at, *zero)),
            "warm_up": active.warm_up,
            "cold": active.cold,
        })
    }
}

struct Weighed<'a>(&'a Decision);

impl Serialize for Weighed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let routes: Vec<_> = self.0.routes.iter().map(Route).collect();
        object!(serializer, {
            "rule": self.0.rule,
            "explored": self.0.explored,
            "hedge": self.0.hedge,
            "routes": routes,
        })
    }
}

struct Route<'a>(&'a Considered);

impl Serialize for Route<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let route = self.0;
        object!(serializer, {
            "provider": route.provider.as_str(),
            "model": route.model.as_deref(),
            "other_model": route.other_model,
            "score_millionths": route.score,
            "propensity": f64::from(route.propensity) / 1e6,
            "left_out": route.left_out.as_deref(),
        })
    }
}

struct Request<'a>(&'a RequestFacts);

impl Serialize for Request<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let request = self.0;
        object!(serializer, {
            "bytes": request.bytes,
            "prompt_tokens_estimated": request.prompt_tokens_estimated,
            "messages": request.messages,
            "max_tokens": request.max_tokens,
            "choices": request.choices,
            "tools": request.tools,
            "reasoning_effort": request.reasoning_effort.as_deref(),
            "response_format": request.response_format.as_deref(),
            "image": request.image,
            "audio": request.audio,
            "document": request.document,
            "stream": request.stream,
            "usage_injected": request.usage_injected,
            "model_replaced": request.model_replaced,
            "background": request.background,
            "prompt_hash": request.prompt_hash.map(Text),
            "prefix_hash": request.prefix_hash.map(Text),
        })
    }
}

struct Counts<'a>(&'a Tokens);

impl Serialize for Counts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let usage = &self.0.usage;
        object!(serializer, {
            "input": usage.input,
            "cached_read": usage.cached_read,
            "cache_write": usage.cache_write,
            "cache_write_1h": usage.cache_write_1h,
            "output": usage.output,
            "reasoning": usage.reasoning,
            "audio": usage.audio,
            "source": self.0.source.map(TokenSource::name),
        })
    }
}

struct LostCounts(Usage);

impl Serialize for LostCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let usage = &self.0;
        object!(serializer, {
            "input": usage.input,
            "cached_read": usage.cached_read,
            "cache_write": usage.cache_write,
            "cache_write_1h": usage.cache_write_1h,
            "output": usage.output,
            "reasoning": usage.reasoning,
            "audio": usage.audio,
        })
    }
}

struct Own<'a>(&'a OwnDelay);

impl Serialize for Own<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let own = self.0;
        object!(serializer, {
            "inbound_ns": own.inbound.map(nanos),
            "first_token_ns": own.first_token.map(nanos),
            "chunk_max_ns": own.chunk_max.map(nanos),
            "chunk_p99_ns": own.chunk_p99.map(nanos),
            "last_ns": own.last.map(nanos),
        })
    }
}

struct Attempt<'a>(&'a AttemptRecord, Moment);

impl Serialize for Attempt<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let attempt = self.0;
        let finish: Vec<_> = attempt.finish.iter().map(|reason| reason.name()).collect();
        let oddities: Vec<_> = attempt
            .oddities
            .iter()
            .map(|oddity| oddity.name())
            .collect();
        object!(serializer, {
            "provider": attempt.provider.as_str(),
            "kind": attempt.kind.name(),
            "region": attempt.region.as_deref(),
            "model": attempt.model.as_deref(),
            "credential": attempt.credential.map(Text),
            "client_credential": attempt.client_credential,
            "protocol": attempt.protocol.name(),
            "reused": attempt.reused,
            "resends": attempt.resends,
            "served_by": attempt.served_by.as_deref(),
            "model_answered": attempt.model_answered.as_deref(),
            "fingerprint": attempt.fingerprint.as_deref(),
            "service_tier": attempt.service_tier.as_deref(),
            "upstream_request_id": attempt.upstream_request_id.as_deref(),
            "status": attempt.status,
            "error_class": attempt.error_class.map(ErrorClass::name),
            "error_code": attempt.error_code.as_deref(),
            "end": attempt.end.map(End::name),
            "cancelled_by": attempt.cancelled_by.map(CancelledBy::name),
            "maybe_billed": attempt.maybe_billed,
            "rate_limits": Limits(attempt),
            "server_timings_ns": Timings(attempt),
            "finish": finish,
            "response_bytes": attempt.response_bytes,
            "oddities": oddities,
            "timeline_ns": Marks(&attempt.timeline, self.1),
            "gaps": attempt.gaps.as_ref().map(Between),
            "lost_tokens": attempt.lost_usage.map(LostCounts),
            "lost_cost_picodollars": attempt.lost_cost.map(|cost| cost.0),
            "language": attempt.language.map(Language::name),
            "dropped": texts(&attempt.dropped),
        })
    }
}

/// Rate-limit headers by name. A name that comes twice has its first value.
pub(super) struct Limits<'a>(pub(super) &'a AttemptRecord);

impl Serialize for Limits<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let limits = &self.0.rate_limits;
        let first = |at: usize| !limits[..at].iter().any(|seen| seen.name == limits[at].name);
        let firsts = limits.iter().enumerate().filter(|(at, _)| first(*at));
        serializer.collect_map(firsts.map(|(_, one)| (one.name.as_str(), one.value.as_str())))
    }
}

/// Server-reported timings by source.
pub(super) struct Timings<'a>(pub(super) &'a AttemptRecord);

impl Serialize for Timings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let timings = &self.0.server_timings;
        let first = |at: usize| {
            !timings[..at]
                .iter()
                .any(|seen| seen.source == timings[at].source)
        };
        let firsts = timings.iter().enumerate().filter(|(at, _)| first(*at));
        serializer.collect_map(firsts.map(|(_, one)| (one.source.as_str(), one.span.0)))
    }
}

struct Marks<'a>(&'a Timeline, Moment);

impl Serialize for Marks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let marks = self.0.iter();
        serializer.collect_map(marks.map(|(mark, at)| (mark.name(), offset(at, self.1))))
    }
}

struct Between<'a>(&'a Gaps);

impl Serialize for Between<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let gaps = self.0;
        object!(serializer, {
            "token_events": gaps.token_events,
            "token_reads": gaps.token_reads,
            "first_event_tokens": gaps.first_event_tokens,
            "longest_ns": gaps.longest.0,
            "stalls": gaps.stalls,
            "stalled_ns": gaps.stalled.0,
            "burst_permille": gaps.burst_permille,
            "pseudo_stream": gaps.pseudo_stream,
            "sketch_zeros": gaps.sketch.zeros,
            "sketch_bins": gaps.sketch.bins,
        })
    }
}

/// The signed distance of `at` from the zero of an exchange's timelines.
pub(super) const fn offset(at: Moment, zero: Moment) -> i64 {
    at.0.wrapping_sub(zero.0) as i64
}

const fn nanos(span: Nanos) -> u64 {
    span.0
}

fn texts(names: &[Name]) -> Vec<&str> {
    names.iter().map(Name::as_str).collect()
}
