//! One Tollgate between a bare client and its providers: a simulated one, and one on raw sockets.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tollgate::app::node::{Node, Parts};
use tollgate::clock::Clock;
use tollgate::config::{Sources, load};
use tollgate::edge::upstream::ProxyRules;
use tollgate::record::{ExchangeRecord, Origin};
use tollgate::simulator::{Config, Simulator};

use super::case::Step;
use super::client::{self, Got};
use super::template::Known;
use super::upstream::Upstream;

/// What a family changes of the config: lines of three tables, and tables of its own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Setup {
    pub(crate) server: &'static str,
    pub(crate) timeouts: &'static str,
    pub(crate) limits: &'static str,
}

/// The whole of it.
pub(crate) struct World {
    pub(crate) node: Node,
    pub(crate) simulator: Simulator,
    pub(crate) raw: Upstream,
    /// A provider that no config knows.
    pub(crate) canary: Upstream,
    pub(crate) known: Known,
    records: Arc<Mutex<Vec<ExchangeRecord>>>,
    offered: Arc<AtomicU64>,
}

/// The request that must always work.
const GOOD: &str = "POST /sim/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n\
    Content-Type: application/json\r\nx-tollgate-token: CANARY-token-of-the-corpus\r\n\
    Connection: close\r\n";
const GOOD_BODY: &str =
    r#"{"model":"sim:n-2","messages":[{"role":"user","content":"CANARY-PROMPT"}]}"#;

impl World {
    /// Starts all of it.
    pub(crate) fn start(setup: Setup) -> Self {
        let simulator = Simulator::start(Config::default()).unwrap();
        let (raw, canary) = (Upstream::start(), Upstream::start());
        let records = Arc::new(Mutex::new(Vec::new()));
        let offered = Arc::new(AtomicU64::new(0));
        let (kept, count) = (Arc::clone(&records), Arc::clone(&offered));
        let node = Node::start(Parts {
            settings: settings(setup, simulator.addr().port(), raw.address.port()),
            offer: Arc::new(move |record| {
                kept.lock().unwrap().push(record);
                count.fetch_add(1, Ordering::SeqCst);
            }),
            standing: tollgate::recorder::Standing::default(),
            secret: b"a secret of the corpus".to_vec(),
            origin: Origin::Live,
            proxies: ProxyRules::default(),
            logins: None,
            clock: Clock::system(),
        })
        .unwrap();
        let known = Known {
            port: node.address.port(),
            canary: canary.address.port(),
            instance: String::new(),
        };
        let mut world = Self {
            node,
            simulator,
            raw,
            canary,
            known,
            records,
            offered,
        };
        world.learn_instance();
        world
    }

    /// A node's mark is known only from what it sends.
    fn learn_instance(&mut self) {
        let step = "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nx-tollgate-token: \
                    CANARY-token-of-the-corpus\r\nConnection: close\r\n\r\n";
        let got = self.run(&[Step::Write(step)], 1, true);
        let seen = self.raw.since(0);
        let found = seen.first().and_then(|seen| {
            let values = seen.values("x-tollgate-instance");
            values.first().map(|value| (*value).to_owned())
        });
        self.known.instance = found.unwrap_or_else(|| panic!("no instance: {got:?}"));
        drop(self.take_records());
    }

    /// A client's connection.
    pub(crate) fn run(&self, steps: &[Step], answers: usize, closes: bool) -> Got {
        client::run(self.node.address, steps, &self.known, answers, closes)
    }

    /// A request that must always work; what is wrong with its answer or its record.
    pub(crate) fn good(&self) -> Option<String> {
        let got = self.run(&[Step::Sized(GOOD, GOOD_BODY)], 1, true);
        let records = self.take_records();
        let fine = matches!(&got.answers[..], [answer] if answer.status == 200
            && answer.text().contains("chat.completion"));
        let kept = records.len() == 1 && records[0].outcome.name() == "ok";
        (!fine || !kept).then(|| format!("the next good request got {got:?} and {records:?}"))
    }

    /// Requests that any provider has seen.
    pub(crate) fn upstream_requests(&self) -> usize {
        self.simulator.request_count() as usize + self.raw.count()
    }

    /// Waits until no client is there, and every exchange that was accepted has offered its record;
    /// whether that came to be.
    pub(crate) fn is_at_rest(&self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            // What a client sent before it left may be read after that.
            let open = self.node.counters.open.load(Ordering::SeqCst);
            let (accepted, settled) = self.node.shared.counts();
            if open == 0 && accepted == settled && self.offered.load(Ordering::SeqCst) == accepted {
                return self.node.shared.settler.in_flight() == 0;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        false
    }

    /// The records offered since the last call, once nothing is at work.
    pub(crate) fn take_records(&self) -> Vec<ExchangeRecord> {
        self.is_at_rest();
        std::mem::take(&mut *self.records.lock().unwrap())
    }
}

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until something is so, for [`PATIENCE`] at most.
pub(crate) fn wait_for(reached: impl Fn() -> bool) {
    let begun = Instant::now();
    while !reached() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn settings(setup: Setup, sim: u16, raw: u16) -> tollgate::config::settings::Settings {
    let Setup {
        server,
        timeouts,
        limits,
    } = setup;
    let text = format!(
        r#"
[server]
listen = "127.0.0.1:0"
hosts = ["tollgate.test"]
origins = ["https://app.test", "tauri://localhost"]
workers = 2
{server}
[timeouts]
{timeouts}
[limits]
{limits}
[providers.sim]
base_url = "http://127.0.0.1:{sim}/v1"
api_key = "sk-CANARY-SIM"
[providers.raw]
base_url = "http://127.0.0.1:{raw}/raw/v1"
[providers.claude]
dialect = "anthropic"
auth = "x-api-key"
base_url = "http://127.0.0.1:{raw}/claude"
[providers.keyed]
base_url = "http://127.0.0.1:{raw}/keyed/v1"
api_key = "sk-CANARY-KEYED"
models = ["keyed-*"]
[providers.own]
base_url = "http://127.0.0.1:{raw}/own/v1"
models = ["own-*"]
[models."routed"]
routes = [{{ provider = "raw", model = "m" }}, {{ provider = "keyed", model = "m" }}]
"#
    );
    let loaded = load(&Sources {
        text: Some(&text),
        file: "corpus.toml",
        env: &|_| None,
        read_file: &|_| Err(std::io::ErrorKind::NotFound.into()),
        read_text: &|path| std::fs::read_to_string(path),
        data_dir: PathBuf::from("/data"),
        cores: 2,
    });
    loaded
        .unwrap_or_else(|problems| panic!("{problems:?}"))
        .settings
}
