//! Looks for secrets and prompts where none may be: in the store, in the logs, in the exports.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use tollgate::record::Nanos;
use tollgate::simulator::bare::{get, post};
use tollgate::simulator::{Framing, Script, Simulator, Then};

use super::program::{Home, Program, call, config, simulator, until};
use crate::support::h2::{self, H2Provider};
use crate::support::tls::Certificates;

/// What every secret and every word of a prompt contains.
pub(super) const CANARY: &[u8] = b"CANARY";

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
        (path, chat("says", stream)),
        (path, chat("says", "")),
        (path, chat("breaks", stream)),
        (path, chat("refuses", "")),
        ("/secure/v1/chat/completions", chat("any", stream)),
        ("/secure/v1/chat/completions", chat("any", "")),
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

/// Every event of this stream says what may not be kept: text, thoughts, tool calls, refusals.
const SAID: [&str; 5] = [
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"reasoning_content\":\"CANARY-THOUGHT\"}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"CANARY-ANSWER\"}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"refusal\":\"CANARY-REFUSAL\"}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"CANARY-CALL\",\"type\":\"function\",\"function\":{\"name\":\"CANARY_TOOL\",\"arguments\":\"{\\\"a\\\":\\\"CANARY-ARGUMENT\\\"}\"}}]}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n",
];

/// An answer of this kind and body.
fn answers(status: &str, kind: &str, pieces: &[&str]) -> Script {
    Script {
        head: format!("HTTP/1.1 {status}\r\ncontent-type: {kind}").into(),
        body: pieces
            .iter()
            .map(|piece| (Nanos(0), piece.to_string().into()))
            .collect(),
        framing: Framing::Chunked,
        then: Then::KeepAlive,
    }
}

fn play(simulator: &Simulator) {
    simulator.play("echo", echo());
    simulator.play("says", answers("200 OK", "text/event-stream", &SAID));
    // Ends with an error that quotes the prompt, in the middle of the stream.
    let error = "data: {\"error\":{\"message\":\"CANARY-PROMPT is refused for sk-CANARY-CLIENT\",\
                 \"type\":\"server_error\",\"code\":null}}\n\n";
    let broken = answers("200 OK", "text/event-stream", &[SAID[1], error]);
    simulator.play("breaks", broken);
    let page = "<html>CANARY-PAGE for sk-CANARY-PROVIDER</html>";
    simulator.play("refuses", answers("502 CANARY", "text/html", &[page]));
}

/// Sends every call, and gives the ids of the exchanges that were answered.
fn session(address: SocketAddr) -> Vec<String> {
    let mut ids = Vec::new();
    for (path, body) in calls() {
        // Some are refused, and some provider breaks off: that is part of the session.
        let reading = call(address, &post(path, HEADERS, &body));
        let id = reading
            .as_ref()
            .and_then(|reading| reading.header("x-tollgate-exchange"));
        ids.extend(id.map(str::to_owned));
    }
    let models = get("/v1/models?key=sk-CANARY-QUERY");
    let _ = call(address, &models);
    let _ = call(address, b"GET /CANARY HTTP/1.1\r\nCANARY\r\n\r\n");
    let _ = call(
        address,
        b"POST /v1/chat/completions?key=CANARY HTTP/9.9\r\n\r\n",
    );
    let unknown = "/CANARY-PATH/CANARY-FILE?x=CANARY";
    let _ = call(address, &post(unknown, HEADERS, "CANARY"));
    ids
}

/// The same over HTTP/2, whose library has a log of its own.
fn session_over_h2(address: SocketAddr, certificates: &Certificates) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut sender = h2::connect(address, certificates).await;
        for (path, body) in calls() {
            let mut request = http::Request::post(format!("https://localhost{path}"));
            for line in HEADERS.lines() {
                let (name, value) = line.split_once(": ").unwrap();
                request = request.header(name, value);
            }
            let request = request
                .header("content-type", "application/json")
                .body(Full::new(Bytes::from(body)))
                .unwrap();
            let response = sender.send_request(request).await.unwrap();
            // Some break off: that is part of the session.
            let _ = response.into_body().collect().await;
        }
    });
}

