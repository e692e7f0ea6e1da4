//! Says which path is answered by what, and serves it on a listener of its own.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Router, middleware};
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::service::service_fn;
use tokio::net::TcpListener;
use tokio::time::Sleep;
use tower::ServiceExt as _;

use crate::config::settings::Settings;
use crate::edge::server::connection::AtWork;
use crate::edge::server::{
    self, AcceptLimits, ConnectionLimits, Counters, Drain, Peer, RequestBody,
};

use super::handles::Handles;
use super::page::{
    exchange, exchanges, health, login, overview, report, routes, runs as run_pages, settings,
};
use super::state::State;
use super::{api, assets, baselines, guard, live, notes, records, runs, scores, standing};

/// Largest body taken: a form with a token.
const BODY_BYTES_MAX: usize = 4 << 10;
/// Open connections of the admin plane.
const CONNECTIONS_MAX: usize = 256;

/// The page and its API.
#[derive(Debug, Clone)]
pub struct Ui(Arc<State>);

impl Ui {
    /// A page that looks at `handles`.
    #[must_use]
    pub fn new(handles: Handles) -> Self {
        Self(Arc::new(State::new(handles)))
    }

    /// Its paths.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(overview::page))
            .route("/routes", get(routes::page))
            .route("/experiments", get(report::experiments))
            .route("/reports", get(report::index))
            .route("/reports/{name}", get(report::page))
            .route("/api/reports/{name}", get(report::download))
            .route("/exchanges", get(exchanges::page))
            .route("/exchanges/{id}", get(exchange::page))
            .route("/settings", get(settings::page))
            .route("/health", get(health::page))
            .route("/login", get(login::page).post(login::sign_in))
            .route("/logout", post(login::sign_out))
            .route("/assets/style.css", get(assets::style))
            .route("/assets/app.js", get(assets::script))
            .route("/favicon.svg", get(assets::icon))
            .route("/api/overview", get(api::overview))
            .route("/api/live", get(live::live))
            .route("/api/routes", get(api::routes))
            .route("/api/standing", get(standing::standing))
            .route("/api/throughput", get(api::throughput))
            .route("/llms.txt", get(api::for_agents))
            .route("/.well-known/ai-plugin.json", get(api::manifest))
            .route("/api/exchanges", get(api::exchanges))
            .route("/api/exchanges/{id}", get(api::exchange))
            .route("/api/charts/{chart}", get(api::chart))
            .route(
                "/api/notes",
                get(notes::list).post(notes::add).delete(notes::remove),
            )
            .route(
                "/api/scores",
                get(scores::list)
                    .post(scores::add)
                    .layer(DefaultBodyLimit::max(scores::BYTES_MAX)),
            )
            .route(
                "/api/records",
                post(records::add).layer(DefaultBodyLimit::max(records::BYTES_MAX)),
            )
            .route(
                "/api/baselines",
                get(baselines::list)
                    .post(baselines::add)
                    .delete(baselines::remove)
                    .layer(DefaultBodyLimit::max(baselines::BYTES_MAX)),
            )
            .route(
                "/runs",
                get(run_pages::index)
                    .post(run_pages::begin)
                    .layer(DefaultBodyLimit::max(runs::BYTES_MAX)),
            )
            .route("/runs/{run}", get(run_pages::one))
            .route("/runs/{run}/stop", post(run_pages::stop))
            .route("/runs/{run}/go-on", post(run_pages::go_on))
            .route("/runs/{run}/compared", get(run_pages::compared))
            .route(
                "/api/runs",
                get(runs::list)
                    .post(runs::start)
                    .layer(DefaultBodyLimit::max(runs::BYTES_MAX)),
            )
            .route("/api/runs/{run}", get(runs::one))
            .route("/api/runs/{run}/stop", post(runs::stop))
            .route("/api/runs/{run}/go-on", post(runs::go_on))
            .route("/api/runs/{run}/compared", get(runs::compared))
            .route("/api/runs/{run}/files/{file}", get(runs::file))
            .route("/notes", post(notes::add_by_form))
            .route("/notes/{id}/remove", post(notes::remove_by_form))
            .route("/api/health", get(api::health))
            .route("/api/openapi.json", get(api::description))
            .route("/api/{*rest}", get(api::unknown))
            .route("/metrics", get(api::metrics))
            .route("/healthz", get(api::healthz))
            .route("/readyz", get(api::readyz))
            .fallback(super::page::nowhere)
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .layer(middleware::from_fn_with_state(
                Arc::clone(&self.0),
                guard::guard,
            ))
            .with_state(Arc::clone(&self.0))
    }

    /// Takes the live feed into metrics and the overview: never ends.
    pub async fn follow(&self) {
        self.0.follow().await;
    }

    /// Serves `listener` until `stop`, which is to come later than the data plane's: whoever looks
    /// while that drains is told so. Follows the feed meanwhile.
    pub async fn serve(&self, listener: TcpListener, stop: Drain) {
        let router = self.router();
        let handles = &self.0.handles;
        let asked = Arc::clone(&handles.settings);
        let service = move |peer: Arc<Peer>| {
            let (router, settings) = (router.clone(), Arc::clone(&asked));
            service_fn(move |request| {
                let patience = settings().timeouts.request_body;
                answer(router.clone(), request, Arc::clone(&peer), patience)
            })
        };
        let settings = Arc::clone(&handles.settings);
        let limits = move || limits(&settings());
        let clock = handles.clock.clone();
        let counters = Arc::new(Counters::default());
        tokio::select! {
            () = server::serve(listener, None, limits, service, counters, clock, stop) => {}
            () = self.follow() => {}
        }
    }
}

/// The paths of a page that looks at `handles`, without its feed being followed: for tests.
pub fn router(handles: Handles) -> Router {
    Ui::new(handles).router()
}

async fn answer(
    router: Router,
    request: Request<RequestBody>,
    peer: Arc<Peer>,
    patience: Duration,
) -> Result<Response<Working>, Infallible> {
    let at_work = peer.begin();
    let request = request.map(|body| {
        Body::new(Timely {
            body,
            over: Box::pin(tokio::time::sleep(patience)),
        })
    });
    let response = router.oneshot(request).await?;
    Ok(response.map(|body| Working {
        body,
        _at_work: at_work,
    }))
}

/// A request's body that must have come by then: else whoever sends it in drips keeps a connection
/// from all others.
struct Timely {
    body: RequestBody,
    over: Pin<Box<Sleep>>,
}

impl http_body::Body for Timely {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let late = "the request body did not come within timeouts.request_body";
        self.over
            .as_mut()
            .poll(context)
            .map(|()| Some(Err(late.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body whose connection is not idle while it lasts.
struct Working {
    body: Body,
    _at_work: AtWork,
}

impl http_body::Body for Working {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn limits(settings: &Settings) -> AcceptLimits {
    AcceptLimits {
        connections: CONNECTIONS_MAX,
        full: "tollgate's page and API have 256 open connections, which is all that they take; close \
               idle ones",
        connection: ConnectionLimits {
            request_headers: settings.timeouts.request_headers,
            idle: settings.timeouts.client_idle,
            write: settings.timeouts.client_write,
            header_bytes: settings.limits.header_bytes,
            headers: settings.limits.headers,
        },
    }
}
