//! The report `throughput`: for agents, in the shape of `InferenceLatency.com`'s endpoint, from
//! what was measured. A key without a source is null.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::{Call, plain_model};
use super::figures::{Numbers, Route, first_token, named, price, rate, whole};
use crate::analysis::tables::Window;
use crate::record::{Language, Name, WallTime};
use crate::routing::catalogue::{ModelFacts, facts_of};
use crate::statistics::interval::ALPHA;

/// The schema's name.
pub const SCHEMA: &str = "tollgate.report.throughput/1";
/// Days of the trends.
pub const DAYS: i64 = 7;
const DAY: i64 = 86_400_000_000;
/// Failures in a row, or the share of failures, that make a route unhealthy.
const LAST: usize = 5;
const FAILED_MOST: f64 = 0.5;
/// Routes of which more fail are in no advice, however fast those are that come.
const ADVISED_FAILED_MOST: f64 = 0.1;
/// Words for a median total, each below so many milliseconds.
const LATENCY_BANDS: [(f64, &str); 3] =
    [(500.0, "Excellent"), (1_500.0, "Good"), (4_000.0, "Fair")];
/// Words for tokens a second, each from so many on.
const THROUGHPUT_BANDS: [(f64, &str); 3] = [(200.0, "Very high"), (80.0, "High"), (30.0, "Medium")];

/// What is known of models and providers beside what was measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Metadata<'a> {
    /// Of models.
    pub models: &'a [ModelFacts],
    /// What providers run their models on, by their name.
    pub hardware: &'a [(Name, Name)],
}

impl Metadata<'_> {
    fn hardware(&self, provider: &str) -> Option<&str> {
        let mut known = self.hardware.iter();
        let found = known.find(|(name, _)| name.as_str() == provider)?;
        Some(found.1.as_str())
    }
}

/// What routes did in a window, and by the day in the week up to its end.
#[derive(Debug)]
pub struct Throughput {
    window: Window,
    routes: BTreeMap<Route, Seen>,
}

/// A date, a time in nanoseconds, and whether nobody waited it out: it is longer then.
type Time = (WallTime, f64, bool);

/// One route: all times in nanoseconds.
#[derive(Debug, Default)]
struct Seen {
    whole: Vec<Time>,
    cold: Vec<Time>,
    warm: Vec<Time>,
    first_token: Vec<Time>,
    rate: Vec<f64>,
    answers: u64,
    judged: u64,
    failed: u64,
    /// How the last ended, the newest last: whether they failed.
    last: Vec<bool>,
    tokens: u64,
    elapsed: f64,
    cost: f64,
    priced: u64,
    priced_tokens: u64,
    costed_tokens: f64,
    days: [Day; DAYS as usize],
    newest: Option<Newest>,
}

#[derive(Debug, Default)]
struct Day {
    whole: Vec<Time>,
    tokens: u64,
    elapsed: f64,
}

/// The newest request.
#[derive(Debug)]
struct Newest {
    at: WallTime,
    language: Language,
    reused: bool,
    prompt: Option<u64>,
    trace: [u8; 16],
    error: Option<&'static str>,
}

/// The answer of `/api/throughput` from `calls`, which reach back a week before the end of
/// `window` where trends are wanted. `served` says whether paths of the page are there to point to.
#[must_use]
pub fn throughput(
    calls: &[Call],
    window: Window,
    made: WallTime,
    served: bool,
    metadata: Metadata<'_>,
) -> Value {
    let mut throughput = Throughput::new(window);
    calls.iter().for_each(|call| throughput.add(call));
    throughput.json(made, served, metadata, None)
}

impl Throughput {
    /// Nothing yet of `window`.
    #[must_use]
    pub const fn new(window: Window) -> Self {
        Self {
            window,
            routes: BTreeMap::new(),
        }
    }

