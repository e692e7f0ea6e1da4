//! Counts for Prometheus, under OpenTelemetry's names for generative AI where there are some.
//!
//! Source: open-telemetry/semantic-conventions-genai, `gen-ai-metrics.md` (client instruments),
//! spelled as the Prometheus exporter spells them. Quantiles are never made of these buckets.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use foldhash::fast::RandomState;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::active::probing::Watched;
use crate::record::{
    AttemptRecord, ErrorClass, ExchangeRecord, Language, Mark, Name, Oddity, Origin, Outcome,
};
use crate::recorder::shown::RouteNow;
use crate::recorder::{StandingNow, StoreHealth};
use crate::routing::health::State;
use crate::statistics::sketch::value_of;
use crate::statistics::{DEFINITIONS, Figures, metric};

use super::handles::{Counts, Reloads};
use super::probes;

/// The content type of the exposition.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Models that have labels of their own: their names come from clients, who may invent them without
/// end. Further ones are `other`, but for those of the config, whose failures nobody else's names
/// are to hide.
const MODELS_MAX: usize = 500;
/// Sets of labels over all families: with names of which each is let in, providers may still answer
/// by any of the others. In further sets each model that is none of the config is `other`.
const LABEL_SETS_MAX: usize = 10_000;
/// Handles kept for records of kinds seen before.
const KINDS_MAX: usize = 1_000;
/// The label of what has none of its own.
const OTHER: &str = "other";
/// What is shown of a name.
const NAME_BYTES_MAX: usize = 128;

/// OpenTelemetry's buckets of durations, in seconds.
const SECONDS: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
/// OpenTelemetry's buckets of token counts.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// Buckets of Tollgate's own delay, in seconds: 5 µs to 50 ms.
const OWN: [f64; 13] = [
    5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2,
];

type Labels = Vec<(&'static str, String)>;
/// Tells which models the config names.
type Configured<'a> = &'a dyn Fn(&str) -> bool;
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// Labels whose texts clients and providers choose.
const MODEL_LABELS: [&str; 3] = ["model", "gen_ai_request_model", "gen_ai_response_model"];

/// What is counted of finished exchanges.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    sets: AtomicUsize,
    models: Mutex<HashSet<String, RandomState>>,
    folded: Counter,
    duration: Histograms,
    first_chunk: Histograms,
    per_chunk: Histograms,
    tokens: Histograms,
    first_token: Histograms,
    own_delay: Histograms,
    exchanges: Family<Labels, Counter>,
    attempts_lost: Family<Labels, Counter>,
    failovers: Family<Labels, Counter>,
    hedges: Counter,
    read_on: Counter,
    cost: Family<Labels, Counter>,
    missed: Counter,
    series: Mutex<HashMap<Kind, Arc<Series>, RandomState>>,
}

/// Everything that labels are made of.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Kind {
    names: [Option<Name>; 4],
    origin: Origin,
    language: Language,
    outcome: Outcome,
    error: Option<ErrorClass>,
}

impl Kind {
    fn of(record: &ExchangeRecord, last: Option<&AttemptRecord>) -> Self {
        Self {
            names: [
                last.map(|attempt| attempt.provider.clone()),
                last.and_then(|attempt| attempt.model.clone()),
                last.and_then(|attempt| attempt.model_answered.clone()),
                record.model.clone(),
            ],
            origin: record.origin,
            language: record.language,
            outcome: record.outcome,
            error: last.and_then(|attempt| attempt.error_class),
        }
    }
}

