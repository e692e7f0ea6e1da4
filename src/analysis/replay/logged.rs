//! Takes from a record what judging policies needs: who could have answered, who was asked, with
//! what chance, and how it went.

use std::collections::BTreeMap;

use crate::record::{
    Arm, AttemptRecord, ExchangeRecord, Mark, Moment, Name, Nanos, Outcome, PicoDollars,
};
use crate::routing::learned::{Ended, Observation, setup};
use crate::routing::route::RouteKey;
use crate::statistics::metric::is_rate_limit;

/// One recorded exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// When it came: microseconds since 1970 as a moment, so that runs of the program line up.
    pub at: Moment,
    /// Prompt tokens, as counted or else as estimated.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// The model's own routes in the order of the config; empty where there was nothing to choose.
    pub routes: Vec<RouteKey>,
    /// Those that could have been first, with their chances; empty where none was recorded.
    pub chances: Vec<(RouteKey, f64)>,
    /// The lot that chose among them in the policy's place.
    pub lot: Option<Lot>,
    /// The route asked first; absent where that was one of another model, which stood in: that
    /// says nothing of the model's own.
    pub route: Option<RouteKey>,
    /// Whether it was to be streamed: a whole answer has no first token, however it ends.
    pub stream: bool,
    /// Whether the request asked the model to think before it speaks.
    pub reasons: bool,
    /// What making the connection took of the time to the first token.
    pub setup: Option<Nanos>,
    /// From the choice to its first token; absent where it failed or did not stream.
    pub first_token: Option<Nanos>,
    /// Per token after it.
    pub per_token: Option<Nanos>,
    /// How the route asked first did: it failed, by its own fault or by a limit of its own, or was
    /// cut off before its first token, by a hedge or by the client.
    pub ended: Ended,
    /// What the exchange cost, in US dollars.
    pub cost: Option<f64>,
}

/// An experiment's coin.
#[derive(Debug, Clone, PartialEq)]
pub struct Lot {
    /// The experiment.
    pub experiment: Name,
    /// The arm that it fell on: the route asked first.
    pub arm: Arm,
    /// The chance that this arm had.
    pub chance: f64,
}

impl Logged {
    /// What a record tells; absent where no provider was asked, or the client's own fault ended it.
    #[must_use]
    pub fn of(record: &ExchangeRecord) -> Option<Self> {
        let (attempt, answered) = drawn(record)?;
        if record.cached_answer {
            return None;
        }
        let decision = record.decision.as_ref();
        let considered = decision.map_or(&[][..], |decision| decision.routes.as_slice());
        let own = || considered.iter().filter(|of| !of.other_model);
        let key =
            |provider: &Name, model: &Option<Name>| RouteKey::new(provider.clone(), model.clone());
        let route = key(&attempt.provider, &attempt.model);
        let stood_in = considered
            .iter()
            .any(|of| of.other_model && key(&of.provider, &of.model) == route);
        let route = Some(route).filter(|_| !stood_in);
        let estimated = record.request.prompt_tokens_estimated;
        let asked = (estimated.unwrap_or(0), record.request.reasons());
        let usage = answered.then_some(&record.tokens.usage);
        let closed = attempt.timeline.get(Mark::Closed);
        let over = closed.unwrap_or(record.closed_at);
        let seen = Observation::of(attempt, usage, asked, over)?;
        let chances = own().filter(|of| of.propensity > 0).map(|of| {
            let chance = f64::from(of.propensity) / 1e6;
            (key(&of.provider, &of.model), chance)
        });
        let output = record.tokens.usage.output.unwrap_or(0);
        let spread = attempt.timeline.span(Mark::FirstToken, Mark::LastToken);
        let told = route.is_some();
        Some(Self {
            at: Moment(u64::try_from(record.started.0).ok()?.saturating_mul(1_000)),
            prompt_tokens: record.tokens.usage.input.or(estimated).unwrap_or(0),
            output_tokens: output,
            routes: own().map(|of| key(&of.provider, &of.model)).collect(),
            chances: chances.filter(|_| told).collect(),
            lot: lot(record).filter(|_| told),
            stream: record.request.stream,
            reasons: record.request.reasons(),
            setup: setup(attempt),
            route,
            first_token: seen.first_token.filter(|_| told),
            per_token: spread
                .filter(|_| told && answered && output > 1)
                .map(|spread| Nanos(spread.0 / (output - 1))),
            ended: ended(record, (attempt, answered), &seen)?,
            cost: record.cost.map(PicoDollars::as_dollars),
        })
    }

