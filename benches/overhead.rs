//! Compares direct, nginx and Tollgate side by side: added time, CPU, throughput, memory, chunks.
//!
//! Everything runs on loopback, interleaved in one run, against the simulator. Figures are ratios
//! of medians over rounds; the spread (first and third quartile of the rounds) stands beside each.
//!
//! `cargo bench --bench overhead -- [--rounds N] [--json FILE] [--quick] [--beside PROGRAM]`
//!
//! `TOLLGATE_BIN` names the Tollgate that is measured. Without it the one that cargo built for this
//! bench is, whose tokio has the manual clock of the tests in it. `--beside` adds another build as a
//! way of its own: what a change costs is seen in one run.

#![expect(clippy::print_stdout, reason = "a bench speaks to the terminal")]

#[path = "../tests/support/filled.rs"]
#[expect(clippy::unwrap_used, reason = "shared with tests, which may unwrap")]
mod filled;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const SHORT: &str = "sim:n-8";
const STREAM_NOW: &str = "sim:n-8";
const STREAM_PACED: &str = "sim:ft-5ms:gap-5ms:n-64";
const STREAM_HELD: &str = "sim:ft-50ms:gap-500ms:n-400";

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Fallible<()> {
    let options = Options::read();
    let scene = Scene::set(options.beside.as_deref())?;
    let mut report = Report::default();
    let sides = scene.sides();
    for side in &sides {
        println!("{:<10}{}", side.name, side.address);
    }
    println!("latency…");
    latency(&sides, &options, &mut report)?;
    println!("throughput…");
    throughput(&sides, &options, &mut report)?;
    println!("streams…");
    cpu(&sides, &options, &mut report)?;
    chunks(&sides, &mut report)?;
    println!("memory…");
    memory(&sides, &options, &mut report)?;
    drop(scene);
    println!("beside a report…");
    beside_report(&options, &mut report)?;
    print!("{}", report.table());
    if let Some(path) = &options.json {
        fs::write(path, report.json())?;
        println!("\nwritten to {}", path.display());
    }
    Ok(())
}

struct Options {
    rounds: usize,
    quick: bool,
    json: Option<PathBuf>,
    beside: Option<PathBuf>,
}

impl Options {
    fn read() -> Self {
        let arguments: Vec<String> = std::env::args().collect();
        let value = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name)?;
            arguments.get(at + 1).cloned()
        };
        let quick = arguments.iter().any(|argument| argument == "--quick");
        let rounds = value("--rounds").and_then(|text| text.parse().ok());
        Self {
            rounds: rounds.unwrap_or(if quick { 5 } else { 21 }),
            quick,
            json: value("--json").map(PathBuf::from),
            beside: value("--beside").map(PathBuf::from),
        }
    }
}

/// One way to the simulator.
struct Side {
    name: &'static str,
    address: SocketAddr,
    /// Processes whose CPU and memory are this way's own.
    processes: Vec<u32>,
}

/// The programs of one run, ended with it.
struct Scene {
    children: Vec<Child>,
    sides: Vec<(&'static str, SocketAddr, usize)>,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn set(beside: Option<&Path>) -> Fallible<Self> {
        let folder = tempfile::tempdir()?;
        let tollgate = program_measured();
        let mut children = Vec::new();
        let simulator = free_address()?;
        children.push(
            Command::new(&tollgate)
                .args([
                    "simulate",
                    "--listen",
                    &simulator.to_string(),
                    "--behave",
                    "n-8",
                ])
                .stderr(Stdio::null())
                .spawn()?,
        );
        wait_for(simulator)?;
        let mut sides = vec![("direct", simulator, usize::MAX)];
        let ways = [("tollgate", Some(tollgate.as_path())), ("beside", beside)];
        for (name, program) in ways {
            let Some(program) = program else { continue };
            let own = free_address()?;
            children.push(serve(program, own, simulator, &folder.path().join(name))?);
            sides.push((name, own, children.len() - 1));
            wait_for(own)?;
        }
        if let Some(program) = program("nginx") {
            let address = free_address()?;
            let file = folder.path().join("nginx.conf");
            fs::write(&file, nginx_config(address, simulator, folder.path()))?;
            children.push(
                Command::new(program)
                    .arg("-c")
                    .arg(&file)
                    .args(["-g", "daemon off;"])
                    .stderr(Stdio::null())
                    .spawn()?,
            );
            wait_for(address)?;
            sides.push(("nginx", address, children.len() - 1));
        } else {
            println!("nginx is not installed: its column is missing");
        }
        if let Some(program) = program("envoy") {
            let address = free_address()?;
            let file = folder.path().join("envoy.yaml");
            fs::write(&file, envoy_config(address, simulator))?;
            children.push(
                Command::new(program)
                    .arg("-c")
                    .arg(&file)
                    .args(["--concurrency", "2", "-l", "error"])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()?,
            );
            if wait_for(address).is_ok() {
                sides.push(("envoy", address, children.len() - 1));
            }
        }
        Ok(Self {
            children,
            sides,
            _folder: folder,
        })
    }

