//! Keeps what is known of every route now: its health, its speed, what may still be spent on it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::addresses::Addresses;
use super::canaries::Canaries;
use super::spending::Spending;
use crate::record::{
    AttemptRecord, ExchangeRecord, KeyedHash, Mark, Moment, Name, Nanos, NoCost, Origin, Outcome,
    WallTime,
};
use crate::routing::budget::{HedgeBudget, RetryBudget};
use crate::routing::candidate::Prefix;
use crate::routing::health::{Change, Event, Health, Ticket};
use crate::routing::learned::{Learned, Observation, Prompt};
use crate::routing::limits;
use crate::routing::plan::ModelMemory;
use crate::routing::route::RouteKey;
use crate::routing::score::Scores;

/// What is known of every route, shared by all workers. Told of the beginning and the end of every
/// attempt by the street itself, so that neither a full queue nor a dead store blinds the routing.
#[derive(Debug, Default)]
pub struct Standing(Mutex<Board>);

/// What is known. The lock over it is held for microseconds and never across a wait.
#[derive(Debug, Default)]
pub struct Board {
    /// Whether each route may be tried.
    pub health: Health,
    /// How fast and how sure each is.
    pub learned: Learned,
    /// Attempts beyond the first.
    pub retries: RetryBudget,
    /// Second requests beside slow ones, by model.
    pub hedges: HashMap<Name, HedgeBudget>,
    /// Copies sent to other routes, by model.
    pub shadows: HashMap<Name, HedgeBudget>,
    /// What was chosen for each model, and whose cache holds which prompt.
    pub memories: HashMap<Name, ModelMemory>,
    /// What the months have cost.
    pub spending: Spending,
    /// What was seen of canaries.
    pub canaries: Canaries,
    /// What evaluations found of routes.
    pub scores: Scores,
    /// When a client's own request was over last.
    pub used: Option<Moment>,
    /// What all this was found at.
    pub addresses: Addresses,
    /// When providers moved to other addresses.
    moved: HashMap<Name, Moment>,
}

/// Models remembered: clients may ask for models without end.
const MODELS_MAX: usize = 1_024;

