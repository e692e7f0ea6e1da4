//! Runs the official SDKs against the simulator, directly and through the proxy, and compares.
//!
//! Asked for by `TOLLGATE_SDK=1` (`make test`), since it installs packages: see `tests/sdk`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "support/program.rs"]
mod program;

use program::Program;

/// What comes through the proxy and not from the provider itself: a broken stream says so.
const BETTER_THROUGH: [(&str, &str); 3] = [
    ("broken_mid_stream", "APIError - upstream_truncated"),
    ("broken_responses", "APIError - upstream_truncated"),
    ("claude_broken_mid_stream", "APIStatusError 200 "),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a script, and gives its cases with what came of them.
fn cases(program: &Path, args: &[&str]) -> Vec<(String, String)> {
    let output = Command::new(program)
        .args(args)
        .current_dir(root())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", program.display());
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    text.lines().map(line).collect()
}

#[test]
fn the_official_sdks_see_no_difference() {
    if std::env::var_os("TOLLGATE_SDK").is_none() {
        println!("not asked for: TOLLGATE_SDK=1");
        return;
    }
    let prepared = Command::new("sh")
        .arg("tests/sdk/prepare.sh")
        .current_dir(root())
        .status();
    assert!(prepared.unwrap().success(), "tests/sdk/prepare.sh");
    let behave = "ft-5ms:gap-1ms:n-16";
    let simulator = Program::run(&["simulate", "--listen", "127.0.0.1:0", "--behave", behave]);
    let provider = &simulator.address;
    let folder = tempfile::tempdir().unwrap();
    let providers = format!(
        r#"
        server.default_provider = "openai"
        [providers.openai]
        base_url = "http://{provider}/v1"
        api_key = "sk-of-the-test"
        models = ["sim*"]
        [providers.anthropic]
        base_url = "http://{provider}/anthropic"
        "#
    );
    let proxy = Program::serve(folder.path(), &providers);
    let python = root().join("target/sdk/venv/bin/python");
    let modules = root().join("target/sdk/node");
    let ask = |address: &str| {
        let (openai, claude) = (
            format!("http://{address}/v1"),
            format!("http://{address}/anthropic"),
        );
        let mut all = cases(&python, &["tests/sdk/check.py", &openai, &claude]);
        let node = ["tests/sdk/check.mjs", &openai, modules.to_str().unwrap()];
        let node = cases(Path::new("node"), &node);
        all.extend(
            node.into_iter()
                .map(|(name, came)| (format!("node {name}"), came)),
        );
        all
    };
    let (direct, through) = (ask(provider), ask(&proxy.address));
    println!("memory after it: {} KiB", proxy.memory_kib());
    assert_eq!(direct.len(), through.len());
    let mut findings = Vec::new();
    println!("{:<30} {:<60} through", "case", "direct");
    for ((name, direct), (same_name, through)) in direct.iter().zip(&through) {
        assert_eq!(name, same_name);
        println!("{name:<30} {direct:<60} {through}");
        let plain = name.strip_prefix("node ").unwrap_or(name);
        let better = BETTER_THROUGH.iter().find(|(better, _)| *better == plain);
        let expected = better.map_or(direct.as_str(), |(_, expected)| *expected);
        if through != expected || direct.starts_with("FAILED") {
            findings.push(format!(
                "{name}: expected {expected:?}, through {through:?}"
            ));
        }
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}