    /// Whether the route asked first failed.
    #[must_use]
    pub const fn failed(&self) -> bool {
        matches!(self.ended, Ended::Failed { .. })
    }
}

/// The attempt begun first, which the draw was of, and whether it is the one that answered.
fn drawn(record: &ExchangeRecord) -> Option<(&AttemptRecord, bool)> {
    let first = record.first_begun()?;
    let last = record.attempts.last()?;
    Some((first, std::ptr::eq(first, last)))
}

/// How the route asked first did; absent where that says nothing of it. What the exchange came to
/// counts where it is the one that answered, else its own error.
fn ended(
    record: &ExchangeRecord,
    (attempt, answered): (&AttemptRecord, bool),
    seen: &Observation,
) -> Option<Ended> {
    let closed = attempt.timeline.span(Mark::RouteChosen, Mark::Closed);
    let waited = closed.unwrap_or_default();
    let limited = attempt.error_class.is_some_and(is_rate_limit);
    let failed = answered && record.outcome.is_route_failure();
    match seen.ended {
        _ if failed || limited => Some(Ended::Failed { waited }),
        // Whoever leaves after the first token has waited for it.
        Ended::Unjudged if attempt.error_class.is_none() && seen.first_token.is_some() => {
            Some(Ended::Well)
        }
        Ended::Unjudged => None,
        Ended::Censored { .. } if !record.request.stream => Some(Ended::Unjudged),
        Ended::Well if answered && record.outcome != Outcome::Ok && seen.first_token.is_none() => {
            None
        }
        ended => Some(ended),
    }
}

fn lot(record: &ExchangeRecord) -> Option<Lot> {
    let (experiment, assigned) = record.experiment.as_ref()?.assigned()?;
    Some(Lot {
        experiment: experiment.clone(),
        arm: assigned.arm,
        chance: f64::from(assigned.propensity) / 1e6,
    })
}

/// Gives exchanges whose route was drawn by an experiment the chances of its coin: what the policy
/// would have done had no part in it. Where the other arm's route was never seen, or is the same
/// route (A/A), there was nothing to choose.
pub fn by_lot(logged: &mut [Logged]) {
    let mut arms: BTreeMap<(Name, Arm), RouteKey> = BTreeMap::new();
    for of in logged.iter() {
        if let Some(lot) = &of.lot {
            arms.extend(
                of.route
                    .clone()
                    .map(|route| ((lot.experiment.clone(), lot.arm), route)),
            );
        }
    }
    for of in logged {
        let (Some(lot), Some(own)) = (&of.lot, &of.route) else {
            continue;
        };
        let other = match lot.arm {
            Arm::A => Arm::B,
            Arm::B => Arm::A,
        };
        let other = arms.get(&(lot.experiment.clone(), other));
        of.chances = vec![(own.clone(), lot.chance)];
        if let Some(route) = other.filter(|route| *route != own) {
            of.chances.push((route.clone(), 1.0 - lot.chance));
        }
    }
}

