//! Runs `tollgate check --live` itself against simulated providers: what it asks, finds and prints.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tollgate::record::Nanos;
use tollgate::simulator::{Behaviour, Config, Persona, Quirks, Script, Simulator};

#[expect(dead_code, reason = "each test needs another part of it")]
#[path = "support/ports.rs"]
mod ports;

/// The key that the simulator takes, one that it does not, and the secret of its AWS keys.
const KEY: &str = "sk-CANARY-GOOD";
const BAD: &str = "sk-CANARY-BAD";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn simulator() -> Simulator {
    let persona = |quirks: Quirks| Persona::new(quirks.with_key(KEY), Behaviour::default());
    let mut own = persona(Quirks::openai());
    // Two beside the two that every persona has.
    own.models = vec![
        ("sim-one".to_owned(), Behaviour::default()),
        ("sim-two".to_owned(), Behaviour::default()),
    ];
    Simulator::start(Config {
        personas: vec![persona(Quirks::anthropic()).at("/an"), own],
        ..Config::default()
    })
    .unwrap()
}

/// Runs the check over `providers`, in which `{sim}` is the simulator.
fn check(folder: &Path, simulator: &Simulator, providers: &str, args: &[&str]) -> Output {
    let text = providers.replace("{sim}", &simulator.addr().to_string());
    fs::write(folder.join("tollgate.toml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .args(["check", "--live", "--config", "tollgate.toml"])
        .args(args);
    command.output().unwrap()
}

fn printed(output: &Output) -> String {
    [&output.stdout[..], &output.stderr]
        .map(String::from_utf8_lossy)
        .concat()
}

#[test]
fn every_kind_of_provider_answers_by_its_own_credential() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let providers = format!(
        r#"
        [providers.oa]
        base_url = "http://{{sim}}/v1"
        api_key = "{KEY}"
        [providers.an]
        dialect = "anthropic"
        base_url = "http://{{sim}}/an"
        api_key = "{KEY}"
        [providers.ge]
        dialect = "gemini"
        base_url = "http://{{sim}}"
        api_key = "{KEY}"
        [providers.vx]
        dialect = "gemini"
        base_url = "http://{{sim}}/v1/projects/p/locations/eu"
        api_key = "{KEY}"
        [providers.az]
        dialect = "azure"
        base_url = "http://{{sim}}/openai/deployments/d?api-version=1"
        auth = "bearer"
        api_key = "{KEY}"
        [providers.bedrock-eu-west-1]
        base_url = "http://{{sim}}"
        login = "aws"
        [providers.ol]
        preset = "ollama-native"
        base_url = "http://{{sim}}"
        api_key = "{KEY}"
        [providers.cmd]
        base_url = "http://{{sim}}/v1"
        api_key_command = ["echo", "{KEY}"]
        [providers.deepseek]
        "#
    );
    let output = check(folder.path(), &simulator, &providers, &[]);
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains("ok, 9 provider(s)"), "{text}");
    for (line, provider, result) in [
        (1, "oa", "4 model(s)"),
        (2, "an", "model(s)"),
        (3, "ge", "4 model(s)"),
        (4, "vx", "ms (api_key)"),
        (5, "az", "4 model(s)"),
        (6, "bedrock-eu-west-1", "ms (AWS"),
        (7, "ol", "4 model(s)"),
        (8, "cmd", "4 model(s)"),
        (9, "deepseek", "skipped"),
    ] {
        let found = lines[line];
        assert_eq!(found.split_whitespace().next(), Some(provider), "{text}");
        assert!(found.contains(result), "{text}");
    }
    for secret in [KEY, SECRET] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_with_what_to_do_and_no_key() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let dead = ports::dead();
    let page = |status: &str, body: &'static str| {
        let mut script = Script::cut("text/html", &body.into(), &[], Nanos(0));
        script.head = format!("HTTP/1.1 {status}\r\ncontent-type: text/html").into();
        script
    };
    simulator.play("web", page("200 OK", "<html>Welcome</html>"));
    simulator.play("lost", page("404 Not Found", "<html>Nothing here</html>"));
    simulator.play("moved", page("301 Moved Permanently", ""));
    let providers = format!(
        r#"
        [providers.good]
        base_url = "http://{{sim}}/v1"
        api_key = "{KEY}"
        [providers.bad]
        base_url = "http://{{sim}}/v1"
        api_keys = ["{KEY}", "{BAD}"]
        [providers.gone]
        base_url = "http://{dead}/v1"
        api_key = "{KEY}"
        [providers.web]
        base_url = "http://{{sim}}/web"
        api_key = "{KEY}"
        [providers.lost]
        base_url = "http://{{sim}}/lost"
        api_key = "{KEY}"
        [providers.moved]
        base_url = "http://{{sim}}/moved"
        api_key = "{KEY}"
        [providers.none]
        base_url = "http://{{sim}}/v1"
        [providers.cmd]
        base_url = "http://{{sim}}/v1"
        api_key_command = ["false", "{BAD}"]
        "#
    );
    let output = check(folder.path(), &simulator, &providers, &["--format", "json"]);
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let view: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(view["ok"], false);
    let live = view["live"].as_array().unwrap();
    let found: Vec<(&str, &str, Option<&str>)> = live
        .iter()
        .map(|asked| {
            let text = |key: &str| asked[key].as_str();
            (
                text("provider").unwrap(),
                text("result").unwrap(),
                text("error"),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("good", "ok", None),
            ("bad", "ok", None),
            ("bad", "failed", Some("auth")),
            ("gone", "failed", Some("connect")),
            ("web", "failed", Some("no_list")),
            ("lost", "failed", Some("not_found")),
            ("moved", "failed", Some("redirect")),
            ("none", "failed", Some("auth")),
            ("cmd", "failed", Some("credential")),
        ]
    );
    for asked in live.iter().filter(|asked| asked["result"] == "failed") {
        let message = asked["message"].as_str().unwrap();
        assert!(
            message.contains([':', ';', ',']),
            "it says what to do: {message}"
        );
    }
    assert!(live[0]["latency_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(live[0]["models"], 4);
    for secret in [KEY, BAD] {
        assert!(!text.contains(secret), "{text}");
    }
}
