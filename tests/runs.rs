//! Begins runs by the page of a program that serves, against simulated providers: what it takes,
//! refuses, shows, keeps, and that a run is the one of the command.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test may fail the test"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate::simulator::{Behaviour, Config, Persona, Quirks, Simulator};

#[expect(dead_code, reason = "each test needs another part of it")]
#[path = "support/ports.rs"]
mod ports;

/// Longest wait for anything; generous, a debug build on a busy machine is slow.
const PATIENCE: Duration = Duration::from_mins(1);

/// A program that serves, in a folder of its own.
struct Served {
    child: Child,
    page: SocketAddr,
    folder: tempfile::TempDir,
    _simulator: Simulator,
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer of the page.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}", self.body))
    }
}

fn serve(more: &str) -> Served {
    let simulator = Simulator::start(Config {
        personas: vec![Persona::new(Quirks::openai(), Behaviour::default())],
        ..Config::default()
    })
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (provider, page, data) = (simulator.addr(), ports::free(), ports::free());
    let store = folder.path().join("store.redb");
    let text = format!(
        r#"
        server.listen = "{data}"
        admin.listen = "{page}"
        store.path = "{}"
        [providers.one]
        base_url = "http://{provider}/v1"
        api_key = "sk-one"
        [providers.two]
        base_url = "http://{provider}/v1"
        api_key = "sk-two"
        [models.m]
        routes = [
            {{ provider = "one", model = "sim:ft-2ms" }},
            {{ provider = "two", model = "sim:ft-4ms" }},
        ]
        [[prices.rows]]
        providers = ["one", "two"]
        models = ["sim*"]
        input = 1
        output = 10
        {more}
        "#,
        store.display()
    );
    let config = folder.path().join("tollgate.toml");
    fs::write(&config, text).unwrap();
    let sets = folder.path().join("sets");
    fs::create_dir(&sets).unwrap();
    fs::write(
        sets.join("set.jsonl"),
        "{\"input\": \"say x\", \"expected\": \"x\"}\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("secret.jsonl"),
        "{\"input\": \"secret\"}\n",
    )
    .unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["serve", "--config", config.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let served = Served {
        child,
        page,
        folder,
        _simulator: simulator,
    };
    until("the program serves", || {
        TcpStream::connect(page).is_ok().then_some(())
    });
    served
}

/// Waits until there is something.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        thread::sleep(Duration::from_millis(30));
    }
}

impl Served {
    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let host = if headers.contains("Host:") {
            String::new()
        } else {
            format!("Host: {}\r\n", self.page)
        };
        let mut stream = TcpStream::connect(self.page).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        let status = head[9..12].parse().unwrap();
        let body = if head.contains("transfer-encoding: chunked") {
            unchunked(body)
        } else {
            body.to_owned()
        };
        Answer { status, head, body }
    }

    fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", "")
    }

    fn ask(&self, body: &Value) -> Answer {
        let kind = "Content-Type: application/json\r\n";
        self.send("POST", "/api/runs", kind, &body.to_string())
    }

    /// The run of that name once it has ended.
    fn ended(&self, run: &str) -> Value {
        until("a run ends", || {
            let run = self.get(&format!("/api/runs/{run}")).json();
            (run["going"] == false).then_some(run)
        })
    }

    fn file(&self, run: &str, name: &str) -> Answer {
        self.get(&format!("/api/runs/{run}/files/{name}"))
    }
}

fn unchunked(mut rest: &str) -> String {
    let mut whole = String::new();
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        whole.push_str(&more[..size]);
        rest = more[size..].trim_start_matches("\r\n");
        if size == 0 {
            break;
        }
    }
    whole
}

fn bench(run: &str) -> Value {
    json!({
        "kind": "bench", "models": ["m"], "iterations": 8, "warm_ups": 1, "max_tokens": 12,
        "run": run, "seed": 7, "max_cost": 0.1,
    })
}

/// What a benchmark asked, in its order: nothing of when, and of how long it took.
fn asked(lines: &str) -> Vec<Value> {
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let asked = lines.map(|line: Value| {
        let exchange = &line["exchange"];
        json!([
            line["task"],
            exchange["attempts"][0]["provider"],
            exchange["attempts"][0]["model"],
            exchange["request"]["bytes"],
            exchange["request"]["max_tokens"],
            exchange["active"]["round"],
            exchange["active"]["item"],
            exchange["active"]["warm_up"],
            exchange["outcome"],
        ])
    });
    asked.collect()
}

