//! Runs `tollgate report experiments` on made-up worlds whose true effect is known.
//!
//! `WORLDS=1000 cargo test --release --test experiment_worlds -- --nocapture` runs as many.

#![expect(
    clippy::unwrap_used,
    reason = "what a test helper cannot do, its test cannot either"
)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tollgate::record::{
    Arm, Assigned, AssignedUnit, Coin, Enrolment, ExchangeRecord, KeyedHash, Mark, Nanos, Outcome,
    ProviderKind, Session, SessionSource, WallTime,
};
use tollgate::statistics::interval::wilson;

#[path = "support/filled.rs"]
#[expect(dead_code, reason = "other tests need the rest of it")]
mod filled;

use filled::records::{Random, START, realistic};

const MS: f64 = 1e6;

/// What a world is like.
#[derive(Debug, Clone, Copy)]
struct World {
    seed: u64,
    sessions: usize,
    /// What arm b adds to the first token, ms.
    effect: f64,
    /// The chance that a session of arm b is recorded at all.
    kept: f64,
}

/// A number of `[0, 1)`.
fn unit(random: &mut Random) -> f64 {
    (random.next() >> 11) as f64 / (1_u64 << 53) as f64
}

/// About a standard normal number: twelve of `[0, 1)` less six.
fn normal(random: &mut Random) -> f64 {
    (0..12).map(|_| unit(random)).sum::<f64>() - 6.0
}

/// The exchanges of a world, on virtual time: sessions of one to three requests, two in a hundred
/// of which fail.
fn exchanges(world: World) -> Vec<ExchangeRecord> {
    let mut random = Random(world.seed);
    let mut all = Vec::new();
    for session in 0..world.sessions {
        let coin = unit(&mut random);
        let arm = if coin < 0.5 { Arm::A } else { Arm::B };
        if arm == Arm::B && unit(&mut random) >= world.kept {
            continue;
        }
        let own = 0.25 * normal(&mut random);
        for turn in 0..=(session % 3) {
            let at = START.0 + session as i64 * 30_000_000 + turn as i64 * 7_000_000;
            let mut record = exchange(world, (arm, own), WallTime(at), &mut random);
            record.session = Some(Session {
                hash: KeyedHash(session as u64),
                source: SessionSource::Header,
                turn: turn as u32 + 1,
            });
            record.experiment = Some(Enrolment {
                experiment: "router-tax".into(),
                part: Ok(Assigned {
                    arm,
                    coin: Coin((coin * 4_294_967_296.0) as u32),
                    propensity: 500_000,
                    unit: AssignedUnit::Session,
                }),
            });
            all.push(record);
        }
    }
    all.sort_by_key(|record| record.id);
    all
}

fn exchange(
    world: World,
    (arm, own): (Arm, f64),
    started: WallTime,
    random: &mut Random,
) -> ExchangeRecord {
    let mut record = realistic(random, started, true);
    let routed = arm == Arm::B;
    let like = 300.0 * (own + 0.35 * normal(random)).exp();
    let first = like + if routed { world.effect } else { 0.0 };
    record.model = Some("gpt-4.1".into());
    if unit(random) < 0.02 {
        record.outcome = Outcome::UpstreamError;
    }
    let zero = record.started_at;
    let attempt = record.attempts.last_mut().unwrap();
    (attempt.provider, attempt.kind, attempt.model) = if routed {
        let model = Some("openai/gpt-4.1".into());
        ("openrouter".into(), ProviderKind::Router, model)
    } else {
        (
            "openai".into(),
            ProviderKind::Direct,
            Some("gpt-4.1".into()),
        )
    };
    let at = |ms: f64| zero.plus(Nanos((ms.max(1.0) * MS) as u64));
    for mark in [Mark::RouteChosen, Mark::SendStart] {
        attempt.timeline.set(mark, zero);
    }
    for (mark, ms) in [
        (Mark::RequestSent, 1.0),
        (Mark::Headers, first - 1.0),
        (Mark::FirstByte, first - 0.5),
        (Mark::FirstEvent, first),
        (Mark::FirstToken, first),
        (Mark::FirstAnswer, first),
        (Mark::FirstText, first),
        (Mark::LastToken, first + 900.0),
        (Mark::Usage, first + 901.0),
        (Mark::Done, first + 901.0),
        (Mark::Closed, first + 902.0),
    ] {
        attempt.timeline.set(mark, at(ms));
    }
    record.closed_at = at(first + 902.0);
    record
}

/// Runs the program on the store of `world` with a config that has the experiment.
fn run(directory: &Path, world: World, arguments: &[&str]) -> (i32, String) {
    let path = directory.join(format!("{}.redb", world.seed));
    drop(filled::store(&path, &exchanges(world)));
    let config = directory.join("tollgate.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .arg("--config")
        .arg(&config)
        .args(arguments)
        .args(["--since", "2026-01-01", "--until"])
        .arg(START.plus_secs(world.sessions as i64 * 30 + 30).rfc3339())
        .arg("--store")
        .arg(&path)
        .output()
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error, "");
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

const CONFIG: &str = r#"
[providers.openai]
[providers.openrouter]
[models."gpt-4.1"]
routes = [ { provider = "openai" }, { provider = "openrouter", model = "openai/gpt-4.1" } ]
[experiments.router-tax]
model = "gpt-4.1"
a = { provider = "openai" }
b = { provider = "openrouter" }
share = 0.5
"#;

/// The report on a world as JSON.
fn report(directory: &Path, world: World) -> Value {
    let (code, text) = run(
        directory,
        world,
        &["report", "experiments", "--format", "json"],
    );
    assert_eq!(code, 0, "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["schema"], "tollgate.report.experiments/1");
    report
}

/// The row of a table whose columns have these values.
fn row<'a>(report: &'a Value, table: &str, columns: &[(&str, &str)]) -> &'a Value {
    let rows = report["tables"][table].as_array().unwrap();
    let fits = |row: &&Value| columns.iter().all(|(key, value)| row[*key] == *value);
    rows.iter().find(fits).unwrap()
}

