//! Asks routes that nobody used for long for one token, so that what is expected of them stays
//! fresh: within a number a day, and only while the street is in use.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::traffic::{Asked, Reply, Traffic};
use crate::clock::Clock;
use crate::config::settings::{ProbeSettings, Settings};
use crate::edge::server::Drain;
use crate::proxy::Shared;
use crate::proxy::ours::Mark;
use crate::record::{Active, Dialect, Moment, Name, Nanos, Origin, WallTime};
use crate::recorder::standing::Board;
use crate::routing::route::RouteKey;

/// How often it looks for idle routes.
const EVERY: Duration = Duration::from_secs(15);
/// Without a request of a client's for so long, nothing has to be kept fresh.
const IN_USE: Nanos = Nanos(600 * 1_000_000_000);
/// Whoever does not answer by then is not waited for.
const PATIENCE: Duration = Duration::from_mins(2);

/// The one who probes.
#[derive(Debug)]
pub struct Probing {
    shared: Arc<Shared>,
    traffic: Traffic,
    day: i64,
    sent: u64,
    /// Routes that refuse such requests: asked again in the next run.
    refused: BTreeSet<RouteKey>,
}

impl Probing {
    /// A prober that has sent `sent` probes since the day began, UTC.
    #[must_use]
    pub fn new(shared: Arc<Shared>, traffic: Traffic, sent: u64) -> Self {
        let day = day_of(shared.clock.wall());
        Self {
            shared,
            traffic,
            day,
            sent,
            refused: BTreeSet::new(),
        }
    }

    /// Probes until the program stops.
    pub async fn run(mut self, drain: Drain) {
        loop {
            tokio::select! {
                biased;
                () = drain.stopping() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            tokio::select! {
                biased;
                () = drain.stopping() => return,
                () = self.once() => {}
            }
        }
    }

    /// Probes the route that was idle longest, if one is due.
    pub async fn once(&mut self) {
        let settings = self.shared.settings.load_full();
        let probes = settings.probes;
        let clock: &Clock = &self.shared.clock;
        let day = day_of(clock.wall());
        if day != self.day {
            (self.day, self.sent) = (day, 0);
        }
        if !probes.enabled || self.sent >= probes.per_day {
            return;
        }
        let standing = &self.shared.settler.standing;
        let now = clock.now();
        let due = standing.with(|board| due(board, &settings, &self.refused, now));
        let Some(due) = due else { return };
        self.sent += 1;
        tracing::debug!(route = %due.route, "idle: asked for a token");
        let asking = self.traffic.send(asked(&due, &probes, self.sent));
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(Ok(Reply { status, .. })) if (400..500).contains(&status) && status != 429 => {
                tracing::info!(route = %due.route, status, "the route takes no probes");
                self.refused.insert(due.route);
            }
            Ok(Err(error)) => tracing::debug!(%error, "a probe came to nothing"),
            // How it went is in the record, and known to the routing.
            Ok(Ok(_)) | Err(_) => {}
        }
    }
}

/// A route that is to be probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The route.
    pub route: RouteKey,
    /// What it is asked in.
    pub dialect: Dialect,
}

/// The route of a model with several that was idle longest, for `idle_after` at least; none while
/// no client uses the street. What health keeps requests from is left alone.
#[must_use]
pub fn due(
    board: &Board,
    settings: &Settings,
    refused: &BTreeSet<RouteKey>,
    now: Moment,
) -> Option<Due> {
    let in_use = board.used.is_some_and(|used| now.since(used).0 < IN_USE.0);
    if !in_use {
        return None;
    }
    let idle_after = settings.probes.idle_after.as_nanos();
    let routes = settings
        .models
        .iter()
        .filter(|model| model.routes.len() > 1);
    let routes = routes.flat_map(|model| {
        model.routes.iter().map(move |route| {
            let there = route.model.clone().unwrap_or_else(|| model.name.clone());
            RouteKey::new(route.provider.clone(), Some(there))
        })
    });
    let idle = routes.filter_map(|route| {
        let provider = settings.provider(&route.provider)?;
        let speaks = matches!(provider.dialect, Dialect::OpenAi | Dialect::Anthropic);
        let fit = provider.has_credential() && speaks && !refused.contains(&route);
        let last = board.learned.last(&route);
        let quiet = last.map_or(u128::MAX, |last| u128::from(now.since(last).0));
        let credentials = board.health.lanes(&route).iter();
        let barred = credentials
            .map(crate::routing::health::Lane::credential)
            .chain([None])
            .any(|credential| board.health.view(&route, credential, now).barred.is_some());
        (fit && !barred && quiet >= idle_after).then_some((
            quiet,
            Due {
                route,
                dialect: provider.dialect,
            },
        ))
    });
    idle.max_by_key(|(quiet, _)| *quiet).map(|(_, due)| due)
}

/// About 200 tokens, the same for every route and every probe but for what it begins with: a
/// prompt cache would answer faster than the route does.
const PROMPT: &str = "This is a short measurement of how soon an answer begins. A harbour town \
    keeps a list of the ships that came in during the week: on Monday two barges with timber and a \
    ferry, on Tuesday a tanker that waited for the tide, on Wednesday nobody because of the storm, \
    on Thursday three fishing boats and a pilot, on Friday the barges again, now with sand. The \
    harbour master writes for each of them the hour of arrival, the berth, the cargo, the draught, \
    and who signed for it. At the end of the week the list is read aloud, corrected where somebody \
    remembers better, and put into a drawer with the lists of all the weeks before it. Nobody has \
    ever asked for one of them, but the drawer is dry, the ink is good, and the harbour master \
    likes to know that it could be done. How many kinds of ships does this text name? Answer with \
    a number and nothing else.";

fn asked(due: &Due, probes: &ProbeSettings, number: u64) -> Asked {
    let nonce = fastrand::u64(..);
    let messages = json!([{ "role": "user", "content": format!("{nonce:016x} {PROMPT}") }]);
    let body = json!({
        "model": due.route.model.as_deref(),
        "max_tokens": probes.max_tokens,
        "stream": true,
        "messages": messages,
    });
    let path = match due.dialect {
        Dialect::Anthropic => "/v1/messages",
        _ => "/v1/chat/completions",
    };
    Asked {
        mark: Mark {
            origin: Origin::Probe,
            active: Active {
                run: Name::from("idle-routes"),
                trial: u32::try_from(number).unwrap_or(u32::MAX),
                ..Active::default()
            },
        },
        route: Some(due.route.clone()),
        path,
        tags: Vec::new(),
        headers: Vec::new(),
        body: Bytes::from(body.to_string()),
        worker: number as usize,
    }
}

fn day_of(at: WallTime) -> i64 {
    at.as_secs().div_euclid(86_400)
}
