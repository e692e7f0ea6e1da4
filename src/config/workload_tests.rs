//! Holds workload files against what they say, and bad ones against their messages.

use super::*;

const YAML: &str = "\
benchmark_workload:
  name: chatbot_support
  version: \"1.0\"
  description: costs $5 at most
  request_distribution:
    - { percentile: 50, input_tokens: 200, output_tokens: 150 }
    - { percentile: 95, input_tokens: 400, output_tokens: 250 }
    - percentile: 99
      input_tokens: 800
      output_tokens: 400
  latency_sla_ms: 2000
  concurrent_users: 50
  test_duration_seconds: 300
";

const TOML: &str = r#"
[benchmark_workload]
name = "chatbot_support"
version = "1.0"
description = "costs $5 at most"
request_distribution = [
    { percentile = 50, input_tokens = 200, output_tokens = 150 },
    { percentile = 95, input_tokens = 400, output_tokens = 250 },
    { percentile = 99, input_tokens = 800, output_tokens = 400 },
]
latency_sla_ms = 2000
concurrent_users = 50
test_duration_seconds = 300
"#;

const JSON: &str = r#"{"benchmark_workload": {"name": "chatbot_support", "version": "1.0",
"description": "costs $5 at most", "request_distribution": [
{"percentile": 50, "input_tokens": 200, "output_tokens": 150},
{"percentile": 95, "input_tokens": 400, "output_tokens": 250},
{"percentile": 99, "input_tokens": 800, "output_tokens": 400}],
"latency_sla_ms": 2000, "concurrent_users": 50, "test_duration_seconds": 300}}"#;

#[test]
fn one_load_reads_alike_in_every_language() {
    let load = read(YAML, "w.yaml").unwrap();
    assert_eq!(load.name, "chatbot_support");
    assert_eq!(load.version, "1.0");
    assert_eq!(load.description, "costs $5 at most");
    assert_eq!(load.sizes.percentiles().len(), 3);
    assert_eq!(load.sla.latency, Nanos::from_millis(2_000));
    assert!((load.sla.within - 0.95).abs() < 1e-9);
    let demand = Demand::Users {
        count: 50,
        think: Nanos(0),
    };
    assert_eq!(load.demand, demand);
    assert_eq!(load.phases.sustain, Nanos::from_millis(300_000));
    assert_eq!(read(TOML, "w.toml"), Ok(load.clone()));
    assert_eq!(read(JSON, "w.json"), Ok(load));
}

#[test]
fn the_shipped_load_is_one() {
    let load = read(CHAT, "chat.yaml").unwrap();
    assert_eq!((load.name.as_str(), load.warm_ups), ("chat", WARM_UPS));
    assert_eq!(load.phases.ramp, Nanos((RAMP_SECONDS * 1e9) as u64));
    assert_eq!(load.phases.cool, Nanos((COOL_SECONDS * 1e9) as u64));
}

#[test]
fn every_further_key_is_read() {
    let text = YAML.replace(
        "  concurrent_users: 50\n",
        "  requests_per_second: 2.5\n  arrivals: constant\n  first_token_sla_ms: 300\n  \
         served_within_sla: 0.9\n  error_rate_max: 0.05\n  warm_up_requests: 0\n  \
         ramp_up_seconds: 0.5\n  cool_down_seconds: 0\n",
    );
    let load = read(&text, "w.yml").unwrap();
    let demand = Demand::Rate {
        rate: 2.5,
        constant: true,
    };
    assert_eq!(load.demand, demand);
    let sla = Sla {
        latency: Nanos::from_millis(2_000),
        first_token: Some(Nanos::from_millis(300)),
        within: 0.9,
        error_share: 0.05,
    };
    assert_eq!(load.sla, sla);
    assert_eq!(load.warm_ups, 0);
    assert_eq!(
        (load.phases.ramp, load.phases.cool),
        (Nanos::from_millis(500), Nanos(0))
    );
}

/// Where each problem of a text stands, and what the message has.
fn problems(text: &str, file: &str) -> Vec<(Option<usize>, String, String)> {
    let found = read(text, file).unwrap_err();
    assert_eq!(found.file, file);
    let list = found.list.iter();
    list.map(|of| (of.line, of.key_path.clone(), of.render(file)))
        .collect()
}

