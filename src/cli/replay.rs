//! `tollgate replay`: what another policy would have done, in simulated worlds or on recorded
//! traffic.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::output;
use super::stored::{OriginArgs, Progress, Stop, StoreArgs, WindowArgs};
use crate::analysis::render::units::NOTHING;
use crate::analysis::replay::{
    Configured, Entrant, Kind, Line, Logged, Recording, Request, SimulatedSpec, Sizes, Snips,
    Standings, Terms, Trace, World, by_lot, read_trace, simulate, snips, tournament,
};
use crate::clock::Clock;
use crate::config::settings::{RouteSettings, Settings};
use crate::record::{Moment, Name, Nanos, WallTime};
use crate::routing::policy::{By, Policy};
use crate::routing::pricing::{Asked, Quote, Tier};
use crate::routing::route::RouteKey;
use crate::statistics::interval::{Estimate, Interval};

/// What another policy would have done: on the recorded traffic, on a trace, or in simulated worlds
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tollgate replay --policy fastest --world base\n  \
    tollgate replay --policy cheapest_within_slo --limit-ms 1000 --world base --every 20\n  \
    tollgate replay --policy fastest --policy cheapest --model gpt-4.1 --since 7d\n  \
    tollgate replay --policy fastest --trace azure_conv.csv\n\n\
    Regret is the expected time to the first token above the oracle's, who knows every route's\n\
    expectation; a failure counts as 8 s, and keeps no SLO. Without --world, worlds are made of recorded residuals, drawn hour by hour, and\n\
    what was explored is weighed by its recorded chances beside them. Intervals are Student's,\n\
    over worlds; one world has none."
)]
pub(super) struct Args {
    /// Policies to judge; the first is what the others are compared with
    #[arg(long = "policy", value_name = "POLICY", default_value = "fastest")]
    policies: Vec<String>,
    /// Simulated worlds of this kind, in place of recorded traffic
    #[arg(long, value_enum)]
    world: Option<WorldKind>,
    /// Seconds between two requests of a simulated world, in the mean
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0)]
    every: f64,
    /// Requests of a simulated world
    #[arg(long, default_value_t = 3_000)]
    requests: usize,
    /// A trace whose arrivals and sizes are played: CSV as Azure's, or JSON lines as Mooncake's
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Worlds to play, each with a seed of its own
    #[arg(long, default_value_t = 30)]
    worlds: u64,
    /// Seed of the first world
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The limit on the first token that attainment is counted by, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    limit_ms: u64,
    /// How surely the policy for an SLO is to keep it
    #[arg(long, default_value_t = 0.9)]
    probability: f64,
    /// What a second of waiting is worth to `balanced`, in US dollars
    #[arg(long, default_value_t = 0.001)]
    dollars_per_second: f64,
    /// The model whose recorded exchanges are played; needed where several were asked for
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    #[command(flatten)]
    origin: OriginArgs,
    #[command(flatten)]
    window: WindowArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// How it is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum WorldKind {
    /// Incidents every three hours, of fifteen minutes
    Base,
    /// The same, with routes nearly as fast as each other
    Close,
    /// Incidents every six hours, of an hour
    Long,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Table,
    Json,
}

/// Models named where there are too many.
const NAMED_MAX: usize = 8;

/// What was played, and on what.
struct Played {
    what: String,
    standings: Standings,
    /// Routes of which nobody knows what they charge.
    unpriced: Vec<String>,
    /// By policy, what the explored slice says, or why it says nothing.
    explored: Vec<(String, Result<Snips, String>)>,
}

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    match play(args, config) {
        Ok(played) => {
            output::print(&match args.format {
                Format::Table => table(&played, args),
                Format::Json => json(&played, args),
            });
            ExitCode::SUCCESS
        }
        Err(stop) => stop.exit(),
    }
}

fn play(args: &Args, config: Option<&Path>) -> Result<Played, Stop> {
    let entrants = entrants(args)?;
    check(args).map_err(|text| Stop::Usage(text.to_owned()))?;
    let trace = args.trace.as_deref().map(trace).transpose()?;
    let seeds = args.seed..args.seed + args.worlds;
    let simulated = args.world.or(trace.as_ref().map(|_| WorldKind::Base));
    if let Some(kind) = simulated {
        let kind = kind.kind();
        let world = |seed| simulate(&spec(args, kind, trace.as_ref(), seed));
        let rate = match &trace {
            Some(trace) => format!("{} requests of the trace", trace.rows.len()),
            None => format!("{} requests, one every {} s", args.requests, args.every),
        };
        return Ok(Played {
            what: format!("{} simulated worlds `{}`, {rate}", args.worlds, kind.name()),
            standings: judged(seeds.map(|seed| (seed, world(seed))), &entrants, args),
            unpriced: Vec::new(),
            explored: Vec::new(),
        });
    }
    recorded(args, config, &entrants)
}

