//! Runs `tollgate baseline`, `report drift` and `report production` themselves: alone, and beside a
//! server.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test may fail the test"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tollgate::record::Nanos;
use tollgate::simulator::{Behaviour, Config, Delay, Persona, Quirks, Simulator};

#[expect(dead_code, reason = "each test needs another part of it")]
#[path = "support/ports.rs"]
mod ports;

/// A provider whose first token takes about so many milliseconds.
fn provider(first_ms: u64) -> Simulator {
    let ms = |ms: u64| Nanos(ms * 1_000_000);
    let behaviour = Behaviour {
        first_token: Delay::Uniform(ms(first_ms), ms(first_ms + 4)),
        gap: Delay::Constant(ms(1)),
        tokens: 20,
        ..Behaviour::default()
    };
    Simulator::start(Config {
        personas: vec![Persona::new(Quirks::openai(), behaviour)],
        ..Config::default()
    })
    .unwrap()
}

/// A model with one route.
fn config(folder: &Path, simulator: &Simulator, ports: [SocketAddr; 2]) {
    let [listen, admin] = ports;
    let text = format!(
        r#"
        store.path = "{}"
        server.listen = "{listen}"
        admin.listen = "{admin}"
        [providers.direct]
        base_url = "http://{}/v1"
        api_key = "sk-one"
        region = "eu-west-1"
        [models.m]
        routes = [{{ provider = "direct", model = "sim" }}]
        "#,
        folder.join("store.redb").display(),
        simulator.addr(),
    );
    fs::write(folder.join("tollgate.toml"), text).unwrap();
}

fn tollgate(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    // Where it may use some processors only, the allocator says so in a line of its own.
    command
        .env("_RJEM_MALLOC_CONF", "percpu_arena:disabled")
        .current_dir(folder)
        .args(["--config", "tollgate.toml"])
        .args(line.split(' '));
    command.output().unwrap()
}

/// Its exit code, and everything that it said.
fn said(folder: &Path, line: &str) -> (i32, String) {
    let output = tollgate(folder, line);
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

fn ok(folder: &Path, line: &str) -> String {
    let (code, text) = said(folder, line);
    assert_eq!(code, 0, "{line}: {text}");
    text
}

#[test]
fn results_are_saved_shown_compared_and_watched() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), provider(20));
    let folder = folder.path();
    let ports = [ports::free(), ports::free()];
    config(folder, &simulator, ports);
    let bench = "bench --models m --iterations 60 --warm-ups 1 --location desk --run";
    ok(folder, &format!("{bench} before"));
    let save = "baseline save november --note first --from results/before";
    assert!(ok(folder, save).contains("1 row of 1 run in results/before"));
    let shown = ok(folder, "baseline show november --format markdown");
    for part in [
        "# Baseline november",
        "eu-west-1",
        "first token p50",
        "| workload | seed: ",
        "Anomalies",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let list: Value = serde_json::from_str(&ok(folder, "baseline list --json")).unwrap();
    assert_eq!(list["schema"], "tollgate.baselines/1");
    let one = &list["baselines"][0];
    assert_eq!(
        (&one["name"], &one["note"]),
        (&"november".into(), &"first".into())
    );
    assert_eq!(one["rows"][0]["requests"], 60, "{one:#}");
    assert_eq!(one["watched"][0]["steps"], 6, "{one:#}");
    // The same again has not drifted.
    ok(folder, &format!("{bench} again"));
    let still = "report drift --baseline november --origin bench --fail-on-drift";
    assert!(ok(folder, still).contains("No drift"));
    // 60 ms more have, and are a regression.
    let slower = provider(80);
    config(folder, &slower, ports);
    ok(folder, &format!("{bench} slower"));
    let (code, text) = said(folder, still);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("m at direct, first token p50: slower since about"),
        "{text}"
    );
    ok(
        folder,
        "baseline save december --note later --from results/slower",
    );
    let (code, text) = said(
        folder,
        "baseline compare november december --fail-on-regression",
    );
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("worse than november: m, direct"), "{text}");
    let since = ok(folder, "baseline compare november");
    assert!(since.contains("B against A"), "{since}");
    // It outlives packing and a backup.
    ok(folder, "db compact");
    ok(folder, "db backup copy.redb");
    assert!(ok(folder, "baseline list --store copy.redb").contains("december"));
    ok(folder, "baseline remove november");
    fs::create_dir(folder.join("empty")).unwrap();
    let text = fs::read_to_string(folder.join("results/before/benchmark.json")).unwrap();
    fs::write(folder.join("cut.json"), &text[..text.len() / 3]).unwrap();
    for (line, code, message) in [
        (
            "baseline show november",
            1,
            "there is no baseline november; there is: december",
        ),
        (
            "baseline remove november",
            1,
            "there is no baseline november",
        ),
        (
            "baseline compare november",
            1,
            "there is no baseline november",
        ),
        (
            "report drift --baseline november",
            1,
            "there is no baseline november",
        ),
        (
            "baseline save december --note x --from results/again",
            2,
            "already",
        ),
        (
            "baseline save a/b --note x --from results/again",
            2,
            "letters, digits",
        ),
        (
            "baseline save x --note x --from empty",
            2,
            "holds no result",
        ),
        (
            "baseline save x --note x --from cut.json",
            2,
            "was it cut off?",
        ),
        ("baseline save x --note x", 2, "--since"),
        ("baseline save x --note x --since soon", 2, "neither an age"),
        ("baseline save x --note x --since 1h", 1, "nothing to save"),
    ] {
        let (found, text) = said(folder, line);
        assert_eq!(found, code, "{line}: {text}");
        assert!(text.contains(message), "{line}: {text}");
    }
}