    /// The span that calls are wanted of: the window and the week up to its end.
    #[must_use]
    pub fn reach(window: Window) -> Window {
        let week = WallTime(window.until.0 - DAYS * DAY);
        Window {
            from: week.min(window.from),
            until: window.until,
        }
    }

    /// Adds a call of the window, or of the week.
    pub fn add(&mut self, call: &Call) {
        let back = (self.window.until.0 - 1 - call.started.0).div_euclid(DAY);
        let inside = self.window.range().contains(&call.started);
        let in_week = (0..DAYS).contains(&back);
        if !(inside || in_week) {
            return;
        }
        let route = (plain_model(call), call.provider.to_string());
        let seen = self.routes.entry(route).or_default();
        let whole = whole(call).filter(|(.., cut)| *cut || call.failed.is_some());
        // Tokens over the time of the same answers: of failures neither is known.
        let made = call.output.zip(whole.and_then(|(_, time, cut)| {
            let came = !cut && time.is_finite() && time > 0.0;
            came.then_some(time)
        }));
        if in_week && let Some(day) = seen.days.get_mut((DAYS - 1 - back) as usize) {
            day.whole.extend(whole);
            if let Some((tokens, elapsed)) = made {
                day.tokens = day.tokens.saturating_add(tokens);
                day.elapsed += elapsed;
            }
        }
        if inside {
            seen.add(call, whole, made);
        }
    }

    /// The answer; `models` is what is known of models wherever they are served. Of more than
    /// `most` routes the busiest are told, and how many further ones there are.
    #[must_use]
    pub fn json(
        &self,
        made: WallTime,
        served: bool,
        metadata: Metadata<'_>,
        most: Option<usize>,
    ) -> Value {
        let tested = self.routes.iter();
        let mut tested: Vec<_> = tested.filter(|(_, seen)| seen.newest.is_some()).collect();
        let total = tested.len();
        let responding = tested.iter().filter(|(_, seen)| seen.answers > 0).count();
        // Of whom nobody waited for an answer, nobody knows whether it would have come.
        let judged = tested.iter().filter(|(_, seen)| seen.judged > 0).count();
        if let Some(most) = most.filter(|most| *most < total) {
            tested.sort_by_key(|(_, seen)| Reverse(seen.judged));
            tested.truncate(most);
            tested.sort_by_key(|(route, _)| *route);
        }
        let told: Vec<Told> = tested
            .iter()
            .map(|(route, seen)| seen.told(route, served, metadata))
            .collect();
        let mut by_latency: Vec<&Told> = told.iter().filter(|t| t.latency.is_some()).collect();
        by_latency.sort_by(|a, b| order(a.latency, b.latency));
        let mut by_throughput: Vec<&Told> = told.iter().filter(|t| t.rate.is_some()).collect();
        by_throughput.sort_by(|a, b| order(b.rate, a.rate));
        let objects = |list: &[&Told]| {
            list.iter()
                .map(|told| told.object.clone())
                .collect::<Value>()
        };
        let (fastest, highest) = (by_latency.first(), by_throughput.first());
        let answered = |told: &&Seen| told.elapsed > 0.0;
        let seen = || self.routes.values().filter(answered);
        let tokens = seen().fold(0, |sum: u64, seen| sum.saturating_add(seen.tokens));
        let elapsed: f64 = seen().map(|seen| seen.elapsed).sum();
        let finite = || {
            let whole = self.routes.values().flat_map(|seen| &seen.whole);
            let came = whole.filter(|(_, time, cut)| !cut && time.is_finite());
            came.map(|(_, time, _)| *time)
        };
        let count = finite().count();
        let average = (count > 0).then(|| finite().sum::<f64>() / count as f64 / 1e6);
        json!({
            "schema": SCHEMA,
            "service": "tollgate",
            "endpoint": served.then_some("/api/throughput"),
            "description": "Latency and throughput of each model at each provider, from this \
                Tollgate's own traffic and its probes: medians of many requests, nothing invented.",
            "providers": told.iter().map(|told| told.object.clone()).collect::<Value>(),
            "rankings": {
                "by_latency": objects(&by_latency),
                "by_throughput": objects(&by_throughput),
            },
            "fastest_latency": fastest.map(|told| told.object.clone()),
            "highest_throughput": highest.map(|told| told.object.clone()),
            "total_tested": judged,
            "successful_tests": responding,
            "failed_tests": judged - responding,
            "not_judged": total - judged,
            "further": total - told.len(),
            "performance_summary": {
                "best_latency_ms": fastest.and_then(|told| told.latency),
                "best_throughput_tokens_per_sec": highest.and_then(|told| told.rate),
                "avg_latency_ms": average,
                "avg_throughput_tokens_per_sec":
                    (elapsed > 0.0).then(|| tokens as f64 / (elapsed / 1e9)),
            },
            "ai_guidance": guidance(&told, &by_latency, &by_throughput),
            "human_readable_summary": summary(fastest, highest, responding, judged),
            "timestamp": made.rfc3339(),
            "window": {
                "from": self.window.from.rfc3339(),
                "until": self.window.until.rfc3339(),
            },
            "definitions": {
                "version": crate::statistics::DEFINITIONS,
                "latency_ms": "median time from the request's first byte to the last token, \
                    failures infinitely long, and what was not waited out (the client left, a \
                    hedge was sooner) at least as long as its wait, by Kaplan and Meier; null \
                    below 6 requests and beyond what was waited for",
                "avg_latency_ms": "mean of the answers that came",
                "throughput_tokens_per_sec": "tokens_generated / elapsed_seconds, sums over the \
                    answers whose tokens are known; waiting for the first token is in it",
                "tests": "a provider object is a model at a provider; it failed if what was \
                    judged in the window failed; `not_judged` were left by the client or refused \
                    for the caller's fault; of many the busiest are told, and `further` are not",
                "ai_guidance": "of routes at which a tenth failed at most",
                "cold_start": "the connection was opened for the request",
                "unhealthy": "the last 5 requests failed, or half of all",
                "cost_per_1k_tokens_usd": "cost over prompt and generated tokens together",
                "latency_bands_ms": bands(&LATENCY_BANDS, "Slow"),
                "throughput_bands_tokens_per_sec": bands(&THROUGHPUT_BANDS, "Low"),
                "trend_7d": "of each day up to the window's end, the oldest first",
            },
        })
    }
}

