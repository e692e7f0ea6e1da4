//! Makes reports of whole records: the only place that knows both the store and the reports.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::Value;

use crate::active::probing::history;
use crate::analysis::paper::{Paper, Source};
use crate::analysis::render::units::{minute, thousands};
use crate::analysis::reports::baseline::{Baseline, Drift, of_calls};
use crate::analysis::reports::call::calls;
use crate::analysis::reports::compare::{compared, span};
use crate::analysis::reports::gather::named;
use crate::analysis::reports::listed::{Calls, Listed};
use crate::analysis::reports::production::Production;
use crate::analysis::reports::same::Routed;
use crate::analysis::reports::scores::kept::Evaluations;
use crate::analysis::reports::throughput::{Metadata, Throughput};
use crate::analysis::reports::{
    Choice, Gathered, Report, Rolled, SameModel, canary, experiments, probes, rolled, runs, tax,
};
use crate::analysis::tables::{Origins, Window};
use crate::config::catalogue::catalogue;
use crate::config::profiles::GEOGRAPHIES;
use crate::config::settings::Settings;
use crate::config::settings::{ModelRoutes, RouteSettings};
use crate::edge::store::{Scanned, StoreError, StoreReader};
use crate::record::{
    ExchangeId, ExchangeRecord, Name, Note, Origin, PicoDollars, ProviderKind, WallTime,
};
use crate::routing::catalogue::ModelFacts;
use crate::routing::experiment::Experiment;

use super::charges::Charges;
use super::reading::{self, Missing, Most};

/// A report that can be asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Which {
    /// What two routes taken by lot did.
    Experiments(experiments::Asked),
    /// What an experiment could find, from the traffic before it.
    Plan(Box<Experiment>),
    /// Whether a canary is worse than the other routes of its model.
    Canary,
    /// What a router costs against the provider directly.
    Tax(tax::Asked),
    /// How routes answer probes.
    Probes,
    /// What was asked on purpose, run by run.
    Runs,
    /// What evaluations found of routes.
    Scores,
    /// Live traffic beside benchmarks of the same routes.
    Production,
    /// Whether routes are still what a baseline says.
    Drift(Box<Baseline>),
    /// One that needs nothing but calls.
    Listed(Listed),
}

/// Every report by name, with what it answers.
pub const REPORTS: [(&str, &str); 17] = [
    (
        "tax",
        "What a router costs against the provider directly, and how sure that is",
    ),
    (
        "experiments",
        "What routes taken by lot did, and whether one may stop",
    ),
    (
        "canary",
        "Whether a route drawn by a small weight is worse than the others",
    ),
    (
        "models",
        "Each model at each provider: speed, failures, cost",
    ),
    ("regions", "Each model in each region"),
    ("backends", "Who served behind a router, and how"),
    ("consistency", "How steady each route is"),
    ("trend", "When a route changed, and what else did then"),
    ("length", "Whether the rate holds in long answers"),
    ("errors", "What went wrong, and how near the limits"),
    ("cost", "What it cost, with retries and failures"),
    (
        "cache",
        "What prompt caches do to time, and what a cache would save",
    ),
    ("json-tax", "What JSON answers cost at the same route"),
    (
        "probes",
        "How often each route answers its probes, how soon, and whether it has drifted",
    ),
    (
        "runs",
        "What benchmarks, loads, evaluations and probes asked so far, run by run",
    ),
    (
        "scores",
        "What evaluations found of each route, compared on the same items, run by run",
    ),
    (
        "production",
        "Live traffic beside what benchmarks measured of the same routes",
    ),
];

