//! Reads a record back from the JSON that was exported of it.

use serde_json::{Map, Value};

use crate::analysis::tables::window;
use crate::record::{
    Active, Arm, Assigned, AssignedUnit, AttemptRecord, Bins, CancelledBy, Coin, Considered,
    Decision, End, Enrolment, ErrorClass, ExchangeRecord, FinishReason, Gaps, KeyedHash, Language,
    Mark, Moment, Name, Nanos, NoCost, NotEnrolled, Oddity, Origin, Outcome, OwnDelay, Pair,
    PicoDollars, Protocol, ProviderKind, RateLimitHeader, RequestFacts, ServerTiming, Session,
    SessionSource, Timeline, TokenSource, Tokens, TraceId, Usage, WallTime,
};
use crate::statistics::DEFINITIONS;

use super::SCHEMA;

/// Reads one line of an export; the error names the field and what was wrong with it.
pub fn read(line: &str) -> Result<ExchangeRecord, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("no JSON: {error}"))?;
    let of = Of::whole(&value)?;
    let schema = of.text("schema")?;
    if schema != SCHEMA {
        return Err(format!("schema is `{schema}`, expected `{SCHEMA}`"));
    }
    let definitions = of.number("definitions")?;
    if definitions != u64::from(DEFINITIONS) {
        return Err(format!(
            "definitions are version {definitions}, and this program has version {DEFINITIONS}: \
             numbers of the two may not be compared"
        ));
    }
    exchange(&of)
}

/// An object with its path, for errors.
struct Of<'a> {
    map: &'a Map<String, Value>,
    path: &'a str,
}

impl<'a> Of<'a> {
    fn whole(value: &'a Value) -> Result<Self, String> {
        let map = value.as_object().ok_or("not an object")?;
        Ok(Self { map, path: "" })
    }

    fn of(&self, key: &str, path: &'a str) -> Result<Self, String> {
        let value = self.value(key);
        let map = value.and_then(Value::as_object);
        let map = map.ok_or_else(|| self.wrong(key, "an object"))?;
        Ok(Self { map, path })
    }

    fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn wrong(&self, key: &str, expected: &str) -> String {
        let found = self.map.get(key).unwrap_or(&Value::Null);
        format!("{}{key} is {found}, expected {expected}", self.path)
    }

    fn maybe<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, String> {
        self.value(key)
            .map(|value| read(value).ok_or_else(|| self.wrong(key, expected)))
            .transpose()
    }

    fn must<T>(&self, key: &str, expected: &str, found: Option<T>) -> Result<T, String> {
        found.ok_or_else(|| self.wrong(key, expected))
    }

    fn text(&self, key: &str) -> Result<&'a str, String> {
        let found = self.maybe(key, "a text", Value::as_str)?;
        self.must(key, "a text", found)
    }

    fn name(&self, key: &str) -> Result<Option<Name>, String> {
        Ok(self.maybe(key, "a text", Value::as_str)?.map(Name::from))
    }

    fn number(&self, key: &str) -> Result<u64, String> {
        let found = self.count(key)?;
        self.must(key, "a number", found)
    }

    fn count(&self, key: &str) -> Result<Option<u64>, String> {
        self.maybe(key, "a number", Value::as_u64)
    }

    fn small<T: TryFrom<u64>>(&self, key: &str) -> Result<Option<T>, String> {
        self.maybe(key, "a small number", |value| {
            T::try_from(value.as_u64()?).ok()
        })
    }

    fn narrow(&self, key: &str) -> Result<Option<u32>, String> {
        let read = |value: &Value| u32::try_from(value.as_u64()?).ok();
        self.maybe(key, "a small number", read)
    }

    fn is(&self, key: &str) -> Result<bool, String> {
        let found = self.maybe(key, "true or false", Value::as_bool)?;
        self.must(key, "true or false", found)
    }

    fn span(&self, key: &str) -> Result<Option<Nanos>, String> {
        Ok(self.count(key)?.map(Nanos))
    }

    fn money(&self, key: &str) -> Result<Option<PicoDollars>, String> {
        Ok(self.count(key)?.map(PicoDollars))
    }

    fn hash(&self, key: &str) -> Result<Option<KeyedHash>, String> {
        self.maybe(key, "16 hexadecimal digits", |value| {
            u64::from_str_radix(value.as_str()?, 16).ok().map(KeyedHash)
        })
    }

    /// One of `all`, by the name that `name` gives it.
    fn one<T: Copy>(
        &self,
        key: &str,
        all: &[T],
        name: impl Fn(T) -> &'static str,
    ) -> Result<Option<T>, String> {
        self.maybe(key, "a known name", |value| found(value, all, &name))
    }

    fn sure<T: Copy>(
        &self,
        key: &str,
        all: &[T],
        name: impl Fn(T) -> &'static str,
    ) -> Result<T, String> {
        let found = self.one(key, all, name)?;
        self.must(key, "a known name", found)
    }

    fn list<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Vec<T>, String> {
        let list = self.maybe(key, expected, |value| {
            value.as_array()?.iter().map(&read).collect()
        })?;
        self.must(key, expected, list)
    }

    /// The entries of a map of names.
    fn entries<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl Fn(&'a str, &'a Value) -> Option<T>,
    ) -> Result<Vec<T>, String> {
        let map = self.of(key, self.path)?;
        let entries = map.map.iter().map(|(name, value)| read(name, value));
        let found: Option<Vec<T>> = entries.collect();
        self.must(key, expected, found)
    }
}

