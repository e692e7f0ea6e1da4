//! Runs `tollgate probe` itself against simulated providers of every dialect, and its CI forms.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tollgate::simulator::{Behaviour, Config, Persona, Quirks, Simulator};

/// Anthropic under `/an`, and at the root the others, which it knows by their paths.
fn simulator() -> Simulator {
    let persona = |quirks: Quirks| Persona::new(quirks, Behaviour::default());
    Simulator::start(Config {
        personas: vec![
            persona(Quirks::anthropic()).at("/an"),
            persona(Quirks::openai()),
        ],
        ..Config::default()
    })
    .unwrap()
}

fn config(folder: &Path, simulator: &Simulator) {
    let address = simulator.addr();
    let store = folder.join("store.redb");
    let text = format!(
        r#"
        store.path = "{}"
        [providers.oa]
        base_url = "http://{address}/v1"
        api_key = "sk-one"
        [providers.an]
        dialect = "anthropic"
        base_url = "http://{address}/an"
        api_key = "sk-two"
        [providers.ge]
        dialect = "gemini"
        base_url = "http://{address}"
        api_key = "sk-three"
        [providers.be]
        dialect = "bedrock"
        region = "eu-west-1"
        base_url = "http://{address}"
        api_key = "sk-four"
        [models.m]
        routes = [
            {{ provider = "oa", model = "sim:ft-20ms:gap-1ms:n-16" }},
            {{ provider = "an", model = "sim:ft-2ms:gap-1ms:n-16" }},
            {{ provider = "ge", model = "sim:ft-2ms:gap-1ms:n-16" }},
            {{ provider = "be", model = "sim:ft-2ms:gap-1ms:n-16" }},
        ]
        [models.bad]
        routes = [{{ provider = "oa", model = "sim:fault-http_500" }}]
        [[prices.rows]]
        providers = ["oa"]
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

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_dialect_is_asked_warm_and_cold_and_kept() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let output = tollgate(folder, &["probe", "--models", "m", "--cold", "--ci"]);
    assert_eq!(
        (output.status.code(), text(&output.stderr).as_str()),
        (Some(0), ""),
        "{}",
        text(&output.stdout)
    );
    let out = text(&output.stdout);
    assert_eq!(out.lines().count(), 1, "{out}");
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["schema"], "tollgate.probe/1");
    assert_eq!(json["ok"], true, "{json:#}");
    let routes = json["routes"].as_array().unwrap();
    let providers: Vec<&Value> = routes.iter().map(|route| &route["provider"]).collect();
    assert_eq!(providers, ["oa", "an", "ge", "be"]);
    for route in routes {
        let calls = route["calls"].as_array().unwrap();
        let fresh: Vec<&Value> = calls.iter().map(|call| &call["new_connection"]).collect();
        assert_eq!(fresh, [true, false], "{route:#}");
        assert!(calls[0]["connect_ms"].as_f64().unwrap() > 0.0);
        assert_eq!(calls[1]["connect_ms"], Value::Null);
        for call in calls {
            let millis = |key: &str| call[key].as_f64().unwrap();
            assert!(millis("total_ms") >= millis("first_token_ms"), "{call:#}");
            assert_eq!(call["output_tokens"], 16, "{route:#}");
        }
        assert_eq!(route["availability_24h"]["answered"], 2);
        assert_eq!(route["drift"], Value::Null, "nothing to compare with");
    }
    let [one, _] = &routes[0]["calls"].as_array().unwrap()[..] else {
        panic!("{json:#}")
    };
    assert!(one["first_token_ms"].as_f64().unwrap() >= 20.0);
    assert!(one["cost_usd"].as_f64().unwrap() > 0.0);
    assert_eq!(routes[1]["calls"][0]["cost_usd"], Value::Null);
    // They are records, and apart from clients' own traffic.
    let output = tollgate(folder, &["export", "--format", "jsonl"]);
    let records: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(records.len(), 8);
    for record in &records {
        assert_eq!(record["origin"], "probe", "{record:#}");
        assert_eq!(record["active"]["run"], "command");
    }
    // The next round knows them.
    let output = tollgate(folder, &["probe", "--providers", "an", "--format", "csv"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = tollgate(folder, &["probe", "--providers", "an", "--ci"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["routes"][0]["availability_24h"]["probes"], 4);
}

/// A running server, ended with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The config in `folder` with addresses of its own, and a server that runs by it.
fn serve(folder: &Path) -> (Server, SocketAddr) {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap();
    let [data, admin] = [free(), free()].map(|listener| listener.local_addr().unwrap());
    let path = folder.join("tollgate.toml");
    let config = fs::read_to_string(&path).unwrap();
    let head = format!("server.listen = \"{data}\"\nadmin.listen = \"{admin}\"\n");
    fs::write(path, head + &config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command
        .current_dir(folder)
        .args(["--config", "tollgate.toml", "serve"]);
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    let server = Server(quiet.spawn().unwrap());
    let late = Instant::now() + Duration::from_mins(1);
    while TcpStream::connect(admin).is_err() {
        assert!(Instant::now() < late, "the server does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    (server, admin)
}

#[test]
fn beside_a_running_server_it_is_handed_what_was_measured() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let (_server, _) = serve(folder);
    let output = tollgate(folder, &["probe", "--models", "m", "--cold", "--ci"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let stored = || {
        let output = tollgate(folder, &["export", "--format", "jsonl"]);
        let lines = text(&output.stdout);
        let records = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        records.collect::<Vec<Value>>()
    };
    // The server writes down in batches.
    let late = Instant::now() + Duration::from_mins(1);
    while stored().len() < 8 && Instant::now() < late {
        std::thread::sleep(Duration::from_millis(100));
    }
    let records = stored();
    assert_eq!(records.len(), 8);
    for record in &records {
        assert_eq!(record["origin"], "probe", "{record:#}");
        assert_eq!(record["active"]["run"], "command");
        assert!(record["attempts"][0]["gaps"].is_object(), "{record:#}");
    }
    // So is what benchmarks ask.
    let asked = ["--models", "m", "--providers", "oa"];
    for (run, more) in [
        (&["bench"][..], &["--iterations", "3"][..]),
        (
            &["bench", "load"],
            &[
                "--rate",
                "20",
                "--duration",
                "1s",
                "--warm-ups",
                "2",
                "--ramp",
                "200ms",
            ],
        ),
    ] {
        let output = tollgate(folder, &[run, &asked, more].concat());
        let told = text(&output.stderr);
        // A load whose own schedule was late on a busy machine is void, and kept all the same.
        assert!(matches!(output.status.code(), Some(0 | 1)), "{told}");
        assert!(
            !told.contains("in use") && !told.contains("taken"),
            "{told}"
        );
    }
    let of = |origin: &str| {
        let all = stored();
        let own = all.iter().filter(|record| record["origin"] == origin);
        own.count()
    };
    let late = Instant::now() + Duration::from_mins(1);
    while (of("bench") < 3 || of("load") < 10) && Instant::now() < late {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(of("bench") >= 3 && of("load") >= 10);
    let output = tollgate(folder, &["report", "probes", "--format", "json"]);
    let report = text(&output.stdout);
    for provider in ["oa", "an", "ge", "be"] {
        assert!(report.contains(&format!("\"{provider}\"")), "{report}");
    }
}

#[test]
fn what_nobody_took_is_said() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let (_server, admin) = serve(folder);
    // As by another config than the server's: nobody listens there.
    let path = folder.join("tollgate.toml");
    let config = fs::read_to_string(&path).unwrap();
    let config = config.replace(&admin.to_string(), "127.0.0.1:1");
    fs::write(path, config).unwrap();
    let output = tollgate(folder, &["probe", "--providers", "an", "--ci"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("only in what is shown now"), "{told}");
    assert!(told.contains("does not answer"), "{told}");
    assert!(text(&output.stdout).contains("first_token_ms"));
}

#[test]
fn what_fails_or_takes_too_long_is_a_finding() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    let github = ["probe", "--providers", "oa", "--ci", "github"];
    let output = tollgate(
        folder,
        &[&github[..], &["--max-first-token", "10ms"]].concat(),
    );
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let out = text(&output.stdout);
    let lines: Vec<&str> = out.lines().collect();
    let begins = [
        "::error title=tollgate probe%3A first_token::oa/sim",
        "::error title=tollgate probe%3A failed::oa/sim:fault-http_500 failed: upstream_error",
        "::notice title=tollgate probe::0 of 2 routes",
    ];
    assert_eq!(lines.len(), begins.len(), "{out}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line}");
    }
    assert_eq!(text(&output.stderr), "");
    let output = tollgate(folder, &["probe", "--models", "bad"]);
    assert_eq!(output.status.code(), Some(1));
    let out = text(&output.stdout);
    assert!(out.contains("upstream_error"), "{out}");
    for shape in ["markdown", "json", "csv", "html"] {
        let output = tollgate(folder, &["probe", "--models", "m", "--format", shape]);
        assert_eq!(output.status.code(), Some(0), "{shape}");
        assert!(text(&output.stdout).contains("first"), "{shape}");
    }
}

#[test]
fn what_cannot_be_is_not_begun() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    config(folder, &simulator);
    for (args, message) in [
        (
            &["--models", "nobody"][..],
            "no provider here serves nobody",
        ),
        (&["--providers", "none"], "no provider is called none"),
        (&["--regions", "mars"], "no provider here is of region mars"),
        (&["--min-availability", "120%"], "100% at most"),
        (&["--output", "nowhere/x.md"], "cannot write nowhere/x.md"),
        (
            &["--models", "m", "--providers", "none"],
            "no provider is called none",
        ),
        (
            &["--regions", "us-east-1"],
            "no provider here is of region us-east-1",
        ),
        (&["--max-drift", "a lot"], "expected a share"),
        (&["--max-total", "3"], "expected a span"),
        (&["--max-cost", "0.0000001"], "over --max-cost"),
        (&["--ci", "--format", "csv"], "cannot be used with"),
    ] {
        let output = tollgate(folder, &[&["probe"], args].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let error = text(&output.stderr);
        assert!(error.contains(message), "{args:?}: {error}");
    }
    assert_eq!(simulator.request_count(), 0);
}