impl Which {
    /// The report of that name, asked for without anything of its own.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "tax" {
            return Some(Self::Tax(tax::Asked::default()));
        }
        if name == "canary" {
            return Some(Self::Canary);
        }
        if name == "probes" {
            return Some(Self::Probes);
        }
        if name == "runs" {
            return Some(Self::Runs);
        }
        if name == "scores" {
            return Some(Self::Scores);
        }
        if name == "production" {
            return Some(Self::Production);
        }
        if name == "experiments" {
            return Some(Self::Experiments(experiments::Asked::default()));
        }
        let listed = Listed::ALL.into_iter().find(|listed| listed.name() == name);
        listed.map(Self::Listed)
    }

    /// Compares with that provider, where the report compares with one.
    pub fn against(&mut self, reference: Option<String>) {
        if let Self::Tax(asked) = self {
            asked.reference = reference;
        }
    }

    /// Tells a report of experiments what the config says of them, and which one is asked for.
    pub fn among(&mut self, defined: &Arc<[Experiment]>, name: Option<String>) {
        if let Self::Experiments(asked) = self {
            asked.defined = Arc::clone(defined);
            asked.name = name;
        }
    }

    /// The age from which on it looks unless one says otherwise: an experiment from its beginning.
    #[must_use]
    pub const fn usual_age(&self) -> &'static str {
        match self {
            Self::Experiments(_) | Self::Canary | Self::Scores => "400d",
            Self::Plan(_) | Self::Probes | Self::Runs | Self::Production => "7d",
            Self::Drift(_) | Self::Tax(_) | Self::Listed(_) => "24h",
        }
    }

    /// Whether part of the exchanges will do: of an experiment every one is needed, and few are in
    /// one.
    const fn takes_samples(&self) -> bool {
        matches!(self, Self::Tax(_) | Self::Listed(_))
    }

    /// Whether it takes the origins that it needs, whatever is asked for.
    const fn origins(&self, asked: Origins) -> Origins {
        match self {
            Self::Production | Self::Runs => Origins::All,
            Self::Scores => Origins::Only(Origin::Eval),
            _ => asked,
        }
    }

    fn report(&self) -> Box<dyn Report> {
        match self {
            Self::Production => Box::new(Production::default()),
            Self::Drift(baseline) => Box::new(Drift::new((**baseline).clone())),
            Self::Experiments(asked) => Box::new(experiments::Experiments::new(asked.clone())),
            Self::Plan(experiment) => Box::new(experiments::Plans::new((**experiment).clone())),
            Self::Canary => Box::new(canary::Canaries::default()),
            Self::Probes => Box::new(probes::Probes::default()),
            Self::Runs => Box::new(runs::Runs::default()),
            Self::Scores => Box::new(Evaluations::default()),
            Self::Tax(asked) => Box::new(tax::Tax::new(asked.clone())),
            Self::Listed(listed) => Box::new(Calls::new(*listed)),
        }
    }
}

/// What a report is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Which report.
    pub which: Which,
    /// The span of time; of no account where two are compared.
    pub window: Window,
    /// The two spans that are set side by side, where they are.
    pub compare: Option<[Window; 2]>,
    /// Which origins.
    pub origins: Origins,
    /// What it is narrowed to.
    pub choice: Choice,
    /// What the settings say.
    pub known: Known,
}

/// What settings say that reports go by.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Providers that are paid by the hour, with the price of one.
    hosted: Vec<(Name, PicoDollars)>,
    /// Which names mean one model.
    same: Arc<SameModel>,
    /// What is known of models: the config's own entries before the shipped ones.
    catalogue: Arc<[ModelFacts]>,
    charges: Charges,
    /// What providers run their models on.
    hardware: Vec<(Name, Name)>,
}

impl Known {
    /// Which names mean one model.
    #[must_use]
    pub fn same(&self) -> &SameModel {
        &self.same
    }

    /// Where there are no settings: what the shipped catalogue says, and which routes lead to one
    /// model.
    #[must_use]
    pub fn of_routes(routed: &[Routed]) -> Self {
        Self {
            same: Arc::new(SameModel::new(catalogue(), &GEOGRAPHIES, routed)),
            ..Self::of(None)
        }
    }

