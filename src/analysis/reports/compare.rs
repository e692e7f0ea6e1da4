//! Sets two windows or two files side by side: any report, row by row, with what may be said of
//! each difference. Whether two intervals overlap is never asked.

use std::collections::BTreeMap;

use super::Paper;
use super::figures::{SEED, ends, verdict};
use crate::analysis::paper::{Bar, Cell, Chart, Column, Drawn, Head, Plot, Sheet, Side, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::render::units::{length, minute};
use crate::analysis::tables::Window;
use crate::statistics::compare::{Margin, Resampling, Verdict, bootstrap_difference, decide, holm};

use crate::statistics::interval::special::normal_quantile;
use crate::statistics::interval::{ALPHA, Estimate, Interval};

/// Differences told in words at most.
const FINDINGS_MAX: usize = 8;
/// Differences drawn in one chart at most.
const BARS_MAX: usize = 24;

const METHOD: &str = "B less A, as two independent samples: quantiles by the index bootstrap of \
    their difference, 10,000 draws (arXiv 2202.10992); shares by Newcombe's interval; other \
    numbers with an interval by that of the difference of two estimates (Zou and Donner 2008). \
    p is of the same interval on the normal scale, adjusted by Holm over all rows compared; \
    verdicts are made by intervals of Holm's level against a margin of 20 ms or 3 % (other numbers \
    3 %, shares 0.5 points, money 1 %). The intervals shown are of 95 % each.";

/// One number of both sides.
struct Pair<'a> {
    sheet: &'a Sheet,
    row: String,
    column: &'a Column,
    unit: Unit,
    a: &'a Cell,
    b: &'a Cell,
    found: Option<Found>,
}

/// What was found of a pair that can be judged.
struct Found {
    difference: Estimate,
    /// Numbers of the smaller side, where that is known.
    count: Option<u64>,
    p: f64,
    verdict: Verdict,
}

/// What each of the two sides is.
pub type Sides = [String; 2];

/// A span of time in words.
#[must_use]
pub fn span(window: Window) -> String {
    format!(
        "{} to {} ({})",
        minute(window.from),
        minute(window.until),
        length(window.seconds())
    )
}

/// `b` less `a`, two of the same report; `what` says what each is of.
#[must_use]
pub fn compared(a: &Paper, b: &Paper, what: &Sides) -> Paper {
    let mut pairs = Vec::new();
    let mut alone = Vec::new();
    let mut timed = Vec::new();
    for sheet in &b.sheets {
        let Some(other) = a.sheets.iter().find(|other| other.key == sheet.key) else {
            continue;
        };
        let (both, one_sided) = matched(other, sheet);
        if both.is_empty() && !one_sided.is_empty() && sheet.is_of_moments() {
            timed.push(sheet.title.clone());
            continue;
        }
        pairs.extend(both);
        alone.extend(one_sided);
    }
    judge(&mut pairs);
    let head = head(a, b, what);
    let mut notes = vec![
        "OBSERVATIONAL: nobody assigned requests to the two sides by lot. Prompts, hours and \
         traffic may differ between them; a difference is what was experienced."
            .to_owned(),
        "Quantiles and shares are compared of as many requests as are independent (design effect). \
         What has no interval (counts, sums, means of money) is shown beside each other and not \
         judged."
            .to_owned(),
    ];
    if !timed.is_empty() {
        notes.push(format!(
            "Rows of moments have no like on the other side, and are left out: {}.",
            timed.join(", ")
        ));
    }
    Paper {
        name: "compare",
        version: 1,
        title: format!("{}: B against A", b.title),
        findings: findings(&pairs, what),
        sheets: vec![differences(&pairs), unjudged(&pairs), one_sided(&alone)],
        charts: charts(&pairs),
        head,
        notes,
    }
}

