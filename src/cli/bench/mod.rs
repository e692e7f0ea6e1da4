//! `tollgate bench`: asks routes the same, in drawn order, and says how they compare.

mod charts;

mod load;

mod traced;

mod turns;

pub(super) mod results;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::{RangedI64ValueParser, RangedU64ValueParser};
use indicatif::{ProgressBar, ProgressStyle};

use super::admin::Admin;
use super::output;
use super::report::{Shape, can_write, hand_over};
use super::stored::Stop;
use crate::active::bench::result::JSON_SCHEMA;
use crate::active::bench::{Cold, Ended, Finished, Plan, Wish};
use crate::active::named::run_name;
use crate::analysis::render;
use crate::analysis::render::units::{dollars, sum};
use crate::app::bench::{Outcome, Run};
use crate::app::bench_papers;
use crate::app::sources;
use crate::clock::Clock;
use crate::config::duration;
use crate::config::settings::Settings;
use crate::record::{Name, PicoDollars};
use crate::ui::papers::Known;
use crate::workload::prompts::{Pool, mixed};
use crate::workload::sizes::LENGTH_MAX;
use traced::OfStore;

/// Ask routes the same, in drawn order, and compare what they took
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:\n  \
    tollgate bench --models gpt-4.1-mini --providers openai,openrouter --pairs 100\n  \
    tollgate bench --models gpt-4.1,claude-sonnet-4-6 --iterations 50 --format html --output bench.html\n  \
    tollgate bench --models llama-3.1-8b --sweep-tokens 256,512,1024,2048\n  \
    tollgate bench --models gpt-4.1 --json-mode\n  \
    tollgate bench --models claude-sonnet-4-6 --cache-turns 6\n  \
    tollgate bench --models gpt-4.1 --cold both --repeat 3\n  \
    tollgate bench --models gpt-4.1 --trace store --since 7d\n  \
    tollgate bench --models gpt-4.1 --compare results/last-week --fail-on-regression\n  \
    tollgate bench analyze results\n  \
    tollgate bench compare results/last-week results/today --fail-on-regression\n  \
    tollgate bench charts results --out charts\n  \
    tollgate bench load --models gpt-4.1-mini --sweep --sla 2s\n\n\
    What it may cost is shown first; nothing is sent that might pass --max-cost by that, or by what\n\
    answers cost so far (those at work when the first dear one comes are not foreseen). Ctrl-C keeps what was\n\
    measured; the same --run and --out go on where it ended. The same --seed asks the same.\n\
    Exit codes: 0 all went well, 1 a route answered nothing, the run ended early, or with\n\
    --fail-on-regression something is surely worse or nothing could be compared, 2 usage or config, 3 the machine failed.\n\
    Every exchange is a record of origin `bench`: `tollgate report tax --origin bench`.")]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    run: RunArgs,
}

/// What is done with finished runs.
#[derive(Debug, clap::Subcommand)]
enum What {
    Load(Box<load::Args>),
    /// How runs of the same benchmark differ: between runs, within them, and what that does to
    /// how sure a number is
    Analyze(results::Analyze),
    /// Two results side by side: each difference with its interval and a verdict
    Compare(results::Compare),
    /// Draw what is in results: SVG and PNG, each with a text of the exact numbers
    Charts(charts::Charts),
    Schema(SchemaArgs),
}

/// The JSON schema of a result
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tollgate bench schema > benchmark.schema.json\n  \
    tollgate bench schema load > load.schema.json"
)]
struct SchemaArgs {
    /// Whose result: of a benchmark, or of a load
    #[arg(value_enum, default_value_t = ResultFile::Bench, value_name = "RESULT")]
    of: ResultFile,
}

