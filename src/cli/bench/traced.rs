//! Reads the trace that a load sends again: out of a file, or out of the store.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::active::load::bounds::REQUESTS_MAX;
use crate::analysis::render::units::minute;
use crate::analysis::tables::{Origins, Window};
use crate::cli::output;
use crate::cli::stored::{Progress, Stop, origins};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::edge::store::{Names, StoreReader, Summary, let_traffic_go_first};
use crate::record::{Name, Outcome, WallTime};
use crate::workload::trace::Trace;

/// What `--trace` names where it is no file.
const STORE: &str = "store";

/// Which exchanges of the store make the trace, with `--trace store`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Of --trace store")]
pub(super) struct OfStore {
    /// Beginning: an age (90m, 24h, 7d) or a date; 24h otherwise
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// End, in the same words; now otherwise
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Only requests for these models, as asked for or as the route calls them
    #[arg(long, value_delimiter = ',', value_name = "MODELS")]
    trace_models: Vec<String>,
    /// Only requests that these providers answered
    #[arg(long, value_delimiter = ',', value_name = "PROVIDERS")]
    trace_providers: Vec<String>,
    /// Which traffic: live, real, all, probe, bench, load, eval, shadow, demo; live otherwise
    #[arg(long, value_name = "ORIGIN", value_parser = origins)]
    trace_origin: Option<Origins>,
    /// The store that is read; the config's otherwise
    #[arg(long, value_name = "FILE")]
    trace_store: Option<PathBuf>,
}

fn of_file(path: &Path) -> Result<Trace, Stop> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Stop::Usage(format!("cannot read {name}: {error}")))?;
    Trace::read(&text)
        .map_err(|fault| Stop::Usage(format!("{name} line {}: {}", fault.line, fault.what)))
}

/// Requests of the store that make a trace, and what was left out of it.
#[derive(Debug, Default)]
struct Taken {
    all: Vec<(WallTime, Option<u64>, Option<u64>)>,
    scanned: u64,
    refused: u64,
    background: u64,
}

impl OfStore {
    /// The trace that `from` names, where one is named.
    pub(super) fn trace(
        &self,
        from: Option<&Path>,
        settings: &Settings,
        clock: &Clock,
    ) -> Result<Option<Trace>, Stop> {
        if from == Some(Path::new(STORE)) {
            return self.recorded(settings, clock).map(Some);
        }
        // Where --rate is given, clap does not hold that these require --trace.
        if !self.is_empty() {
            let why = "--since, --until and --trace-… choose what --trace store takes; a file is \
                       taken whole";
            return Err(Stop::Usage(why.to_owned()));
        }
        from.map(of_file).transpose()
    }

    const fn is_empty(&self) -> bool {
        self.since.is_none()
            && self.until.is_none()
            && self.trace_models.is_empty()
            && self.trace_providers.is_empty()
            && self.trace_origin.is_none()
            && self.trace_store.is_none()
    }

    fn recorded(&self, settings: &Settings, clock: &Clock) -> Result<Trace, Stop> {
        let since = self.since.as_deref().unwrap_or("24h");
        let window = Window::read(Some(since), self.until.as_deref(), clock.wall());
        let window = window.map_err(Stop::Usage)?;
        let path = self.trace_store.as_ref().unwrap_or(&settings.store.path);
        let_traffic_go_first();
        let reader = StoreReader::open(path)?;
        let names = reader.names()?;
        let mut taken = Taken::default();
        let mut progress = Progress::new("exchanges read");
        reader.scan(window.range(), |summary| {
            progress.step();
            taken.scanned += 1;
            if self.takes(summary, &names) {
                taken.add(summary);
            }
            if taken.all.len() as u64 > REQUESTS_MAX {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        drop(progress);
        if taken.all.len() as u64 > REQUESTS_MAX {
            return Err(Stop::Usage(format!(
                "the trace has over {REQUESTS_MAX} requests: a shorter --since or --until"
            )));
        }
        let window = format!("{} to {}", minute(window.from), minute(window.until));
        taken.trace(&window)
    }

    fn takes(&self, summary: &Summary, names: &Names) -> bool {
        let has = |list: &[String], ids: &[_]| {
            let named = |id| names.get(id).map(Name::as_str);
            let mut found = ids.iter().filter_map(|id| named(*id));
            list.is_empty() || found.any(|name| list.iter().any(|one| one == name))
        };
        let origins = self.trace_origin.unwrap_or(Origins::Live);
        summary.language.generates()
            && origins.takes(summary.origin)
            && has(&self.trace_models, &[summary.model, summary.route_model])
            && has(&self.trace_providers, &[summary.provider])
    }
}

impl Taken {
    fn add(&mut self, summary: &Summary) {
        if matches!(summary.outcome, Outcome::Rejected | Outcome::ClientError) {
            self.refused += 1;
        } else if summary.background {
            self.background += 1;
        } else {
            let usage = &summary.usage;
            self.all.push((summary.started, usage.input, usage.output));
        }
    }

    /// The trace, told of.
    fn trace(self, window: &str) -> Result<Trace, Stop> {
        let (requests, refused, background) = (self.all.len(), self.refused, self.background);
        let Some((trace, unknown)) = Trace::recorded(self.all) else {
            return Err(Stop::Usage(format!(
                "no request of a known length in the store from {window} ({} exchanges looked at, \
                 {requests} without lengths, {refused} refused): a longer --since, or another \
                 --trace-origin, --trace-models, --trace-providers",
                self.scanned
            )));
        };
        let mut told = format!(
            "trace: {requests} requests over {:.0} s, recorded from {window}",
            trace.length().as_secs()
        );
        for (count, what) in [
            (
                unknown as u64,
                "have no known lengths and are sent as long as the one before",
            ),
            (refused, "were refused and are left out"),
            (background, "were background calls and are left out"),
        ] {
            if count > 0 {
                told = format!("{told}; {count} {what}");
            }
        }
        output::note(&told);
        Ok(trace)
    }
}