/// The routes of `logged` in the order of the config, as the last one with a choice had it, and
/// then the most used first; with how often each answered with a first token.
#[must_use]
pub fn routes(logged: &[Logged]) -> Vec<(RouteKey, usize)> {
    let mut counts: BTreeMap<&RouteKey, usize> = BTreeMap::new();
    for of in logged.iter().filter(|of| of.first_token.is_some()) {
        if let Some(route) = &of.route {
            *counts.entry(route).or_default() += 1;
        }
    }
    let order = logged.iter().rev().find(|of| !of.routes.is_empty());
    let order = order.map_or(&[][..], |of| of.routes.as_slice());
    let place = |route: &RouteKey| order.iter().position(|of| of == route);
    let mut routes: Vec<_> = counts
        .into_iter()
        .map(|(route, count)| (route.clone(), count))
        .collect();
    routes.sort_by_key(|(route, count)| {
        let place = place(route).unwrap_or(usize::MAX);
        (place, std::cmp::Reverse(*count), route.clone())
    });
    routes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{CancelledBy, Considered, Decision, End, ErrorClass};
    use crate::sample::record;

    const fn ms(millis: u64) -> Nanos {
        Nanos::from_millis(millis)
    }

    /// Begun at a moment and over at one, in milliseconds, with its first token where it had one.
    fn attempt(provider: &str, chosen: u64, first: Option<u64>, over: u64) -> AttemptRecord {
        let mut attempt = AttemptRecord {
            provider: provider.into(),
            model: Some("m".into()),
            end: first.map(|_| End::Complete),
            ..AttemptRecord::default()
        };
        let marks = [
            (Mark::RouteChosen, Some(chosen)),
            (Mark::FirstToken, first),
            (Mark::Closed, Some(over)),
        ];
        for (mark, at) in marks {
            if let Some(at) = at {
                attempt.timeline.set(mark, Moment(0).plus(ms(at)));
            }
        }
        attempt
    }

    fn called_off(attempt: AttemptRecord, by: CancelledBy) -> AttemptRecord {
        AttemptRecord {
            cancelled_by: Some(by),
            ..attempt
        }
    }

    fn failing(attempt: AttemptRecord, class: ErrorClass) -> AttemptRecord {
        AttemptRecord {
            error_class: Some(class),
            ..attempt
        }
    }

    #[test]
    fn what_was_drawn_is_the_attempt_begun_first_and_fails_by_itself_alone() {
        let hedge = || called_off(attempt("b", 60, None, 90), CancelledBy::Hedge);
        let slow = || called_off(attempt("a", 0, None, 95), CancelledBy::Hedge);
        let left = || called_off(attempt("a", 0, None, 70), CancelledBy::Client);
        let refused = |class| failing(attempt("a", 0, None, 5), class);
        let a = || attempt("a", 0, Some(80), 100);
        let b = || attempt("b", 60, Some(90), 120);
        let (well, failed) = (Ended::Well, |waited| Ended::Failed { waited: ms(waited) });
        let cut = |waited| Ended::Censored { waited: ms(waited) };
        for (name, attempts, outcome, expected) in [
            ("one", vec![a()], Outcome::Ok, Some((Some(80), well))),
            (
                "the slow one won",
                vec![hedge(), a()],
                Outcome::Ok,
                Some((Some(80), well)),
            ),
            (
                "the hedge won",
                vec![slow(), b()],
                Outcome::Ok,
                Some((None, cut(95))),
            ),
            (
                "failed over",
                vec![refused(ErrorClass::ServerError), b()],
                Outcome::Ok,
                Some((None, failed(5))),
            ),
            (
                "limited",
                vec![refused(ErrorClass::RateLimited), b()],
                Outcome::Ok,
                Some((None, failed(5))),
            ),
            (
                "failed",
                vec![refused(ErrorClass::ServerError)],
                Outcome::UpstreamError,
                Some((None, failed(5))),
            ),
            (
                "broke off",
                vec![a()],
                Outcome::Truncated,
                Some((Some(80), failed(100))),
            ),
            (
                "left",
                vec![left()],
                Outcome::ClientGone,
                Some((None, cut(70))),
            ),
            (
                "left while it answered",
                vec![called_off(a(), CancelledBy::Client)],
                Outcome::ClientGone,
                Some((Some(80), well)),
            ),
            (
                "asked wrongly",
                vec![refused(ErrorClass::BadRequest)],
                Outcome::ClientError,
                None,
            ),
        ] {
            let hedged = attempts[0].provider.as_str() == "b";
            let found = Logged::of(&ExchangeRecord {
                attempts,
                outcome,
                decision: hedged.then(|| Decision {
                    hedge: Some(0),
                    ..Decision::default()
                }),
                ..record()
            });
            if let Some(of) = &found {
                let provider = of.route.as_ref().map(|route| route.provider.as_str());
                assert_eq!(provider, Some("a"), "{name}");
            }
            let found = found.map(|of| (of.first_token, of.ended));
            let expected = expected.map(|(first, ended)| (first.map(ms), ended));
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn another_model_that_stood_in_says_nothing_of_the_models_own_routes() {
        let considered = |provider: &str, other_model, propensity| Considered {
            provider: provider.into(),
            model: Some("m".into()),
            other_model,
            propensity,
            ..Considered::default()
        };
        let of = |answered: &str| ExchangeRecord {
            attempts: vec![attempt(answered, 0, Some(50), 60)],
            decision: Some(Decision {
                routes: vec![
                    considered("far", false, 0),
                    considered("near", false, 1_000_000),
                    considered("small", true, 0),
                ],
                ..Decision::default()
            }),
            ..record()
        };
        let stood_in = Logged::of(&of("small")).unwrap();
        assert_eq!((stood_in.route, stood_in.first_token), (None, None));
        let key = |provider: &str| RouteKey::new(provider, Some(Name::from("m")));
        let list: Vec<Logged> = ["small", "near", "near", "far"]
            .iter()
            .filter_map(|provider| Logged::of(&of(provider)))
            .collect();
        // A whole answer that was cut off tells nothing of first tokens.
        let mut whole = of("near");
        whole.request.stream = false;
        whole.attempts = vec![called_off(
            attempt("near", 0, None, 900),
            CancelledBy::Client,
        )];
        whole.outcome = Outcome::ClientGone;
        let whole = Logged::of(&whole).unwrap();
        assert_eq!((whole.first_token, whole.ended), (None, Ended::Unjudged));
        // In the order of the config, however often each was asked.
        assert_eq!(routes(&list), [(key("far"), 1), (key("near"), 2)]);
    }

    fn logged(route: &str, lot: Option<(&str, Arm, f64)>) -> Logged {
        Logged {
            at: Moment(1),
            prompt_tokens: 10,
            output_tokens: 10,
            routes: Vec::new(),
            chances: vec![(RouteKey::new("a", None), 1.0)],
            lot: lot.map(|(experiment, arm, chance)| Lot {
                experiment: experiment.into(),
                arm,
                chance,
            }),
            route: Some(RouteKey::new(route, None)),
            stream: true,
            reasons: false,
            setup: None,
            first_token: None,
            per_token: None,
            ended: Ended::Well,
            cost: None,
        }
    }

    #[test]
    fn a_lot_has_the_chances_of_its_coin_and_not_the_policys() {
        let mut list = [
            logged("a", Some(("tax", Arm::A, 0.3))),
            logged("b", Some(("tax", Arm::B, 0.7))),
            logged("a", Some(("half", Arm::A, 0.5))),
            logged("c", Some(("aa", Arm::A, 0.5))),
            logged("c", Some(("aa", Arm::B, 0.5))),
            logged("a", None),
        ];
        by_lot(&mut list);
        let found: Vec<Vec<(&str, f64)>> = list
            .iter()
            .map(|of| {
                let each = of.chances.iter();
                each.map(|(route, chance)| (route.provider.as_str(), *chance))
                    .collect()
            })
            .collect();
        let expected: [&[(&str, f64)]; 6] = [
            &[("a", 0.3), ("b", 0.7)],
            &[("b", 0.7), ("a", 1.0 - 0.7)],
            // The other arm was never seen, or is the same route: nothing to choose.
            &[("a", 0.5)],
            &[("c", 0.5)],
            &[("c", 0.5)],
            &[("a", 1.0)],
        ];
        assert_eq!(found, expected);
    }
}
