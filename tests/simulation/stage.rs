//! Sets a node on virtual time before providers within the process, and carries it while a test acts.

use std::io;

use tollgate::app::node::{Node, Parts};
use tollgate::clock::Clock;
use tollgate::config::settings::Settings;
use tollgate::config::{self, Sources};
use tollgate::edge::upstream::{Network, ProxyRules};
use tollgate::proxy::settle::Offer;
use tollgate::record::Origin;
use tollgate::recorder::Standing;

use super::world::BEGIN;

/// What a node is set up with.
pub(crate) struct Stage {
    pub(crate) settings: Settings,
    pub(crate) origin: Origin,
    /// Where its records go.
    pub(crate) offer: Offer,
}

/// Settings of this TOML.
pub(crate) fn settings(text: &str) -> Settings {
    let nothing = |_: &std::path::Path| Err(io::ErrorKind::NotFound.into());
    let sources = Sources {
        text: Some(text),
        file: "world.toml",
        env: &|_| None,
        read_file: &nothing,
        read_text: &nothing,
        data_dir: std::env::temp_dir(),
        cores: 1,
    };
    match config::load(&sources) {
        Ok(loaded) => loaded.settings,
        Err(problems) => panic!("{problems}\n{text}"),
    }
}

/// Has `act` done beside a node that reaches `providers`, on a runtime whose time goes on only when
/// everybody waits. All chance in it comes from `seed`.
pub(crate) fn perform<T>(
    seed: u64,
    stage: Stage,
    providers: impl FnOnce() -> Network,
    act: impl AsyncFnOnce(&Node, &Clock) -> T,
) -> T {
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let clock = Clock::of_runtime(BEGIN);
        let parts = Parts {
            settings: stage.settings,
            offer: stage.offer,
            standing: Standing::default(),
            secret: b"secret of the worlds".to_vec(),
            origin: stage.origin,
            proxies: ProxyRules::default(),
            logins: None,
            clock: clock.clone(),
        };
        let (node, serving) = Node::within(parts, providers());
        let done = tokio::select! {
            biased;
            () = serving => unreachable!("nobody told it to stop"),
            done = act(&node, &clock) => done,
        };
        node.stop();
        done
    })
}
