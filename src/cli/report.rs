//! `tollgate report`: what was measured, from the store, also of a running server.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::output;
use super::saved;
use super::sides::{self, Sides};
use super::stored::{OriginArgs, Progress, RouteArgs, Stop, StoreArgs, WindowArgs};
use crate::analysis::paper::Paper;
use crate::analysis::render::{self, Format};
use crate::analysis::reports::baseline::has_drifted;
use crate::analysis::reports::experiments::Asked;
use crate::analysis::reports::{Choice, Listed, tax};
use crate::analysis::tables::{Origins, Window};
use crate::clock::Clock;
use crate::edge::store::StoreReader;
use crate::record::{Origin, WallTime};
use crate::ui::papers::{self, Known, Question, Which};
use crate::ui::reading::Most;
use crate::ui::rows;

/// Reports of what was measured
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tollgate report routes\n  \
    tollgate report routes --since 7d --model gpt-4.1\n  \
    tollgate report tax --since 7d --format html --output tax.html\n  \
    tollgate report models --compare 14d..7d\n\n\
    A quantile is shown only where enough numbers stand behind it (p50 6, p95 72, p99 368).\n\
    Reports read beside a running server.")]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Each way to a model: failures, latency, speed, tokens, cost, own delay
    #[command(
        after_help = "Examples:\n  tollgate report routes --since 7d\n  tollgate report routes --model gpt-4.1 --format markdown\n  tollgate report routes --origin demo --store demo.redb"
    )]
    Routes(Routes),
    /// What a router costs against the provider directly, and how sure that is
    #[command(
        after_help = "Examples:\n  tollgate report tax --since 7d\n  tollgate report tax --models gpt-4.1 --reference openai\n  tollgate report tax --origin bench --runs november --format html --output tax.html"
    )]
    Tax(TaxArgs),
    /// What routes taken by lot did: effect, interval, arms' sizes, and whether one may stop
    #[command(
        after_help = "Examples:\n  tollgate report experiments\n  tollgate report experiments router-tax --since 2026-11-01"
    )]
    Experiments(ExperimentsArgs),
    /// Whether a route drawn by a small weight is worse than the others of its model
    #[command(
        after_help = "Examples:\n  tollgate report canary\n  tollgate report canary --since 7d --models gpt-4.1"
    )]
    Canary(Common),
    /// How often each route answers its probes, how soon, its days and trend, drift, cold starts
    #[command(
        after_help = "Examples:\n  tollgate report probes\n  tollgate report probes --since 30d --providers openai --format csv"
    )]
    Probes(ProbesArgs),
    /// Each model at each provider: speed, failures, cost, and which no other beats in both
    #[command(
        after_help = "Examples:\n  tollgate report models --since 7d\n  tollgate report models --compare 14d..7d\n  tollgate report models --models gpt-4.1,gpt-4.1-mini --format html --output models.html"
    )]
    Models(Common),
    /// Each model in each region: rate, first token, success, cost; pivot-able as csv
    #[command(
        after_help = "Examples:\n  tollgate report regions --since 7d\n  tollgate report regions --models claude-sonnet-4-6 --format csv"
    )]
    Regions(Common),
    /// Who served behind each router: share, first token, rate, failures
    #[command(
        after_help = "Examples:\n  tollgate report backends --since 7d\n  tollgate report backends --providers openrouter"
    )]
    Backends(Common),
    /// How steady each route is: IQR and p95 over p50, MAD, CV, stalls, pseudo-streams
    #[command(
        after_help = "Examples:\n  tollgate report consistency --since 7d\n  tollgate report consistency --models gpt-4.1"
    )]
    Consistency(Common),
    /// What went wrong at each route, by class and status, and how near its limits it was
    #[command(
        after_help = "Examples:\n  tollgate report errors --since 1h\n  tollgate report errors --providers openai --format json"
    )]
    Errors(Common),
    /// Whether output rate holds as answers grow
    #[command(
        after_help = "Examples:\n  tollgate report length --since 7d\n  tollgate report length --models llama-3.1-8b"
    )]
    Length(Common),
    /// First token by turn and cached share; what a cache of identical requests would save
    #[command(
        after_help = "Examples:\n  tollgate report cache --since 7d\n  tollgate report cache --origin bench --runs turns"
    )]
    Cache(Common),
    /// What asking for JSON costs at the same route, like compared with like
    #[command(
        after_help = "Examples:\n  tollgate report json-tax --since 7d\n  tollgate report json-tax --origin bench"
    )]
    JsonTax(Common),
    /// Percentiles per hour or day, where they changed, and what else changed then
    #[command(
        after_help = "Examples:\n  tollgate report trend --since 7d\n  tollgate report trend --models gpt-4.1 --format html --output trend.html"
    )]
    Trend(Common),
    /// Cost per route, per 1,000 and per success; retries; computed against billed
    #[command(
        after_help = "Examples:\n  tollgate report cost --since 30d\n  tollgate report cost --tags team-a --format csv"
    )]
    Cost(Common),
    /// What benchmarks, loads, evaluations and probes asked so far, run by run
    #[command(
        after_help = "Examples:\n  tollgate report runs --since 7d\n  tollgate report runs --runs november,december"
    )]
    Runs(Common),
    /// What evaluations found of each route: scores, differences on the same items, run by run
    #[command(
        after_help = "Examples:\n  tollgate report scores\n  tollgate report scores --models llama-3.1-8b --format html --output scores.html\n  tollgate report scores --runs november,december"
    )]
    Scores(ScoresArgs),
    /// Live traffic beside benchmarks of the same routes: differences, and why they may differ
    #[command(
        after_help = "Examples:\n  tollgate report production --since 7d\n  tollgate report production --models gpt-4.1"
    )]
    Production(Common),
    /// Whether traffic is still what a baseline says: a test that may be looked at all the time
    #[command(
        after_help = "Examples:\n  tollgate report drift --baseline november\n  tollgate report drift --baseline november --fail-on-drift"
    )]
    Drift(DriftArgs),
    /// For agents: latency, throughput, health and cost of each route as one JSON
    #[command(
        after_help = "Examples:\n  tollgate report throughput\n  tollgate report throughput --since 7d --models gpt-4.1 --output throughput.json"
    )]
    Throughput(ThroughputArgs),
}