fn found<T: Copy>(value: &Value, all: &[T], name: impl Fn(T) -> &'static str) -> Option<T> {
    let text = value.as_str()?;
    all.iter().copied().find(|one| name(*one) == text)
}

fn exchange(of: &Of<'_>) -> Result<ExchangeRecord, String> {
    let zero = Moment(of.number("started_mono_ns")?);
    let attempts = of.map.get("attempts").and_then(Value::as_array);
    let attempts = attempts.ok_or_else(|| of.wrong("attempts", "a list"))?;
    let session = of.hash("session")?.map(|hash| {
        Ok::<_, String>(Session {
            hash,
            source: of.sure("session_source", SessionSource::ALL, SessionSource::name)?,
            turn: of.small("turn")?.unwrap_or(0),
        })
    });
    let closed = of.maybe("closed_ns", "a number", Value::as_i64)?;
    let closed = of.must("closed_ns", "a number", closed)?;
    Ok(ExchangeRecord {
        id: {
            let id = of.text("id")?.parse().ok();
            of.must("id", "an exchange id", id)?
        },
        trace: of.maybe("trace", "a trace id", |value| {
            TraceId::from_traceparent(&format!("00-{}-0-0", value.as_str()?))
        })?,
        started: {
            let date = date(of.text("started")?);
            of.must("started", "a date", date)?
        },
        started_at: zero,
        origin: of.sure("origin", Origin::ALL, Origin::name)?,
        config: of.hash("config")?.unwrap_or(KeyedHash(0)),
        endpoint: Name::from(of.text("endpoint")?),
        language: of.sure("language", Language::ALL, Language::name)?,
        model: of.name("model")?,
        tags: of.list("tags", "a list of texts", |tag| {
            tag.as_str().map(Name::from)
        })?,
        client_key: of.hash("client_key")?,
        session: session.transpose()?,
        client_retries: of.small("client_retries")?,
        client_protocol: of.sure("client_protocol", &Protocol::ALL, Protocol::name)?,
        request: request(&of.of("request", "request.")?)?,
        policy: Name::from(of.text("policy")?),
        reason: Name::from(of.text("reason")?),
        attempts: {
            let read = |value| {
                attempt(
                    &Of {
                        path: "attempts[].",
                        ..Of::whole(value)?
                    },
                    zero,
                )
            };
            attempts.iter().map(read).collect::<Result<_, _>>()?
        },
        outcome: of.sure("outcome", &Outcome::ALL, Outcome::name)?,
        status: of.small("status")?,
        response_bytes: of.number("response_bytes")?,
        tokens: {
            let counts = of.of("tokens", "tokens.")?;
            Tokens {
                usage: usage(&counts)?,
                source: counts.one("source", &TokenSource::ALL, TokenSource::name)?,
            }
        },
        cost: of.money("cost_picodollars")?,
        cost_billed: of.money("cost_billed_picodollars")?,
        no_cost: of.one("no_cost", NoCost::ALL, NoCost::name)?,
        prices: of.name("prices")?,
        own: own(&of.of("own", "own.")?)?,
        cached_answer: of.is("cached_answer")?,
        experiment: match of.value("experiment") {
            Some(_) => Some(part(&of.of("experiment", "experiment.")?)?),
            None => None,
        },
        decision: match of.value("decision") {
            Some(_) => Some(decision(&of.of("decision", "decision.")?)?),
            None => None,
        },
        active: match of.value("active") {
            Some(_) => Some(active(&of.of("active", "active.")?, zero)?),
            None => None,
        },
        closed_at: moment(zero, closed),
    })
}

