//! Runs `tollgate report tax` on made-up worlds whose true tax is known.
//!
//! `WORLDS=1000 cargo test --release --test tax_worlds -- --nocapture` runs as many of each.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what a test helper cannot do, its test cannot either"
)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tollgate::analysis::reports::call::{Call, calls};
use tollgate::analysis::reports::tax::{Metric, compare};
use tollgate::record::{ExchangeRecord, KeyedHash, Mark, Nanos, ProviderKind, WallTime};
use tollgate::statistics::compare::Resampling;
use tollgate::statistics::interval::{Estimate, Interval, wilson};

#[path = "support/filled.rs"]
#[expect(dead_code, reason = "other tests need the rest of it")]
mod filled;

use filled::records::{Random, START, realistic};

const MS: f64 = 1e6;

/// What a world is like.
#[derive(Debug, Clone, Copy)]
struct World {
    seed: u64,
    exchanges: usize,
    /// What the router adds to the first token, ms.
    tax: f64,
    /// How much rather short prompts go through the router: 0 is a fair coin.
    lean: f64,
    /// How far conversations of three requests differ, as the deviation of a logarithm: 0 is not at
    /// all, and each request goes its own way.
    alike: f64,
}

/// A number of `[0, 1)`.
fn unit(random: &mut Random) -> f64 {
    (random.next() >> 11) as f64 / (1_u64 << 53) as f64
}

/// About a standard normal number: twelve of `[0, 1)` less six.
fn normal(random: &mut Random) -> f64 {
    (0..12).map(|_| unit(random)).sum::<f64>() - 6.0
}

/// The exchanges of a world, on virtual time: half an hour within one block of six hours.
fn exchanges(world: World) -> Vec<ExchangeRecord> {
    let mut random = Random(world.seed);
    (0..world.exchanges)
        .map(|n| {
            let started = WallTime(START.0 + (n as i64) * 1_800_000_000 / world.exchanges as i64);
            exchange(world, &mut random, started, n as u64 / 3)
        })
        .collect()
}