/// What exchanges of one kind are counted in; made as they are needed, since a histogram that is
/// there is shown.
#[derive(Debug, Default)]
struct Series {
    exchanges: OnceLock<Counter>,
    cost: OnceLock<Counter>,
    duration: OnceLock<Histogram>,
    first_chunk: OnceLock<Histogram>,
    per_chunk: OnceLock<Histogram>,
    input: OnceLock<Histogram>,
    output: OnceLock<Histogram>,
    first_token: OnceLock<Histogram>,
    own_delay: OnceLock<Histogram>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(SECONDS);
        let tokens: fn() -> Histogram = || Histogram::new(TOKENS);
        let own: fn() -> Histogram = || Histogram::new(OWN);
        let mut metrics = Self {
            registry: Registry::default(),
            sets: AtomicUsize::new(0),
            models: Mutex::default(),
            folded: Counter::default(),
            duration: Family::new_with_constructor(seconds),
            first_chunk: Family::new_with_constructor(seconds),
            per_chunk: Family::new_with_constructor(seconds),
            tokens: Family::new_with_constructor(tokens),
            first_token: Family::new_with_constructor(seconds),
            own_delay: Family::new_with_constructor(own),
            exchanges: Family::default(),
            attempts_lost: Family::default(),
            failovers: Family::default(),
            hedges: Counter::default(),
            read_on: Counter::default(),
            cost: Family::default(),
            missed: Counter::default(),
            series: Mutex::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        for (name, help, family) in [
            (
                "gen_ai_client_operation_duration_seconds",
                "From the request's first byte to the end of the exchange",
                &self.duration,
            ),
            (
                "gen_ai_client_operation_time_to_first_chunk_seconds",
                "From the request's send to the first event with data, of whatever kind",
                &self.first_chunk,
            ),
            (
                "gen_ai_client_operation_time_per_output_chunk_seconds",
                "Between two events with tokens",
                &self.per_chunk,
            ),
            ("gen_ai_client_token_usage", "Tokens used", &self.tokens),
            (
                "tollgate_first_token_seconds",
                "From the request's send to the first generated token",
                &self.first_token,
            ),
            (
                "tollgate_own_delay_seconds",
                "What tollgate added to the first token, or to a whole answer",
                &self.own_delay,
            ),
        ] {
            registry.register(name, help, family.clone());
        }
        for (name, help, family) in [
            (
                "tollgate_exchanges",
                "Exchanges by outcome",
                &self.exchanges,
            ),
            (
                "tollgate_attempts_lost",
                "Attempts after which another route was tried",
                &self.attempts_lost,
            ),
            (
                "tollgate_failovers",
                "Attempts after which another route was tried, by the class of their error",
                &self.failovers,
            ),
            (
                "tollgate_cost_picodollars",
                "Cost by the price table, of exchanges that have a price",
                &self.cost,
            ),
        ] {
            registry.register(name, help, family.clone());
        }
        let help = "Second requests that were begun beside slow ones";
        registry.register("tollgate_hedges", help, self.hedges.clone());
        let help = "Answers read on for their usage after their client had left";
        registry.register("tollgate_read_on", help, self.read_on.clone());
        let help = "Committed records that these counts missed because they came too fast";
        registry.register("tollgate_metrics_missed_records", help, self.missed.clone());
        let help = "Times that a new series got the model `other`, for the number of models";
        registry.register("tollgate_metrics_models_folded", help, self.folded.clone());
    }

    /// Records that the feed lost before they were counted.
    pub(super) fn missed(&self, count: u64) {
        self.missed.inc_by(count);
    }

    /// Counts a finished exchange; `configured` tells which models the config names.
    pub(super) fn observe(&self, record: &ExchangeRecord, configured: Configured<'_>) {
        let last = record.attempts.last();
        let series = self.series(record, last);
        let counter = |cell: &OnceLock<Counter>, family, labels: &dyn Fn() -> Labels| {
            cell.get_or_init(|| self.counter(family, labels(), configured))
                .clone()
        };
        counter(&series.exchanges, &self.exchanges, &|| {
            let mut labels = self.route(configured, record, last);
            labels.push(("outcome", record.outcome.name().to_owned()));
            labels
        })
        .inc();
        let lost = record.attempts.len().saturating_sub(1);
        for attempt in &record.attempts[..lost] {
            let labels = self.route(configured, record, Some(attempt));
            self.counter(&self.attempts_lost, labels, configured).inc();
            // Without an error another route was faster: a hedge's loser.
            if let Some(class) = attempt.error_class {
                let labels = vec![("class", class.name().to_owned())];
                self.failovers.get_or_create_owned(&labels).inc();
            }
        }
        if record
            .decision
            .as_ref()
            .is_some_and(|decision| decision.hedge.is_some())
        {
            self.hedges.inc();
        }
        if last.is_some_and(|last| last.oddities.contains(&Oddity::ReadOn)) {
            self.read_on.inc();
        }
        if let Some(cost) = record.cost {
            counter(&series.cost, &self.cost, &|| {
                self.route(configured, record, last)
            })
            .inc_by(cost.0);
        }
        if !record.language.is_inference() {
            return;
        }
        let whole = record.closed_at.since(record.started_at);
        self.held(configured, &series.duration, &self.duration, || {
            let mut labels = self.otel(configured, record, last);
            if let Some(error) = error_type(record, last) {
                labels.push(("error_type", error.to_owned()));
            }
            labels
        })
        .observe(whole.as_secs());
        self.observe_tokens(configured, &series, record, last);
        if let Some(attempt) = last.filter(|_| metric::in_latency(record)) {
            self.observe_times(configured, &series, record, attempt);
        }
    }

