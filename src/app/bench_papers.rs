//! What finished benchmarks say, alone and beside each other: for the command and for the page.

use std::path::Path;

use super::bench::FILE;
use super::fault::AppFault;
use crate::active::bench::{Finished, finished};
use crate::active::load;
use crate::analysis::paper::Paper;
use crate::analysis::render::{self, Format};
use crate::analysis::reports::bench::{self, Item, Kind, Run};
use crate::analysis::reports::compare::{Sides, compared};
use crate::analysis::reports::{Choice, Listed, tax};
use crate::analysis::tables::{Origins, Window};
use crate::clock::Clock;
use crate::record::ExchangeRecord;
use crate::ui::papers::{self, Known, Question, Which};

/// How `runs` differ.
#[must_use]
pub fn analysis(runs: &[Finished], clock: &Clock) -> Paper {
    bench::analysis(&as_runs(runs), finished::head(runs, clock.wall()))
}

/// The same for reports.
#[must_use]
pub fn as_runs(runs: &[Finished]) -> Vec<Run<'_>> {
    runs.iter().map(Finished::as_run).collect()
}

/// What `result` measured less what `baseline` did.
#[must_use]
pub fn side_by_side(
    baseline: &[Finished],
    result: &[Finished],
    sides: &Sides,
    clock: &Clock,
) -> Paper {
    compared(&paper(baseline, clock), &paper(result, clock), sides)
}

/// The report `bench` over all of `runs` together.
fn paper(runs: &[Finished], clock: &Clock) -> Paper {
    let mut kinds: Vec<Kind> = Vec::new();
    let mut items: Vec<Item<'_>> = Vec::new();
    for run in runs {
        let first = kinds.len();
        kinds.extend(run.kinds.iter().cloned());
        items.extend(run.items().into_iter().map(|item| Item {
            kind: item.kind + first,
            ..item
        }));
    }
    bench::paper(&kinds, &items, finished::head(runs, clock.wall()))
}

/// The reports that answer what was asked.
pub fn papers(runs: &[Finished], known: &Known, clock: &Clock) -> Result<Vec<Paper>, AppFault> {
    let mut papers = Vec::new();
    let Some(first) = runs.first() else {
        return Ok(papers);
    };
    if first.is_paired || has_reference(runs) {
        let asked = tax::Asked {
            reference: first.reference.clone(),
            seed: first.seed,
            rounds: !first.is_paired,
        };
        papers.push(listed(runs, Which::Tax(asked), known, clock)?);
    }
    papers.push(paper(runs, clock));
    let asked = first.asked();
    let of_each = [
        (true, Listed::Models),
        (true, Listed::Consistency),
        (asked.regions, Listed::Regions),
        (asked.backends, Listed::Backends),
    ];
    for (_, which) in of_each.into_iter().filter(|(wanted, _)| *wanted) {
        for variant in first.variants() {
            papers.push(of_variant(runs, which, variant, known, clock)?);
        }
    }
    let across = [
        (asked.sweep, Listed::Length),
        (asked.json, Listed::JsonTax),
        (first.turns > 1, Listed::Cache),
    ];
    for (_, which) in across.into_iter().filter(|(wanted, _)| *wanted) {
        papers.push(listed(runs, Which::Listed(which), known, clock)?);
    }
    if runs.len() > 1 {
        papers.push(analysis(runs, clock));
    }
    Ok(papers)
}

/// Whether a model was asked for at two providers.
fn has_reference(runs: &[Finished]) -> bool {
    let kinds = || runs.iter().flat_map(|run| &run.kinds);
    kinds().any(|one| {
        let other = |of: &Kind| of.model == one.model && of.provider != one.provider;
        kinds().any(other)
    })
}

/// A report on what was asked alike: of two variants together it would tell medians that neither
/// has.
fn of_variant(
    runs: &[Finished],
    which: Listed,
    variant: Option<String>,
    known: &Known,
    clock: &Clock,
) -> Result<Paper, AppFault> {
    let asked = variant.as_deref();
    let records = runs.iter().flat_map(|run| run.records_of(asked));
    let mut paper = of_records(records, Which::Listed(which), known, clock)?;
    if let Some(variant) = variant {
        let name = |title: &mut String| *title = format!("{title}: {variant}");
        name(&mut paper.title);
        paper.charts.iter_mut().for_each(|of| name(&mut of.title));
        paper.head.selection.push(variant);
    }
    Ok(paper)
}

fn listed(
    runs: &[Finished],
    which: Which,
    known: &Known,
    clock: &Clock,
) -> Result<Paper, AppFault> {
    of_records(runs.iter().flat_map(Finished::records), which, known, clock)
}

fn of_records<'a>(
    records: impl Iterator<Item = &'a ExchangeRecord>,
    which: Which,
    known: &Known,
    clock: &Clock,
) -> Result<Paper, AppFault> {
    let now = clock.wall();
    let question = Question {
        which,
        window: Window::read(None, None, now).map_err(AppFault::Usage)?,
        compare: None,
        origins: Origins::All,
        choice: Choice::default(),
        known: known.clone(),
    };
    let records = records.cloned();
    papers::of_records(&question, records.map(Ok::<ExchangeRecord, AppFault>), now)
}

/// Writes the report `bench` of a run as CSV beside its result.
pub fn csv(run: &Finished, folder: &Path, clock: &Clock) -> Result<(), AppFault> {
    let text = render::paper::write(&paper(std::slice::from_ref(run), clock), Format::Csv);
    let path = folder.join(FILE).with_extension("csv");
    std::fs::write(&path, text)
        .map_err(|error| AppFault::Runtime(format!("cannot write {}: {error}", path.display())))
}

/// What the load `result` measured less what `baseline` did.
#[must_use]
pub fn loads_side_by_side(
    baseline: &[load::Finished],
    result: &[load::Finished],
    sides: &Sides,
    clock: &Clock,
) -> Paper {
    let now = clock.wall();
    let [baseline, result] = [baseline, result].map(|runs| load::finished::paper(runs, now));
    compared(&baseline, &result, sides)
}

/// Reads the result of a load.
pub fn read_load(path: &Path) -> Result<load::Finished, AppFault> {
    of_file(path, load::Finished::read)
}

/// Reads the result of a run.
pub fn read(path: &Path) -> Result<Finished, AppFault> {
    of_file(path, Finished::read)
}

fn of_file<T>(path: &Path, read: impl Fn(&str) -> Result<T, String>) -> Result<T, AppFault> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| AppFault::Usage(format!("cannot read {name}: {error}")))?;
    read(&text).map_err(|what| AppFault::Usage(format!("{name} {what}")))
}