fn order(a: Option<f64>, b: Option<f64>) -> std::cmp::Ordering {
    a.unwrap_or(f64::INFINITY)
        .total_cmp(&b.unwrap_or(f64::INFINITY))
}

fn bands(bands: &[(f64, &str)], rest: &str) -> Value {
    let mut named: serde_json::Map<String, Value> = bands
        .iter()
        .map(|(bound, name)| ((*name).to_owned(), (*bound).into()))
        .collect();
    named.insert(rest.to_owned(), Value::Null);
    Value::Object(named)
}

impl Seen {
    fn add(&mut self, call: &Call, whole: Option<Time>, made: Option<(u64, f64)>) {
        self.whole.extend(whole);
        let of = if call.traits.reused {
            &mut self.warm
        } else {
            &mut self.cold
        };
        of.extend(whole);
        let wait = call.waited[0].filter(|_| call.traits.stream);
        let first = first_token(call).map(|time| (call.started, time, false));
        self.first_token
            .extend(first.or_else(|| wait.map(|wait| (call.started, wait, true))));
        self.rate.extend(rate(call));
        if let Some(failed) = call.failed {
            self.judged += 1;
            self.failed += u64::from(failed);
            self.answers += u64::from(!failed);
            if self.last.len() == LAST {
                self.last.remove(0);
            }
            self.last.push(failed);
        }
        if let Some((tokens, elapsed)) = made {
            self.tokens = self.tokens.saturating_add(tokens);
            self.elapsed += elapsed;
        }
        // What a lost try cost is no price of a request.
        if let Some(cost) = price(call) {
            self.cost += cost;
            self.priced += 1;
            if let Some((input, output)) = call.input.zip(call.output) {
                // Counts are the providers', who may say anything.
                let both = input.saturating_add(output);
                self.priced_tokens = self.priced_tokens.saturating_add(both);
                self.costed_tokens += cost;
            }
        }
        if self
            .newest
            .as_ref()
            .is_none_or(|newest| newest.at <= call.started)
        {
            self.newest = Some(Newest {
                at: call.started,
                language: call.language,
                reused: call.traits.reused,
                prompt: call.prompt.map(|hash| hash.0),
                trace: call.trace,
                error: call
                    .class
                    .map(crate::record::ErrorClass::name)
                    .or_else(|| (call.failed == Some(true)).then(|| call.outcome.name())),
            });
        }
    }