#[test]
fn a_benchmark_of_the_page_is_the_one_of_the_command() {
    let served = serve("");
    let page = served.get("/runs").body;
    assert!(page.contains("What would it cost?"), "{page}");
    assert_eq!(served.get("/api/runs").json()["runs"], json!([]));

    let mut dry = bench("dry");
    dry["dry_run"] = true.into();
    let told = served.ask(&dry);
    assert_eq!(told.status, 200, "{}", told.body);
    let told = told.json();
    assert_eq!(told["requests"], 2 * 9);
    assert!(told["cost_usd"].as_f64().unwrap() > 0.0, "{told}");
    assert_eq!(told["max_cost"], 0.1);
    assert_eq!(served.get("/api/runs/dry").status, 404, "nothing was begun");

    let begun = served.ask(&bench("monday"));
    assert_eq!(begun.status, 202, "{}", begun.body);
    assert!(
        begun.head.contains("location: /api/runs/monday"),
        "{}",
        begun.head
    );
    let run = served.ended("monday");
    assert_eq!(run["state"], "complete", "{run}");
    assert_eq!(run["done"], run["of"], "{run}");
    assert!(run["of"].as_u64() > Some(0), "{run}");
    assert_eq!(
        served.ask(&bench("monday")).json()["error"]["code"],
        "run_exists"
    );

    // The same by the command, into the same folder.
    let out = served.folder.path().join("results");
    let command = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .current_dir(served.folder.path())
        .args(["--config", "tollgate.toml", "bench", "--models", "m"])
        .args(["--iterations", "8", "--warm-ups", "1", "--max-tokens", "12"])
        .args([
            "--run",
            "tuesday",
            "--seed",
            "7",
            "--max-cost",
            "0.1",
            "--out",
        ])
        .arg(&out)
        .output()
        .unwrap();
    assert!(
        command.status.success(),
        "{}",
        String::from_utf8_lossy(&command.stderr)
    );
    let lines = |run: &str| served.file(run, "exchanges.jsonl").body;
    let (page, command) = (asked(&lines("monday")), asked(&lines("tuesday")));
    assert_eq!(page.len(), 18);
    assert_eq!(page, command);
    let result = |run: &str| served.file(run, "benchmark.json").json();
    for key in ["schema", "settings", "estimate", "end"] {
        assert_eq!(result("monday")[key], result("tuesday")[key], "{key}");
    }

    // Both are listed, shown, handed out and compared; the store has what the page measured.
    let all = served.get("/api/runs").json();
    for (run, seed) in [("monday", 7), ("tuesday", 7)] {
        let shown = served.get(&format!("/api/runs/{run}")).json();
        assert_eq!(
            (&shown["state"], &shown["seed"]),
            (&"complete".into(), &seed.into()),
            "{shown}"
        );
        assert!(
            !shown["began"].is_null() && !shown["ended"].is_null(),
            "{shown}"
        );
    }
    let names: Vec<&str> = all["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["run"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"monday") && names.contains(&"tuesday"),
        "{names:?}"
    );
    for name in ["report.html", "report.md", "report.txt", "benchmark.csv"] {
        let file = served.file("monday", name);
        assert_eq!(file.status, 200, "{name}");
        assert!(
            file.head.contains("content-disposition: attachment"),
            "{}",
            file.head
        );
        assert!(file.body.contains("one"), "{name}: {}", file.body);
    }
    for (run, name, status) in [
        ("monday", "run.json", 404),
        ("monday", "..%2f..%2fsecret.jsonl", 404),
        ("..", "secret.jsonl", 404),
        ("%2e%2e", "secret.jsonl", 404),
        ("none", "report.txt", 404),
    ] {
        assert_eq!(served.file(run, name).status, status, "{run}/{name}");
    }
    let page = served.get("/runs/monday").body;
    assert!(
        page.contains("class=\"paper\"") && page.contains("tuesday"),
        "{page}"
    );
    let compared = served.get("/api/runs/tuesday/compared?with=monday").json();
    assert_eq!(
        compared["schema"], "tollgate.report.compare/1",
        "{compared}"
    );
    assert_eq!(served.get("/runs/tuesday/compared?with=monday").status, 200);
    let report = served
        .get("/api/reports/runs?origin=all&runs=monday")
        .json();
    assert!(report.to_string().contains("monday"), "{report}");
}

