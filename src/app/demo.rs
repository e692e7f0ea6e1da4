//! Runs the demo: simulated providers, a day of made-up past, and traffic through the real street.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::watch;

use super::admin::Admin;
use super::fault::AppFault;
use super::node::{Node, Parts};
use super::recording::{offer_to, open_store};
use super::trial;
use crate::active::probing::Watching;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::config::{self, Sources, presets};
use crate::edge::upstream::ProxyRules;
use crate::proxy::bill;
use crate::record::{
    ExchangeRecord, KeyedHash, Name, Nanos, Note, Origin, PicoDollars, ProviderKind,
};
use crate::recorder::{Running, Standing};
use crate::simulator::cast::{self, PARTS, Part};
use crate::simulator::history::{self, Now};
use crate::simulator::{Config, Pacing, Simulator};
use crate::ui::Reloads;

/// Where the demo listens if the places are free.
const DATA_PORT: u16 = 4100;
const ADMIN_PORT: u16 = 4101;
/// Exchanges of the made-up day.
const PAST_EXCHANGES: usize = 40_000;
const PAST: Nanos = Nanos::from_millis(24 * 3_600_000);
/// What the demo's router adds to the provider's price, in thousandths.
const ROUTER_SHARE: u64 = 55;
/// Clients that send the live traffic, and their mean pause.
const CLIENTS: usize = 6;
const PAUSE_MS: u64 = 6_000;
/// Share of the live requests that are of conversations with the experiment's model, and the chance
/// that one begins another conversation.
const IN_CONVERSATION: f64 = 0.3;
const ANOTHER: f64 = 0.6;
/// Longest wait of a demo client for bytes.
const CLIENT_PATIENCE: Duration = Duration::from_secs(30);

/// A running demo; dropped, it ends and its store is gone.
#[derive(Debug)]
pub struct Demo {
    /// The data plane.
    pub node: Option<Node>,
    /// The page.
    pub admin: Option<Admin>,
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
    recording: Option<Running>,
    store: PathBuf,
    _simulator: Simulator,
    _folder: tempfile::TempDir,
}

impl Demo {
    /// Starts everything; the past is in the store when this returns.
    pub fn start(seed: u64) -> Result<Self, AppFault> {
        let runtime = |what: &str, error: io::Error| AppFault::Runtime(format!("{what}: {error}"));
        let clock = Clock::system();
        let folder = tempfile::tempdir().map_err(|error| runtime("cannot make a folder", error))?;
        let simulator = Simulator::start(Config {
            personas: cast::personas(&presets::presets(), clock.wall()),
            pacing: Pacing::Relaxed,
            seed,
            ..Config::default()
        })
        .map_err(|error| runtime("cannot start the simulated providers", error))?;
        let settings = settings(simulator.addr(), folder.path())?;
        let (recorder, recording) = open_store(&settings, &clock, &|_| {})
            .map_err(|error| AppFault::Runtime(error.to_string()))?;
        let now = Now {
            moment: clock.now(),
            wall: clock.wall(),
        };
        let past = history::past(PAST_EXCHANGES, PAST, now, seed);
        let drawn = trial::past(&settings.experiments, PAST, now, seed);
        for mut record in past.into_iter().chain(drawn) {
            record.config = KeyedHash(settings.hash);
            bill::price(&mut record, &settings);
            record.cost_billed = billed(&record, &settings);
            // The queue is larger than the past: nothing is dropped here.
            let _ = recorder.offer(record);
        }
        let told = now.wall.plus_secs(-9 * 3600 - 600);
        if let Ok(note) = Note::new(
            told,
            Some("openai"),
            "the provider announced a new gpt-4.1-mini",
        ) {
            // The demo is the same without it.
            let _ = recorder.with_store(move |store| store.add_note(&note));
        }
        let node = Node::start(Parts {
            settings: settings.clone(),
            offer: offer_to(&recorder),
            standing: Standing::default(),
            secret: b"the demo has no secrets".to_vec(),
            origin: Origin::Demo,
            proxies: ProxyRules::default(),
            logins: None,
            clock,
        })?;
        let (_, reloads) = watch::channel(Reloads::default());
        let watching = Watching::new(recorder.clone(), node.shared.clock.clone());
        let admin = {
            let proxies = ProxyRules::default();
            Admin::start(&node, &recorder, &settings, &watching, reloads, proxies)?
        };
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..CLIENTS)
            .map(|number| client(node.address, seed + number as u64, Arc::clone(&stop)))
            .collect::<io::Result<Vec<_>>>()
            .map_err(|error| runtime("cannot start the demo's clients", error))?;
        Ok(Self {
            node: Some(node),
            admin: Some(admin),
            stop,
            clients,
            recording: Some(recording),
            store: settings.store.path,
            _simulator: simulator,
            _folder: folder,
        })
    }
}

impl Demo {
    /// The file of its store.
    #[must_use]
    pub fn store(&self) -> &Path {
        &self.store
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(admin) = &self.admin {
            admin.end_runs();
        }
        if let Some(node) = self.node.take() {
            node.stop();
        }
        if let Some(admin) = self.admin.take() {
            admin.join();
        }
        for client in self.clients.drain(..) {
            let _ = client.join();
        }
        drop(self.recording.take());
    }
}

