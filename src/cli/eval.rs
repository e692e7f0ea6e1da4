//! `tollgate eval`: asks routes the items of a data set, and says what the answers are worth.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::admin::Admin;
use super::bench::{Temperature, temperature, usd};
use super::output;
use super::report::{Shape, can_write, hand_over};
use super::stored::Stop;
use crate::active::eval::scorers::How;
use crate::active::eval::{Plan, Wish};
use crate::active::named::run_name;
use crate::analysis::render;
use crate::analysis::render::units::{dollars, sum};
use crate::app::eval::{Outcome, Run, Stored, is_complete};
use crate::app::sources;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::record::{Name, PicoDollars};
use crate::ui::scores;

/// Ask routes the items of a data set, and score the answers
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tollgate eval set.jsonl --models gpt-4.1-mini,claude-haiku-4-5 --scorer normalised\n  \
    tollgate eval set.jsonl --models llama-3.1-8b --providers together,fireworks --trials 3 \\\n    \
    --prompt ask.txt --scorer judge:gpt-4.1 --group-by topic --format html --output eval.html\n  \
    tollgate eval set.jsonl --models m --scorers scorers.toml --keep-answers answers\n\n\
    A line of the data set: {\"input\": …, \"expected\": …, \"metadata\": {…}, \"id\": \"…\"}; the input\n\
    is a text, a list of messages, or named fields that --prompt puts ({{input.question}}).\n\n\
    Scorers: exact, normalised, numeric[:TOLERANCE], regex[:PATTERN], json-schema[:FILE],\n\
    json-field:PATH, tool-call, choice, judge:MODEL, command:PROGRAM; with all that they can be\n\
    told in a file (--scorers). Without a pattern or schema the item's `expected` is it.\n\n\
    What it may cost is shown first; nothing is sent that might pass --max-cost by that, or by what\n\
    answers cost so far (those at work when the first dear one comes are not foreseen). Ctrl-C keeps what was\n\
    measured; the same command with --run and --seed goes on where it ended. Neither store nor\n\
    results hold a prompt or an answer; --keep-answers writes answers into a folder of yours.\n\
    Scores in the store can be asked of routes: `min_score` in [models].")]
pub(super) struct Args {
    /// The data set: JSONL, one item a line
    #[arg(value_name = "FILE")]
    set: PathBuf,
    /// Models, comma-separated, as applications ask for them
    #[arg(long, value_delimiter = ',', required = true, value_name = "MODELS")]
    models: Vec<String>,
    /// Only these providers; every configured one that serves the model otherwise
    #[arg(long, value_delimiter = ',', value_name = "PROVIDERS")]
    providers: Vec<String>,
    /// Only providers of these regions
    #[arg(long, value_delimiter = ',', value_name = "REGIONS")]
    regions: Vec<String>,
    /// A scorer; may be given several times
    #[arg(long, value_name = "SCORER")]
    scorer: Vec<String>,
    /// A TOML file of scorers, one table each
    #[arg(long, value_name = "FILE")]
    scorers: Option<PathBuf>,
    /// A file with the prompt, fields in {{ }}; the item's input itself otherwise
    #[arg(long, value_name = "FILE")]
    prompt: Option<PathBuf>,
    /// A file with the system prompt
    #[arg(long, value_name = "FILE")]
    system: Option<PathBuf>,
    /// A JSON file with the tools that are offered, as OpenAI chat takes them
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
    /// How often each item is asked
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    trials: u32,
    /// Requests to one route at a time
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    concurrency: u32,
    /// Tokens of an answer, at most
    #[arg(long, default_value_t = 2048, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_tokens: u64,
    /// Temperature; `none` sends none, as models that reason want it
    #[arg(long, default_value = "0", value_name = "T", value_parser = temperature)]
    temperature: Temperature,
    /// Scores by the values of these metadata fields too
    #[arg(long, value_delimiter = ',', value_name = "FIELDS")]
    group_by: Vec<String>,
    /// Seed of the orders; drawn and printed otherwise
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// The run's name; the date and the seed otherwise
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// US dollars that it may cost, judges included
    #[arg(long, default_value_t = 1.0, value_name = "USD", value_parser = usd)]
    max_cost: f64,
    /// Where this machine is, for the result
    #[arg(long, value_name = "TEXT")]
    location: Option<String>,
    /// Folder of results: one folder a run in it
    #[arg(long, default_value = "results", value_name = "DIR")]
    out: PathBuf,
    /// Write answers and rationales into a folder of yours, readable by you only
    #[arg(long, value_name = "DIR")]
    keep_answers: Option<PathBuf>,
    /// How the report is written
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
    /// Write the report there; stdout otherwise
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the result file to stdout instead of the report
    #[arg(long, conflicts_with_all = ["format", "output"])]
    json: bool,
    /// Show what would be asked and what it may cost, and ask nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    eval(args, config).unwrap_or_else(Stop::exit)
}

