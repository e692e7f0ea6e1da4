//! Judges what a world came to: what must hold after every exchange, whatever the weather was.

use std::collections::HashMap;

use tollgate::app::node::Node;
use tollgate::record::{AttemptRecord, ErrorClass, ExchangeRecord, Mark, Moment, Nanos, Outcome};
use tollgate::routing::health::Barred;
use tollgate::routing::route::RouteKey;

use super::client::Answer;
use super::street::Played;
use super::world::{Route, Weather, World};

const SECOND: u64 = 1_000_000_000;
/// A route that is well again is tried again within twice the longest that a breaker is open or a
/// limit without a hint cools, with jitter; one whose credential was refused within the longest
/// hold.
const RECOVERY_S: u64 = 2 * 360;
const RECOVERY_LOCKED_S: u64 = 3_700;
/// The longest that a client waits for the first byte: what is held, and the last route's own time.
const FIRST_BYTE_MAX: Nanos = Nanos((240 + 60) * SECOND);

/// What was seen over all worlds: a rule that nothing meets proves nothing.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    exchanges: usize,
    /// Exchanges that were healed by a further try.
    healed: usize,
    /// Failures behind the first token, told in-band or by a cut.
    committed: usize,
    /// Failures for want of leave for a further try.
    spent: usize,
    left: usize,
    hedged: usize,
    cooled: usize,
    back: usize,
}

/// Holds a played world against all rules.
pub(crate) fn judge(world: &World, played: &Played, sums: &mut Sums) {
    let mut by_tag: HashMap<usize, &ExchangeRecord> = HashMap::new();
    for record in &played.records {
        let number = record.tags[0].parse().unwrap();
        let before = by_tag.insert(number, record);
        assert!(before.is_none(), "{}: two records of {number}", world.seed);
    }
    assert_eq!(by_tag.len(), world.asked.len(), "a record for each");
    let tries = Tries::of(&played.records);
    for (number, seen) in played.seen.iter().enumerate() {
        let record = by_tag[&number];
        let judged = Judged {
            world,
            number,
            record,
            tries: &tries,
        };
        judged.tries_are_few();
        judged.nothing_follows_a_commitment();
        judged.limits_are_kept(&played.records, sums);
        judged.the_first_choice_comes_back(sums);
        sums.exchanges += 1;
        sums.hedged += usize::from(is_race(record));
        match seen {
            None => sums.left += 1,
            Some(answer) => judged.the_client_is_served(answer, sums),
        }
    }
    tries.stay_within(world);
}

/// A route that has been well for long enough is not barred any more.
pub(crate) fn nobody_is_forgotten(world: &World, node: &Node, second: u64) {
    let now = node.shared.clock.now();
    for route in &world.routes {
        if !is_back(route, second) {
            continue;
        }
        let key = RouteKey::new(route.name.as_str(), Some("sim-1".into()));
        node.shared.settler.standing.with(|board| {
            for lane in board.health.lanes(&key) {
                let view = board.health.view(&key, lane.credential(), now);
                let barred = view.barred.filter(|(why, _)| *why != Barred::Full);
                assert_eq!(barred, None, "{} is well for long", route.name);
            }
        });
    }
}

/// Whether a route has been well for so long that it must have been found again.
fn is_back(route: &Route, second: u64) -> bool {
    let (since, weather) = route.weather(second);
    let patience = if route.was_locked(second) {
        RECOVERY_LOCKED_S
    } else {
        RECOVERY_S
    };
    matches!(weather, Weather::Well) && second - since > patience
}

const fn second_of(moment: Moment) -> u64 {
    moment.0 / SECOND
}

/// One exchange before its judge.
struct Judged<'a> {
    world: &'a World,
    number: usize,
    record: &'a ExchangeRecord,
    tries: &'a Tries,
}

