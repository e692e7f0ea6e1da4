//! Reads what settings are made of: the config file, the environment, `.env` files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::fault::AppFault;
use crate::config::{self, Loaded, Sources};
use crate::edge::credentials::read_secret;

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
        read_file: &read_secret,
        read_text: &|path| std::fs::read_to_string(path),
        data_dir: data_dir(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    };
    Ok(config::load(&sources)?)
}
