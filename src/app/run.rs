//! Runs the program until it is told to stop: `tollgate serve`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::demo::Demo;
use super::fault::AppFault;
use super::node::{Node, Parts};
use super::sources::{self, Environment};
use super::{banner, reload, secret_file};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::edge::upstream::ProxyRules;
use crate::proxy::settle::Offer;
use crate::record::Origin;
use crate::recorder::{Recorder, Running};

/// How often draining looks whether it is over.
const DRAIN_TICK: Duration = Duration::from_millis(20);

/// Serves until SIGTERM or SIGINT. `print` takes the start-up text.
pub fn serve(config: Option<PathBuf>, print: &dyn Fn(&str)) -> Result<(), AppFault> {
    let path = sources::config_path(config.as_deref());
    let loaded = sources::load(path.as_deref())?;
    let file = path.as_ref().map_or_else(
        || "environment".to_owned(),
        |path| path.display().to_string(),
    );
    let runtime = runtime()?;
    let mut told = Told::listen(&runtime)?;
    for warning in &loaded.warnings {
        print(&warning.render(&file));
    }
    let settings = loaded.settings;
    let clock = Clock::system();
    let (recorder, recording) = open_store(&settings, &clock, print)?;
    let (secret, warning) = secret_file::of_store(&settings.store.path);
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    let node = Node::start(Parts {
        settings: settings.clone(),
        offer: offer_to(&recorder),
        secret,
        origin: Origin::Live,
        proxies: proxies(),
        clock,
    })?;
    let store = settings.store.path.display().to_string();
    print(&banner::banner(
        &settings,
        &loaded.found,
        node.address,
        None,
        &store,
    ));
    let (said, _) = watch::channel(reload::Reloads::default());
    let drain = settings.timeouts.drain;
    runtime.block_on(async {
        tokio::select! {
            () = reload::watch_config(path, Arc::clone(&node.shared), said) => {}
            () = told.word_to_stop() => {}
        }
        tracing::info!("draining: exchanges at work may take {drain:?}");
        node.drain();
        tokio::select! {
            () = drained(&node) => {}
            () = tokio::time::sleep(drain) => tracing::warn!("drain time is over"),
            () = told.word_to_stop() => tracing::warn!("told to stop again: now"),
        }
    });
    node.stop();
    let health = recording.shutdown();
    if health.dropped() > 0 {
        tracing::warn!("{} records were dropped", health.dropped());
    }
    Ok(())
}

/// Runs the demo until SIGTERM or SIGINT.
pub fn demo(seed: u64, print: &dyn Fn(&str)) -> Result<(), AppFault> {
    let runtime = runtime()?;
    let mut told = Told::listen(&runtime)?;
    let demo = Demo::start(seed)?;
    let Some(node) = &demo.node else {
        return Ok(());
    };
    print(&banner::demo(node.address, demo.settings.admin.listen));
    runtime.block_on(told.word_to_stop());
    Ok(())
}

/// Opens the store and starts its writer, and says what was found there.
pub(super) fn open_store(
    settings: &Settings,
    clock: &Clock,
    print: &dyn Fn(&str),
) -> Result<(Recorder, Running), AppFault> {
    let (recorder, recording, opened) = Recorder::start(&settings.store, clock.clone())
        .map_err(|error| AppFault::Runtime(error.to_string()))?;
    if let Some(aside) = opened.moved_aside {
        print(&format!(
            "the store was damaged: it was moved aside to {} and a new one was begun",
            aside.display()
        ));
    }
    Ok((recorder, recording))
}

/// What the street hands its records to.
pub(super) fn offer_to(recorder: &Recorder) -> Offer {
    let recorder = recorder.clone();
    Arc::new(move |record| {
        // A full queue is counted by the recorder; nobody waits for room.
        let _ = recorder.offer(record);
    })
}

/// Forward proxies from the environment; curl's lower-case names count too.
fn proxies() -> ProxyRules {
    let environment = Environment::read();
    let get = |names: [&str; 3]| {
        names
            .iter()
            .find_map(|name| environment.get(name).filter(|value| !value.is_empty()))
    };
    ProxyRules::new(
        get(["HTTPS_PROXY", "https_proxy", "ALL_PROXY"]).as_deref(),
        // Upper-case HTTP_PROXY is not read, as in curl: under CGI a client could set it.
        get(["http_proxy", "ALL_PROXY", "all_proxy"]).as_deref(),
        get(["NO_PROXY", "no_proxy", "no_proxy"]).as_deref(),
    )
}

fn runtime() -> Result<Runtime, AppFault> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| AppFault::Runtime(format!("cannot start the runtime: {error}")))
}

/// The signals that tell to stop, heard from here on: one that comes while the program starts,
/// or right after another one, is not lost and kills nobody.
struct Told {
    terminate: Signal,
    interrupt: Signal,
}

impl Told {
    fn listen(runtime: &Runtime) -> Result<Self, AppFault> {
        let _within = runtime.enter();
        let hear = |kind| {
            signal(kind).map_err(|error| AppFault::Runtime(format!("cannot hear signals: {error}")))
        };
        // Whoever reloads listens anew; until then it does nothing instead of ending the program.
        drop(hear(SignalKind::hangup())?);
        Ok(Self {
            terminate: hear(SignalKind::terminate())?,
            interrupt: hear(SignalKind::interrupt())?,
        })
    }

    async fn word_to_stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn drained(node: &Node) {
    while !node.is_done() {
        tokio::time::sleep(DRAIN_TICK).await;
    }
}
