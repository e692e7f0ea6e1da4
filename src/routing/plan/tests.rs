//! Tests plans: what no route may break, health, exploration, and each policy's own idea.

use std::sync::Arc;

use super::*;
use crate::record::{KeyedHash, Name, Nanos, PicoDollars};
use crate::routing::policy::{Anchor, By, Policy};
use crate::routing::pricing::{Quote, Rate};
use crate::routing::score::MinScore;
use crate::statistics::compare::Random;

/// A route that answers after so many milliseconds, known well, at a price per million tokens.
fn route(name: &str, millis: f64, price: f64) -> Candidate {
    let mut route = Candidate::new(name, Some(Name::from("m")), true);
    route.expected.level.mean = millis.ln();
    route.expected.level.variance = 0.001;
    route.expected.level.noise = 0.04;
    route.expected.success = 1.0;
    route.expected.success_lower = 0.99;
    route.expected.samples = 100;
    route.quote = Some(Quote {
        input: price / 1e6,
        cached: price / 1e7,
        output: price / 1e6,
        request: 0.0,
    });
    route
}

/// Fast and dear, middling, slow and cheap.
fn three() -> Vec<Candidate> {
    vec![
        route("fast", 300.0, 10.0),
        route("middle", 700.0, 3.0),
        route("cheap", 2_000.0, 1.0),
    ]
}

fn ask() -> Ask {
    Ask {
        now: Moment(1_000_000_000_000),
        prompt_tokens: 1_000,
        output_tokens: 100.0,
        ..Ask::default()
    }
}

/// A draw that does not explore.
const STAY: Draws = Draws {
    explore: 0.5,
    pick: 0.5,
};

fn planned(policy: &Policy, ask: &Ask, candidates: &[Candidate]) -> Plan {
    plan(policy, ask, candidates, &ModelMemory::default(), STAY)
}

const FASTEST: Policy = Policy::Fastest(By::FirstToken);

fn slo(millis: u64) -> Policy {
    Policy::CheapestWithinSlo {
        first_token: Nanos::from_millis(millis),
        probability: 0.9,
    }
}

#[test]
fn unusable_candidates_are_left_out_and_said() {
    for (usable, steps, reason) in [
        (vec![true, true], vec![0, 1], "model"),
        (vec![false, true], vec![1], "first_with_credential"),
        (vec![false], vec![], "no_credential"),
        (vec![], vec![], "no_credential"),
    ] {
        let candidates: Vec<_> = usable
            .into_iter()
            .map(|usable| Candidate::new("p", None, usable))
            .collect();
        let plan = ordered(&candidates, "model");
        assert_eq!((plan.steps, plan.reason), (steps, reason));
    }
}

