//! The street itself: one request, one way, one screen.

use std::future::Future as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};

use super::address::{self, Address};
use super::candidates;
use super::failover::{self, Job, Means, Reached};
use super::filter;
use super::headers;
use super::intake::{self, Body};
use super::lot;
use super::models::Asked;
use super::names::{EXCHANGE, RETRY_COUNT, TRACEPARENT};
use super::ours::{self, Mark};
use super::presence::{Presence, Watch};
use super::read_on;
use super::reject::{METHODS, Reject};
use super::relay::{self, Relay};
use super::settle::{Exchange, Told};
use super::shadow;
use super::shared::Shared;
use super::speech;
use super::stateful::{self, Tie};
use super::tap::ProxyBody;
use super::weigh::{self, Scales};
use crate::config::settings::Settings;
use crate::edge::server::{Drain, Peer, RequestBody};
use crate::edge::upstream::Pool;
use crate::record::{
    ExchangeId, ExchangeRecord, KeyedHash, Language, Moment, Name, Outcome, OwnDelay, RequestFacts,
    Tokens, TraceId, WallTime,
};

/// One worker's end of the street.
#[derive(Debug, Clone)]
pub struct Proxy {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
    drain: Drain,
}

impl Proxy {
    /// A worker with its own pool.
    #[must_use]
    pub fn new(shared: Arc<Shared>, pool: Arc<Pool>, drain: Drain) -> Self {
        Self {
            shared,
            pool,
            drain,
        }
    }

    /// Takes one request to its answer, also where a handler panics: that exchange gets a 500
    /// and its record, the others go on.
    pub async fn handle_caught(
        &self,
        request: Request<RequestBody>,
        peer: Arc<Peer>,
    ) -> Response<ProxyBody> {
        let limits = read_on::limits(&self.shared.settings.load());
        match limits {
            None => self.handle_here(request, peer, None).await,
            Some((time, _)) => self.handle_apart(request, peer, time).await,
        }
    }

    /// Takes a request to its answer in a task of its own: it goes on for `time` without the
    /// client, so that the usage of an answer that had not begun yet is known too.
    async fn handle_apart(
        &self,
        request: Request<RequestBody>,
        peer: Arc<Peer>,
        time: Duration,
    ) -> Response<ProxyBody> {
        let presence = Presence::default();
        let watch = Watch::new(presence.clone(), self.shared.clock.clone());
        let proxy = self.clone();
        let task = tokio::spawn(async move {
            let clock = proxy.shared.clock.clone();
            let overdue = presence.clone();
            tokio::select! {
                biased;
                response = proxy.handle_here(request, peer, Some(presence)) => Some(response),
                () = overdue.overdue(time, &clock) => None,
            }
        });
        let response = task.await.ok().flatten();
        watch.answered();
        response.unwrap_or_else(fault_of_ours)
    }