/// Every page and every answer of the admin plane.
pub(super) fn pages(admin: SocketAddr, ids: &[String]) -> Vec<(String, Vec<u8>)> {
    let fixed = [
        "/",
        "/routes",
        "/exchanges",
        "/health",
        "/metrics",
        "/healthz",
        "/readyz",
        "/api/overview",
        "/api/routes",
        "/api/exchanges",
        "/api/health",
        "/api/openapi.json",
        "/api/charts/latency",
        "/api/charts/volume",
        "/api/charts/first-token",
    ];
    let of_each = ids
        .iter()
        .flat_map(|id| [format!("/exchanges/{id}"), format!("/api/exchanges/{id}")]);
    fixed
        .iter()
        .map(|path| (*path).to_owned())
        .chain(of_each)
        .map(|path| {
            let reading = call(admin, &get(&path)).unwrap();
            assert_eq!(reading.status, 200, "{path}: {}", reading.text());
            let whole = [&reading.head[..], &reading.body[..]].concat();
            (path, whole)
        })
        .collect()
}

/// Waits until every one of these exchanges is on the disk: they need not end in their order.
pub(super) fn on_the_disk(admin: SocketAddr, ids: &[String]) {
    for id in ids {
        until("every record on the disk", || {
            let page = call(admin, &get(&format!("/api/exchanges/{id}")))?;
            (page.status == 200).then_some(())
        });
    }
}

/// Listens to the live feed until the program ends, and says what it heard so far.
fn feed(admin: SocketAddr) -> (Arc<Mutex<Vec<u8>>>, JoinHandle<()>) {
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.write_all(&get("/api/live")).unwrap();
    let mut buffer = [0; 4096];
    // Its head: from here on it is told of what comes.
    let count = stream.read(&mut buffer).unwrap();
    let heard = Arc::new(Mutex::new(buffer[..count].to_vec()));
    let ear = Arc::clone(&heard);
    let listening = thread::spawn(move || {
        // It ends with the program, in whatever way.
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            ear.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
    });
    (heard, listening)
}

/// Files below `folder` in which `word` is found, but for the config.
pub(super) fn found(folder: &Path, word: &[u8]) -> Vec<String> {
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

/// A config whose providers are the simulator and one that speaks HTTP/2.
fn config_with(simulator: &Simulator, secure: &H2Provider, certificates: &Certificates) -> String {
    let [root, ..] = certificates.files();
    let more = format!(
        "models = [\"*\"]\n[providers.secure]\nbase_url = \"https://localhost:{}/v1\"\n\
         api_key = \"sk-CANARY-SECURE\"\nca_file = \"{}\"\nhttp2 = true\n",
        secure.address.port(),
        root.display()
    );
    config(simulator, &more).replace(
        "[admin]",
        "token = \"sk-CANARY-TOKEN-0123456789\"\nhosts = [\"localhost\"]\n[admin]",
    )
}

/// The admin plane of a config.
pub(super) fn admin_of(config: &str) -> SocketAddr {
    let (_, after) = config.split_once("[admin]\nlisten = \"").unwrap();
    after.split('"').next().unwrap().parse().unwrap()
}

fn serve_at_trace(home: &Home) -> Program {
    let mut command = home.command(&["serve"]);
    command
        .env("TOLLGATE_LOG", "trace")
        .env("RUST_LOG", "trace");
    Program::start(&mut command)
}

fn output_of(home: &Home, words: &[&str]) -> String {
    let output = home.command(words).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8(text).unwrap()
}

/// Fails where a canary is in `bytes`.
pub(super) fn assert_clean(place: &str, bytes: &[u8]) {
    if let Some(at) = memchr::memmem::find(bytes, CANARY) {
        let near = &bytes[at.saturating_sub(200)..bytes.len().min(at + 60)];
        panic!("in {place}: …{}…", String::from_utf8_lossy(near));
    }
}

/// The log tells of every exchange: that it began, where it went, how it ended.
fn assert_rich(log: &str, ids: &[String]) {
    for id in ids {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(id)).collect();
        let says = |word: &str| lines.iter().any(|line| line.contains(word));
        assert!(says("begun") && says("settled"), "{id}: {lines:?}");
    }
    let tried = log.lines().filter(|line| line.contains(" tried ")).count();
    assert!(tried * 2 > ids.len(), "{tried} of {}", ids.len());
    assert!(log.contains("committed"), "the recorder says nothing");
    // Other crates have their say: h2 logs each frame.
    assert!(log.contains("frame"), "the HTTP/2 library says nothing");
}

