//! Runs `tollgate bench` itself against simulated providers: what it asks, keeps, and goes on with.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tollgate::simulator::{Behaviour, Config, Persona, Quirks, Simulator};

fn simulator() -> Simulator {
    Simulator::start(Config {
        personas: vec![Persona::new(Quirks::openai(), Behaviour::default())],
        ..Config::default()
    })
    .unwrap()
}

/// A model with a direct route and a router's, another that fails at the router.
fn config(folder: &Path, simulator: &Simulator) {
    let address = simulator.addr();
    let store = folder.join("store.redb");
    let text = format!(
        r#"
        store.path = "{}"
        [providers.direct]
        base_url = "http://{address}/v1"
        api_key = "sk-one"
        [providers.router]
        base_url = "http://{address}/v1"
        api_key = "sk-two"
        kind = "router"
        [models.m]
        routes = [
            {{ provider = "direct", model = "sim:ft-2ms:gap-1ms:n-20" }},
            {{ provider = "router", model = "sim:ft-9ms:gap-1ms:n-20" }},
        ]
        [models.bad]
        routes = [
            {{ provider = "direct", model = "sim:ft-2ms:gap-1ms:n-20" }},
            {{ provider = "router", model = "sim:fault-http_500" }},
        ]
        [models.cut]
        routes = [{{ provider = "direct", model = "sim:n-20:fault-close_mid" }}]
        [[prices.rows]]
        providers = ["direct", "router"]
        models = ["sim*"]
        input = 1
        output = 10
        "#,
        store.display()
    );
    fs::write(folder.join("tollgate.toml"), text).unwrap();
}