    /// Of `settings`; where there are none, what the shipped catalogue says.
    #[must_use]
    pub fn of(settings: Option<&Settings>) -> Self {
        let Some(settings) = settings else {
            return Self {
                hosted: Vec::new(),
                same: Arc::new(SameModel::new(catalogue(), &GEOGRAPHIES, &[])),
                catalogue: Arc::clone(catalogue()),
                charges: Charges::default(),
                hardware: Vec::new(),
            };
        };
        let providers = settings.providers.iter();
        let hosted = providers.filter_map(|of| Some((of.name.clone(), of.per_hour?)));
        let hardware = settings.providers.iter();
        let hardware = hardware.filter_map(|of| Some((of.name.clone(), of.hardware.clone()?)));
        let models: Vec<Routed> = settings.models.iter().map(|model| routed(model)).collect();
        Self {
            hosted: hosted.collect(),
            same: Arc::new(SameModel::new(&settings.catalogue, &GEOGRAPHIES, &models)),
            catalogue: Arc::clone(&settings.catalogue),
            charges: Charges::of(settings),
            hardware: hardware.collect(),
        }
    }
}

/// A model's routes, each with the provider and the name there.
fn routed(model: &ModelRoutes) -> Routed {
    let there = |route: &RouteSettings| {
        let name = route.model.as_ref().unwrap_or(&model.name);
        (route.provider.clone(), name.clone())
    };
    (model.name.clone(), model.routes.iter().map(there).collect())
}

/// Summaries looked at for what kind a provider is.
const KINDS_LOOKED_AT: usize = 5_000;

/// The report over what `reader` holds, or the comparison of two: of more than `most` from
/// roll-ups or a sample, which it says. `seen` is called for every exchange, for whoever shows
/// progress.
pub fn paper(
    reader: &StoreReader,
    question: &Question,
    most: Most,
    made: WallTime,
    mut seen: impl FnMut(),
) -> Result<Paper, StoreError> {
    let Some(windows) = question.compare else {
        let (paper, gone) = of_window(reader, question, question.window, most, made, &mut seen)?;
        let ahead = if question.window.until >= made {
            reading::ahead(reader, made)?
        } else {
            0
        };
        return Ok(lacking(early(paper, ahead), gone, ""));
    };
    let mut of = |window| of_window(reader, question, window, most, made, &mut seen);
    let [(mut a, mut gone), (mut b, mut gone_too)] = [of(windows[0])?, of(windows[1])?];
    let mut cut = None;
    if windows[0].until <= windows[1].from {
        (a, gone) = apart((a, gone), &b, windows[0], &mut cut, &mut of)?;
    } else if windows[1].until <= windows[0].from {
        (b, gone_too) = apart((b, gone_too), &a, windows[1], &mut cut, &mut of)?;
    }
    let mut paper = compared(&a, &b, &windows.map(span));
    paper.findings.extend(cut);
    Ok(lacking(lacking(paper, gone_too, "B: "), gone, "A: "))
}

/// A side of a comparison, and what its records are no longer all of.
type Sided = (Paper, Option<Missing>);

/// The earlier side, which was asked for as `window`, without what is in the `later` one too:
/// roll-ups are of whole minutes and hours, and the one in which both meet is on both sides. What
/// is left out is told in `cut`.
fn apart(
    earlier: Sided,
    later: &Paper,
    window: Window,
    cut: &mut Option<String>,
    of: &mut impl FnMut(Window) -> Result<Sided, StoreError>,
) -> Result<Sided, StoreError> {
    let begins = later.head.window.from;
    if earlier.0.head.window.until <= begins {
        return Ok(earlier);
    }
    for unit in [1, reading::MINUTE, reading::HOUR] {
        let until = WallTime(begins.0.div_euclid(unit) * unit);
        if until <= window.from {
            break;
        }
        let shorter = of(Window { until, ..window })?;
        if shorter.0.head.window.until <= begins {
            *cut = Some(format!(
                "The earlier side ends at {} and not at {}: of the time in which both meet only \
                 whole minutes or hours are kept, and it counts once.",
                minute(shorter.0.head.window.until),
                minute(window.until)
            ));
            return Ok(shorter);
        }
    }
    *cut = Some(format!(
        "Both sides hold what was at {}: only whole hours of it are kept.",
        minute(begins)
    ));
    Ok(earlier)
}

