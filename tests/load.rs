//! Runs `tollgate bench load` itself against simulated providers: open and closed loops, the search,
//! bad workloads, a route that dies, an interrupt.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tollgate::simulator::{Behaviour, Config, Persona, Quirks, Simulator};

#[path = "support/schema.rs"]
mod schema;

fn simulator() -> Simulator {
    Simulator::start(Config {
        personas: vec![Persona::new(Quirks::openai(), Behaviour::default())],
        ..Config::default()
    })
    .unwrap()
}

/// Models of known behaviour, at one provider.
fn config(folder: &Path, simulator: &Simulator) {
    let address = simulator.addr();
    let store = folder.join("store.redb");
    let text = format!(
        r#"
        store.path = "{}"
        [providers.direct]
        base_url = "http://{address}/v1"
        api_key = "sk-one"
        [models.quick]
        routes = [{{ provider = "direct", model = "sim:ft-60ms:gap-1ms:n-6" }}]
        [models.slow]
        routes = [{{ provider = "direct", model = "sim:ft-900ms:n-2" }}]
        [models.limited]
        routes = [{{ provider = "direct", model = "sim:ft-60ms:n-4:fault-rate_limit:rate-0.5" }}]
        [[prices.rows]]
        providers = ["direct"]
        models = ["sim*"]
        input = 1
        output = 10
        "#,
        store.display()
    );
    fs::write(folder.join("tollgate.toml"), text).unwrap();
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command
        .current_dir(folder)
        .args(["--config", "tollgate.toml", "bench", "load"])
        .args(args);
    command
}

