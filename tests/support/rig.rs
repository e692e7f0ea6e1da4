//! Starts one node with simulated providers behind it, and checks its books when it is dropped.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tollgate::app::node::{Node, Parts};
use tollgate::clock::Clock;
use tollgate::config::settings::Settings;
use tollgate::config::{self, Sources};
use tollgate::edge::upstream::ProxyRules;
use tollgate::proxy::Shared;
use tollgate::record::{ExchangeRecord, Name, Origin};
use tollgate::recorder::standing::{Board, Standing};
use tollgate::simulator::bare::{Connection, Reading};
use tollgate::simulator::{Behaviour, Config, Persona, Quirks, Simulator, Truth};

use super::ask::Ask;
use super::records::{Records, until};

/// The credential configured for the simulated providers.
pub(crate) const KEY: &str = "sk-CANARY-PROVIDER";

/// What a rig is built from.
pub(crate) struct Plan {
    /// Further TOML; `{sim}` stands for the simulator's address.
    pub(crate) config: String,
    /// The simulator.
    pub(crate) simulator: Config,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            config: String::new(),
            simulator: simulator(),
        }
    }
}

/// A simulator that plays `OpenAI`, and Anthropic under `/an`, and knows its key.
pub(crate) fn simulator() -> Config {
    let persona = |quirks: Quirks| Persona::new(quirks.with_key(KEY), Behaviour::default());
    Config {
        personas: vec![
            persona(Quirks::anthropic()).at("/an"),
            persona(Quirks::openai()),
        ],
        ..Config::default()
    }
}

/// A node, its simulator, and the records.
pub(crate) struct Rig {
    /// The providers.
    pub(crate) simulator: Simulator,
    /// What was recorded.
    pub(crate) records: Arc<Records>,
    node: Option<Node>,
}

impl Rig {
    /// A rig with the usual providers: `oa` (`OpenAI`), `inj` (the same, usage asked for) and `an`
    /// (Anthropic).
    pub(crate) fn start() -> Self {
        Self::with(Plan::default())
    }

    /// The same with this TOML added.
    pub(crate) fn configured(config: &str) -> Self {
        Self::with(Plan {
            config: config.to_owned(),
            ..Plan::default()
        })
    }

    /// A rig by plan.
    pub(crate) fn with(plan: Plan) -> Self {
        let simulator = Simulator::start(plan.simulator).unwrap();
        let text = format!("{USUAL}\n{}", plan.config)
            .replace("{sim}", &simulator.addr().to_string())
            .replace("{key}", KEY);
        Self::of(simulator, settings(&text))
    }

    /// A rig of these settings.
    pub(crate) fn of(simulator: Simulator, settings: Settings) -> Self {
        Self::at(simulator, settings, Clock::system(), None)
    }

    /// A rig of these settings, by this clock, that asks `logins` for credentials.
    pub(crate) fn at(
        simulator: Simulator,
        mut settings: Settings,
        clock: Clock,
        logins: Option<SocketAddr>,
    ) -> Self {
        settings.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let records = Arc::new(Records::default());
        let offered = Arc::clone(&records);
        let node = Node::start(Parts {
            settings,
            offer: Arc::new(move |record| offered.offer(record)),
            standing: Standing::default(),
            secret: b"secret of the tests".to_vec(),
            origin: Origin::Live,
            proxies: ProxyRules::default(),
            logins,
            clock,
        });
        Self {
            simulator,
            records,
            node: Some(node.unwrap()),
        }
    }

    /// The node.
    pub(crate) fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    /// Makes the node forget what it knows of its routes: each case meets them as new.
    pub(crate) fn forget(&self) {
        let standing = &self.node().shared.settler.standing;
        standing.with(|board| *board = Board::default());
    }

    /// Its data plane.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.node().address
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.addr()).unwrap()
    }

    /// Sends a request on a connection of its own and reads the answer.
    pub(crate) fn send(&self, ask: &Ask) -> Reading {
        self.connect().exchange(&ask.bytes()).unwrap()
    }

    /// The record of a request.
    pub(crate) fn record(&self, ask: &Ask) -> ExchangeRecord {
        self.records.tagged(&ask.tag)
    }

    /// What the simulator did about a request, once it was done with it.
    pub(crate) fn truth(&self, ask: &Ask) -> Truth {
        let body = String::from_utf8_lossy(ask.json()).into_owned();
        until(
            &format!("the end of {} {body} at the simulator", ask.target()),
            || {
                self.simulator
                    .truth(&ask.tag)
                    .filter(|truth| truth.finished_at.is_some())
            },
        )
    }

    /// Sends a request, and waits for its record and its truth.
    pub(crate) fn exchange(&self, ask: &Ask) -> (Reading, ExchangeRecord, Truth) {
        let reading = self.send(ask);
        (reading, self.record(ask), self.truth(ask))
    }

    /// Stops the node while it is at work.
    pub(crate) fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            let shared = Arc::clone(&node.shared);
            node.stop();
            self.check_books(&shared);
        }
    }

    /// Exactly one record for every exchange begun: sum(records) + in flight = accepted.
    fn check_books(&self, shared: &Shared) {
        let balanced = until("every exchange settled", || {
            let (accepted, settled) = shared.counts();
            // A record follows its exchange's settling at once, and no later.
            (accepted == settled && self.records.count() >= settled).then_some(settled)
        });
        assert_eq!(self.records.count(), balanced, "records against exchanges");
        let records = self.records.all();
        let ids = records.iter().map(|record| record.id.to_string());
        // A copy carries the tags of the request that it is one of.
        let own = |record: &&ExchangeRecord| record.origin != Origin::Shadow;
        let tags = records
            .iter()
            .filter(own)
            .flat_map(|record| record.tags.iter().map(Name::to_string));
        let (mut ids, mut tags): (Vec<_>, Vec<_>) = (ids.collect(), tags.collect());
        for (kind, list) in [("id", &mut ids), ("tag", &mut tags)] {
            let before = list.len();
            list.sort_unstable();
            list.dedup();
            assert_eq!(before, list.len(), "two records with one {kind}");
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(node) = self.node.take() {
            if !std::thread::panicking() {
                self.check_books(&node.shared);
            }
            node.stop();
        }
    }
}

/// Settings of this TOML, or the problems that it has.
pub(crate) fn settings(text: &str) -> Settings {
    let sources = Sources {
        text: Some(text),
        file: "tests.toml",
        env: &|_| None,
        read_file: &|path: &Path| -> io::Result<String> { fs::read_to_string(path) },
        read_text: &|path| fs::read_to_string(path),
        data_dir: std::env::temp_dir(),
        cores: 1,
    };
    match config::load(&sources) {
        Ok(loaded) => loaded.settings,
        Err(problems) => panic!("{problems}\n{text}"),
    }
}

/// The providers of every rig.
const USUAL: &str = r#"
[providers.oa]
base_url = "http://{sim}/v1"
api_key = "{key}"

[providers.inj]
base_url = "http://{sim}/v1"
api_key = "{key}"
inject_usage = true

[providers.an]
dialect = "anthropic"
base_url = "http://{sim}/an"
api_key = "{key}"
"#;