/// A server that ends with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(folder: &Path, address: SocketAddr) -> Serving {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command
        .current_dir(folder)
        .args(["serve", "--config", "tollgate.toml"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let serving = Serving(command.spawn().unwrap());
    for _ in 0..1200 {
        if TcpStream::connect(address).is_ok() {
            return serving;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("nobody listens at {address}")
}

/// One streamed request of a client's.
fn ask(address: SocketAddr) {
    let body = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn live_traffic_stands_beside_benchmarks_also_of_a_running_server() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), provider(20));
    let folder = folder.path();
    let ports = [ports::free(), ports::free()];
    config(folder, &simulator, ports);
    ok(
        folder,
        "bench --models m --iterations 20 --warm-ups 1 --run one",
    );
    let slower = provider(90);
    config(folder, &slower, ports);
    let serving = serve(folder, ports[0]);
    for _ in 0..20 {
        ask(ports[0]);
    }
    // What is committed is seen: at most a batch's wait later.
    let report = (0..600).find_map(|_| {
        let text = ok(folder, "report production --format json");
        let value: Value = serde_json::from_str(&text).unwrap();
        let all = value["tables"]["reasons"].as_array()?;
        let live = all.iter().find(|row| row["traffic"] == "live")?;
        if live["requests"] == 20 {
            return Some(value);
        }
        thread::sleep(Duration::from_millis(100));
        None
    });
    let report = report.expect("twenty live requests");
    let row = &report["tables"]["beside"][0];
    assert_eq!(row["metric"], "first_token_p50", "{row}");
    assert_eq!(row["verdict"], "different", "{row}");
    let finding = report["findings"][0].as_str().unwrap();
    assert!(finding.contains("m at direct: first token +"), "{finding}");
    assert!(
        finding.contains("worth finding out why (prompts of"),
        "{finding}"
    );
    // The server has the store, and writes the baseline down.
    let saved = ok(folder, "baseline save live --note beside --since 1h");
    assert!(saved.contains("live traffic"), "{saved}");
    let (code, text) = said(folder, "baseline save live --note beside --since 1h");
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("already"), "{text}");
    assert!(ok(folder, "baseline show live").contains("beside"));
    ok(folder, "baseline remove live");
    let (code, text) = said(folder, "baseline remove live");
    assert_eq!(code, 1, "{text}");
    drop(serving);
}