fn load(folder: &Path, args: &[&str]) -> Output {
    let short = ["--warm-ups", "2", "--ramp", "200ms", "--cool", "100ms"];
    let cap: &[&str] = if args.contains(&"--max-cost") {
        &[]
    } else {
        &["--max-cost", "50"]
    };
    command(folder, &[args, &short[..], cap].concat())
        .output()
        .unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The result file of a run. Whether it is void is the machine's affair, not the test's.
fn result(folder: &Path, run: &str) -> Value {
    let file = folder.join(format!("results/{run}/load.json"));
    let value: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(value["schema"], "tollgate.load/1");
    assert_eq!(value["run"], run);
    value
}

fn lines(folder: &Path, run: &str) -> Vec<Value> {
    let file = folder.join(format!("results/{run}/exchanges.jsonl"));
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

/// Ended well, or void: exit code 1 only where the file says so too.
fn ended_well(output: &Output, result: &Value) {
    let code = i32::from(result["void"] == true);
    assert_eq!(output.status.code(), Some(code), "{}", error(output));
    assert_eq!(result["end"], "complete");
}

#[test]
fn an_open_loop_sends_at_its_rate_and_counts_from_the_intended_start() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let args = [
        "--models",
        "quick",
        "--rate",
        "40",
        "--constant",
        "--duration",
        "3s",
        "--seed",
        "5",
        "--run",
        "open",
        "--rpm-limit",
        "4800",
    ];
    let output = load(folder, &args);
    let result = result(folder, "open");
    ended_well(&output, &result);
    let step = &result["routes"][0]["steps"][0];
    let n = step["n"].as_u64().unwrap();
    assert!((119..=121).contains(&n), "{step}");
    assert_eq!(step["outcomes"]["ok"], n, "{step}");
    assert_eq!(step["load"]["requests_per_s"], 40.0);
    let number = |value: &Value| value.as_f64().unwrap();
    let latency = number(&step["latency_ms"]["p50"]["value"]);
    let from_send = number(&step["latency_from_send_ms"]["p50"]["value"]);
    assert!(latency >= from_send && from_send >= 60.0, "{step}");
    assert!((number(&step["offered_requests_per_s"]) - 40.0).abs() < 0.5);
    assert!((number(&step["limits"]["requests_per_minute"]["share"]) - 0.5).abs() < 0.01);
    assert!(number(&step["output_tokens_per_s"]) > 0.0, "{step}");
    assert!(number(&step["cost_per_1000_usd"]) > 0.0, "{step}");
    assert!(step["lag"]["p99_ms"].is_number(), "{step}");
    assert_eq!(result["settings"]["seed"], 5);
    assert_eq!(
        result["environment"]["binary_sha256"]
            .as_str()
            .unwrap()
            .len(),
        64
    );
    // Raw exchanges: warm-ups, ramp and end too, each with its intended start.
    let lines = lines(folder, "open");
    assert_eq!(lines.len() as u64, simulator.request_count());
    assert!(lines.len() > 120);
    for line in &lines {
        assert_eq!(line["schema"], "tollgate.load.exchange/1");
        assert_eq!(line["exchange"]["origin"], "load");
        assert_eq!(line["exchange"]["active"]["run"], "open");
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("Latency from the intended start"), "{text}");
    assert!(error(&output).contains("cap $50.00"), "{}", error(&output));
    // The same name is another run's.
    let output = load(folder, &args);
    assert_eq!(output.status.code(), Some(2), "{}", error(&output));
    assert!(error(&output).contains("holds another run"));
}

#[test]
fn users_of_a_workload_file_wait_for_their_answers() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let yaml = "benchmark_workload:\n  name: users\n  version: 2\n  request_distribution:\n    \
                - { percentile: 50, input_tokens: 30, output_tokens: 20 }\n    \
                - { percentile: 99, input_tokens: 60, output_tokens: 40 }\n  \
                latency_sla_ms: 1000\n  concurrent_users: 4\n  think_time_ms: 40\n  \
                test_duration_seconds: 3\n";
    fs::write(folder.join("users.yaml"), yaml).unwrap();
    let args = [
        "--models",
        "quick",
        "--workload",
        "users.yaml",
        "--run",
        "closed",
    ];
    let output = load(folder, &args);
    let result = result(folder, "closed");
    ended_well(&output, &result);
    assert_eq!(result["workload"]["name"], "users");
    assert_eq!(result["workload"]["version"], "2");
    let step = &result["routes"][0]["steps"][0];
    assert_eq!(step["load"]["users"], 4.0);
    let in_flight = step["in_flight"].as_f64().unwrap();
    assert!(in_flight > 1.0 && in_flight <= 4.0, "{step}");
    let n = step["n"].as_u64().unwrap();
    // Four users who each take 100 ms at least a turn, and a second on a machine that is busy.
    assert!(n > 8 && n <= 124, "{step}");
    assert_eq!(step["failed"], 0, "{step}");
}

#[test]
fn a_trace_is_sent_as_it_was_recorded() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let trace = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                 2023-11-16 18:15:46.6805900,374,44\n\
                 2023-11-16 18:15:48.6805900,12,9\n\
                 2023-11-16 18:15:49.6805900,700,3\n";
    fs::write(folder.join("trace.csv"), trace).unwrap();
    let args = [
        "--models",
        "quick",
        "--trace",
        "trace.csv",
        "--speed",
        "2",
        "--run",
        "trace",
    ];
    let output = load(folder, &args);
    let result = result(folder, "trace");
    ended_well(&output, &result);
    assert_eq!(result["settings"]["trace"]["requests"], 3);
    assert_eq!(result["routes"][0]["steps"][0]["n"], 3);
    let asked: Vec<Option<u64>> = lines(folder, "trace")
        .iter()
        .filter(|line| line["exchange"]["active"]["warm_up"] != true)
        .map(|line| line["exchange"]["request"]["max_tokens"].as_u64())
        .collect();
    assert_eq!(asked, [Some(44), Some(9), Some(3)]);
}

