//! Begins and stops runs for programs and for the page's forms, and tells how they go on.

use std::fs::File;
use std::io::Read as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State as Extract};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use http_body::Frame;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::api::{Asking, Shared, query};
use super::desk::{Announced, Refused, RunDesk, RunShown};
use super::downloads;
use super::fault::Fault;
use super::state::State;
use crate::active::asked::{AskedRun, KINDS};
use crate::analysis::render;
use crate::record::WallTime;

/// Bytes of what may be asked for.
pub(super) const BYTES_MAX: usize = 16 << 10;

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Off(why) => Self::new(StatusCode::FORBIDDEN, "runs_off", why),
            Refused::Busy(run) => Self::new(
                StatusCode::CONFLICT,
                "run_going_on",
                format!("run {run} goes on, and there is one at a time: wait for it, or stop it"),
            ),
            Refused::Exists(run) => Self::new(
                StatusCode::CONFLICT,
                "run_exists",
                format!(
                    "there is a run {run} already, and no stopped one that asks the same by the \
                     same seed, which would go on: give this one another name (`run`)"
                ),
            ),
            Refused::Wrong(why) => Self::bad("run", why),
            Refused::Missing(what) => Self::not_found(what),
            Refused::Failed(why) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "run_failed", why),
        }
    }
}

/// Asks the desk, away from the runtime's own thread.
pub(super) async fn desk<T: Send + 'static>(
    state: &Arc<State>,
    ask: impl FnOnce(&dyn RunDesk) -> Result<T, Refused> + Send + 'static,
) -> Result<T, Fault> {
    let runs = Arc::clone(&state.handles.runs);
    let asked = tokio::task::spawn_blocking(move || ask(&*runs)).await;
    let asked = asked.unwrap_or_else(|_| Err(Refused::Failed("it broke off".to_owned())));
    Ok(asked?)
}

/// `GET /api/runs`.
pub(super) async fn list(Extract(state): Shared) -> Result<Json<Value>, Fault> {
    let off = state.handles.runs.refusal();
    let (all, sets) = desk(&state, |runs| Ok((runs.list()?, runs.sets()))).await?;
    let all: Vec<Value> = all.iter().map(shown).collect();
    Ok(Json(json!({
        "schema": "tollgate.runs/1",
        "begins": off.is_none(),
        "why_not": off,
        "kinds": KINDS,
        "sets": sets,
        "runs": all,
    })))
}

/// `POST /api/runs`: begins one, or with `dry_run` says only what it would ask and cost.
pub(super) async fn start(
    Extract(state): Shared,
    sent: Result<Json<Value>, JsonRejection>,
) -> Result<Response, Fault> {
    let Json(sent) = sent.map_err(|error| Fault::bad("run", error.body_text()))?;
    let asked = AskedRun::read(sent).map_err(|why| Fault::bad("run", why))?;
    begun(&state, asked).await
}

