//! Sets the stage for the self-test: a simulator, a node in front of it, and the node's records.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use super::fault::AppFault;
use super::node::{Node, Parts};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::config::{self, Sources};
use crate::edge::upstream::ProxyRules;
use crate::record::Origin;
use crate::simulator::selftest::{self, Stage, Verdict};
use crate::simulator::{Behaviour, Config, Pacing, Persona, Quirks, Simulator};

/// Runs the self-test with `pairs` pairs of streams.
pub fn run(pairs: usize, progress: &mut dyn FnMut(f64)) -> Result<Verdict, AppFault> {
    let fault = |error: io::Error| AppFault::Runtime(error.to_string());
    let simulator = Simulator::start(Config {
        personas: vec![Persona::new(Quirks::openai(), Behaviour::default())],
        pacing: Pacing::Precise,
        ..Config::default()
    })
    .map_err(fault)?;
    let (sender, records) = mpsc::channel();
    let node = Node::start(Parts {
        settings: settings(simulator.addr())?,
        offer: Arc::new(move |record| {
            // The test may have ended: then nobody wants the record.
            let _ = sender.send(record);
        }),
        standing: crate::recorder::Standing::default(),
        secret: b"the self-test has no secrets".to_vec(),
        origin: Origin::Probe,
        proxies: ProxyRules::default(),
        logins: None,
        clock: Clock::system(),
    })?;
    let verdict = selftest::run(&mut Stage {
        simulator: &simulator,
        through: node.address,
        record: &mut || records.try_recv().ok(),
        pairs,
        progress,
    });
    node.stop();
    verdict.map_err(fault)
}

fn settings(simulator: SocketAddr) -> Result<Settings, AppFault> {
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:1\"\n\
         [providers.openai]\nbase_url = \"http://{simulator}/v1\"\napi_key = \"selftest\"\n\
         models = [\"*\"]\n"
    );
    let loaded = config::load(&Sources {
        text: Some(&text),
        file: "selftest",
        env: &|_| None,
        read_file: &|_| Err(io::Error::other("the self-test reads no files")),
        read_text: &|path| std::fs::read_to_string(path),
        data_dir: std::env::temp_dir(),
        cores: thread::available_parallelism().map_or(1, usize::from),
    })?;
    Ok(loaded.settings)
}
