//! Reads what settings are made of: the config file, the environment, `.env` files.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::path::{Path, PathBuf};

use super::fault::AppFault;
use crate::config::{self, Loaded, Problem, Problems, Sources};
use crate::edge::credentials::read_secret;

/// Where a config is looked for when none is named.
const DEFAULT_NAME: &str = "tollgate.toml";

/// Files with further variables; the latter wins over the former.
const ENVIRONMENT_FILES: [&str; 2] = [".env", ".env.local"];

/// The environment, with `.env.local` and `.env` behind it.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    files: BTreeMap<String, String>,
}

impl Environment {
    /// Reads the files of the working directory.
    #[must_use]
    pub fn read() -> Self {
        let mut files = BTreeMap::new();
        for name in ENVIRONMENT_FILES {
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
    let (_, found) = load_seen(path, &RandomState::new());
    found.map(|(loaded, _)| loaded)
}

/// Loads the settings for who reads what a server wrote, and sends nothing: the server's keys need
/// not be at hand. All other mistakes are told.
pub fn load_to_read(path: Option<&Path>) -> Result<Loaded, AppFault> {
    let (state, files) = (RandomState::new(), RefCell::default());
    read_seen(path, &state, &files, config::load_without_secrets).map(|(loaded, _)| loaded)
}

/// What settings were read from. The fingerprint that records carry leaves out what secrets say,
/// so it cannot tell that one was changed; this can, and never leaves the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The files, also those that were not there.
    pub files: BTreeSet<PathBuf>,
    /// Whether there is a config file, and nothing in it.
    pub empty: bool,
    /// Of all that was read; to be compared with marks of the same `state` only.
    mark: u64,
}

/// Loads the settings as [`load`] does, and says what they were read from; `state` keys its mark.
/// The files are named also where they make no settings: what is missing may come.
pub fn load_seen(
    path: Option<&Path>,
    state: &RandomState,
) -> (BTreeSet<PathBuf>, Result<(Loaded, Seen), AppFault>) {
    let mut files: BTreeSet<PathBuf> = ENVIRONMENT_FILES.map(PathBuf::from).into();
    files.extend(path.map(Path::to_owned));
    let files = RefCell::new(files);
    let found = read_seen(path, state, &files, config::load);
    let files = files.into_inner();
    let seen = |Read { mark, empty }| Seen {
        files: files.clone(),
        empty,
        mark,
    };
    let found = found.map(|(loaded, read)| (loaded, seen(read)));
    (files, found)
}

/// The text of the config file.
fn read_config(path: &Path) -> Result<String, AppFault> {
    let bytes = std::fs::read(path).map_err(|error| {
        AppFault::Usage(format!(
            "cannot read the config {}: {error}",
            path.display()
        ))
    })?;
    String::from_utf8(bytes).map_err(|error| {
        AppFault::Config(Problems {
            file: path.display().to_string(),
            list: vec![Problem::not_utf8(&error)],
        })
    })
}

/// What is left of what was read.
struct Read {
    mark: u64,
    empty: bool,
}

/// What makes settings of sources.
type Load = fn(&Sources<'_>) -> Result<Loaded, Problems>;

/// The settings and the mark of what they were read from; notes each file that is looked at.
fn read_seen(
    path: Option<&Path>,
    state: &RandomState,
    files: &RefCell<BTreeSet<PathBuf>>,
    load: Load,
) -> Result<(Loaded, Read), AppFault> {
    let text = match path {
        Some(path) => Some(read_config(path)?),
        None => None,
    };
    let environment = Environment::read();
    let file = path.map_or_else(
        || "environment".to_owned(),
        |path| path.display().to_string(),
    );
    let mark = RefCell::new(state.build_hasher());
    let noted = |path: &Path, content: &std::io::Result<String>| {
        files.borrow_mut().insert(path.to_owned());
        (path, content.as_ref().ok()).hash(&mut *mark.borrow_mut());
    };
    let sources = Sources {
        text: text.as_deref(),
        file: &file,
        env: &|name| {
            let value = environment.get(name);
            (name, &value).hash(&mut *mark.borrow_mut());
            value
        },
        read_file: &|path| {
            let content = read_secret(path);
            noted(path, &content);
            content
        },
        read_text: &|path| {
            let content = std::fs::read_to_string(path);
            noted(path, &content);
            content
        },
        data_dir: data_dir(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let loaded = load(&sources)?;
    if let Some(tls) = &loaded.settings.server.tls {
        for path in [&tls.certificate, &tls.key] {
            noted(path, &std::fs::read_to_string(path));
        }
    }
    text.hash(&mut *mark.borrow_mut());
    let read = Read {
        mark: mark.into_inner().finish(),
        empty: text.is_some_and(|text| text.trim().is_empty()),
    };
    Ok((loaded, read))
}