impl Judged<'_> {
    fn name(&self) -> String {
        let Self {
            world,
            number,
            record,
            ..
        } = self;
        let seed = world.seed;
        format!(
            "SEED={seed} SEEDS=1, request {number}: {record:#?}\n{:#?}",
            world.routes
        )
    }

    fn tries_are_few(&self) {
        let attempts = &self.record.attempts;
        assert!(attempts.len() <= self.world.attempts, "{}", self.name());
    }

    /// Of the attempts at most one has given the client anything. Where none raced it is the last,
    /// and none begins before the one before it is over.
    fn nothing_follows_a_commitment(&self) {
        let attempts = &self.record.attempts;
        let mark = |of: &AttemptRecord, mark| of.timeline.get(mark);
        let given = |of: &&AttemptRecord| mark(of, Mark::ClientFirstToken).is_some();
        assert!(
            attempts.iter().filter(given).count() <= 1,
            "{}",
            self.name()
        );
        if is_race(self.record) {
            return;
        }
        for (earlier, later) in attempts.iter().zip(attempts.iter().skip(1)) {
            assert_eq!(mark(earlier, Mark::FirstToken), None, "{}", self.name());
            let (closed, chosen) = (mark(earlier, Mark::Closed), mark(later, Mark::RouteChosen));
            assert!(closed <= chosen, "{}", self.name());
        }
    }

    /// A client that stays is served: a route is well all the time. But for failures behind the
    /// first token of a stream, which nobody may heal, and where no further try was allowed.
    fn the_client_is_served(&self, answer: &Answer, sums: &mut Sums) {
        let record = self.record;
        assert_eq!(
            answer.ids().len().min(1),
            answer.ids().len(),
            "{}",
            self.name()
        );
        let last = record.attempts.last().unwrap();
        if record.outcome == Outcome::Ok {
            assert!(
                answer.whole && answer.status == 200,
                "{answer:?} {}",
                self.name()
            );
            let done = answer.body.contains("[DONE]");
            assert_eq!(done, record.request.stream, "{answer:?} {}", self.name());
            sums.healed += usize::from(record.attempts.len() > 1);
            let first = last.timeline.get(Mark::FirstByte).unwrap();
            let waited = first.since(record.started_at);
            assert!(waited < FIRST_BYTE_MAX, "{waited:?} {}", self.name());
            return;
        }
        let committed = record.request.stream && last.timeline.get(Mark::FirstToken).is_some();
        if committed {
            // What broke off does not pass for whole.
            assert!(
                !answer.body.contains("[DONE]"),
                "{answer:?} {}",
                self.name()
            );
            sums.committed += 1;
            return;
        }
        let spent = self.world.is_sparing() && self.tries.are_spent(self.world, last);
        assert!(spent, "it could have been healed: {}", self.name());
        sums.spent += 1;
    }

    /// A credential that was limited is left alone for as long as its provider asked.
    fn limits_are_kept(&self, all: &[ExchangeRecord], sums: &mut Sums) {
        for attempt in &self.record.attempts {
            let chosen = attempt.timeline.get(Mark::RouteChosen).unwrap();
            let route = self.route(attempt);
            for (other, limited) in limits_of(all, attempt) {
                let Some(closed) = limited.timeline.get(Mark::Closed) else {
                    continue;
                };
                // A date has whole seconds.
                let until = closed.0 + route.retry_after.0.saturating_sub(2 * SECOND);
                let known = closed < self.record.started_at;
                let kept = chosen.0 > until || !known || other.id == self.record.id;
                assert!(kept, "{} was limited: {}", route.name, self.name());
                sums.cooled += usize::from(known);
            }
        }
    }

    /// Where order alone decides, the first route is the first tried once it is well for long.
    fn the_first_choice_comes_back(&self, sums: &mut Sums) {
        let first = &self.world.routes[0];
        let second = second_of(self.record.started_at);
        if self.record.policy.as_str() == "ordered" && is_back(first, second) {
            // Of a race the winner stands last.
            let attempts = self.record.attempts.iter();
            let tried = attempts.min_by_key(|of| of.timeline.get(Mark::RouteChosen));
            let tried = tried.map(|attempt| attempt.provider.as_str());
            assert_eq!(tried, Some(first.name.as_str()), "{}", self.name());
            sums.back += 1;
        }
    }

    fn route(&self, attempt: &AttemptRecord) -> &Route {
        let mut routes = self.world.routes.iter();
        routes
            .find(|route| attempt.provider.as_str() == route.name)
            .unwrap()
    }
}

