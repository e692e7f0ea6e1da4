//! Describes the JSON API as an `OpenAPI` 3.1 document.

use serde_json::{Map, Value, json};

use crate::active::asked::KINDS;
use crate::routing::health::State;

use super::papers::REPORTS;

/// A path of the API.
struct Operation {
    path: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    answer: Answer,
}

/// A parameter: name, and what it means.
type Parameter = (&'static str, &'static str);

/// What is answered.
enum Answer {
    /// JSON of the schema of that name.
    Json(&'static str),
    /// Another content type.
    Other(&'static str),
    /// A report in the format asked for: JSON of the schema of that name, where it has one.
    Report(Option<&'static str>),
}

/// What a query's `format` may be, and the content types of those that are not JSON.
const FORMATS: [&str; 4] = ["json", "csv", "markdown", "html"];
const FILES: [&str; 3] = ["text/csv", "text/markdown", "text/html"];

const REPORT: &[Parameter] = &[
    (
        "since",
        "Beginning: an age (90m, 24h, 7d) or a date; the last 24 hours otherwise",
    ),
    ("until", "End, in the same words; now otherwise"),
    (
        "model",
        "Only this model, as asked for or as the provider calls it",
    ),
    ("provider", "Only this provider"),
    (
        "origin",
        "live, live+probe, real (all but simulated), all, probe, bench, load, eval, shadow or demo",
    ),
];

const ROUTES: &[Parameter] = &[
    (
        "since",
        "Beginning: an age (90m, 24h, 7d) or a date; the last 24 hours otherwise",
    ),
    ("until", "End, in the same words; now otherwise"),
    (
        "model",
        "Only this model, as asked for or as the provider calls it",
    ),
    ("provider", "Only this provider"),
    (
        "origin",
        "live, real (all but simulated), all, probe, bench, load, eval, shadow or demo",
    ),
    ("format", "json, csv, markdown or html; json otherwise"),
];

#[rustfmt::skip]
const OPERATIONS: &[Operation] = &[
    Operation { path: "/api/overview", summary: "What is going on now", parameters: &[], answer: Answer::Json("Overview") },
    Operation { path: "/api/live", summary: "Server-sent events: `overview`, and `exchanges` once they are on the disk", parameters: &[
        ("standing", "Given, also `standing`: how the routes stand, in the page's words"),
    ], answer: Answer::Other("text/event-stream") },
    Operation { path: "/api/routes", summary: "The report of routes", parameters: ROUTES, answer: Answer::Report(Some("RoutesReport")) },
    Operation { path: "/api/standing", summary: "How the routes stand now: state, expectation, load, and what a typical request would be given", parameters: &[], answer: Answer::Json("Standing") },
    Operation { path: "/api/reports/{name}", summary: "A report of whole records by name, with intervals and the reasons where there is none; `schema` names its version", parameters: &[
        ("since", "Beginning: an age (90m, 24h, 7d) or a date; the last 24 hours otherwise"),
        ("until", "End, in the same words; now otherwise"),
        ("origin", "live, live+probe, real (all but simulated), all, probe, bench, load, eval, shadow or demo"),
        ("models", "Only these models, comma-separated"),
        ("providers", "Only these providers, comma-separated"),
        ("regions", "Only these regions, comma-separated"),
        ("tags", "Only requests with one of these tags, comma-separated"),
        ("runs", "Only these runs of benchmarks, loads, evaluations and probes, comma-separated; their origin then does not matter"),
        ("reference", "Of the tax: the provider to compare with"),
        ("compare", "Two windows side by side, as 14d..7d, 2026-11-01..2026-11-08 or FROM/UNTIL..FROM/UNTIL: schema tollgate.report.compare/1"),
        ("experiment", "Of experiments: only this one"),
        ("format", "json, csv, markdown or html; json otherwise"),
    ], answer: Answer::Report(None) },
    Operation { path: "/api/throughput", summary: "Latency, throughput, health and cost of each route, for agents", parameters: REPORT, answer: Answer::Json("Throughput") },
    Operation { path: "/api/exchanges", summary: "Exchanges, newest first", parameters: &[
        ("limit", "How many, 1 to 500; 50 otherwise"),
        ("before", "Only those begun before this exchange: `next_before` of the page before"),
        ("filter", "Only those whose id begins so, or in whose provider, models, outcome, error class, error code or origin this occurs"),
        ("model", "Only this model, as asked for or as the provider calls it"),
        ("provider", "Only this provider"),
        ("outcome", "Only those that ended so: ok, client_error, rate_limited, upstream_error, …"),
        ("status", "Only those whose client got this HTTP status"),
        ("tag", "Only those with this tag"),
        ("session", "Only those of the conversation whose hash begins so"),
    ], answer: Answer::Json("Exchanges") },
    Operation { path: "/api/exchanges/{id}", summary: "One exchange with every field", parameters: &[], answer: Answer::Json("Exchange") },
    Operation { path: "/api/charts/{chart}", summary: "Points of a chart: latency, volume, first-token", parameters: REPORT, answer: Answer::Json("Chart") },
    Operation { path: "/api/notes", summary: "What users wrote of changes", parameters: &[], answer: Answer::Json("Notes") },
    Operation { path: "/api/runs", summary: "Benchmarks, loads, probes and evaluations in the folder of results, and the one that goes on", parameters: &[], answer: Answer::Json("Runs") },
    Operation { path: "/api/runs/{run}", summary: "A run, as far as it has come", parameters: &[], answer: Answer::Json("Run") },
    Operation { path: "/api/runs/{run}/compared", summary: "What this benchmark measured less what another did", parameters: &[
        ("with", "The run that is compared with"),
        ("format", "json, csv, markdown or html; json otherwise"),
    ], answer: Answer::Report(None) },
    Operation { path: "/api/runs/{run}/files/{file}", summary: "A file of its results", parameters: &[], answer: Answer::Other("application/octet-stream") },
    Operation { path: "/api/scores", summary: "What evaluations found of routes", parameters: &[], answer: Answer::Json("Scores") },
    Operation { path: "/api/baselines", summary: "Saved results", parameters: &[], answer: Answer::Json("Baselines") },
    Operation { path: "/api/health", summary: "How services do, and the settings without secrets", parameters: &[], answer: Answer::Json("Health") },
    Operation { path: "/api/openapi.json", summary: "This document", parameters: &[], answer: Answer::Other("application/json") },
    Operation { path: "/metrics", summary: "Metrics for Prometheus", parameters: &[], answer: Answer::Other("application/openmetrics-text") },
    Operation { path: "/healthz", summary: "Whether the program runs", parameters: &[], answer: Answer::Other("text/plain") },
    Operation { path: "/readyz", summary: "Whether records reach the disk; 503 where they do not", parameters: &[], answer: Answer::Json("Ready") },
];

/// What changes something.
struct Deed {
    path: &'static str,
    method: &'static str,
    summary: &'static str,
    /// The parameter that is needed, where one is.
    parameter: Option<Parameter>,
    /// The schema of the body, where one is sent.
    body: Option<&'static str>,
    /// What is answered: the status, and the schema where there is one.
    answers: &'static [(&'static str, Option<&'static str>)],
}

#[rustfmt::skip]
const DEEDS: &[Deed] = &[
    Deed { path: "/api/runs", method: "post", summary: "Begins a run (202); with `dry_run` it says only what would be asked and cost (200). 400: not possible, or over a cap; 403: switched off, or another web page asks; 409: one goes on already, or has that name", parameter: None, body: Some("RunAsked"), answers: &[("200", Some("RunAnnounced")), ("202", Some("RunAnnounced"))] },
    Deed { path: "/api/runs/{run}/go-on", method: "post", summary: "Has a benchmark or an evaluation go on that the page began and that was stopped (202), as if it were asked for in the same words; with `dry_run` it says only what all of it would ask and cost (200). 400: it is not one that goes on", parameter: None, body: Some("RunAgain"), answers: &[("200", Some("RunAnnounced")), ("202", Some("RunAnnounced"))] },
    Deed { path: "/api/runs/{run}/stop", method: "post", summary: "Stops a run; what was measured is kept. 404: none of that name goes on", parameter: None, body: None, answers: &[("202", None)] },
    Deed { path: "/api/notes", method: "post", summary: "Writes a note", parameter: None, body: Some("NoteSent"), answers: &[("201", Some("Note"))] },
    Deed { path: "/api/notes", method: "delete", summary: "Removes a note. 404: there is none", parameter: Some(("id", "Which")), body: None, answers: &[("204", None)] },
    Deed { path: "/api/scores", method: "post", summary: "Adds what an evaluation found, as `tollgate eval` does beside a running server", parameter: None, body: Some("ScoresSent"), answers: &[("204", None)] },
    Deed { path: "/api/records", method: "post", summary: "Adds records of probes, benchmarks and evaluations, as the commands pack them beside a running server of their version", parameter: None, body: None, answers: &[("204", None)] },
    Deed { path: "/api/baselines", method: "post", summary: "Saves a baseline, as `tollgate baseline` makes it. 409: there is one of that name", parameter: None, body: Some("Baseline"), answers: &[("201", Some("Named"))] },
    Deed { path: "/api/baselines", method: "delete", summary: "Removes a baseline. 404: there is none", parameter: Some(("name", "Which")), body: None, answers: &[("204", None)] },
];

/// The document.
pub(super) fn document() -> Value {
    let mut paths: Map<String, Value> = OPERATIONS
        .iter()
        .map(|operation| {
            (
                operation.path.to_owned(),
                json!({ "get": described(operation) }),
            )
        })
        .collect();
    for deed in DEEDS {
        let place = paths.entry(deed.path).or_insert_with(|| json!({}));
        place[deed.method] = done(deed);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tollgate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What ways to models cost in time, money and failures. Within one \
                version of a schema keys are added, never renamed or removed.",
        },
        "paths": paths,
        "components": {
            "schemas": all_schemas(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`admin.token`, where the config sets one",
                },
            },
        },
        "security": [{ "token": [] }, {}],
    })
}