/// Begins a run, or says only what it would ask.
async fn begun(state: &Arc<State>, asked: AskedRun) -> Result<Response, Fault> {
    if asked.dry_run {
        let announced = desk(state, move |runs| runs.announce(&asked)).await?;
        return Ok(Json(told(&announced)).into_response());
    }
    let announced = desk(state, move |runs| runs.start(&asked)).await?;
    let mut response = (StatusCode::ACCEPTED, Json(told(&announced))).into_response();
    if let Ok(place) = HeaderValue::from_str(&format!("/api/runs/{}", announced.run)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// `GET /api/runs/{run}`.
pub(super) async fn one(
    Extract(state): Shared,
    Path(run): Path<String>,
) -> Result<Json<Value>, Fault> {
    let found = desk(&state, move |runs| runs.shown(&run)).await?;
    let mut value = shown(&found);
    value["schema"] = "tollgate.run/1".into();
    Ok(Json(value))
}

/// How a stopped run goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Again {
    /// US dollars that all of it may cost; as many as before otherwise.
    max_cost: Option<f64>,
    /// Only what it would ask and cost is wanted.
    dry_run: bool,
}

/// `POST /api/runs/{run}/go-on`: as if it were asked for in the same words.
pub(super) async fn go_on(
    Extract(state): Shared,
    Path(run): Path<String>,
    sent: Bytes,
) -> Result<Response, Fault> {
    let again = if sent.is_empty() {
        Again::default()
    } else {
        serde_json::from_slice(&sent).map_err(|error| Fault::bad("run", error.to_string()))?
    };
    let Again { max_cost, dry_run } = again;
    let mut asked = desk(&state, move |runs| runs.again(&run, max_cost)).await?;
    asked.dry_run = dry_run;
    begun(&state, asked).await
}

/// `POST /api/runs/{run}/stop`.
pub(super) async fn stop(
    Extract(state): Shared,
    Path(run): Path<String>,
) -> Result<StatusCode, Fault> {
    desk(&state, move |runs| runs.stop(&run)).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Which run another is compared with, and how that is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct With {
    pub(super) with: String,
    format: Option<String>,
}

/// `GET /api/runs/{run}/compared?with=`.
pub(super) async fn compared(
    Extract(state): Shared,
    Path(run): Path<String>,
    asking: Asking<With>,
) -> Result<Response, Fault> {
    let With { with, format } = query(asking)?;
    let offered = downloads::find(format.as_deref())?;
    let paper = desk(&state, move |runs| runs.compare([&with, &run])).await?;
    let text = render::paper::write(&paper, offered.format);
    Ok(offered.file(paper.name, text))
}

/// `GET /api/runs/{run}/files/{file}`.
pub(super) async fn file(
    Extract(state): Shared,
    Path((run, file)): Path<(String, String)>,
) -> Result<Response, Fault> {
    let name = format!("attachment; filename=\"{run}-{file}\"");
    let media = match file.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("jsonl") => "application/jsonl",
        Some("csv") => "text/csv; charset=utf-8",
        Some("md") => "text/markdown; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    };
    let (opened, length) = desk(&state, move |runs| runs.file(&run, &file)).await?;
    let mut response = Response::new(Body::new(Chunks::of(opened, length)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

fn date(at: Option<WallTime>) -> Value {
    at.map_or(Value::Null, |at| at.rfc3339().into())
}

/// A run as JSON.
fn shown(of: &RunShown) -> Value {
    let files = of.files.iter();
    let files = files.map(|(name, bytes)| {
        json!({
            "name": name,
            "bytes": bytes,
            "url": format!("/api/runs/{}/files/{name}", of.run),
        })
    });
    json!({
        "run": of.run,
        "kind": of.kind,
        "state": of.state,
        "going": of.is_going(),
        "began": date(of.began),
        "ended": date(of.ended),
        "seed": of.seed,
        "done": of.done,
        "of": of.of,
        "says": of.says,
        "notes": of.notes,
        "can_go_on": of.can_go_on(),
        "files": files.collect::<Vec<_>>(),
    })
}

/// What a run would ask and cost, as JSON.
fn told(of: &Announced) -> Value {
    json!({
        "schema": "tollgate.run.announced/1",
        "run": of.run,
        "kind": of.kind,
        "seed": of.seed,
        "routes": of.routes,
        "says": of.says,
        "requests": of.requests,
        "cost_usd": of.cost,
        "may_be_more": of.open,
        "unpriced": of.unpriced,
        "max_cost": of.cost_max,
        "max_requests": of.requests_max,
    })
}

/// Fields of forms that are lists of names.
const LISTS: [&str; 5] = ["models", "providers", "regions", "scorer", "group_by"];
/// Fields of forms that are texts, whatever stands in them.
#[rustfmt::skip]
const TEXTS: [&str; 17] = [
    "kind", "run", "location", "reference", "set", "scorers", "prompt", "system", "tools",
    "think", "ramp", "duration", "cool", "sla", "first_token_sla", "timeout", "cold_calls",
];

/// What a form asks for, as the JSON that a program would send.
pub(super) fn of_form(body: &[u8]) -> Value {
    let mut fields = Map::new();
    for (name, text) in form_urlencoded::parse(body) {
        let text = text.trim();
        if !text.is_empty() && name != "confirmed" {
            let name = if name == "cold_calls" { "cold" } else { &name };
            fields.insert(name.to_owned(), field(name, text));
        }
    }
    Value::Object(fields)
}

fn field(name: &str, text: &str) -> Value {
    let parts = || {
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
    };
    if LISTS.contains(&name) {
        return parts().collect();
    }
    if name == "sweep_tokens" {
        return parts().map(number).collect();
    }
    if TEXTS.contains(&name) {
        return text.into();
    }
    match text {
        "on" => true.into(),
        _ => number(text),
    }
}

/// A number where it is one; what it is not the reader tells.
fn number(text: &str) -> Value {
    let whole = text.parse::<u64>().ok().map(Value::from);
    let broken = || text.parse::<f64>().ok().map(Value::from);
    whole.or_else(broken).unwrap_or_else(|| text.into())
}

/// Bytes of a piece of a file.
const PIECE: usize = 64 << 10;
/// Pieces that are read ahead.
const AHEAD: usize = 2;

/// A file as a body, a piece at a time: one of results may be larger than the memory.
struct Chunks(mpsc::Receiver<std::io::Result<Bytes>>);

impl Chunks {
    /// The first `length` bytes: a file that grows would have no end.
    fn of(file: File, length: u64) -> Self {
        let (sender, receiver) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || {
            let mut left = file.take(length);
            loop {
                let mut piece = Vec::with_capacity(PIECE);
                let read = left.by_ref().take(PIECE as u64).read_to_end(&mut piece);
                if matches!(read, Ok(0)) {
                    return;
                }
                let broken = read.is_err();
                let piece = read.map(|_| Bytes::from(piece));
                // Nobody reads on where the receiver is gone.
                if sender.blocking_send(piece).is_err() || broken {
                    return;
                }
            }
        });
        Self(receiver)
    }
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0
            .poll_recv(context)
            .map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_what_a_program_would() {
        let form = b"kind=bench&models=a%2C+b&iterations=5&sweep_tokens=16,32&json_mode=on&run=12\
            &providers=&temperature=0.5&reference=&cold_calls=both&confirmed=yes";
        assert_eq!(
            of_form(form),
            json!({
                "kind": "bench", "models": ["a", "b"], "iterations": 5, "sweep_tokens": [16, 32],
                "json_mode": true, "run": "12", "temperature": 0.5, "cold": "both",
            })
        );
    }
}
