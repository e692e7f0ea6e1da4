//! Tests that policies are judged rightly, in worlds whose truth is known, and that ours are good.

#![expect(
    clippy::unwrap_used,
    reason = "what a test helper cannot do, its test cannot either"
)]

use std::process::Command;

use tollgate::analysis::replay::{
    Configured, Entrant, Kind, Logged, RecordedFault, Recording, Refused, SimulatedSpec, Sizes,
    Standings, Terms, World, read_trace, simulate, snips, tournament,
};
use tollgate::record::{Moment, Name, Nanos};
use tollgate::routing::learned::Ended;
use tollgate::routing::policy::{By, Policy};
use tollgate::routing::pricing::Quote;
use tollgate::routing::route::RouteKey;
use tollgate::statistics::compare::Random;

const TRACE: &str = include_str!("fixtures/traces/generated.csv");
const FASTEST: Policy = Policy::Fastest(By::FirstToken);

fn spec(seed: u64, requests: usize, every_s: f64) -> SimulatedSpec {
    SimulatedSpec {
        kind: Kind::Base,
        requests,
        every_s,
        seed,
        sizes: Sizes::AzureConversations,
        arrivals: None,
    }
}

fn played(worlds: impl Iterator<Item = (u64, World)>, policies: &[(&str, Policy)]) -> Standings {
    let mut entrants: Vec<Entrant> = policies
        .iter()
        .map(|(name, policy)| Entrant::Policy((*name).to_owned(), policy.clone()))
        .collect();
    entrants.extend(Entrant::BASELINES);
    let terms = Terms {
        limit: Nanos::from_millis(1_000),
        alpha: 0.05,
    };
    tournament(worlds, &entrants, &terms, || {})
}

fn regret(standings: &Standings, name: &str) -> f64 {
    let line = standings
        .lines
        .iter()
        .find(|line| line.entrant.name() == name);
    line.unwrap().regret.value
}

#[test]
fn a_seed_gives_the_same_world_and_the_same_game() {
    let worlds = || {
        [3_u64, 4]
            .into_iter()
            .map(|seed| (seed, simulate(&spec(seed, 200, 20.0))))
    };
    let (one, other) = (
        played(worlds(), &[("f", FASTEST)]),
        played(worlds(), &[("f", FASTEST)]),
    );
    assert_eq!(one, other);
    assert!(regret(&one, "oracle").abs() < 1e-12);
}

/// A small part of the figure that the replay command makes over more seeds and longer.
#[test]
fn fastest_regrets_less_than_what_others_do() {
    let worlds = (200..208).map(|seed| (seed, simulate(&spec(seed, 1_500, 20.0))));
    let standings = played(worlds, &[("fastest", FASTEST)]);
    let own = regret(&standings, "fastest");
    for name in [
        "random",
        "round robin",
        "peak-ewma 10 s",
        "best static",
        "last 10 mean",
    ] {
        let other = regret(&standings, name);
        assert!(own < other, "seeds 200 to 207: {own} {name} {other}");
    }
}

#[test]
fn cheapest_within_slo_keeps_it_and_pays_less_than_who_keeps_it_too() {
    let slo = Policy::CheapestWithinSlo {
        first_token: Nanos::from_millis(1_000),
        probability: 0.9,
    };
    let worlds = (300..308).map(|seed| (seed, simulate(&spec(seed, 1_500, 20.0))));
    let policies = [
        ("slo", slo),
        ("fastest", FASTEST),
        ("cheapest", Policy::Cheapest),
    ];
    let standings = played(worlds, &policies);
    let own = &standings.lines[0];
    assert!(
        own.mean(|score| score.within_slo) > 0.88,
        "seeds 300 to 307: {own:?}"
    );
    for line in &standings.lines[1..] {
        let keeps = line.mean(|score| score.within_slo) > 0.88;
        let dearer = line.cost_per_1000() > own.cost_per_1000();
        assert!(!keeps || dearer, "{}", line.entrant.name());
    }
}