    async fn handle_here(
        &self,
        request: Request<RequestBody>,
        peer: Arc<Peer>,
        presence: Option<Presence>,
    ) -> Response<ProxyBody> {
        let mut handling = Box::pin(self.handle(request, Arc::clone(&peer), presence));
        let caught = std::future::poll_fn(|cx| {
            let polled = std::panic::catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(cx)));
            match polled {
                Ok(polled) => polled.map(Some),
                Err(_) => Poll::Ready(None),
            }
        });
        if let Some(response) = caught.await {
            return response;
        }
        peer.panicked.store(true, Ordering::Relaxed);
        drop(handling);
        peer.panicked.store(false, Ordering::Relaxed);
        fault_of_ours()
    }

    /// Takes one request to its answer. Never fails: what goes wrong is an answer too.
    async fn handle(
        &self,
        request: Request<RequestBody>,
        peer: Arc<Peer>,
        presence: Option<Presence>,
    ) -> Response<ProxyBody> {
        let settings = self.shared.settings.load_full();
        let (parts, body) = request.into_parts();
        let address = address::split(parts.uri.path(), &settings);
        let language = intake::language_of(&parts.method, &address);
        let filtered = filter::check(
            &parts,
            &settings,
            self.shared.instance.to_str().unwrap_or_default(),
        );
        // Whoever may call at all may read why a call was refused.
        let admitted = filtered.is_ok();
        let checked = filtered.and_then(|()| self.check(&parts, &settings, &peer));
        if checked.is_ok() && is_preflight(&parts) {
            // No exchange begins, but this request is over all the same.
            let _ = peer.take_request_start();
            return preflight(&parts);
        }
        let mut exchange = self.begin(&parts, &address, language, &settings, peer);
        if let Some(presence) = presence {
            exchange.watch(presence);
        }
        let id = exchange
            .draft()
            .map(|draft| draft.id)
            .unwrap_or_default()
            .text();
        let answered = match checked {
            Ok(()) => {
                let street =
                    self.street(&parts, body, &address, language, &settings, &mut exchange);
                street.await
            }
            Err(reject) => Err(Refused {
                reject,
                outcome: Outcome::Rejected,
            }),
        };
        let arm = exchange
            .draft()
            .and_then(|draft| draft.experiment.as_ref()?.label());
        let mut response = match answered {
            Ok(Answered::Relayed(reached, body)) => {
                relay::relay(*reached, *body, (exchange, &settings))
            }
            Ok(Answered::Made(response)) => {
                let told = Told::of(&response, "own_answer");
                exchange.settle_rejected(Outcome::Ok, told);
                response
            }
            Err(Refused { reject, outcome }) => {
                let mut response = reject.response(language, id.as_str());
                if let Some(draft) = exchange.draft() {
                    relay::say_tries(response.headers_mut(), draft);
                }
                exchange.settle_rejected(outcome, Told::of(&response, reject.code));
                response
            }
        };
        if let Ok(id) = HeaderValue::from_str(id.as_str()) {
            response.headers_mut().insert(&EXCHANGE, id);
        }
        if let Some(arm) = arm.and_then(|arm| HeaderValue::from_str(&arm).ok()) {
            response.headers_mut().insert("x-tollgate-experiment", arm);
        }
        if admitted {
            allow_origin(&parts, &mut response);
        }
        response
    }

    fn check(&self, parts: &Parts, settings: &Settings, peer: &Peer) -> Result<(), Reject> {
        if !is_preflight(parts) && !peer.is_ours {
            authorise(parts, settings)?;
        }
        let in_flight = self.shared.settler.in_flight();
        if in_flight >= settings.limits.in_flight as u64 {
            let message = format!("{in_flight} exchanges are at work (limits.in_flight)");
            let mut reject = Reject::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message);
            reject.retry_after = Some(1);
            return Err(reject);
        }
        Ok(())
    }

    fn begin(
        &self,
        parts: &Parts,
        address: &Address<'_>,
        language: Language,
        settings: &Arc<Settings>,
        peer: Arc<Peer>,
    ) -> Exchange {
        let (now, wall) = (self.shared.clock.now(), self.shared.clock.wall());
        let started_at = peer.take_request_start().unwrap_or(now);
        let started = WallTime(wall.0 - (now.since(started_at).0 / 1000) as i64);
        let header = |name: &HeaderName| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let mark = self.announced(parts, &peer);
        let draft = ExchangeRecord {
            id: ExchangeId::new(started, fastrand::u64(..)),
            trace: header(&TRACEPARENT).and_then(TraceId::from_traceparent),
            started,
            started_at,
            origin: mark.as_ref().map_or(self.shared.origin, |mark| mark.origin),
            config: KeyedHash(settings.hash),
            endpoint: address.endpoint(language),
            language,
            model: None,
            tags: intake::tags(&parts.headers),
            client_key: intake::client_key(&parts.headers, parts.uri.query(), &self.shared.hasher),
            session: None,
            client_retries: header(&RETRY_COUNT).and_then(|text| text.parse().ok()),
            client_protocol: peer.protocol,
            request: RequestFacts::default(),
            policy: Name::from("ordered"),
            reason: Name::default(),
            // Nearly always there is one: room for four would be kept through every stream.
            attempts: Vec::with_capacity(1),
            outcome: Outcome::ProxyFault,
            status: None,
            response_bytes: 0,
            tokens: Tokens::default(),
            cost: None,
            no_cost: None,
            prices: None,
            experiment: None,
            decision: None,
            active: mark.map(|mark| mark.active),
            cost_billed: None,
            own: OwnDelay::default(),
            cached_answer: false,
            closed_at: Moment::default(),
        };
        Exchange::begin(
            draft,
            Arc::clone(&self.shared.settler),
            Arc::clone(settings),
            peer,
            self.drain.clone(),
        )
    }

    /// What a request of our own was announced as. A client's header says nothing.
    fn announced(&self, parts: &Parts, peer: &Peer) -> Option<Mark> {
        let number = peer.is_ours.then(|| parts.headers.get(ours::HEADER))??;
        self.shared
            .announced
            .take(number.to_str().ok()?.parse().ok()?)
    }

    async fn street(
        &self,
        parts: &Parts,
        body: RequestBody,
        address: &Address<'_>,
        language: Language,
        settings: &Settings,
        exchange: &mut Exchange,
    ) -> Result<Answered, Refused> {
        let clock = &self.shared.clock;
        let (body, complete) = intake::read(
            &parts.headers,
            body,
            (address.path, language),
            settings,
            exchange.peer(),
            clock,
        )
        .await?;
        let complete = exchange.peer().begins_at(complete);
        let (facts, session) = intake::facts(&parts.headers, &body, &self.shared.hasher);
        let model = intake::model(address.path, &body)?;
        let (stream, choices) = (facts.stream, facts.choices);
        let max_tokens = facts.max_tokens;
        let prompt_tokens = facts.prompt_tokens_estimated.unwrap_or(0);
        let reasons = facts.reasons();
        if let Some(draft) = exchange.draft() {
            // A request that came in one read with the one before it began no later than it was
            // complete.
            draft.started_at = draft.started_at.min(complete);
            draft.request = facts;
            draft.session = session;
            draft.model.clone_from(&model);
        }
        if language == Language::Models
            && address.provider.is_none()
            && settings.providers.len() > 1
        {
            let asked = Asked {
                path: address.path,
                marks: &headers::marks(&parts.headers),
                instance: &self.shared.instance,
                googles: ["x-goog-api-key", "x-goog-api-client"]
                    .iter()
                    .any(|name| parts.headers.contains_key(*name)),
                keyring: &self.shared.keyring,
            };
            let lists = &self.shared.models;
            let answering = lists.answer(asked, settings, &self.pool, clock);
            let made = Box::pin(answering).await?;
            return Ok(Answered::Made(made));
        }
        let mut found = candidates::find(settings, address, model.as_ref(), &parts.headers)?;
        if let Body::Read(bytes, reading) = &body {
            let request = speech::Request {
                language,
                path: address.path,
                body: &speech::body_of(bytes, reading),
                stream,
                depth_max: settings.limits.json_depth,
                catalogue: &settings.catalogue,
            };
            found.say(request, &parts.headers, settings)?;
        }
        let accounts = &self.shared.settler.accounts;
        let tie = stateful::tie(&body, (address.path, language), accounts);
        stateful::keep(&mut found, &tie, &self.shared.hasher);
        let prefix = weigh::asks_for_prefix(&found, settings)
            .then(|| intake::common_prefix(&body, &self.shared.hasher))
            .flatten();
        exchange.begins_with(prefix);
        let scales = Scales {
            settings,
            standing: &self.shared.settler.standing,
            quotes: &self.shared.quotes,
            hasher: &self.shared.hasher,
            in_order: tie == Tie::Stores,
            now: (clock.now(), clock.wall()),
            prefix,
        };
        let Some(draft) = exchange.draft() else {
            return Err(Reject::no_credential().into());
        };
        let (mut plan, decision) = weigh::weigh(scales, &found, draft, &parts.headers)?;
        draft.decision = decision;
        if let Some(draft) = exchange.draft() {
            if body.is_bound() {
                // What it refers to is one account's: another could only say that it has it not.
                plan.steps.truncate(1);
            } else if draft.active.is_none() {
                // What is our own has a lot of its own.
                lot::draw(draft, settings, &parts.headers, &found, &mut plan);
            }
        }
        let total = settings.timeouts.total;
        let job = Job {
            method: parts.method.clone(),
            path: address.path,
            query: parts.uri.query(),
            headers: &parts.headers,
            language,
            stream,
            model: model.unwrap_or_default(),
            max_tokens,
            prompt_tokens,
            reasons,
            choices,
            fresh: exchange.peer().is_ours && parts.headers.contains_key(ours::FRESH),
            complete,
            total: total.map(|span| complete.plus(crate::record::Nanos(span.as_nanos() as u64))),
        };
        if let Some(draft) = exchange.draft() {
            draft.policy = plan.policy.into();
            draft.reason = plan.reason.into();
        }
        let ways = &found.ways;
        let hedge = found
            .routes
            .as_ref()
            .and_then(|routes| routes.hedge.as_ref());
        let (shared, pool) = (&*self.shared, &self.pool);
        let means = Means {
            shared,
            pool,
            settings,
        };
        if let Some(copy) = shadow::asked(&found, &job, &body, exchange.draft(), means) {
            let (shared, pool) = (Arc::clone(&self.shared), Arc::clone(&self.pool));
            tokio::spawn(copy.send(shared, pool, exchange.beside()));
        }
        let steps = (&ways[..], &plan.steps[..]);
        let reached = failover::first_answer(&job, body, steps, hedge, exchange, means).await?;
        let way = &ways[reached.way];
        let reason = [plan.policy, "; ", plan.reason].concat();
        let relay = Relay::of(&reached, way, &job, reason, means);
        Ok(Answered::Relayed(Box::new(reached), Box::new(relay)))
    }
}