#[test]
fn a_search_says_what_held_and_why_it_was_over() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    // The largest load allowed holds, or the machine is too slow to say.
    let args = [
        "--models",
        "quick",
        "--users",
        "20",
        "--sweep",
        "--max",
        "40",
        "--sla",
        "30s",
        "--within",
        "0.8",
        "--duration",
        "1s",
        "--run",
        "holds",
    ];
    let output = load(folder, &args);
    let found = result(folder, "holds");
    keeps_its_schema(folder, &found);
    let charts = ["bench", "charts", "results", "--out", "charts"];
    let charts = program(folder, &charts);
    assert!(charts.status.success(), "{}", error(&charts));
    for kind in ["svg", "png", "txt"] {
        let file = fs::read(folder.join(format!("charts/holds-load.{kind}"))).unwrap();
        assert!(!file.is_empty(), "{kind}");
    }
    let pivot = fs::read_to_string(folder.join("results/holds/pivot.csv")).unwrap();
    let rows: Vec<&str> = pivot.lines().collect();
    assert_eq!(rows[0], "model,figure,not said");
    for figure in ["requests_per_s", "latency_p95_ms", "requests_per_s_at_sla"] {
        let row = format!("quick,{figure},");
        assert!(rows.iter().any(|of| of.starts_with(&row)), "{pivot}");
    }
    let text = error(&output);
    assert!(
        text.contains("the search takes ") && text.contains(" in all"),
        "{text}"
    );
    let route = &found["routes"][0];
    for step in route["steps"].as_array().unwrap() {
        assert!(step["over_time"].is_array(), "{step}");
    }
    let why = route["capacity"]["why"].as_str().unwrap();
    assert!(["at_max", "found", "generator"].contains(&why), "{route}");
    assert!(route["steps"].as_array().unwrap().len() >= 2, "{route}");
    assert!(found["settings"]["search"]["stop_rule"].is_string());
    assert_eq!(found["end"], "complete", "{}", error(&output));
    // No answer can come in time: tried twice at every load down to one user.
    let args = [
        "--models",
        "slow",
        "--users",
        "40",
        "--sweep",
        "--sla",
        "200ms",
        "--within",
        "0.5",
        "--duration",
        "1s",
        "--run",
        "misses",
        "--format",
        "json",
    ];
    let output = load(folder, &args);
    let found = result(folder, "misses");
    let route = &found["routes"][0];
    if route["capacity"]["why"] != "generator" {
        assert_eq!(route["capacity"]["why"], "nowhere", "{route}");
        assert!(route["capacity"]["load"].is_null());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("\"tollgate.report.load/1\""), "{text}");
        assert!(text.contains("nowhere"), "{text}");
    }
}

#[test]
fn rate_limits_are_failures_and_a_knee() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let args = [
        "--models",
        "limited",
        "--rate",
        "30",
        "--duration",
        "3s",
        "--run",
        "limited",
    ];
    let output = load(folder, &args);
    let found = result(folder, "limited");
    ended_well(&output, &found);
    let route = &found["routes"][0];
    let step = &route["steps"][0];
    let (n, limited) = (step["n"].as_u64().unwrap(), &step["rate_limited"]);
    let limited = limited.as_u64().unwrap();
    assert!(limited > n / 5 && limited < n * 4 / 5, "{step}");
    assert_eq!(step["failed"], limited);
    assert_eq!(step["latency_ms"]["n"], n);
    assert_eq!(route["knees"]["rate_limits"], 30.0);
    assert!(["missed", "void"].contains(&step["verdict"].as_str().unwrap()));
}

