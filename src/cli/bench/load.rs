//! `tollgate bench load`: sends by a schedule or for users at once, and says what routes bear.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::results::read_loads;
use super::traced::OfStore;
use super::turns::{Told, Turn, one, report, turn_of};
use super::{Temperature, pool, temperature, tokens, usd};
use crate::active::load::estimate::{Searching, searching};
use crate::active::load::{Plan, Wish, paper};
use crate::active::named::run_name;
use crate::analysis::render::units::{self, dollars, sum};
use crate::app::load::Run;
use crate::app::{AppFault, sources};
use crate::cli::admin::Admin;
use crate::cli::output;
use crate::cli::report::{Shape, can_write};
use crate::cli::stored::Stop;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::config::{duration, workload};
use crate::record::{Nanos, PicoDollars};
use crate::workload::spec::{Demand, Workload};
use crate::workload::sweep::Rule;

/// Load routes by a schedule or by users at once: what do they bear at a level of service?
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tollgate bench load --models gpt-4.1-mini --workload chat.yaml\n  \
    tollgate bench load --models gpt-4.1-mini --rate 5 --duration 2m --sla 2s\n  \
    tollgate bench load --models gpt-4.1-mini --users 50 --think 3s\n  \
    tollgate bench load --models gpt-4.1-mini --sweep --sla 2s --max 64\n  \
    tollgate bench load --models gpt-4.1-mini --rate 5 --repeat 3 --compare results/monday\n  \
    tollgate bench load --models llama-3.1-8b --trace AzureLLMInferenceTrace_conv.csv --duration 5m\n  \
    tollgate bench load --models gpt-4.1-mini --trace store --since 2h --trace-models gpt-4.1\n\n\
    Latency counts from the moment at which a request was to be sent; how late requests were sent\n\
    is part of the result, and a run whose generator was too late (99th percentile over 10 ms, or\n\
    over 2 % of the median first token, 1 ms at least) is void: exit code 1.\n\n\
    --sweep: the load doubles from --start while the level holds. A load holds when the 95 %\n\
    interval of the share served within --sla, failures counted as not served, lies wholly at or\n\
    over --within, and the interval of the error share not wholly over --max-errors, and latency\n\
    does not rise all through the step, as it does while a queue grows. A load that does not hold is\n\
    tried again; found so twice (of three where the findings differ) it is missed. Then the middle\n\
    between the highest that held and the lowest that missed is tried, until the two are within\n\
    --resolution; what would be the answer must hold twice. Steps are lengthened until they can show\n\
    it (users as soon as enough of them were answered), and last twice as long where a load that was\n\
    not refuted is tried again. How long the search takes at least is said first.\n\n\
    A workload file is YAML, JSON or TOML; the one that is used without --workload is in\n\
    config/workloads/chat.yaml of the source. A trace is CSV with TIMESTAMP, ContextTokens and\n\
    GeneratedTokens (or Timestamp, Request tokens, Response tokens), a JSON object a line with\n\
    timestamp (ms), input_length and output_length, or what `tollgate export` writes.\n\
    --trace store takes when recorded requests came and how long they and their answers were (the\n\
    store holds no text of them); the last 24 hours of live traffic unless told otherwise. What was\n\
    sent is kept beside the results as trace.jsonl.\n\n\
    What it may cost is shown first; nothing is sent that might pass --max-cost by that, or by what\n\
    answers cost so far (those at work when the first dear one comes are not foreseen). Ctrl-C keeps what was measured.\n\
    Results: exchanges.jsonl as they come, load.json (schema tollgate.load/1), load.csv (a row a step)\n\
    and pivot.csv (answers per second and the rest by model and region) at the end.")]