    fn sides(&self) -> Vec<Side> {
        let side = |(name, address, child): &(&'static str, SocketAddr, usize)| Side {
            name,
            address: *address,
            processes: self
                .children
                .get(*child)
                .map_or_else(Vec::new, |child| family(child.id())),
        };
        self.sides.iter().map(side).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for child in &mut self.children {
            for process in family(child.id()) {
                let ending = Command::new("kill")
                    .arg(process.to_string())
                    .stderr(Stdio::null())
                    .status();
                let _ = ending;
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The Tollgate whose figures these are.
fn program_measured() -> PathBuf {
    std::env::var_os("TOLLGATE_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_tollgate").into(), PathBuf::from)
}

/// A Tollgate in front of the simulator `to`, all of whose files are in `folder`.
fn serve(program: &Path, own: SocketAddr, to: SocketAddr, folder: &Path) -> Fallible<Child> {
    fs::create_dir(folder)?;
    let config = folder.join("tollgate.toml");
    fs::write(&config, tollgate_config(own, free_address()?, to, folder))?;
    // Not beside the config, whose folder is watched.
    let log = fs::File::create(folder.with_extension("log"))?;
    Ok(Command::new(program)
        .args(["serve", "--config"])
        .arg(&config)
        .stderr(log)
        .spawn()?)
}

fn program(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

fn wait_for(address: SocketAddr) -> Fallible<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_err() {
        if Instant::now() > deadline {
            return Err(format!("nobody listens on {address}").into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn tollgate_config(own: SocketAddr, admin: SocketAddr, to: SocketAddr, folder: &Path) -> String {
    format!(
        "[server]\nlisten = \"{own}\"\ndefault_provider = \"openai\"\n\
         [admin]\nlisten = \"{admin}\"\n[store]\npath = \"{}\"\n\
         [providers.openai]\nbase_url = \"http://{to}/v1\"\napi_key = \"sk-bench\"\n",
        folder.join("data").join("bench.redb").display()
    )
}

fn nginx_config(own: SocketAddr, to: SocketAddr, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "worker_processes 2;\npid {folder}/nginx.pid;\nerror_log stderr crit;\n\
         events {{ worker_connections 8192; }}\n\
         http {{\n access_log off;\n client_body_temp_path {folder}/body;\n\
         proxy_temp_path {folder}/proxy;\n fastcgi_temp_path {folder}/f;\n\
         uwsgi_temp_path {folder}/u;\n scgi_temp_path {folder}/s;\n\
         upstream u {{ server {to}; keepalive 1024; }}\n\
         server {{ listen {own} reuseport;\n keepalive_requests 1000000000;\n location / {{\n\
         proxy_pass http://u;\n proxy_http_version 1.1;\n proxy_set_header Connection \"\";\n\
         proxy_buffering off;\n proxy_request_buffering on;\n tcp_nodelay on;\n }} }}\n}}\n"
    )
}

fn envoy_config(own: SocketAddr, to: SocketAddr) -> String {
    format!(
        r#"static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: a
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
          route_config:
            virtual_hosts:
            - name: a
              domains: ["*"]
              routes: [{{match: {{prefix: "/"}}, route: {{cluster: u, timeout: 0s}}}}]
  clusters:
  - name: u
    type: STATIC
    load_assignment:
      cluster_name: u
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {}}}}}}}
"#,
        own.port(),
        to.port()
    )
}

