//! Writes what a chart shows as a table under it, for who cannot or will not read drawings.

use super::drawing::escaped;
use super::words::number;
use crate::analysis::paper::{Chart, Curve, Line, Plot, Unit};
use crate::analysis::render::units::{minute, three_digits};
use crate::record::WallTime;

/// Rows of such a table at most.
const ROWS_MAX: usize = 400;
/// Places of a scale of dates, microseconds since 1970, are over this.
const DATES: f64 = 1e12;
/// Shares at which a curve is read off.
const READ_OFF: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// The table, closed until somebody opens it.
pub(super) fn table(chart: &Chart) -> String {
    let (names, rows) = match &chart.plot {
        Plot::Forest { bars, .. } => (
            vec![
                String::new(),
                "value".to_owned(),
                "95 % interval".to_owned(),
            ],
            bars.iter()
                .map(|bar| {
                    vec![
                        bar.name.clone(),
                        number(bar.value, chart.unit),
                        interval(bar.interval, chart.unit),
                    ]
                })
                .collect(),
        ),
        Plot::Lines {
            lines, labels, x, ..
        } => of_lines(lines, labels, *x, chart.unit),
        Plot::Heat(heat) => (
            std::iter::once(String::new())
                .chain(heat.columns.iter().cloned())
                .collect(),
            heat.rows
                .iter()
                .enumerate()
                .map(|(row, name)| {
                    let cells =
                        (0..heat.columns.len()).map(|column| heat.said(row, column, chart.unit));
                    std::iter::once(name.clone()).chain(cells).collect()
                })
                .collect(),
        ),
        Plot::Scatter {
            points,
            x_unit,
            x_name,
            y_name,
        } => (
            vec![
                String::new(),
                x_name.clone(),
                "95 % interval".to_owned(),
                y_name.clone(),
                "95 % interval".to_owned(),
            ],
            points
                .iter()
                .map(|point| {
                    vec![
                        point.name.clone(),
                        number(point.x, *x_unit),
                        interval(point.x_ends, *x_unit),
                        number(point.y, chart.unit),
                        interval(point.y_ends, chart.unit),
                    ]
                })
                .collect(),
        ),
        Plot::Curves(curves) => of_curves(curves, chart.unit),
    };
    written(&names, &rows)
}

type Rows = (Vec<String>, Vec<Vec<String>>);

fn interval(ends: Option<(f64, f64)>, unit: Unit) -> String {
    ends.map_or_else(
        || "—".to_owned(),
        |(low, high)| format!("[{}, {}]", number(low, unit), number(high, unit)),
    )
}

fn of_lines(lines: &[Line], labels: &[String], x: (f64, f64), unit: Unit) -> Rows {
    let names = std::iter::once(String::new()).chain(lines.iter().map(|line| line.name.clone()));
    let mut places: Vec<f64> = lines
        .iter()
        .flat_map(|line| line.points.iter().map(|point| point.0))
        .collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    // As many labels as whole places: they are of these, and else of moments.
    let is_named = (x.1 - x.0 + 1.0 - labels.len() as f64).abs() < 0.5;
    let place = |at: f64| match labels.get((at - x.0) as usize).filter(|_| is_named) {
        Some(label) => label.clone(),
        // No date: a load, or seconds.
        None if at.abs() < DATES => three_digits(at),
        None => minute(WallTime(at as i64)),
    };
    let value = |line: &Line, at: f64| {
        let same = |other: f64| (other - at).abs() < 1e-9;
        let found = line.points.iter().find(|point| same(point.0));
        let Some(value) = found.and_then(|point| point.1) else {
            return "—".to_owned();
        };
        let band = line.band.iter().find(|band| same(band.x));
        match band {
            Some(band) => format!(
                "{} {}",
                number(value, unit),
                interval(Some((band.low, band.high)), unit)
            ),
            None => number(value, unit),
        }
    };
    let rows = places.into_iter().map(|at| {
        let values = lines.iter().map(|line| value(line, at));
        std::iter::once(place(at)).chain(values).collect()
    });
    (names.collect(), rows.collect())
}

fn of_curves(curves: &[Curve], unit: Unit) -> Rows {
    let shares = READ_OFF.map(|share| format!("by then {:.0} %", share * 100.0));
    let names = [String::new(), "n".to_owned()].into_iter().chain(shares);
    let rows = curves.iter().map(|curve| {
        let at = |share: f64| {
            let step = curve.steps.iter().find(|step| step.share >= share);
            step.map_or_else(|| "never".to_owned(), |step| number(step.at, unit))
        };
        let cells = READ_OFF.map(at);
        [curve.name.clone(), number(curve.count as f64, Unit::Count)]
            .into_iter()
            .chain(cells)
            .collect()
    });
    (names.collect(), rows.collect())
}

fn written(names: &[String], rows: &[Vec<String>]) -> String {
    let head: String = names
        .iter()
        .map(|name| format!("<th scope=\"col\">{}</th>", escaped(name)))
        .collect();
    let body: String = rows
        .iter()
        .take(ROWS_MAX)
        .map(|row| {
            let cells: String = row
                .iter()
                .enumerate()
                .map(|(at, text)| {
                    let class = if at == 0 { " class=\"words\"" } else { "" };
                    format!("<td{class}>{}</td>", escaped(text))
                })
                .collect();
            format!("<tr>{cells}</tr>")
        })
        .collect();
    let rest = rows.len().saturating_sub(ROWS_MAX);
    let rest = if rest > 0 {
        format!("<p class=\"note\">{rest} further rows are in the csv.</p>")
    } else {
        String::new()
    };
    format!(
        "<details class=\"numbers\"><summary>The numbers</summary><div class=\"across\" \
         tabindex=\"0\"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{rest}</details>"
    )
}