/// The answer to a request whose handler panicked.
fn fault_of_ours() -> Response<ProxyBody> {
    let message = "a fault of tollgate's own; please report it with the log of this moment";
    Reject::new(StatusCode::INTERNAL_SERVER_ERROR, "proxy_fault", message)
        .response(Language::Plain, "")
}

/// An answer of this street.
enum Answered {
    /// A provider's.
    Relayed(Box<Reached>, Box<Relay>),
    /// Put together here.
    Made(Response<ProxyBody>),
}

struct Refused {
    reject: Reject,
    outcome: Outcome,
}

impl From<Reject> for Refused {
    fn from(reject: Reject) -> Self {
        // A client that does not send its body to the end is gone, or as good as gone.
        let gone = reject.status == StatusCode::REQUEST_TIMEOUT
            || reject.code == intake::REQUEST_INCOMPLETE;
        let outcome = if gone {
            Outcome::ClientGone
        } else {
            Outcome::Rejected
        };
        Self { reject, outcome }
    }
}

impl From<failover::Unreached> for Refused {
    fn from(unreached: failover::Unreached) -> Self {
        Self {
            reject: unreached.reject,
            outcome: unreached.outcome,
        }
    }
}

/// Where the config asks for a token, it comes as a header of its own, or as the API key.
fn authorise(parts: &Parts, settings: &Settings) -> Result<(), Reject> {
    if settings.server.token.is_none() {
        return Ok(());
    }
    let sent = [
        "x-tollgate-token",
        "authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
    ]
    .iter()
    .flat_map(|name| parts.headers.get_all(*name))
    .any(|value| candidates::is_token(value, settings));
    if sent {
        return Ok(());
    }
    Err(Reject::new(
        StatusCode::UNAUTHORIZED,
        "invalid_api_key",
        "this tollgate asks for its token: send it as the API key or in `x-tollgate-token`",
    ))
}

fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(header::ORIGIN)
        && parts
            .headers
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// A browser asks before it sends; the filter has let its origin pass, as for every answer that
/// [`allow_origin`] marks.
fn preflight(parts: &Parts) -> Response<ProxyBody> {
    let mut response = Response::new(ProxyBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    allow_origin(parts, &mut response);
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static(METHODS),
    );
    if let Some(asked) = parts.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("600"),
    );
    response
}

fn allow_origin(parts: &Parts, response: &mut Response<ProxyBody>) {
    let Some(origin) = parts.headers.get(header::ORIGIN) else {
        return;
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("*"),
    );
}
