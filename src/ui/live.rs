//! The live feed as server-sent events: what was committed, and how things stand.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, State as Extract};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body::Frame;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::record::ExchangeRecord;

use super::fault::Fault;
use super::standing::Said;
use super::state::{State, Watch};
use super::view::{Item, Overview};

/// Live views at once.
const WATCHERS_MAX: usize = 32;
/// Exchanges told at once: of more, the newest.
const ITEMS_MAX: usize = 40;
/// How long the first exchange waits for others.
const GATHERING: Duration = Duration::from_millis(250);
/// How often the overview is told when nothing else happens.
const BEAT: Duration = Duration::from_secs(2);

/// What else is told.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    /// Present where the routes' standing is wanted, as the page says it.
    standing: Option<String>,
}

/// `GET /api/live`.
pub(super) async fn live(
    Extract(state): Extract<Arc<State>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let Some(watch) = state.watch(WATCHERS_MAX) else {
        let message = format!("{WATCHERS_MAX} live views are open: close one of them");
        let fault = Fault::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_watchers",
            message,
        );
        return fault.into_response();
    };
    let source = Source {
        feed: (state.handles.feed)(),
        state,
        _watch: watch,
        standing: wanted.standing.is_some(),
        first: true,
    };
    let events = Events(Some(Box::pin(source.next())));
    let mut response = Body::new(events).into_response();
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Source)>> + Send>>;

/// The body: one event after the other.
struct Events(Option<Next>);

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(next) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let Poll::Ready(event) = next.as_mut().poll(context) else {
            return Poll::Pending;
        };
        self.0 = None;
        Poll::Ready(event.map(|(bytes, source)| {
            self.0 = Some(Box::pin(source.next()));
            Ok(Frame::data(bytes))
        }))
    }
}

/// Where events come from.
struct Source {
    state: Arc<State>,
    feed: Receiver<Arc<ExchangeRecord>>,
    _watch: Watch,
    standing: bool,
    first: bool,
}

impl Source {
    /// The next event; none once the program stops.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        let mut text = String::new();
        if self.first {
            self.first = false;
        } else {
            let drain = self.state.handles.drain.clone();
            tokio::select! {
                biased;
                () = drain.stopping() => return None,
                items = gather(&mut self.feed) => text.push_str(&event("exchanges", &items?)),
                () = tokio::time::sleep(BEAT) => {}
            }
        }
        text.push_str(&event("overview", &Overview::of(&self.state)));
        if self.standing {
            let now = (self.state.handles.standing)();
            text.push_str(&event("standing", &Said::of(&now)));
        }
        Some((Bytes::from(text), self))
    }
}

/// The exchanges that come within a short while of the first, oldest first; none once the feed
/// has ended.
async fn gather(feed: &mut Receiver<Arc<ExchangeRecord>>) -> Option<Vec<Item>> {
    let first = loop {
        match feed.recv().await {
            Ok(record) => break record,
            // The store has what was missed here.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    };
    let mut records = vec![first];
    tokio::time::sleep(GATHERING).await;
    loop {
        match feed.try_recv() {
            Ok(record) => records.push(record),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    let from = records.len().saturating_sub(ITEMS_MAX);
    Some(
        records[from..]
            .iter()
            .map(|record| Item::of_record(record))
            .collect(),
    )
}

fn event(name: &str, data: &impl Serialize) -> String {
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n")
}
