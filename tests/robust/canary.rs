//! Looks for secrets and prompts where none may be: in the store, in the logs, in the exports.

use std::fs;
use std::path::Path;

use tollgate::record::Nanos;
use tollgate::simulator::bare::{get, post};
use tollgate::simulator::{Framing, Script, Then};

use super::program::{Home, Program, call, config, simulator};

/// What every secret and every word of a prompt contains.
const CANARY: &[u8] = b"CANARY";

/// Headers that carry secrets, and names that are kept as hashes only.
const HEADERS: &str = "authorization: Bearer sk-CANARY-CLIENT\r\nx-api-key: sk-CANARY-XAPI\r\n\
    api-key: sk-CANARY-APIKEY\r\nx-goog-api-key: sk-CANARY-GOOG\r\ncookie: session=CANARY-COOKIE\r\n\
    x-tollgate-token: sk-CANARY-TOKEN-0123456789\r\nx-tollgate-session: CANARY-SESSION\r\n\
    x-claude-code-session-id: CANARY-CLAUDE\r\nsession_id: CANARY-CODEX\r\n\
    openai-organization: CANARY-ORG\r\nreferer: http://CANARY.example/\r\n";

/// Path and body of each call of the session.
fn calls() -> Vec<(&'static str, String)> {
    let chat = |model: &str, more: &str| {
        format!(
            "{{\"model\":\"{model}\"{more},\"user\":\"CANARY-USER\",\
             \"prompt_cache_key\":\"CANARY-CACHE\",\"metadata\":{{\"user_id\":\"CANARY-META\"}},\
             \"messages\":[{{\"role\":\"system\",\"content\":\"CANARY-SYSTEM\"}},\
             {{\"role\":\"user\",\"content\":\"CANARY-PROMPT\"}}],\
             \"tools\":[{{\"type\":\"function\",\"function\":{{\"name\":\"CANARY-TOOL\"}}}}]}}"
        )
    };
    let path = "/v1/chat/completions";
    let stream = ",\"stream\":true";
    vec![
        (path, chat("sim:n-4", "")),
        (path, chat("sim:n-4", stream)),
        (path, chat("sim:think-2:n-4", stream)),
        (path, chat("sim:fault-http_500", "")),
        (path, chat("sim:fault-unauthorized", "")),
        (path, chat("sim:fault-error_mid", stream)),
        (path, chat("sim:fault-reset_mid:n-9", stream)),
        (path, chat("sim:fault-reset_before_headers", "")),
        (path, chat("echo", "")),
        (path, chat("echo", stream)),
        (path, chat("missing", "")),
        // Bodies that are refused, and must not be quoted.
        (path, "{\"model\":\"CANARY-BROKEN".to_owned()),
        (path, "CANARY-PROMPT".to_owned()),
        (
            path,
            format!("{}CANARY{}", "[".repeat(500), "]".repeat(500)),
        ),
        (
            "/v1/responses",
            "{\"model\":\"sim:n-2\",\"input\":\"CANARY-PROMPT\"}".to_owned(),
        ),
        (
            "/v1/embeddings",
            "{\"model\":\"sim\",\"input\":\"CANARY-PROMPT\"}".to_owned(),
        ),
        ("/v1/messages", chat("sim:n-2", ",\"max_tokens\":9")),
        (
            "/sim/v1/files?key=sk-CANARY-QUERY",
            "CANARY-FILE".to_owned(),
        ),
        (
            "/v1/nothing?token=sk-CANARY-QUERY",
            "CANARY-PROMPT".to_owned(),
        ),
    ]
}

/// A provider that says back what it was told, in every place that is read.
fn echo() -> Script {
    let body = "{\"error\":{\"message\":\"invalid key sk-CANARY-PROVIDER for CANARY-PROMPT\",\
                \"type\":\"invalid_request_error\",\"param\":\"CANARY-PARAM\",\"code\":null}}";
    Script {
        head: "HTTP/1.1 400 Bad CANARY\r\ncontent-type: application/json\r\n\
               x-echo: sk-CANARY-PROVIDER\r\nset-cookie: CANARY-COOKIE"
            .into(),
        body: vec![(Nanos(0), body.into())],
        framing: Framing::ContentLength,
        then: Then::KeepAlive,
    }
}

fn session(program: &Program) {
    for (path, body) in calls() {
        // Some are refused, and some provider breaks off: that is part of the session.
        let _ = call(program.address, &post(path, HEADERS, &body));
    }
    let models = get("/v1/models?key=sk-CANARY-QUERY");
    let _ = call(program.address, &models);
    let _ = call(program.address, b"GET /CANARY HTTP/1.1\r\nCANARY\r\n\r\n");
    let _ = call(
        program.address,
        b"POST /v1/chat/completions?key=CANARY HTTP/9.9\r\n\r\n",
    );
}

/// Files below `folder` in which `word` is found, but for the config.
fn found(folder: &Path, word: &[u8]) -> Vec<String> {
    let mut hits = Vec::new();
    for entry in fs::read_dir(folder).unwrap().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            hits.extend(found(&path, word));
        } else if path.extension().is_none_or(|ending| ending != "toml") {
            let bytes = fs::read(&path).unwrap();
            if let Some(at) = memchr::memmem::find(&bytes, word) {
                let end = bytes.len().min(at + 40);
                let near = String::from_utf8_lossy(&bytes[at.saturating_sub(20)..end]).into_owned();
                hits.push(format!("{}: …{near}…", path.display()));
            }
        }
    }
    hits
}

#[test]
fn no_secret_and_no_prompt_is_kept_or_said() {
    let simulator = simulator();
    simulator.play("echo", echo());
    let config = config(&simulator, "models = [\"*\"]\n").replace(
        "[admin]",
        "token = \"sk-CANARY-TOKEN-0123456789\"\nhosts = [\"localhost\"]\n[admin]",
    );
    let home = Home::new(&config);
    let mut command = home.command(&["serve"]);
    command
        .env("TOLLGATE_LOG", "trace")
        .env("RUST_LOG", "trace");
    let program = Program::start(&mut command);
    session(&program);
    let (status, said) = program.stop();
    assert_eq!(status.code(), Some(0), "{said}");
    let line = said.lines().find(|line| line.contains("CANARY"));
    assert_eq!(line, None, "in the log");
    // The records are there, so that there was something to find.
    let export = home
        .command(&["export", "--format", "jsonl"])
        .output()
        .unwrap();
    let rows = String::from_utf8(export.stdout).unwrap();
    assert!(rows.lines().count() >= calls().len() - 4, "{rows}");
    fs::write(home.folder.join("export.jsonl"), &rows).unwrap();
    fs::write(home.folder.join("log.txt"), &said).unwrap();
    assert_eq!(found(&home.folder, CANARY), Vec::<String>::new());
    println!(
        "canaries: {} records, {} bytes of log at trace, 0 hits",
        rows.lines().count(),
        said.len()
    );
}