fn tollgate(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command
        .current_dir(folder)
        .args(["--config", "tollgate.toml"])
        .args(args);
    command.output().unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn exchanges(result: &Value) -> Vec<&Value> {
    let all = result["exchanges"].as_array().unwrap();
    all.iter().map(|line| &line["exchange"]).collect()
}

#[test]
fn pairs_ask_both_routes_the_same_and_are_kept() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let pairs = [
        "bench",
        "--models",
        "m",
        "--pairs",
        "11",
        "--warm-ups",
        "1",
        "--seed",
        "5",
    ];
    let run = |name: &str| {
        let output = tollgate(folder, &[&pairs[..], &["--run", name, "--json"]].concat());
        assert!(output.status.success(), "{}", error(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let result = run("one");
    assert_eq!(result["schema"], "tollgate.bench/1");
    assert_eq!(
        (&result["end"], &result["plan"]["seed"]),
        (&"complete".into(), &5.into())
    );
    let binary = result["environment"]["binary_sha256"].as_str().unwrap();
    assert_eq!(binary.len(), 64);
    assert_eq!(exchanges(&result).len(), 2 * 12);
    let mut of_pairs: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
    for exchange in exchanges(&result) {
        assert_eq!(exchange["origin"], "bench", "{exchange}");
        assert_eq!(exchange["outcome"], "ok", "{exchange}");
        assert_eq!(exchange["active"]["run"], "one");
        if let Some(number) = exchange["active"]["pair"].as_u64() {
            of_pairs.entry(number).or_default().push(exchange);
        }
    }
    assert_eq!(
        of_pairs.keys().copied().collect::<Vec<_>>(),
        (0..11).collect::<Vec<_>>()
    );
    for (number, both) in &of_pairs {
        let [first, second] = both[..] else {
            panic!("pair {number}: {both:?}")
        };
        assert_eq!(
            first["request"]["prompt_hash"],
            second["request"]["prompt_hash"]
        );
        let route = |exchange: &Value| exchange["attempts"][0]["provider"].clone();
        assert_ne!(route(first), route(second), "pair {number}");
    }
    let asked = |result: &Value| -> Vec<String> {
        let all = exchanges(result).into_iter();
        all.map(|exchange| {
            format!(
                "{} {}",
                exchange["attempts"][0]["provider"], exchange["request"]["bytes"]
            )
        })
        .collect()
    };
    assert_eq!(
        asked(&result),
        asked(&run("two")),
        "the same seed asks the same"
    );
    for route in result["routes"].as_array().unwrap() {
        assert_eq!(
            (&route["n"], &route["failed"]),
            (&11.into(), &0.into()),
            "{route}"
        );
        assert_eq!(route["quality"]["judged"], 11, "{route}");
    }
    // They are in the store, apart from clients' own traffic.
    let of = |origin| {
        tollgate(
            folder,
            &["report", "models", "--origin", origin, "--format", "csv"],
        )
    };
    let bench = String::from_utf8(of("bench").stdout).unwrap();
    assert!(bench.contains("router"), "{bench}");
    let live = String::from_utf8(of("live").stdout).unwrap();
    assert!(!live.contains("router"), "{live}");
}

#[test]
fn a_run_that_broke_off_goes_on_where_it_was() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let args = [
        "bench",
        "--models",
        "m,bad",
        "--iterations",
        "4",
        "--warm-ups",
        "0",
        "--seed",
        "9",
        "--run",
        "broken",
        "--json",
    ];
    let output = tollgate(folder, &args);
    assert!(output.status.success(), "{}", error(&output));
    let whole: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(exchanges(&whole).len(), 16);
    let failed = whole["routes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|route| &route["failed"]);
    assert_eq!(
        failed.collect::<Vec<_>>(),
        [0, 0, 0, 4],
        "a route that dies ends no run"
    );
    // As after a kill: the last line is cut off.
    let lines = folder.join("results/broken/exchanges.jsonl");
    let text = fs::read_to_string(&lines).unwrap();
    let cut: usize = text.lines().take(9).map(|line| line.len() + 1).sum();
    fs::write(&lines, &text[..cut - 40]).unwrap();
    let before = simulator.request_count();
    let output = tollgate(folder, &args);
    assert!(output.status.success(), "{}", error(&output));
    assert_eq!(
        simulator.request_count() - before,
        8,
        "only what was missing"
    );
    let again: Value = serde_json::from_slice(&output.stdout).unwrap();
    // A third start finds whole lines and asks nothing.
    let output = tollgate(folder, &args);
    assert!(output.status.success(), "{}", error(&output));
    assert_eq!(simulator.request_count() - before, 8);
    let tasks: BTreeSet<u64> = again["exchanges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["task"].as_u64().unwrap())
        .collect();
    assert_eq!(tasks, (0..16).collect());
}

#[test]
fn what_may_cost_too_much_or_cannot_be_is_not_begun() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    fs::write(folder.join("empty.txt"), "\n \n").unwrap();
    for (args, message) in [
        (
            &["--models", "m", "--max-cost", "0.0001"][..],
            "over --max-cost",
        ),
        (&["--models", "nobody"], "no provider here serves nobody"),
        (
            &["--models", "m", "--providers", "none"],
            "no provider is called none",
        ),
        (
            &["--models", "m", "--providers", "direct", "--pairs", "3"],
            "two routes to one model",
        ),
        (
            &["--models", "m", "--prompts", "empty.txt"],
            "holds no prompt",
        ),
        (
            &["--models", "m", "--run", "../x"],
            "--run may have letters",
        ),
    ] {
        let output = tollgate(folder, &[&["bench"], args].concat());
        assert_eq!(
            output.status.code(),
            Some(2),
            "{args:?}: {}",
            error(&output)
        );
        assert!(
            error(&output).contains(message),
            "{args:?}: {}",
            error(&output)
        );
    }
    let output = tollgate(folder, &["bench", "--models", "m", "--dry-run"]);
    assert!(output.status.success(), "{}", error(&output));
    assert!(error(&output).contains("at most $"), "{}", error(&output));
    assert_eq!(simulator.request_count(), 0);
}

#[test]
fn sweeps_json_and_conversations_have_their_reports() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    for (args, report) in [
        (&["--sweep-tokens", "16,32"][..], "length"),
        (&["--json-mode"], "JSON"),
        (&["--cache-turns", "3"], "cache"),
    ] {
        let usual = [
            "bench",
            "--models",
            "m",
            "--iterations",
            "3",
            "--warm-ups",
            "0",
            "--run",
        ];
        let output = tollgate(folder, &[&usual[..], &[report], args].concat());
        assert!(output.status.success(), "{}", error(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(report), "{report}: {text}");
        let file = folder.join(format!("results/{report}/benchmark.json"));
        let result: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let count = if report == "cache" { 18 } else { 12 };
        assert_eq!(exchanges(&result).len(), count, "{report}");
    }
}

#[test]
fn an_answer_that_breaks_off_is_a_failure_in_the_result() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let args = [
        "bench",
        "--models",
        "cut",
        "--iterations",
        "3",
        "--warm-ups",
        "0",
        "--json",
    ];
    let output = tollgate(folder, &args);
    assert!(output.status.success(), "{}", error(&output));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    let route = &result["routes"][0];
    assert_eq!(
        (&route["n"], &route["failed"]),
        (&3.into(), &3.into()),
        "{route}"
    );
    for exchange in exchanges(&result) {
        assert_eq!(exchange["outcome"], "truncated", "{exchange}");
    }
    assert_eq!(route["quality"]["judged"], 0, "{route}");
}
