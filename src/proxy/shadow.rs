//! Sends a copy of some requests to another route, for comparison: its answer goes nowhere.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;

use super::booking::{Booking, Purse};
use super::candidates::{Way, Ways, configured};
use super::failover::{self, Job, Means};
use super::intake::Body;
use super::relay::{self, Relay};
use super::settle::{Exchange, Told};
use super::shared::Shared;
use super::speech::{Request, body_of};
use crate::config::settings::{Settings, ShadowSettings};
use crate::edge::upstream::Pool;
use crate::record::{Decision, ExchangeId, ExchangeRecord, Language, Moment, Name, Origin};
use crate::routing::budget::HedgeTerms;
use crate::routing::learned::of_choices;
use crate::wire::dialect::request::RequestReading;

/// A request to be sent to another route too.
#[derive(Debug)]
pub(super) struct Shadow {
    booking: Booking,
    way: Way,
    method: Method,
    path: String,
    headers: HeaderMap,
    language: Language,
    stream: bool,
    choices: Option<u32>,
    model: Name,
    prompt_tokens: u64,
    reasons: bool,
    complete: Moment,
    body: Bytes,
    reading: Box<RequestReading>,
}

/// The copy of a request that its model's shadow gets; absent where it gets none: for most of
/// them, for those with tools (a provider may run them, and twice is once too often), for
/// background calls and others of one account, where its route is not to be tried now, and where the day's money is spent or the price is not known.
pub(super) fn asked(
    found: &Ways,
    job: &Job<'_>,
    body: &Body,
    draft: Option<&mut ExchangeRecord>,
    means: Means<'_>,
) -> Option<Shadow> {
    let shadow = found.routes.as_ref()?.shadow.as_ref()?;
    let Body::Read(bytes, reading) = body else {
        return None;
    };
    let draft = draft?;
    let request = &draft.request;
    if draft.active.is_some() {
        return None;
    }
    if !job.language.generates() || reading.bound_to_account || request.tools.unwrap_or(0) > 0 {
        return None;
    }
    let model = shadow.model.as_ref().unwrap_or(&job.model);
    let mut way = configured(means.settings, &shadow.provider, model)?;
    way.say(Request {
        language: job.language,
        path: job.path,
        body: &body_of(bytes, reading),
        stream: job.stream,
        depth_max: means.settings.limits.json_depth,
        catalogue: &means.settings.catalogue,
    });
    if way.speech.unsayable().is_some() {
        return None;
    }
    if !is_open(&way, means) {
        return None;
    }
    let routes = found.routes.as_ref()?;
    let allowed = &routes.constraints.regions;
    let elsewhere = !allowed.is_empty() && way.region().is_none_or(|of| !allowed.contains(of));
    if elsewhere || !routes.constraints.residency.is_empty() {
        return None;
    }
    Some(Shadow {
        booking: booked(shadow, &way, job, means)?,
        way,
        method: job.method.clone(),
        path: job.path.to_owned(),
        headers: job.headers.clone(),
        language: job.language,
        stream: job.stream,
        choices: job.choices,
        model: job.model.clone(),
        prompt_tokens: job.prompt_tokens,
        reasons: job.reasons,
        complete: job.complete,
        body: bytes.clone(),
        reading: reading.clone(),
    })
}

/// Whether its route may be tried: who asked to be left alone is, and no copy is a trial.
fn is_open(way: &Way, means: Means<'_>) -> bool {
    let shared = means.shared;
    let credential = way.credential.hash(&shared.hasher);
    let now = shared.clock.now();
    let standing = &shared.settler.standing;
    standing.with(|board| board.health.view(&way.key(), credential, now).is_open())
}

/// What is booked for a copy; nothing where this request is none of the share, or the day has no
/// money for it.
fn booked(shadow: &ShadowSettings, way: &Way, job: &Job<'_>, means: Means<'_>) -> Option<Booking> {
    let shared = means.shared;
    let (now, wall) = (shared.clock.now(), shared.clock.wall());
    let standing = &shared.settler.standing;
    let tokens = standing.with(|board| {
        let lengths = &board.learned.lengths;
        // Another model writes other answers: as long as they were there, once there were some.
        let there = lengths.expected_if_seen(&way.route().into(), job.max_tokens);
        let each = there.unwrap_or_else(|| lengths.expected(&job.model, None, job.max_tokens));
        each * of_choices(job.choices)
    });
    let sizes = (job.prompt_tokens, tokens);
    let cost = shared.quotes.expected(way, sizes, wall, means.settings);
    let terms = HedgeTerms {
        share: shadow.share.as_fraction(),
        cost_max: shadow.cost_per_day,
        price_ratio: f64::INFINITY,
    };
    let booked = standing.with(|board| {
        let budget = board.shadows.entry(job.model.clone()).or_default();
        budget.request(&terms);
        budget.take(&terms, cost, cost, now)
    })?;
    Some(Booking {
        purse: Purse::Shadows,
        model: job.model.clone(),
        booked,
    })
}

impl Shadow {
    /// Sends the copy and reads its answer to the end. `exchange` is a new one, beside that of the
    /// request itself.
    pub(super) async fn send(
        self,
        shared: Arc<Shared>,
        pool: Arc<Pool>,
        exchange: Option<Exchange>,
    ) {
        let Some(mut exchange) = exchange else { return };
        exchange.book(self.booking);
        let settings: Arc<Settings> = Arc::clone(exchange.settings());
        if let Some(draft) = exchange.draft() {
            draft.id = ExchangeId::new(draft.started, fastrand::u64(..));
            draft.origin = Origin::Shadow;
            draft.policy = Name::from("shadow");
            draft.reason = Name::from("shadow");
            draft.decision = None::<Decision>;
            draft.experiment = None;
        }
        let job = Job {
            method: self.method,
            path: &self.path,
            query: None,
            headers: &self.headers,
            language: self.language,
            stream: self.stream,
            choices: self.choices,
            model: self.model,
            max_tokens: None,
            prompt_tokens: self.prompt_tokens,
            reasons: self.reasons,
            fresh: false,
            complete: self.complete,
            total: None,
        };
        let means = Means {
            shared: &shared,
            pool: &pool,
            settings: &settings,
        };
        let ways = [self.way];
        let body = Body::Read(self.body, self.reading);
        let trying = failover::first_answer(&job, body, (&ways, &[0]), None, &mut exchange, means);
        match trying.await {
            Ok(reached) => {
                let relay = Relay::of(&reached, &ways[0], &job, "shadow".to_owned(), means);
                let mut response = relay::relay(reached, relay, (exchange, &settings));
                // Its answer is nobody's: it is read so that it is measured to its end.
                while let Some(Ok(_)) = response.body_mut().frame().await {}
            }
            Err(unreached) => {
                let told = Told {
                    status: unreached.reject.status.as_u16(),
                    bytes: 0,
                    code: unreached.reject.code,
                };
                exchange.settle_rejected(unreached.outcome, told);
            }
        }
    }
}
