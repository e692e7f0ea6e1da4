//! Measures what saying a stream again costs beside passing it through: the work by itself, and
//! the program over sockets.
//!
//! `cargo bench --bench translation -- [--rounds N] [--json FILE] [--work|--program]`. Where valgrind
//! is installed, the work by itself is told in instructions too, which no noise moves.

#![expect(clippy::print_stdout, reason = "a bench speaks to the terminal")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on says so")]

#[path = "../tests/support/streams.rs"]
mod streams;

use std::fs;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tollgate::record::{Dialect, Language, Moment};
use tollgate::wire::observer::{BodyEnd, Expect, Observer};
use tollgate::wire::translation::Ended;

/// Tokens of a stream.
const TOKENS: usize = 64;
/// As the simulator is to send them.
const BEHAVE: &str = "ft-5ms:gap-5ms:n-64";

/// What is done with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// It is observed, as every stream is.
    Passed,
    /// It is said again too.
    Said,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--once") {
        let number = |place: usize| arguments[at + place].parse::<usize>().unwrap();
        let work = if number(2) == 0 {
            Work::Passed
        } else {
            Work::Said
        };
        let (client, provider) = streams::WAYS[number(1)];
        reading(client, provider, work, number(3));
        return;
    }
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let rounds = value("--rounds").map_or(11, |rounds| rounds.parse().unwrap());
    let only = |name: &str| arguments.iter().any(|argument| argument == name);
    let mut figures = json!({"schema": "tollgate.bench.translation/1"});
    if !only("--program") {
        figures["work"] = works();
    }
    if !only("--work") {
        figures["program"] = programs(rounds);
    }
    if let Some(path) = value("--json") {
        fs::write(path, figures.to_string()).unwrap();
        println!("\nwritten to {path}");
    }
}

// ---------------------------------------------------------------------------- the work by itself

/// Does `work` on a stream of the provider's so many times.
fn reading(client: Language, provider: Language, work: Work, rounds: usize) {
    let pieces = streams::stream(provider, TOKENS);
    let (translation, back) = streams::way(client, provider);
    let stamp = streams::stamp();
    let expect = Expect {
        dialect: Dialect::OpenAi,
        provider: "p",
        language: provider,
        status: 200,
        content_type: None,
        content_encoding: None,
        error_type: None,
        stream: true,
        model_asked: Some("m"),
        choices: None,
        usage_injected: false,
        event_bytes_max: 4 << 20,
        decoded_bytes_max: 32 << 20,
        started: Some(Moment(0)),
    };
    let mut out = Vec::new();
    for _ in 0..rounds {
        let mut observer = Observer::new(&expect);
        let mut stream = (work == Work::Said).then(|| translation.stream(&back, &stamp));
        for (at, piece) in pieces.iter().enumerate() {
            black_box(observer.chunk(Moment(at as u64), black_box(piece)));
            if let Some(stream) = &mut stream {
                out.clear();
                stream.feed(black_box(piece), &mut out);
                black_box(&out);
            }
        }
        if let Some(mut stream) = stream {
            assert_eq!(stream.end(&mut out), Ended::Whole);
        }
        black_box(observer.end(Moment(TOKENS as u64), BodyEnd::Complete));
    }
}

/// Microseconds and instructions of a stream, by way.
fn works() -> Value {
    println!("{TOKENS} chunks, read by the observer (passed) and said again too (said):");
    println!(
        "{:<44}{:>9}{:>9}{:>7}{:>12}{:>12}{:>7}",
        "way", "passed µs", "said µs", "×", "passed Ir", "said Ir", "×"
    );
    let rows = streams::WAYS.iter().enumerate().map(|(at, way)| {
        let name = name(*way);
        let both = [Work::Passed, Work::Said];
        let [passed, said] = both.map(|work| micros(*way, work));
        print!("{name:<44}{passed:>9.1}{said:>9.1}{:>7.2}", said / passed);
        let [of_passed, of_said] = both.map(|work| instructions(at, work));
        if let (Some(passed), Some(said)) = (of_passed, of_said) {
            print!("{passed:>12.0}{said:>12.0}{:>7.2}", said / passed);
        }
        println!();
        json!({
            "way": name,
            "passed_us": passed,
            "said_us": said,
            "passed_instructions": of_passed,
            "said_instructions": of_said,
        })
    });
    rows.collect()
}

