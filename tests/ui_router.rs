//! Tests the page and its API as a browser or a program meets them, without a socket.

#![expect(
    clippy::unwrap_used,
    reason = "what a test helper cannot do, its test cannot either"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tollgate::edge::store::pack;
use tollgate::record::{Active, ExchangeRecord, Name, Origin, Outcome};
use tollgate::recorder::{State, StoreHealth};
use tollgate::ui::{self, Ui, papers};
use tower::ServiceExt as _;

#[path = "support/filled.rs"]
mod filled;

#[path = "support/page.rs"]
mod page;

use page::{Held, held, hostile};

const TOKEN: &str = "a-token-of-more-than-32-characters-in-all";

struct Site {
    directory: TempDir,
    held: Held,
    router: Router,
}

/// A site over a store of `count` exchanges.
fn site(count: usize, config: &str) -> Site {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    drop(filled::store(&path, &filled::recent(1, count, 2_000_000)));
    over(directory, &path, config, StoreHealth::default())
}

fn over(directory: TempDir, path: &Path, config: &str, health: StoreHealth) -> Site {
    let settings = page::settings(config, directory.path());
    let held = held(path, settings, health);
    let router = ui::router(held.handles.clone());
    Site {
        directory,
        held,
        router,
    }
}

struct Got {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

async fn send(router: &Router, request: Request<Body>) -> Got {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Got {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8(bytes.to_vec()).unwrap(),
    }
}

async fn get(router: &Router, path: &str) -> Got {
    get_with(router, path, &[]).await
}

async fn get_with(router: &Router, path: &str, headers: &[(&str, &str)]) -> Got {
    let mut request = Request::get(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "127.0.0.1:4101");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(router, request.body(Body::empty()).unwrap()).await
}

const PAGES: [&str; 7] = [
    "/",
    "/routes",
    "/reports",
    "/exchanges",
    "/settings",
    "/health",
    "/login",
];

#[tokio::test]
async fn every_page_is_written_with_strict_headers() {
    let site = site(500, "");
    for path in PAGES {
        let got = get(&site.router, path).await;
        assert_eq!(got.status, StatusCode::OK, "{path}");
        assert_eq!(
            got.header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; \
             frame-ancestors 'none'; require-trusted-types-for 'script'"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(got.header(name), value, "{path}: {name}");
        }
        for forbidden in [
            "<style",
            " style=",
            "<script>",
            "javascript:",
            " onclick",
            "//cdn",
        ] {
            assert!(!got.text.contains(forbidden), "{path} has {forbidden}");
        }
        assert!(
            got.text.contains("<h1>") && got.text.contains("lang=\"en\""),
            "{path}"
        );
    }
}

#[tokio::test]
async fn names_from_outside_are_only_text() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    let mut records = filled::recent(1, 50, 1_000_000);
    for (record, name) in records.iter_mut().zip(hostile().into_iter().cycle()) {
        record.model = Some(Name::from(name));
        record.tags = vec![Name::from(name)];
        for attempt in &mut record.attempts {
            attempt.model = Some(Name::from(name));
            attempt.served_by = Some(Name::from(name));
            attempt.error_code = Some(Name::from(name));
        }
    }
    drop(filled::store(&path, &records));
    let ids: Vec<String> = records[..5]
        .iter()
        .map(|record| record.id.to_string())
        .collect();
    let site = over(directory, &path, "", StoreHealth::default());
    let mut paths: Vec<String> = PAGES.map(str::to_owned).to_vec();
    paths.extend(ids.iter().map(|id| format!("/exchanges/{id}")));
    paths.push("/exchanges?filter=%3Cscript%3Ealert(1)%3C/script%3E".to_owned());
    paths.push("/routes?model=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E".to_owned());
    paths.push("/no/such/%3Cscript%3E".to_owned());
    for path in paths {
        let got = get(&site.router, &path).await;
        for forbidden in ["<script>alert", "<img", "<svg/onload", "\u{202e}", "\u{0}"] {
            assert!(!got.text.contains(forbidden), "{path} has {forbidden}");
        }
    }
    let ui = Ui::new(site.held.handles.clone());
    let follower = ui.clone();
    let following = tokio::spawn(async move { follower.follow().await });
    tokio::task::yield_now().await;
    for record in records {
        site.held.feed.send(Arc::new(record)).unwrap();
    }
    // The follower first recalls what the store has: on a busy machine that takes its time.
    let mut got = get(&ui.router(), "/metrics").await;
    for _ in 0..6_000 {
        if got.text.matches("\ntollgate_exchanges_total").count() >= 5 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        got = get(&ui.router(), "/metrics").await;
    }
    following.abort();
    let lines = got
        .text
        .lines()
        .filter(|line| line.starts_with("tollgate_exchanges_total"));
    assert!(lines.clone().count() >= 5, "{}", got.text);
    assert!(
        lines
            .clone()
            .all(|line| line.ends_with(|c: char| c.is_ascii_digit()))
    );
    assert!(got.text.contains("model=\"\\\"><img"), "{}", got.text);
}

