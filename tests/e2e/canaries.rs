//! A canary by plan: its share of the requests, on to the next stage, and back to nothing.

use tollgate::proxy::outlook;
use tollgate::record::{RouteScore, WallTime};
use tollgate::recorder::shown::CanaryNow;
use tollgate::routing::canary::Worse;
use tollgate::routing::health::Health;

use crate::support::{Ask, Rig};

/// A model whose canary is as good, and one whose canary always fails.
const PLANNED: &str = r#"
[models.good]
policy = "weighted"
routes = [
    { provider = "oa", model = "sim:n-2", weight = 3 },
    { provider = "inj", model = "sim:n-2", ramp = { start = "2026-01-01", stages = [0.5, 0.8], exchanges = 40 } },
]
[models.bad]
policy = "weighted"
routes = [
    { provider = "oa", model = "sim:n-1" },
    { provider = "inj", model = "sim:fault-http_500", ramp = { start = "2026-01-01", stages = [0.5, 0.8], exchanges = 40 } },
]
[models.scored]
policy = "weighted"
min_score = { scorer = "exact", at_least = 0.1 }
routes = [
    { provider = "oa", model = "sim:n-4" },
    { provider = "inj", model = "sim:n-4", ramp = { start = "2026-01-01", stages = [0.5] } },
]
[models.later]
policy = "weighted"
routes = [
    { provider = "oa", model = "sim:n-3" },
    { provider = "inj", model = "sim:n-3", ramp = { start = "2999-01-01", stages = [0.5] } },
]
"#;

/// The canary of a model, and the chance that the canary's route has now.
fn canary(rig: &Rig, model: &str) -> (Option<CanaryNow>, f64) {
    let now = outlook::standing(&rig.node().shared);
    let of = now.models.iter().find(|of| of.name.as_str() == model);
    let of = of.unwrap();
    let route = of
        .routes
        .iter()
        .find(|of| of.route.provider.as_str() == "inj");
    (of.canaries.first().cloned(), route.unwrap().propensity)
}

#[test]
fn a_plan_goes_on_where_the_canary_is_surely_no_worse_and_back_where_it_is() {
    let rig = Rig::configured(PLANNED);
    // Whole answers: what is judged are failures, and no machine is too slow for that.
    let ask = |model: &str| {
        let reading = rig.send(&Ask::chat(model, false).to(""));
        assert_eq!(reading.status, 200, "{model}");
    };
    let (before, chance) = canary(&rig, "good");
    let plan = before.unwrap().plan.unwrap();
    assert_eq!((plan.progress.stage, plan.share), (0, 0.5));
    assert!((chance - 0.5).abs() < 1e-6, "{chance}");
    let (none, chance) = canary(&rig, "later");
    assert!(none.is_none() && chance < 1e-9, "not begun: {chance}");
    let mut asked = 0;
    let stage = || canary(&rig, "good").0.unwrap().plan.unwrap().progress.stage;
    while stage() == 0 {
        (0..50).for_each(|_| ask("good"));
        asked += 50;
        assert!(asked < 6_000, "{:?}", canary(&rig, "good"));
    }
    assert!(asked >= 80, "a stage has its exchanges: {asked}");
    let (after, chance) = canary(&rig, "good");
    let plan = after.unwrap().plan.unwrap();
    assert_eq!((plan.progress.stage, plan.share), (1, 0.8));
    assert!((chance - 0.8).abs() < 1e-6, "{chance}");
    // Clients are served by the other route while it fails, and soon it is not drawn any more.
    let stopped = || canary(&rig, "bad").0.unwrap().stopped;
    for _ in 0..3_000 {
        if stopped().is_some() {
            break;
        }
        ask("bad");
        // Else health would take it out before anybody could judge.
        let standing = &rig.node().shared.settler.standing;
        standing.with(|board| board.health = Health::default());
    }
    let (found, chance) = canary(&rig, "bad");
    let found = found.unwrap();
    assert!(found.judged.worse.is_some(), "{found:?}");
    assert!(
        chance < 1e-9 && found.plan.unwrap().share < 1e-9,
        "{chance}"
    );
    // What an evaluation finds of the routes counts at the next exchange.
    let standing = &rig.node().shared.settler.standing;
    for (provider, value) in [("oa", 0.9), ("inj", 0.4)] {
        let score = RouteScore {
            run: "r".into(),
            at: WallTime(1),
            model: "scored".into(),
            provider: provider.into(),
            there: "sim:n-4".into(),
            scorer: "exact".into(),
            value,
            low: value - 0.05,
            high: value + 0.05,
            items: 200,
            each: None,
        };
        standing.with(|board| board.scores.add(score));
    }
    for _ in 0..60 {
        ask("scored");
    }
    let (found, chance) = canary(&rig, "scored");
    let stopped = found.unwrap().stopped.unwrap();
    assert!(
        stopped.worse == Worse::Score && chance < 1e-9,
        "{stopped:?}"
    );
}