#[test]
fn one_run_goes_on_at_a_time_and_is_stopped_with_what_it_measured() {
    let mut served = serve("");
    let load = |run: &str| {
        json!({
            "kind": "load", "models": ["m"], "providers": ["one"], "rate": 20, "duration": "10m",
            "ramp": "0s", "cool": "0s", "warm_ups": 0, "sla": "5s", "run": run, "seed": 1,
            "prompt_tokens": 20, "max_tokens": 4, "max_cost": 0.9,
        })
    };
    assert_eq!(served.ask(&load("first")).status, 202);
    let sent = until("requests are sent", || {
        let run = served.get("/api/runs/first").json();
        let said = run["says"].as_str().unwrap().to_owned();
        (run["done"].as_u64()? > 2_000).then_some(said)
    });
    assert!(sent.contains("sent"), "{sent}");
    let second = served.ask(&bench("second"));
    assert_eq!(
        (second.status, &second.json()["error"]["code"]),
        (409, &json!("run_going_on"))
    );
    assert!(second.body.contains("first"), "{}", second.body);
    assert!(served.get("/runs").body.contains("Stop it"));
    assert_eq!(
        served.send("POST", "/api/runs/none/stop", "", "").status,
        404
    );
    assert_eq!(
        served.send("POST", "/api/runs/first/stop", "", "").status,
        202
    );
    let run = served.ended("first");
    assert_eq!(run["state"], "interrupted", "{run}");
    let result = served.file("first", "load.json").json();
    let n = result["routes"][0]["steps"][0]["n"].as_u64().unwrap();
    let lines = served.file("first", "exchanges.jsonl").body.lines().count() as u64;
    assert!(n > 20 && lines >= n, "{n} of {lines}");

    // A benchmark that was stopped goes on where it was, asked for in the same words.
    let long = json!({
        "kind": "bench", "models": ["m"], "iterations": 150, "warm_ups": 0, "max_tokens": 12,
        "run": "halves", "seed": 5, "max_cost": 0.9,
    });
    let asked_of = |run: &str| served.file(run, "exchanges.jsonl").body.lines().count();
    assert_eq!(served.ask(&long).status, 202);
    until("some is measured", || {
        (asked_of("halves") > 5).then_some(())
    });
    served.send("POST", "/api/runs/halves/stop", "", "");
    let first = served.ended("halves");
    assert_eq!(first["state"], "interrupted", "{first}");
    let begun = asked_of("halves");
    assert!(begun < 300, "{begun}");
    let mut other = long.clone();
    other["seed"] = 6.into();
    assert_eq!(served.ask(&other).json()["error"]["code"], "run_exists");
    assert_eq!(served.ask(&long).status, 202);
    until("more is measured", || {
        (asked_of("halves") > begun + 5).then_some(())
    });
    served.send("POST", "/api/runs/halves/stop", "", "");
    let second = served.ended("halves");
    assert_eq!(second["can_go_on"], true, "{second}");
    go_on_by_the_button(&served, "halves");
    let whole = served.ended("halves");
    assert_eq!(whole["state"], "complete", "{whole}");
    assert_eq!(whole["began"], first["began"]);
    assert_eq!(
        asked_of("halves"),
        300,
        "what was measured is not asked again"
    );
    assert_eq!(served.ask(&long).json()["error"]["code"], "run_exists");
    assert_eq!(whole["can_go_on"], false);
    for over in ["halves", "first", "none"] {
        let place = format!("/api/runs/{over}/go-on");
        let refused = served.send("POST", &place, "", "").status;
        assert_eq!(refused, if over == "none" { 404 } else { 400 }, "{over}");
    }

    // The end of the program is a stop too.
    assert_eq!(served.ask(&load("third")).status, 202);
    until("requests are sent", || {
        let run = served.get("/api/runs/third").json();
        (run["done"].as_u64()? > 1_000).then_some(())
    });
    let pid = rustix::process::Pid::from_child(&served.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(served.child.wait().unwrap().success());
    let third = served.folder.path().join("results/third");
    let read = |name: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(third.join(name)).unwrap()).unwrap()
    };
    assert_eq!(read("run.json")["state"], "interrupted");
    assert_eq!(read("load.json")["end"], "interrupted");
}