#[test]
fn no_secret_and_no_prompt_is_kept_or_said() {
    let (simulator, certificates) = (simulator(), Certificates::new());
    play(&simulator);
    let secure = H2Provider::start(&certificates, &SAID, Duration::from_millis(1));
    let config = config_with(&simulator, &secure, &certificates);
    let admin = admin_of(&config);
    let home = Home::new(&config);
    let program = serve_at_trace(&home);
    let (heard, listening) = feed(admin);
    let ids = session(program.address);
    assert!(ids.len() + 4 >= calls().len(), "{} exchanges", ids.len());
    on_the_disk(admin, &ids);
    let pages = pages(admin, &ids);
    let told = |heard: &[u8]| {
        let is_told = |id: &&String| memchr::memmem::find(heard, id.as_bytes()).is_some();
        ids.iter().filter(is_told).count()
    };
    until("most of them in the live feed", || {
        (told(&heard.lock().unwrap()) * 2 > ids.len()).then_some(())
    });
    let (status, said) = program.stop();
    assert_eq!(status.code(), Some(0), "{said}");
    assert_clean("the log", said.as_bytes());
    assert_rich(&said, &ids);
    listening.join().unwrap();
    let heard = heard.lock().unwrap();
    assert_clean("the live feed", &heard);
    for (path, bytes) in &pages {
        assert_clean(path, bytes);
    }
    // The records are there, so that there was something to find.
    let rows = output_of(&home, &["export", "--format", "jsonl"]);
    assert!(rows.lines().count() >= calls().len() - 4, "{rows}");
    for words in [
        &["export", "--format", "jsonl"][..],
        &["export", "--format", "csv"],
        &["report", "routes", "--format", "json"],
        &["report", "routes", "--format", "csv"],
        &["report", "routes"],
    ] {
        assert_clean(&words.join(" "), output_of(&home, words).as_bytes());
    }
    for id in &ids {
        let text = output_of(&home, &["explain", id]);
        assert!(
            text.contains("outcome") || text.contains("Outcome"),
            "{text}"
        );
        assert_clean("explain", text.as_bytes());
    }
    assert_eq!(found(&home.folder, CANARY), Vec::<String>::new());
    println!(
        "canaries: {} exchanges, {} pages, {} lines of log at trace, {} bytes of feed, 0 hits",
        ids.len(),
        pages.len(),
        said.lines().count(),
        heard.len()
    );
}

#[test]
fn no_secret_and_no_prompt_is_said_over_http2() {
    let (simulator, certificates) = (simulator(), Certificates::new());
    play(&simulator);
    let secure = H2Provider::start(&certificates, &SAID, Duration::from_millis(1));
    let [_, own, key] = certificates.files();
    let tls = format!(
        "[server.tls]\ncertificate = \"{}\"\nkey = \"{}\"\n[admin]",
        own.display(),
        key.display()
    );
    let config = config_with(&simulator, &secure, &certificates).replace("[admin]", &tls);
    let home = Home::new(&config);
    let program = serve_at_trace(&home);
    session_over_h2(program.address, &certificates);
    let (status, said) = program.stop();
    assert_eq!(status.code(), Some(0), "{said}");
    assert_clean("the log", said.as_bytes());
    let settled = said.lines().filter(|line| line.contains("settled")).count();
    assert_eq!(settled, calls().len());
    assert_eq!(found(&home.folder, CANARY), Vec::<String>::new());
    println!(
        "canaries over HTTP/2: {} exchanges, {} lines of log at trace, 0 hits",
        settled,
        said.lines().count()
    );
}
