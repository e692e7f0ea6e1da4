//! Puts changed settings in force without dropping a stream; a bad config leaves the old one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher as _};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::{AppFault, sources};
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
    let open = Listening::of(&shared.settings.load());
    // What changed since it was read and before anybody watched.
    reload(path.as_deref(), &shared, open, &said);
    loop {
        tokio::select! {
            _ = hangup.recv() => {}
            Some(()) = changes.recv() => {
                tokio::time::sleep(SETTLING).await;
                while changes.try_recv().is_ok() {}
            }
        }
        reload(path.as_deref(), &shared, open, &said);
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

/// The addresses at which this process listens until its end, whatever the config says by now.
#[derive(Debug, Clone, Copy)]
struct Listening {
    server: SocketAddr,
    admin: SocketAddr,
}

impl Listening {
    fn of(settings: &Settings) -> Self {
        Self {
            server: settings.server.listen,
            admin: settings.admin.listen,
        }
    }

    /// Why `new` may not be put in force: it would leave a listener open that others can reach.
    fn laid_bare(self, new: &Settings) -> Option<String> {
        let (server, admin) = (&new.server, &new.admin);
        let guarded = [
            server.token.is_some() || server.allow_unauthenticated,
            admin.token.is_some() || admin.allow_unauthenticated,
        ];
        let planes = [
            ("server", self.server, guarded[0]),
            ("admin", self.admin, guarded[1]),
        ];
        let (table, address, _) = planes
            .into_iter()
            .find(|(_, address, guarded)| !guarded && !address.ip().to_canonical().is_loopback())?;
        Some(format!(
            "[{table}] has no token any more, and until the next start it listens at {address}, \
             which others can reach: restart, or leave the token in place"
        ))
    }
}

fn reload(path: Option<&Path>, shared: &Shared, open: Listening, said: &watch::Sender<Reloads>) {
    let loaded = sources::load(path).and_then(|loaded| {
        let refused = open.laid_bare(&loaded.settings).map(AppFault::Usage);
        refused.map_or(Ok(loaded), Err)
    });
    match loaded {
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

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::config::{Sources, load};

    fn settings(text: &str) -> Settings {
        let loaded = load(&Sources {
            text: Some(text),
            file: "tollgate.toml",
            env: &|_| None,
            read_file: &|_| Err(io::ErrorKind::NotFound.into()),
            read_text: &|_| Err(io::ErrorKind::NotFound.into()),
            data_dir: PathBuf::from("/data"),
            cores: 2,
        });
        loaded.unwrap().settings
    }

    #[test]
    fn a_listener_that_others_reach_keeps_its_token_until_the_next_start() {
        let token = "token = \"0123456789abcdef\"\n";
        let anyone = "allow_unauthenticated = true\n";
        for (server, admin, new, bare) in [
            ("0.0.0.0:1", "127.0.0.1:2", "", Some("[server]")),
            ("[::]:1", "127.0.0.1:2", "", Some("[server]")),
            ("127.0.0.1:1", "10.0.0.1:2", "", Some("[admin]")),
            ("127.0.0.1:1", "[::ffff:127.0.0.1]:2", "", None),
            (
                "0.0.0.0:1",
                "127.0.0.1:2",
                &format!("[server]\n{token}"),
                None,
            ),
            (
                "0.0.0.0:1",
                "127.0.0.1:2",
                &format!("[server]\n{anyone}"),
                None,
            ),
            (
                "0.0.0.0:1",
                "0.0.0.0:2",
                &format!("[server]\n{token}"),
                Some("[admin]"),
            ),
        ] {
            let open = Listening {
                server: server.parse().unwrap(),
                admin: admin.parse().unwrap(),
            };
            let said = open.laid_bare(&settings(new));
            assert_eq!(said.is_some(), bare.is_some(), "{server} {admin} {new}");
            assert!(
                said.unwrap_or_default()
                    .starts_with(bare.unwrap_or_default())
            );
        }
    }
}