#[test]
fn what_costs_too_much_or_reaches_elsewhere_does_not_begin() {
    let served = serve("[runs]\nmax_cost = 0.05\nmax_requests = 100\nsets = \"sets\"");
    let eval = |set: &str, scorer: &str| json!({"kind": "eval", "models": ["m"], "set": set, "scorer": [scorer], "max_tokens": 8});
    let more = |key: &str, value: Value| {
        let mut body = bench("refused");
        body[key] = value;
        body
    };
    for (body, says) in [
        (more("max_cost", 0.06.into()), "runs.max_cost"),
        (more("max_cost", 0.000_001.into()), "it may cost"),
        (more("iterations", 100.into()), "runs.max_requests"),
        (more("iterations", 4_000_000_000_u32.into()), "`iterations`"),
        (
            more("models", json!(["nobody-serves-it"])),
            "no provider here serves",
        ),
        (
            more("providers", json!(["three"])),
            "no provider is called three",
        ),
        (more("run", "../../x".into()), "`run`"),
        (more("run", ".x".into()), "`run`"),
        (more("prompts", "/etc/passwd".into()), "unknown field"),
        (
            json!({"kind": "load", "models": ["m"], "rate": 500, "duration": "1h"}),
            "runs.max_requests",
        ),
        (eval("../secret.jsonl", "exact"), "not the name of a file"),
        (eval("/etc/passwd", "exact"), "not the name of a file"),
        (eval("none.jsonl", "exact"), "cannot read none.jsonl"),
        (
            eval("set.jsonl", "json-schema:../secret.jsonl"),
            "not the name of a file",
        ),
        (eval("set.jsonl", "command:touch pwned"), "runs a program"),
    ] {
        let answer = served.ask(&body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        assert!(answer.body.contains(says), "{body}: {}", answer.body);
        let folder = served.folder.path().display().to_string();
        assert!(!answer.body.contains(&folder), "{}", answer.body);
    }
    assert!(
        !served.folder.path().join("results").exists(),
        "nothing was begun"
    );

    // Other pages, other names, and what no form of ours sends.
    let json = "Content-Type: application/json\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let body = bench("foreign").to_string();
    let confirmed = "kind=bench&models=m&run=foreign&confirmed=yes";
    for (path, headers, body, status) in [
        (
            "/api/runs",
            format!("{json}Origin: http://evil.example\r\n"),
            body.as_str(),
            403,
        ),
        (
            "/api/runs",
            format!("{json}Sec-Fetch-Site: cross-site\r\n"),
            &body,
            403,
        ),
        (
            "/api/runs",
            format!("{json}Host: evil.example\r\n"),
            &body,
            421,
        ),
        (
            "/api/runs",
            "Content-Type: text/plain\r\n".to_owned(),
            &body,
            400,
        ),
        (
            "/runs",
            format!("{form}Origin: http://evil.example\r\n"),
            confirmed,
            403,
        ),
        (
            "/runs",
            format!("{form}Origin: null\r\nSec-Fetch-Site: cross-site\r\n"),
            confirmed,
            403,
        ),
        (
            "/runs/x/stop",
            format!("{form}Origin: http://evil.example\r\n"),
            "",
            403,
        ),
    ] {
        let answer = served.send("POST", path, &headers, body);
        assert_eq!(answer.status, status, "{path} {headers}: {}", answer.body);
    }
    assert!(
        !served.folder.path().join("results").exists(),
        "nothing was begun"
    );
}

/// Has a run that was stopped go on by what its page offers, once its cost was seen.
fn go_on_by_the_button(served: &Served, run: &str) {
    let form = format!(
        "Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://{}\r\n",
        served.page
    );
    let place = format!("/runs/{run}/go-on");
    let page = served.get(&format!("/runs/{run}")).body;
    assert!(page.contains(&format!("action=\"{place}\"")), "{page}");
    for (dollars, says) in [
        ("0.0000001", "which is over"),
        ("much", "number of US dollars"),
    ] {
        let refused = served.send("POST", &place, &form, &format!("max_cost={dollars}"));
        assert_eq!(refused.status, 400);
        assert!(refused.body.contains(says), "{}", refused.body);
    }
    let again = format!("/api{place}");
    let json = "Content-Type: application/json\r\n";
    let told = served.send("POST", &again, json, r#"{"dry_run":true}"#);
    assert_eq!((told.status, &told.json()["run"]), (200, &json!(run)));
    let unknown = served.send("POST", &again, json, r#"{"seed":7}"#);
    assert_eq!(unknown.status, 400, "{}", unknown.body);
    let question = served.send("POST", &place, &form, "max_cost=");
    assert!(
        question.body.contains("Go on with this run?") && question.body.contains("$0.9"),
        "{}",
        question.body
    );
    let begun = served.send("POST", &place, &form, "confirmed=yes");
    assert_eq!(begun.status, 303, "{}", begun.body);
}

#[test]
fn evaluations_and_probes_begin_by_the_forms_and_reach_the_store() {
    let served = serve("[runs]\nsets = \"sets\"");
    assert_eq!(served.get("/api/runs").json()["sets"], json!(["set.jsonl"]));
    let form = format!(
        "Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://{}\r\n",
        served.page
    );
    let eval =
        "kind=eval&models=m&set=set.jsonl&scorer=normalised&max_tokens=8&run=quiz&providers=";
    let question = served.send("POST", "/runs", &form, eval);
    assert_eq!(question.status, 200);
    assert!(
        question.body.contains("Begin this run?") && question.body.contains("$0.0"),
        "{}",
        question.body
    );
    assert_eq!(served.get("/api/runs/quiz").status, 404, "only asked");
    let begun = served.send("POST", "/runs", &form, &format!("{eval}&confirmed=yes"));
    assert_eq!(begun.status, 303, "{}", begun.body);
    assert!(
        begun.head.contains("location: /runs/quiz"),
        "{}",
        begun.head
    );
    let run = served.ended("quiz");
    assert_eq!(run["state"], "complete", "{run}");
    assert_eq!(run["notes"], json!([]), "{run}");
    let scores = served.get("/api/scores").json();
    assert_eq!(scores["scores"].as_array().unwrap().len(), 2, "{scores}");
    assert_eq!(scores["scores"][0]["run"], "quiz");

    let probe = "kind=probe&run=look&cold=on&confirmed=yes";
    assert_eq!(served.send("POST", "/runs", &form, probe).status, 303);
    let run = served.ended("look");
    assert_eq!(run["state"], "complete", "{run}");
    assert_eq!(run["says"], "4 of 4 probes", "{run}");
    assert_eq!((&run["done"], &run["of"]), (&json!(4), &json!(4)), "{run}");
    let found = served.file("look", "probe.json").json();
    assert_eq!(found["routes"].as_array().unwrap().len(), 2, "{found}");
    until("its records are in the store", || {
        let report = served.get("/api/reports/runs?origin=all&runs=look").body;
        report.contains("look").then_some(())
    });
}

#[test]
fn a_page_that_may_not_begins_nothing() {
    for (config, says) in [
        ("[runs]\nenabled = false", "runs.enabled"),
        ("[runs]\nfolder = \"/proc/none\"", "cannot write results"),
    ] {
        let served = serve(config);
        let answer = served.ask(&bench("refused"));
        assert!([403, 500].contains(&answer.status), "{}", answer.body);
        assert!(answer.body.contains(says), "{}", answer.body);
    }
    // Open to a network without a token: whoever comes by could spend.
    let served = serve("");
    let text = fs::read_to_string(served.folder.path().join("tollgate.toml")).unwrap();
    let open = text.replace(
        &format!("admin.listen = \"{}\"", served.page),
        "admin.allow_unauthenticated = true\nadmin.listen = \"0.0.0.0:4101\"",
    );
    let settings = load(&open, served.folder.path());
    let why = settings.why_no_runs().unwrap();
    assert!(why.contains("admin.token"), "{why}");
    let guarded = open.replace(
        "admin.allow",
        "admin.token = \"0123456789abcdef0123456789abcdef\"\nadmin.allow",
    );
    let settings = load(&guarded, served.folder.path());
    assert_eq!(settings.why_no_runs(), None);
}

fn load(text: &str, folder: &Path) -> tollgate::config::settings::Settings {
    let sources = tollgate::config::Sources {
        text: Some(text),
        file: "test",
        env: &|_| None,
        read_file: &|_| Err(std::io::ErrorKind::NotFound.into()),
        read_text: &|path| fs::read_to_string(path),
        data_dir: folder.to_owned(),
        cores: 2,
    };
    tollgate::config::load(&sources).unwrap().settings
}