    fn told(&self, route: &Route, served: bool, metadata: Metadata<'_>) -> Told {
        let facts = facts_of(&route.0, metadata.models);
        let whole = Numbers::waited(self.whole.iter().copied());
        let millis = |values: &[Time]| {
            let numbers = Numbers::waited(values.iter().copied());
            numbers.median().map(|median| median / 1e6)
        };
        let latency = whole.median().map(|median| median / 1e6);
        let rate = (self.elapsed > 0.0).then(|| self.tokens as f64 / (self.elapsed / 1e9));
        let percent =
            |part: u64| (self.judged > 0).then(|| part as f64 / self.judged as f64 * 100.0);
        let down = self.last.len() >= LAST.min(self.judged as usize)
            && !self.last.is_empty()
            && self.last.iter().all(|failed| *failed);
        let half = self.judged > 0 && self.failed as f64 >= FAILED_MOST * self.judged as f64;
        let status = match (self.judged, down || half) {
            (0, _) => Value::Null,
            (_, true) => "unhealthy".into(),
            (_, false) => "healthy".into(),
        };
        let newest = self.newest.as_ref();
        let path = |path: &'static str| served.then_some(path);
        let interval = whole.estimate(0.5, ALPHA).map(|found| {
            [found.interval.low, found.interval.high]
                .map(|end| end.is_finite().then_some(end / 1e6))
        });
        let own_rate = Numbers::of(self.rate.iter().copied());
        let object = json!({
            "provider": route.1,
            "model": route.0,
            "metrics": {
                "latency_ms": latency,
                "throughput_tokens_per_sec": rate,
                "n": whole.count(),
                "not_waited_out": whole.cut_count(),
                "latency_interval_95_ms": interval.ok(),
                "latency_why": whole.estimate(0.5, ALPHA).err(),
                "first_token_p50_ms": millis(&self.first_token),
                "first_token_n": self.first_token.len(),
                "output_rate_p50_tokens_per_sec": own_rate.median(),
                "output_rate_n": own_rate.count(),
            },
            "tokens_generated": (self.elapsed > 0.0).then_some(self.tokens),
            "elapsed_seconds": (self.elapsed > 0.0).then_some(self.elapsed / 1e9),
            "error": newest
                .and_then(|newest| newest.error)
                .filter(|_| self.answers == 0),
            "health": {
                "cold_start_latency_ms": millis(&self.cold),
                "warm_start_latency_ms": millis(&self.warm),
                "availability_percent": percent(self.judged - self.failed),
                "error_rate_percent": percent(self.failed),
                "status": status,
                "is_cold_start": newest.map(|newest| !newest.reused),
            },
            "cost_estimate": {
                "cost_per_1k_tokens_usd": (self.priced_tokens > 0)
                    .then(|| self.costed_tokens / self.priced_tokens as f64 * 1e3),
                "estimated_cost_usd": (self.priced > 0).then(|| self.cost / self.priced as f64),
            },
            "model_metadata": {
                "release_date": facts
                    .and_then(|facts| facts.released)
                    .map(|date| date.rfc3339()[..10].to_owned()),
                "context_length": facts.and_then(|facts| facts.context_length),
                "hardware": metadata.hardware(&route.1),
                "source": facts.map(|facts| facts.source.as_str()),
                "api_type": newest.and_then(|newest| api_type(newest.language)),
            },
            "infra": {
                "schema_url": path("/api/openapi.json"),
                "plugin_manifest": path("/.well-known/ai-plugin.json"),
                "human_readable_url": path("/routes"),
                "api_docs": path("/llms.txt"),
            },
            "test_metadata": {
                "request_hash": newest
                    .and_then(|newest| newest.prompt)
                    .map(|hash| format!("{hash:016x}")[..12].to_owned()),
                "trace_id": newest.map(|newest| {
                    format!("{:032x}", u128::from_be_bytes(newest.trace))
                }),
            },
            "history": {
                "latency_trend_7d": self
                    .days
                    .iter()
                    .map(|day| millis(&day.whole))
                    .collect::<Vec<_>>(),
                "throughput_trend_7d": self
                    .days
                    .iter()
                    .map(|day| (day.elapsed > 0.0).then(|| day.tokens as f64 / (day.elapsed / 1e9)))
                    .collect::<Vec<_>>(),
            },
        });
        Told {
            name: named(route),
            latency,
            rate,
            first_token: millis(&self.first_token),
            advised: self.failed as f64 <= ADVISED_FAILED_MOST * self.judged as f64,
            object,
        }
    }
}