#[tokio::test]
async fn the_description_names_every_path_and_answers_keep_to_it() {
    let site = site(300, "");
    let description = get(&site.router, "/api/openapi.json").await.json();
    let source = include_str!("../src/ui/router.rs");
    let described: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    for line in source
        .lines()
        .filter_map(|line| line.trim().strip_prefix(".route(\""))
    {
        let path = line.split('"').next().unwrap();
        let for_programs = (path.starts_with("/api/") && !path.contains('*'))
            || ["/metrics", "/healthz", "/readyz"].contains(&path);
        let known = described.iter().any(|known| *known == path);
        assert_eq!(known, for_programs, "{path}");
    }
    let list = get(&site.router, "/api/exchanges?limit=1").await.json();
    let id = list["exchanges"][0]["id"].as_str().unwrap().to_owned();
    for path in described {
        if path == "/api/live" {
            continue;
        }
        if description["paths"][path]["get"].is_null() {
            assert!(description["paths"][path]["post"].is_object(), "{path}");
            continue;
        }
        let asked = path.replace("{id}", &id).replace("{name}", "tax");
        let asked = asked
            .replace("{run}", "monday")
            .replace("{file}", "report.txt");
        if path.ends_with("/compared") {
            let got = get(&site.router, &asked).await;
            assert_eq!(
                got.status,
                StatusCode::BAD_REQUEST,
                "nothing to compare with"
            );
            continue;
        }
        for chart in ["latency", "volume", "first-token"] {
            let got = get(&site.router, &asked.replace("{chart}", chart)).await;
            assert_eq!(got.status, StatusCode::OK, "{path}: {}", got.text);
            let content = &description["paths"][path]["get"]["responses"]["200"]["content"];
            if let Some(schema) = content
                .get("application/json")
                .and_then(|one| one.get("schema"))
            {
                assert_eq!(got.header("content-type"), "application/json");
                assert_eq!(got.header("cache-control"), "no-store");
                keeps(&description, schema, &got.json(), path);
            }
        }
    }
    // Every format of a report is one of those described, and every name of a report.
    let formats = [
        ("json", "application/json"),
        ("csv", "text/csv"),
        ("markdown", "text/markdown"),
        ("html", "text/html"),
    ];
    for path in ["/api/routes", "/api/reports/{name}"] {
        let described = &description["paths"][path]["get"];
        let format = described["parameters"].as_array().unwrap().iter();
        let format = format.clone().find(|one| one["name"] == "format").unwrap();
        assert_eq!(
            format["schema"]["enum"],
            json!(formats.map(|(name, _)| name))
        );
        for (name, kind) in formats {
            let asked = path.replace("{name}", "models");
            let got = get(&site.router, &format!("{asked}?format={name}")).await;
            let media = got
                .header("content-type")
                .split(';')
                .next()
                .unwrap()
                .to_owned();
            assert_eq!((got.status, media.as_str()), (StatusCode::OK, kind));
            assert!(
                described["responses"]["200"]["content"][kind].is_object(),
                "{path} {kind}"
            );
        }
    }
    let names =
        &description["paths"]["/api/reports/{name}"]["get"]["parameters"][0]["schema"]["enum"];
    assert_eq!(names.as_array().unwrap().len(), papers::REPORTS.len());
    for (path, method, status) in [
        ("/api/runs", "post", "200"),
        ("/api/runs", "post", "202"),
        ("/api/notes", "post", "201"),
        ("/api/notes", "delete", "204"),
        ("/api/scores", "post", "204"),
        ("/api/records", "post", "204"),
        ("/api/runs/{run}/go-on", "post", "202"),
        ("/api/baselines", "post", "201"),
        ("/api/baselines", "delete", "204"),
    ] {
        let answer = &description["paths"][path][method]["responses"][status];
        assert!(answer.is_object(), "{method} {path} {status}");
    }
    let missing = get(&site.router, "/api/nothing").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    keeps(
        &description,
        &description["components"]["schemas"]["Error"],
        &missing.json(),
        "error",
    );
}

/// Checks `value` against the part of JSON Schema that the description uses.
fn keeps(description: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return keeps(
            description,
            &description["components"]["schemas"][name],
            value,
            at,
        );
    }
    for key in schema["required"].as_array().into_iter().flatten() {
        assert!(
            value.get(key.as_str().unwrap()).is_some(),
            "{at} lacks {key}"
        );
    }
    if let Some(wanted) = schema.get("const") {
        assert_eq!(wanted, value, "{at}");
    }
    let kinds = match &schema["type"] {
        Value::String(kind) => vec![kind.clone()],
        Value::Array(kinds) => kinds
            .iter()
            .map(|kind| kind.as_str().unwrap().to_owned())
            .collect(),
        _ => Vec::new(),
    };
    let is = |kind: &String| match kind.as_str() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => unreachable!("{other}"),
    };
    assert!(
        kinds.is_empty() || kinds.iter().any(is),
        "{at}: {value} is none of {kinds:?}"
    );
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(key) {
            keeps(description, schema, value, &format!("{at}.{key}"));
        }
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        for value in list {
            keeps(description, items, value, &format!("{at}[]"));
        }
    }
}