impl Standing {
    /// Looks at what is known, or changes it.
    pub fn with<R>(&self, look: impl FnOnce(&mut Board) -> R) -> R {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says what the providers' names stand for from `now` on, and forgets what was found of those
    /// that stand for something else; gives their names. What requests from before `now` still
    /// find, was found at the old address and counts for nothing: nobody may read the old settings
    /// any more.
    pub fn move_to(&self, addresses: Addresses, now: Moment) -> Vec<Name> {
        self.with(|board| {
            let moved = addresses.moved_from(&board.addresses);
            for name in &moved {
                board.health.forget(name);
                board.learned.forget(name);
                board.moved.insert(name.clone(), now);
            }
            board.addresses.take_over(addresses);
            moved
        })
    }

    /// An attempt begins, the first of its exchange or a further one. The ticket comes back to
    /// [`Self::end`]. `waits` is what waits for its first token, where it streams and a choice hangs
    /// on it.
    pub fn begin(
        &self,
        route: &RouteKey,
        credential: Option<KeyedHash>,
        (is_first, waits): (bool, Option<Prompt>),
        now: Moment,
    ) -> Ticket {
        self.with(|board| {
            if is_first {
                board.retries.request(now);
            }
            if let Some(prompt) = waits {
                board.learned.waits(route, prompt, now);
            }
            board.health.begin(route, credential, now)
        })
    }

    /// The answer of an attempt is the client's. `spoke` is when its first token came; absent where
    /// it was not waited for: then nothing is concluded from how long it takes.
    pub fn answers(&self, ticket: &Ticket, spoke: Option<Moment>) {
        let (route, begun) = (ticket.route(), ticket.begun());
        self.with(|board| match spoke {
            Some(at) => board.learned.came(route, begun, at),
            None => board.learned.over(route, begun),
        });
    }

    /// An attempt is over: `attempt` is its finished record. `wall` is the date of `now`; `draw`
    /// of `[0, 1)` decides jitter.
    pub fn end(
        &self,
        ticket: Ticket,
        attempt: &AttemptRecord,
        (now, wall): (Moment, WallTime),
        draw: f64,
    ) {
        let declared = limits::declared(&attempt.rate_limits, wall);
        let wait = limits::wait(&attempt.rate_limits, &declared, wall);
        let until = wait.map(|wait| now.plus(wait));
        let event = Event::of(attempt, until);
        let changes = self.with(|board| {
            board.learned.over(ticket.route(), ticket.begun());
            match board.moved_since(attempt) {
                // What it counted in was forgotten.
                Some(moved) if ticket.begun() < moved => return Vec::new(),
                Some(_) => return board.health.end(ticket, Event::Cancelled, now, draw),
                None => {}
            }
            let route = route_of(attempt);
            let changes = board.health.end(ticket, event, now, draw);
            board
                .health
                .declare(&route, attempt.credential, &declared, now);
            changes
        });
        for change in &changes {
            tell(change, now);
        }
    }

    /// An exchange is over: its attempts tell how fast their routes are, its tokens what is used
    /// up and how long answers get. `prefix` is what its prompt has in common with others, where a
    /// policy asks.
    pub fn settled(&self, record: &ExchangeRecord, prefix: Option<Prefix>) {
        let now = record.closed_at;
        let estimated = record.request.prompt_tokens_estimated.unwrap_or(0);
        let reasons = record.request.reasons();
        let last = record.attempts.len().saturating_sub(1);
        self.with(|board| {
            if let Some(cost) = record.cost {
                board.spending.add(cost, record.started);
            } else if record.no_cost.is_some_and(NoCost::leaves_a_bill) {
                board.spending.add_unpriced(record.started);
            }
            // A copy for another route says nothing of what the model's clients get.
            let ours = record.active.is_some() || record.origin == Origin::Shadow;
            if !ours {
                board.used = Some(now);
            }
            if !record.language.generates() || record.request.background || record.cached_answer {
                return;
            }
            for (index, attempt) in record.attempts.iter().enumerate() {
                if board.moved_since(attempt).is_some() {
                    continue;
                }
                let usage = if index == last {
                    Some(&record.tokens.usage)
                } else {
                    attempt.lost_usage.as_ref()
                };
                let route = route_of(attempt);
                let closed = attempt.timeline.get(Mark::Closed);
                let at = closed.unwrap_or(now);
                if let Some(model) = &attempt.model_answered
                    && let Some(before) = board.learned.answered(&route, model)
                {
                    tracing::warn!(
                        %route,
                        answers = %model,
                        answered = %before,
                        "another model answers on this route: its speed is learned anew"
                    );
                }
                if let Some(seen) = Observation::of(attempt, usage, (estimated, reasons), at) {
                    board.learned.observe(&route, &seen);
                }
                let used = usage.and_then(|usage| Some(usage.input? + usage.output.unwrap_or(0)));
                if let Some(tokens) = used {
                    let credential = attempt.credential;
                    let tokens = (tokens, limits::declares_tokens(&attempt.rate_limits));
                    board.health.tokens(&route, credential, tokens, now);
                }
            }
            if !ours && record.request.stream && record.outcome.in_failure_rate() {
                let model = record.model.as_ref();
                if let Some(memory) = model.and_then(|model| board.memories.get_mut(model)) {
                    memory.came(first_token(record));
                }
            }
            if record.origin == Origin::Shadow && record.outcome == Outcome::Ok {
                board.copied(record);
            }
            // How long answers get, and whose cache holds what, is told by clients' requests.
            if !ours && record.outcome == Outcome::Ok {
                board.answered(record, prefix, now);
            }
        });
    }
}

impl Board {
    /// When the provider moved, if it did so after the request of this attempt came: it asked at the
    /// old address, however late it did.
    fn moved_since(&self, attempt: &AttemptRecord) -> Option<Moment> {
        let moved = *self.moved.get(&attempt.provider)?;
        let came = attempt.timeline.get(Mark::RequestFirstByte)?;
        (came < moved).then_some(moved)
    }