#[test]
fn a_bad_load_is_told_with_line_and_key() {
    let with = |from: &str, to: &str| YAML.replace(from, to);
    let toml = |from: &str, to: &str| TOML.replace(from, to);
    for (text, file, line, key, part) in [
        (
            with("latency_sla_ms: 2000", "latency_sla_ms: soon"),
            "w.yaml",
            11,
            "latency_sla_ms",
            "expected: a number",
        ),
        (
            with("latency_sla_ms: 2000", "latency_sla_ms: -5"),
            "w.yaml",
            11,
            "latency_sla_ms",
            "the integer -5",
        ),
        (
            with("latency_sla_ms: 2000", "latency_sla: 2000"),
            "w.yaml",
            11,
            "latency_sla",
            "did you mean `latency_sla_ms`?",
        ),
        (
            with("percentile: 95", "percentile: 40"),
            "w.yaml",
            7,
            "request_distribution[1]",
            "out of place",
        ),
        (
            with("output_tokens: 400", "output_tokens: 4"),
            "w.yaml",
            8,
            "request_distribution[2]",
            "fewer tokens",
        ),
        (
            with(", output_tokens: 150", ""),
            "w.yaml",
            6,
            "request_distribution[0]",
            "input_tokens and output_tokens",
        ),
        (
            with("concurrent_users: 50", "concurrent_users: 0"),
            "w.yaml",
            12,
            "concurrent_users",
            "users from 1",
        ),
        (
            with(
                "concurrent_users: 50",
                "requests_per_second: 5\n  concurrent_users: 50",
            ),
            "w.yaml",
            12,
            "requests_per_second",
            "not both",
        ),
        (
            toml("concurrent_users = 50", "concurrent_users = \"fifty\""),
            "w.toml",
            12,
            "concurrent_users",
            "a text",
        ),
        (
            toml("test_duration_seconds = 300", "test_duration_seconds = 0"),
            "w.toml",
            13,
            "test_duration_seconds",
            "over zero",
        ),
        (
            toml(
                "latency_sla_ms = 2000",
                "served_within_sla = 1\nlatency_sla_ms = 1",
            ),
            "w.toml",
            11,
            "served_within_sla",
            "0.5 to under 1",
        ),
    ] {
        let found = problems(&text, file);
        let key = format!("benchmark_workload.{key}");
        let hit = found
            .iter()
            .find(|(at, path, says)| *at == Some(line) && *path == key && says.contains(part));
        assert!(hit.is_some(), "{key}: {found:#?}");
    }
}

#[test]
fn everything_wrong_is_told_at_once() {
    let text = YAML
        .replace("latency_sla_ms: 2000", "latency_sla_ms: x")
        .replace("concurrent_users: 50", "users: 50")
        .replace("percentile: 95", "percentile: 4");
    let keys: Vec<String> = problems(&text, "w.yaml")
        .into_iter()
        .map(|(_, key, _)| key.replace("benchmark_workload", "w"))
        .collect();
    for key in [
        "w.latency_sla_ms",
        "w.users",
        "w.request_distribution[1]",
        "w",
    ] {
        assert!(keys.iter().any(|found| found == key), "{key}: {keys:?}");
    }
}

#[test]
fn what_is_not_the_language_is_told_by_its_line() {
    for (text, file, line) in [
        (
            "benchmark_workload:\n  name: [1, 2\n  b: }\n",
            "w.yaml",
            Some(3),
        ),
        ("benchmark_workload:\n  a: *b\n", "w.yaml", Some(2)),
        (
            "benchmark_workload:\n  a: &b 1\n  c: *b\n",
            "w.yaml",
            Some(3),
        ),
        (
            "benchmark_workload:\n  name: a\n  name: b\n",
            "w.yaml",
            Some(3),
        ),
        ("a: 1\n---\nb: 2\n", "w.yaml", Some(2)),
        ("[benchmark_workload]\nname =\n", "w.toml", Some(2)),
        ("just a text\n", "w.yaml", Some(1)),
        ("", "w.yaml", Some(1)),
        ("", "w.toml", Some(1)),
    ] {
        let found = problems(text, file);
        assert_eq!(found[0].0, line, "{text}: {found:#?}");
    }
    let deep = format!("a: {}", "[".repeat(40));
    assert!(!problems(&deep, "w.yaml").is_empty());
}

#[test]
fn a_value_that_cannot_be_read_is_told_once() {
    for (from, to, key) in [
        (
            "concurrent_users: 50",
            "concurrent_users: 4.5",
            "benchmark_workload.concurrent_users",
        ),
        (
            "concurrent_users: 50",
            "requests_per_second: many",
            "benchmark_workload.requests_per_second",
        ),
        (
            "percentile: 95",
            "percentile: -5",
            "benchmark_workload.request_distribution[1].percentile",
        ),
    ] {
        let found = problems(&YAML.replace(from, to), "w.yaml");
        let keys: Vec<&str> = found.iter().map(|(_, key, _)| key.as_str()).collect();
        assert_eq!(keys, [key], "{to}");
    }
    let none = problems(&YAML.replace("concurrent_users: 50", ""), "w.yaml");
    assert!(none[0].2.contains("neither"), "{none:?}");
}
