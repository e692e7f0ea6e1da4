//! Shows how every route stands now, and what a typical request would be given.

use std::sync::Arc;

use http::HeaderMap;

use super::address::Address;
use super::canaries;
use super::candidates::{self, Credential, Way};
use super::shared::Shared;
use super::weigh::{self, Foreseen, Scales};
use crate::config::settings::{ModelRoutes, Settings};
use crate::record::{
    ExchangeId, ExchangeRecord, KeyedHash, Language, Moment, Name, Outcome, OwnDelay, Protocol,
    RequestFacts, Tokens, WallTime,
};
use crate::recorder::canaries::{Canary, Listed};
use crate::recorder::shown::{
    CanaryNow, KeyNow, ModelNow, PlanNow, RouteNow, StandingNow, Standpoint, TYPICAL_PROMPT,
};
use crate::recorder::standing::Board;
use crate::routing::route::RouteKey;

/// How the routes of `shared` stand now.
#[must_use]
pub fn standing(shared: &Shared) -> StandingNow {
    let settings = shared.settings.load();
    let now = (shared.clock.now(), shared.clock.wall());
    let scales = Scales {
        settings: &settings,
        standing: &shared.settler.standing,
        quotes: &shared.quotes,
        hasher: &shared.hasher,
        in_order: false,
        now,
        prefix: None,
    };
    scales.standing.with(|board| {
        let board: &Board = board;
        let models = settings.models.iter();
        let models: Vec<ModelNow> = models
            .filter_map(|routes| model(board, scales, routes))
            .collect();
        StandingNow {
            at: now.1,
            others: others(board, scales, &models),
            models,
            spent: board.spending.of_month(now.1),
        }
    })
}

fn model(board: &Board, scales: Scales<'_>, routes: &ModelRoutes) -> Option<ModelNow> {
    let draft = typical(&routes.name, scales.settings, scales.now);
    let headers = HeaderMap::new();
    let name = Some(&routes.name);
    // What the config names is there; a model that cannot be found is nothing to show.
    let found = candidates::find(scales.settings, &Address::root(), name, &headers).ok()?;
    let foreseen = weigh::foreseen(board, scales, &found, &draft);
    let heads = foreseen.heads.iter();
    let routes_now = heads
        .map(|index| standpoint(board, scales, &found.ways[*index], *index, &foreseen))
        .collect();
    Some(ModelNow {
        name: routes.name.clone(),
        policy: Name::from(foreseen.plan.policy),
        reason: Name::from(foreseen.plan.reason),
        rule: foreseen.rule,
        prompt_tokens: TYPICAL_PROMPT,
        output_tokens: foreseen.output_tokens,
        canaries: canaries_now(board, routes, scales.now.1),
        routes: routes_now,
    })
}

/// What was seen of the model's canaries.
fn canaries_now(board: &Board, routes: &ModelRoutes, now: WallTime) -> Vec<CanaryNow> {
    let of = |listed: Listed| {
        let known = canaries::known(board, &routes.name, &listed);
        // A plan is shown before its first exchange too.
        let canary = known.copied().or_else(|| {
            listed.stages.as_ref()?;
            Some(Canary::new(listed.start))
        })?;
        let judged = canary.judged();
        let plan = listed.stages.map(|stages| PlanNow {
            share: match canary.stopped {
                Some(stopped) => stopped.weight,
                None => stages.share(&canary.progress),
            },
            waits: stages.waits(&canary.progress, &judged),
            progress: canary.progress,
            stages,
        });
        Some(CanaryNow {
            route: listed.route,
            judged,
            stopped: canary.stopped,
            plan,
        })
    };
    canaries::of(routes, now)
        .into_iter()
        .filter_map(of)
        .collect()
}

fn standpoint(
    board: &Board,
    scales: Scales<'_>,
    way: &Way,
    index: usize,
    foreseen: &Foreseen,
) -> Standpoint {
    let plan = &foreseen.plan;
    let (route, credential) = (way.key(), way.credential.hash(scales.hasher));
    let next = credential.filter(|_| foreseen.left_out[index].is_none());
    Standpoint {
        route: RouteNow {
            keys: keys(board, scales, &route, next),
            ..RouteNow::of(board, &route, way.region(), credential, scales.now)
        },
        other_model: way.other_model,
        place: plan.steps.iter().position(|step| *step == index),
        score: plan.scores[index].filter(|score| score.is_finite()),
        propensity: plan.propensities[index],
        left_out: foreseen.left_out[index],
    }
}