    /// What a good answer tells of the model: how long it was, and whose cache holds its prompt.
    fn answered(&mut self, record: &ExchangeRecord, prefix: Option<Prefix>, now: Moment) {
        let (Some(model), Some(attempt)) = (&record.model, record.attempts.last()) else {
            return;
        };
        if let Some(tokens) = record.tokens.usage.output {
            let choices = record.request.choices;
            let lengths = &mut self.learned.lengths;
            lengths.observe_choices(model, record.client_key, tokens, choices);
        }
        if record.decision.is_none() {
            // Where there is nothing to choose, nobody asks whose cache holds the prompt.
            return;
        }
        let input = record.tokens.usage.input;
        let prompt = input.or(record.request.prompt_tokens_estimated);
        let Some(prompt) = prompt else { return };
        let session = record.session.map(|session| (session.hash, prompt));
        let prefix = prefix.map(|prefix| (prefix.hash, prefix.tokens.min(prompt)));
        let explored = record.decision.as_ref().is_some_and(|of| of.explored);
        if let Some(memory) = self.memory(model) {
            for (key, tokens) in session.into_iter().chain(prefix) {
                // One that was sent elsewhere to learn leads no others there.
                if !(explored && memory.cached(key, now).is_some()) {
                    memory.served(key, route_of(attempt), tokens, now);
                }
            }
        }
    }

    /// How long a good answer to a copy was: of its route alone.
    fn copied(&mut self, record: &ExchangeRecord) {
        let attempt = record.attempts.last();
        if let (Some(attempt), Some(tokens)) = (attempt, record.tokens.usage.output) {
            let route = Name::from(route_of(attempt).to_string().as_str());
            let choices = record.request.choices;
            let lengths = &mut self.learned.lengths;
            lengths.observe_choices(&route, None, tokens, choices);
        }
    }