#[test]
fn a_bad_workload_is_told_with_line_and_key_and_nothing_is_sent() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let yaml = "benchmark_workload:\n  name: x\n  latency_sla_ms: soon\n  users: 3\n";
    let toml = "[benchmark_workload]\nname = \"x\"\nlatency_sla_ms = -1\nusers = 3\n";
    fs::write(folder.join("bad.yaml"), yaml).unwrap();
    fs::write(folder.join("bad.toml"), toml).unwrap();
    let rate = "benchmark_workload:\n  name: r\n  request_distribution:\n    \
                - { percentile: 50, input_tokens: 20, output_tokens: 5 }\n  \
                latency_sla_ms: 2000\n  requests_per_second: 2\n  test_duration_seconds: 1\n";
    fs::write(folder.join("rate.yaml"), rate).unwrap();
    fs::write(folder.join("bad.csv"), "when,how\n1,2\n").unwrap();
    for (args, messages) in [
        (
            &["--workload", "bad.yaml"][..],
            &["bad.yaml:3", "latency_sla_ms", "bad.yaml:4", "users"][..],
        ),
        (
            &["--workload", "bad.toml"],
            &[
                "bad.toml:3",
                "the integer -1",
                "bad.toml:4",
                "request_distribution",
            ],
        ),
        (&["--workload", "none.yaml"], &["cannot read none.yaml"]),
        // What is of the other kind of load would do nothing.
        (
            &["--constant", "--duration", "1s"],
            &["this load is of users at once: say --rate N"],
        ),
        (
            &["--workload", "rate.yaml", "--think", "1s"],
            &["this load sends by a rate: say --users N"],
        ),
        (&["--trace", "bad.csv"], &["bad.csv line 1", "TIMESTAMP"]),
        (&["--rate", "0"], &["a number over zero"]),
        (
            &["--rate", "100", "--max-cost", "0.001"],
            &["over --max-cost"],
        ),
        (&["--within", "1"], &["0.5 to under 1"]),
        (&["--users", "3", "--rate", "2"], &["cannot be used with"]),
    ] {
        let output = load(folder, &[&["--models", "quick"], args].concat());
        assert_eq!(
            output.status.code(),
            Some(2),
            "{args:?}: {}",
            error(&output)
        );
        for message in messages {
            assert!(
                error(&output).contains(message),
                "{message}: {}",
                error(&output)
            );
        }
    }
    let output = load(folder, &["--models", "quick", "--rate", "1", "--dry-run"]);
    assert!(output.status.success(), "{}", error(&output));
    assert_eq!(simulator.request_count(), 0);
}

#[test]
fn what_the_store_recorded_is_sent_again() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let first = [
        "--models",
        "quick",
        "--rate",
        "30",
        "--duration",
        "1s",
        "--seed",
        "3",
        "--run",
        "first",
    ];
    let output = load(folder, &first);
    let sent = lines(folder, "first").len();
    assert_eq!(
        result(folder, "first")["end"],
        "complete",
        "{}",
        error(&output)
    );
    // Nothing of it is live traffic.
    let of_store = ["--models", "slow", "--trace", "store", "--dry-run"];
    let output = load(folder, &of_store);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        error(&output).contains("no request of a known length"),
        "{}",
        error(&output)
    );
    let again = [
        "--models",
        "quick",
        "--trace",
        "store",
        "--trace-origin",
        "load",
        "--trace-models",
        "quick",
        "--since",
        "1h",
        "--run",
        "again",
    ];
    let output = load(folder, &again);
    let told = format!("trace: {sent} requests over");
    assert!(error(&output).contains(&told), "{}", error(&output));
    let found = result(folder, "again");
    ended_well(&output, &found);
    keeps_its_schema(folder, &found);
    assert_eq!(found["settings"]["trace"]["requests"], sent);
    let step = &found["routes"][0]["steps"][0];
    assert_eq!(step["n"], sent, "{step}");
    let table = fs::read_to_string(folder.join("results/again/load.csv")).unwrap();
    assert!(table.contains("completed"), "{table}");
    // Two loads stand side by side, and runs of one are told apart.
    let beside = program(
        folder,
        &["bench", "compare", "results/first", "results/again"],
    );
    assert!(beside.status.success(), "{}", error(&beside));
    assert!(String::from_utf8_lossy(&beside.stdout).contains("B against A"));
    let apart = program(folder, &["bench", "analyze", "results", "--format", "json"]);
    let apart = String::from_utf8_lossy(&apart.stdout).into_owned();
    assert!(apart.contains("tollgate.report.load-runs/1"), "{apart}");
    // The lengths are those that the provider counted, one by one.
    let lengths = |run: &str| -> Vec<u64> {
        let mut lines = lines(folder, run);
        lines.retain(|line| line["exchange"]["active"]["warm_up"] != true);
        lines.sort_by_key(|line| line["exchange"]["active"]["trial"].as_u64());
        let input = |line: &Value| line["exchange"]["tokens"]["input"].as_u64().unwrap();
        lines.iter().map(input).collect()
    };
    let text = fs::read_to_string(folder.join("results/again/trace.jsonl")).unwrap();
    let recorded: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(recorded.len(), sent);
    for (line, length) in recorded.iter().zip(lengths("again")) {
        let wanted = line["input_length"].as_u64().unwrap();
        assert!(
            length.abs_diff(wanted) <= 8 + wanted / 8,
            "{wanted}: {length}"
        );
    }
    // The file that was kept is the same trace.
    let file = [
        "--models",
        "quick",
        "--trace",
        "results/again/trace.jsonl",
        "--dry-run",
    ];
    let output = load(folder, &file);
    let said = format!("{} requests", sent + 2);
    assert!(error(&output).contains(&said), "{}", error(&output));
    // A benchmark draws the lengths of its prompts from it.
    let args = [
        "bench",
        "--models",
        "quick",
        "--iterations",
        "4",
        "--warm-ups",
        "0",
        "--trace",
        "store",
        "--trace-origin",
        "load",
        "--run",
        "drawn",
        "--seed",
        "1",
        "--max-cost",
        "50",
    ];
    let output = program(folder, &args);
    assert!(output.status.success(), "{}", error(&output));
    let drawn = fs::read_to_string(folder.join("results/drawn/benchmark.json")).unwrap();
    let drawn: Value = serde_json::from_str(&drawn).unwrap();
    assert_eq!(drawn["plan"]["lengths"]["requests"], 2 * sent + 2);
    let schema = program(folder, &["bench", "schema"]);
    let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
    schema::check(&schema, &schema, &drawn, "$").unwrap();
}