/// What is wrong with the numbers asked for.
fn check(args: &Args) -> Result<(), &'static str> {
    let above_zero = |number: f64| number.is_finite() && number > 0.0;
    if args.worlds == 0 || args.requests == 0 || !above_zero(args.every) {
        return Err("--worlds, --requests and --every must be above 0");
    }
    if args.limit_ms == 0 {
        return Err("--limit-ms must be above 0");
    }
    if !(above_zero(args.probability) && args.probability < 1.0) {
        return Err("--probability must be a share between 0 and 1, such as 0.9");
    }
    if !above_zero(args.dollars_per_second) {
        return Err("--dollars-per-second must be above 0, such as 0.001");
    }
    Ok(())
}

fn recorded(args: &Args, config: Option<&Path>, entrants: &[Entrant]) -> Result<Played, Stop> {
    let clock = Clock::system();
    let window = args.window.window(&clock)?;
    let (reader, settings) = args.store.open(config)?;
    let mut progress = Progress::new("exchanges read:");
    let mut models: BTreeMap<Name, Vec<Logged>> = BTreeMap::new();
    reader.records(window.range(), |record| {
        progress.step();
        let asked = args.model.as_deref();
        let wanted = asked.is_none() || record.model.as_deref() == asked;
        if wanted && args.origin.origins().takes(record.origin) {
            let model = record.model.clone().unwrap_or_default();
            let logged = Logged::of(&record);
            models.entry(model).or_default().extend(logged);
        }
        ControlFlow::Continue(())
    })?;
    drop(progress);
    let (model, mut logged) = only(models)?;
    logged.sort_by_key(|of| of.at);
    by_lot(&mut logged);
    let configured = |route: &RouteKey| Configured {
        quote: quote(settings.as_ref(), route, clock.wall()),
        weight: weight(settings.as_ref(), &model, route),
    };
    let recording =
        Recording::new(&logged, configured).map_err(|why| Stop::Nothing(why.to_string()))?;
    let seeds = args.seed..args.seed + args.worlds;
    let worlds = seeds.map(|seed| (seed, recording.world(seed, None)));
    let explored = entrants.iter().filter_map(|entrant| match entrant {
        Entrant::Policy(name, policy) => {
            let found = snips(&logged, policy, configured, args.seed);
            Some((name.clone(), found.map_err(|why| why.to_string())))
        }
        _ => None,
    });
    Ok(Played {
        what: format!(
            "{} worlds of {} recorded exchanges on {} routes, residuals drawn by the hour",
            args.worlds,
            logged.len(),
            recording.routes().len()
        ),
        unpriced: recording
            .unpriced()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        explored: explored.collect(),
        standings: judged(worlds, entrants, args),
    })
}

/// The one model that was asked for, with its exchanges: no policy sends a request for one model to
/// the routes of another.
fn only(models: BTreeMap<Name, Vec<Logged>>) -> Result<(Name, Vec<Logged>), Stop> {
    let mut models: Vec<(Name, Vec<Logged>)> = models.into_iter().collect();
    models.retain(|(_, logged)| !logged.is_empty());
    if models.len() < 2 {
        return Ok(models.pop().unwrap_or_default());
    }
    models.sort_by_key(|(_, logged)| Reverse(logged.len()));
    let named: Vec<String> = models
        .iter()
        .take(NAMED_MAX)
        .map(|(model, logged)| format!("{model} ({})", logged.len()))
        .collect();
    let more = match models.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(Stop::Usage(format!(
        "{} models were asked for, and a request for one goes to no other's routes: say which with \
         --model: {}{more}",
        models.len(),
        named.join(", ")
    )))
}

fn judged(
    worlds: impl Iterator<Item = (u64, World)>,
    entrants: &[Entrant],
    args: &Args,
) -> Standings {
    let terms = Terms {
        limit: Nanos::from_millis(args.limit_ms),
        alpha: 0.05,
    };
    let mut progress = Progress::new("games played:");
    tournament(worlds, entrants, &terms, || progress.step())
}

fn spec(args: &Args, kind: Kind, trace: Option<&Trace>, seed: u64) -> SimulatedSpec {
    let arrivals = trace.map(|trace| {
        let request = |row: &crate::analysis::replay::TraceRow| Request {
            at: Moment((row.at_s * 1e9) as u64),
            prompt_tokens: row.prompt_tokens,
            output_tokens: row.output_tokens,
        };
        trace.rows.iter().map(request).collect()
    });
    SimulatedSpec {
        kind,
        requests: args.requests,
        every_s: args.every,
        seed,
        sizes: Sizes::AzureConversations,
        arrivals,
    }
}

