//! Writes what a chart shows as text, with every digit that is known.

use crate::analysis::paper::{Chart, Plot, Unit};

/// The title, how to read it, and a line for each number: names, the number, and the ends of its
/// 95 % interval, in the unit that the head of the column names.
#[must_use]
pub fn exact(chart: &Chart) -> String {
    let (head, rows) = rows(chart);
    let mut text = format!("{}\n{}\n\n", chart.title, chart.note);
    let all = || std::iter::once(&head).chain(&rows);
    let widths: Vec<usize> = (0..head.len())
        .map(|at| all().map(|row| row[at].chars().count()).max().unwrap_or(0))
        .collect();
    for row in all() {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

type Row = Vec<String>;

fn rows(chart: &Chart) -> (Row, Vec<Row>) {
    let unit = chart.unit;
    let value = |name: &str, unit: Unit| format!("{name}{}", unit.suffix());
    let head = |names: &[&str]| -> Row {
        let names = names.iter().map(|name| (*name).to_owned());
        names
            .chain([
                value("value", unit),
                value("low", unit),
                value("high", unit),
            ])
            .collect()
    };
    match &chart.plot {
        Plot::Forest { bars, .. } => {
            let rows = bars.iter().map(|bar| {
                let mut row = vec![bar.name.clone()];
                row.extend(numbers(Some(bar.value), bar.interval, unit));
                row
            });
            (head(&["of"]), rows.collect())
        }
        Plot::Lines {
            lines, labels, x, ..
        } => {
            let is_named = (x.1 - x.0 + 1.0 - labels.len() as f64).abs() < 0.5;
            let place = |at: f64| match labels.get((at - x.0) as usize).filter(|_| is_named) {
                Some(label) => label.clone(),
                None => at.to_string(),
            };
            let rows = lines.iter().flat_map(|line| {
                line.points.iter().map(move |(at, y)| {
                    let band = line.band.iter().find(|band| (band.x - at).abs() < 1e-9);
                    let ends = band.map(|band| (band.low, band.high));
                    let mut row = vec![line.name.clone(), place(*at)];
                    row.extend(numbers(*y, ends, unit));
                    row
                })
            });
            (head(&["line", "at"]), rows.collect())
        }
        Plot::Heat(heat) => {
            let mut rows = Vec::new();
            for (row, values) in heat.rows.iter().zip(&heat.values) {
                for (column, cell) in heat.columns.iter().zip(values) {
                    let ends = cell.and_then(|(_, ends)| ends);
                    let mut line = vec![row.clone(), column.clone()];
                    line.extend(numbers(cell.map(|(value, _)| value), ends, unit));
                    rows.push(line);
                }
            }
            (head(&["row", "column"]), rows)
        }
        Plot::Curves(curves) => {
            let names = ["curve", "n"].map(str::to_owned);
            let names = names.into_iter().chain([value("value", unit)]);
            let names = names.chain(["share", "low", "high"].map(str::to_owned));
            let rows = curves.iter().flat_map(|curve| {
                curve.steps.iter().map(move |step| {
                    vec![
                        curve.name.clone(),
                        curve.count.to_string(),
                        unit.scaled(step.at).to_string(),
                        step.share.to_string(),
                        step.low.to_string(),
                        step.high.to_string(),
                    ]
                })
            });
            (names.collect(), rows.collect())
        }
        Plot::Scatter {
            points,
            x_unit,
            x_name,
            y_name,
        } => {
            let mut names = vec!["of".to_owned()];
            for (name, unit) in [(x_name, *x_unit), (y_name, unit)] {
                names.push(value(name, unit));
                names.extend(["low", "high"].map(|end| value(end, unit)));
            }
            let rows = points.iter().map(|point| {
                let mut row = vec![point.name.clone()];
                row.extend(numbers(Some(point.x), point.x_ends, *x_unit));
                row.extend(numbers(Some(point.y), point.y_ends, unit));
                row
            });
            (names, rows.collect())
        }
    }
}

fn numbers(value: Option<f64>, ends: Option<(f64, f64)>, unit: Unit) -> [String; 3] {
    let written = |value: Option<f64>| {
        value.map_or_else(|| "-".to_owned(), |value| unit.scaled(value).to_string())
    };
    [
        written(value),
        written(ends.map(|ends| ends.0)),
        written(ends.map(|ends| ends.1)),
    ]
}
