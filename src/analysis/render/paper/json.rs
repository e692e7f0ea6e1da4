//! Writes a laid-out report as JSON: flat rows whose keys name their units.

use serde_json::{Map, Value, json};

use super::words;
use crate::analysis::paper::{Cell, Column, Head, Paper, Sheet, Source, Unit};
use crate::statistics::DEFINITIONS;
use crate::statistics::sketch::RELATIVE_ERROR;

/// The report. Of each number there is `key_unit`; with its interval `…_low` and `…_high`, of a
/// quantile how many numbers it is of as `key_n`, and `key_few_hours` where these are of less than three hours; where there is none it is null, and `…_why` says why. Infinite numbers are the text `"inf"`.
pub(super) fn value(paper: &Paper) -> Value {
    let tables: Map<String, Value> = paper
        .sheets
        .iter()
        .map(|sheet| (sheet.key.to_owned(), rows(sheet)))
        .collect();
    json!({
        "schema": format!("tollgate.report.{}/{}", paper.name, paper.version),
        "title": paper.title,
        "findings": paper.findings,
        "head": head(&paper.head),
        "tables": tables,
        "notes": words::notes(paper),
    })
}

/// Several reports as one value.
pub(super) fn values(papers: &[Paper]) -> Value {
    json!({
        "schema": "tollgate.reports/1",
        "reports": papers.iter().map(value).collect::<Vec<_>>(),
    })
}

fn head(head: &Head) -> Value {
    let excluded: Map<String, Value> = head
        .excluded
        .iter()
        .map(|(reason, count)| (reason.clone(), (*count).into()))
        .collect();
    let configs: Vec<String> = head
        .configs
        .iter()
        .map(|hash| format!("{:016x}", hash.0))
        .collect();
    let sides: Map<String, Value> = head
        .sides
        .iter()
        .map(|side| {
            let mut of = self::head(&side.head);
            of["what"] = side.what.clone().into();
            (side.name.to_lowercase(), of)
        })
        .collect();
    let notes = head.remarks.iter().map(|note| {
        json!({ "at": note.at.rfc3339(), "route": note.route.as_deref(), "text": note.text })
    });
    let notes: Vec<Value> = notes.collect();
    let mut value = json!({
        "from": head.window.from.rfc3339(),
        "until": head.window.until.rfc3339(),
        "made": head.made.rfc3339(),
        "origin": head.origin,
        "selection": head.selection,
        "source": source(head.source),
        "scanned": head.scanned,
        "taken": head.taken,
        "excluded": excluded,
        "configs": configs,
        "own_delay_p50_ms": head.own_delay.map(|(p50, _)| p50 / 1e6),
        "own_delay_p99_ms": head.own_delay.map(|(_, p99)| p99 / 1e6),
        "seed": head.seed,
        "method": head.method,
        "notes": notes,
        "definitions": DEFINITIONS,
        "tollgate": env!("CARGO_PKG_VERSION"),
    });
    if !sides.is_empty() {
        value["sides"] = sides.into();
    }
    value
}

fn source(source: Source) -> Value {
    match source {
        Source::Records => json!({ "of": "records" }),
        Source::Sample {
            share,
            slices,
            seed,
        } => {
            let chance = share.fraction();
            json!({
                "of": "sample", "chance": chance, "one_in": share.one_in(), "slices": slices,
                "seed": seed,
            })
        }
        Source::Rollups => json!({ "of": "rollups", "relative_error": RELATIVE_ERROR }),
    }
}

fn rows(sheet: &Sheet) -> Value {
    let row = |cells: &Vec<Cell>| {
        let mut object = Map::new();
        for (cell, column) in cells.iter().zip(&sheet.columns) {
            put(&mut object, cell, column);
        }
        Value::Object(object)
    };
    sheet.rows.iter().map(row).collect()
}

fn put(object: &mut Map<String, Value>, cell: &Cell, column: &Column) {
    let name = format!("{}{}", column.key, column.unit.suffix());
    put_in(object, cell, column.key, name, column.unit);
}

fn put_in(object: &mut Map<String, Value>, cell: &Cell, key: &str, name: String, unit: Unit) {
    let number = |value: f64| scalar(unit.scaled(value), unit);
    match cell {
        Cell::In(unit, cell) => put_in(object, cell, key, name, *unit),
        Cell::Share(_) => put_in(object, &cell.written(), key, name, unit),
        Cell::Text(text) => {
            object.insert(name, text.clone().into());
        }
        Cell::Value(value) => {
            object.insert(name, number(*value));
        }
        Cell::Estimate { value, low, high } => {
            object.insert(format!("{name}_low"), low.map_or(Value::Null, number));
            object.insert(format!("{name}_high"), high.map_or(Value::Null, number));
            object.insert(name, number(*value));
        }
        Cell::Quantile {
            value,
            low,
            high,
            n,
            few_hours,
            ..
        } => {
            if *few_hours {
                object.insert(format!("{key}_few_hours"), true.into());
            }
            object.insert(format!("{name}_low"), low.map_or(Value::Null, number));
            object.insert(format!("{name}_high"), high.map_or(Value::Null, number));
            object.insert(format!("{key}_n"), (*n).into());
            object.insert(name, number(*value));
        }
        Cell::Absent(why) => {
            object.insert(format!("{name}_why"), why.clone().into());
            object.insert(name, Value::Null);
        }
    }
}

fn scalar(value: f64, unit: Unit) -> Value {
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.into();
    }
    if unit == Unit::Count {
        return (value as u64).into();
    }
    value.into()
}