pub(super) struct Args {
    /// Models, comma-separated, as applications ask for them; each route is measured on its own
    #[arg(long, value_delimiter = ',', required = true, value_name = "MODELS")]
    models: Vec<String>,
    /// Only these providers; every configured one that serves the model otherwise
    #[arg(long, value_delimiter = ',', value_name = "PROVIDERS")]
    providers: Vec<String>,
    /// Only providers of these regions
    #[arg(long, value_delimiter = ',', value_name = "REGIONS")]
    regions: Vec<String>,
    /// The load as a file: lengths, level of service, users or rate, phases
    #[arg(long, value_name = "FILE")]
    workload: Option<PathBuf>,
    /// Open loop: requests per second, whatever becomes of those before
    #[arg(long, value_name = "N", conflicts_with_all = ["users", "trace"], value_parser = positive)]
    rate: Option<f64>,
    /// Send evenly, instead of by chance as independent users come
    #[arg(long, conflicts_with_all = ["users", "trace"])]
    constant: bool,
    /// Closed loop: users at once, each with one request at a time
    #[arg(long, value_name = "N", conflicts_with = "trace", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    users: Option<u32>,
    /// How long a user thinks between an answer and the next request
    #[arg(long, value_name = "SPAN", conflicts_with_all = ["rate", "trace"], value_parser = span)]
    think: Option<Duration>,
    /// Send as recorded: the moments and the lengths of a trace's file, or of this machine's own
    /// traffic in the store (`store`)
    #[arg(long, value_name = "FILE|store", conflicts_with = "sweep")]
    trace: Option<PathBuf>,
    #[command(flatten)]
    of_store: OfStore,
    /// Send the trace so many times as fast
    #[arg(long, value_name = "N", default_value_t = 1.0, requires = "trace", conflicts_with_all = ["rate", "users", "sweep"], value_parser = positive)]
    speed: f64,
    /// From nothing to the full load; not measured
    #[arg(long, value_name = "SPAN", value_parser = span)]
    ramp: Option<Duration>,
    /// At the full load; what is measured
    #[arg(long, value_name = "SPAN", value_parser = span)]
    duration: Option<Duration>,
    /// At the full load after it; not measured
    #[arg(long, value_name = "SPAN", value_parser = span)]
    cool: Option<Duration>,
    /// Requests before, that open connections; not measured
    #[arg(long, value_name = "N")]
    warm_ups: Option<u32>,
    /// Served: the last token comes within this time of the intended start
    #[arg(long, value_name = "SPAN", value_parser = span)]
    sla: Option<Duration>,
    /// Served: the first token comes within this time of the intended start
    #[arg(long, value_name = "SPAN", value_parser = span)]
    first_token_sla: Option<Duration>,
    /// The share of requests that must be served so
    #[arg(long, value_name = "SHARE", value_parser = within)]
    within: Option<f64>,
    /// The share of requests that may fail
    #[arg(long, value_name = "SHARE", value_parser = share)]
    max_errors: Option<f64>,
    /// Search the highest load at which the level holds: see below
    #[arg(long)]
    sweep: bool,
    /// The load that a search begins with; the workload's own otherwise
    #[arg(long, value_name = "N", requires = "sweep", conflicts_with = "trace", value_parser = positive)]
    start: Option<f64>,
    /// No load over it is tried; 64 times the first otherwise
    #[arg(long, value_name = "N", requires = "sweep", conflicts_with = "trace", value_parser = positive)]
    max: Option<f64>,
    /// How near a search comes to the truth, as a share of the load
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, requires = "sweep", conflicts_with = "trace", value_parser = share)]
    resolution: f64,
    /// Prompts of about so many tokens, instead of the workload's lengths
    #[arg(long, value_name = "N", value_parser = tokens())]
    prompt_tokens: Option<u64>,
    /// Answers of at most so many tokens, instead of the workload's lengths
    #[arg(long, value_name = "N", value_parser = tokens())]
    max_tokens: Option<u64>,
    /// Requests per minute that the provider allows; what its headers say otherwise
    #[arg(long, value_name = "N")]
    rpm_limit: Option<u64>,
    /// Tokens per minute that the provider allows; what its headers say otherwise
    #[arg(long, value_name = "N")]
    tpm_limit: Option<u64>,
    /// A request that is not answered by then has failed
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = span)]
    timeout: Duration,
    /// Requests at once of an open loop, at most: those beyond are not sent, and have failed
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    max_in_flight: usize,
    /// Threads that carry the requests; half of the processor's cores otherwise
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Temperature; `none` sends none, as models that reason want it
    #[arg(long, default_value = "none", value_name = "T", value_parser = temperature)]
    temperature: Temperature,
    /// A file of prompts, one per line; 25 topics of computing and engineering otherwise
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// Seed of prompts, lengths and arrivals; drawn and printed otherwise
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// The run's name; the date and the seed otherwise
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// Run it so often, one after the other, to see how runs differ
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
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
    /// How the report is written
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
    /// Write the report there; stdout otherwise
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Compare with this result: the file or the folder of an earlier load
    #[arg(long, value_name = "BASELINE", conflicts_with = "json")]
    compare: Option<PathBuf>,
    /// Exit with 1 where anything is worse than in --compare, surely and by more than the margin, or
    /// nothing could be compared
    #[arg(long, requires = "compare")]
    fail_on_regression: bool,
    /// Print the result file to stdout instead of the report; with --repeat the list of them
    #[arg(long, conflicts_with_all = ["format", "output"])]
    json: bool,
    /// Show what would be sent and what it may cost, and send nothing
    #[arg(long)]
    dry_run: bool,
}