    /// The handles of a record's kind: looking each up by its labels costs more than the rest.
    fn series(&self, record: &ExchangeRecord, last: Option<&AttemptRecord>) -> Arc<Series> {
        let kind = Kind::of(record, last);
        let mut known = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.get(&kind) {
            return Arc::clone(series);
        }
        // Names come from clients: what is kept of them is bounded, and made again.
        if known.len() >= KINDS_MAX {
            known.clear();
        }
        Arc::clone(known.entry(kind).or_default())
    }

    fn held(
        &self,
        configured: Configured<'_>,
        cell: &OnceLock<Histogram>,
        family: &Histograms,
        labels: impl FnOnce() -> Labels,
    ) -> Histogram {
        cell.get_or_init(|| self.histogram(family, labels(), configured))
            .clone()
    }

    fn observe_tokens(
        &self,
        configured: Configured<'_>,
        series: &Series,
        record: &ExchangeRecord,
        last: Option<&AttemptRecord>,
    ) {
        let usage = &record.tokens.usage;
        for (cell, kind, count) in [
            (&series.input, "input", usage.input),
            (&series.output, "output", usage.output),
        ] {
            if let Some(count) = count {
                self.held(configured, cell, &self.tokens, || {
                    let mut labels = self.otel(configured, record, last);
                    labels.push(("gen_ai_token_type", kind.to_owned()));
                    labels
                })
                .observe(count as f64);
            }
        }
    }

    fn observe_times(
        &self,
        configured: Configured<'_>,
        series: &Series,
        record: &ExchangeRecord,
        attempt: &AttemptRecord,
    ) {
        let figures = Figures::of(record);
        let last = Some(attempt);
        if let Some(own) = figures.own_delay {
            self.held(configured, &series.own_delay, &self.own_delay, || {
                self.route(configured, record, last)
            })
            .observe(own.as_secs());
        }
        let timeline = &attempt.timeline;
        if let Some(span) = timeline.span(Mark::SendStart, Mark::FirstEvent) {
            self.held(configured, &series.first_chunk, &self.first_chunk, || {
                self.otel(configured, record, last)
            })
            .observe(span.as_secs());
        }
        if let Ok(span) = figures.first_token {
            self.held(configured, &series.first_token, &self.first_token, || {
                self.route(configured, record, last)
            })
            .observe(span.as_secs());
        }
        let Some(gaps) = attempt.gaps.as_ref().filter(|gaps| gaps.token_events > 1) else {
            return;
        };
        let per_chunk = self.held(configured, &series.per_chunk, &self.per_chunk, || {
            self.otel(configured, record, last)
        });
        for (bin, count) in &gaps.sketch.bins {
            let seconds = value_of(*bin) as f64 / 1e9;
            (0..*count).for_each(|_| per_chunk.observe(seconds));
        }
    }

    fn histogram(
        &self,
        family: &Histograms,
        labels: Labels,
        configured: Configured<'_>,
    ) -> Histogram {
        let fresh = family.get(&labels).is_none();
        family.get_or_create_owned(&self.capped(labels, fresh, configured))
    }

