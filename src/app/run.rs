//! Runs the program until it is told to stop: `tollgate serve`.

use std::hash::RandomState;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::admin::Admin;
use super::demo::Demo;
use super::fault::AppFault;
use super::keeping::Keeping;
use super::machine::{proxies, runtime};
use super::node::{Node, Parts};
use super::recording::{offer_to, open_store};
use super::reload::Origins;
use super::sources;
use super::{banner, probing, reload, secret_file};
use crate::active::probing::Watching;
use crate::clock::Clock;
use crate::record::Origin;
use crate::recorder::kept;
use crate::ui::Reloads;

/// How often draining looks whether it is over.
const DRAIN_TICK: Duration = Duration::from_millis(20);

/// Serves until SIGTERM or SIGINT. `print` takes the start-up text.
pub fn serve(config: Option<&Path>, print: &dyn Fn(&str)) -> Result<(), AppFault> {
    let path = sources::config_path(config);
    let state = RandomState::new();
    let (loaded, seen) = sources::load_seen(path.as_deref(), &state).1?;
    let file = path.as_ref().map_or_else(
        || "environment".to_owned(),
        |path| path.display().to_string(),
    );
    let proxies = proxies()?;
    let runtime = runtime()?;
    let mut told = Told::listen(&runtime)?;
    for warning in &loaded.warnings {
        print(&warning.render(&file));
    }
    let settings = loaded.settings;
    let clock = Clock::system();
    let (recorder, recording) = open_store(&settings, &clock, print)
        .map_err(|error| AppFault::Runtime(error.to_string()))?;
    let (secret, warning) = secret_file::of_store(&settings.store.path);
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    let now = (clock.now(), clock.wall());
    let standing = kept::restored(&recorder.reader(), now);
    reload::move_to(&standing, &settings, now.0);
    let node = Node::start(Parts {
        settings: settings.clone(),
        offer: offer_to(&recorder),
        standing,
        secret,
        origin: Origin::Live,
        proxies: proxies.clone(),
        logins: None,
        clock,
    })?;
    let keeping = Keeping::start(Arc::clone(&node.shared), recorder.clone())?;
    let watching = Watching::new(recorder.clone(), node.shared.clock.clone());
    let probing = probing::start(&node, &recorder, watching.clone(), proxies.clone())?;
    let (said, reloads) = watch::channel(Reloads::default());
    let admin = Admin::start(&node, &recorder, &settings, &watching, reloads, proxies)?;
    let store = settings.store.path.display().to_string();
    let addresses = (node.address, admin.address);
    print(&banner::banner(&settings, &loaded.found, addresses, &store));
    let origins = Origins { path, seen, state };
    runtime.block_on(async {
        tokio::select! {
            () = reload::watch_config(origins, &node, said) => {}
            () = told.word_to_stop() => {}
        }
        let drain = node.shared.settings.load().timeouts.drain;
        tracing::info!("draining: exchanges at work may take {drain:?}");
        node.drain();
        tokio::select! {
            () = drained(&node) => {}
            () = tokio::time::sleep(drain) => tracing::warn!("drain time is over"),
            () = told.word_to_stop() => tracing::warn!("told to stop again: now"),
        }
        // From here on one more word ends the program, and not the drain.
        tracing::info!("drained: what is recorded goes to the store");
    });
    let shared = Arc::clone(&node.shared);
    let flushed = unless_told(&runtime, &mut told, move || {
        admin.end_runs();
        node.stop();
        admin.join();
        // A panic of it is on stderr already.
        let _ = probing.join();
        keeping.stop();
        recording.shutdown()
    })?;
    let Some(health) = flushed else {
        let health = recorder.health();
        let (begun, _) = shared.counts();
        let left = begun.saturating_sub(health.written + health.dropped());
        return Err(AppFault::Runtime(format!(
            "told to stop again while the store was written: {left} records are not in it"
        )));
    };
    if health.dropped() > 0 {
        tracing::warn!("{} records were dropped", health.dropped());
    }
    Ok(())
}

/// Does what stopping takes, on a thread of its own so that signals are heard meanwhile. One more
/// word to stop, and it is left where it is: then there is nothing to give back.
fn unless_told<T: Send + 'static>(
    runtime: &Runtime,
    told: &mut Told,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Option<T>, AppFault> {
    let (done, waits) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("stopping".to_owned())
        // Whoever waits may have left.
        .spawn(move || drop(done.send(work())))
        .map_err(|error| AppFault::Runtime(format!("cannot start a thread: {error}")))?;
    runtime.block_on(async {
        tokio::select! {
            biased;
            // A panic of the work is on stderr already.
            done = waits => done.map(Some).map_err(|_| {
                AppFault::Runtime("the program did not stop in order".to_owned())
            }),
            () = told.word_to_stop() => Ok(None),
        }
    })
}

/// Runs the demo until SIGTERM or SIGINT.
pub fn demo(seed: u64, print: &dyn Fn(&str)) -> Result<(), AppFault> {
    let runtime = runtime()?;
    let mut told = Told::listen(&runtime)?;
    let demo = Demo::start(seed)?;
    let Some(node) = &demo.node else {
        return Ok(());
    };
    let Some(admin) = &demo.admin else {
        return Ok(());
    };
    print(&banner::demo(node.address, admin.address, demo.store()));
    runtime.block_on(told.word_to_stop());
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use rustix::process::{Pid, Signal as Word, getpid, kill_process};

    use super::*;

    #[test]
    fn a_word_to_stop_ends_the_wait_for_work_that_hangs() {
        let runtime = runtime().unwrap();
        let mut told = Told::listen(&runtime).unwrap();
        let done = unless_told(&runtime, &mut told, || 7).unwrap();
        assert_eq!(done, Some(7));
        for word in [Word::TERM, Word::INT] {
            let (_held, hangs) = mpsc::channel::<()>();
            let me: Pid = getpid();
            let left = unless_told(&runtime, &mut told, move || {
                kill_process(me, word).unwrap();
                let _ = hangs.recv();
            });
            assert_eq!(left.unwrap(), None, "{word:?}");
        }
    }
}