fn head(a: &Paper, b: &Paper, what: &Sides) -> Head {
    let (one, other) = (&a.head, &b.head);
    let mut excluded: BTreeMap<&String, u64> = BTreeMap::new();
    for (reason, count) in one.excluded.iter().chain(&other.excluded) {
        *excluded.entry(reason).or_default() += count;
    }
    let side = |name, head: &Head, what: &String| Side {
        name,
        what: what.clone(),
        head: head.clone(),
    };
    let mut configs = one.configs.clone();
    configs.extend(
        other
            .configs
            .iter()
            .filter(|hash| !one.configs.contains(hash)),
    );
    Head {
        window: Window {
            from: one.window.from.min(other.window.from),
            until: one.window.until.max(other.window.until),
        },
        made: other.made,
        origin: other.origin.clone(),
        selection: std::iter::once(format!("report {}", b.name))
            .chain(other.selection.iter().cloned())
            .collect(),
        // Each side says its own, where they differ.
        source: other.source,
        scanned: one.scanned + other.scanned,
        taken: one.taken + other.taken,
        excluded: excluded
            .into_iter()
            .map(|(reason, count)| (reason.clone(), count))
            .collect(),
        configs,
        own_delay: None,
        seed: Some(SEED),
        method: METHOD,
        hosted: Vec::new(),
        remarks: Vec::new(),
        sides: vec![side("A", one, &what[0]), side("B", other, &what[1])],
    }
}

/// A row that only one side has: its table, its name, the side.
type Alone = (String, String, &'static str);

/// The numbers of the rows that both tables have, and the rows that one has alone.
fn matched<'a>(a: &'a Sheet, b: &'a Sheet) -> (Vec<Pair<'a>>, Vec<Alone>) {
    let rows = |sheet: &'a Sheet| -> BTreeMap<Vec<&'a str>, &'a [Cell]> {
        let rows = sheet.rows.iter().map(Vec::as_slice);
        rows.map(|row| (sheet.names_of(row), row)).collect()
    };
    let others = rows(a);
    let mut pairs = Vec::new();
    let mut alone: Vec<Alone> = Vec::new();
    let mut seen = Vec::new();
    for row in &b.rows {
        let names = b.names_of(row);
        let name = shown_names(b, row);
        let Some(other) = others.get(&names) else {
            alone.push((b.title.clone(), name, "B"));
            continue;
        };
        for (column, cell) in b.columns.iter().zip(row) {
            let at = a.columns.iter().position(|of| of.key == column.key);
            let Some(before) = at.and_then(|at| other.get(at)) else {
                continue;
            };
            let unit = cell.unit_in(before.unit_in(column.unit));
            let numbers = cell.number().is_some() || before.number().is_some();
            if numbers {
                pairs.push(Pair {
                    sheet: b,
                    row: name.clone(),
                    column,
                    unit,
                    a: before,
                    b: cell,
                    found: None,
                });
            }
        }
        seen.push(names);
    }
    for row in &a.rows {
        if !seen.contains(&a.names_of(row)) {
            alone.push((a.title.clone(), shown_names(a, row), "A"));
        }
    }
    (pairs, alone)
}

