//! Runs `tollgate bench` itself against simulated providers: what it asks, keeps, and goes on with.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

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
        [models.slow]
        routes = [{{ provider = "direct", model = "sim:ft-20s:n-20" }}]
        [models.twice]
        routes = [
            {{ provider = "direct", model = "sim:ft-2ms:gap-1ms:n-20" }},
            {{ provider = "direct", model = "sim:ft-20ms:gap-1ms:n-20" }},
        ]
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
    let whole: Value = serde_json::from_slice(&output.stdout).unwrap();
    ends_by(&output, &whole);
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
    // Another plan or seed is another run, and would be mixed with it.
    let asked = simulator.request_count();
    for (change, key) in [("--seed", "seed"), ("--warm-ups", "warm_ups")] {
        let mut other = args.map(str::to_owned);
        let place = other.iter().position(|word| word == change).unwrap();
        other[place + 1] = "5".to_owned();
        let words: Vec<&str> = other.iter().map(String::as_str).collect();
        let output = tollgate(folder, &words);
        assert_eq!(output.status.code(), Some(2), "{}", error(&output));
        assert!(
            error(&output).contains(&format!("`{key}`")),
            "{}",
            error(&output)
        );
    }
    // Also where the run is of a program that wrote no plan.
    fs::remove_file(folder.join("results/broken/plan.json")).unwrap();
    let output = tollgate(folder, &[&args[..], &["--cache-turns", "2"]].concat());
    assert_eq!(output.status.code(), Some(2), "{}", error(&output));
    assert_eq!(simulator.request_count(), asked, "nothing was asked");
    // As after a kill: the last line is cut off.
    let lines = folder.join("results/broken/exchanges.jsonl");
    let text = fs::read_to_string(&lines).unwrap();
    let cut: usize = text.lines().take(9).map(|line| line.len() + 1).sum();
    fs::write(&lines, &text[..cut - 40]).unwrap();
    let before = simulator.request_count();
    let output = tollgate(folder, &args);
    assert_eq!(
        simulator.request_count() - before,
        8,
        "only what was missing"
    );
    let again: Value = serde_json::from_slice(&output.stdout).unwrap();
    ends_by(&output, &again);
    // A third start finds whole lines and asks nothing.
    let output = tollgate(folder, &args);
    ends_by(&output, &again);
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
        (
            &["--models", "m", "--regions", "mars"],
            "no provider here is of region mars; there is: direct (no region)",
        ),
        (
            &["--models", "cut", "--providers", "router"],
            "named serves cut; it is at: direct (no region)",
        ),
        (
            &["--models", "m", "--output", "nowhere/x.md"],
            "cannot write nowhere/x.md",
        ),
        (&["--models", "m", "--max-cost", "nan"], "US dollars"),
        (&["--models", "m", "--repeat", "0"], "--repeat"),
        (
            &["--models", "cut", "--reference", "router"],
            "--reference router is asked nothing here",
        ),
        (
            &["load", "--models", "m", "--rate", "5", "--speed", "2"],
            "cannot be used with",
        ),
        (
            &["load", "--models", "m", "--users", "2", "--constant"],
            "cannot be used with",
        ),
        (
            &[
                "load",
                "--models",
                "m",
                "--rate",
                "5",
                "--resolution",
                "0.3",
            ],
            "--sweep",
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
fn what_was_asked_in_two_ways_is_never_told_as_one() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let args = [
        "bench",
        "--models",
        "m",
        "--sweep-tokens",
        "8,16",
        "--iterations",
        "8",
        "--run",
        "swept",
        "--format",
        "json",
    ];
    let output = tollgate(folder, &args);
    assert!(output.status.success(), "{}", error(&output));
    let papers: Value = serde_json::from_slice(&output.stdout).unwrap();
    let models = papers["reports"].as_array().unwrap().iter();
    let models: Vec<&Value> = models
        .filter(|paper| paper["schema"] == "tollgate.report.models/1")
        .collect();
    let asked: Vec<&Value> = models
        .iter()
        .map(|paper| &paper["head"]["selection"][0])
        .collect();
    assert_eq!(asked, ["8 tokens", "16 tokens"]);
    for paper in models {
        let rows = paper["tables"]["speed"].as_array().unwrap();
        let requests: Vec<&Value> = rows.iter().map(|row| &row["requests"]).collect();
        assert_eq!(requests, [8, 8], "{paper:#}");
    }
    let save = [
        "baseline",
        "save",
        "b",
        "--note",
        "n",
        "--from",
        "results/swept",
    ];
    let output = tollgate(folder, &save);
    assert!(output.status.success(), "{}", error(&output));
    let shown = tollgate(folder, &["baseline", "show", "b", "--format", "markdown"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    for tokens in ["8", "16"] {
        let said = format!("{tokens} tokens, first token: m at direct leads");
        assert!(shown.contains(&said), "{shown}");
    }
    assert!(!shown.contains("m, first token:"), "{shown}");
}

#[test]
fn what_json_costs_is_told_of_the_prompts_as_they_are_shipped() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let args = [
        "bench",
        "--models",
        "m",
        "--providers",
        "direct",
        "--json-mode",
        "--iterations",
        "30",
        "--seed",
        "3",
        "--format",
        "csv",
    ];
    let output = tollgate(folder, &args);
    assert!(output.status.success(), "{}", error(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("no comparable traffic"), "{text}");
    let args = [
        "report", "json-tax", "--origin", "bench", "--format", "json",
    ];
    let report: Value = serde_json::from_slice(&tollgate(folder, &args).stdout).unwrap();
    let rows = report["tables"]["effects"].as_array().unwrap();
    let first = rows
        .iter()
        .find(|row| row["metric"] == "first_token")
        .unwrap();
    assert!(first["difference"].is_number(), "{report:#}");
}

#[test]
fn what_was_asked_twice_or_has_no_end_counts_once() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let args = [
        "bench",
        "--models",
        "m",
        "--iterations",
        "3",
        "--warm-ups",
        "0",
        "--seed",
        "5",
        "--run",
        "one",
    ];
    assert!(tollgate(folder, &args).status.success());
    let path = folder.join("results/one/exchanges.jsonl");
    let result = || -> Value {
        let text = fs::read_to_string(folder.join("results/one/benchmark.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let first = result();
    let lines = fs::read_to_string(&path).unwrap();
    let asked = simulator.request_count();
    // As two programs at once would have left it; then without the last line's end.
    let cut = lines.trim_end().to_owned();
    for left in [format!("{lines}{lines}"), cut] {
        fs::write(&path, left).unwrap();
        let output = tollgate(folder, &args);
        assert!(output.status.success(), "{}", error(&output));
        assert_eq!(result()["routes"], first["routes"]);
        let text = |of: &Value, key: &str| of[key].as_str().unwrap().to_owned();
        assert!(
            text(&result(), "began") < text(&first, "ended"),
            "with its first request"
        );
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 6);
        assert!(fs::read_to_string(&path).unwrap().ends_with('\n'));
    }
    assert_eq!(simulator.request_count(), asked, "nothing was asked again");
}

#[test]
fn several_reports_and_several_runs_are_one_document() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let asked = "bench --models m --iterations 3 --warm-ups 0 --sweep-tokens 16,32 --seed 2";
    let asked: Vec<&str> = asked.split(' ').collect();
    let printed = |args: &[&str]| {
        let output = tollgate(folder, &[&asked[..], args].concat());
        assert!(output.status.success(), "{}", error(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let reports: Value =
        serde_json::from_str(&printed(&["--format", "json", "--run", "json"])).unwrap();
    assert_eq!(reports["schema"], "tollgate.reports/1");
    let reports = reports["reports"].as_array().unwrap();
    // A report of each variant says which.
    let schemas: BTreeSet<_> = reports
        .iter()
        .map(|of| {
            (
                of["schema"].as_str().unwrap(),
                of["head"]["selection"].to_string(),
            )
        })
        .collect();
    assert!(
        schemas.len() == reports.len() && schemas.len() > 1,
        "{schemas:?}"
    );
    let page = printed(&["--format", "html", "--run", "html"]);
    assert_eq!(page.matches("<!doctype").count(), 1);
    assert_eq!(page.matches("<h1>").count(), reports.len());
    let runs: Value =
        serde_json::from_str(&printed(&["--json", "--repeat", "2", "--run", "twice"])).unwrap();
    let names: Vec<_> = runs
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["run"])
        .collect();
    assert_eq!(names, ["twice-1", "twice-2"]);
}

#[test]
fn a_limit_of_file_size_ends_a_run_like_a_full_disk() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let args =
        "bench --models m --providers direct --iterations 40 --warm-ups 0 --seed 4 --run one";
    let args: Vec<&str> = args.split(' ').collect();
    let mut limited = Command::new("sh");
    // Blocks of 512 bytes.
    limited
        .current_dir(folder)
        .args([
            "-c",
            "ulimit -f 100; exec \"$0\" --config tollgate.toml \"$@\"",
        ])
        .arg(env!("CARGO_BIN_EXE_tollgate"))
        .args(&args);
    let output = limited.output().unwrap();
    let told = error(&output);
    assert_eq!(output.status.code(), Some(3), "{:?} {told}", output.status);
    assert!(told.contains("cannot write"), "{told}");
    let lines = folder.join("results/one/exchanges.jsonl");
    let before = fs::read_to_string(&lines).unwrap().lines().count() as u64;
    assert!((2..40).contains(&before), "{before}");
    // With room again the same command goes on.
    let asked = simulator.request_count();
    let output = tollgate(folder, &args);
    assert!(output.status.success(), "{}", error(&output));
    assert_eq!(fs::read_to_string(&lines).unwrap().lines().count(), 40);
    assert!(
        simulator.request_count() - asked <= 40 + 1 - before,
        "what was whole is not asked again"
    );
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
    assert_eq!(output.status.code(), Some(1), "{}", error(&output));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    ends_by(&output, &result);
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

/// Runs `tollgate bench` and reads its result. Its exit code says whether a route answered nothing.
fn bench(folder: &Path, args: &[&str]) -> Value {
    let output = tollgate(folder, &[&["bench"], args, &["--json"]].concat());
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    ends_by(&output, &result);
    result
}

fn ends_by(output: &Output, result: &Value) {
    let routes = result["routes"].as_array().unwrap();
    let dead = routes.iter().filter(|route| route["n"] == route["failed"]);
    let dead = dead.count();
    let told = error(output);
    assert_eq!(output.status.code(), Some(i32::from(dead > 0)), "{told}");
    assert_eq!(
        told.matches("nothing was measured of").count(),
        dead,
        "{told}"
    );
}

#[test]
fn cold_requests_open_a_connection_and_are_told_apart() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let args = "--models m --providers direct --iterations 7 --warm-ups 1 --seed 3";
    let args: Vec<&str> = args.split(' ').collect();
    for (cold, expected) in [("all", 7), ("both", 7)] {
        let result = bench(
            folder,
            &[&args[..], &["--cold", cold, "--run", cold]].concat(),
        );
        let measured: Vec<&Value> = exchanges(&result)
            .into_iter()
            .filter(|exchange| exchange["active"]["warm_up"] == false)
            .collect();
        for exchange in &measured {
            let (asked, reused) = (
                exchange["active"]["cold"].as_bool().unwrap(),
                exchange["attempts"][0]["reused"].as_bool().unwrap(),
            );
            assert_ne!(asked, reused, "{cold}: {exchange}");
        }
        let both = if cold == "both" { 2 } else { 1 };
        assert_eq!(measured.len(), expected * both, "{cold}");
        assert_eq!(result["routes"][0]["cold"], expected, "{cold}");
        let trips = &result["round_trips"][0];
        assert_eq!(trips["provider"], "direct");
        assert!(
            trips["tcp_connect"]["median_ms"].as_f64().unwrap() > 0.0,
            "{trips}"
        );
        assert_eq!(trips["tls"]["n"], 0, "{trips}");
    }
    let csv = fs::read_to_string(folder.join("results/both/benchmark.csv")).unwrap();
    let speed: Vec<&str> = csv
        .lines()
        .filter(|line| line.starts_with("speed,m,"))
        .collect();
    assert_eq!(speed.len(), 2, "{csv}");
    assert!(
        speed[0].contains(",warm,") && speed[1].contains(",cold,"),
        "{csv}"
    );
}

#[test]
fn whoever_takes_too_long_or_never_sends_is_counted_all_the_same() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let args = "--models slow --iterations 2 --warm-ups 0 --timeout 300ms";
    let result = bench(folder, &args.split(' ').collect::<Vec<_>>());
    let route = &result["routes"][0];
    let counts = ["n", "failed", "timed_out", "unsent"].map(|key| route[key].as_u64().unwrap());
    assert_eq!(counts, [2, 2, 2, 0], "{route}");
    assert_eq!(exchanges(&result)[0]["outcome"], "timed_out");
    assert_eq!(result["timeout_ms"], 300.0);
    // Two routes of one model at one provider are two.
    let args = "--models twice --iterations 3 --warm-ups 0";
    let result = bench(folder, &args.split(' ').collect::<Vec<_>>());
    let counts: Vec<&Value> = result["routes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|route| &route["n"])
        .collect();
    assert_eq!(counts, [3, 3]);
    // A request over the street's own limit is answered by Tollgate and reaches nobody.
    let text = fs::read_to_string(folder.join("tollgate.toml")).unwrap();
    let text = text.replace("store.path", "limits.request_body = \"2KB\"\nstore.path");
    fs::write(folder.join("tollgate.toml"), text).unwrap();
    let args = "--models m --providers direct --iterations 2 --warm-ups 0 --prompt-tokens 2000";
    let result = bench(folder, &args.split(' ').collect::<Vec<_>>());
    let route = &result["routes"][0];
    let counts = ["n", "failed", "timed_out", "unsent"].map(|key| route[key].as_u64().unwrap());
    assert_eq!(counts, [2, 2, 0, 2], "{route}");
}

#[test]
fn a_result_is_what_its_schema_says() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let printed = tollgate(folder, &["bench", "schema"]);
    let schema: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let args = "--models m,bad,cut --iterations 2 --warm-ups 1 --cold both --location here";
    let result = bench(folder, &args.split(' ').collect::<Vec<_>>());
    schema::check(&schema, &schema, &result, "$").unwrap();
    // The judge itself is no yes-sayer.
    for (path, wrong) in [
        ("/end", json!("nonsense")),
        ("/environment/cores", json!(0)),
        ("/environment/binary_sha256", json!("abc")),
        ("/exchanges/0/exchange/started", json!("yesterday")),
        ("/plan/variants", json!([])),
        ("/routes/0/quality", json!({"judged": 1})),
        ("/spent_usd", json!("much")),
    ] {
        let mut other = result.clone();
        *other.pointer_mut(path).unwrap() = wrong;
        assert!(
            schema::check(&schema, &schema, &other, "$").is_err(),
            "{path}"
        );
    }
    let mut more = result;
    more["further"] = json!(1);
    assert!(schema::check(&schema, &schema, &more, "$").is_err());
}

#[test]
fn runs_are_analysed_and_compared() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let args =
        "bench --models m --iterations 8 --warm-ups 1 --seed 4 --repeat 3 --out before --run r";
    let output = tollgate(folder, &args.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{}", error(&output));
    let output = tollgate(folder, &["bench", "charts", "before", "--out", "charts"]);
    assert!(output.status.success(), "{}", error(&output));
    for name in ["r-1-bench", "bench-runs"] {
        let file = |kind: &str| fs::read(folder.join(format!("charts/{name}.{kind}")));
        assert!(file("svg").unwrap().starts_with(b"<svg "), "{name}");
        assert!(file("png").unwrap().starts_with(b"\x89PNG"), "{name}");
        assert!(!file("txt").unwrap().is_empty(), "{name}");
    }
    let text = fs::read_to_string(folder.join("charts/bench-runs.txt")).unwrap();
    assert!(
        text.contains("value_ms") && text.contains("run r-3"),
        "{text}"
    );
    let output = tollgate(folder, &["bench", "analyze", "before", "--format", "json"]);
    assert!(output.status.success(), "{}", error(&output));
    let paper: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(paper["schema"], "tollgate.report.bench-runs/1");
    let rows = paper["tables"]["runs"].as_array().unwrap();
    assert_eq!(rows.len(), 2 * 3, "{paper:#}");
    // Answers of 20 ms have no rate.
    for row in rows.iter().filter(|row| row["metric"] != "output_rate") {
        assert_eq!((&row["runs"], &row["n"]), (&json!(3), &json!(24)), "{row}");
    }
    // A result is one by its schema, whatever its file is called.
    fs::create_dir(folder.join("renamed")).unwrap();
    let before = folder.join("before/r-1/benchmark.json");
    fs::copy(before, folder.join("renamed/results-1.json")).unwrap();
    fs::write(folder.join("renamed/other.json"), "{\"schema\": \"x/1\"}").unwrap();
    let output = tollgate(folder, &["bench", "charts", "renamed", "--out", "again"]);
    assert!(output.status.success(), "{}", error(&output));
    assert!(folder.join("again/r-1-bench.txt").is_file());
    // A gate that compares nothing does not hold.
    let other = "bench --models twice --iterations 6 --warm-ups 0 --run other --compare before";
    let other: Vec<&str> = other.split(' ').collect();
    let output = tollgate(folder, &[&other[..], &["--fail-on-regression"]].concat());
    let said = error(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("nothing could be compared with the baseline")
            && said.contains("only in the baseline, so not compared: m, "),
        "{said}"
    );
    // The same again is no regression; a route that takes 200 ms more is one.
    // A busy machine may be slower than it was: it is not so every time.
    let again = |number: u32| {
        let again = format!("--models m --iterations 24 --warm-ups 1 --run again-{number}");
        let again = format!("bench {again} --compare before --fail-on-regression");
        tollgate(folder, &again.split(' ').collect::<Vec<_>>())
    };
    let mut tries = (1..=5).map(|number| (number, again(number)));
    let well = tries.find(|(_, output)| output.status.success());
    let (number, output) = well.expect("the same again is worse five times");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("B against A"), "{text}");
    // Hosts call it otherwise, each its own way: it is one model in every chart.
    let run = format!("results/again-{number}");
    let output = tollgate(folder, &["bench", "charts", &run, "--out", "one"]);
    assert!(output.status.success(), "{}", error(&output));
    let drawn = fs::read_dir(folder.join("one")).unwrap();
    let texts = drawn.map(|entry| entry.unwrap().path());
    let texts = texts.filter(|path| path.extension().is_some_and(|of| of == "txt"));
    let texts: Vec<String> = texts
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert!(
        texts.iter().any(|text| text.contains("m at direct")),
        "{texts:?}"
    );
    assert!(!texts.iter().any(|text| text.contains("sim:")), "{texts:?}");
    let path = folder.join("tollgate.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace("sim:ft-2ms:gap-1ms:n-20", "sim:ft-202ms:gap-1ms:n-20"),
    )
    .unwrap();
    let slower = |number: u32| {
        let slower = format!("--models m --iterations 24 --warm-ups 1 --run slower-{number}");
        let slower = format!("bench {slower} --compare before");
        let output = tollgate(folder, &slower.split(' ').collect::<Vec<_>>());
        assert!(output.status.success(), "nobody asked: {}", error(&output));
        let run = format!("results/slower-{number}");
        let compare = ["bench", "compare", "before", &run, "--fail-on-regression"];
        let output = tollgate(folder, &compare);
        assert_eq!(output.status.code(), Some(1), "{}", error(&output));
        error(&output)
    };
    let alone = |said: &String| {
        said.contains("worse than the baseline: m, direct") && !said.contains("m, router")
    };
    let said: Vec<String> = (1..=5)
        .map(slower)
        .take_while(|said| !alone(said))
        .collect();
    assert!(said.len() < 5, "{said:?}");
}

#[test]
fn a_result_that_cannot_be_read_says_why() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    bench(
        folder,
        &[
            "--models",
            "m",
            "--iterations",
            "1",
            "--warm-ups",
            "0",
            "--run",
            "one",
        ],
    );
    let text = fs::read_to_string(folder.join("results/one/benchmark.json")).unwrap();
    let mut newer: Value = serde_json::from_str(&text).unwrap();
    newer["schema"] = json!("tollgate.bench/2");
    let mut other = newer.clone();
    other["schema"] = json!("tollgate.prices/1");
    let mut definitions: Value = serde_json::from_str(&text).unwrap();
    definitions["exchanges"][0]["exchange"]["definitions"] = json!(99);
    fs::create_dir(folder.join("empty")).unwrap();
    for (name, text, message) in [
        (
            "cut.json",
            text[..text.len() / 2].to_owned(),
            "was it cut off?",
        ),
        ("newer.json", newer.to_string(), "a newer tollgate wrote it"),
        ("other.json", other.to_string(), "tollgate.bench/1"),
        ("none.json", String::new(), "was it cut off?"),
        (
            "definitions.json",
            definitions.to_string(),
            "definitions are version 99",
        ),
        ("empty", String::new(), "holds no result"),
        ("missing", String::new(), "cannot read missing"),
    ] {
        if Path::new(&name).extension().is_some_and(|of| of == "json") {
            fs::write(folder.join(name), text).unwrap();
        }
        for command in [
            &["bench", "analyze", name][..],
            &["bench", "charts", name],
            &["bench", "compare", name, "results/one"],
            &["bench", "compare", "results/one", name],
            &["bench", "--models", "m", "--compare", name],
        ] {
            let output = tollgate(folder, command);
            let said = error(&output);
            assert_eq!(output.status.code(), Some(2), "{command:?}: {said}");
            assert!(said.contains(message), "{command:?}: {said}");
        }
    }
    assert_eq!(
        simulator.request_count(),
        2,
        "nothing was asked before it was read"
    );
}

