//! Opens the store for commands that read it, and shows that something lasts.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;
use crate::analysis::tables::{Origins, Window};
use crate::app::{AppFault, sources};
use crate::clock::Clock;
use crate::config::settings::{Settings, StoreSettings};
use crate::edge::store::{Store, StoreError, StoreReader, let_traffic_go_first};
use crate::record::{Moment, Nanos};
use crate::ui::rows::Asked;

/// Which store is read.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct StoreArgs {
    /// The store's file; the config's otherwise
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
}

/// Which exchanges are read.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct WindowArgs {
    /// Beginning: an age (90m, 24h, 7d) or a date (2026-11-01, 2026-11-01T12:30:00Z)
    #[arg(long, value_name = "WHEN", default_value = "24h")]
    pub(super) since: String,
    /// End, in the same words; now otherwise
    #[arg(long, value_name = "WHEN")]
    pub(super) until: Option<String>,
}

/// Which routes are reported on.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RouteArgs {
    /// Only this model, as asked for or as the provider calls it
    #[arg(long, value_name = "MODEL")]
    pub(super) model: Option<String>,
    /// Only this provider
    #[arg(long, value_name = "PROVIDER")]
    pub(super) provider: Option<String>,
    #[command(flatten)]
    pub(super) origin: OriginArgs,
}

/// Where the exchanges come from.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct OriginArgs {
    /// Which traffic: live, live+probe, real (all but simulated), all, probe, bench, load, eval, shadow, demo
    #[arg(long, value_name = "ORIGIN", default_value = "live", value_parser = origins)]
    origin: Origins,
}

impl OriginArgs {
    /// The origins taken.
    pub(super) const fn origins(&self) -> Origins {
        self.origin
    }
}

pub(super) fn origins(text: &str) -> Result<Origins, String> {
    Origins::from_name(text).ok_or_else(|| {
        "expected live, live+probe, real, all, probe, bench, load, eval, shadow or demo".to_owned()
    })
}

impl WindowArgs {
    /// The span of time asked for.
    pub(super) fn window(&self, clock: &Clock) -> Result<Window, Stop> {
        Window::read(Some(&self.since), self.until.as_deref(), clock.wall()).map_err(Stop::Usage)
    }
}

impl RouteArgs {
    /// What is asked for in `window`.
    pub(super) fn asked(&self, window: Window) -> Asked {
        Asked {
            window,
            origins: self.origin.origins(),
            model: self.model.clone(),
            provider: self.provider.clone(),
        }
    }
}

/// Why a command that reads the store stops.
#[derive(Debug)]
pub(super) enum Stop {
    /// The command line is wrong.
    Usage(String),
    /// The config is wrong.
    Config(AppFault),
    /// The store cannot be used.
    Store(StoreError),
    /// What was asked for is not there.
    Nothing(String),
    /// Something of the machine's.
    Runtime(String),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Stop {
    /// Says why, and is the exit code.
    pub(super) fn exit(self) -> ExitCode {
        let (text, code) = match self {
            Self::Config(fault) => return output::fail(&fault),
            Self::Usage(text) => (text, 2),
            Self::Store(error @ (StoreError::Missing(_) | StoreError::Foreign(_))) => {
                (error.to_string(), 2)
            }
            Self::Store(error) => (error.to_string(), 3),
            Self::Nothing(text) => (text, 1),
            Self::Runtime(text) => (text, 3),
        };
        output::note(&format!("tollgate: {text}"));
        ExitCode::from(code)
    }
}

impl StoreArgs {
    /// The settings, where they can be had: a store that is named needs none.
    pub(super) fn settings(&self, config: Option<&Path>) -> Result<Option<Settings>, Stop> {
        let path = sources::config_path(config);
        match (sources::load_to_read(path.as_deref()), &self.store) {
            (Ok(loaded), _) => Ok(Some(loaded.settings)),
            (Err(_), Some(_)) => Ok(None),
            (Err(fault), None) => Err(Stop::Config(fault)),
        }
    }

    /// The store's file.
    pub(super) fn path(&self, settings: Option<&Settings>) -> Result<PathBuf, Stop> {
        let named = self.store.clone();
        let configured = settings.map(|settings| settings.store.path.clone());
        named
            .or(configured)
            .ok_or_else(|| Stop::Usage("name the store with --store FILE".to_owned()))
    }

    /// The store for writing. What is missing is not made, and what is damaged stays where it is.
    pub(super) fn open_to_write(&self, config: Option<&Path>) -> Result<Store, Stop> {
        let settings = self.settings(config)?;
        let path = self.path(settings.as_ref())?;
        drop(StoreReader::open(&path)?);
        let settings = settings.ok_or_else(|| {
            Stop::Usage(
                "the config does not load, and with it how long records are kept: `tollgate check`"
                    .to_owned(),
            )
        })?;
        let settings = StoreSettings {
            path,
            ..settings.store
        };
        let (store, opened) = Store::open_in_place(&settings, &Clock::system())?;
        if let Some(found) = opened.replayed.told() {
            output::note(&found);
        }
        Ok(store)
    }

    /// A reader of the store, and the settings.
    pub(super) fn open(
        &self,
        config: Option<&Path>,
    ) -> Result<(StoreReader, Option<Settings>), Stop> {
        let settings = self.settings(config)?;
        let_traffic_go_first();
        let reader = StoreReader::open(&self.path(settings.as_ref())?)?;
        Ok((reader, settings))
    }
}

/// Counts what was done, on a terminal's stderr, once it lasts.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    shown: bool,
    clock: Clock,
    began: Moment,
    count: u64,
}

/// What lasts no longer than this shows no progress.
const PATIENCE: Nanos = Nanos::from_millis(2_000);
/// Steps between two looks at the clock.
const STEPS: u64 = 1_024;

impl Progress {
    pub(super) fn new(what: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_message(what);
        let clock = Clock::system();
        Self {
            bar,
            shown: false,
            began: clock.now(),
            clock,
            count: 0,
        }
    }

    /// One more is done.
    pub(super) fn step(&mut self) {
        self.count += 1;
        if self.count.is_multiple_of(STEPS) {
            self.look();
        }
    }

    fn look(&mut self) {
        if !self.shown && self.clock.now().since(self.began) > PATIENCE {
            self.shown = true;
            // Draws on terminals only.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {human_pos}") {
                self.bar.set_style(style);
            }
            self.bar.enable_steady_tick(Duration::from_millis(100));
        }
        self.bar.set_position(self.count);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