/// The paper with how many exchanges are dated after it: they are in none until then.
fn early(mut paper: Paper, ahead: u64) -> Paper {
    if ahead > 0 {
        let said = format!(
            "{} exchanges are dated after now, as of a clock that was ahead and was set back: they \
             are in no window that ends now.",
            thousands(ahead)
        );
        paper.findings.insert(0, said);
    }
    paper
}

/// The paper with what its records are no longer all of, before everything: what is told is of the
/// rest.
fn lacking(mut paper: Paper, gone: Option<Missing>, of: &str) -> Paper {
    if let Some(gone) = gone {
        let said = format!(
            "{of}Records of before {} are no longer kept (`[store] keep_records`, `keep_bytes`): about \
             {} exchanges of this window, of every kind, are in none of these numbers.",
            minute(gone.before),
            thousands(gone.exchanges)
        );
        paper.findings.insert(0, said);
    }
    paper
}

/// The report over `records`, whose dates are its window.
pub fn of_records<E>(
    question: &Question,
    records: impl Iterator<Item = Result<ExchangeRecord, E>>,
    made: WallTime,
) -> Result<Paper, E> {
    let mut report = question.which.report();
    let origins = question.which.origins(question.origins);
    let mut gathered = Gathered::new(&mut *report, origins, &question.choice);
    gathered.name(&question.known.same);
    if question.which == MODELS {
        gathered.price(question.known.charges.asked(made));
    }
    let mut ends: Option<(WallTime, WallTime)> = None;
    for record in records {
        let record = record?;
        let (from, until) = ends.unwrap_or((record.started, record.started));
        ends = Some((from.min(record.started), until.max(record.started)));
        gathered.add(&record);
    }
    let window = ends.map_or(question.window, |(from, until)| Window {
        from,
        until: WallTime(until.0 + 1),
    });
    let paper = gathered.paper(window, made, Source::Records);
    Ok(priced(paper, question, made))
}

const MODELS: Which = Which::Listed(Listed::Models);

/// The paper, with the prices that it tells.
fn priced(mut paper: Paper, question: &Question, at: WallTime) -> Paper {
    if question.which == MODELS && !paper.sheets.is_empty() {
        paper.notes.push(question.known.charges.said(at));
    }
    paper
}

fn of_window(
    reader: &StoreReader,
    question: &Question,
    window: Window,
    most: Most,
    made: WallTime,
    seen: &mut impl FnMut(),
) -> Result<(Paper, Option<Missing>), StoreError> {
    let gone = reading::missing(reader, window)?;
    if gone.is_some()
        && question.choice.runs.is_empty()
        && let Some(paper) = rolled(reader, question, window, made)?
    {
        // Roll-ups are kept longer than records.
        return Ok((paper, None));
    }
    let window = gone.map_or(window, |gone| Window {
        from: gone.before,
        ..window
    });
    let paper = of_kept(reader, question, window, most, made, seen)?;
    Ok((paper, gone))
}

/// The report over a window of which the records are kept.
fn of_kept(
    reader: &StoreReader,
    question: &Question,
    window: Window,
    most: Most,
    made: WallTime,
    seen: &mut impl FnMut(),
) -> Result<Paper, StoreError> {
    if question.which == Which::Probes {
        return of_probes(reader, question, window, made, seen);
    }
    if question.which == Which::Scores {
        return of_scores(reader, question, window, made, seen);
    }
    if question.which == Which::Runs || !question.choice.runs.is_empty() {
        return of_runs(reader, question, window, made, seen);
    }
    let count = if question.which.takes_samples() {
        reading::count(reader, window)?
    } else {
        0
    };
    if count > most.records
        && let Some(paper) = rolled(reader, question, window, made)?
    {
        return Ok(paper);
    }
    let mut report = question.which.report();
    let origins = question.which.origins(question.origins);
    let mut gathered = Gathered::new(&mut *report, origins, &question.choice);
    gathered.name(&question.known.same);
    let end = window.until.min(made);
    if question.which == MODELS {
        gathered.price(question.known.charges.asked(end));
    }
    let (source, scanned) = reading::records(reader, window, count, most.records, |record| {
        seen();
        gathered.add(&record);
    })?;
    gathered.remark(remarks(reader, window)?);
    gathered.host(question.known.hosted.clone());
    let paper = priced(gathered.paper(window, made, source), question, end);
    Ok(told(paper, scanned, "records"))
}