#[test]
fn an_effect_is_found_as_often_as_the_interval_says() {
    let worlds: u64 = std::env::var("WORLDS").map_or(51, |text| text.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    for (index, effect) in [40.0, 0.0, -15.0].into_iter().enumerate() {
        // First exchanges, all of a session together, and the typical shift.
        let mut held = [0; 3];
        let mut sum = 0.0;
        let seeds = (0..worlds).filter(|seed| seed % 3 == index as u64);
        let (mut told, mut hidden) = (0, 0);
        for seed in seeds {
            let world = World {
                seed,
                sessions: 700,
                effect,
                kept: 1.0,
            };
            let report = report(directory.path(), world);
            let decides = row(&report, "effects", &[("decides", "yes")]);
            assert_eq!(decides["badge"], "RANDOMISED");
            if decides["difference"].is_null() {
                // By chance the arms' sizes are not as drawn once in a thousand worlds.
                hidden += 1;
                continue;
            }
            let all = row(
                &report,
                "effects",
                &[("metric", "first_token"), ("of", "all")],
            );
            let shift = &report["tables"]["other_estimates"][0];
            told += 1;
            sum += decides["difference"].as_f64().unwrap();
            for (at, (found, key)) in [
                (decides, "difference"),
                (all, "difference"),
                (shift, "value"),
            ]
            .into_iter()
            .enumerate()
            {
                let end = |end: &str| found[format!("{key}_{end}")].as_f64().unwrap();
                held[at] += u64::from(end("low") <= effect && effect <= end("high"));
            }
        }
        println!(
            "effect {effect:+} ms: {told} worlds, {hidden} hidden, mean {:+.2} ms, held {held:?}",
            sum / told as f64
        );
        let rate = wilson(hidden, told + hidden, 0.05).unwrap();
        assert!(rate.interval.low <= 0.001, "{effect} ms: hidden {hidden}");
        for held in held {
            let rate = wilson(held, told, 0.05).unwrap();
            assert!(
                rate.interval.high >= 0.95,
                "{effect} ms: held {held} of {told}"
            );
        }
    }
}

#[test]
fn the_tax_by_lot_stands_beside_the_observed_one_and_apart() {
    let directory = tempfile::tempdir().unwrap();
    let world = World {
        seed: 5,
        sessions: 1_500,
        effect: 40.0,
        kept: 1.0,
    };
    let tax = |further: &[&str]| -> Value {
        let arguments = [&["report", "tax", "--format", "json"], further].concat();
        let (code, text) = run(directory.path(), world, &arguments);
        assert_eq!(code, 0, "{text}");
        serde_json::from_str(&text).unwrap()
    };
    let report = tax(&[]);
    let found = row(&report, "randomised", &[("metric", "first_token")]);
    assert!(found["badge"].as_str().unwrap().starts_with("RANDOMISED"));
    let end = |key: &str| found[key].as_f64().unwrap();
    assert!(
        end("difference_low") <= 40.0 && 40.0 <= end("difference_high"),
        "{found}"
    );
    // Nothing of it is in a figure that is called observational.
    assert!(report["tables"]["effects"].as_array().unwrap().is_empty());
    let findings = report["findings"].to_string();
    assert!(
        findings.contains("(RANDOMISED, experiment router-tax"),
        "{findings}"
    );
    // Narrowed by who served, no coin decided who is in it.
    let narrowed = tax(&["--providers", "openai,openrouter"]);
    assert!(narrowed["tables"]["randomised"].is_null());
    assert!(!narrowed["tables"]["effects"].as_array().unwrap().is_empty());
}

#[test]
fn a_leak_is_seen_and_hides_the_effect() {
    let directory = tempfile::tempdir().unwrap();
    let world = World {
        seed: 3,
        sessions: 1_500,
        effect: 40.0,
        kept: 2.0 / 3.0,
    };
    let report = report(directory.path(), world);
    let list = row(&report, "experiments", &[("experiment", "router-tax")]);
    assert!(list["difference"].is_null(), "{list}");
    let sizes = list["arms_sizes"].as_str().unwrap();
    assert!(sizes.starts_with("not as drawn: "), "{sizes}");
    let finding = report["findings"][0].as_str().unwrap();
    assert!(finding.contains("hidden"), "{finding}");
}

#[test]
fn every_format_has_the_badge_and_the_plan_its_days() {
    let directory = tempfile::tempdir().unwrap();
    let world = World {
        seed: 8,
        sessions: 900,
        effect: 40.0,
        kept: 1.0,
    };
    for (format, part) in [
        ("table", "may stop: different, b is worse"),
        ("markdown", "| arm |"),
        ("csv", "router-tax,RANDOMISED"),
        ("html", "<svg"),
    ] {
        let arguments = ["report", "experiments", "--format", format];
        let (code, text) = run(directory.path(), world, &arguments);
        assert_eq!(code, 0);
        assert!(text.contains(part) && text.contains("RANDOMISED"), "{text}");
        let wide = text.lines().find(|line| line.chars().count() > 100);
        assert!(format != "table" || wide.is_none(), "{wide:?}");
    }
    let plan = ["experiments", "plan", "router-tax"];
    let (code, text) = run(directory.path(), world, &plan);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("difference of 20.0 ms") && text.contains("needs about"),
        "{text}"
    );
    let nobody = World {
        sessions: 0,
        ..world
    };
    let (code, text) = run(directory.path(), nobody, &plan);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("cannot be planned: no history"), "{text}");
}