#[tokio::test]
async fn experiments_have_a_place_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    let mut records = filled::recent(5, 1_200, 2_000_000);
    page::drawn(&mut records);
    drop(filled::store(&path, &records));
    let config = format!(
        "[providers.openai]\n[providers.openrouter]\n{}",
        page::EXPERIMENT.1
    );
    let site = over(directory, &path, &config, StoreHealth::default());
    let shown = get(&site.router, "/experiments").await;
    assert_eq!(shown.status, StatusCode::OK);
    for part in [
        "aria-current=\"page\">Experiments",
        "RANDOMISED, router-tax",
        "<option>router-tax</option>",
        "300 and 300 sessions",
        "openrouter/openai/gpt-4.1",
        "<svg",
        "may it stop?",
        "action=\"/experiments\"",
    ] {
        assert!(shown.text.contains(part), "{part}: {}", shown.text);
    }
    // Who served is what the arms decide: nobody may choose by it.
    for (path, status, part) in [
        (
            "/experiments?experiment=router-tax",
            StatusCode::OK,
            "<option selected>router-tax",
        ),
        (
            "/experiments?experiment=other",
            StatusCode::OK,
            "No experiment is called other",
        ),
        (
            "/experiments?since=1h&models=none",
            StatusCode::OK,
            "no exchange with its model",
        ),
        (
            "/experiments?providers=openai",
            StatusCode::BAD_REQUEST,
            "experiment, models and tags only",
        ),
        ("/experiments?since=never", StatusCode::BAD_REQUEST, "never"),
        (
            "/api/reports/experiments?regions=eu",
            StatusCode::BAD_REQUEST,
            "tags only",
        ),
    ] {
        let got = get(&site.router, path).await;
        assert_eq!(got.status, status, "{path}: {}", got.text);
        assert!(got.text.contains(part), "{path}: {}", got.text);
    }
}

