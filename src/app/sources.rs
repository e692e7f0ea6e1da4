//! Reads what settings are made of: the config file, the environment, `.env` files.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::fault::AppFault;
use crate::config::{self, Loaded, Sources};

/// Where a config is looked for when none is named.
const DEFAULT_NAME: &str = "tollgate.toml";

/// The environment, with `.env.local` and `.env` behind it.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    files: BTreeMap<String, String>,
}

impl Environment {
    /// Reads `.env` and `.env.local` of the working directory; the latter wins over the former.
    #[must_use]
    pub fn read() -> Self {
        let mut files = BTreeMap::new();
        for name in [".env", ".env.local"] {
            let Ok(entries) = dotenvy::from_path_iter(name) else {
                continue;
            };
            files.extend(entries.filter_map(Result::ok));
        }
        Self { files }
    }

    /// A variable: the real environment wins.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        std::env::var(name)
            .ok()
            .or_else(|| self.files.get(name).cloned())
    }
}

/// The config file to use: the named one, else the first that exists of the usual places.
pub fn config_path(named: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = named {
        return Some(path.to_owned());
    }
    let in_user_config = dirs::config_dir().map(|dir| dir.join("tollgate").join(DEFAULT_NAME));
    [Some(PathBuf::from(DEFAULT_NAME)), in_user_config]
        .into_iter()
        .flatten()
        .find(|path| path.is_file())
}

/// The user's data directory, where the store is unless the config says otherwise.
#[must_use]
pub fn data_dir() -> PathBuf {
    dirs::data_dir().map_or_else(|| PathBuf::from("."), |dir| dir.join("tollgate"))
}

/// Loads the settings from `path`, or from the environment alone.
pub fn load(path: Option<&Path>) -> Result<Loaded, AppFault> {
    let text = match path {
        Some(path) => Some(std::fs::read_to_string(path).map_err(|error| {
            AppFault::Usage(format!(
                "cannot read the config {}: {error}",
                path.display()
            ))
        })?),
        None => None,
    };
    let environment = Environment::read();
    let file = path.map_or_else(
        || "environment".to_owned(),
        |path| path.display().to_string(),
    );
    let sources = Sources {
        text: text.as_deref(),
        file: &file,
        env: &|name| environment.get(name),
        read_file: &read_secret_file,
        read_text: &|path| std::fs::read_to_string(path),
        data_dir: data_dir(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    };
    Ok(config::load(&sources)?)
}

/// Where container runtimes mount secrets, readable by more than their owner by default.
const SECRET_MOUNTS: [&str; 2] = ["/run/secrets", "/var/run/secrets"];

/// Reads a file that holds a secret: nobody but its owner may be able to. What a runtime mounted
/// (a known place, the service manager's credentials, somebody else's file) is as it was given.
fn read_secret_file(path: &Path) -> io::Result<String> {
    let text = std::fs::read_to_string(path)?;
    #[cfg(unix)]
    if let Some(mode) = too_open(path)? {
        return Err(io::Error::other(format!(
            "others may read it (mode {mode:o}); run `chmod 600 {}`",
            path.display()
        )));
    }
    Ok(text)
}

/// The mode of a file of our own that others may read.
#[cfg(unix)]
fn too_open(path: &Path) -> io::Result<Option<u32>> {
    use std::os::unix::fs::MetadataExt as _;
    let given = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let mounted = SECRET_MOUNTS.iter().map(Path::new).chain(given.as_deref());
    if mounted.into_iter().any(|place| path.starts_with(place)) {
        return Ok(None);
    }
    let metadata = std::fs::metadata(path)?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    let mode = metadata.mode() & 0o777;
    Ok((ours && mode & 0o077 != 0).then_some(mode))
}