fn active(of: &Of<'_>, zero: Moment) -> Result<Active, String> {
    let number = of.narrow("pair")?;
    let order: Option<u8> = of.small("order")?;
    let intended = of.maybe("intended_ns", "a whole number", Value::as_i64)?;
    Ok(Active {
        run: Name::from(of.text("run")?),
        round: of.narrow("round")?.unwrap_or_default(),
        pair: number
            .zip(order)
            .map(|(number, order)| Pair { number, order }),
        item: of.name("item")?,
        trial: of.narrow("trial")?.unwrap_or_default(),
        intended: intended.map(|offset| moment(zero, offset)),
        warm_up: of.is("warm_up")?,
        cold: of.maybe("cold", "true or false", Value::as_bool)? == Some(true),
    })
}

fn part(of: &Of<'_>) -> Result<Enrolment, String> {
    let arm = of.one("arm", Arm::ALL, Arm::name)?;
    let share = |key: &str, whole: f64| -> Result<u32, String> {
        let found = of.maybe(key, "a number", Value::as_f64)?;
        let found = found.map(|found| (found * whole).round() as u32);
        of.must(key, "a number", found)
    };
    let part = match arm {
        Some(arm) => Ok(Assigned {
            arm,
            coin: Coin(share("coin", 4_294_967_296.0)?),
            propensity: share("propensity", 1e6)?,
            unit: of.sure("unit", AssignedUnit::ALL, AssignedUnit::name)?,
        }),
        None => Err(of.sure("not_enrolled", NotEnrolled::ALL, NotEnrolled::name)?),
    };
    Ok(Enrolment {
        experiment: Name::from(of.text("name")?),
        part,
    })
}

fn decision(of: &Of<'_>) -> Result<Decision, String> {
    let list = of.value("routes").and_then(Value::as_array);
    let list = of.must("routes", "a list", list)?;
    let routes = list.iter().map(|value| {
        let map = value.as_object().ok_or("decision.routes: not an object")?;
        considered(&Of {
            map,
            path: "decision.routes.",
        })
    });
    Ok(Decision {
        routes: routes.collect::<Result<_, String>>()?,
        rule: of.narrow("rule")?,
        explored: of.is("explored")?,
        hedge: of.narrow("hedge")?,
    })
}

fn considered(of: &Of<'_>) -> Result<Considered, String> {
    let propensity = of.maybe("propensity", "a number", Value::as_f64)?;
    let propensity = of.must("propensity", "a number", propensity)?;
    Ok(Considered {
        provider: Name::from(of.text("provider")?),
        model: of.name("model")?,
        other_model: of.is("other_model")?,
        score: of.maybe("score_millionths", "a whole number", Value::as_i64)?,
        propensity: (propensity * 1e6).round() as u32,
        left_out: of.name("left_out")?,
    })
}

/// A date with its microseconds.
fn date(text: &str) -> Option<WallTime> {
    let (_, fraction) = text.strip_suffix('Z')?.split_once('.')?;
    let micros: i64 = fraction.parse().ok().filter(|_| fraction.len() == 6)?;
    let whole = window::date(text, WallTime(0)).ok()?;
    Some(WallTime(whole.0 + micros))
}

const fn moment(zero: Moment, offset: i64) -> Moment {
    Moment(zero.0.wrapping_add_signed(offset))
}

fn request(of: &Of<'_>) -> Result<RequestFacts, String> {
    Ok(RequestFacts {
        bytes: of.number("bytes")?,
        prompt_tokens_estimated: of.count("prompt_tokens_estimated")?,
        messages: of.small("messages")?,
        max_tokens: of.count("max_tokens")?,
        choices: of.small("choices")?,
        tools: of.small("tools")?,
        reasoning_effort: of.name("reasoning_effort")?,
        response_format: of.name("response_format")?,
        image: of.is("image")?,
        audio: of.is("audio")?,
        document: of.is("document")?,
        stream: of.is("stream")?,
        usage_injected: of.is("usage_injected")?,
        model_replaced: of.is("model_replaced")?,
        background: of.is("background")?,
        prompt_hash: of.hash("prompt_hash")?,
        prefix_hash: of.hash("prefix_hash")?,
    })
}