#[test]
fn what_is_too_much_is_refused_before_anything_is_made() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let trace = |length: &str| {
        let line = format!("{{\"timestamp\":0,\"input_length\":{length},\"output_length\":9}}\n");
        fs::write(folder.join("x.jsonl"), line).unwrap();
    };
    for (length, says) in [
        (
            "1e30",
            "line 1: input_length: 1e30, more tokens than any model takes",
        ),
        (
            "9000000",
            "a prompt of 9,000,000 tokens is about 36,000,000 bytes",
        ),
    ] {
        trace(length);
        let output = load(folder, &["--models", "quick", "--trace", "x.jsonl"]);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{length}: {}",
            error(&output)
        );
        assert!(
            error(&output).contains(says),
            "{length}: {}",
            error(&output)
        );
    }
    let cap = ["--max-cost", "99999999999", "--dry-run"];
    for (args, says) in [
        (
            &["--rate", "1000000", "--duration", "30d"][..],
            "longer than 30",
        ),
        (
            &["--rate", "1000000", "--duration", "1d"],
            "requests in one step are more than",
        ),
        (&["--rate", "10", "--duration", "10000000d"], "--duration"),
        (
            &["--rate", "10", "--prompt-tokens", "99999999999"],
            "--prompt-tokens",
        ),
        (
            &["--trace", "x.jsonl", "--since", "1h"],
            "a file is taken whole",
        ),
        (&["--rate", "10", "--since", "1h"], "--trace store takes"),
        (
            &["--users", "2", "--sweep", "--start", "10", "--max", "5"],
            "--start 10 is over --max 5",
        ),
    ] {
        let output = load(folder, &[&["--models", "quick"], args, &cap[..]].concat());
        assert_eq!(
            output.status.code(),
            Some(2),
            "{args:?}: {}",
            error(&output)
        );
        assert!(
            error(&output).contains(says),
            "{args:?}: {}",
            error(&output)
        );
    }
    // Much is told by arithmetic, and less is counted.
    let much = ["--models", "quick", "--rate", "500", "--duration", "1h"];
    let output = load(folder, &[&much[..], &cap].concat());
    assert!(output.status.success(), "{}", error(&output));
    assert!(
        error(&output).contains("about 1800102 requests"),
        "{}",
        error(&output)
    );
    for args in [
        &["--iterations", "4000000000"][..],
        &["--prompt-tokens", "99999999999"],
        &["--cache-turns", "4000000000"],
        &["--pairs", "50000000"],
        &["--iterations", "0"],
    ] {
        let args = [&["bench", "--models", "quick"], args, &cap[..]].concat();
        let output = program(folder, &args);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{args:?}: {}",
            error(&output)
        );
    }
    assert_eq!(simulator.request_count(), 0);
}