fn exchange(
    world: World,
    random: &mut Random,
    started: WallTime,
    conversation: u64,
) -> ExchangeRecord {
    let mut record = realistic(random, started, true);
    // What its conversation has in common.
    let mut common = Random(world.seed << 32 ^ conversation.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let (coin, drift) = (unit(&mut common), world.alike * normal(&mut common));
    let size = (unit(random) * (4096_f64 / 64.0).ln()).exp() * 64.0;
    let short = 1.0 - (size / 64.0).ln() / (4096_f64 / 64.0).ln();
    let own = unit(random);
    let drawn = if world.alike > 0.0 { coin } else { own };
    let routed = drawn < 0.5 + world.lean * (short - 0.5);
    let like = (150.0 + 0.08 * size) * (0.3 * normal(random) + drift).exp();
    let first = like + if routed { world.tax } else { 0.0 };
    if let Some(session) = record.session.as_mut().filter(|_| world.alike > 0.0) {
        session.hash = KeyedHash(conversation + 1);
    }
    record.model = Some("gpt-4.1".into());
    record.request.prompt_tokens_estimated = Some(size as u64);
    record.request.tools = None;
    record.tokens.usage.input = Some(size as u64);
    record.tokens.usage.cached_read = Some(0);
    let attempt = record.attempts.last_mut().unwrap();
    attempt.reused = true;
    (
        attempt.provider,
        attempt.kind,
        attempt.model,
        attempt.served_by,
    ) = if routed {
        let router = ProviderKind::Router;
        (
            "openrouter".into(),
            router,
            Some("openai/gpt-4.1".into()),
            Some("OpenAI".into()),
        )
    } else {
        (
            "openai".into(),
            ProviderKind::Direct,
            Some("gpt-4.1".into()),
            None,
        )
    };
    let sent = attempt.timeline.get(Mark::SendStart).unwrap();
    let at = |ms: f64| sent.plus(Nanos((ms.max(1.0) * MS) as u64));
    for (mark, ms) in [
        (Mark::RequestSent, 0.0),
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
    record
}

/// The report of `world`, as the program prints it.
fn report(directory: &Path, world: World, format: &str) -> String {
    let path = directory.join(format!("{}.redb", world.seed));
    drop(filled::store(&path, &exchanges(world)));
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args([
            "report",
            "tax",
            "--since",
            "2026-01-01",
            "--until",
            "2030-01-01",
        ])
        .args(["--format", format, "--store"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // `KEEP=directory` leaves the store to be looked at.
    if let Some(keep) = std::env::var_os("KEEP") {
        std::fs::copy(&path, Path::new(&keep).join("world.redb")).unwrap();
    }
    std::fs::remove_file(&path).unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The row of the first token in the table of effects.
fn first_token(report: &str) -> Value {
    let report: Value = serde_json::from_str(report).unwrap();
    assert_eq!(report["schema"], "tollgate.report.tax/1");
    let rows = report["tables"]["effects"].as_array().unwrap();
    let row = rows.iter().find(|row| row["metric"] == "first_token");
    row.unwrap().clone()
}

#[test]
fn a_tax_is_found_as_often_as_the_interval_says() {
    coverage(40.0, 0.0);
}

#[test]
fn conversations_whose_requests_are_alike_widen_the_interval() {
    coverage(40.0, 0.4);
}

#[test]
fn no_tax_is_found_as_often_as_the_interval_says() {
    coverage(0.0, 0.0);
}

#[test]
fn a_negative_tax_is_found_as_often_as_the_interval_says() {
    coverage(-15.0, 0.0);
}

/// Fifty worlds of three taxes together, and as many of conversations, unless `WORLDS` says how many of each.
fn coverage(tax: f64, alike: f64) {
    let worlds: u64 = std::env::var("WORLDS").map_or(17, |text| text.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let (mut told, mut held, mut sum) = (0, 0, 0.0);
    for seed in 0..worlds {
        // Conversations go one way together: it takes more of them to be alike in the hour.
        let exchanges = if alike > 0.0 { 1_800 } else { 1_200 };
        let world = World {
            seed,
            exchanges,
            tax,
            lean: 0.5,
            alike,
        };
        let row = first_token(&report(directory.path(), world, "json"));
        let number = |key: &str| row[key].as_f64();
        let Some(value) = number("difference") else {
            // Chance left prompt sizes or hours too far apart: nothing is said.
            continue;
        };
        told += 1;
        sum += value;
        let low = number("difference_low").unwrap();
        let high = number("difference_high").unwrap();
        held += u64::from(low <= tax && tax <= high);
    }
    let rate = wilson(held, told, 0.05).unwrap();
    println!(
        "tax {tax:+} ms, alike {alike}: seeds 0 to {}, told {told}, mean {:+.2} ms, held {held}: {:.1} % [{:.1}, {:.1}]",
        worlds - 1,
        sum / told as f64,
        rate.value * 100.0,
        rate.interval.low * 100.0,
        rate.interval.high * 100.0
    );
    assert!(told * 2 >= worlds, "told in {told} of {worlds}");
    assert!(rate.interval.high >= 0.95, "held {held} of {told}");
}

/// Two hundred looks at a world without a tax, every six exchanges: how often an interval ever
/// leaves zero. Eight worlds, unless `WORLDS` says how many.
#[test]
fn two_hundred_looks_at_no_tax_seldom_find_one_where_any_look_is_allowed() {
    let worlds: u64 = std::env::var("WORLDS").map_or(8, |text| text.parse().unwrap());
    let (mut any, mut once, mut looked) = (0, 0, 0);
    for seed in 0..worlds {
        let world = World {
            seed: 20_000 + seed,
            exchanges: 1_200,
            tax: 0.0,
            lean: 0.3,
            alike: 0.0,
        };
        let found = exchanges(world);
        let seen = found
            .iter()
            .flat_map(|record| calls(record, |_| true).unwrap());
        let seen: Vec<Call> = seen.collect();
        let mut left = [false; 2];
        for look in 1..=200 {
            let of = |kind: ProviderKind| -> Vec<&Call> {
                let by_now = seen[..look * 6].iter();
                by_now.filter(|call| call.kind == kind).collect()
            };
            let (route, reference) = (of(ProviderKind::Router), of(ProviderKind::Direct));
            let how = Resampling {
                replicates: 1_000,
                ..Resampling::seeded(1)
            };
            let found = compare(&route, &reference, &[Metric::FirstToken], &how, 1);
            let Ok(effect) = &found[0].effect else {
                continue;
            };
            left[0] |= effect.at_any_time.is_some_and(|at| !at.contains(0.0));
            left[1] |= !effect.difference.interval.contains(0.0);
            looked += u64::from(effect.at_any_time.is_some());
        }
        any += u64::from(left[0]);
        once += u64::from(left[1]);
    }
    let [any, once] = [any, once].map(|count| wilson(count, worlds, 0.05).unwrap());
    let percent = |rate: &Estimate| {
        let Interval { low, high } = rate.interval.map(|end| end * 100.0);
        format!("{:.1} % [{low:.1}, {high:.1}]", rate.value * 100.0)
    };
    println!(
        "A/A under 200 looks, seeds 20000 to {}, {:.0} looks with an interval a world: at any look {}, for one look {}",
        19_999 + worlds,
        looked as f64 / worlds as f64,
        percent(&any),
        percent(&once)
    );
    assert!(looked > 100 * worlds, "too few looks had an interval");
    assert!(any.interval.low <= 0.05, "{any:?}");
    // Enough worlds show that the looks would find something where they are not allowed.
    assert!(worlds < 100 || once.interval.low > 0.05, "{once:?}");
}

#[test]
fn in_a_confounded_world_the_plain_difference_is_wrong_and_ours_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let world = World {
        seed: 4,
        exchanges: 8_000,
        tax: 40.0,
        lean: 0.95,
        alike: 0.0,
    };
    let text = report(directory.path(), world, "json");
    let row = first_token(&text);
    let naive = row["naive_difference"].as_f64().unwrap();
    let value = row["difference"].as_f64().unwrap();
    println!("true +40 ms: unadjusted {naive:+.1} ms, ours {value:+.1} ms");
    assert!(naive < 0.0, "{naive}");
    assert!((25.0..55.0).contains(&value), "{value}");
    assert_eq!(row["verdict"], "different");
    let html = report(directory.path(), world, "html");
    assert!(html.contains("<svg") && html.contains("OBSERVATIONAL"));
}

#[test]
fn the_same_store_and_seed_give_the_same_report() {
    let directory = tempfile::tempdir().unwrap();
    let world = World {
        seed: 9,
        exchanges: 800,
        tax: 40.0,
        lean: 0.2,
        alike: 0.0,
    };
    let [one, other] = [0, 1].map(|_| {
        let mut report: Value =
            serde_json::from_str(&report(directory.path(), world, "json")).unwrap();
        report["head"]["made"].take();
        report
    });
    assert_eq!(one, other);
}