fn eval(args: &Args, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let path = sources::config_path(config);
    let loaded = sources::load(path.as_deref()).map_err(Stop::Config)?;
    let settings = &loaded.settings;
    let clock = Clock::system();
    let plan = Arc::new(plan(args, settings, &clock)?);
    let folder = args.out.join(plan.run.as_str());
    let run = Run {
        settings,
        plan: Arc::clone(&plan),
        folder: &folder,
        cost_max: PicoDollars((args.max_cost.max(0.0) * 1e12) as u64),
        location: args.location.clone(),
        keep: args.keep_answers.as_deref(),
        surroundings: Admin::of(settings).around(),
    };
    can_write(args.output.as_deref())?;
    announce(&run, &clock)?;
    if args.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    let outcome = one(&run)?;
    if let Some(fault) = &outcome.fault {
        output::note(&format!(
            "tollgate: {fault}; what was measured before is in the report below"
        ));
    }
    if !is_complete(&outcome) {
        output::note(&format!(
            "the run ended early ({}): what was measured is kept; the same with `--run {} --seed {} --out {}` goes on",
            outcome.end,
            plan.run,
            plan.seed,
            args.out.display()
        ));
    }
    if let Some(file) = &outcome.file {
        output::note(&format!("results: {}", file.display()));
    }
    if !outcome.scores.is_empty() {
        told_unstored(settings, &outcome);
    }
    report(args, &outcome)?;
    if let Some(why) = &outcome.unscored {
        output::note(&format!("tollgate: {why}"));
    }
    let well = is_complete(&outcome) && outcome.unscored.is_none();
    Ok(match (&outcome.fault, well) {
        (Some(_), _) => ExitCode::from(3),
        (None, false) => ExitCode::from(1),
        (None, true) => ExitCode::SUCCESS,
    })
}

/// Sees to scores that the store has not, and says where they are.
fn told_unstored(settings: &Settings, outcome: &Outcome) {
    let why = match &outcome.stored {
        Stored::Yes => return,
        Stored::InUse => match hand_to_server(settings, outcome) {
            Ok(()) => return,
            Err(why) => format!("the store is in use, and {why}"),
        },
        Stored::No(why) => why.clone(),
    };
    output::note(&format!(
        "the scores are in the results only, and unknown to `min_score`: {why}"
    ));
}

/// Has the program that holds the store keep the scores: its routing knows them from then on.
fn hand_to_server(settings: &Settings, outcome: &Outcome) -> Result<(), String> {
    let scores: Vec<Value> = outcome.scores.iter().map(scores::sent).collect();
    let body = json!({ "scores": scores }).to_string();
    Admin::of(settings).hand("/api/scores", ("application/json", body.as_bytes()))
}

fn report(args: &Args, outcome: &Outcome) -> Result<(), Stop> {
    match &outcome.file {
        Some(file) if args.json => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| Stop::Runtime(format!("cannot read the result: {error}")))?;
            output::print(&text);
            Ok(())
        }
        _ => {
            let text = render::paper::write(&outcome.paper, args.format.format());
            hand_over(args.output.as_deref(), &text)
        }
    }
}

/// Says what will be asked and what it may cost; a run that may cost too much does not begin.
fn announce(run: &Run<'_>, clock: &Clock) -> Result<(), Stop> {
    let costs = run.costs(clock).whole;
    let plan = &run.plan;
    let routes: Vec<String> = plan.targets.iter().map(|of| of.route.to_string()).collect();
    output::note(&format!(
        "run {}, seed {}: {} items of {}, {} times, to {}; {} requests with those to judges",
        plan.run,
        plan.seed,
        plan.items.len(),
        plan.set,
        plan.trials,
        routes.join(", "),
        costs.requests
    ));
    let (most, cap) = (costs.cost.as_dollars(), run.cost_max.as_dollars());
    output::note(&format!(
        "at most {} by today's prices; cap ${}",
        dollars(most),
        sum(cap)
    ));
    if !costs.unpriced.is_empty() {
        let names: Vec<&str> = costs.unpriced.iter().map(Name::as_str).collect();
        output::note(&format!(
            "no price is known for {}: what they cost is neither in this nor under the cap",
            names.join(", ")
        ));
    }
    if most > cap {
        return Err(Stop::Usage(format!(
            "it may cost ${most:.4}, which is over --max-cost {}: raise it, or ask less",
            sum(cap)
        )));
    }
    Ok(())
}

fn one(run: &Run<'_>) -> Result<Outcome, Stop> {
    let bar = std::io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} answers, {eta} left");
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

fn plan(args: &Args, settings: &Settings, clock: &Clock) -> Result<Plan, Stop> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let run = run_name(args.run.as_deref(), seed, clock.wall()).map_err(Stop::Usage)?;
    let wish = Wish {
        set: args.set.clone(),
        models: args.models.clone(),
        providers: args.providers.clone(),
        regions: args.regions.clone(),
        scorer: args.scorer.clone(),
        scorers: args.scorers.clone(),
        prompt: args.prompt.clone(),
        system: args.system.clone(),
        tools: args.tools.clone(),
        trials: args.trials,
        concurrency: args.concurrency,
        max_tokens: args.max_tokens,
        temperature: args.temperature.0,
        group_by: args.group_by.clone(),
    };
    let plan = wish.plan(settings, &read, run, seed).map_err(Stop::Usage)?;
    for scorer in &plan.scorers {
        if let How::Command(command) = &scorer.how {
            let named = |why| Stop::Usage(format!("scorer {}: {why}", scorer.name));
            command.check().map_err(named)?;
        }
    }
    Ok(plan)
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))
}