/// A result that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ResultFile {
    /// benchmark.json
    Bench,
    /// load.json
    Load,
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// Models, comma-separated, as applications ask for them
    #[arg(long, value_delimiter = ',', required = true, value_name = "MODELS")]
    models: Vec<String>,
    /// Only these providers; every configured one that serves the model otherwise
    #[arg(long, value_delimiter = ',', value_name = "PROVIDERS")]
    providers: Vec<String>,
    /// Only providers of these regions
    #[arg(long, value_delimiter = ',', value_name = "REGIONS")]
    regions: Vec<String>,
    /// Rounds that are measured: one request to each route, in drawn order
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = count())]
    iterations: u32,
    /// Crossover pairs of each route and the reference instead of rounds: 30 to look, 100, 400 to
    /// publish
    #[arg(long, value_name = "N", conflicts_with = "iterations", value_parser = count())]
    pairs: Option<u32>,
    /// The provider that pairs, or the other routes of a round, are held against; each model's first
    /// direct one otherwise
    #[arg(long, value_name = "PROVIDER")]
    reference: Option<String>,
    /// Rounds or pairs before those that are measured
    #[arg(long, default_value_t = 2, value_name = "N")]
    warm_ups: u32,
    /// Tokens of an answer, at most; 64 with --pairs unless given
    #[arg(long, value_name = "N", value_parser = tokens())]
    max_tokens: Option<u64>,
    /// Lengthen prompts to about so many tokens
    #[arg(long, value_name = "N", value_parser = tokens())]
    prompt_tokens: Option<u64>,
    /// Lengthen prompts as recorded: each round to the length of one that is drawn from a trace's
    /// file, or from this machine's own traffic in the store (`store`)
    #[arg(long, value_name = "FILE|store", conflicts_with = "prompt_tokens")]
    trace: Option<PathBuf>,
    #[command(flatten)]
    of_store: OfStore,
    /// Ask with these limits of the answer, one after the other: does the rate hold?
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "LIST",
        value_parser = tokens(),
        conflicts_with = "max_tokens"
    )]
    sweep_tokens: Vec<u64>,
    /// Ask each prompt with and without JSON mode: what does JSON cost?
    #[arg(long)]
    json_mode: bool,
    /// Requests of one conversation, each with all before it in front: what do prompt caches do?
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    cache_turns: u32,
    /// Open a connection for each request (all), or ask each twice a round, over a connection that
    /// is there and over one that is opened for it (both)
    #[arg(long, value_enum, value_name = "WHICH", num_args = 0..=1, default_missing_value = "all")]
    cold: Option<ColdArg>,
    /// Tokens below which an answer says too little
    #[arg(long, default_value_t = 20, value_name = "N")]
    min_tokens: u64,
    /// How long a request may take; what takes longer is a failure
    #[arg(long, default_value = "10m", value_name = "SPAN", value_parser = span)]
    timeout: Duration,
    /// Temperature; `none` sends none, as models that reason want it
    #[arg(long, default_value = "0", value_name = "T", value_parser = temperature)]
    temperature: Temperature,
    /// A file of prompts, one per line; 25 topics of computing and engineering otherwise
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// Seed of prompts and orders; drawn and printed otherwise
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// The run's name; the date and the seed otherwise
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// Run it so often, one after the other, to see how runs differ
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = count())]
    repeat: u32,
    /// US dollars that all of it may cost
    #[arg(long, default_value_t = 1.0, value_name = "USD", value_parser = usd)]
    max_cost: f64,
    /// Where this machine is, for the result
    #[arg(long, value_name = "TEXT")]
    location: Option<String>,
    /// Folder of results: one folder a run in it
    #[arg(long, default_value = "results", value_name = "DIR")]
    out: PathBuf,
    /// How the comparison is written
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
    /// Write the comparison there; stdout otherwise
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Compare with this result: the file or the folder of an earlier run
    #[arg(long, value_name = "BASELINE", conflicts_with = "json")]
    compare: Option<PathBuf>,
    /// Exit with 1 where anything is worse than in --compare, surely and by more than the margin, or
    /// nothing could be compared
    #[arg(long, requires = "compare")]
    fail_on_regression: bool,
    /// Print the result file to stdout instead of the comparison; with --repeat the list of them
    #[arg(long, conflicts_with_all = ["format", "output"])]
    json: bool,
    /// Show what would be asked and what it may cost, and ask nothing
    #[arg(long)]
    dry_run: bool,
}

/// Which requests open a connection for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ColdArg {
    /// Every one
    All,
    /// One of two alike
    Both,
}

fn span(text: &str) -> Result<Duration, String> {
    duration(text)
        .filter(|span| !span.is_zero())
        .ok_or_else(|| "expected a span such as 90s or 10m".to_owned())
}

/// Tokens of a prompt or an answer, as many as any model takes.
pub(super) fn tokens() -> RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=LENGTH_MAX)
}

/// How many rounds or pairs, one at least.
fn count() -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..)
}

/// A temperature, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Temperature(pub(super) Option<f64>);

pub(super) fn temperature(text: &str) -> Result<Temperature, String> {
    if text == "none" {
        return Ok(Temperature(None));
    }
    let value: f64 = text
        .parse()
        .map_err(|_| "expected a number, or none".to_owned())?;
    if (0.0..=2.0).contains(&value) {
        Ok(Temperature(Some(value)))
    } else {
        Err("expected a number from 0 to 2, or none".to_owned())
    }
}