fn trace(path: &Path) -> Result<Trace, Stop> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Stop::Usage(format!("cannot read {}: {error}", path.display())))?;
    read_trace(&text).map_err(|fault| Stop::Usage(format!("{}: {fault}", path.display())))
}

/// What a route charges for a thousand prompt tokens' call now, by the price table in force.
fn quote(settings: Option<&Settings>, route: &RouteKey, now: WallTime) -> Option<Quote> {
    let settings = settings?;
    let provider = settings.provider(&route.provider)?;
    let asked = Asked {
        provider: &provider.name,
        preset: provider.preset.as_deref(),
        model: route.model.as_deref()?,
        at: now,
        tier: Tier::Standard,
    };
    let row = settings.prices.find(&asked).ok()?;
    Quote::of(row, 1_000, now)
}

/// The weight of a route of `model` in the config; 1 where it is none of it.
fn weight(settings: Option<&Settings>, model: &Name, route: &RouteKey) -> f64 {
    let models = settings.map_or(&[][..], |settings| settings.models.as_slice());
    let model = models.iter().find(|of| of.name == *model);
    let is_it = |of: &&RouteSettings| {
        let there = of.model.as_ref().or(model.map(|model| &model.name));
        of.provider == route.provider && there == route.model.as_ref()
    };
    let routes = model.map_or(&[][..], |model| model.routes.as_slice());
    routes.iter().find(is_it).map_or(1.0, |own| own.weight)
}

fn entrants(args: &Args) -> Result<Vec<Entrant>, Stop> {
    let policies: Result<Vec<Entrant>, Stop> = args
        .policies
        .iter()
        .map(|name| Ok(Entrant::Policy(name.clone(), policy(name, args)?)))
        .collect();
    let mut entrants = policies?;
    entrants.extend(Entrant::BASELINES);
    Ok(entrants)
}

fn policy(name: &str, args: &Args) -> Result<Policy, Stop> {
    Ok(match name {
        "ordered" => Policy::Ordered,
        "weighted" => Policy::Weighted,
        "fastest" => Policy::Fastest(By::FirstToken),
        "cheapest" => Policy::Cheapest,
        "cheapest_within_slo" => Policy::CheapestWithinSlo {
            first_token: Nanos::from_millis(args.limit_ms),
            probability: args.probability,
        },
        "balanced" => Policy::Balanced {
            dollars_per_second: args.dollars_per_second,
        },
        "least_busy" => Policy::LeastBusy,
        "shared" => Policy::Shared,
        // A replay has no caches to be true to.
        _ => {
            let names = Policy::NAMES.into_iter().filter(|name| *name != "sticky");
            let names = names.collect::<Vec<_>>().join(", ");
            return Err(Stop::Usage(format!("--policy `{name}`: expected {names}")));
        }
    })
}

impl WorldKind {
    const fn kind(self) -> Kind {
        match self {
            Self::Base => Kind::Base,
            Self::Close => Kind::Close,
            Self::Long => Kind::Long,
        }
    }
}

fn table(played: &Played, args: &Args) -> String {
    let first = args.policies.first().map_or("", String::as_str);
    let mut text = format!("{}\n\n", played.what);
    let _ = writeln!(
        text,
        "{:<16}{:>26}{:>30}{:>9}{:>8}{:>10}{:>10}{:>10}",
        "",
        "regret % [95 %]",
        format!("above {first} [95 %]"),
        "p95 ms",
        "SLO %",
        "failed %",
        "$/1,000",
        "switch %"
    );
    for line in &played.standings.lines {
        let points = |value: f64| value * 100.0;
        let regret = estimate(&line.regret, "");
        let p95 = line.mean(|score| score.p95_ms);
        let p95 = if p95.is_finite() {
            format!("{p95:.0}")
        } else {
            "failed".to_owned()
        };
        let cost = line.cost_per_1000();
        let cost = cost.map_or_else(|| NOTHING.to_owned(), |cost| format!("{cost:.3}"));
        let against = line.against.as_ref();
        let against = against.map_or_else(String::new, |against| estimate(against, "+"));
        let _ = writeln!(
            text,
            "{:<16}{regret:>26}{against:>30}{p95:>9}{:>8.1}{:>10.1}{cost:>10}{:>10.1}",
            line.entrant.name(),
            points(line.mean(|score| score.within_slo)),
            points(line.mean(|score| score.failed)),
            points(line.mean(|score| score.switches)),
        );
    }
    if !played.unpriced.is_empty() {
        let _ = writeln!(text, "\n{}", no_price(&played.unpriced));
    }
    for (name, found) in &played.explored {
        let _ = match found {
            Ok(snips) => writeln!(
                text,
                "\n{name} by recorded chances: first token {:.0} ms [{:.0}, {:.0}] against {:.0} ms \
                 as it was, failed {:.1} % against {:.1} %; {} exchanges, effective {:.0}{}",
                snips.first_token_ms.value,
                snips.first_token_ms.interval.low,
                snips.first_token_ms.interval.high,
                snips.logged_ms,
                snips.failed * 100.0,
                snips.logged_failed * 100.0,
                snips.exchanges,
                snips.effective,
                match snips.cut_off {
                    0 => String::new(),
                    cut =>
                        format!("; {cut} first tokens were cut off and count as what was waited"),
                }
            ),
            Err(why) => writeln!(text, "\n{name} by recorded chances: nothing told: {why}"),
        };
    }
    text
}

