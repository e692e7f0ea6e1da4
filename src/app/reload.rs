//! Puts changed settings in force without dropping a stream; a bad config leaves the old one.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::hash::RandomState;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher as _};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::fault::AppFault;
use super::node::Node;
use super::sources::{self, Seen};
use crate::config::Loaded;
use crate::config::settings::Settings;
use crate::edge::server::Certificates;
use crate::proxy::Shared;
use crate::record::Moment;
use crate::recorder::{Addresses, Standing};
use crate::ui::Reloads;

/// Editors write a file in several steps; all of them are one change.
const SETTLING: Duration = Duration::from_millis(200);

/// Where settings came from when the program started, and how readings are told apart.
#[derive(Debug)]
pub struct Origins {
    /// The config file, where there is one.
    pub path: Option<PathBuf>,
    /// What the settings in force were read from.
    pub seen: Seen,
    /// The key of its mark.
    pub state: RandomState,
}

/// Watches what settings are read from, and SIGHUP, and swaps the settings of `node`, for as long
/// as it is polled.
pub async fn watch_config(origins: Origins, node: &Node, said: watch::Sender<Reloads>) {
    let (changed, mut changes) = mpsc::channel(1);
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        return;
    };
    let mut watched = places(&origins.seen.files);
    let mut watcher = watcher(&watched, changed.clone());
    let mut again = false;
    let mut reloading = Reloading {
        started: node.shared.settings.load_full(),
        shared: Arc::clone(&node.shared),
        certificates: node.certificates.clone(),
        origins,
        said,
    };
    loop {
        // What a refused config names is watched beside what is in force: it may be missing yet.
        // What changed since it was read and before anybody watched it is read again at once.
        let mut files = reloading.reload(again);
        files.extend(reloading.origins.seen.files.iter().cloned());
        let places = places(&files);
        again = places != watched;
        if again {
            watcher = self::watcher(&places, changed.clone());
            watched = places;
            continue;
        }
        tokio::select! {
            _ = hangup.recv() => {}
            Some(()) = changes.recv() => {
                tokio::time::sleep(SETTLING).await;
                while changes.try_recv().is_ok() {}
            }
        }
        // Keeps the watcher alive for as long as the loop runs.
        let _ = &watcher;
    }
}

/// A directory that is there, and the name in it that is looked for.
type Place = (PathBuf, OsString);

/// Where a change of each of `files` shows. Where its directory comes later too, that is the
/// nearest one above it, and what comes there first.
fn places(files: &BTreeSet<PathBuf>) -> BTreeSet<Place> {
    let place = |file: &PathBuf| {
        file.ancestors().find_map(|path| {
            let (directory, name) = (path.parent()?, path.file_name()?);
            let here = directory.as_os_str().is_empty();
            let directory = if here { Path::new(".") } else { directory };
            directory
                .is_dir()
                .then(|| (directory.to_owned(), name.to_owned()))
        })
    };
    files.iter().filter_map(place).collect()
}

/// Watches directories: editors and secret mounts replace the files themselves.
fn watcher(
    places: &BTreeSet<Place>,
    changed: mpsc::Sender<()>,
) -> Option<notify::RecommendedWatcher> {
    // `..data` is what a Kubernetes mount swaps.
    let mut names: BTreeSet<OsString> = places.iter().map(|(_, name)| name.clone()).collect();
    names.insert("..data".into());
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let mut paths = event.paths.iter().filter_map(|path| path.file_name());
        if !event.kind.is_access() && paths.any(|name| names.contains(name)) {
            // Full means that a change is noted already.
            let _ = changed.try_send(());
        }
    })
    .ok()?;
    let directories: BTreeSet<_> = places.iter().map(|(directory, _)| directory).collect();
    for directory in directories {
        // One that has gone meanwhile has nothing to change; SIGHUP remains.
        let _ = watcher.watch(directory, RecursiveMode::NonRecursive);
    }
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

/// What a reload looks at and changes.
struct Reloading {
    origins: Origins,
    /// What the program started with: some of it stays in force until it ends.
    started: Arc<Settings>,
    shared: Arc<Shared>,
    certificates: Option<Certificates>,
    said: watch::Sender<Reloads>,
}