    fn counter(
        &self,
        family: &Family<Labels, Counter>,
        labels: Labels,
        configured: Configured<'_>,
    ) -> Counter {
        let fresh = family.get(&labels).is_none();
        family.get_or_create_owned(&self.capped(labels, fresh, configured))
    }

    /// The labels; with `other` in the place of the models where there are too many sets. All the
    /// other labels are of the config, or of lists that end.
    fn capped(&self, labels: Labels, fresh: bool, configured: Configured<'_>) -> Labels {
        if !fresh || self.sets.fetch_add(1, Ordering::Relaxed) < LABEL_SETS_MAX {
            return labels;
        }
        self.sets.fetch_sub(1, Ordering::Relaxed);
        self.folded.inc();
        let fold = |(name, value): (&'static str, String)| {
            let is_model = MODEL_LABELS.contains(&name) && !value.is_empty();
            let keep = !is_model || configured(&value);
            (name, if keep { value } else { OTHER.to_owned() })
        };
        labels.into_iter().map(fold).collect()
    }

    fn route(
        &self,
        configured: Configured<'_>,
        record: &ExchangeRecord,
        attempt: Option<&AttemptRecord>,
    ) -> Labels {
        let model = attempt.and_then(|attempt| attempt.model.as_deref());
        let asked = record.model.as_deref();
        let model = model.or(asked);
        vec![
            ("provider", name(attempt.map(|attempt| &*attempt.provider))),
            ("model", self.model(configured, asked, model)),
            ("origin", record.origin.name().to_owned()),
        ]
    }

    fn otel(
        &self,
        configured: Configured<'_>,
        record: &ExchangeRecord,
        attempt: Option<&AttemptRecord>,
    ) -> Labels {
        let asked = record.model.as_deref();
        let answered = attempt.and_then(|attempt| attempt.model_answered.as_deref());
        let provider = name(attempt.map(|attempt| &*attempt.provider));
        vec![
            (
                "gen_ai_operation_name",
                operation(record.language).to_owned(),
            ),
            ("gen_ai_provider_name", provider),
            ("gen_ai_request_model", self.model(configured, None, asked)),
            (
                "gen_ai_response_model",
                self.model(configured, asked, answered),
            ),
        ]
    }

    /// The label of a model: its name, or `other` where there are too many. What the config's own
    /// models are called where they were `asked` for has a room of its own.
    fn model(
        &self,
        configured: Configured<'_>,
        asked: Option<&str>,
        model: Option<&str>,
    ) -> String {
        let label = name(model);
        let mut known = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if label.is_empty() || known.contains(&label) {
            return label;
        }
        let of_ours = asked.is_some_and(configured) && known.len() < 2 * MODELS_MAX;
        if known.len() >= MODELS_MAX && !of_ours && !configured(&label) {
            self.folded.inc();
            return OTHER.to_owned();
        }
        known.insert(label.clone());
        label
    }

    /// The exposition, with what services count themselves.
    pub(super) fn exposition(
        &self,
        store: &StoreHealth,
        counts: Counts,
        reloads: &Reloads,
        standing: &StandingNow,
        watched: &Watched,
    ) -> String {
        let mut text = String::new();
        let mut services = Registry::default();
        register_services(&mut services, store, counts, reloads);
        register_routes(&mut services, standing);
        probes::register(&mut services, watched);
        // Writing to a text does not fail.
        let _ = encode_registry(&mut text, &self.registry);
        let _ = encode_registry(&mut text, &services);
        let _ = encode_eof(&mut text);
        text
    }
}