/// What is said where not every route has a price.
fn no_price(routes: &[String]) -> String {
    format!(
        "No price: {}. Whoever chose one of them has no cost ({NOTHING}), and to policies that go \
         by price it is a route of which none is known; rows of the config's `[prices]` tell one.",
        routes.join(", ")
    )
}

/// A share in points with both ends, which one world alone has not.
fn estimate(of: &Estimate, plus: &str) -> String {
    let points = |share: f64| {
        let tenths = (share * 1_000.0).round();
        if !tenths.is_finite() {
            return NOTHING.to_owned();
        }
        let sign = if tenths < 0.0 { "−" } else { plus };
        format!("{sign}{:.1}", tenths.abs() / 10.0)
    };
    let Interval { low, high } = of.interval;
    format!("{} [{}, {}]", points(of.value), points(low), points(high))
}

fn json(played: &Played, args: &Args) -> String {
    let ends = |estimate: &Estimate| {
        let end = |end: f64| end.is_finite().then_some(end);
        serde_json::json!({
            "value": estimate.value,
            "low": end(estimate.interval.low),
            "high": end(estimate.interval.high),
        })
    };
    let line = |line: &Line| {
        serde_json::json!({
            "name": line.entrant.name(),
            "regret_fraction": ends(&line.regret),
            "above_first_fraction": line.against.as_ref().map(ends),
            "mean_ms": line.mean(|score| score.mean_ms),
            "p95_ms": line.mean(|score| score.p95_ms),
            "within_slo_fraction": line.mean(|score| score.within_slo),
            "failed_fraction": line.mean(|score| score.failed),
            "cost_per_1000_usd": line.cost_per_1000(),
            "cost_absent": line.cost_per_1000().is_none().then_some("a route it chose has no price"),
            "switches_fraction": line.mean(|score| score.switches),
        })
    };
    let explored = |(name, found): &(String, Result<Snips, String>)| match found {
        Ok(snips) => serde_json::json!({
            "name": name, "first_token_ms": ends(&snips.first_token_ms),
            "logged_ms": snips.logged_ms, "cost_per_1000_usd": snips.cost_per_1000,
            "failed_fraction": snips.failed, "logged_failed_fraction": snips.logged_failed,
            "cut_off": snips.cut_off, "exchanges": snips.exchanges,
            "effective": snips.effective,
        }),
        Err(why) => serde_json::json!({ "name": name, "refused": why }),
    };
    serde_json::json!({
        "schema": "tollgate.replay/1", "what": played.what,
        "worlds": played.standings.worlds, "seed": args.seed, "limit_ms": args.limit_ms,
        "players": played.standings.lines.iter().map(line).collect::<Vec<_>>(),
        "unpriced_routes": played.unpriced,
        "explored": played.explored.iter().map(explored).collect::<Vec<_>>(),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn a_cost_that_nobody_knows_is_no_zero() {
        let Line { args } = Line::parse_from(["replay", "--requests", "20"]);
        let mut world = simulate(&spec(&args, Kind::Base, None, 1));
        world.routes[0].quote = None;
        world.routes[0].name = "free/for-all".to_owned();
        let played = Played {
            what: String::new(),
            standings: judged([(1, world)].into_iter(), &[Entrant::RoundRobin], &args),
            unpriced: vec!["free/for-all".to_owned()],
            explored: Vec::new(),
        };
        let text = table(&played, &args);
        assert!(!text.contains("0.000"), "{text}");
        assert!(text.contains("No price: free/for-all."), "{text}");
        let json: serde_json::Value = serde_json::from_str(&json(&played, &args)).unwrap();
        let player = &json["players"][0];
        assert!(player["cost_per_1000_usd"].is_null(), "{json}");
        assert_eq!(player["cost_absent"], "a route it chose has no price");
        assert_eq!(json["unpriced_routes"][0], "free/for-all");
    }
}