/// The report of probes, which are few among many: only theirs are read whole.
fn of_probes(
    reader: &StoreReader,
    question: &Question,
    window: Window,
    made: WallTime,
    seen: &mut impl FnMut(),
) -> Result<Paper, StoreError> {
    let found = history::probes(reader, window.range(), seen)?;
    let mut report = probes::Probes::new(found.iter().copied());
    let mut gathered = Gathered::new(&mut report, question.origins, &question.choice);
    gathered.name(&question.known.same);
    let scanned = history::records(reader, &found, |record, _| gathered.add(&record))?;
    gathered.remark(remarks(reader, window)?);
    let paper = gathered.paper(window, made, Source::Records);
    Ok(told(paper, scanned, "records"))
}

/// A report of what was asked on purpose, which is little beside an application's traffic: only
/// that is read whole.
fn of_runs(
    reader: &StoreReader,
    question: &Question,
    window: Window,
    made: WallTime,
    seen: &mut impl FnMut(),
) -> Result<Paper, StoreError> {
    let found = of_origins(reader, window, Origin::is_of_run, seen)?;
    let mut report = question.which.report();
    let origins = question.which.origins(question.origins);
    let mut gathered = Gathered::new(&mut *report, origins, &question.choice);
    gathered.name(&question.known.same);
    let scanned = reader.details(&found, |record| gathered.add(&record))?;
    gathered.remark(remarks(reader, window)?);
    let paper = gathered.paper(window, made, Source::Records);
    Ok(told(paper, scanned, "records"))
}