/// A process and its descendants.
fn family(root: u32) -> Vec<u32> {
    let mut members = vec![root];
    let mut next = 0;
    while let Some(parent) = members.get(next).copied() {
        next += 1;
        let tasks = format!("/proc/{parent}/task/{parent}/children");
        let children = fs::read_to_string(tasks).unwrap_or_default();
        members.extend(
            children
                .split_whitespace()
                .filter_map(|id| id.parse::<u32>().ok()),
        );
    }
    members
}

/// CPU time of a way's processes in ms. Source: proc(5), `schedstat` (ns on CPU).
fn cpu_ms(side: &Side) -> f64 {
    let of_task = |path: PathBuf| {
        let text = fs::read_to_string(path.join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    };
    let of_process = |id: &u32| -> f64 {
        let tasks = fs::read_dir(format!("/proc/{id}/task"))
            .into_iter()
            .flatten()
            .flatten();
        tasks.filter_map(|task| of_task(task.path())).sum()
    };
    side.processes.iter().map(of_process).sum::<f64>() / 1e6
}

/// Resident memory of a way's processes in KiB.
fn rss_kib(side: &Side) -> f64 {
    let of_process = |id: &u32| {
        let text = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    side.processes.iter().filter_map(of_process).sum()
}

fn request(model: &str, stream: bool) -> Vec<u8> {
    let body = format!(
        "{{\"model\":\"{model}\",\"stream\":{stream},\"messages\":[{{\"role\":\"user\",\"content\":\
         \"Name three things that a reverse proxy must never do.\"}}]}}"
    );
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n\
         Content-Type: application/json\r\nAuthorization: Bearer sk-bench\r\n\
         Accept: application/json\r\nUser-Agent: bench\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A keep-alive connection of the bench client.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What one exchange showed.
struct Seen {
    first_token: Duration,
    total: Duration,
    /// Reads that brought body bytes.
    reads: usize,
}

impl Client {
    fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; 64 * 1024],
        })
    }

    fn exchange(&mut self, request: &[u8]) -> io::Result<Seen> {
        let began = Instant::now();
        self.stream.write_all(request)?;
        let mut answer: Vec<u8> = Vec::with_capacity(16 * 1024);
        let mut first_token = None;
        let mut reads = 0;
        loop {
            let read = self.stream.read(&mut self.buffer)?;
            if read == 0 {
                let peer = self.stream.peer_addr()?;
                let shown = String::from_utf8_lossy(&answer[..answer.len().min(200)]);
                return Err(io::Error::other(format!("{peer} closed after: {shown:?}")));
            }
            let at = began.elapsed();
            reads += 1;
            let seen = answer.len();
            answer.extend_from_slice(&self.buffer[..read]);
            if first_token.is_none() && has_token(&answer[seen.saturating_sub(16)..]) {
                first_token = Some(at);
            }
            if is_whole(&answer) {
                let first_token = first_token.unwrap_or(at);
                return Ok(Seen {
                    first_token,
                    total: at,
                    reads,
                });
            }
        }
    }
}

fn has_token(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"\"content\":\" ").is_some()
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = memchr::memmem::find(answer, b"\r\n\r\n") else {
        return false;
    };
    let length = answer[..head]
        .split(|byte| *byte == b'\n')
        .find_map(|line| {
            let line = std::str::from_utf8(line).ok()?.to_ascii_lowercase();
            line.strip_prefix("content-length:")?
                .trim()
                .parse::<usize>()
                .ok()
        });
    match length {
        Some(length) => answer.len() >= head + 4 + length,
        None => answer.ends_with(b"\r\n0\r\n\r\n"),
    }
}