fn name((client, provider): (Language, Language)) -> String {
    format!("{} to {}", client.name(), provider.name())
}

/// The best of several runs. Of the processor's time, not the wall's: others may be at work too.
fn micros((client, provider): (Language, Language), work: Work) -> f64 {
    let rounds = 500;
    let now = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
    };
    let runs = (0..9).map(|_| {
        let began = now();
        reading(client, provider, work, rounds);
        (now() - began) / rounds as f64
    });
    runs.fold(f64::INFINITY, f64::min)
}

/// Instructions of one stream, as callgrind counts them; absent without it. What a run takes
/// beside its streams is taken out by two runs.
fn instructions(way: usize, work: Work) -> Option<f64> {
    let count = |rounds: usize| {
        let run = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().ok()?)
            .args(["--once", &way.to_string()])
            .args([(work as u8).to_string(), rounds.to_string()])
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        let (_, collected) = said.split_once("Collected : ")?;
        collected.split_whitespace().next()?.parse::<f64>().ok()
    };
    let (few, many) = (20, 120);
    Some((count(many)? - count(few)?) / (many - few) as f64)
}

// ---------------------------------------------------------------------------- the program

/// One client at one provider.
struct Side {
    provider: Language,
    client: Language,
    request: Vec<u8>,
    /// Milliseconds of CPU for a stream, by round.
    rounds: Vec<f64>,
}

/// CPU of the whole program for a stream: each provider's own clients beside all others'.
fn programs(rounds: usize) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let [simulator, own, admin] = [0; 3].map(|_| free_address());
    let program = env!("CARGO_BIN_EXE_tollgate");
    let listen = simulator.to_string();
    let _simulator = Running::start(
        Command::new(program).args(["simulate", "--listen", &listen, "--behave", BEHAVE]),
        simulator,
    );
    let config = folder.path().join("tollgate.toml");
    fs::write(&config, settings(own, admin, simulator, folder.path())).unwrap();
    let proxy = Running::start(
        Command::new(program)
            .args(["serve", "--config"])
            .arg(&config),
        own,
    );
    let mut sides = sides();
    for side in &sides {
        together(own, &side.request);
    }
    for _ in 0..rounds {
        for side in &mut sides {
            let before = proxy.cpu_ms();
            let streams = together(own, &side.request);
            side.rounds.push((proxy.cpu_ms() - before) / streams as f64);
        }
    }
    println!(
        "\nCPU of the program for a stream of {TOKENS} chunks at 5 ms, medians of {rounds} rounds:"
    );
    println!("{:<44}{:>9}{:>9}{:>7}", "way", "passed ms", "said ms", "×");
    let passed = |provider: Language| {
        let own = sides
            .iter()
            .find(|side| side.provider == provider && side.client == provider);
        median(&own.unwrap().rounds)
    };
    let rows = sides.iter().filter(|side| side.client != side.provider);
    let rows = rows.map(|side| {
        let name = name((side.client, side.provider));
        let (passed, said) = (passed(side.provider), median(&side.rounds));
        println!("{name:<44}{passed:>9.2}{said:>9.2}{:>7.2}", said / passed);
        json!({"way": name, "passed_ms": passed, "said_ms": said})
    });
    rows.collect()
}

/// Every client at every provider that it reaches.
fn sides() -> Vec<Side> {
    let providers = [
        Language::OpenAiChat,
        Language::AnthropicMessages,
        Language::GeminiGenerate,
        Language::BedrockConverse,
    ];
    let own = providers.map(|provider| (provider, provider));
    let ways = own.into_iter().chain(streams::WAYS);
    ways.map(|(client, provider)| Side {
        provider,
        client,
        request: request(client, provider),
        rounds: Vec::new(),
    })
    .collect()
}

