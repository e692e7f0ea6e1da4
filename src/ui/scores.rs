//! Takes what evaluations found of routes beside a running server, and lists what is known.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use axum::extract::rejection::JsonRejection;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Shared;
use super::fault::Fault;
use super::writer::by_writer;
use crate::edge::store::StoreReader;
use crate::record::{ItemMeans, Name, RouteScore, WallTime};

/// Bytes of a request's body: scores of a few dozen routes, with those of each item.
pub(super) const BYTES_MAX: usize = 8 << 20;
/// Bytes of a name at most.
const NAME_MAX: usize = 300;

/// Scores as they are sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    scores: Vec<SentScore>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SentScore {
    run: String,
    /// Microseconds since 1970.
    at: i64,
    model: String,
    provider: String,
    there: String,
    scorer: String,
    score: f64,
    low: f64,
    high: f64,
    items: u32,
    /// By which the data set is recognised.
    set: Option<String>,
    /// What each item was worth.
    #[serde(default)]
    each: Vec<(u32, f64)>,
}

impl SentScore {
    fn read(self) -> Result<RouteScore, Fault> {
        let names = [self.run, self.model, self.provider, self.there, self.scorer];
        let sound = |name: &String| {
            (1..=NAME_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
        };
        let ordered = 0.0 <= self.low
            && self.low <= self.score
            && self.score <= self.high
            && self.high <= 1.0;
        let rising = self.each.windows(2).all(|two| two[0].0 < two[1].0)
            && self.each.iter().all(|(_, mean)| (0.0..=1.0).contains(mean));
        if !names.iter().chain(&self.set).all(sound) || !ordered || !rising {
            let message = "a score has names of one line, 0 ≤ low ≤ score ≤ high ≤ 1, and items in rising order, each worth 0 to 1";
            return Err(Fault::bad("score", message));
        }
        let [run, model, provider, there, scorer] = names.map(Name::from);
        Ok(RouteScore {
            run,
            at: WallTime(self.at),
            model,
            provider,
            there,
            scorer,
            value: self.score,
            low: self.low,
            high: self.high,
            items: self.items,
            each: self.set.map(|set| ItemMeans {
                set: Name::from(set),
                means: self.each,
            }),
        })
    }
}

/// `GET /api/scores`.
pub(super) async fn list(Extract(state): Shared) -> Result<Json<Value>, Fault> {
    let scores = state.read(StoreReader::scores).await?;
    Ok(Json(json!({
        "schema": "tollgate.scores/1",
        "scores": scores.iter().map(value).collect::<Vec<_>>(),
    })))
}

/// A score as it is sent, with what each item was worth.
#[must_use]
pub fn sent(score: &RouteScore) -> Value {
    let mut value = value(score);
    if let Some(each) = &score.each {
        value["set"] = each.set.as_str().into();
        value["each"] = json!(each.means);
    }
    value
}

/// A score as it is listed.
fn value(score: &RouteScore) -> Value {
    json!({
        "run": score.run.as_str(),
        "at": score.at.0,
        "model": score.model.as_str(),
        "provider": score.provider.as_str(),
        "there": score.there.as_str(),
        "scorer": score.scorer.as_str(),
        "score": score.value,
        "low": score.low,
        "high": score.high,
        "items": score.items,
    })
}

/// `POST /api/scores`: kept in the store, and known to routing from now on.
pub(super) async fn add(
    Extract(state): Shared,
    sent: Result<Json<Sent>, JsonRejection>,
) -> Result<StatusCode, Fault> {
    let Json(sent) = sent.map_err(|error| Fault::bad("score", error.body_text()))?;
    let scores = sent.scores.into_iter().map(SentScore::read);
    let scores: Vec<RouteScore> = scores.collect::<Result<_, _>>()?;
    let take = Arc::clone(&state.handles.scores);
    by_writer(move || take(scores)).await?;
    Ok(StatusCode::NO_CONTENT)
}