/// The routes that were used without being one of `models`.
fn others(board: &Board, scales: Scales<'_>, models: &[ModelNow]) -> Vec<RouteNow> {
    let of_models = models.iter().flat_map(|model| &model.routes);
    let listed: Vec<RouteKey> = of_models.map(|point| point.route.key()).collect();
    let learned = board.learned.routes().map(|(route, _)| route);
    let mut others: Vec<&RouteKey> = board.health.routes().chain(learned).collect();
    others.sort_unstable();
    others.dedup();
    others.retain(|route| !listed.contains(route));
    others
        .into_iter()
        .map(|route| other(board, scales, route))
        .collect()
}

fn other(board: &Board, scales: Scales<'_>, route: &RouteKey) -> RouteNow {
    let provider = scales.settings.provider(&route.provider);
    let region = provider.and_then(|provider| provider.region.as_ref());
    let own = provider.map_or(&[][..], |provider| provider.credentials.as_slice());
    let shown = |credential| RouteNow::of(board, route, region, credential, scales.now);
    let own = own.iter().map(|own| Credential::Own(Arc::clone(own)));
    // Of several of its own that which is best off would be taken.
    let own = own.map(|own| own.hash(scales.hasher));
    let own = own.map(|hash| (shown(hash), hash));
    if let Some((best, next)) = own.min_by_key(|(route, _)| route.state) {
        return RouteNow {
            keys: keys(board, scales, route, next),
            ..best
        };
    }
    // Clients bring their own keys: the one that is worst off is shown.
    let lanes = board.health.lanes(route).iter();
    lanes
        .map(|lane| shown(lane.credential()))
        .max_by_key(|route| route.state)
        .unwrap_or_else(|| shown(None))
}

/// How the provider's own keys stand on `route`, where there are several; `next` is the hash of the
/// one that would be taken.
fn keys(
    board: &Board,
    scales: Scales<'_>,
    route: &RouteKey,
    next: Option<KeyedHash>,
) -> Vec<KeyNow> {
    let provider = scales.settings.provider(&route.provider);
    let own = provider.map_or(&[][..], |provider| provider.credentials.as_slice());
    let hashes = own
        .iter()
        .map(|source| Credential::Own(Arc::clone(source)).hash(scales.hasher));
    let several = hashes.zip(1..).filter(|_| own.len() > 1);
    several
        .map(|(hash, number)| {
            let is_next = next.is_some() && hash == next;
            KeyNow::of(board, route, (number, hash), is_next, scales.now)
        })
        .collect()
}

/// A streamed chat of [`TYPICAL_PROMPT`] tokens for `model`, without anything special about it.
fn typical(model: &Name, settings: &Settings, now: (Moment, WallTime)) -> ExchangeRecord {
    ExchangeRecord {
        id: ExchangeId::default(),
        trace: None,
        started: now.1,
        started_at: now.0,
        origin: crate::record::Origin::Live,
        config: KeyedHash(settings.hash),
        endpoint: Name::from("/v1/chat/completions"),
        language: Language::OpenAiChat,
        model: Some(model.clone()),
        tags: Vec::new(),
        client_key: None,
        session: None,
        client_retries: None,
        client_protocol: Protocol::Http1,
        request: RequestFacts {
            stream: true,
            prompt_tokens_estimated: Some(TYPICAL_PROMPT),
            ..RequestFacts::default()
        },
        policy: Name::default(),
        reason: Name::default(),
        attempts: Vec::new(),
        outcome: Outcome::Ok,
        status: None,
        response_bytes: 0,
        tokens: Tokens::default(),
        cost: None,
        no_cost: None,
        prices: None,
        experiment: None,
        decision: None,
        active: None,
        cost_billed: None,
        own: OwnDelay::default(),
        cached_answer: false,
        closed_at: now.0,
    }
}