impl Reloading {
    /// Reads what is there now, puts it in force where it may be, and gives the files it names.
    /// Read `again` for no change, it says nothing twice.
    fn reload(&mut self, again: bool) -> BTreeSet<PathBuf> {
        let (files, found) = self.read();
        match found {
            Ok((_, seen)) if seen == self.origins.seen => {
                // The change that was refused is undone.
                let told = |reloads: &mut Reloads| reloads.refused.take().is_some();
                if self.said.send_if_modified(told) {
                    tracing::info!("the config is the one in force again");
                }
            }
            Ok((loaded, seen)) => self.put_in_force(loaded, seen),
            Err(fault) => {
                let fault = fault.to_string();
                let told = self.said.send_if_modified(|reloads| {
                    let is_new = reloads.refused.as_ref() != Some(&fault);
                    reloads.refused = Some(fault.clone());
                    is_new
                });
                if told || !again {
                    tracing::error!("config not reloaded, the old one stays in force:\n{fault}");
                }
            }
        }
        files
    }

    /// Reads what is there now, and refuses what may not be put in force.
    fn read(&self) -> (BTreeSet<PathBuf>, Result<(Loaded, Seen), AppFault>) {
        let Origins { path, state, .. } = &self.origins;
        let (files, found) = sources::load_seen(path.as_deref(), state);
        (
            files,
            found.and_then(|(loaded, seen)| self.allowed(loaded, seen)),
        )
    }

    /// What was read, where it may be put in force; renewed certificates are by then.
    fn allowed(&self, loaded: Loaded, seen: Seen) -> Result<(Loaded, Seen), AppFault> {
        // So it is for a moment when it is written anew, and no word in it would drop every provider.
        if seen.empty && !self.origins.seen.empty {
            return Err(AppFault::Usage(
                "the config file is empty: write it anew, or restart to serve without one"
                    .to_owned(),
            ));
        }
        if let Some(why) = Listening::of(&self.started).laid_bare(&loaded.settings) {
            return Err(AppFault::Usage(why));
        }
        if seen != self.origins.seen
            && let (Some(shown), Some(files)) = (&self.certificates, &loaded.settings.server.tls)
        {
            shown
                .renew(files)
                .map_err(|fault| AppFault::Usage(format!("server.tls: {fault}")))?;
        }
        Ok((loaded, seen))
    }

    fn put_in_force(&mut self, loaded: Loaded, seen: Seen) {
        let waiting = needs_restart(&self.started, &loaded.settings);
        for key in &waiting {
            tracing::warn!("{key} changed: takes effect at the next start");
        }
        let settings = Arc::new(loaded.settings);
        self.shared.settings.store(Arc::clone(&settings));
        let settler = &self.shared.settler;
        // Only now: what is asked with the old settings in hand came before this moment.
        move_to(&settler.standing, &settings, settler.clock.now());
        self.origins.seen = seen;
        self.said.send_modify(|reloads| {
            reloads.taken += 1;
            reloads.refused = None;
            reloads.waiting = waiting;
        });
        // Whoever hears it finds all of it done.
        tracing::info!("config reloaded");
    }
}

/// Forgets what was found of providers at other addresses than these, in force since `now` at the
/// latest.
pub fn move_to(standing: &Standing, settings: &Settings, now: Moment) {
    for name in standing.move_to(Addresses::of(settings), now) {
        tracing::info!(
            "provider {name} is at another address: what was known of its routes is not"
        );
    }
}

/// Keys whose values are taken only at the start.
fn needs_restart(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let (server, store) = ((&old.server, &new.server), (&old.store, &new.store));
    let changes = [
        ("server.listen", server.0.listen != server.1.listen),
        ("server.workers", server.0.workers != server.1.workers),
        // Other files are read at once; whether there is TLS is settled with the socket.
        (
            "server.tls",
            server.0.tls.is_some() != server.1.tls.is_some(),
        ),
        ("admin.listen", old.admin.listen != new.admin.listen),
        ("store.path", store.0.path != store.1.path),
        ("store.cache", store.0.cache_bytes != store.1.cache_bytes),
        (
            "store.keep_records",
            store.0.keep_records != store.1.keep_records,
        ),
        ("store.keep_bytes", store.0.keep_bytes != store.1.keep_bytes),
        (
            "store.keep_minutes",
            store.0.keep_minutes != store.1.keep_minutes,
        ),
        ("store.keep_hours", store.0.keep_hours != store.1.keep_hours),
        ("store.queue_max", store.0.queue_max != store.1.queue_max),
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