/// A route as it is told.
struct Told {
    name: String,
    latency: Option<f64>,
    rate: Option<f64>,
    first_token: Option<f64>,
    /// Whether it answers surely enough to be advised.
    advised: bool,
    object: Value,
}

const fn api_type(language: Language) -> Option<&'static str> {
    match language {
        Language::OpenAiChat
        | Language::OpenAiCompletions
        | Language::OpenAiResponses
        | Language::OpenAiEmbeddings => Some("OpenAI-compatible"),
        Language::AnthropicMessages | Language::AnthropicCountTokens => Some("Anthropic-native"),
        Language::GeminiGenerate | Language::GeminiCountTokens | Language::GeminiEmbed => {
            Some("Google-native")
        }
        Language::BedrockConverse | Language::BedrockInvoke | Language::BedrockCountTokens => {
            Some("Bedrock-native")
        }
        Language::OllamaNative => Some("Ollama-native"),
        Language::Models | Language::Plain => None,
    }
}

fn guidance(told: &[Told], by_latency: &[&Told], by_throughput: &[&Told]) -> Value {
    let first = |list: &[&Told]| {
        let found = list.iter().find(|told| told.advised)?;
        Some(found.name.clone())
    };
    let (fastest, most) = (first(by_latency), first(by_throughput));
    let advised = || told.iter().filter(|told| told.advised);
    let chat = advised()
        .filter(|told| told.first_token.is_some())
        .min_by(|a, b| order(a.first_token, b.first_token))
        .map(|told| told.name.clone());
    let rank = |one: &Told| {
        let ahead = |other: &&Told| order(other.latency, one.latency).is_lt();
        let more = |other: &&Told| order(one.rate, other.rate).is_lt();
        told.iter().filter(ahead).count() + told.iter().filter(more).count()
    };
    let balanced = advised()
        .filter(|told| told.latency.is_some() && told.rate.is_some())
        .min_by_key(|told| rank(told))
        .map(|told| told.name.clone());
    let recommendation = match (&fastest, &most) {
        (Some(fastest), Some(most)) => Some(format!(
            "{fastest} for short waits, {most} for many tokens, as this traffic went; requests \
             were not alike, see `tollgate report models` for intervals."
        )),
        _ => None,
    };
    json!({
        "best_for_speed": fastest,
        "best_for_throughput": most,
        "recommendation": recommendation,
        "use_case_guidance": {
            "real_time_chat": chat,
            "bulk_generation": most,
            "balanced_workload": balanced,
        },
    })
}