    /// What is remembered of a model; absent once too many are.
    pub fn memory(&mut self, model: &Name) -> Option<&mut ModelMemory> {
        if !self.memories.contains_key(model) && self.memories.len() >= MODELS_MAX {
            return None;
        }
        Some(self.memories.entry(model.clone()).or_default())
    }
}

/// The route of an attempt.
#[must_use]
pub fn route_of(attempt: &AttemptRecord) -> RouteKey {
    RouteKey {
        provider: attempt.provider.clone(),
        model: attempt.model.clone(),
    }
}

/// From the first choice of a route to the first token of the last attempt.
fn first_token(record: &ExchangeRecord) -> Option<Nanos> {
    let chosen = record.first_begun()?.timeline.get(Mark::RouteChosen)?;
    let came = record.attempts.last()?.timeline.get(Mark::FirstToken)?;
    Some(came.since(chosen))
}

/// Writes into the log what a human may have to act on.
fn tell(change: &Change, now: Moment) {
    let seconds = |until: &Moment| until.since(now).0 / Nanos::from_millis(1_000).0;
    match change {
        Change::Opened { route, why, until } => tracing::warn!(
            %route,
            why = why.name(),
            seconds = seconds(until),
            "the route fails and is left alone for a while"
        ),
        Change::Closed { route } => tracing::info!(%route, "the route works again"),
        Change::Cooled { route, until, .. } => tracing::info!(
            %route,
            seconds = seconds(until),
            "the provider limits requests; the route cools"
        ),
        Change::CredentialHeld {
            provider,
            class,
            until,
            ..
        } => tracing::error!(
            %provider,
            error = class.name(),
            seconds = seconds(until),
            "the credential is refused, or cannot be got; look at it"
        ),
        Change::RouteHeld {
            route,
            class,
            until,
        } => tracing::error!(
            %route,
            error = class.name(),
            seconds = seconds(until),
            "the provider refuses the route; look at its model and region"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};
    use crate::record::{ErrorClass, PicoDollars};
    use crate::sample;

    fn addresses(base: &str) -> Addresses {
        let text = format!("[providers.openai]\nbase_url = \"{base}\"\napi_key = \"k\"\n");
        let loaded = load(&Sources {
            text: Some(&text),
            file: "tollgate.toml",
            env: &|_| None,
            read_file: &|_| Err(std::io::ErrorKind::NotFound.into()),
            read_text: &|_| Err(std::io::ErrorKind::NotFound.into()),
            data_dir: "/data".into(),
            cores: 2,
        });
        Addresses::of(&loaded.unwrap().settings)
    }

    #[test]
    fn what_a_month_has_cost_says_what_it_is_without() {
        let cent = PicoDollars(10_000_000_000);
        for (cost, no_cost, expected) in [
            (Some(cent), None, (cent, 0)),
            (None, Some(NoCost::UsageUnknown), (PicoDollars(0), 1)),
            (None, Some(NoCost::NoPrice), (PicoDollars(0), 1)),
            (None, Some(NoCost::NotAsked), (PicoDollars(0), 0)),
            (None, Some(NoCost::NoModelCall), (PicoDollars(0), 0)),
            (None, Some(NoCost::PerHour), (PicoDollars(0), 0)),
        ] {
            let standing = Standing::default();
            let record = ExchangeRecord {
                cost,
                no_cost,
                ..sample::record()
            };
            standing.settled(&record, None);
            let spent = standing.with(|board| board.spending.of_month(record.started));
            assert_eq!((spent.known, spent.unpriced), expected, "{no_cost:?}");
        }
    }

    #[test]
    fn what_a_request_from_before_a_move_finds_counts_for_nothing() {
        let came = sample::record().attempts[0]
            .timeline
            .get(Mark::RequestFirstByte)
            .unwrap();
        let later = |by: u64| came.plus(Nanos(by));
        // When the provider moved, when the attempt began, whether it counts.
        for (moved, begun, counts) in [
            (None, later(5), true),
            (Some(came), later(5), true),
            // It was on its way over the move, or still began with the old settings in hand.
            (Some(later(9)), later(5), false),
            (Some(later(3)), later(5), false),
        ] {
            let standing = Standing::default();
            let _ = standing.move_to(addresses("http://10.0.0.1/v1"), Moment(0));
            let mut record = sample::record();
            let attempt = &mut record.attempts[0];
            attempt.timeline.set(Mark::RouteChosen, begun);
            let learned = ExchangeRecord {
                attempts: vec![attempt.clone()],
                ..sample::record()
            };
            attempt.error_class = Some(ErrorClass::NotFound);
            attempt.end = None;
            let (route, attempt) = (route_of(attempt), attempt.clone());
            let go = |at: Moment| {
                if moved == Some(at) {
                    let gone = standing.move_to(addresses("http://10.0.0.2/v1"), at);
                    assert_eq!(gone, ["openai".into()]);
                }
            };
            [came, later(3)].into_iter().for_each(go);
            let ticket = standing.begin(&route, None, (true, None), begun);
            go(later(9));
            standing.end(ticket, &attempt, (later(20), record.started), 0.5);
            standing.settled(&learned, None);
            let (is_held, is_learned, at_work) = standing.with(|board| {
                let view = board.health.view(&route, None, later(20));
                let learned = board.learned.routes().count() > 0;
                (view.barred.is_some(), learned, view.at_work)
            });
            assert_eq!(
                (is_held, is_learned, at_work),
                (counts, counts, 0),
                "{moved:?}"
            );
        }
    }
}
