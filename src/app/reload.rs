//! Puts changed settings in force without dropping a stream; a bad config leaves the old one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher as _};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::sources;
use crate::config::settings::Settings;
use crate::proxy::Shared;
use crate::ui::Reloads;

/// Editors write a file in several steps; all of them are one change.
const SETTLING: Duration = Duration::from_millis(200);

/// Watches `path` and SIGHUP, and swaps the settings in `shared`, for as long as it is polled.
pub async fn watch_config(
    path: Option<PathBuf>,
    shared: Arc<Shared>,
    said: watch::Sender<Reloads>,
) {
    let (changed, mut changes) = mpsc::channel(1);
    let watcher = path
        .as_deref()
        .and_then(|path| watcher(path, changed.clone()));
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        return;
    };
    // What changed since it was read and before anybody watched.
    reload(path.as_deref(), &shared, &said);
    loop {
        tokio::select! {
            _ = hangup.recv() => {}
            Some(()) = changes.recv() => {
                tokio::time::sleep(SETTLING).await;
                while changes.try_recv().is_ok() {}
            }
        }
        reload(path.as_deref(), &shared, &said);
        // Keeps the watcher alive for as long as the loop runs.
        let _ = &watcher;
    }
}

/// Watches the file's directory: editors and secret mounts replace the file itself.
fn watcher(path: &Path, changed: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let name = path.file_name()?.to_owned();
    let directory = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let concerns = event.paths.iter().any(|path| {
            // `..data` is what a Kubernetes mount swaps.
            path.file_name()
                .is_some_and(|file| file == name || file == "..data")
        });
        if concerns && !event.kind.is_access() {
            // Full means that a change is noted already.
            let _ = changed.try_send(());
        }
    })
    .ok()?;
    watcher.watch(directory, RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}

fn reload(path: Option<&Path>, shared: &Shared, said: &watch::Sender<Reloads>) {
    match sources::load(path) {
        Ok(loaded) => {
            let old = shared.settings.load();
            if old.hash == loaded.settings.hash {
                return;
            }
            for key in needs_restart(&old, &loaded.settings) {
                tracing::warn!("{key} changed: takes effect at the next start");
            }
            tracing::info!("config reloaded");
            shared.settings.store(Arc::new(loaded.settings));
            said.send_modify(|reloads| {
                reloads.taken += 1;
                reloads.refused = None;
            });
        }
        Err(fault) => {
            tracing::error!("config not reloaded, the old one stays in force:\n{fault}");
            said.send_modify(|reloads| reloads.refused = Some(fault.to_string()));
        }
    }
}

fn needs_restart(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let changes = [
        ("server.listen", old.server.listen != new.server.listen),
        ("server.workers", old.server.workers != new.server.workers),
        ("server.tls", old.server.tls != new.server.tls),
        ("admin.listen", old.admin.listen != new.admin.listen),
        ("store.path", old.store.path != new.store.path),
    ];
    changes
        .into_iter()
        .filter(|(_, changed)| *changed)
        .map(|(key, _)| key)
        .collect()
}