fn summary(fastest: Option<&&Told>, most: Option<&&Told>, responding: usize, all: usize) -> String {
    let mut parts = Vec::new();
    if let Some((told, latency)) = fastest.and_then(|told| Some((told, told.latency?))) {
        let band = LATENCY_BANDS.iter().find(|(below, _)| latency < *below);
        let band = band.map_or("Slow", |band| band.1);
        parts.push(format!("Fastest: {}, {latency:.0} ms ({band})", told.name));
    }
    if let Some((told, rate)) = most.and_then(|told| Some((told, told.rate?))) {
        let band = THROUGHPUT_BANDS.iter().find(|(from, _)| rate >= *from);
        let band = band.map_or("Low", |band| band.1);
        parts.push(format!(
            "highest throughput: {}, {rate:.1} tokens/s ({band})",
            told.name
        ));
    }
    parts.push(format!("{responding}/{all} providers responding"));
    format!("{}.", parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::reports::tests::{failing, head, made_up, routed};

    /// Every key of the endpoint, as its users know them.
    const PROVIDER_KEYS: [&str; 27] = [
        "/provider",
        "/model",
        "/metrics/latency_ms",
        "/metrics/throughput_tokens_per_sec",
        "/tokens_generated",
        "/elapsed_seconds",
        "/error",
        "/health/cold_start_latency_ms",
        "/health/warm_start_latency_ms",
        "/health/availability_percent",
        "/health/error_rate_percent",
        "/health/status",
        "/health/is_cold_start",
        "/cost_estimate/cost_per_1k_tokens_usd",
        "/cost_estimate/estimated_cost_usd",
        "/model_metadata/release_date",
        "/model_metadata/context_length",
        "/model_metadata/hardware",
        "/model_metadata/api_type",
        "/infra/schema_url",
        "/infra/plugin_manifest",
        "/infra/human_readable_url",
        "/infra/api_docs",
        "/test_metadata/request_hash",
        "/test_metadata/trace_id",
        "/history/latency_trend_7d",
        "/history/throughput_trend_7d",
    ];
    const KEYS: [&str; 23] = [
        "/service",
        "/endpoint",
        "/description",
        "/providers",
        "/rankings/by_latency",
        "/rankings/by_throughput",
        "/fastest_latency",
        "/highest_throughput",
        "/total_tested",
        "/successful_tests",
        "/failed_tests",
        "/performance_summary/best_latency_ms",
        "/performance_summary/best_throughput_tokens_per_sec",
        "/performance_summary/avg_latency_ms",
        "/performance_summary/avg_throughput_tokens_per_sec",
        "/ai_guidance/best_for_speed",
        "/ai_guidance/best_for_throughput",
        "/ai_guidance/recommendation",
        "/ai_guidance/use_case_guidance/real_time_chat",
        "/ai_guidance/use_case_guidance/bulk_generation",
        "/ai_guidance/use_case_guidance/balanced_workload",
        "/human_readable_summary",
        "/timestamp",
    ];

    fn told(calls: &[Call]) -> Value {
        let window = head().window;
        let facts = ModelFacts {
            name: Name::from("gpt-4.1"),
            aliases: Vec::new(),
            family: Name::from("gpt-4.1"),
            rung: None,
            released: WallTime::of_day(2025, 4, 14),
            retired: None,
            context_length: Some(1_047_576),
            output_max: None,
            takes_effort: None,
            at: Vec::new(),
            docs: None,
            source: "a table".to_owned(),
        };
        let metadata = Metadata {
            models: &[facts],
            hardware: &[("openai".into(), "8 x H100".into())],
        };
        let value = throughput(calls, window, window.until, true, metadata);
        for key in KEYS {
            assert!(value.pointer(key).is_some(), "{key}");
        }
        for provider in value["providers"].as_array().unwrap() {
            for key in PROVIDER_KEYS {
                assert!(provider.pointer(key).is_some(), "{key}");
            }
            for trend in ["latency_trend_7d", "throughput_trend_7d"] {
                assert_eq!(provider["history"][trend].as_array().unwrap().len(), 7);
            }
        }
        value
    }

    #[test]
    fn every_key_is_there_and_nothing_is_invented() {
        let mut calls: Vec<Call> = (0..40).map(|n| made_up(n, 1_020.0)).collect();
        calls.extend((0..8).map(|n| routed(failing(n), None)));
        let value = told(&calls);
        let (good, bad) = (&value["providers"][0], &value["providers"][1]);
        let number = |value: &Value| value.as_f64().unwrap();
        // 200 tokens in 5 s.
        assert!((number(&good["metrics"]["latency_ms"]) - 5_000.0).abs() < 1e-6);
        assert!((number(&good["metrics"]["throughput_tokens_per_sec"]) - 40.0).abs() < 1e-9);
        let ratio = number(&good["tokens_generated"]) / number(&good["elapsed_seconds"]);
        assert!((ratio - 40.0).abs() < 1e-9);
        assert_eq!(good["health"]["status"], "healthy");
        assert_eq!(good["model_metadata"]["hardware"], "8 x H100");
        assert_eq!(bad["model_metadata"]["hardware"], Value::Null);
        assert_eq!(good["model_metadata"]["release_date"], "2025-04-14");
        assert_eq!(good["model_metadata"]["context_length"], 1_047_576);
        assert_eq!(good["history"]["latency_trend_7d"][0], Value::Null);
        assert!(good["history"]["latency_trend_7d"][6].is_number());
        assert_eq!(
            good["test_metadata"]["request_hash"]
                .as_str()
                .unwrap()
                .len(),
            12
        );
        assert_eq!(bad["metrics"]["latency_ms"], Value::Null);
        assert_eq!(bad["error"], "server_error");
        assert_eq!(bad["health"]["status"], "unhealthy");
        assert_eq!(value["rankings"]["by_latency"].as_array().unwrap().len(), 1);
        assert_eq!(
            value["human_readable_summary"],
            "Fastest: gpt-4.1 at openai, 5000 ms (Slow); highest throughput: gpt-4.1 at openai, \
             40.0 tokens/s (Medium); 1/2 providers responding."
        );
    }

    /// 60 of 100 clients left after 300 ms: what they would have waited for is not left out.
    #[test]
    fn what_was_not_waited_out_is_no_fast_answer() {
        let calls: Vec<Call> = (0..100)
            .map(|n| match n % 5 {
                0 | 1 => Call {
                    whole: Some(100e6),
                    ..made_up(n, 20.0)
                },
                _ => Call {
                    failed: None,
                    first_token: None,
                    first_answer: None,
                    whole: None,
                    waited: [Some(300e6); 3],
                    outcome: crate::record::Outcome::ClientGone,
                    ..made_up(n, 20.0)
                },
            })
            .collect();
        let value = told(&calls);
        let metrics = &value["providers"][0]["metrics"];
        assert_eq!(metrics["latency_ms"], Value::Null);
        assert_eq!(metrics["first_token_p50_ms"], Value::Null);
        let counts = ["n", "not_waited_out", "first_token_n"].map(|key| metrics[key].as_u64());
        assert_eq!(counts, [Some(100), Some(60), Some(100)]);
        assert_eq!(value["fastest_latency"], Value::Null);
        // A route of which nothing is known but that it was too slow has failed at nothing.
        let gone: Vec<Call> = calls
            .into_iter()
            .filter(|call| call.failed.is_none())
            .collect();
        let gone = told(&gone);
        assert_eq!(
            (&gone["failed_tests"], &gone["total_tested"]),
            (&json!(0), &json!(0))
        );
        assert_eq!(gone["not_judged"], 1);
    }

    #[test]
    fn a_route_that_loses_answers_is_not_advised_however_fast_the_others_come() {
        let steady = (0..20).map(|n| made_up(n, 300.0));
        let losing = (0..20).map(|n| {
            let call = Call {
                model: Some("quick".into()),
                whole: Some(50e6),
                ..made_up(n, 20.0)
            };
            if n % 3 > 0 {
                return call;
            }
            Call {
                model: Some("quick".into()),
                ..failing(n)
            }
        });
        let value = told(&steady.chain(losing).collect::<Vec<_>>());
        let highest = value["highest_throughput"]["model"].as_str().unwrap();
        assert_eq!(highest, "quick");
        let guidance = &value["ai_guidance"];
        for key in [
            "/best_for_speed",
            "/best_for_throughput",
            "/use_case_guidance/bulk_generation",
            "/use_case_guidance/real_time_chat",
        ] {
            let name = guidance.pointer(key).unwrap().as_str().unwrap();
            assert!(!name.contains("quick"), "{key}: {name}");
        }
        let count = |key: &str| value[key].as_u64().unwrap();
        assert_eq!(
            count("total_tested"),
            count("successful_tests") + count("failed_tests")
        );
    }

    #[test]
    fn of_many_routes_the_busiest_are_told_and_how_many_are_not() {
        let window = head().window;
        let mut found = Throughput::new(window);
        for n in 0..30_u64 {
            let named = Call {
                model: Some(format!("made-up-{n}").into()),
                ..made_up(0, 300.0)
            };
            // The last name is the busiest.
            (0..=n / 29).for_each(|_| found.add(&named));
        }
        let value = found.json(window.until, true, Metadata::default(), Some(3));
        let told = value["providers"].as_array().unwrap();
        assert_eq!((told.len(), &value["further"]), (3, &json!(27)));
        assert!(told.iter().any(|told| told["model"] == "made-up-29"));
        assert_eq!(value["total_tested"], 30);
        assert_eq!(value["successful_tests"], 30);
        assert_eq!(
            value["rankings"]["by_throughput"].as_array().unwrap().len(),
            3
        );
        let all = found.json(window.until, true, Metadata::default(), None);
        assert_eq!(all["providers"].as_array().unwrap().len(), 30);
        assert_eq!(all["further"], 0);
    }

    /// A try that another followed cost its route something, and is no request's price.
    #[test]
    fn what_a_lost_try_cost_is_no_price_of_a_request() {
        let mut calls: Vec<Call> = (0..40).map(|n| made_up(n, 300.0)).collect();
        calls.extend((40..60).map(|n| Call {
            lost: true,
            cost: Some(0.000_1),
            ..failing(n)
        }));
        calls.push(Call {
            output: Some(u64::MAX),
            ..made_up(61, 300.0)
        });
        let value = told(&calls);
        let openai = &value["providers"][0];
        let cost = openai["cost_estimate"]["estimated_cost_usd"].as_f64();
        assert!((cost.unwrap() - 0.001).abs() < 1e-12, "{cost:?}");
        assert_eq!(openai["tokens_generated"], u64::MAX);
    }

    #[test]
    fn none_and_one_break_nothing() {
        let none = told(&[]);
        assert_eq!(none["total_tested"], 0);
        assert_eq!(none["fastest_latency"], Value::Null);
        let one = told(&[made_up(0, 300.0)]);
        assert_eq!(one["providers"][0]["metrics"]["latency_ms"], Value::Null);
        assert_eq!(
            one["providers"][0]["metrics"]["latency_why"],
            "needs 6, has 1"
        );
        let old = Call {
            started: WallTime(-8 * DAY),
            ..made_up(0, 300.0)
        };
        assert_eq!(told(&[old])["total_tested"], 0);
    }
}