/// Starts a load of ten seconds, and waits until it has measured something.
fn started(folder: &Path, simulator: &Simulator, run: &str) -> Child {
    let args = [
        "--models",
        "quick",
        "--rate",
        "50",
        "--duration",
        "10s",
        "--ramp",
        "0s",
        "--warm-ups",
        "0",
        "--cool",
        "0s",
        "--max-cost",
        "50",
        "--run",
        run,
    ];
    let mut child = command(folder, &args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Answered, and not only asked.
    let answered = || {
        let text = fs::read_to_string(folder.join(format!("results/{run}/exchanges.jsonl")));
        text.map_or(0, |text| text.lines().count())
    };
    while simulator.request_count() < 60 || answered() < 50 {
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
        thread::sleep(Duration::from_millis(10));
    }
    child
}

#[test]
fn a_route_that_dies_is_counted_and_ends_nothing() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let child = started(folder, &simulator, "dies");
    drop(simulator);
    let output = child.wait_with_output().unwrap();
    let found = result(folder, "dies");
    ended_well(&output, &found);
    let step = &found["routes"][0]["steps"][0];
    let n = step["n"].as_u64().unwrap();
    assert!(n > 400, "the load goes on: {step}");
    let (ok, failed) = (&step["outcomes"]["ok"], &step["failed"]);
    let (ok, failed) = (ok.as_u64().unwrap(), failed.as_u64().unwrap());
    assert!(ok >= 30 && failed > 0 && ok + failed == n, "{step}");
    assert_eq!(step["latency_ms"]["n"], n);
    assert_eq!(lines(folder, "dies").len() as u64, n);
}

#[test]
fn an_interrupt_keeps_what_was_measured() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let child = started(folder, &simulator, "stopped");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", error(&output));
    let found = result(folder, "stopped");
    assert_eq!(found["end"], "interrupted");
    keeps_its_schema(folder, &found);
    let step = &found["routes"][0]["steps"][0];
    assert_eq!(step["whole"], false);
    let n = step["n"].as_u64().unwrap();
    assert!((40..450).contains(&n), "{step}");
    assert_eq!(step["failed"], 0, "what was cut off is no failure: {step}");
    assert!(step["seconds"].as_f64().unwrap() < 9.0);
    assert!(lines(folder, "stopped").len() as u64 >= n);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("Latency from the intended start"), "{text}");
}

#[test]
fn the_cap_on_cost_is_never_passed() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    // Users send as much as they get answers: that cannot be known beforehand.
    let args = [
        "--models",
        "quick",
        "--users",
        "4",
        "--sla",
        "20s",
        "--duration",
        "30s",
        "--prompt-tokens",
        "100",
        "--max-tokens",
        "10",
        "--max-cost",
        "0.004",
        "--run",
        "capped",
    ];
    let output = load(folder, &args);
    assert_eq!(output.status.code(), Some(1), "{}", error(&output));
    let found = result(folder, "capped");
    assert_eq!(found["end"], "cost_cap", "{}", error(&output));
    let spent = found["spent_usd"].as_f64().unwrap();
    assert!(spent > 0.0 && spent <= 0.004, "{spent}");
}