fn settings(own: SocketAddr, admin: SocketAddr, to: SocketAddr, folder: &Path) -> String {
    let providers = [
        ("openai", "openai/v1"),
        ("anthropic", "anthropic"),
        ("gemini", "gemini"),
        ("bedrock", "bedrock"),
    ];
    // Speaking chat only, so that a response is said in it.
    let of_one = |(name, path): &(&str, &str)| {
        let speaks = match *name {
            "openai" => "speaks = [\"openai-chat\"]\n",
            _ => "",
        };
        format!(
            "[providers.{name}]\nbase_url = \"http://{to}/{path}\"\napi_key = \"of-the-bench\"\n{speaks}"
        )
    };
    format!(
        "server.listen = \"{own}\"\nadmin.listen = \"{admin}\"\nstore.path = \"{}\"\n{}",
        folder.join("bench.redb").display(),
        providers.iter().map(of_one).collect::<String>()
    )
}

/// A request of `client` for a stream of the provider that speaks `provider`.
fn request(client: Language, provider: Language) -> Vec<u8> {
    let (name, model) = match provider {
        Language::AnthropicMessages => ("anthropic", "claude-sonnet-4-5"),
        Language::GeminiGenerate => ("gemini", "gemini-2.5-flash"),
        Language::BedrockConverse => ("bedrock", "us.anthropic.claude-sonnet-4-6"),
        _ => ("openai", "gpt-4.1-mini"),
    };
    let prompt = "Name three things that a reverse proxy must never do.";
    let messages = json!([{"role": "user", "content": prompt}]);
    let model_there = format!("{name}/{model}");
    let (path, body) = match client {
        Language::AnthropicMessages => (
            "/v1/messages".to_owned(),
            json!({"model": model_there, "stream": true, "max_tokens": 999, "messages": messages}),
        ),
        Language::OpenAiResponses => (
            "/v1/responses".to_owned(),
            json!({"model": model_there, "stream": true, "store": false, "input": prompt}),
        ),
        Language::GeminiGenerate => (
            format!("/gemini/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            json!({"contents": [{"role": "user", "parts": [{"text": prompt}]}]}),
        ),
        Language::BedrockConverse => (
            format!("/bedrock/model/{model}/converse-stream"),
            json!({"messages": [{"role": "user", "content": [{"text": prompt}]}]}),
        ),
        _ => (
            "/v1/chat/completions".to_owned(),
            json!({"model": model_there, "stream": true, "messages": messages}),
        ),
    };
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         User-Agent: bench\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Streams at the same time, two on each connection: how many there were.
fn together(address: SocketAddr, request: &[u8]) -> usize {
    let (connections, each) = (16, 2);
    thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let mut socket = TcpStream::connect(address).unwrap();
                socket.set_nodelay(true).unwrap();
                (0..each).for_each(|_| exchange(&mut socket, request));
            });
        }
    });
    connections * each
}

fn exchange(socket: &mut TcpStream, request: &[u8]) {
    socket.write_all(request).unwrap();
    let mut answer = Vec::with_capacity(64 * 1024);
    let mut buffer = [0; 16 * 1024];
    while !answer.ends_with(b"\r\n0\r\n\r\n") {
        let read = socket.read(&mut buffer).unwrap();
        answer.extend_from_slice(&buffer[..read]);
        let shown = String::from_utf8_lossy(&answer[..answer.len().min(600)]);
        assert!(
            read > 0 && answer.starts_with(b"HTTP/1.1 200"),
            "no stream: {shown}"
        );
    }
}

/// A program of ours, ended with the bench.
struct Running(Child);

impl Running {
    fn start(command: &mut Command, address: SocketAddr) -> Self {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let running = Self(child.unwrap());
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "nobody listens on {address}");
            thread::sleep(Duration::from_millis(20));
        }
        running
    }

    /// CPU time of all its threads. Source: proc(5), `schedstat` (ns on CPU).
    fn cpu_ms(&self) -> f64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let of_task = |path: &Path| {
            let text = fs::read_to_string(path.join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<f64>().ok()
        };
        let tasks = tasks.flatten().filter_map(|task| of_task(&task.path()));
        tasks.sum::<f64>() / 1e6
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap()
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