/// The names of a row as people read them.
fn shown_names(sheet: &Sheet, row: &[Cell]) -> String {
    let cells = sheet.columns.iter().zip(row);
    let names: Vec<String> = cells
        .filter_map(|(column, cell)| match cell {
            Cell::Text(text) if column.shown && !column.remark => Some(text.replace('\n', " ")),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        return sheet.title.clone();
    }
    names.join(", ")
}

/// Finds the differences of what has an interval, and judges them as one family.
fn judge(pairs: &mut [Pair<'_>]) {
    for pair in pairs.iter_mut() {
        pair.found = difference(pair.a, pair.b).map(|(difference, count)| Found {
            p: difference.p_value(ALPHA),
            difference,
            count,
            verdict: Verdict::Inconclusive {
                need_about_more: None,
            },
        });
    }
    let plain: Vec<f64> = pairs
        .iter()
        .filter_map(|pair| pair.found.as_ref().map(|found| found.p))
        .collect();
    let adjusted = holm(&plain);
    let levels = levels(&plain);
    let mut each = adjusted.into_iter().zip(levels);
    for pair in pairs.iter_mut() {
        // Only a pair with a difference takes the next place: `zip` would take one for each.
        let Some(found) = pair.found.as_mut() else {
            continue;
        };
        let Some((p, level)) = each.next() else {
            break;
        };
        found.p = p;
        let margin = margin(pair.unit, pair.a.number().unwrap_or(0.0));
        let count = found.count.and_then(|count| usize::try_from(count).ok());
        found.verdict = match (
            decide(
                &widened(&found.difference, level),
                margin,
                count.unwrap_or(0),
            ),
            count,
        ) {
            (Verdict::Inconclusive { .. }, None) => Verdict::Inconclusive {
                need_about_more: None,
            },
            (said, _) => said,
        };
    }
}

/// `b` less `a` with its interval, and of how many numbers the smaller side is.
fn difference(a: &Cell, b: &Cell) -> Option<(Estimate, Option<u64>)> {
    let found = match (a, b) {
        (Cell::In(_, a), Cell::In(_, b)) => return difference(a, b),
        (Cell::Share(a), Cell::Share(b)) => {
            let of = b.less(*a)?;
            (of, Some(a.whole.min(b.whole)))
        }
        (
            Cell::Quantile {
                value: one,
                n,
                of: Some(a),
                ..
            },
            Cell::Quantile {
                value: other,
                n: m,
                of: Some(b),
                ..
            },
        ) => (drawn((a, *one), (b, *other))?, Some(*n.min(m))),
        _ => {
            let (one, n) = estimate(a)?;
            let (other, m) = estimate(b)?;
            (other.less(&one), n.zip(m).map(|(n, m)| n.min(m)))
        }
    };
    (found.0.value.is_finite() && !found.0.interval.low.is_nan()).then_some(found)
}

/// The difference of two quantiles, which are `one` and `other`.
fn drawn((a, one): (&Drawn, f64), (b, other): (&Drawn, f64)) -> Option<Estimate> {
    let how = Resampling {
        effects: [b.effect, a.effect],
        ..Resampling::seeded(SEED)
    };
    let mut found = if a.cut.is_none() && b.cut.is_none() {
        bootstrap_difference(b.sample(), a.sample(), a.p, &how)?
    } else {
        let low = bootstrap_difference(b.least(), a.sample(), a.p, &how);
        let high = bootstrap_difference(b.sample(), a.least(), a.p, &how);
        Estimate {
            value: other - one,
            interval: Interval {
                low: low.map_or(f64::NEG_INFINITY, |found| found.interval.low),
                high: high.map_or(f64::INFINITY, |found| found.interval.high),
            },
        }
    };
    // Either quantile may be off by its numbers' own error.
    let error = a.error * one + b.error * other;
    if error > 0.0 {
        found.interval.low -= error;
        found.interval.high += error;
    }
    Some(found)
}

/// A number with both ends of its interval, and how many it is of.
fn estimate(cell: &Cell) -> Option<(Estimate, Option<u64>)> {
    let (value, low, high, n) = match cell.written() {
        Cell::Estimate { value, low, high } => (value, low, high, None),
        Cell::Quantile {
            value,
            low,
            high,
            n,
            ..
        } => (value, low, high, Some(n)),
        _ => return None,
    };
    let interval = Interval {
        low: low?,
        high: high?,
    };
    Some((Estimate { value, interval }, n))
}

/// The level at which Holm tests each: α over those not yet rejected, and for all after the first
/// that is not, its own.
fn levels(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|one, other| p[*one].total_cmp(&p[*other]));
    let mut levels = vec![ALPHA; p.len()];
    let mut kept = None;
    for (place, index) in order.into_iter().enumerate() {
        let level = kept.unwrap_or(ALPHA / (p.len() - place) as f64);
        if p[index] > level {
            kept = Some(level);
        }
        levels[index] = level;
    }
    levels
}

/// The interval as wide as `level` asks, by the ratio of the normal quantiles.
fn widened(estimate: &Estimate, level: f64) -> Estimate {
    let reach = |alpha: f64| normal_quantile(1.0 - alpha / 2.0);
    let factor = reach(level) / reach(ALPHA);
    let Estimate { value, interval } = *estimate;
    Estimate {
        value,
        interval: Interval {
            low: value - (value - interval.low) * factor,
            high: value + (interval.high - value) * factor,
        },
    }
}

/// The difference of which nobody cares, beside side A's number.
fn margin(unit: Unit, reference: f64) -> f64 {
    match unit {
        Unit::Span | Unit::Delta => Margin::NANOS.beside(reference),
        Unit::Share | Unit::Points => 0.005,
        Unit::Dollars | Unit::DollarsMore => 0.01 * reference.abs(),
        _ => 0.03 * reference.abs(),
    }
}

fn findings(pairs: &[Pair<'_>], what: &Sides) -> Vec<String> {
    let judged: Vec<(&Pair<'_>, &Found)> = pairs
        .iter()
        .filter_map(|pair| Some((pair, pair.found.as_ref()?)))
        .collect();
    if judged.is_empty() {
        return vec![format!(
            "Nothing can be compared: no row has a number with an interval on both sides (A: {}; \
             B: {}).",
            what[0], what[1]
        )];
    }
    let count = |of: fn(&Verdict) -> bool| {
        let those = judged.iter().filter(|(_, found)| of(&found.verdict));
        number(those.count() as f64, Unit::Count)
    };
    let mut findings = vec![format!(
        "B ({}) against A ({}): of {} numbers compared {} are different, {} equivalent or their \
         difference negligible, {} inconclusive (Holm over all).",
        what[1],
        what[0],
        number(judged.len() as f64, Unit::Count),
        count(|verdict| *verdict == Verdict::Different),
        count(|verdict| matches!(verdict, Verdict::Equivalent | Verdict::RealButNegligible)),
        count(|verdict| matches!(verdict, Verdict::Inconclusive { .. })),
    )];
    let mut different: Vec<_> = judged
        .iter()
        .filter(|(_, found)| found.verdict == Verdict::Different)
        .collect();
    different.sort_by(|(_, a), (_, b)| a.p.total_cmp(&b.p));
    for (pair, found) in different.iter().take(FINDINGS_MAX) {
        let unit = more(pair.unit);
        let said = |cell: &Cell| {
            cell.number()
                .map_or_else(String::new, |value| number(value, pair.unit))
        };
        findings.push(format!(
            "{}: {} went from {} to {}, {} {}: different.",
            pair.row,
            pair.column.name,
            said(pair.a),
            said(pair.b),
            number(found.difference.value, unit),
            ends(found.difference.interval, unit),
        ));
    }
    if different.len() > FINDINGS_MAX {
        let more = different.len() - FINDINGS_MAX;
        findings.push(format!("{more} more that differ are in the table."));
    }
    findings
}

/// The unit of a difference, which has a sign.
const fn more(unit: Unit) -> Unit {
    match unit {
        Unit::Span | Unit::Delta => Unit::Delta,
        Unit::Rate | Unit::RateMore => Unit::RateMore,
        Unit::Share | Unit::Points => Unit::Points,
        Unit::Dollars | Unit::DollarsMore => Unit::DollarsMore,
        Unit::Times | Unit::Number | Unit::Count | Unit::More => Unit::More,
    }
}

fn names(pair: &Pair<'_>) -> [Cell; 5] {
    [
        Cell::text(&pair.sheet.title),
        Cell::text(&pair.row),
        Cell::text(pair.column.name),
        Cell::text(pair.column.key),
        Cell::text(pair.unit.suffix().trim_start_matches('_')),
    ]
}

fn columns() -> Vec<Column> {
    vec![
        Column::words("table_title", "table"),
        Column::words("row", "row"),
        Column::words("number", "number"),
        Column::hidden("key"),
        Column::hidden("unit"),
        Column::new("a", "A", Unit::Number),
        Column::new("b", "B", Unit::Number),
    ]
}

fn differences(pairs: &[Pair<'_>]) -> Sheet {
    let mut all = columns();
    all.extend([
        Column::new("difference", "B less A", Unit::Number),
        Column::new("p_value", "p (Holm)", Unit::Number),
        Column::remark("verdict", "verdict"),
    ]);
    let mut sheet = Sheet::new("differences", "B against A", all).grouped(1);
    for pair in pairs {
        let Some(found) = &pair.found else { continue };
        let both = [pair.a, pair.b].map(|cell| cell.written().bare().in_unit(pair.unit));
        let judged = [
            Cell::estimate(&found.difference).in_unit(more(pair.unit)),
            Cell::Value(found.p),
            Cell::text(verdict(&found.verdict)),
        ];
        let row = names(pair).into_iter().chain(both).chain(judged).collect();
        sheet.rows.push(row);
    }
    sheet
}

fn unjudged(pairs: &[Pair<'_>]) -> Sheet {
    let mut all = columns();
    all.push(Column::new("difference", "B less A", Unit::Number));
    let mut sheet = Sheet::new("side_by_side", "Side by side, not judged", all).grouped(1);
    for pair in pairs.iter().filter(|pair| pair.found.is_none()) {
        let both = [pair.a, pair.b].map(|cell| cell.written().bare().in_unit(pair.unit));
        let difference = pair.a.number().zip(pair.b.number()).map(|(a, b)| b - a);
        let difference = Cell::maybe(difference, "only on one side").in_unit(more(pair.unit));
        let row = names(pair).into_iter().chain(both).chain([difference]);
        sheet.rows.push(row.collect());
    }
    sheet
}

fn one_sided(alone: &[Alone]) -> Sheet {
    let mut sheet = Sheet::new(
        "one_side",
        "On one side only",
        vec![
            Column::words("table_title", "table"),
            Column::words("row", "row"),
            Column::words("side", "side"),
        ],
    );
    for (table, row, side) in alone {
        sheet.rows.push(
            [table, row, *side]
                .map(|text: &str| Cell::text(text))
                .to_vec(),
        );
    }
    sheet
}

/// A chart for each kind of number that differs.
fn charts(pairs: &[Pair<'_>]) -> Vec<Chart> {
    let kinds = [
        (
            Unit::Span,
            "Times, B less A, with 95 % intervals",
            "Right of the line B takes longer.",
        ),
        (
            Unit::Rate,
            "Tokens/s, B less A, with 95 % intervals",
            "Right of the line B is faster.",
        ),
        (
            Unit::Share,
            "Shares, B less A, with 95 % intervals",
            "Right of the line B has more.",
        ),
    ];
    let chart = |(unit, title, note): (Unit, &str, &str)| {
        let bars: Vec<Bar> = pairs
            .iter()
            .filter(|pair| pair.unit == unit)
            .filter_map(|pair| {
                let found = &pair.found.as_ref()?.difference;
                let interval = found.interval;
                interval.is_finite().then(|| Bar {
                    name: format!("{}: {}", pair.row, pair.column.name),
                    value: found.value,
                    interval: Some((interval.low, interval.high)),
                })
            })
            .take(BARS_MAX)
            .collect();
        (!bars.is_empty()).then(|| Chart {
            title: title.to_owned(),
            unit: more(unit),
            plot: Plot::Forest { bars, zero: 0.0 },
            note: format!("{note} The first {BARS_MAX} at most; all are in the table."),
        })
    };
    kinds.into_iter().filter_map(chart).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::render::Format;
    use crate::analysis::render::paper::{json, write};
    use crate::analysis::reports::Listed;
    use crate::analysis::reports::call::Call;
    use crate::analysis::reports::tests::{failing, head as of, made_up, routed};

    fn sides() -> Sides {
        ["the week before".to_owned(), "this week".to_owned()]
    }

    /// Three hundred answers of which the first token comes after about `first` milliseconds.
    fn week(first: f64) -> Vec<Call> {
        let jitter = |n: usize| (n * 37 % 60) as f64;
        (0..300).map(|n| made_up(n, first + jitter(n))).collect()
    }

    #[test]
    fn what_changed_is_different_and_what_did_not_is_not() {
        let one = Listed::Models.paper(&week(300.0), of());
        let slower = Listed::Models.paper(&week(400.0), of());
        let paper = compared(&one, &slower, &sides());
        let rows = &json(&paper)["tables"]["differences"];
        let row = |key: &str| {
            let rows = rows.as_array().unwrap().iter();
            rows.clone().find(|row| row["key"] == key).unwrap().clone()
        };
        let first = row("first_token_p50");
        assert_eq!(first["difference"], 100.0);
        assert_eq!(first["verdict"], "different");
        assert!(first["p_value"].as_f64().unwrap() < 1e-6);
        assert_eq!(row("output_rate_p50")["verdict"], "equivalent");
        assert!(
            paper.findings[1]
                .contains("gpt-4.1, openai: first token p50 went from 330 ms to 430 ms, +100 ms ["),
            "{:?}",
            paper.findings
        );
        let same = compared(&one, &one, &sides());
        assert!(
            same.findings[0].contains("0 are different"),
            "{:?}",
            same.findings
        );
    }

    #[test]
    fn rows_without_a_difference_take_no_others_place() {
        // Half of the rows are numbers without an interval; the last of all differs.
        let column = |key| Column::new(key, key, Unit::Span);
        let side = |shift: f64| {
            let mut sheet = Sheet::new(
                "times",
                "Times",
                vec![Column::words("row", "row"), column("bare"), column("told")],
            );
            for row in 0..20 {
                let told = Estimate {
                    value: 300e6 + if row == 19 { shift } else { 0.0 },
                    interval: Interval {
                        low: 290e6 + if row == 19 { shift } else { 0.0 },
                        high: 310e6 + if row == 19 { shift } else { 0.0 },
                    },
                };
                sheet.rows.push(vec![
                    Cell::text(format!("row {row:02}")),
                    Cell::Value(5e6),
                    Cell::estimate(&told),
                ]);
            }
            sheet
        };
        let (a, b) = (side(0.0), side(100e6));
        let (mut pairs, alone) = matched(&a, &b);
        assert!(alone.is_empty() && pairs.len() == 40);
        judge(&mut pairs);
        let found: Vec<_> = pairs
            .iter()
            .filter_map(|pair| Some((&pair.row, pair.found.as_ref()?)))
            .collect();
        assert_eq!(found.len(), 20);
        for (row, found) in found {
            let is_last = row.as_str() == "row 19";
            assert_eq!(found.verdict == Verdict::Different, is_last, "{row}");
            assert_eq!(found.p < 1e-6, is_last, "{row}: {}", found.p);
        }
    }

    #[test]
    fn holm_asks_more_of_many() {
        // Alone at 5 %, of four at 1.25 %; after the first that is not rejected its level holds.
        let found = levels(&[0.02, 0.001, 0.9, 0.5]);
        let expected = [ALPHA / 3.0, ALPHA / 4.0, ALPHA / 3.0, ALPHA / 3.0];
        for (one, other) in found.iter().zip(expected) {
            assert!((one - other).abs() < 1e-12, "{found:?}");
        }
        let edge = Estimate {
            value: 1.0,
            interval: Interval {
                low: 0.0,
                high: 2.0,
            },
        };
        assert!((edge.p_value(ALPHA) - ALPHA).abs() < 1e-9);
        assert!(widened(&edge, 0.01).p_value(ALPHA) > 2.0 * ALPHA);
    }

    #[test]
    fn every_report_is_compared_in_every_format() {
        let worlds: [Vec<Call>; 4] = [
            Vec::new(),
            vec![made_up(0, 300.0)],
            (0..80).map(failing).collect(),
            week(300.0)
                .into_iter()
                .map(|call| routed(call, None))
                .collect(),
        ];
        for listed in Listed::ALL {
            for (a, b) in worlds
                .iter()
                .flat_map(|a| worlds.iter().map(move |b| (a, b)))
            {
                let paper = compared(&listed.paper(a, of()), &listed.paper(b, of()), &sides());
                assert!(!paper.findings.is_empty());
                for format in Format::ALL {
                    let text = write(&paper, format);
                    assert!(
                        !text.contains("NaN"),
                        "{} {format:?}: {text}",
                        listed.name()
                    );
                }
                let value = json(&paper);
                assert_eq!(value["schema"], "tollgate.report.compare/1");
                assert_eq!(value["head"]["sides"]["a"]["what"], "the week before");
            }
        }
    }
}