/// One connection: time to the first token of a stream, and of a short call.
fn latency(sides: &[Side], options: &Options, report: &mut Report) -> Fallible<()> {
    let per_round = if options.quick { 100 } else { 300 };
    for (what, request, pick) in [
        (
            "short call, 1 connection, p50",
            request(SHORT, false),
            Pick::Total,
        ),
        (
            "first token, 1 connection, p50",
            request(STREAM_NOW, true),
            Pick::FirstToken,
        ),
    ] {
        let mut rounds = vec![Vec::new(); sides.len()];
        for round in 0..options.rounds {
            // New connections each round: which worker a connection falls to, and on which
            // processor it wakes, is luck that must not stay with one side.
            let mut clients = sides
                .iter()
                .map(|side| Client::connect(side.address))
                .collect::<Result<Vec<_>, _>>()?;
            for client in &mut clients {
                (0..per_round / 6).try_for_each(|_| client.exchange(&request).map(drop))?;
            }
            let mut times = vec![Vec::with_capacity(per_round); sides.len()];
            // One call of each side in turn: what disturbs the machine disturbs all of them. In
            // an order drawn anew, since what a call costs depends on whose was before it.
            let mut order: Vec<usize> = (0..sides.len()).collect();
            let mut random = fastrand::Rng::with_seed(round as u64);
            for _ in 0..per_round {
                random.shuffle(&mut order);
                for side in order.iter().copied() {
                    let seen = clients[side].exchange(&request)?;
                    let time = match pick {
                        Pick::Total => seen.total,
                        Pick::FirstToken => seen.first_token,
                    };
                    times[side].push(time.as_secs_f64() * 1e6);
                }
            }
            for (side, times) in times.iter_mut().enumerate() {
                rounds[side].push(median(times));
            }
        }
        let direct = rounds[0].clone();
        report.add(what, "µs", "direct", &direct);
        for (side, rounds) in sides.iter().zip(&rounds).skip(1) {
            let added: Vec<f64> = rounds
                .iter()
                .zip(&direct)
                .map(|(own, base)| own - base)
                .collect();
            report.add(&format!("added: {what}"), "µs", side.name, &added);
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Pick {
    Total,
    FirstToken,
}

/// Sixteen connections, short calls, as fast as they go.
fn throughput(sides: &[Side], options: &Options, report: &mut Report) -> Fallible<()> {
    let lasts = Duration::from_millis(if options.quick { 700 } else { 1500 });
    let request = request(SHORT, false);
    for _ in 0..options.rounds.min(9) {
        for side in sides {
            let before = cpu_ms(side);
            let (calls, elapsed) = load(side.address, &request, 16, lasts)?;
            report.push(
                "requests/s, 16 connections",
                "1/s",
                side.name,
                calls as f64 / elapsed,
            );
            if !side.processes.is_empty() {
                let cpu = (cpu_ms(side) - before) * 1e3 / calls as f64;
                report.push("CPU per short call", "µs", side.name, cpu);
            }
        }
    }
    Ok(())
}

fn load(
    address: SocketAddr,
    request: &[u8],
    connections: usize,
    lasts: Duration,
) -> Fallible<(usize, f64)> {
    let began = Instant::now();
    let calls = thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(move || -> io::Result<usize> {
                    let mut client = Client::connect(address)?;
                    let mut calls = 0;
                    while began.elapsed() < lasts {
                        client.exchange(request)?;
                        calls += 1;
                    }
                    Ok(calls)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .map_err(|_| io::Error::other("a client panicked"))?
            })
            .sum::<io::Result<usize>>()
    })?;
    Ok((calls, began.elapsed().as_secs_f64()))
}

/// CPU time of a streamed exchange: 64 chunks at 5 ms.
fn cpu(sides: &[Side], options: &Options, report: &mut Report) -> Fallible<()> {
    let streams = 16;
    let request = request(STREAM_PACED, true);
    for _ in 0..options.rounds.min(11) {
        for side in sides.iter().filter(|side| !side.processes.is_empty()) {
            let before = cpu_ms(side);
            let seen = together(side.address, &request, streams, 2)?;
            let cpu = (cpu_ms(side) - before) / seen.len() as f64;
            report.push(
                "CPU per streamed exchange, 64 chunks at 5 ms",
                "ms",
                side.name,
                cpu,
            );
        }
    }
    Ok(())
}

fn together(
    address: SocketAddr,
    request: &[u8],
    streams: usize,
    each: usize,
) -> Fallible<Vec<Seen>> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..streams)
            .map(|_| {
                scope.spawn(move || -> io::Result<Vec<Seen>> {
                    let mut client = Client::connect(address)?;
                    (0..each).map(|_| client.exchange(request)).collect()
                })
            })
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(
                thread
                    .join()
                    .map_err(|_| io::Error::other("a client panicked"))??,
            );
        }
        Ok(all)
    })
}