fn described(operation: &Operation) -> Value {
    let in_path = in_path(operation.path);
    let in_query = operation.parameters.iter().map(in_query);
    let parameters: Vec<Value> = in_path.chain(in_query).collect();
    let content = match operation.answer {
        Answer::Json(name) => json!({
            "application/json": { "schema": { "$ref": format!("#/components/schemas/{name}") } },
        }),
        Answer::Other(kind) => json!({ kind: {} }),
        Answer::Report(schema) => {
            let files = FILES.map(|kind| (kind.to_owned(), json!({})));
            let schema = schema.map_or_else(|| json!({ "type": "object" }), to);
            let mut content = Map::from_iter(files);
            content.insert("application/json".to_owned(), json!({ "schema": schema }));
            Value::Object(content)
        }
    };
    json!({
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            "200": { "description": "It", "content": content },
            "default": {
                "description": "Why there is none",
                "content": {
                    "application/json": { "schema": { "$ref": "#/components/schemas/Error" } },
                },
            },
        },
    })
}

/// The parameters in a path.
fn in_path(path: &'static str) -> impl Iterator<Item = Value> {
    let names = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let reports: Vec<&str> = REPORTS.iter().map(|(name, _)| *name).collect();
    names.map(move |name| {
        let schema = if path == "/api/reports/{name}" {
            json!({ "enum": reports })
        } else {
            text()
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    })
}

/// A parameter of a query.
fn in_query((name, meaning): &Parameter) -> Value {
    let schema = if *name == "format" {
        json!({ "enum": FORMATS })
    } else {
        text()
    };
    json!({ "name": name, "in": "query", "description": meaning, "schema": schema })
}

fn done(deed: &Deed) -> Value {
    let of = |name: &str| json!({ "application/json": { "schema": to(name) } });
    let mut responses: Map<String, Value> = deed
        .answers
        .iter()
        .map(|(status, schema)| {
            let content = schema.map_or_else(|| json!({}), of);
            let answer = json!({ "description": "It is done", "content": content });
            ((*status).to_owned(), answer)
        })
        .collect();
    let why = json!({ "description": "Why it is not", "content": of("Error") });
    responses.insert("default".to_owned(), why);
    let needed = deed.parameter.iter().map(|parameter| {
        let mut parameter = in_query(parameter);
        parameter["required"] = true.into();
        parameter
    });
    let mut value = json!({
        "summary": deed.summary,
        "parameters": in_path(deed.path).chain(needed).collect::<Vec<_>>(),
        "responses": responses,
    });
    if let Some(body) = deed.body {
        value["requestBody"] = json!({ "required": true, "content": of(body) });
    }
    value
}

fn all_schemas() -> Map<String, Value> {
    let parts = [schemas(), of_changes()].into_iter();
    parts
        .filter_map(|part| match part {
            Value::Object(part) => Some(part),
            _ => None,
        })
        .flatten()
        .collect()
}

/// What is sent and answered where something is changed.
fn of_changes() -> Value {
    json!({
        "Note": object("id at route text", json!({
            "id": whole(), "at": text(), "route": nullable("string"), "text": text(),
        })),
        "NoteSent": object("text", json!({
            "text": text(), "at": nullable("string"), "route": nullable("string"),
        })),
        "ScoresSent": object("scores", json!({
            "scores": { "type": "array", "items": object(
                "run at model provider there scorer score low high items", json!({}),
            ) },
        })),
        "RunAgain": object("", json!({
            "max_cost": {
                "type": "number",
                "description": "US dollars that all of it may cost; as many as before otherwise",
            },
            "dry_run": { "type": "boolean" },
        })),
        "Baseline": { "type": "object" },
        "Named": object("name", json!({ "name": text() })),
    })
}

fn schemas() -> Value {
    json!({
        "Error": object("error", json!({ "error": object("code message", json!({
            "code": { "type": "string" }, "message": { "type": "string" },
        })) })),
        "Share": object("value part whole", json!({
            "value": nullable("number"), "part": whole(), "whole": whole(),
            "low": { "type": "number" }, "high": { "type": "number" },
        })),
        "Figure": object("value", json!({
            "value": nullable("number"),
            "reason": { "enum": ["too_few", "among_failures"] },
            "needs": whole(),
            "has": whole(),
            "low": { "type": "number" },
            "high": nullable("number"),
        })),
        "Spread": object(
            "n failures p5 p50 p95 p99 iqr_over_p50 p95_over_p50 missing",
            json!({
                "n": whole(), "failures": whole(), "p5": to("Figure"), "p50": to("Figure"),
                "p95": to("Figure"), "p99": to("Figure"), "iqr_over_p50": to("Figure"),
                "p95_over_p50": to("Figure"), "missing": counts(),
            }),
        ),
        "Store": object(
            "state reason since written queue dropped_queue_full dropped_store_failed \
             unjournaled reopened trimmed moved_aside",
            json!({
                "state": { "enum": ["ok", "degraded", "stopped"] }, "reason": nullable("string"),
                "since": nullable("string"), "written": whole(), "queue": whole(),
            }),
        ),
        "Overview": object(
            "schema time uptime_seconds program simulated in_flight accepted connections \
             requests_per_minute exchanges failure_rate first_token_ms own_delay_us store",
            json!({
                "schema": { "const": "tollgate.overview/1" }, "time": text(),
                "simulated": { "type": "boolean" }, "in_flight": whole(),
                "requests_per_minute": whole(), "failure_rate": to("Share"),
                "first_token_ms": object("p50 p95", json!({
                    "p50": to("Figure"), "p95": to("Figure"),
                })),
                "own_delay_us": object("p50 p99", json!({
                    "p50": to("Figure"), "p99": to("Figure"),
                })),
                "store": to("Store"),
            }),
        ),
        "RouteReport": object(
            "provider model region kind exchanges streams whole attempts failure_rate \
             attempt_failure_rate rate_limited credential_faults lost outcomes first_token_ms \
             first_answer_ms total_ms output_rate own_delay_ms left_out_of_latency \
             pseudo_streams stalled reused_connections tokens cost",
            json!({
                "provider": text(), "model": nullable("string"), "exchanges": whole(),
                "failure_rate": to("Share"), "attempt_failure_rate": to("Share"),
                "rate_limited": to("Share"), "credential_faults": to("Share"),
                "outcomes": counts(), "first_token_ms": to("Spread"),
                "first_answer_ms": to("Spread"), "total_ms": to("Spread"),
                "output_rate": to("Spread"), "own_delay_ms": to("Spread"),
                "tokens": object("input cached_read cache_write output reasoning unknown sources", json!({})),
                "cost": object("usd usd_each priced reason without billed_usd billed_count", json!({})),
            }),
        ),
        "RoutesReport": object(
            "schema definitions program design made window span selection configs scanned taken \
             damaged lost_unread source relative_error excluded unrouted routes \
             further",
            json!({
                "schema": { "const": "tollgate.report.routes/1" }, "definitions": whole(),
                "window": object("from until", json!({ "from": text(), "until": text() })),
                "excluded": counts(), "unrouted": counts(),
                "routes": { "type": "array", "items": to("RouteReport") },
                "further": object("routes exchanges", json!({
                    "routes": whole(), "exchanges": whole(),
                })),
            }),
        ),
        "Standing": object("schema time models others spending", json!({
            "schema": { "const": "tollgate.standing/1" }, "time": text(),
            "models": { "type": "array", "items": object(
                "model policy reason rule typical first routes",
                json!({
                    "model": text(), "policy": text(), "reason": text(),
                    "rule": nullable("integer"), "first": nullable("string"),
                    "typical": object("prompt_tokens output_tokens", json!({})),
                    "routes": { "type": "array", "items": to("StandingWeighed") },
                }),
            ) },
            "others": { "type": "array", "items": to("StandingRoute") },
            "spending": object("month usd unpriced", json!({
                "month": text(), "usd": { "type": "number" }, "unpriced": whole(),
            })),
        })),
        "StandingWeighed": object(&format!("{ROUTE_NOW} other_model place score propensity left_out"), {
            let mut properties = route_now();
            properties["other_model"] = json!({ "type": "boolean" });
            properties["place"] = nullable("integer");
            properties["score"] = nullable("number");
            properties["propensity"] = json!({ "type": "number" });
            properties["left_out"] = nullable("string");
            properties
        }),
        "StandingRoute": object(ROUTE_NOW, route_now()),
        "Item": object(
            "id started origin model provider route_model outcome failed error_class status \
             stream attempts first_token_ms first_token_reason total_ms output_rate \
             tokens_input tokens_output cost_usd",
            json!({
                "id": text(), "started": text(), "origin": text(), "outcome": text(),
                "failed": { "type": "boolean" }, "first_token_ms": nullable("number"),
            }),
        ),
        "Exchanges": object("schema exchanges next_before", json!({
            "schema": { "const": "tollgate.exchanges/1" },
            "exchanges": { "type": "array", "items": to("Item") },
            "next_before": nullable("string"),
        })),
        "Exchange": object(
            "schema definitions id started started_mono_ns closed_ns origin config endpoint \
             language request policy reason outcome tokens own attempts",
            json!({
                "schema": { "const": "tollgate.exchange/1" },
                "attempts": { "type": "array", "items": object(
                    "provider kind model status error_class end timeline_ns gaps", json!({}),
                ) },
            }),
        ),
        "Chart": object("schema chart title x y series note", json!({
            "schema": { "const": "tollgate.chart/1" },
            "series": { "type": "array", "items": object("name points", json!({
                "name": text(), "points": { "type": "array" },
            })) },
        })),
        "Notes": object("schema notes", json!({
            "schema": { "const": "tollgate.notes/1" },
            "notes": { "type": "array", "items": to("Note") },
        })),
        "Scores": object("schema scores", json!({
            "schema": { "const": "tollgate.scores/1" },
            "scores": { "type": "array", "items": object(
                "run at model provider there scorer score low high items",
                json!({
                    "run": text(), "at": whole(), "model": text(), "provider": text(),
                    "there": text(), "scorer": text(), "score": { "type": "number" }, "low": { "type": "number" },
                    "high": { "type": "number" }, "items": whole(),
                }),
            ) },
        })),
        "Runs": object("schema begins why_not kinds sets runs", json!({
            "schema": { "const": "tollgate.runs/1" }, "begins": { "type": "boolean" },
            "why_not": nullable("string"),
            "kinds": { "type": "array", "items": { "enum": KINDS } },
            "sets": { "type": "array", "items": text() },
            "runs": { "type": "array", "items": object(RUN, run()) },
        })),
        "Run": object(&format!("schema {RUN}"), {
            let mut properties = run();
            properties["schema"] = json!({ "const": "tollgate.run/1" });
            properties
        }),
        "RunAsked": object("kind", json!({
            "kind": { "enum": KINDS },
            "models": { "type": "array", "items": text() },
            "providers": { "type": "array", "items": text() },
            "regions": { "type": "array", "items": text() },
            "run": { "type": "string", "description": "Its name; the date and the seed otherwise" },
            "seed": whole(),
            "max_cost": {
                "type": "number",
                "description": "US dollars that it may cost; `runs.max_cost` of the config otherwise, and at most",
            },
            "location": text(),
            "dry_run": { "type": "boolean" },
        })),
        "RunAnnounced": object(
            "schema run kind seed routes says requests cost_usd may_be_more unpriced max_cost \
             max_requests",
            json!({
                "schema": { "const": "tollgate.run.announced/1" }, "run": text(),
                "kind": { "enum": KINDS }, "seed": whole(),
                "routes": { "type": "array", "items": text() }, "says": text(),
                "requests": whole(), "cost_usd": { "type": "number" },
                "may_be_more": { "type": "boolean" },
                "unpriced": { "type": "array", "items": text() },
                "max_cost": { "type": "number" }, "max_requests": whole(),
            }),
        ),
        "Baselines": object("schema baselines", json!({
            "schema": { "const": "tollgate.baselines/1" },
            "baselines": { "type": "array", "items": to("Baseline") },
        })),
        "Health": object(
            "schema ready program started simulated store in_flight connections \
             connections_refused config reloads unauthenticated providers",
            json!({
                "schema": { "const": "tollgate.health/1" },
                "store": to("Store"),
                "reloads": object("taken refused", json!({})),
                "providers": { "type": "array", "items": object(
                    "name kind dialect base_url region key_from", json!({}),
                ) },
            }),
        ),
        "Throughput": object(
            "schema service endpoint description providers rankings fastest_latency \
             highest_throughput sampled_one_in total_tested successful_tests failed_tests \
             not_judged further performance_summary ai_guidance human_readable_summary timestamp window definitions",
            json!({
                "schema": { "const": "tollgate.report.throughput/1" }, "service": text(),
                "description": text(),
                "providers": { "type": "array", "items": to("ThroughputProvider") },
                "rankings": object("by_latency by_throughput", json!({
                    "by_latency": { "type": "array", "items": to("ThroughputProvider") },
                    "by_throughput": { "type": "array", "items": to("ThroughputProvider") },
                })),
                "sampled_one_in": nullable("number"),
                "total_tested": whole(), "successful_tests": whole(), "failed_tests": whole(),
                "further": whole(),
                "performance_summary": object(
                    "best_latency_ms best_throughput_tokens_per_sec avg_latency_ms \
                     avg_throughput_tokens_per_sec",
                    json!({
                        "best_latency_ms": nullable("number"),
                        "best_throughput_tokens_per_sec": nullable("number"),
                        "avg_latency_ms": nullable("number"),
                        "avg_throughput_tokens_per_sec": nullable("number"),
                    }),
                ),
                "ai_guidance": object(
                    "best_for_speed best_for_throughput recommendation use_case_guidance",
                    json!({}),
                ),
                "human_readable_summary": text(), "timestamp": text(),
            }),
        ),
        "ThroughputProvider": object(
            "provider model metrics tokens_generated elapsed_seconds error health cost_estimate \
             model_metadata infra test_metadata history",
            json!({
                "provider": text(), "model": text(),
                "metrics": object("latency_ms throughput_tokens_per_sec", json!({
                    "latency_ms": nullable("number"),
                    "throughput_tokens_per_sec": nullable("number"),
                })),
                "tokens_generated": nullable("integer"), "elapsed_seconds": nullable("number"),
                "error": nullable("string"),
                "health": object(
                    "cold_start_latency_ms warm_start_latency_ms availability_percent \
                     error_rate_percent status is_cold_start",
                    json!({}),
                ),
                "cost_estimate": object("cost_per_1k_tokens_usd estimated_cost_usd", json!({})),
                "model_metadata": object(
                    "release_date context_length hardware api_type",
                    json!({}),
                ),
                "infra": object(
                    "schema_url plugin_manifest human_readable_url api_docs",
                    json!({}),
                ),
                "test_metadata": object("request_hash trace_id", json!({})),
                "history": object("latency_trend_7d throughput_trend_7d", json!({})),
            }),
        ),
        "Ready": object("ready store stopping", json!({ "ready": { "type": "boolean" } })),
    })
}

const ROUTE_NOW: &str = "provider model region state since until seconds_left why \
    consecutive_failures opened last_minute at_work at_work_limit requests tokens utilisation \
    keys expected first_token_p95_ms first_token_deadline_ms";

fn route_now() -> Value {
    let mut expected = object(
        "first_token_ms first_token_low_ms first_token_high_ms prompt_tokens per_token_ms success \
         success_lower samples",
        json!({
            "first_token_ms": { "type": "number" }, "per_token_ms": nullable("number"),
            "success": { "type": "number" }, "samples": whole(),
        }),
    );
    // Absent as long as nothing was seen of the route.
    expected["type"] = json!(["object", "null"]);
    expected
        .as_object_mut()
        .map(|schema| schema.remove("required"));
    json!({
        "provider": text(), "model": nullable("string"), "region": nullable("string"),
        "state": { "enum": State::ALL.map(State::name) },
        "since": nullable("string"), "until": nullable("string"),
        "seconds_left": nullable("integer"), "why": nullable("string"),
        "consecutive_failures": whole(), "opened": whole(),
        "last_minute": object("failed ended", json!({ "failed": whole(), "ended": whole() })),
        "at_work": whole(), "at_work_limit": nullable("integer"),
        "requests": meter(), "tokens": meter(), "utilisation": nullable("number"),
        "keys": { "type": "array", "items": key_now(), "description": "The provider's own keys, by \
            their number in the config, where there are several; state, limit and meters of the \
            route are those of the one that would be taken" },
        "expected": expected,
        "first_token_p95_ms": nullable("number"), "first_token_deadline_ms": nullable("number"),
    })
}

fn key_now() -> Value {
    object(
        "number next state since until seconds_left why at_work at_work_limit requests tokens \
         utilisation",
        json!({
            "number": whole(), "next": { "type": "boolean" },
            "state": { "enum": State::ALL.map(State::name) },
            "since": nullable("string"), "until": nullable("string"),
            "seconds_left": nullable("integer"), "why": nullable("string"),
            "at_work": whole(), "at_work_limit": nullable("integer"),
            "requests": meter(), "tokens": meter(), "utilisation": nullable("number"),
        }),
    )
}

fn meter() -> Value {
    object(
        "minute limit left utilisation",
        json!({
            "minute": whole(), "limit": nullable("integer"), "left": nullable("integer"),
            "utilisation": nullable("number"),
        }),
    )
}

fn object(required: &str, properties: Value) -> Value {
    let required: Vec<&str> = required.split_whitespace().collect();
    let mut object = json!({ "type": "object", "required": required });
    object["properties"] = properties;
    object
}

fn to(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn whole() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn nullable(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}

fn counts() -> Value {
    json!({ "type": "object", "additionalProperties": whole() })
}

/// Keys of a run.
const RUN: &str = "run kind state going began ended seed done of says notes can_go_on files";

fn run() -> Value {
    json!({
        "run": text(), "kind": text(), "state": text(), "going": { "type": "boolean" },
        "began": nullable("string"), "ended": nullable("string"), "seed": nullable("integer"),
        "done": whole(), "of": whole(), "says": text(),
        "notes": { "type": "array", "items": text() }, "can_go_on": { "type": "boolean" },
        "files": { "type": "array", "items": object("name bytes url", json!({
            "name": text(), "bytes": whole(), "url": text(),
        })) },
    })
}