/// The exchanges of some origins.
fn of_origins(
    reader: &StoreReader,
    window: Window,
    takes: impl Fn(Origin) -> bool,
    seen: &mut impl FnMut(),
) -> Result<Vec<ExchangeId>, StoreError> {
    let mut found = Vec::new();
    reader.scan(window.range(), |summary| {
        seen();
        if takes(summary.origin) {
            found.push(summary.id);
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// The report of evaluations: their scores, and the answers that they are of.
fn of_scores(
    reader: &StoreReader,
    question: &Question,
    window: Window,
    made: WallTime,
    seen: &mut impl FnMut(),
) -> Result<Paper, StoreError> {
    let mut scores = reader.scores()?;
    scores.retain(|score| window.range().contains(&score.at));
    let mut report = Evaluations::new(scores, &question.choice);
    let origins = question.which.origins(question.origins);
    let mut gathered = Gathered::new(&mut report, origins, &question.choice);
    gathered.name(&question.known.same);
    let found = of_origins(reader, window, |origin| origin == Origin::Eval, seen)?;
    let scanned = reader.details(&found, |record| gathered.add(&record))?;
    gathered.remark(remarks(reader, window)?);
    let paper = gathered.paper(window, made, Source::Records);
    Ok(told(paper, scanned, "records"))
}

/// The baseline of the traffic of `window`; it has no name yet.
pub fn baseline(
    reader: &StoreReader,
    window: Window,
    origins: Origins,
    known: &Known,
    made: WallTime,
    mut seen: impl FnMut(),
) -> Result<Baseline, StoreError> {
    let mut collected = Calls::new(Listed::Models);
    let choice = Choice::default();
    let mut gathered = Gathered::new(&mut collected, origins, &choice);
    gathered.name(&known.same);
    let count = reading::count(reader, window)?;
    let most = Most::COMMAND.records;
    let (source, _) = reading::records(reader, window, count, most, |record| {
        seen();
        gathered.add(&record);
    })?;
    let head = gathered.paper(window, made, source).head;
    Ok(of_calls(collected.calls(), &head, made))
}

/// The report from roll-ups; nothing where they cannot answer it.
fn rolled(
    reader: &StoreReader,
    question: &Question,
    window: Window,
    made: WallTime,
) -> Result<Option<Paper>, StoreError> {
    let Which::Listed(listed) = question.which else {
        return Ok(None);
    };
    if !Rolled::can(listed, &question.choice) {
        return Ok(None);
    }
    let kinds = kinds(reader, window)?;
    let names = reader.names()?;
    let whole = reading::whole(reader, window)?;
    let mut rolled = Rolled::new(listed, whole.window, question.origins, &question.choice);
    rolled.name(&question.known.same);
    let scanned = reading::rollups(reader, &whole, |span, key, rollup| {
        let (Some(provider), Some(model)) = (names.get(key.provider), names.get(key.model)) else {
            return;
        };
        let of = rolled::Of {
            span: &span,
            provider,
            kind: kinds.get(&key.provider.0).copied().unwrap_or_default(),
            model,
            origin: key.origin,
            stream: key.stream,
        };
        rolled.add(of, rollup);
    })?;
    rolled.remark(remarks(reader, whole.window)?);
    rolled.host(question.known.hosted.clone());
    let chose_nothing = rolled.chose_nothing();
    let paper = told(rolled.paper(made), scanned, "roll-ups");
    Ok((!chose_nothing).then_some(paper))
}

/// What users wrote down of `window`.
fn remarks(reader: &StoreReader, window: Window) -> Result<Vec<Note>, StoreError> {
    let notes = reader.notes()?.into_iter();
    Ok(notes
        .filter(|note| window.range().contains(&note.at))
        .collect())
}

/// Which providers are routers, as the newest exchanges of `window` say.
fn kinds(reader: &StoreReader, window: Window) -> Result<HashMap<u32, ProviderKind>, StoreError> {
    let newest = reader.newest(window.range(), KINDS_LOOKED_AT)?;
    let kinds = newest.into_iter().rev();
    Ok(kinds
        .map(|summary| (summary.provider.0, summary.kind))
        .collect())
}

fn told(mut paper: Paper, scanned: Scanned, what: &str) -> Paper {
    if scanned.damaged > 0 {
        // Before everything: what is told is of the rest.
        paper.findings.insert(
            0,
            format!(
                "{} damaged {what} of this window are missing: `tollgate db verify`.",
                thousands(scanned.damaged)
            ),
        );
    }
    paper
}

/// What the report `throughput` is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The span of time.
    pub window: Window,
    /// Which origins.
    pub origins: Origins,
    /// What it is narrowed to.
    pub choice: Choice,
    /// What the settings say.
    pub known: Known,
}

/// The report `throughput` over what `reader` holds, with trends of the week before. `served` says
/// whether the page's paths are there to point to.
pub fn throughput(
    reader: &StoreReader,
    asked: &Asked,
    most: Most,
    made: WallTime,
    served: bool,
    mut seen: impl FnMut(),
) -> Result<Value, StoreError> {
    let Asked {
        window,
        origins,
        choice,
        known,
    } = asked;
    let mut found = Throughput::new(*window);
    let reach = Throughput::reach(*window);
    let count = reading::count(reader, reach)?;
    let (source, _) = reading::records(reader, reach, count, most.records, |record| {
        seen();
        if choice.takes_record(&record) {
            let calls = calls(&record, |origin| origins.takes(origin)).unwrap_or_default();
            let named = calls.into_iter().map(|call| named(call, Some(&known.same)));
            let chosen = named.filter(|call| choice.takes(call));
            chosen.for_each(|call| found.add(&call));
        }
    })?;
    let metadata = Metadata {
        models: &known.catalogue,
        hardware: &known.hardware,
    };
    let mut value = found.json(made, served, metadata, most.routes);
    value["origin"] = origins.name().into();
    value["sampled_one_in"] = match source {
        Source::Sample { share, .. } => share.one_in().into(),
        Source::Records | Source::Rollups => Value::Null,
    };
    Ok(value)
}