/// Every write of the simulator is a read of the client: none held, none merged.
fn chunks(sides: &[Side], report: &mut Report) -> Fallible<()> {
    let request = request(STREAM_PACED, true);
    for side in sides {
        let mut client = Client::connect(side.address)?;
        for _ in 0..5 {
            let seen = client.exchange(&request)?;
            report.push(
                "client reads per stream of 64 tokens",
                "",
                side.name,
                seen.reads as f64,
            );
        }
    }
    Ok(())
}

/// Resident memory with 1, 100 and 1,000 open streams.
fn memory(sides: &[Side], options: &Options, report: &mut Report) -> Fallible<()> {
    let request = request(STREAM_HELD, true);
    for side in sides.iter().filter(|side| !side.processes.is_empty()) {
        let idle = rss_kib(side);
        report.push(
            "memory idle after the load",
            "MiB",
            side.name,
            idle / 1024.0,
        );
        for open in [1, 100, if options.quick { 500 } else { 1000 }] {
            let mut clients = Vec::with_capacity(open);
            for _ in 0..open {
                let mut client = Client::connect(side.address)?;
                client.stream.write_all(&request)?;
                clients.push(client);
            }
            for client in &mut clients {
                let mut byte = [0; 512];
                let _ = client.stream.read(&mut byte)?;
            }
            thread::sleep(Duration::from_millis(600));
            let grown = rss_kib(side) - idle;
            let name = format!("memory per open stream, {open} open");
            report.push(&name, "KiB", side.name, grown / open as f64);
            drop(clients);
            thread::sleep(Duration::from_millis(400));
        }
    }
    Ok(())
}

/// Short calls through a Tollgate with a million records, with and without a report over all of
/// them in a loop beside it.
fn beside_report(options: &Options, report: &mut Report) -> Fallible<()> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("data").join("bench.redb");
    fs::create_dir(folder.path().join("data"))?;
    fill(&store, if options.quick { 100_000 } else { 1_000_000 });
    let (simulator, own) = (free_address()?, free_address()?);
    let config = folder.path().join("tollgate.toml");
    let settings = tollgate_config(own, free_address()?, simulator, folder.path());
    fs::write(&config, settings)?;
    let program = &program_measured();
    let mut children = Children::default();
    let listen = simulator.to_string();
    children
        .start(Command::new(program).args(["simulate", "--listen", &listen, "--behave", "n-8"]))?;
    children.start(
        Command::new(program)
            .args(["serve", "--config"])
            .arg(&config),
    )?;
    wait_for(simulator)?;
    wait_for(own)?;
    let request = request(SHORT, false);
    let mut clients = [Client::connect(simulator)?, Client::connect(own)?];
    for client in &mut clients {
        (0..300).try_for_each(|_| client.exchange(&request).map(drop))?;
    }
    let calls = if options.quick { 300 } else { 1_000 };
    for _ in 0..options.rounds.min(11) {
        for (looping, name) in [(false, "alone"), (true, "beside it")] {
            let stop = AtomicBool::new(false);
            let mut times = [Vec::with_capacity(calls), Vec::with_capacity(calls)];
            thread::scope(|scope| -> Fallible<()> {
                if looping {
                    scope.spawn(|| report_until(&store, &stop));
                    thread::sleep(Duration::from_millis(50));
                }
                let called = (0..calls).try_for_each(|_| {
                    clients
                        .iter_mut()
                        .zip(&mut times)
                        .try_for_each(|(client, times)| {
                            let seen = client.exchange(&request)?;
                            times.push(seen.total.as_secs_f64() * 1e6);
                            Ok::<(), io::Error>(())
                        })
                });
                stop.store(true, Ordering::Relaxed);
                Ok(called?)
            })?;
            for (share, what) in [(50, BESIDE_P50), (99, BESIDE_P99)] {
                let [direct, through] = [0, 1].map(|side: usize| {
                    times[side].sort_by(f64::total_cmp);
                    times[side][(calls - 1) * share / 100]
                });
                report.push(what, "µs", name, through - direct);
            }
        }
    }
    Ok(())
}