#[test]
fn each_policy_has_its_own_first_and_says_why() {
    for (policy, steps, reason) in [
        (Policy::Ordered, [0, 1, 2], "first_in_order"),
        (FASTEST, [0, 1, 2], "fastest_first_token"),
        (Policy::Fastest(By::Total), [0, 1, 2], "fastest_total"),
        (Policy::Cheapest, [2, 1, 0], "cheapest"),
        (slo(1_200), [1, 0, 2], "cheapest_within_slo"),
        (slo(10_000), [2, 1, 0], "cheapest_within_slo"),
        (slo(100), [0, 1, 2], "none_within_slo_likeliest"),
        (
            Policy::Balanced {
                dollars_per_second: 1.0,
            },
            [0, 1, 2],
            "least_money_and_waiting",
        ),
        (
            Policy::Balanced {
                dollars_per_second: 1e-9,
            },
            [2, 1, 0],
            "least_money_and_waiting",
        ),
    ] {
        let plan = planned(&policy, &ask(), &three());
        assert_eq!(
            (plan.steps.as_slice(), plan.reason),
            (&steps[..], reason),
            "{policy:?}"
        );
        assert!((plan.propensities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }
}

#[test]
fn the_least_busy_is_the_one_with_the_fewest_at_work_for_its_weight() {
    let mut candidates = three();
    for (candidate, at_work) in candidates.iter_mut().zip([5, 3, 3]) {
        candidate.health.at_work = at_work;
    }
    assert_eq!(
        planned(&Policy::LeastBusy, &ask(), &candidates).steps,
        [1, 2, 0]
    );
    candidates[0].weight = 10.0;
    assert_eq!(
        planned(&Policy::LeastBusy, &ask(), &candidates).steps,
        [0, 1, 2]
    );
}

#[test]
fn what_no_route_may_break_is_never_broken() {
    let mut candidates = three();
    for (candidate, region) in candidates.iter_mut().zip(["us", "eu", "eu"]) {
        candidate.region = Some(region.into());
        candidate.residency = Some(region.into());
        candidate.context = Some(8_000);
    }
    candidates[2].region = None;
    candidates[1].context = Some(1_050);
    let with = |change: fn(&mut Ask)| {
        let mut ask = ask();
        change(&mut ask);
        planned(&FASTEST, &ask, &candidates)
    };
    let names = |plan: &Plan| {
        let of = plan.left_out.iter();
        of.map(|(at, why)| (*at, why.name())).collect::<Vec<_>>()
    };
    let plan = with(|ask| ask.constraints.regions = vec!["eu".into()]);
    assert_eq!(plan.steps, [1]);
    assert_eq!(names(&plan), [(0, "region"), (2, "region")]);
    let plan = with(|ask| ask.constraints.residency = vec!["eu".into()]);
    assert_eq!(names(&plan), [(0, "residency")]);
    let plan = with(|ask| ask.max_tokens = Some(100));
    assert_eq!(names(&plan), [(1, "context_too_small")]);
    let plan = with(|ask| ask.constraints.context_min = Some(9_000));
    assert_eq!((plan.steps.len(), plan.reason), (0, "no_route"));
    // 1,100 tokens at $10 a million are 1.1 cents.
    let plan = with(|ask| ask.constraints.cost_max = Some(PicoDollars(10_000_000_000)));
    assert_eq!(names(&plan), [(0, "max_cost")]);
    // One choice is within a cent and a half, ten are not.
    let plan = with(|ask| ask.constraints.cost_max = Some(PicoDollars(15_000_000_000)));
    assert!(!names(&plan).contains(&(0, "max_cost")));
    let plan = with(|ask| {
        ask.choices = Some(10);
        ask.constraints.cost_max = Some(PicoDollars(15_000_000_000));
    });
    assert!(names(&plan).contains(&(0, "max_cost")));
    let plan = with(|ask| ask.constraints.input_max = Rate::per_million("3"));
    assert_eq!(names(&plan), [(0, "price_cap")]);
    let mut unpriced = candidates.clone();
    unpriced[1].quote = None;
    let mut capped = ask();
    capped.constraints.output_max = Rate::per_million("100");
    assert_eq!(
        names(&planned(&FASTEST, &capped, &unpriced)),
        [(1, "price_unknown")]
    );
    let scored = |unknown_passes: bool| {
        let mut candidates = candidates.clone();
        (candidates[0].score_low, candidates[1].score_low) = (Some(0.79), Some(0.8));
        let mut ask = ask();
        ask.constraints.min_score = Some(MinScore {
            data_set: None,
            scorer: "s".into(),
            at_least: 0.8,
            unknown_passes,
        });
        planned(&FASTEST, &ask, &candidates)
    };
    let unknown = (2, "score_unknown");
    assert_eq!(names(&scored(false)), [(0, "min_score"), unknown]);
    assert_eq!(names(&scored(true)), [(0, "min_score")]);
    // No draw and no exploration goes around it.
    let mut limited = ask();
    limited.constraints.regions = vec!["eu".into()];
    for explore in [0.0, 0.01, 0.9] {
        for pick in [0.0, 0.5, 0.999] {
            let draws = Draws { explore, pick };
            let plan = plan_with(&limited, &candidates, draws);
            assert_eq!(plan.steps, [1], "{draws:?}");
        }
    }
}

fn plan_with(ask: &Ask, candidates: &[Candidate], draws: Draws) -> Plan {
    plan(&FASTEST, ask, candidates, &ModelMemory::default(), draws)
}

#[test]
fn who_is_late_comes_behind_who_is_not_and_before_other_models() {
    let mut ask = ask();
    ask.constraints.deadline = Some(Nanos::from_millis(3_500));
    let plan = planned(&Policy::Cheapest, &ask, &three());
    assert_eq!((plan.left_out, plan.steps.last()), (vec![], Some(&2)));
    // The fast ones fail, or stand in for another model: who is late serves.
    let mut candidates = three();
    candidates[0].health.barred = Some((Barred::Open, None));
    candidates[1].other_model = true;
    let plan = planned(&Policy::Cheapest, &ask, &candidates);
    assert_eq!(plan.steps, [2, 1]);
    assert_eq!(plan.left_out[0].0, 0);
    ask.constraints.deadline = Some(Nanos::from_millis(10));
    let plan = planned(&FASTEST, &ask, &three());
    assert_eq!(plan.steps, [0, 1, 2]);
}

#[test]
fn a_model_that_stands_in_keeps_to_its_own_terms() {
    let only = |region: &str| Constraints {
        regions: vec![region.into()],
        ..Constraints::default()
    };
    for (terms, steps, left_out) in [
        (None, vec![0, 1], vec![]),
        (Some(only("eu")), vec![0, 1], vec![]),
        (Some(only("us")), vec![0], vec![(1, LeftOut::Region)]),
    ] {
        let mut candidates = three();
        candidates.truncate(2);
        candidates[1].other_model = true;
        candidates[1].region = Some("eu".into());
        candidates[1].terms = terms.map(Arc::new);
        let plan = planned(&FASTEST, &ask(), &candidates);
        assert_eq!((plan.steps, plan.left_out), (steps, left_out));
    }
}

#[test]
fn health_bars_routes_and_the_least_bad_is_tried_where_it_bars_all() {
    let mut candidates = three();
    let until = |ns| Some(Moment(ns));
    candidates[0].health.barred = Some((Barred::Open, until(50)));
    let plan = planned(&FASTEST, &ask(), &candidates);
    assert_eq!(plan.steps, [1, 2]);
    assert_eq!(plan.left_out[0].1.name(), "breaker_open");
    candidates[1].health.barred = Some((Barred::CredentialHeld, until(9)));
    candidates[2].health.barred = Some((Barred::Cooling, until(90)));
    let plan = planned(&FASTEST, &ask(), &candidates);
    assert_eq!(
        (plan.steps.as_slice(), plan.reason),
        (&[0][..], "least_bad"),
        "a request within the wait that a provider named makes that longer"
    );
    let left_out: Vec<_> = plan.left_out.iter().map(|(_, why)| why.name()).collect();
    assert_eq!(left_out, ["cooling", "credential_held"]);
    assert_eq!(
        planned(&FASTEST, &ask(), &candidates[1..]).steps,
        [1],
        "a limit is over by itself, and a credential's hold is not"
    );
    // One that wants to be left alone is, where another one may be asked.
    candidates[1].health.barred = Some((Barred::Full, None));
    let plan = planned(&FASTEST, &ask(), &candidates);
    assert_eq!(plan.steps, [1, 0]);
    // A model that stands in is there for this; its own bars count only where nobody is left.
    candidates[1].health.barred = None;
    candidates[1].other_model = true;
    assert_eq!(planned(&FASTEST, &ask(), &candidates).steps, [1]);
    candidates[1].health.barred = Some((Barred::Full, None));
    assert_eq!(planned(&FASTEST, &ask(), &candidates).steps, [0, 1]);
    // Ten routes that all fail at once: the fault is likelier here; one is let through.
    let mut ten: Vec<Candidate> = (0..10).map(|_| route("r", 500.0, 1.0)).collect();
    for (n, candidate) in ten.iter_mut().enumerate() {
        candidate.health.barred = Some((Barred::Open, until(100 - n as u64)));
    }
    assert_eq!(planned(&FASTEST, &ask(), &ten).steps[0], 9);
}

#[test]
fn a_route_about_to_be_limited_is_avoided_while_there_is_another() {
    let mut candidates = three();
    candidates[0].health.tokens_left = Some(1_050);
    let plan = planned(&FASTEST, &ask(), &candidates);
    assert_eq!(plan.steps, [1, 2, 0]);
    let plan = planned(&FASTEST, &ask(), &candidates[..2]);
    assert_eq!((plan.steps, plan.reason), (vec![1, 0], "others_near_limit"));
    let plan = planned(&FASTEST, &ask(), &candidates[..1]);
    assert_eq!((plan.steps, plan.reason), (vec![0], "only_route"));
}

#[test]
fn other_models_come_after_all_routes_of_the_model_asked_for() {
    let mut candidates = three();
    candidates[0].other_model = true;
    assert_eq!(planned(&FASTEST, &ask(), &candidates).steps, [1, 2, 0]);
    candidates[1].health.barred = Some((Barred::Open, None));
    candidates[2].usable = false;
    // The only own route is barred: it has failed, and the other model stands in for it.
    assert_eq!(planned(&FASTEST, &ask(), &candidates).steps, [0]);
}

#[test]
fn exploration_is_two_in_a_hundred_and_its_propensities_are_what_happens() {
    let candidates = three();
    let mut random = Random::new(11);
    let mut firsts = [0_u32; 3];
    let rounds = 200_000;
    let mut propensities = Vec::new();
    for _ in 0..rounds {
        let draws = Draws {
            explore: random.unit(),
            pick: random.unit(),
        };
        let plan = plan_with(&ask(), &candidates, draws);
        firsts[plan.steps[0]] += 1;
        propensities = plan.propensities;
    }
    assert!((propensities[1] - EXPLORED / 3.0).abs() < 1e-12);
    for (count, propensity) in firsts.iter().zip(&propensities) {
        let seen = f64::from(*count) / f64::from(rounds);
        assert!(
            (seen - propensity).abs() < 0.001,
            "seed 11: {firsts:?} {propensities:?}"
        );
    }
    // A policy that does not learn has nothing to explore.
    let explore = Draws {
        explore: 0.0,
        pick: 0.9,
    };
    let memory = ModelMemory::default();
    let plan = plan(&Policy::Cheapest, &ask(), &candidates, &memory, explore);
    assert_eq!((plan.steps[0], plan.explored), (2, false));
}

#[test]
fn weights_and_prices_draw_as_their_propensities_say() {
    let mut candidates = three();
    candidates[0].weight = 0.05;
    candidates[1].weight = 0.95;
    candidates[2].weight = 0.0;
    for policy in [Policy::Weighted, Policy::Shared] {
        let mut random = Random::new(12);
        let mut firsts = [0_u32; 3];
        let mut propensities = Vec::new();
        for _ in 0..50_000 {
            let draws = Draws {
                explore: random.unit(),
                pick: random.unit(),
            };
            let memory = ModelMemory::default();
            let plan = plan(&policy, &ask(), &candidates, &memory, draws);
            firsts[plan.steps[0]] += 1;
            propensities = plan.propensities;
        }
        for (count, propensity) in firsts.iter().zip(&propensities) {
            let seen = f64::from(*count) / 5e4;
            assert!(
                (seen - propensity).abs() < 0.01,
                "seed 12: {policy:?} {propensities:?}"
            );
        }
    }
}

#[test]
fn a_new_route_is_explored_and_not_flooded() {
    let mut candidates = three();
    candidates[2] = Candidate::new("new", Some(Name::from("m")), true);
    let first = |candidates: &[Candidate]| planned(&FASTEST, &ask(), candidates).steps[0];
    assert_eq!(first(&candidates), 2, "hope puts it first");
    // While its first request is at work, the next goes to what is known.
    candidates[2].health.at_work = 1;
    assert_eq!(first(&candidates), 0);
}

#[test]
fn a_first_sample_of_zero_floods_nothing() {
    use crate::routing::learned::{Ended, Learned, Observation};
    use crate::routing::route::RouteKey;
    let mut learned = Learned::default();
    let key = |name: &str| RouteKey::new(name, Some(Name::from("m")));
    let seen = |millis: u64, at: u64| Observation {
        reasons: false,
        setup: None,
        at: Moment(at),
        prompt_tokens: 1_000,
        first_token: Some(Nanos::from_millis(millis)),
        whole: None,
        per_token: None,
        output_tokens: None,
        ended: Ended::Well,
    };
    learned.observe(&key("zero"), &seen(0, 1));
    for n in 0..50 {
        learned.observe(&key("known"), &seen(400, n));
    }
    let choose = |learned: &Learned| {
        let candidates: Vec<Candidate> = ["zero", "known"]
            .map(|name| {
                let mut candidate = Candidate::new(name, Some(Name::from("m")), true);
                candidate.expected = learned.expect(&key(name), Moment(100));
                candidate
            })
            .into();
        planned(&FASTEST, &ask(), &candidates).steps[0]
    };
    // Its true speed is below the other's: a handful of samples must say so.
    let mut tries = 0;
    while choose(&learned) == 0 {
        tries += 1;
        assert!(tries < 20, "a zero holds the route up");
        learned.observe(&key("zero"), &seen(900, 60 + tries));
    }
}

#[test]
fn a_route_whose_first_tokens_do_not_come_is_left_before_they_do() {
    use crate::routing::learned::{Ended, Learned, Observation, Prompt};
    use crate::routing::route::RouteKey;
    let key = |name: &str| RouteKey::new(name, Some(Name::from("m")));
    let at = |millis: u64| Moment(millis * 1_000_000);
    // How long the first route's answers then take, and how many of a hundred requests, ten a
    // second, it gets. With six seconds it had eighty before the first of them was over; now ten,
    // and as many until what is learned of those that are over says the same.
    for (takes, most) in [(50, 100), (6_000, 24), (60_000, 12)] {
        let mut learned = Learned::default();
        let seen = |millis: u64, now: u64| Observation {
            reasons: false,
            setup: None,
            at: at(now),
            prompt_tokens: 1_000,
            first_token: Some(Nanos::from_millis(millis)),
            whole: None,
            per_token: None,
            output_tokens: None,
            ended: Ended::Well,
        };
        for n in 0..50 {
            learned.observe(&key("quick"), &seen(50, n * 100));
            learned.observe(&key("slow"), &seen(500, n * 100));
        }
        let mut waiting = Vec::new();
        let mut quick = 0;
        for now in (5_000..15_000).step_by(100) {
            waiting.retain(|(route, begun)| {
                let (route, takes) = [("quick", takes), ("slow", 500)][*route];
                if begun + takes <= now {
                    learned.came(&key(route), at(*begun), at(begun + takes));
                }
                // Each answer goes on for two seconds.
                let over = begun + takes + 2_000 <= now;
                if over {
                    learned.over(&key(route), at(*begun));
                    learned.observe(&key(route), &seen(takes, now));
                }
                !over
            });
            let candidates = ["quick", "slow"].map(|name| {
                let mut candidate = Candidate::new(name, Some(Name::from("m")), true);
                candidate.expected = learned.expect(&key(name), at(now));
                candidate
            });
            let chosen = planned(&FASTEST, &ask(), &candidates).steps[0];
            learned.waits(&key(["quick", "slow"][chosen]), Prompt::of(1_000), at(now));
            waiting.push((chosen, now));
            quick += usize::from(chosen == 0);
        }
        assert!(quick <= most && quick > 3, "{takes} ms: {quick}");
        assert_eq!(quick == 100, takes == 50);
    }
}

#[test]
fn a_slo_s_choice_is_kept_for_a_while_and_left_at_once_when_it_fails() {
    let mut candidates = three();
    let mut memory = ModelMemory::default();
    let mut ask = ask();
    let choose = |candidates: &[Candidate], memory: &ModelMemory, ask: &Ask| {
        let plan = plan(&slo(1_200), ask, candidates, memory, STAY);
        (plan.steps[0], plan.reason)
    };
    memory.chosen(&candidates[0].route(), ask.now);
    // The middle one is cheaper, but the choice is fresh.
    assert_eq!(choose(&candidates, &memory, &ask), (0, "kept_within_slo"));
    for _ in 0..5 {
        memory.chosen(&candidates[0].route(), ask.now);
    }
    assert_eq!(
        choose(&candidates, &memory, &ask),
        (1, "cheapest_within_slo")
    );
    // In the band around the asked probability a choice stays, and nobody enters.
    let chance = |p: f64| {
        use crate::statistics::interval::special::normal_quantile;
        1_200_f64.ln() - normal_quantile(p / 0.99) * (0.04_f64 + 0.001).sqrt()
    };
    candidates[1].expected.level.mean = chance(0.895);
    assert_eq!(choose(&candidates, &memory, &ask).0, 0, "none enters below");
    memory.chosen(&candidates[1].route(), ask.now);
    ask.now = ask.now.plus(Nanos::from_millis(3_600_000));
    assert_eq!(choose(&candidates, &memory, &ask).0, 1, "but it may stay");
    candidates[1].expected.level.mean = chance(0.7);
    assert_eq!(
        choose(&candidates, &memory, &ask).0,
        0,
        "and leaves when it fails"
    );
}

#[test]
fn the_bar_for_each_request_follows_what_is_kept_over_all() {
    let mut memory = ModelMemory::default();
    memory.came(None);
    assert!((memory.bar(0.9) - 0.9).abs() < 1e-9, "nothing is aimed at");
    let limit = Nanos::from_millis(1_000);
    memory.aims(limit, 0.9);
    for _ in 0..50 {
        memory.came(Some(Nanos::from_millis(300)));
    }
    let low = memory.bar(0.9);
    assert!(low < 0.8, "all kept it: {low}");
    memory.came(Some(Nanos::from_millis(1_001)));
    memory.came(None);
    assert!(memory.bar(0.9) > low + 0.04, "misses raise it");
    // Another aim begins anew; the same aim said again changes nothing.
    memory.aims(limit, 0.9);
    assert!(memory.bar(0.9) < 0.9);
    memory.aims(limit, 0.95);
    assert!((memory.bar(0.95) - 0.95).abs() < 1e-9);
}

#[test]
fn a_conversation_stays_where_its_cache_is_until_another_is_worth_the_loss() {
    let policy = Policy::Sticky {
        anchor: Anchor::Session,
        then: Box::new(Policy::Cheapest),
    };
    let session = KeyedHash(7);
    let mut ask = ask();
    ask.session = Some(session);
    ask.prompt_tokens = 50_000;
    let mut memory = ModelMemory::default();
    let candidates = three();
    let first = |memory: &ModelMemory, ask: &Ask| {
        let plan = plan(&policy, ask, &candidates, memory, STAY);
        (plan.steps[0], plan.reason)
    };
    assert_eq!(first(&memory, &ask), (2, "cheapest"));
    // 50,000 tokens cached at a tenth of $3 are cheaper than uncached at $1.
    memory.served(session, candidates[1].route(), 49_000, ask.now);
    assert_eq!(first(&memory, &ask), (1, "cache_holds_prompt"));
    // Few cached tokens are not worth it.
    memory.served(session, candidates[1].route(), 2_000, ask.now);
    assert_eq!(first(&memory, &ask), (2, "cheapest"));
    // Nor is a cache that has forgotten.
    memory.served(session, candidates[1].route(), 49_000, ask.now);
    ask.now = ask.now.plus(Nanos::from_millis(600_000));
    assert_eq!(first(&memory, &ask), (2, "cheapest"));
}

#[test]
fn a_conversation_explores_with_its_first_request_only() {
    let key = KeyedHash(7);
    let mut ask = ask();
    (ask.session, ask.prefix) = (Some(key), Some(key));
    let candidates = three();
    let explore = Draws {
        explore: 0.0,
        pick: 0.0,
    };
    for (anchor, held, explored) in [
        (Anchor::Session, false, true),
        (Anchor::Session, true, false),
        // What all prompts have in common would never be elsewhere, and costs less to find again.
        (Anchor::Prefix, true, true),
    ] {
        let policy = Policy::Sticky {
            anchor,
            then: Box::new(Policy::Fastest(By::FirstToken)),
        };
        let mut memory = ModelMemory::default();
        if held {
            memory.served(key, candidates[0].route(), 900, ask.now);
        }
        let plan = plan(&policy, &ask, &candidates, &memory, explore);
        assert_eq!(plan.explored, explored, "{anchor:?}, {held}");
        let least = plan.propensities.iter().copied().fold(1.0, f64::min);
        assert_eq!(least > 0.0, explored, "{:?}", plan.propensities);
        assert!((plan.propensities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