/// A sum of US dollars.
pub(super) fn usd(text: &str) -> Result<f64, String> {
    let sum: Option<f64> = text.parse().ok();
    let sum = sum.filter(|sum| sum.is_finite() && *sum >= 0.0);
    sum.ok_or_else(|| "expected US dollars such as 0.50 or 10".to_owned())
}

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    let done = match &args.what {
        Some(What::Load(args)) => load::run(args, config),
        Some(What::Analyze(args)) => results::analyze(args),
        Some(What::Compare(args)) => results::beside(args),
        Some(What::Charts(args)) => charts::run(args),
        Some(What::Schema(args)) => {
            output::print(match args.of {
                ResultFile::Bench => JSON_SCHEMA,
                ResultFile::Load => crate::active::load::result::JSON_SCHEMA,
            });
            Ok(ExitCode::SUCCESS)
        }
        None => bench(&args.run, config),
    };
    done.unwrap_or_else(Stop::exit)
}

fn bench(args: &RunArgs, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let path = sources::config_path(config);
    let loaded = sources::load(path.as_deref()).map_err(Stop::Config)?;
    let settings = &loaded.settings;
    let clock = Clock::system();
    let plan = plan(args, settings, &clock)?;
    can_write(args.output.as_deref())?;
    // What cannot be read is known before anything is asked.
    let baseline = args.compare.as_deref().map(results::read_all);
    let baseline = baseline.transpose()?;
    let cap = PicoDollars((args.max_cost.max(0.0) * 1e12) as u64);
    let mut worst = ExitCode::SUCCESS;
    let mut runs: Vec<Finished> = Vec::new();
    let mut files = Vec::new();
    let mut spent = 0;
    for turn in 0..args.repeat.max(1) {
        let mut plan = plan.clone();
        if args.repeat > 1 {
            plan.run = Name::from(format!("{}-{}", plan.run, turn + 1));
            // Asked again, the same prompts would find the providers' caches warm.
            plan.seed = if turn == 0 {
                plan.seed
            } else {
                mixed(plan.seed, u64::from(turn))
            };
        }
        let folder = args.out.join(plan.run.as_str());
        let run = Run {
            settings,
            plan: &plan,
            folder: &folder,
            cost_max: PicoDollars(cap.0.saturating_sub(spent)),
            location: args.location.clone(),
            patience: args.timeout,
            surroundings: Admin::of(settings).around(),
        };
        if turn == 0 {
            announce(&run, args.repeat, cap, &clock)?;
            if args.dry_run {
                return Ok(ExitCode::SUCCESS);
            }
        }
        let outcome = one(&run)?;
        let costs = outcome.all.iter().filter_map(|of| of.record.cost);
        spent += costs.map(|cost| cost.0).sum::<u64>();
        let finished = bench_papers::read(&outcome.file).map_err(Stop::Config)?;
        bench_papers::csv(&finished, &folder, &clock).map_err(Stop::Config)?;
        if told_unanswered(&finished.unanswered()) {
            worst = ExitCode::from(1);
        }
        runs.push(finished);
        let ended = outcome.ended;
        files.push(outcome.file);
        if ended != Ended::Complete {
            output::note(&format!(
                "the run ended early ({}): what was measured is kept; `--run {} --seed {} --out {}` goes on",
                ended.name(),
                plan.run,
                plan.seed,
                args.out.display()
            ));
            worst = ExitCode::from(1);
            break;
        }
    }
    let Some(last) = files.last() else {
        return Ok(worst);
    };
    output::note(&format!("results: {}", last.display()));
    if args.json {
        output::print(&files_of(&files, args.repeat)?);
        return Ok(worst);
    }
    let mut papers =
        bench_papers::papers(&runs, &Known::of(Some(settings)), &clock).map_err(Stop::Config)?;
    let mut fails = false;
    if let Some((name, baseline)) = args.compare.as_deref().zip(baseline) {
        let sides = [name.display().to_string(), "this run".to_owned()];
        let compared = bench_papers::side_by_side(&baseline, &runs, &sides, &clock);
        fails = results::fails(&compared, "the baseline", args.fail_on_regression);
        papers.push(compared);
    }
    let text = render::paper::write_all(&papers, args.format.format());
    hand_over(args.output.as_deref(), &text)?;
    Ok(if fails { ExitCode::from(1) } else { worst })
}