const BESIDE_P50: &str = "added: short call while a report loops, p50";
const BESIDE_P99: &str = "added: short call while a report loops, p99";

/// Makes the report over everything, again and again.
fn report_until(store: &Path, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let made = Command::new(program_measured())
            .args([
                "report", "routes", "--origin", "all", "--since", "30d", "--store",
            ])
            .arg(store)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(
            made.is_ok_and(|status| status.success()),
            "the report failed"
        );
    }
}

/// A store of `count` exchanges up to now.
fn fill(path: &Path, count: usize) {
    let batch = 4_000;
    let mut store = filled::store(path, &[]);
    for seed in 0..(count / batch) as u64 {
        let records = filled::recent(seed, batch, 80_000);
        assert!(store.append(&records).is_ok(), "the store takes no records");
    }
}

/// Programs that end with the bench.
#[derive(Default)]
struct Children(Vec<Child>);

impl Children {
    fn start(&mut self, command: &mut Command) -> io::Result<()> {
        self.0.push(command.stderr(Stdio::null()).spawn()?);
        Ok(())
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Figures by name and side, one value a round.
#[derive(Default)]
struct Report {
    rows: Vec<(String, &'static str)>,
    values: BTreeMap<(String, &'static str), Vec<f64>>,
}

impl Report {
    fn push(&mut self, what: &str, unit: &'static str, side: &'static str, value: f64) {
        if !self.rows.iter().any(|(row, _)| row == what) {
            self.rows.push((what.to_owned(), unit));
        }
        self.values
            .entry((what.to_owned(), side))
            .or_default()
            .push(value);
    }

    fn add(&mut self, what: &str, unit: &'static str, side: &'static str, values: &[f64]) {
        for value in values {
            self.push(what, unit, side, *value);
        }
    }

    fn quartiles(&self, what: &str, side: &'static str) -> Option<(f64, f64, f64)> {
        let mut values = self.values.get(&(what.to_owned(), side))?.clone();
        values.sort_by(f64::total_cmp);
        let at = |share: usize| values[(values.len() - 1) * share / 4];
        Some((at(1), at(2), at(3)))
    }

    fn table(&self) -> String {
        let mut text = format!(
            "\n{:<48}{:<10}{:>12}   quartiles\n",
            "what", "side", "median"
        );
        for (what, unit) in &self.rows {
            for side in [
                "direct",
                "nginx",
                "envoy",
                "tollgate",
                "beside",
                "alone",
                "beside it",
            ] {
                let Some((low, mid, high)) = self.quartiles(what, side) else {
                    continue;
                };
                let base = if side == "beside it" {
                    "alone"
                } else {
                    "nginx"
                };
                let ratio = self
                    .quartiles(what, base)
                    .filter(|(_, value, _)| side != base && side != "direct" && *value > 0.0)
                    .map(|(_, value, _)| format!("  {:.2} × {base}", mid / value))
                    .unwrap_or_default();
                let _ = writeln!(
                    text,
                    "{what:<48}{side:<10}{mid:>9.1} {unit:<3}  {low:.1} – {high:.1}{ratio}"
                );
            }
        }
        text
    }

    fn json(&self) -> String {
        let rows: Vec<_> = self
            .values
            .iter()
            .map(|((what, side), values)| {
                serde_json::json!({"what": what, "side": side, "rounds": values})
            })
            .collect();
        serde_json::json!({"schema": "tollgate.bench.overhead/1", "rows": rows}).to_string()
    }
}