/// The attempts with the same credential that met a limit which says how long it lasts.
fn limits_of<'a>(
    all: &'a [ExchangeRecord],
    attempt: &'a AttemptRecord,
) -> impl Iterator<Item = (&'a ExchangeRecord, &'a AttemptRecord)> {
    let same = |other: &AttemptRecord| {
        other.provider == attempt.provider
            && other.credential == attempt.credential
            && other.error_class == Some(ErrorClass::RateLimited)
            && other
                .rate_limits
                .iter()
                .any(|header| header.name.starts_with("retry-after"))
    };
    all.iter().flat_map(move |record| {
        let limited = record.attempts.iter().filter(move |other| same(other));
        limited.map(move |attempt| (record, attempt))
    })
}

/// Whether a second try ran beside a slow first.
fn is_race(record: &ExchangeRecord) -> bool {
    let decision = record.decision.as_ref();
    decision.is_some_and(|decision| decision.hedge.is_some())
}

/// When exchanges began, and when tries beyond the first did that a provider was reached before.
struct Tries {
    requests: Vec<Moment>,
    retries: Vec<Retry>,
}

/// A try beyond the first.
struct Retry {
    at: Moment,
    /// Whether its route did well in the minute before, or nearly: such a one needs no budget.
    is_free: bool,
}

/// Whether few of the attempts failed that ended at a provider in the minute before `at`. A little
/// wider than the street's own judgement, which also knows what of it is the provider's fault.
fn did_well(records: &[ExchangeRecord], provider: &str, at: Moment) -> bool {
    let attempts = records.iter().flat_map(|record| &record.attempts);
    let ended = attempts.filter(|attempt| {
        let closed = attempt.timeline.get(Mark::Closed);
        let within = closed.is_some_and(|closed| closed <= at && at.since(closed).0 <= 60 * SECOND);
        within && attempt.provider.as_str() == provider
    });
    let (failed, all) = ended.fold((0, 0), |(failed, all), attempt| {
        (failed + usize::from(attempt.error_class.is_some()), all + 1)
    });
    all >= 10 && failed * 5 < all
}

impl Tries {
    fn of(records: &[ExchangeRecord]) -> Self {
        let chosen = |attempt: &AttemptRecord| attempt.timeline.get(Mark::RouteChosen).unwrap();
        let first = records.iter().filter_map(|record| record.attempts.first());
        let mut retries = Vec::new();
        for record in records.iter().filter(|record| !is_race(record)) {
            for (failed, next) in record.attempts.iter().zip(record.attempts.iter().skip(1)) {
                // Nothing was asked for twice where nothing was written.
                if failed.timeline.get(Mark::RequestSent).is_some() {
                    let at = chosen(next);
                    let is_free = did_well(records, next.provider.as_str(), at);
                    retries.push(Retry { at, is_free });
                }
            }
        }
        Self {
            requests: first.map(chosen).collect(),
            retries,
        }
    }

    /// Both counts of the minute before `at`, as the street counts them: in twelve slots of five
    /// seconds, of which the last is begun; of the tries those that `counts`.
    fn before(&self, at: Moment, counts: impl Fn(&Retry) -> bool) -> (f64, usize) {
        let slot = |moment: Moment| moment.0 / (5 * SECOND);
        let within = |moment: Moment| moment <= at && slot(at) - slot(moment) < 12;
        let requests = self.requests.iter().filter(|moment| within(**moment));
        let retries = self.retries.iter();
        let retries = retries.filter(|retry| within(retry.at) && counts(retry));
        (requests.count() as f64, retries.count())
    }

    fn allowed(world: &World, requests: f64) -> usize {
        ((requests * world.share) as usize).max(world.always as usize)
    }

    fn stay_within(&self, world: &World) {
        for retry in self.retries.iter().filter(|retry| !retry.is_free) {
            let (requests, retries) = self.before(retry.at, |retry| !retry.is_free);
            let allowed = Self::allowed(world, requests);
            assert!(
                retries <= allowed,
                "seed {}: {retries} tries of {allowed}",
                world.seed
            );
        }
    }

    /// Whether no further try was allowed when that attempt was over.
    fn are_spent(&self, world: &World, failed: &AttemptRecord) -> bool {
        let at = failed.timeline.get(Mark::Closed).unwrap();
        let (requests, retries) = self.before(at, |_| true);
        retries >= Self::allowed(world, requests)
    }
}