#[test]
fn traces_of_every_format_are_read_or_refused() {
    let trace = read_trace(TRACE).unwrap();
    assert_eq!(trace.rows.len(), 400);
    assert!(trace.rows[0].at_s.abs() < 1e-9 && trace.rows[399].at_s > 4_000.0);
    let burst = "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n\
                 5,a,1.2,ChatGPT,472,18,490,Conversation log\n45,b,1,GPT-4,10,20,30,API log\n";
    let rows = read_trace(burst).unwrap().rows;
    assert_eq!((rows[1].prompt_tokens, rows[1].output_tokens), (10, 20));
    assert!((rows[1].at_s - 40.0).abs() < 1e-9);
    let mooncake = "{\"timestamp\": 0, \"input_length\": 6758, \"output_length\": 500, \"hash_ids\": [0]}\n\
                    {\"timestamp\": 1500, \"input_length\": 1, \"output_length\": 2, \"hash_ids\": []}\n";
    let rows = read_trace(mooncake).unwrap().rows;
    assert!((rows[1].at_s - 1.5).abs() < 1e-9 && rows[0].prompt_tokens == 6_758);
    for (text, fault) in [
        ("", "no requests"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n", "no requests"),
        ("a,b\n1,2\n", "line 1: no trace known"),
        (
            "TIMESTAMP,ContextTokens,GeneratedTokens\nsoon,1,2\n",
            "line 2: expected a date",
        ),
        (
            "TIMESTAMP,ContextTokens,GeneratedTokens\n1,x,2\n",
            "line 2: expected prompt",
        ),
        ("{\"timestamp\": 0}\n", "line 1: expected an object"),
    ] {
        let found = read_trace(text).unwrap_err().to_string();
        assert!(found.contains(fault), "{text}: {found}");
    }
}

fn key(name: &str) -> RouteKey {
    RouteKey::new(name, Some(Name::from("m")))
}

/// A log of a day: `near` answers in 400 ms and `far` in 800, but for two hours of `near`'s.
fn log(exchanges: u64, explored: f64) -> Vec<Logged> {
    let mut random = Random::new(17);
    let every = 86_400_000_000_000 / exchanges;
    (0..exchanges)
        .map(|n| {
            let hour = n * 24 / exchanges;
            let far = random.unit() < explored;
            let slow = if (6..8).contains(&hour) { 5.0 } else { 1.0 };
            let millis = if far { 800.0 } else { 400.0 * slow };
            let noise = 0.8 + 0.4 * random.unit();
            Logged {
                lot: None,
                stream: true,
                reasons: false,
                setup: None,
                at: Moment(n * every),
                prompt_tokens: 1_000,
                output_tokens: 100,
                routes: vec![key("near"), key("far")],
                chances: vec![(key("near"), 1.0 - explored), (key("far"), explored)],
                route: Some(key(if far { "far" } else { "near" })),
                first_token: Some(Nanos((millis * noise * 1e6) as u64)),
                per_token: Some(Nanos::from_millis(10)),
                ended: Ended::Well,
                cost: Some(0.001),
            }
        })
        .collect()
}

#[test]
fn recorded_worlds_keep_hours_together() {
    let recording = Recording::new(&log(4_800, 0.5), |_| Configured::default()).unwrap();
    assert_eq!(recording.routes().len(), 2);
    let (mut slow, mut whole) = (0, 0);
    for seed in 0..20 {
        let world = recording.world(seed, None);
        let near = world
            .routes
            .iter()
            .position(|route| route.name.starts_with("near"));
        // Hours are slow as a whole, or not at all.
        for hour in world.answers.chunks(200) {
            let late = |row: &&Vec<_>| {
                let answer: &tollgate::analysis::replay::Answer = &row[near.unwrap()];
                answer.first_token > Nanos::from_millis(1_000)
            };
            let count = hour.iter().filter(late).count();
            assert!(!(5..=195).contains(&count), "seed {seed}: {count}");
            slow += usize::from(count > 195);
            whole += 1;
        }
    }
    let share = f64::from(u32::try_from(slow).unwrap()) / f64::from(u32::try_from(whole).unwrap());
    assert!((share - 2.0 / 24.0).abs() < 0.04, "{share}");
    let one = log(100, 0.0);
    assert_eq!(
        Recording::new(&one, |_| Configured::default()).unwrap_err(),
        RecordedFault::Routes(1)
    );
}

#[test]
fn a_route_that_fails_keeps_no_slo_and_ordered_is_the_order_of_the_config() {
    // Near is sooner and asked more often, fails one request in five, and stands second.
    let mut logged = log(4_000, 0.3);
    for (n, of) in logged.iter_mut().enumerate() {
        of.routes.reverse();
        if of.route == Some(key("near")) && n % 5 == 0 {
            of.first_token = None;
            of.ended = Ended::Failed {
                waited: Nanos::from_millis(5),
            };
        }
    }
    // Whole answers of which all failed: they make no stream fail.
    let whole = logged.iter().filter(|of| of.failed()).cloned();
    let whole: Vec<Logged> = whole
        .map(|of| Logged {
            stream: false,
            ..of
        })
        .collect();
    let all = [logged.clone(), whole].concat();
    let recording = Recording::new(&all, |_| Configured::default()).unwrap();
    assert!(recording.routes()[0].name.starts_with("far"));
    let worlds = (0..3).map(|seed| (seed, recording.world(seed, None)));
    let standings = played(worlds, &[("ordered", Policy::Ordered)]);
    let line = |name: &str| {
        let mut lines = standings.lines.iter();
        lines.find(|line| line.entrant.name() == name).unwrap()
    };
    for name in ["ordered", "best static", "oracle"] {
        let failed = line(name).mean(|score| score.failed);
        assert!(failed.abs() < 1e-9, "{name}: far never fails: {failed}");
    }
    // Half of the requests go to near.
    let random = line("random");
    let failed = random.mean(|score| score.failed);
    assert!((failed - 0.1).abs() < 0.02, "{failed}");
    assert!(random.mean(|score| score.within_slo) < 1.0 - failed + 1e-9);
    assert!(random.mean(|score| score.p95_ms).is_infinite());
    let found = snips(&logged, &FASTEST, |_| Configured::default(), 1).unwrap();
    assert!((found.logged_failed - 0.14).abs() < 0.02, "{found:?}");
}

#[test]
fn weights_of_the_config_are_kept() {
    let configured = |route: &RouteKey| Configured {
        weight: if *route == key("far") { 9.0 } else { 1.0 },
        ..Configured::default()
    };
    let recording = Recording::new(&log(4_000, 0.5), configured).unwrap();
    let worlds = (0..3).map(|seed| (seed, recording.world(seed, None)));
    let standings = played(worlds, &[("weighted", Policy::Weighted)]);
    let mean = standings.lines[0].mean(|score| score.mean_ms);
    // 0.9 of 800 ms, and 0.1 of 533 (22 hours of 400 and 2 of 2,000).
    assert!((mean - 773.0).abs() < 15.0, "{mean}");
}

#[test]
fn who_went_to_a_route_without_a_price_paid_nobody_knows_what() {
    let price = Quote {
        input: 1e-6,
        ..Quote::default()
    };
    let configured = |route: &RouteKey| Configured {
        quote: (*route == key("near")).then_some(price),
        ..Configured::default()
    };
    let recording = Recording::new(&log(4_000, 0.5), configured).unwrap();
    assert_eq!(recording.unpriced(), ["far/m"]);
    let worlds = (0..3).map(|seed| (seed, recording.world(seed, None)));
    let standings = played(worlds, &[("cheapest", Policy::Cheapest)]);
    let cost = |name: &str| {
        let mut lines = standings.lines.iter();
        let line = lines.find(|line| line.entrant.name() == name).unwrap();
        line.cost_per_1000()
    };
    // A thousand prompt tokens a request, and near alone.
    assert!((cost("best static").unwrap() - 1.0).abs() < 1e-9);
    assert_eq!(cost("round robin"), None);
    let recording = Recording::new(&log(4_000, 0.5), |_| Configured::default()).unwrap();
    let worlds = (0..3).map(|seed| (seed, recording.world(seed, None)));
    let standings = played(worlds, &[("cheapest", Policy::Cheapest)]);
    for line in &standings.lines {
        assert_eq!(line.cost_per_1000(), None, "{}", line.entrant.name());
    }
}

#[test]
fn recorded_chances_judge_a_policy_or_refuse_to() {
    let logged = log(4_000, 0.3);
    let found = snips(&logged, &FASTEST, |_| Configured::default(), 1).unwrap();
    // Always near: 22 hours of 400 ms and 2 of 2 s, less what is seen of the slow hours in time.
    let value = found.first_token_ms.value;
    assert!((410.0..540.0).contains(&value), "seed 17: {found:?}");
    assert!(found.first_token_ms.interval.contains(value));
    assert!(value < found.logged_ms, "{found:?}");
    assert!(found.effective > 1_000.0);
    // With one in a hundred explored, and a policy that would always take what was explored.
    let seldom = log(1_000, 0.01);
    let far = |route: &RouteKey| {
        let price = if *route == key("far") { 1e-6 } else { 1e-3 };
        let quote = Quote {
            input: price,
            ..Default::default()
        };
        Configured {
            quote: Some(quote),
            ..Configured::default()
        }
    };
    let Refused::TooFew { effective, .. } = snips(&seldom, &Policy::Cheapest, far, 1).unwrap_err();
    assert!(effective < 100.0);
}

#[test]
fn the_command_plays_simulated_worlds_and_traces() {
    let trace = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/traces/generated.csv"
    );
    for (arguments, part) in [
        (
            &["--world", "base", "--requests", "60", "--worlds", "2"][..],
            "last 10 mean",
        ),
        (
            &["--trace", trace, "--worlds", "1"],
            "400 requests of the trace",
        ),
    ] {
        let run = |more: &[&str]| {
            let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
                .arg("replay")
                .args(arguments)
                .args(more)
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        assert!(run(&[]).contains(part));
        let json: serde_json::Value = serde_json::from_str(&run(&["--format", "json"])).unwrap();
        assert_eq!(json["schema"], "tollgate.replay/1");
        assert_eq!(json["players"].as_array().unwrap().len(), 7);
    }
}

fn of_one_world(arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args([
        "replay",
        "--world",
        "base",
        "--requests",
        "20",
        "--worlds",
        "1",
    ]);
    command.args(arguments).output().unwrap()
}

#[test]
fn the_command_refuses_what_is_no_number_of_its_kind() {
    for arguments in [
        ["--policy", "luckiest"],
        ["--probability", "7"],
        ["--probability", "nan"],
        ["--probability", "1"],
        ["--dollars-per-second", "nan"],
        ["--dollars-per-second", "-1"],
        ["--limit-ms", "0"],
        ["--every", "inf"],
    ] {
        let arguments = [&arguments[0..1], &arguments[1..]].concat().join("=");
        let refused = of_one_world(&[&arguments]);
        assert_eq!(refused.status.code(), Some(2), "{arguments}: {refused:?}");
        assert!(!refused.stderr.is_empty(), "{arguments}");
    }
}

#[test]
fn one_world_has_no_interval() {
    let text = String::from_utf8(of_one_world(&[]).stdout).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("fastest"))
        .unwrap();
    assert!(line.contains(" [—, —]"), "{text}");
    let oracle = text
        .lines()
        .find(|line| line.starts_with("oracle"))
        .unwrap();
    assert!(oracle.contains(" 0.0 [—, —]"), "{text}");
}