fn span(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| "expected a span such as 500ms, 30s or 5m".to_owned())
}

fn positive(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    let number = number.filter(|number| *number > 0.0 && *number <= 1e6);
    number.ok_or_else(|| "expected a number over zero, a million at most".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let share: Option<f64> = text.parse().ok();
    let share = share.filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a share between 0 and 1, such as 0.01".to_owned())
}

fn within(text: &str) -> Result<f64, String> {
    let share = share(text)?;
    let fits = (0.5..1.0).contains(&share);
    fits.then_some(share)
        .ok_or_else(|| "expected a share from 0.5 to under 1, such as 0.95".to_owned())
}

pub(super) fn run(args: &Args, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let path = sources::config_path(config);
    let loaded = sources::load(path.as_deref()).map_err(Stop::Config)?;
    let settings = &loaded.settings;
    let clock = Clock::system();
    let plan = plan(args, settings, &clock)?;
    can_write(args.output.as_deref())?;
    // What cannot be read is known before anything is sent.
    let baseline = args.compare.as_deref().map(read_loads).transpose()?;
    let cap = PicoDollars((args.max_cost.max(0.0) * 1e12) as u64);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut turns: Vec<Turn> = Vec::new();
    for turn in 0..args.repeat {
        let plan = turn_of(&plan, turn, args.repeat);
        let folder = args.out.join(plan.run.as_str());
        let spent: u64 = turns.iter().map(|turn| turn.outcome.spent.0).sum();
        let run = Run {
            settings,
            plan: &plan,
            folder: &folder,
            cost_max: PicoDollars(cap.0.saturating_sub(spent)),
            requests_max: None,
            workers: args.workers.unwrap_or(cores / 2).max(1),
            location: args.location.clone(),
            surroundings: Admin::of(settings).around(),
        };
        if turn == 0 {
            announce(&run, args.repeat, cap, &clock)?;
            if args.dry_run {
                return Ok(ExitCode::SUCCESS);
            }
        } else {
            output::note(&format!("run {}, seed {}", plan.run, plan.seed));
        }
        let done = one(&run)?;
        let whole = done.is_whole();
        turns.push(done);
        if !whole {
            break;
        }
    }
    let told = Told {
        as_files: args.json,
        repeat: args.repeat,
        baseline: args.compare.as_deref().zip(baseline.as_deref()),
        is_gate: args.fail_on_regression,
        format: args.format.format(),
        output: args.output.as_deref(),
    };
    let worse = report(&turns, &told, &clock)?;
    let code = turns.iter().map(Turn::code).max().unwrap_or(0);
    Ok(ExitCode::from(code.max(u8::from(worse))))
}

/// Says what will be sent and what it may cost; what is known to cost too much does not begin.
fn announce(run: &Run<'_>, repeat: u32, cap: PicoDollars, clock: &Clock) -> Result<(), Stop> {
    let estimate = run.estimate(clock);
    let (plan, times) = (run.plan, u64::from(repeat));
    let routes: Vec<String> = plan.targets.iter().map(|of| of.route.to_string()).collect();
    let (cost, cap) = (
        estimate.cost.as_dollars() * f64::from(repeat),
        cap.as_dollars(),
    );
    let step = plan.step(0, plan.search.as_ref().map(Rule::first));
    let users = matches!(step.demand, Demand::Users { .. });
    let about = match (users, estimate.open) {
        // The sooner they are answered, the more they ask.
        (true, _) => "at least ",
        (false, true) => "about ",
        (false, false) => "",
    };
    output::note(&format!(
        "run {}, seed {}: {} to {}, {}",
        plan.run,
        plan.seed,
        step.label(),
        routes.join(", "),
        paper::level(plan)
    ));
    let more = if plan.search.is_some() {
        " in the first steps; further ones follow while the cap allows"
    } else {
        ""
    };
    let runs = if repeat > 1 {
        format!(", of {repeat} runs")
    } else {
        String::new()
    };
    output::note(&format!(
        "{about}{} requests, {about}{} by today's prices{more}{runs}; cap ${}",
        estimate.requests.saturating_mul(times),
        dollars(cost),
        sum(cap)
    ));
    if let Some(of) = searching(plan) {
        output::note(&format!(
            "the search takes {}",
            lasts(&of, plan.targets.len())
        ));
    }
    if !estimate.unpriced.is_empty() {
        output::note(&format!(
            "no price is known for {}: what they cost is neither in this nor under the cap",
            estimate.unpriced.join(", ")
        ));
    }
    if estimate.cost.0 == u64::MAX {
        let least = "it may cost more than $18 million, which no cap can count: send less";
        return Err(Stop::Usage(least.to_owned()));
    }
    if cost > cap {
        return Err(Stop::Usage(format!(
            "it may cost ${cost:.4}, which is over --max-cost {}: raise it, or send less",
            sum(cap)
        )));
    }
    Ok(())
}

/// How long a search takes, in words.
fn lasts(of: &Searching, routes: usize) -> String {
    let span = |span: Nanos| units::span(span.0 as f64);
    let (shortest, longest) = of.first;
    let first = if shortest == longest {
        span(longest)
    } else {
        format!("{} to {}", span(shortest), span(longest))
    };
    let each = if routes > 1 { " for each route" } else { "" };
    format!(
        "{} or more steps{each}, the first of {first}: at least {} in all",
        of.steps,
        span(of.least)
    )
}

fn plan(args: &Args, settings: &Settings, clock: &Clock) -> Result<Plan, Stop> {
    let trace = args
        .of_store
        .trace(args.trace.as_deref(), settings, clock)?;
    let wish = Wish {
        models: args.models.clone(),
        providers: args.providers.clone(),
        regions: args.regions.clone(),
        rate: args.rate,
        constant: args.constant,
        users: args.users,
        think: args.think,
        trace: trace.map(|trace| trace.faster(args.speed)),
        ramp: args.ramp,
        duration: args.duration,
        cool: args.cool,
        warm_ups: args.warm_ups,
        sla: args.sla,
        first_token_sla: args.first_token_sla,
        within: args.within,
        max_errors: args.max_errors,
        sweep: args.sweep,
        start: args.start,
        max: args.max,
        resolution: args.resolution,
        prompt_tokens: args.prompt_tokens,
        max_tokens: args.max_tokens,
        rpm_limit: args.rpm_limit,
        tpm_limit: args.tpm_limit,
        timeout: Some(args.timeout),
        max_in_flight: args.max_in_flight,
        temperature: args.temperature.0,
        pool: Some(pool(args.prompts.as_deref())?),
    };
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let run = run_name(args.run.as_deref(), seed, clock.wall()).map_err(Stop::Usage)?;
    let load = load(args.workload.as_deref())?;
    wish.plan(load, settings, run, seed).map_err(Stop::Usage)
}

/// The load of a file, or the shipped one.
fn load(path: Option<&Path>) -> Result<Workload, Stop> {
    let (text, name) = match path {
        None => (workload::CHAT.to_owned(), "chat.yaml".to_owned()),
        Some(path) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|error| Stop::Usage(format!("cannot read {name}: {error}")))?;
            (text, name)
        }
    };
    workload::read(&text, &name).map_err(|problems| {
        let count = problems.list.len();
        let many = if count == 1 { "problem" } else { "problems" };
        let text = format!("{problems}\n{count} {many} in the workload; nothing was sent");
        Stop::Config(AppFault::Usage(text))
    })
}