#[derive(Debug, clap::Args)]
struct Routes {
    #[command(flatten)]
    window: WindowArgs,
    #[command(flatten)]
    of: RouteArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// The file to write; stdout otherwise
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    beside: Beside,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
}

/// Which exchanges a report of whole records takes.
#[derive(Debug, Clone, clap::Args)]
struct Picked {
    #[command(flatten)]
    window: WindowArgs,
    /// Only these models, comma-separated: as asked for, as the route calls them, or without the
    /// maker's name
    #[arg(long, value_delimiter = ',', value_name = "MODELS")]
    models: Vec<String>,
    /// Only these providers
    #[arg(long, value_delimiter = ',', value_name = "PROVIDERS")]
    providers: Vec<String>,
    /// Only these regions
    #[arg(long, value_delimiter = ',', value_name = "REGIONS")]
    regions: Vec<String>,
    /// Only requests with one of these tags (x-tollgate-tags)
    #[arg(long, value_delimiter = ',', value_name = "TAGS")]
    tags: Vec<String>,
    /// Only these runs of `bench`, `eval` and `probe`, whatever --origin says
    #[arg(long, value_delimiter = ',', value_name = "RUNS")]
    runs: Vec<String>,
    #[command(flatten)]
    origin: OriginArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// The file to write; stdout otherwise
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What a report is compared with.
#[derive(Debug, Clone, clap::Args)]
struct Beside {
    /// Set two windows side by side, with the differences and what may be said of them: 14d..7d
    /// (from then to then, against from then until now or --until), 2026-11-01..2026-11-08,
    /// FROM/UNTIL..FROM/UNTIL, or two exported files a.jsonl..b.jsonl
    #[arg(long, value_name = "A..B", conflicts_with = "since")]
    compare: Option<String>,
}

impl Routes {
    /// What two sides of the same routes are asked for: the report `models` has a row of each.
    fn side_by_side(&self) -> Common {
        let listed = |name: Option<&str>| name.map(str::to_owned).into_iter().collect();
        Common {
            picked: Picked {
                window: self.window.clone(),
                models: listed(self.of.model.as_deref()),
                providers: listed(self.of.provider.as_deref()),
                regions: Vec::new(),
                tags: Vec::new(),
                runs: Vec::new(),
                origin: self.of.origin.clone(),
                store: self.store.clone(),
                output: self.output.clone(),
            },
            beside: self.beside.clone(),
            format: self.format,
        }
    }
}

impl Picked {
    fn choice(&self) -> Choice {
        Choice {
            models: self.models.clone(),
            providers: self.providers.clone(),
            regions: self.regions.clone(),
            tags: self.tags.clone(),
            runs: self.runs.clone(),
        }
    }
}

/// What every report of whole records takes.
#[derive(Debug, Clone, clap::Args)]
struct Common {
    #[command(flatten)]
    picked: Picked,
    #[command(flatten)]
    beside: Beside,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
}

#[derive(Debug, clap::Args)]
struct DriftArgs {
    /// The baseline, as `tollgate baseline list` shows it
    #[arg(long, value_name = "NAME")]
    baseline: String,
    /// Beginning: an age or a date; when the baseline was saved otherwise
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// End, in the same words; now otherwise
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    #[command(flatten)]
    origin: OriginArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// Exit with 1 where a route has drifted
    #[arg(long)]
    fail_on_drift: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
    /// The file to write; stdout otherwise
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(mut_arg("origin", |arg| arg.default_value("live+probe")))]
struct ThroughputArgs {
    #[command(flatten)]
    picked: Picked,
    /// How it is written: JSON only, of the schema tollgate.report.throughput/1
    #[arg(long, default_value = "json", value_parser = ["json"])]
    format: String,
}

#[derive(Debug, clap::Args)]
struct TaxArgs {
    #[command(flatten)]
    common: Common,
    /// The provider to compare with; the direct provider with most traffic otherwise
    #[arg(long, value_name = "PROVIDER")]
    reference: Option<String>,
    /// Seed of the draws: the same seed gives the same figures
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Evaluations are rarer than traffic: of a year unless told otherwise.
#[derive(Debug, clap::Args)]
#[command(mut_arg("since", |arg| arg.default_value("400d")), mut_arg("origin", |arg| arg.hide(true)))]
struct ScoresArgs {
    #[command(flatten)]
    common: Common,
}

/// Probes are what it is of: no other traffic can be chosen.
#[derive(Debug, clap::Args)]
struct ProbesArgs {
    /// Beginning: an age (24h, 7d) or a date
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    since: String,
    /// End, in the same words; now otherwise
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Only these models, comma-separated
    #[arg(long, value_delimiter = ',', value_name = "MODELS")]
    models: Vec<String>,
    /// Only these providers
    #[arg(long, value_delimiter = ',', value_name = "PROVIDERS")]
    providers: Vec<String>,
    /// Only these regions
    #[arg(long, value_delimiter = ',', value_name = "REGIONS")]
    regions: Vec<String>,
    #[command(flatten)]
    store: StoreArgs,
    /// The file to write; stdout otherwise
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
}

/// Who served is no choice here: it is what the arms decide.
#[derive(Debug, clap::Args)]
struct ExperimentsArgs {
    /// Only this experiment
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Beginning: an age or a date; fixed before looking, best before the experiment's own start
    #[arg(long, value_name = "WHEN", default_value = "400d")]
    since: String,
    /// End, in the same words; now otherwise
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Only these models, as asked for
    #[arg(long, value_delimiter = ',', value_name = "MODELS")]
    models: Vec<String>,
    /// Only requests with one of these tags (x-tollgate-tags)
    #[arg(long, value_delimiter = ',', value_name = "TAGS")]
    tags: Vec<String>,
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

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum Shape {
    /// A table, at most 100 columns wide
    Table,
    /// Markdown tables
    Markdown,
    /// JSON of the schema tollgate.report.<name>/1
    Json,
    /// Comma-separated values, quoted by RFC 4180: table after table, each begun by its own header
    Csv,
    /// One self-contained HTML file with charts
    Html,
}

impl Shape {
    pub(super) const fn format(self) -> Format {
        match self {
            Self::Table => Format::Table,
            Self::Markdown => Format::Markdown,
            Self::Json => Format::Json,
            Self::Csv => Format::Csv,
            Self::Html => Format::Html,
        }
    }
}

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    let made = match &args.what {
        What::Routes(args) => routes(args, config),
        What::Tax(args) => {
            let asked = tax::Asked {
                reference: args.reference.clone(),
                seed: args.seed,
                rounds: false,
            };
            paper(&args.common, Which::Tax(asked), config)
        }
        What::Experiments(args) => experiments(args, config),
        What::Canary(args) => paper(args, Which::Canary, config),
        What::Probes(args) => probes(args, config),
        What::Models(args) => paper(args, Which::Listed(Listed::Models), config),
        What::Regions(args) => paper(args, Which::Listed(Listed::Regions), config),
        What::Backends(args) => paper(args, Which::Listed(Listed::Backends), config),
        What::Consistency(args) => paper(args, Which::Listed(Listed::Consistency), config),
        What::Errors(args) => paper(args, Which::Listed(Listed::Errors), config),
        What::Length(args) => paper(args, Which::Listed(Listed::Length), config),
        What::Cache(args) => paper(args, Which::Listed(Listed::Cache), config),
        What::JsonTax(args) => paper(args, Which::Listed(Listed::JsonTax), config),
        What::Trend(args) => paper(args, Which::Listed(Listed::Trend), config),
        What::Cost(args) => paper(args, Which::Listed(Listed::Cost), config),
        What::Runs(args) => paper(args, Which::Runs, config),
        What::Scores(args) => paper(&args.common, Which::Scores, config),
        What::Production(args) => paper(args, Which::Production, config),
        What::Drift(args) => drift(args, config),
        What::Throughput(args) => throughput(args, config),
    };
    match made {
        Ok(code) => code,
        Err(stop) => stop.exit(),
    }
}

fn routes(args: &Routes, config: Option<&Path>) -> Result<ExitCode, Stop> {
    if args.beside.compare.is_some() {
        return paper(&args.side_by_side(), Which::Listed(Listed::Models), config);
    }
    let clock = Clock::system();
    let window = args.window.window(&clock)?;
    let (reader, settings) = args.store.open(config)?;
    let asked = args.of.asked(window);
    let mut progress = Progress::new("exchanges read:");
    let seen = || progress.step();
    let report = rows::routes(
        &reader,
        &asked,
        settings.as_ref(),
        Most::COMMAND,
        clock.wall(),
        seen,
    )?;
    drop(progress);
    let text = render::routes(&report, args.format.format());
    hand_over(args.output.as_deref(), &text)?;
    if report.scanned == 0 {
        output::note(
            "tollgate: the store has no exchange in this window; a wider --since may find some",
        );
    } else if report.taken == 0 {
        output::note(
            "tollgate: none of the exchanges in this window is of that kind; --origin all takes every origin",
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn paper(args: &Common, which: Which, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let clock = Clock::system();
    let picked = &args.picked;
    let until = picked.window.until.as_deref();
    let sides = args.beside.compare.as_deref();
    let sides = sides.map(|text| Sides::read(text, until, clock.wall()));
    let mut question = Question {
        which,
        window: picked.window.window(&clock)?,
        compare: None,
        origins: picked.origin.origins(),
        choice: picked.choice(),
        known: Known::of(None),
    };
    match sides.transpose()? {
        Some(Sides::Files(files)) => {
            let made = sides::of_files(&question, &files, clock.wall())?;
            let text = render::paper::write(&made, args.format.format());
            return hand_over(picked.output.as_deref(), &text).map(|()| ExitCode::SUCCESS);
        }
        Some(Sides::Windows(windows)) => question.compare = Some(windows),
        None => {}
    }
    let (reader, settings) = picked.store.open(config)?;
    question.known = Known::of(settings.as_ref());
    let output = picked.output.as_deref();
    let made = tell(&reader, &question, clock.wall(), args.format, output)?;
    if made.head.scanned == 0 && made.name != "scores" {
        output::note(
            "tollgate: the store has no exchange in this window; a wider --since may find some",
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn drift(args: &DriftArgs, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let now = Clock::system().wall();
    let (reader, settings) = args.store.open(config)?;
    let baseline = saved::named(&reader, &args.baseline)?;
    let since = args
        .since
        .clone()
        .unwrap_or_else(|| baseline.saved.rfc3339());
    let question = Question {
        window: Window::read(Some(&since), args.until.as_deref(), now).map_err(Stop::Usage)?,
        which: Which::Drift(Box::new(baseline)),
        compare: None,
        origins: args.origin.origins(),
        choice: Choice::default(),
        known: Known::of(settings.as_ref()),
    };
    let made = tell(&reader, &question, now, args.format, args.output.as_deref())?;
    let fails = args.fail_on_drift && has_drifted(&made);
    Ok(ExitCode::from(u8::from(fails)))
}

fn experiments(args: &ExperimentsArgs, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let clock = Clock::system();
    let now = clock.wall();
    let window =
        Window::read(Some(&args.since), args.until.as_deref(), now).map_err(Stop::Usage)?;
    let (reader, settings) = args.store.open(config)?;
    let known = Known::of(settings.as_ref());
    let asked = Asked {
        defined: settings.map_or_else(Default::default, |settings| settings.experiments),
        name: args.name.clone(),
    };
    let question = Question {
        which: Which::Experiments(asked),
        window,
        compare: None,
        origins: args.origin.origins(),
        choice: Choice {
            models: args.models.clone(),
            tags: args.tags.clone(),
            ..Choice::default()
        },
        known,
    };
    tell(&reader, &question, now, args.format, args.output.as_deref())?;
    Ok(ExitCode::SUCCESS)
}

fn probes(args: &ProbesArgs, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let now = Clock::system().wall();
    let (reader, settings) = args.store.open(config)?;
    let question = Question {
        which: Which::Probes,
        window: Window::read(Some(&args.since), args.until.as_deref(), now).map_err(Stop::Usage)?,
        compare: None,
        origins: Origins::Only(Origin::Probe),
        choice: Choice {
            models: args.models.clone(),
            providers: args.providers.clone(),
            regions: args.regions.clone(),
            ..Choice::default()
        },
        known: Known::of(settings.as_ref()),
    };
    tell(&reader, &question, now, args.format, args.output.as_deref())?;
    Ok(ExitCode::SUCCESS)
}

fn throughput(args: &ThroughputArgs, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let clock = Clock::system();
    let picked = &args.picked;
    let (reader, settings) = picked.store.open(config)?;
    let asked = papers::Asked {
        window: picked.window.window(&clock)?,
        origins: picked.origin.origins(),
        choice: picked.choice(),
        known: Known::of(settings.as_ref()),
    };
    let mut progress = Progress::new("exchanges read:");
    let made = clock.wall();
    let seen = || progress.step();
    let value = papers::throughput(&reader, &asked, Most::COMMAND, made, false, seen)?;
    drop(progress);
    hand_over(picked.output.as_deref(), &format!("{value:#}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the report that answers `question`, with a word on how far reading has come, and prints it
/// or writes it to `output`.
pub(super) fn tell(
    reader: &StoreReader,
    question: &Question,
    now: WallTime,
    shape: Shape,
    output: Option<&Path>,
) -> Result<Paper, Stop> {
    let mut progress = Progress::new("exchanges read:");
    let made = papers::paper(reader, question, Most::COMMAND, now, || progress.step())?;
    drop(progress);
    if let Some(why) = tax::lacks_reference(&made) {
        return Err(Stop::Usage(why.to_owned()));
    }
    hand_over(output, &render::paper::write(&made, shape.format()))?;
    Ok(made)
}

/// Whether a report can be written there: asked before anything is that costs time or money.
pub(super) fn can_write(path: Option<&Path>) -> Result<(), Stop> {
    let Some(path) = path else { return Ok(()) };
    // What is no file (a device, a pipe) is opened once, by whoever writes to it.
    if path.exists() && !path.is_file() && !path.is_dir() {
        return Ok(());
    }
    let is_new = !path.exists();
    let opened = OpenOptions::new().create(true).append(true).open(path);
    let tried = opened.and_then(|_| {
        if is_new {
            std::fs::remove_file(path)?;
        }
        Ok(())
    });
    tried.map_err(|error| Stop::Usage(format!("cannot write {}: {error}", path.display())))
}

/// Prints `text`, or writes it to the file asked for.
pub(super) fn hand_over(path: Option<&Path>, text: &str) -> Result<(), Stop> {
    let Some(path) = path else {
        output::print(text);
        return Ok(());
    };
    std::fs::write(path, text)
        .map_err(|error| Stop::Usage(format!("cannot write {}: {error}", path.display())))
}