#[test]
fn a_full_disk_ends_the_run_and_what_was_measured_is_in_the_result() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let results = folder.join("results/full");
    fs::create_dir_all(&results).unwrap();
    std::os::unix::fs::symlink("/dev/full", results.join("exchanges.jsonl")).unwrap();
    let args = [
        "bench",
        "--models",
        "m",
        "--iterations",
        "4",
        "--warm-ups",
        "0",
        "--seed",
        "9",
        "--run",
        "full",
    ];
    let output = tollgate(folder, &args);
    let told = error(&output);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(
        told.contains("No space left") && told.contains("--out"),
        "{told}"
    );
    let result = fs::read_to_string(results.join("benchmark.json")).unwrap();
    let result: Value = serde_json::from_str(&result).unwrap();
    assert_eq!(result["end"], "unwritten");
    assert_eq!(exchanges(&result).len(), 1, "what came first is kept");
    // With room again the same command begins anew.
    fs::remove_file(results.join("exchanges.jsonl")).unwrap();
    let output = tollgate(folder, &args);
    assert!(output.status.success(), "{}", error(&output));
    let output = tollgate_into(folder, &["bench", "schema"], "/dev/full");
    assert_eq!(
        output.status.code(),
        Some(3),
        "a result that is lost is told"
    );
    assert!(
        error(&output).contains("cannot write to stdout"),
        "{}",
        error(&output)
    );
}

fn tollgate_into(folder: &Path, args: &[&str], file: &str) -> Output {
    let file = fs::OpenOptions::new().write(true).open(file).unwrap();
    Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .current_dir(folder)
        .args(args)
        .stdout(file)
        .output()
        .unwrap()
}