/// The files of the runs as they stand on the disk; of several runs (`--repeat`) one list of them.
fn files_of(files: &[PathBuf], repeat: u32) -> Result<String, Stop> {
    let texts: Vec<String> = files
        .iter()
        .map(std::fs::read_to_string)
        .collect::<Result<_, _>>()
        .map_err(|error| Stop::Runtime(format!("cannot read the result: {error}")))?;
    Ok(if repeat > 1 {
        let texts: Vec<&str> = texts.iter().map(|text| text.trim_end()).collect();
        format!("[\n{}\n]\n", texts.join(",\n"))
    } else {
        texts.concat()
    })
}

/// Says which routes answered nothing, and whether there are any.
pub(super) fn told_unanswered(unanswered: &[String]) -> bool {
    for route in unanswered {
        output::note(&format!(
            "nothing was measured of {route}: every request failed"
        ));
    }
    !unanswered.is_empty()
}

/// Says what will be asked and what it may cost; a run that may cost too much does not begin.
fn announce(run: &Run<'_>, repeat: u32, cap: PicoDollars, clock: &Clock) -> Result<(), Stop> {
    let estimate = run.estimate(clock);
    let times = u64::from(repeat.max(1));
    let routes: Vec<String> = run
        .plan
        .targets
        .iter()
        .map(|of| of.route.to_string())
        .collect();
    output::note(&format!(
        "run {}, seed {}: {} requests to {}",
        run.plan.run,
        run.plan.seed,
        estimate.requests * times,
        routes.join(", ")
    ));
    let most = estimate.cost.as_dollars() * times as f64;
    output::note(&format!(
        "at most {} by today's prices; cap ${}",
        dollars(most),
        sum(cap.as_dollars())
    ));
    if !estimate.unpriced.is_empty() {
        let names: Vec<&str> = estimate.unpriced.iter().map(Name::as_str).collect();
        output::note(&format!(
            "no price is known for {}: what they cost is neither in this nor under the cap",
            names.join(", ")
        ));
    }
    if most > cap.as_dollars() {
        return Err(Stop::Usage(format!(
            "it may cost ${most:.4}, which is over --max-cost {}: raise it, or ask less",
            sum(cap.as_dollars())
        )));
    }
    Ok(())
}

fn one(run: &Run<'_>) -> Result<Outcome, Stop> {
    let bar = std::io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} tasks, {eta} left");
        style.map_or(bar.clone(), |style| bar.with_style(style))
    });
    let mut progress = |done: usize, of: usize| {
        if let Some(bar) = &bar {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        }
    };
    let outcome = run.run(&mut progress, &|text| output::note(text));
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    outcome.map_err(Stop::Config)
}

fn plan(args: &RunArgs, settings: &Settings, clock: &Clock) -> Result<Plan, Stop> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let run = run_name(args.run.as_deref(), seed, clock.wall()).map_err(Stop::Usage)?;
    let wish = Wish {
        models: args.models.clone(),
        providers: args.providers.clone(),
        regions: args.regions.clone(),
        iterations: args.iterations,
        pairs: args.pairs,
        reference: args.reference.clone(),
        warm_ups: args.warm_ups,
        max_tokens: args.max_tokens,
        prompt_tokens: args.prompt_tokens,
        sweep_tokens: args.sweep_tokens.clone(),
        json_mode: args.json_mode,
        cache_turns: args.cache_turns,
        cold: args.cold.map(|cold| match cold {
            ColdArg::All => Cold::All,
            ColdArg::Both => Cold::Both,
        }),
        min_tokens: args.min_tokens,
        temperature: args.temperature.0,
        pool: Some(pool(args.prompts.as_deref())?),
        lengths: lengths(args, settings, clock)?,
    };
    wish.plan(settings, run, seed).map_err(Stop::Usage)
}

/// Lengths of recorded prompts, where they are asked for.
fn lengths(args: &RunArgs, settings: &Settings, clock: &Clock) -> Result<Vec<u64>, Stop> {
    let trace = args
        .of_store
        .trace(args.trace.as_deref(), settings, clock)?;
    let sizes = trace.map(|trace| trace.sizes).unwrap_or_default();
    Ok(sizes.iter().map(|size| size.input_tokens).collect())
}

fn pool(path: Option<&Path>) -> Result<Pool, Stop> {
    let Some(path) = path else {
        return Ok(Pool::shipped());
    };
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Stop::Usage(format!("cannot read {name}: {error}")))?;
    Pool::of_lines(&text).ok_or_else(|| Stop::Usage(format!("{name} holds no prompt")))
}