fn usage(of: &Of<'_>) -> Result<Usage, String> {
    Ok(Usage {
        input: of.count("input")?,
        cached_read: of.count("cached_read")?,
        cache_write: of.count("cache_write")?,
        cache_write_1h: of.count("cache_write_1h")?,
        output: of.count("output")?,
        reasoning: of.count("reasoning")?,
        audio: of.count("audio")?,
    })
}

fn own(of: &Of<'_>) -> Result<OwnDelay, String> {
    Ok(OwnDelay {
        inbound: of.span("inbound_ns")?,
        first_token: of.span("first_token_ns")?,
        chunk_max: of.span("chunk_max_ns")?,
        chunk_p99: of.span("chunk_p99_ns")?,
        last: of.span("last_ns")?,
    })
}

fn attempt(of: &Of<'_>, zero: Moment) -> Result<AttemptRecord, String> {
    let mut timeline = Timeline::default();
    let marks = of.entries("timeline_ns", "moments by their names", |name, at| {
        let mark = Mark::ALL.into_iter().find(|mark| mark.name() == name)?;
        Some((mark, moment(zero, at.as_i64()?)))
    })?;
    for (mark, at) in marks {
        timeline.set(mark, at);
    }
    Ok(AttemptRecord {
        provider: Name::from(of.text("provider")?),
        kind: of.sure("kind", &ProviderKind::ALL, ProviderKind::name)?,
        region: of.name("region")?,
        model: of.name("model")?,
        credential: of.hash("credential")?,
        client_credential: of.is("client_credential")?,
        protocol: of.sure("protocol", &Protocol::ALL, Protocol::name)?,
        reused: of.is("reused")?,
        resends: of.small("resends")?.unwrap_or(0),
        served_by: of.name("served_by")?,
        model_answered: of.name("model_answered")?,
        fingerprint: of.name("fingerprint")?,
        service_tier: of.name("service_tier")?,
        upstream_request_id: of.name("upstream_request_id")?,
        status: of.small("status")?,
        error_class: of.one("error_class", &ErrorClass::ALL, ErrorClass::name)?,
        error_code: of.name("error_code")?,
        end: of.one("end", &End::ALL, End::name)?,
        cancelled_by: of.one("cancelled_by", &CancelledBy::ALL, CancelledBy::name)?,
        maybe_billed: of.is("maybe_billed")?,
        rate_limits: of.entries("rate_limits", "texts by their names", |name, value| {
            Some(RateLimitHeader {
                name: Name::from(name),
                value: Name::from(value.as_str()?),
            })
        })?,
        server_timings: of.entries("server_timings_ns", "spans by their names", |name, span| {
            Some(ServerTiming {
                source: Name::from(name),
                span: Nanos(span.as_u64()?),
            })
        })?,
        finish: of.list("finish", "reasons", |one| {
            found(one, &FinishReason::ALL, FinishReason::name)
        })?,
        response_bytes: of.number("response_bytes")?,
        oddities: of.list("oddities", "known oddities", |one| {
            found(one, &Oddity::ALL, Oddity::name)
        })?,
        timeline,
        gaps: match of.value("gaps") {
            Some(_) => Some(gaps(&of.of("gaps", "attempts[].gaps.")?)?),
            None => None,
        },
        lost_usage: match of.value("lost_tokens") {
            Some(_) => Some(usage(&of.of("lost_tokens", "attempts[].lost_tokens.")?)?),
            None => None,
        },
        lost_cost: of.money("lost_cost_picodollars")?,
        language: of.one("language", Language::ALL, Language::name)?,
        dropped: of.list("dropped", "a list of texts", |field| {
            field.as_str().map(Name::from)
        })?,
    })
}

fn gaps(of: &Of<'_>) -> Result<Gaps, String> {
    let small = |key| of.small(key).map(Option::unwrap_or_default);
    Ok(Gaps {
        token_events: small("token_events")?,
        token_reads: small("token_reads")?,
        first_event_tokens: small("first_event_tokens")?,
        sketch: Bins {
            zeros: of.number("sketch_zeros")?,
            bins: of.list("sketch_bins", "pairs of numbers", |pair| {
                let [bin, count] = pair.as_array()?.as_slice() else {
                    return None;
                };
                Some((bin.as_i64()?.try_into().ok()?, count.as_u64()?))
            })?,
        },
        longest: of.span("longest_ns")?.unwrap_or_default(),
        stalls: small("stalls")?,
        stalled: of.span("stalled_ns")?.unwrap_or_default(),
        burst_permille: of.small("burst_permille")?.unwrap_or_default(),
        pseudo_stream: of.is("pseudo_stream")?,
    })
}
