//! `tollgate probe`: asks each route for a few tokens, and says how it is.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::admin::Admin;
use super::bench::usd;
use super::output;
use super::report::{Shape, can_write, hand_over};
use super::stored::Stop;
use crate::active::probing::Wish;
use crate::analysis::render;
use crate::analysis::render::units::sum;
use crate::analysis::reports::probed::{self, Limits};
use crate::app::probe::{Came, Run, head};
use crate::app::sources;
use crate::clock::Clock;
use crate::config::duration;
use crate::config::probes::SCHEDULED_TOKENS;
use crate::record::PicoDollars;
use crate::statistics::drift::Thresholds;

/// Ask each route for a few tokens: does it answer, how soon, has it drifted from its baseline
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tollgate probe\n  \
    tollgate probe --models gpt-4.1-mini --providers openai,openrouter --cold\n  \
    tollgate probe --format markdown --output probe.md\n  \
    tollgate probe --ci github --max-first-token 3s --max-drift 20% --min-availability 95%\n\n\
    One cheap request a route (about 200 tokens of prompt, --max-tokens of answer), on a fresh\n\
    connection and on a kept one with --cold. Every call is a record of origin `probe`:\n\
    `tollgate report probes`; beside a running server, which has the store, it is handed them.\n\
    Exit code 1 when a route fails, has drifted, or breaks a limit; 3 when what was measured could\n\
    not be kept.\n\
    In a pipeline (config/examples/github-probe.yml) --ci says the same quietly: one line of JSON\n\
    of the schema tollgate.probe/1, or annotations that GitHub Actions shows. Drift needs a store\n\
    that earlier rounds were kept in. A running server probes by itself: `probes.schedule`.")]
pub(super) struct Args {
    /// Models, comma-separated, as applications ask for them; every model with routes otherwise
    #[arg(long, value_delimiter = ',', value_name = "MODELS")]
    models: Vec<String>,
    /// Only these providers
    #[arg(long, value_delimiter = ',', value_name = "PROVIDERS")]
    providers: Vec<String>,
    /// Only providers of these regions
    #[arg(long, value_delimiter = ',', value_name = "REGIONS")]
    regions: Vec<String>,
    /// Ask each route on a fresh connection, and again on the one that is there then
    #[arg(long)]
    cold: bool,
    /// Tokens of an answer, at most
    #[arg(long, default_value_t = SCHEDULED_TOKENS, value_name = "N")]
    max_tokens: u64,
    /// US dollars that the round may cost
    #[arg(long, default_value_t = 0.10, value_name = "USD", value_parser = usd)]
    max_cost: f64,
    /// Longest first token of a call: 1500ms, 3s
    #[arg(long, value_name = "SPAN", value_parser = span)]
    max_first_token: Option<Duration>,
    /// Longest call
    #[arg(long, value_name = "SPAN", value_parser = span)]
    max_total: Option<Duration>,
    /// How far a median first token may be off its baseline; the drift test must be sure too.
    /// `alerts.drift` of the config otherwise
    #[arg(long, value_name = "SHARE", value_parser = share)]
    max_drift: Option<f64>,
    /// Least share of probes answered within the last day
    #[arg(long, value_name = "SHARE", value_parser = part)]
    min_availability: Option<f64>,
    /// For a pipeline: quiet, and in a form that stays; JSON unless another is named
    #[arg(long, value_enum, value_name = "FORM", num_args = 0..=1, default_missing_value = "json",
          conflicts_with_all = ["format", "json"])]
    ci: Option<Form>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// The file to write; stdout otherwise
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// One line of JSON
    Json,
    /// `::error::` and `::notice::` lines, which GitHub Actions shows
    Github,
}

fn span(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| "expected a span such as 1500ms or 3s".to_owned())
}

/// `20%` and `0.2` are the same.
fn share(text: &str) -> Result<f64, String> {
    let (number, whole) = text
        .strip_suffix('%')
        .map_or((text, 1.0), |number| (number, 100.0));
    let value: Option<f64> = number.trim().parse().ok().map(|value: f64| value / whole);
    value
        .filter(|value| (0.0..=10.0).contains(value))
        .ok_or_else(|| "expected a share such as 20% or 0.2".to_owned())
}

/// A share of a whole.
fn part(text: &str) -> Result<f64, String> {
    share(text)
        .ok()
        .filter(|part| *part <= 1.0)
        .ok_or_else(|| "expected a share of 100% at most, such as 95% or 0.95".to_owned())
}

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    probe(args, config).unwrap_or_else(Stop::exit)
}

fn probe(args: &Args, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let path = sources::config_path(config);
    let loaded = sources::load(path.as_deref()).map_err(Stop::Config)?;
    let settings = &loaded.settings;
    let clock = Clock::system();
    let wish = Wish {
        models: args.models.clone(),
        providers: args.providers.clone(),
        regions: args.regions.clone(),
        cold: args.cold,
        max_tokens: args.max_tokens,
    };
    let targets = wish.targets(settings).map_err(Stop::Usage)?;
    can_write(args.output.as_deref())?;
    affordable(args, wish.cost(&targets, settings, clock.wall()))?;
    let run = Run {
        settings,
        targets: &targets,
        round: wish.round("command"),
        thresholds: Thresholds {
            drift: args.max_drift.unwrap_or(settings.alerts.drift),
            availability: settings.alerts.availability,
        },
        surroundings: Admin::of(settings).around(),
    };
    let Came { all, is_kept } = asked(args, &run)?;
    let nanos = |span: Option<Duration>| span.map(|span| span.as_nanos() as f64);
    let findings = probed::findings(
        &all,
        &Limits {
            first_token: nanos(args.max_first_token),
            total: nanos(args.max_total),
            availability: args.min_availability,
        },
    );
    let made = clock.wall();
    let text = match args.ci {
        Some(Form::Json) => format!("{}\n", probed::json(&all, &findings, made)),
        Some(Form::Github) => probed::annotations(&all, &findings),
        None => {
            let shape = if args.json { Shape::Json } else { args.format };
            let paper = probed::paper(&all, &findings, head(&all, made));
            render::paper::write(&paper, shape.format())
        }
    };
    hand_over(args.output.as_deref(), &text)?;
    let broken_off = all.len() < targets.len();
    if broken_off {
        output::note(&format!(
            "tollgate: stopped after {} of {} routes: what was measured is kept",
            all.len(),
            targets.len()
        ));
    }
    let well = findings.is_empty() && !broken_off;
    Ok(ExitCode::from(if is_kept { u8::from(!well) } else { 3 }))
}

/// A round that may cost too much does not begin.
fn affordable(args: &Args, most: PicoDollars) -> Result<(), Stop> {
    let most = most.as_dollars();
    if most > args.max_cost {
        return Err(Stop::Usage(format!(
            "the round may cost ${most:.4}, which is over --max-cost {}: raise it, or ask less",
            sum(args.max_cost)
        )));
    }
    Ok(())
}

fn asked(args: &Args, run: &Run<'_>) -> Result<Came, Stop> {
    let shows = args.ci.is_none() && std::io::stderr().is_terminal();
    let bar = shows.then(|| {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} probes");
        style.map_or(bar.clone(), |style| bar.with_style(style))
    });
    let mut progress = |done: usize, of: usize| {
        if let Some(bar) = &bar {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        }
    };
    let found = run.run(&mut progress, &|text| output::note(text));
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    found.map_err(Stop::Config)
}