fn register_services(
    registry: &mut Registry,
    store: &StoreHealth,
    counts: Counts,
    reloads: &Reloads,
) {
    for (name, help, value) in [
        ("tollgate_in_flight", "Exchanges at work", counts.in_flight),
        (
            "tollgate_connections",
            "Open client connections",
            counts.connections,
        ),
        (
            "tollgate_store_up",
            "Whether records reach the disk",
            u64::from(store.is_ok()),
        ),
        (
            "tollgate_store_queue",
            "Records that wait for the disk",
            store.queue_len as u64,
        ),
        (
            "tollgate_config_refused",
            "Whether the last changed config was refused",
            u64::from(reloads.refused.is_some()),
        ),
    ] {
        registry.register(name, help, ConstGauge::new(value as i64));
    }
    for (name, help, value) in [
        ("tollgate_accepted", "Exchanges begun", counts.accepted),
        (
            "tollgate_connections_refused",
            "Connections refused at the limit",
            counts.refused,
        ),
        (
            "tollgate_records_written",
            "Records on the disk",
            store.written,
        ),
        (
            "tollgate_records_dropped_queue_full",
            "Records dropped because the queue was full",
            store.dropped_queue_full,
        ),
        (
            "tollgate_records_dropped_store_failed",
            "Records dropped because the store would not take them",
            store.dropped_store_failed,
        ),
        (
            "tollgate_records_unjournaled",
            "Records that were in no journal before their commit",
            store.unjournaled,
        ),
        (
            "tollgate_store_reopened",
            "Times that the store was opened again",
            store.reopened,
        ),
        (
            "tollgate_config_reloads",
            "Changed configs put in force",
            reloads.taken,
        ),
    ] {
        registry.register(name, help, ConstCounter::new(value));
    }
    let info = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("definitions", DEFINITIONS.to_string()),
    ];
    let build = prometheus_client::metrics::info::Info::new(info);
    registry.register("tollgate_build", "This program", build);
}

/// Routes whose standing is told: names come from clients, who may invent them without end.
const ROUTES_MAX: usize = 200;

/// How the routes stand: each state has a series, one where the route is in it.
fn register_routes(registry: &mut Registry, standing: &StandingNow) {
    let of_models = standing.models.iter().flat_map(|model| &model.routes);
    let mut routes: Vec<&RouteNow> = of_models.map(|point| &point.route).collect();
    routes.extend(&standing.others);
    routes.sort_by_key(|route| route.key());
    routes.dedup_by_key(|route| route.key());
    routes.truncate(ROUTES_MAX);
    let states = Family::<Labels, Gauge>::default();
    let at_work = Family::<Labels, Gauge>::default();
    let used = Family::<Labels, Gauge<f64, AtomicU64>>::default();
    let opened = Family::<Labels, Counter>::default();
    for route in routes {
        let labels = vec![("route", name(Some(&route.key().to_string())))];
        for state in State::ALL {
            let mut labels = labels.clone();
            labels.push(("state", state.name().to_owned()));
            let is = i64::from(route.state == state);
            states.get_or_create_owned(&labels).set(is);
        }
        at_work
            .get_or_create_owned(&labels)
            .set(i64::from(route.at_work));
        if let Some(share) = route.utilisation() {
            used.get_or_create_owned(&labels).set(share);
        }
        opened.get_or_create_owned(&labels).inc_by(route.opened);
    }
    let help = "Whether the route is in that state";
    registry.register("tollgate_route_state", help, states);
    let help = "Requests at work on the route";
    registry.register("tollgate_route_at_work", help, at_work);
    let help = "Share of the limits that the provider declares which is in use";
    registry.register("tollgate_route_utilisation", help, used);
    let help = "Times that the route's breaker opened";
    registry.register("tollgate_route_breaker_openings", help, opened);
}

const fn operation(language: Language) -> &'static str {
    match language {
        Language::OpenAiCompletions => "text_completion",
        Language::OpenAiEmbeddings | Language::GeminiEmbed => "embeddings",
        Language::GeminiGenerate => "generate_content",
        _ => "chat",
    }
}

fn error_type<'a>(record: &ExchangeRecord, attempt: Option<&AttemptRecord>) -> Option<&'a str> {
    if record.outcome == Outcome::Ok {
        return None;
    }
    let class = attempt.and_then(|attempt| attempt.error_class);
    Some(class.map_or(record.outcome.name(), |class| class.name()))
}

fn name(text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    let end = (0..=text.len().min(NAME_BYTES_MAX))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].to_owned()
}
