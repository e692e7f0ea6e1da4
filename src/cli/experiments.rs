//! `tollgate experiments`: what an experiment could find, before it begins.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::report::{Shape, tell};
use super::stored::{OriginArgs, Stop, StoreArgs};
use crate::analysis::reports::Choice;
use crate::analysis::tables::Window;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::routing::experiment::Experiment;
use crate::ui::papers::{Known, Question, Which};

/// Live experiments of the config
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tollgate experiments plan router-tax\n  \
    tollgate report experiments\n\n\
    An experiment is a table [experiments.<name>] of the config: tollgate config defaults.")]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The smallest difference that it would find, by days, from the traffic recorded so far
    #[command(
        after_help = "Examples:\n  tollgate experiments plan router-tax\n  tollgate experiments plan router-tax --since 30d"
    )]
    Plan(PlanArgs),
}

#[derive(Debug, clap::Args)]
struct PlanArgs {
    /// The experiment's name in the config
    #[arg(value_name = "NAME")]
    name: String,
    /// Beginning of the history: an age (90m, 24h, 7d) or a date
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    since: String,
    /// Its end, in the same words; now otherwise
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    #[command(flatten)]
    origin: OriginArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// The file to write; stdout otherwise
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
}

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    let What::Plan(args) = &args.what;
    plan(args, config).unwrap_or_else(Stop::exit)
}

/// Prints the plan; exit code 1 where there is none to be made.
fn plan(args: &PlanArgs, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let now = Clock::system().wall();
    let window =
        Window::read(Some(&args.since), args.until.as_deref(), now).map_err(Stop::Usage)?;
    let (reader, settings) = args.store.open(config)?;
    let experiment = configured(settings.as_ref(), &args.name)?;
    let question = Question {
        which: Which::Plan(Box::new(experiment)),
        window,
        compare: None,
        origins: args.origin.origins(),
        choice: Choice::default(),
        known: Known::of(settings.as_ref()),
    };
    let made = tell(&reader, &question, now, args.format, args.output.as_deref())?;
    Ok(ExitCode::from(u8::from(made.sheets.is_empty())))
}

fn configured(settings: Option<&Settings>, name: &str) -> Result<Experiment, Stop> {
    let all = settings.map(|settings| &*settings.experiments);
    let all = all.unwrap_or_default();
    let found = all.iter().find(|one| one.name.as_str() == name).cloned();
    found.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        Stop::Usage(if names.is_empty() {
            format!("the config has no experiment; add [experiments.{name}]")
        } else {
            format!(
                "no experiment is called {name}; there are {}",
                names.join(", ")
            )
        })
    })
}