#[tokio::test]
async fn every_report_has_a_page_and_downloads() {
    let site = site(300, "");
    let index = get(&site.router, "/reports").await;
    for (name, _) in papers::REPORTS {
        assert!(
            index.text.contains(&format!("href=\"/reports/{name}\"")),
            "{name}"
        );
        let page = get(&site.router, &format!("/reports/{name}?origin=all")).await;
        assert_eq!(page.status, StatusCode::OK, "{name}: {}", page.text);
        assert!(page.text.contains("How to read it"), "{name}");
        for (format, kind, part) in [
            (
                "json",
                "application/json",
                format!("\"schema\": \"tollgate.report.{name}/1\""),
            ),
            ("csv", "text/csv; charset=utf-8", "table,".to_owned()),
            ("markdown", "text/markdown; charset=utf-8", "# ".to_owned()),
            (
                "html",
                "text/html; charset=utf-8",
                "<!doctype html>".to_owned(),
            ),
        ] {
            let path = format!("/api/reports/{name}?origin=all&format={format}");
            let got = get(&site.router, &path).await;
            assert_eq!(
                (got.status, got.header("content-type")),
                (StatusCode::OK, kind),
                "{path}"
            );
            assert!(got.text.contains(&part), "{path}: {}", got.text);
            let file = got.header("content-disposition");
            assert!(
                file.starts_with("attachment; filename=\"tollgate-"),
                "{path}: {file}"
            );
        }
    }
    let page = get(&site.router, "/routes?origin=all&model=gpt-4.1").await;
    for (format, kind, part) in [
        (
            "json",
            "application/json",
            "\"schema\": \"tollgate.report.routes/1\"",
        ),
        ("csv", "text/csv; charset=utf-8", "provider,model,region"),
        ("markdown", "text/markdown; charset=utf-8", "| route |"),
        ("html", "text/html; charset=utf-8", "<!doctype html>"),
    ] {
        let path = format!("/api/routes?model=gpt-4.1&origin=all&format={format}");
        let link = format!("href=\"{}\"", path.replace('&', "&amp;"));
        let since = link.replace("model=", "since=24h&amp;model=");
        assert!(page.text.contains(&since), "{since}: {}", page.text);
        let got = get(&site.router, &path).await;
        assert_eq!(
            (got.status, got.header("content-type")),
            (StatusCode::OK, kind),
            "{path}"
        );
        assert!(got.text.contains(part), "{path}: {}", got.text);
    }
    for (path, status) in [
        ("/api/routes?format=pdf", StatusCode::BAD_REQUEST),
        ("/reports/models?compare=2h..1h", StatusCode::OK),
        ("/api/reports/tax?compare=2h..1h&format=csv", StatusCode::OK),
        ("/reports/models?compare=1h", StatusCode::BAD_REQUEST),
        ("/reports/nothing", StatusCode::NOT_FOUND),
        ("/api/reports/nothing", StatusCode::NOT_FOUND),
        ("/api/reports/tax?format=pdf", StatusCode::BAD_REQUEST),
        ("/api/reports/tax?since=yesterday", StatusCode::BAD_REQUEST),
        ("/api/reports/tax?origin=moon", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(get(&site.router, path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn scores_are_taken_whole_or_refused_and_listed() {
    let site = site(3, "");
    let post = |body: String| {
        Request::post("/api/scores")
            .header("host", "127.0.0.1:4101")
            .header("content-type", "application/json")
            .body(Body::from(body))
            .unwrap()
    };
    let score = |low: f64, scorer: &str| {
        json!({
            "run": "r", "at": 5, "model": "m", "provider": "p", "there": "t", "scorer": scorer,
            "score": 0.5, "low": low, "high": 1.0, "items": 4,
        })
    };
    let sent = |scores: &[Value]| json!({ "scores": scores }).to_string();
    for (body, status) in [
        (sent(&[score(0.25, "a")]), 204),
        (sent(&[score(0.3, "b"), score(0.75, "c")]), 400),
        (sent(&[score(0.3, "two\nlines")]), 400),
        (sent(&[json!({"run": "r"})]), 400),
        ("{}".to_owned(), 400),
    ] {
        let got = send(&site.router, post(body.clone())).await;
        assert_eq!(got.status, status, "{body}: {}", got.text);
    }
    let list = get(&site.router, "/api/scores").await.json();
    assert_eq!(list["scores"], json!([score(0.25, "a")]));
}

#[tokio::test]
async fn what_another_process_asked_is_taken_and_nothing_else_is() {
    let site = site(3, "");
    let post = |body: Vec<u8>| {
        Request::post("/api/records")
            .header("host", "127.0.0.1:4101")
            .header("content-type", "application/octet-stream")
            .body(Body::from(body))
            .unwrap()
    };
    let mut probe = filled::recent(7, 1, 1_000_000).remove(0);
    probe.origin = Origin::Probe;
    probe.active = Some(Active::default());
    let clients = ExchangeRecord {
        origin: Origin::Live,
        ..probe.clone()
    };
    let measured = [Origin::Bench, Origin::Load, Origin::Eval].map(|origin| ExchangeRecord {
        origin,
        ..probe.clone()
    });
    let old = ExchangeRecord {
        started: probe.started.plus_secs(-90_000),
        ..probe.clone()
    };
    let ahead = ExchangeRecord {
        started: probe.started.plus_secs(900),
        ..probe.clone()
    };
    for (body, status) in [
        (pack(&[probe.clone(), probe.clone()]), 204),
        (pack(&measured), 204),
        (pack(&[probe.clone(), clients]), 400),
        (pack(&[old]), 400),
        (pack(&[ahead]), 400),
        (b"{}".to_vec(), 400),
        (Vec::new(), 400),
        (vec![0; 9 << 20], 413),
    ] {
        let got = send(&site.router, post(body)).await;
        assert_eq!(got.status, status, "{}", got.text);
    }
    let mut foreign = post(pack(&[probe]));
    let origin = "https://other.example".parse().unwrap();
    foreign.headers_mut().insert("origin", origin);
    assert_eq!(send(&site.router, foreign).await.status, 403);
}

#[tokio::test]
async fn notes_are_written_shown_and_removed() {
    let site = site(300, "");
    let post = |path: &str, kind: &str, body: &str| {
        Request::post(path)
            .header("host", "127.0.0.1:4101")
            .header("content-type", kind)
            .body(Body::from(body.to_owned()))
            .unwrap()
    };
    let json = "application/json";
    for (body, status) in [
        (r#"{"text":"moved <b>to</b> eu-west","at":"5m"}"#, 201),
        (r#"{"text":"new prompt","route":"openai/gpt-4.1"}"#, 201),
        (r#"{"text":""}"#, 400),
        (r#"{"text":"x","at":"soon"}"#, 400),
        (r#"{"words":"x"}"#, 400),
        ("no json", 400),
    ] {
        let got = send(&site.router, post("/api/notes", json, body)).await;
        assert_eq!(got.status, status, "{body}: {}", got.text);
    }
    let form = "application/x-www-form-urlencoded";
    let got = send(
        &site.router,
        post("/notes", form, "text=by+form&at=&route="),
    )
    .await;
    assert_eq!(
        (got.status.as_u16(), got.header("location")),
        (303, "/reports/trend#notes")
    );
    let list = get(&site.router, "/api/notes").await.json();
    assert_eq!(list["notes"].as_array().unwrap().len(), 3);
    let page = get(&site.router, "/reports/trend?origin=all").await.text;
    assert!(
        page.contains("moved &lt;b&gt;to&lt;/b&gt; eu-west"),
        "{page}"
    );
    assert!(page.contains("by form") && page.contains("class=\"flag\""));
    let tax = get(&site.router, "/api/reports/cost?origin=all")
        .await
        .json();
    assert_eq!(tax["head"]["notes"].as_array().unwrap().len(), 3);
    let delete = |id: u32| {
        Request::delete(format!("/api/notes?id={id}"))
            .header("host", "127.0.0.1:4101")
            .body(Body::empty())
            .unwrap()
    };
    for (id, status) in [(1, 204), (1, 404), (9, 404)] {
        assert_eq!(send(&site.router, delete(id)).await.status, status, "{id}");
    }
    let got = send(&site.router, post("/notes/2/remove", form, "")).await;
    assert_eq!(got.status, 303);
    let other = Request::post("/api/notes")
        .header("host", "127.0.0.1:4101")
        .header("origin", "https://other.example")
        .header("content-type", json)
        .body(Body::from(r#"{"text":"forged"}"#))
        .unwrap();
    assert_eq!(send(&site.router, other).await.status, 403);
    let list = get(&site.router, "/api/notes").await.json();
    assert_eq!(list["notes"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn settings_are_shown_without_secrets_and_with_their_sources() {
    let key = "sk-0123456789abcdef0123456789abcdef";
    let config = format!(
        "[admin]\ntoken = \"{TOKEN}\"\n[timeouts]\nconnect = \"7s\"\n\
         [providers.openai]\napi_key = \"{key}\"\nheaders = {{ x-org = \"hidden-value\" }}\n"
    );
    let site = site(10, &config);
    let bearer = format!("Bearer {TOKEN}");
    let got = get_with(&site.router, "/settings", &[("authorization", &bearer)]).await;
    assert_eq!(got.status, StatusCode::OK);
    for secret in [TOKEN, key, "hidden-value"] {
        assert!(!got.text.contains(secret), "{secret}");
    }
    let row = |key: &str, value: &str, source: &str| {
        format!("<code>{key}</code></td><td class=\"name\">{value}</td><td>{source}</td>")
    };
    for row in [
        row("timeouts.connect", "7 s", "config"),
        row("timeouts.silence", "10 min", "default"),
        row("admin.token", "set, not shown", "config"),
        row("server.token", "none", "default"),
    ] {
        assert!(got.text.contains(&row), "{row}: {}", got.text);
    }
    assert!(got.text.contains("set, from api_key"));
}

#[tokio::test]
async fn other_sites_and_names_are_refused() {
    let site = site(10, "[admin]\nhosts = [\"tollgate.example\"]\n");
    let own = ("host", "127.0.0.1:4101");
    let cases: &[(&[(&str, &str)], u16)] = &[
        (&[("host", "localhost:4101")], 200),
        (&[("host", "[::1]:4101")], 200),
        (&[("host", "tollgate.example")], 200),
        (&[("host", "evil.example")], 421),
        (&[("host", "127.0.0.1.evil.example")], 421),
        (&[("host", "a b")], 400),
        (&[own, ("origin", "http://127.0.0.1:4101")], 200),
        (&[own, ("origin", "http://127.0.0.1:9999")], 403),
        (&[own, ("origin", "https://evil.example")], 403),
        (&[own, ("origin", "null")], 403),
        (&[own, ("sec-fetch-site", "same-origin")], 200),
        (&[own, ("sec-fetch-site", "none")], 200),
        (&[own, ("sec-fetch-site", "same-site")], 403),
        (&[own, ("sec-fetch-site", "cross-site")], 403),
    ];
    for (headers, status) in cases {
        let got = get_with(&site.router, "/api/overview", headers).await;
        assert_eq!(got.status.as_u16(), *status, "{headers:?}: {}", got.text);
        assert!(!got.header("content-security-policy").is_empty());
    }
    let link = [
        own,
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    assert_eq!(
        get_with(&site.router, "/routes", &link).await.status,
        StatusCode::OK
    );
    assert_eq!(
        get_with(&site.router, "/api/routes", &link).await.status,
        StatusCode::FORBIDDEN
    );
    let none = Request::get("/").body(Body::empty()).unwrap();
    assert_eq!(
        send(&site.router, none).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_token_opens_a_session_and_is_asked_for_everywhere_else() {
    let site = site(10, &format!("[admin]\ntoken = \"{TOKEN}\"\n"));
    let router = &site.router;
    for path in [
        "/api/overview",
        "/metrics",
        "/api/live",
        "/api/openapi.json",
    ] {
        let got = get(router, path).await;
        assert_eq!(got.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(got.header("www-authenticate"), "Bearer");
    }
    for path in ["/", "/routes", "/exchanges", "/health"] {
        let got = get(router, path).await;
        assert_eq!(
            (got.status, got.header("location")),
            (StatusCode::SEE_OTHER, "/login")
        );
        assert!(got.text.is_empty());
    }
    for path in [
        "/healthz",
        "/readyz",
        "/login",
        "/assets/style.css",
        "/favicon.svg",
        "/llms.txt",
        "/.well-known/ai-plugin.json",
    ] {
        assert_eq!(get(router, path).await.status, StatusCode::OK, "{path}");
    }
    let bearer = format!("Bearer {TOKEN}");
    let got = get_with(router, "/api/overview", &[("authorization", &bearer)]).await;
    assert_eq!(got.status, StatusCode::OK);
    let got = get_with(
        router,
        "/api/overview",
        &[("authorization", "Bearer wrong")],
    )
    .await;
    assert_eq!(got.status, StatusCode::UNAUTHORIZED);
    let got = get_with(
        router,
        "/api/overview",
        &[("cookie", "tollgate_session=guess")],
    )
    .await;
    assert_eq!(got.status, StatusCode::UNAUTHORIZED);

    let sign_in = |token: &str, origin: &str| {
        Request::post("/login")
            .header("host", "127.0.0.1:4101")
            .header("origin", origin)
            .header(
                "sec-fetch-site",
                if origin == "null" {
                    "same-origin"
                } else {
                    "cross-site"
                },
            )
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(format!("token={token}")))
            .unwrap()
    };
    // Browsers send `null` for our own form, since no referrer is to be told.
    assert_eq!(
        send(router, sign_in(TOKEN, "https://evil.example"))
            .await
            .status,
        403
    );
    assert_eq!(
        send(router, sign_in("wrong", "null")).await.status,
        StatusCode::UNAUTHORIZED
    );
    let got = send(router, sign_in(TOKEN, "null")).await;
    assert_eq!(got.status, StatusCode::SEE_OTHER);
    let cookie = got.header("set-cookie").to_owned();
    assert!(
        cookie.contains("HttpOnly; SameSite=Strict") && cookie.contains("Path=/"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap();
    let with_cookie = [("cookie", cookie)];
    let got = get_with(router, "/", &with_cookie).await;
    assert!(got.status == StatusCode::OK && got.text.contains("Sign out"));
    let sign_out = Request::post("/logout")
        .header("host", "127.0.0.1:4101")
        .header("cookie", cookie)
        .body(Body::empty())
        .unwrap();
    assert_eq!(send(router, sign_out).await.status, StatusCode::SEE_OTHER);
    assert_eq!(
        get_with(router, "/api/overview", &with_cookie).await.status,
        401
    );

    for _ in 0..30 {
        get_with(
            router,
            "/api/overview",
            &[("authorization", "Bearer wrong")],
        )
        .await;
    }
    let got = get_with(router, "/api/overview", &[("authorization", &bearer)]).await;
    assert_eq!(got.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_list_is_paged_and_filtered_without_gaps() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    let mut records = filled::recent(1, 400, 2_000_000);
    for (n, record) in records.iter_mut().enumerate() {
        if n % 7 == 0 {
            record.tags = vec![Name::from("nightly")];
        }
        for attempt in &mut record.attempts {
            if attempt.error_class.is_some() {
                attempt.error_code = Some(Name::from("Engine_Busy"));
            }
        }
    }
    drop(filled::store(&path, &records));
    let site = over(directory, &path, "", StoreHealth::default());
    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/exchanges?limit=70{before}");
        let page = get(&site.router, &path).await.json();
        for item in page["exchanges"].as_array().unwrap() {
            seen.push(item["id"].as_str().unwrap().to_owned());
        }
        match page["next_before"].as_str() {
            Some(id) => before = format!("&before={id}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 400);
    assert!(seen.is_sorted_by(|newer, older| newer > older));
    let page = get(&site.router, "/api/exchanges?limit=500&filter=OpenRouter")
        .await
        .json();
    let found = page["exchanges"].as_array().unwrap();
    assert!(!found.is_empty() && found.len() < 400);
    assert!(found.iter().all(|item| item["provider"] == "openrouter"));
    let all = get(&site.router, "/api/exchanges?limit=500").await.json();
    let all = all["exchanges"].as_array().unwrap();
    for (query, key, value) in [
        ("outcome=ok", "outcome", "ok"),
        ("provider=openrouter", "provider", "openrouter"),
        ("model=gpt-4.1", "model", "gpt-4.1"),
    ] {
        let path = format!("/api/exchanges?limit=500&{query}");
        let page = get(&site.router, &path).await.json();
        let found = page["exchanges"].as_array().unwrap();
        let expected = all.iter().filter(|item| item[key] == value).count();
        assert!(found.iter().all(|item| item[key] == value), "{query}");
        assert!(
            found.len() == expected && expected > 0,
            "{query}: {}",
            found.len()
        );
    }
    // What only details say: found one by one, over the ends of pages.
    let detail = |id: &str| format!("/api/exchanges/{id}");
    let mut tried = [false; 4];
    for item in all {
        let id = item["id"].as_str().unwrap();
        let record = get(&site.router, &detail(id)).await.json();
        let mut attempts = record["attempts"].as_array().unwrap().iter();
        let code = attempts.find_map(|attempt| attempt["error_code"].as_str());
        let wanted = [
            ("tag", record["tags"][0].as_str()),
            ("session", record["session"].as_str()),
            ("filter", code),
            ("filter", Some(&id[..23])),
        ];
        for (at, (name, text)) in wanted.into_iter().enumerate() {
            let Some(text) = text.filter(|_| !tried[at]) else {
                continue;
            };
            tried[at] = true;
            let path = format!("/api/exchanges?limit=500&{name}={text}");
            let page = get(&site.router, &path).await.json();
            let found = page["exchanges"].as_array().unwrap();
            assert!(found.iter().any(|item| item["id"] == id), "{path}");
            assert!(found.len() < all.len(), "{path}");
        }
    }
    assert_eq!(tried, [true; 4]);
    let page = get(&site.router, "/exchanges?limit=5&outcome=ok&tag=")
        .await
        .text;
    assert!(
        page.contains("<input type=\"hidden\" name=\"outcome\" value=\"ok\">"),
        "{page}"
    );
    for (path, code) in [
        ("/api/exchanges?outcome=odd", "outcome"),
        ("/api/exchanges?status=7", "status"),
        ("/api/exchanges?limit=0", "limit"),
        ("/api/exchanges?limit=x", "limit"),
        ("/api/exchanges?before=12", "id"),
        ("/api/exchanges/zzz", "id"),
        ("/api/routes?since=never", "window"),
        ("/api/routes?origin=mars", "origin"),
    ] {
        let got = get(&site.router, path).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(got.json()["error"]["code"], code);
    }
    let got = get(
        &site.router,
        "/exchanges/00000000-0000-7000-8000-000000000000",
    )
    .await;
    assert_eq!(got.status, StatusCode::NOT_FOUND);
    assert!(got.text.contains("no exchange"));
}

#[tokio::test]
async fn states_without_data_say_what_to_do() {
    let site = site(0, "");
    let got = get(&site.router, "/").await;
    assert!(
        got.text
            .contains("export OPENAI_BASE_URL=http://127.0.0.1:4100/v1"),
        "{}",
        got.text
    );
    for (path, text) in [
        ("/routes", "A wider window may have some"),
        ("/exchanges", "No exchange yet"),
        ("/exchanges?filter=xyz", "No exchange has “xyz” in its id"),
    ] {
        let got = get(&site.router, path).await;
        assert!(
            got.status == StatusCode::OK && got.text.contains(text),
            "{path}: {}",
            got.text
        );
    }
    std::fs::remove_file(site.directory.path().join("s.redb")).unwrap();
    for path in ["/", "/routes", "/exchanges"] {
        let got = get(&site.router, path).await;
        assert!(
            got.text.contains("there is no store at"),
            "{path}: {}",
            got.text
        );
    }
    let got = get(&site.router, "/api/routes").await;
    assert_eq!(
        (got.status, got.json()["error"]["code"].clone()),
        (StatusCode::SERVICE_UNAVAILABLE, "store_missing".into())
    );
}

#[tokio::test]
async fn a_degraded_store_is_shown_everywhere() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    drop(filled::store(&path, &[]));
    let health = StoreHealth {
        state: State::Degraded {
            since: tollgate::record::WallTime(1_795_307_749_000_000),
            reason: "no space is left".to_owned(),
        },
        dropped_queue_full: 7,
        ..StoreHealth::default()
    };
    let site = over(directory, &path, "", health);
    for path in ["/", "/health"] {
        assert!(
            get(&site.router, path)
                .await
                .text
                .contains("no space is left"),
            "{path}"
        );
    }
    assert_eq!(
        get(&site.router, "/readyz").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(get(&site.router, "/healthz").await.status, StatusCode::OK);
    let metrics = get(&site.router, "/metrics").await.text;
    assert!(metrics.contains("tollgate_store_up 0"), "{metrics}");
    assert!(
        metrics.contains("tollgate_records_dropped_queue_full_total 7"),
        "{metrics}"
    );
}

#[tokio::test]
async fn assets_are_known_by_their_tag() {
    let site = site(0, "");
    for path in ["/assets/style.css", "/assets/app.js", "/favicon.svg"] {
        let got = get(&site.router, path).await;
        let tag = got.header("etag").to_owned();
        assert!(got.status == StatusCode::OK && !tag.is_empty());
        let again = get_with(&site.router, path, &[("if-none-match", &tag)]).await;
        assert_eq!(
            (again.status, again.text.as_str()),
            (StatusCode::NOT_MODIFIED, "")
        );
    }
}

#[tokio::test]
async fn the_live_feed_follows_the_commits() {
    let site = site(0, "");
    let request = Request::get("/api/live")
        .header("host", "localhost")
        .body(Body::empty());
    let response = site.router.clone().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    let mut next = async || {
        let frame = tokio::time::timeout(Duration::from_mins(1), body.frame())
            .await
            .unwrap();
        frame.map(|frame| String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
    };
    assert!(
        next()
            .await
            .unwrap()
            .starts_with("event: overview\ndata: {")
    );
    let records = filled::recent(9, 3, 1_000);
    let last = records[2].id.to_string();
    for record in records {
        site.held.feed.send(Arc::new(record)).unwrap();
    }
    let text = next().await.unwrap();
    assert!(
        text.starts_with("event: exchanges\ndata: [{") && text.contains(&last),
        "{text}"
    );
    site.held.stop.drain();
    assert!(next().await.is_none());
}

#[tokio::test]
async fn how_the_routes_stand_is_shown_told_and_counted() {
    let site = site(0, "");
    let now = get(&site.router, "/api/standing").await.json();
    let model = &now["models"][0];
    assert_eq!(model["first"], "up/m");
    let [down, up] = model["routes"].as_array().unwrap().as_slice() else {
        panic!("{now}");
    };
    for (route, key, value) in [
        (down, "state", Value::from("open")),
        (down, "why", Value::from("consecutive_failures")),
        (down, "consecutive_failures", Value::from(5)),
        (down, "opened", Value::from(1)),
        (down, "left_out", Value::from("breaker_open")),
        (down, "place", Value::Null),
        (down, "expected", Value::Null),
        (up, "state", Value::from("closed")),
        (up, "until", Value::Null),
        (up, "score", Value::from(412.5)),
        (up, "propensity", Value::from(1.0)),
        (down, "keys", Value::Array(Vec::new())),
        (&up["keys"][0], "number", Value::from(1)),
        (&up["keys"][0], "state", Value::from("cooling")),
        (&up["keys"][0], "at_work_limit", Value::from(3)),
        (&up["keys"][0], "next", Value::from(false)),
        (&up["keys"][1], "next", Value::from(true)),
    ] {
        assert_eq!(route[key], value, "{key} of {route}");
    }
    // Of the real clock: some are over by now.
    for (route, of) in [(down, 30), (&up["keys"][0], 40)] {
        let left = route["seconds_left"].as_u64().unwrap();
        assert!((of - 20..=of).contains(&left), "{route}");
    }
    assert_eq!(now["spending"]["usd"], 12.34);
    assert_eq!(now["spending"]["unpriced"], 1);
    let page = get(&site.router, "/routes").await.text;
    for words in [
        "Standing now",
        "up/m is tried first: the only route that may be tried",
        "$12.34, without 1 exchange whose cost is not known",
        "<span class=\"outcome bad\" data-said=\"m down/m state\">left alone</span>",
        "consecutive failures · 5 failed in a row · since ",
        "not tried: breaker open",
        "Used without being a model's route",
        "<span class=\"outcome fair\" data-said=\"m up/m key 1 state\">cooling</span>",
        "data-said=\"m up/m key 2 detail\">key 2 · taken next · 1 at work</span>",
        "$12.34",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    let request = Request::get("/api/live?standing=1").header("host", "localhost");
    let response = site.router.clone();
    let response = response.oneshot(request.body(Body::empty()).unwrap()).await;
    let frame = response
        .unwrap()
        .into_body()
        .frame()
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
    let (_, said) = text.split_once("event: standing\ndata: ").unwrap();
    let said: Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(said["models"][0]["routes"][0]["state"], "left alone");
    // Every text that comes live has a place on the page.
    for field in said["models"][0]["routes"][0].as_object().unwrap().keys() {
        let known = ["provider", "model", "look", "first", "keys"].contains(&field.as_str());
        let place = format!("data-said=\"m down/m {field}\"");
        assert!(known || page.contains(&place), "{field}");
    }
    let metrics = get(&site.router, "/metrics").await.text;
    for line in [
        "tollgate_route_state{route=\"down/m\",state=\"open\"} 1\n",
        "tollgate_route_state{route=\"down/m\",state=\"closed\"} 0\n",
        "tollgate_route_state{route=\"up/m\",state=\"closed\"} 1\n",
        "tollgate_route_at_work{route=\"down/m\"} 0\n",
        "tollgate_route_breaker_openings_total{route=\"down/m\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn simulated_exchanges_are_called_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    let mut records = filled::recent(3, 100, 1_000_000);
    for record in &mut records {
        record.origin = Origin::Demo;
    }
    drop(filled::store(&path, &records));
    let settings = page::settings("", directory.path());
    let mut held = held(&path, settings, StoreHealth::default());
    // Beside live traffic they are left out, and where they are shown they have a label.
    let router = ui::router(held.handles.clone());
    assert_eq!(get(&router, "/api/routes").await.json()["taken"], 0);
    assert!(
        get(&router, "/exchanges")
            .await
            .text
            .contains("badge simulated")
    );
    // A demo shows nothing else.
    held.handles.origin = Origin::Demo;
    let router = ui::router(held.handles);
    assert_eq!(get(&router, "/api/routes").await.json()["taken"], 100);
    for path in PAGES {
        assert!(
            get(&router, path).await.text.contains("badge simulated"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn labels_without_end_are_counted_as_other_and_the_configs_own_as_what_they_are() {
    let site = site(
        0,
        "[providers.main]\npreset = \"openai\"\napi_key = \"k\"\n\
         [models.prod]\nroutes = [{ provider = \"main\", model = \"served-as\" }]\n",
    );
    let ui = Ui::new(site.held.handles.clone());
    let follower = ui.clone();
    let following = tokio::spawn(async move { follower.follow().await });
    tokio::task::yield_now().await;
    let sample = filled::recent(5, 1, 1_000).remove(0);
    let named = |provider: &str, model: &str, served: &str| {
        let mut record = sample.clone();
        record.model = Some(model.into());
        for attempt in &mut record.attempts {
            attempt.provider = provider.into();
            attempt.model = Some(served.into());
            attempt.model_answered = Some(served.into());
        }
        record
    };
    for n in 0..1_200 {
        let name = format!("invented-{n}");
        let record = named("router", &name, &name);
        site.held.feed.send(Arc::new(record)).unwrap();
        if n % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    // Only now does the main provider answer, and then fail: in other series than before.
    let mut failed = named("main", "prod", "served-as");
    failed.outcome = Outcome::UpstreamError;
    for record in [named("main", "prod", "served-as"), failed] {
        site.held.feed.send(Arc::new(record)).unwrap();
    }
    let origin = sample.origin.name();
    let last = format!(
        "tollgate_exchanges_total{{provider=\"main\",model=\"served-as\",origin=\"{origin}\",outcome=\"upstream_error\"}} 1"
    );
    let mut text = String::new();
    for _ in 0..3_000 {
        text = get(&ui.router(), "/metrics").await.text;
        if text.contains(&last) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    following.abort();
    for wanted in [
        format!(
            "tollgate_exchanges_total{{provider=\"main\",model=\"served-as\",origin=\"{origin}\",outcome=\"ok\"}} 1"
        ),
        last,
        format!(
            "tollgate_exchanges_total{{provider=\"router\",model=\"other\",origin=\"{origin}\",outcome=\"ok\"}} 700"
        ),
    ] {
        assert!(text.contains(&wanted), "{wanted}: {text}");
    }
    let folded = text.lines().find_map(|line| {
        line.strip_prefix("tollgate_metrics_models_folded_total ")?
            .parse::<u64>()
            .ok()
    });
    assert!(folded.is_some_and(|folded| folded >= 700), "{folded:?}");
    let of_one = |family: &str| text.lines().filter(|line| line.starts_with(family)).count();
    assert!((500..=503).contains(&of_one("tollgate_exchanges_total{")));
    assert!(text.ends_with("# EOF\n"));
}

/// Whoever begins a request and never ends it keeps no connection from others.
#[tokio::test]
async fn a_body_that_does_not_come_ends_its_connection() {
    let site = site(0, "[timeouts]\nrequest_body = \"100ms\"\n");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let ui = Ui::new(site.held.handles.clone());
    let until = site.held.handles.drain.clone();
    let serving = tokio::spawn(async move { ui.serve(listener, until).await });
    let head = "POST /api/notes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 1000\r\n\r\n{";
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let read = tokio::time::timeout(Duration::from_mins(1), read).await;
    assert!(read.is_ok(), "it is closed");
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    site.held.stop.drain();
    serving.await.unwrap();
}