#[test]
fn a_load_is_repeated_compared_and_saved() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let short = ["--models", "quick", "--rate", "30", "--duration", "1s"];
    let cap = ["--max-cost", "0.5"];
    let dry = [
        &short[..],
        &[
            "--max-tokens",
            "4",
            "--prompt-tokens",
            "20",
            "--repeat",
            "3",
        ],
    ];
    let dry = dry.concat();
    let announced = |args: &[&str]| error(&load(folder, &[&dry, args, &["--dry-run"]].concat()));
    let said = announced(&cap);
    assert!(
        said.contains("of 3 runs") && said.contains("cap $0.50"),
        "{said}"
    );
    let over = announced(&["--max-cost", "0.00002"]);
    assert!(
        over.contains("over --max-cost"),
        "three cost more than one: {over}"
    );

    let twice = [
        &dry[..10],
        &["--repeat", "2", "--run", "twice", "--seed", "9"],
        &cap,
    ];
    let output = load(folder, &twice.concat());
    let found = ["twice-1", "twice-2"].map(|run| result(folder, run));
    let void = found.iter().any(|run| run["void"] == true);
    assert_eq!(
        output.status.code(),
        Some(i32::from(void)),
        "{}",
        error(&output)
    );
    let seeds = found.each_ref().map(|run| run["settings"]["seed"].as_u64());
    assert_eq!(seeds[0], Some(9));
    assert_ne!(seeds[0], seeds[1], "other prompts, which no cache knows");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("2 loads beside each other"), "{text}");
    assert!(text.contains("SD over mean"), "{text}");

    // A gate of what cannot be compared fails.
    let gate = ["--compare", "results/twice-1", "--fail-on-regression"];
    let other = [
        "--models",
        "quick",
        "--users",
        "2",
        "--duration",
        "1s",
        "--run",
        "users",
    ];
    let output = load(folder, &[&other[..], &gate].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error(&output).contains("nothing could be compared"),
        "{}",
        error(&output)
    );

    let save = |name: &str, from: &str| {
        let args = [
            "--config",
            "tollgate.toml",
            "baseline",
            "save",
            name,
            "--note",
            "as it was",
        ];
        program(folder, &[&args[..], &["--from", from]].concat())
    };
    for (name, from) in [
        ("one", "results/twice-1"),
        ("two", "results/twice-2"),
        ("u", "results/users"),
    ] {
        let output = save(name, from);
        assert!(output.status.success(), "{}", error(&output));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("1 load of 1 run in"), "{said}");
    }
    let baseline = |args: &[&str]| {
        let all = [&["--config", "tollgate.toml", "baseline"][..], args].concat();
        let output = program(folder, &all);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text + &error(&output))
    };
    let (code, shown) = baseline(&["show", "one", "--format", "markdown"]);
    assert_eq!(code, Some(0), "{shown}");
    for part in ["as it was", "30.0/s", "completed/s", "workload"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let (code, compared) = baseline(&["compare", "one", "two"]);
    assert_eq!(code, Some(0), "{compared}");
    assert!(compared.contains("30.0/s"), "{compared}");
    let (code, said) = baseline(&["compare", "one", "u", "--fail-on-regression"]);
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = baseline(&["compare", "one"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("is of a load"), "{said}");
}

fn program(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .current_dir(folder)
        .args(args)
        .output()
        .unwrap()
}

/// Holds a result against its schema, and the schema against what is no result.
fn keeps_its_schema(folder: &Path, result: &Value) {
    let printed = program(folder, &["bench", "schema", "load"]);
    let schema: Value = serde_json::from_slice(&printed.stdout).unwrap();
    schema::check(&schema, &schema, result, "$").unwrap();
    for (path, wrong) in [
        ("/end", json!("nonsense")),
        ("/environment/cores", json!(0)),
        ("/workload/latency_sla_ms", json!("2s")),
        ("/routes/0/steps/0/verdict", json!("fine")),
        ("/routes/0/steps/0/latency_ms/p50", json!(3)),
        ("/routes/0/steps/0/n", json!(-1)),
    ] {
        let mut other = result.clone();
        *other.pointer_mut(path).unwrap() = wrong;
        assert!(
            schema::check(&schema, &schema, &other, "$").is_err(),
            "{path}"
        );
    }
    let mut more = result.clone();
    more["further"] = json!(1);
    assert!(schema::check(&schema, &schema, &more, "$").is_err());
}