/// What a router says it billed: the price of the provider behind it, and its own share.
fn billed(record: &ExchangeRecord, settings: &Settings) -> Option<PicoDollars> {
    let last = record.attempts.last()?;
    let (maker, model) = last.model.as_ref()?.split_once('/')?;
    if last.kind != ProviderKind::Router {
        return None;
    }
    let mut direct = record.clone();
    let attempt = direct.attempts.last_mut()?;
    (attempt.provider, attempt.model) = (Name::from(maker), Some(Name::from(model)));
    bill::price(&mut direct, settings);
    let cost = direct.cost.filter(|cost| cost.0 > 0)?;
    Some(PicoDollars(cost.0 + cost.0 * ROUTER_SHARE / 1000))
}

/// Settings whose providers are the simulated ones, on the usual ports or the next free ones.
fn settings(simulator: SocketAddr, folder: &Path) -> Result<Settings, AppFault> {
    let mut text = format!(
        "[server]\nlisten = \"{}\"\n[admin]\nlisten = \"{}\"\n[store]\npath = \"{}\"\n",
        free(DATA_PORT),
        free(ADMIN_PORT),
        folder.join("demo.redb").display()
    );
    let mut named: Vec<&str> = PARTS.iter().map(|part| part.provider).collect();
    named.dedup();
    named.sort_unstable();
    named.dedup();
    for provider in named {
        let tail = match provider {
            "anthropic" | "gemini" | "bedrock" => "",
            _ => "/v1",
        };
        let _ = write!(
            text,
            "[providers.{provider}]\nbase_url = \"http://{simulator}/{provider}{tail}\"\n\
             api_key = \"demo\"\n"
        );
    }
    text.push_str(trial::CONFIG);
    let loaded = config::load(&Sources {
        text: Some(&text),
        file: "demo",
        env: &|_| None,
        read_file: &|_| Err(io::Error::other("the demo reads no files")),
        read_text: &|path| std::fs::read_to_string(path),
        data_dir: folder.to_owned(),
        cores: thread::available_parallelism().map_or(1, usize::from),
    })?;
    Ok(loaded.settings)
}

/// The first free address from `port` on.
fn free(port: u16) -> SocketAddr {
    (port..port.saturating_add(100))
        .step_by(2)
        .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
        .find(|address| TcpListener::bind(address).is_ok())
        .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)))
}

fn client(address: SocketAddr, seed: u64, stop: Arc<AtomicBool>) -> io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("demo-client".to_owned())
        .spawn(move || {
            let mut rng = Rng::with_seed(seed);
            let shares: u32 = PARTS.iter().map(|part| part.traffic).sum();
            let mut conversation = rng.u64(..);
            while !stop.load(Ordering::Relaxed) {
                let mut left = rng.u32(0..shares);
                let part = PARTS.iter().find(|part| {
                    let mine = left < part.traffic;
                    left = left.saturating_sub(part.traffic);
                    mine
                });
                let talks = rng.f64() < IN_CONVERSATION;
                let asked = if talks {
                    PARTS.iter().find(|part| part.model == trial::MODEL)
                } else {
                    part
                };
                if talks && rng.f64() < ANOTHER {
                    conversation = rng.u64(..);
                }
                if let Some(part) = asked {
                    let conversation = talks.then_some(conversation);
                    // A demo client has nothing to do with an answer but to take it.
                    let _ = call(address, part, conversation, &mut rng);
                }
                let pause = -(1.0 - rng.f64()).ln() * PAUSE_MS as f64;
                thread::sleep(Duration::from_millis((pause as u64).min(30_000)));
            }
        })
}

/// One streamed call on a connection of its own, read to its end; now and then given up early. In a
/// conversation it names the model and no provider, so that its experiment decides.
fn call(
    address: SocketAddr,
    part: &Part,
    conversation: Option<u64>,
    rng: &mut Rng,
) -> io::Result<()> {
    let words = rng.usize(20..400);
    let prompt = "word ".repeat(words);
    let tokens = part.tokens / 2 + rng.u32(0..part.tokens);
    let (path, body) = (part.path(), part.body(&prompt, tokens));
    let (base, session) = match conversation {
        Some(session) => (
            String::new(),
            format!("x-tollgate-session: {session:x}\r\n"),
        ),
        None => (format!("/{}", part.provider), String::new()),
    };
    let request = format!(
        "POST {base}{path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         User-Agent: tollgate-demo\r\n{session}Connection: close\r\nContent-Length: {}\r\n\r\n\
         {body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(CLIENT_PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let gives_up_after = if rng.f64() < 0.02 {
        rng.usize(1..20)
    } else {
        usize::MAX
    };
    let mut buffer = [0; 16 * 1024];
    for _ in 0..gives_up_after {
        if stream.read(&mut buffer)? == 0 {
            break;
        }
    }
    Ok(())
}
