//! Writes a record as lines of CSV: one per attempt, what the exchange has repeated on each.

use serde_json::Value;

use crate::analysis::render::csv;
use crate::record::{ExchangeRecord, Mark};

use super::fields::FIELDS;
use super::json::Json;

/// The line of column names.
#[must_use]
pub fn header() -> String {
    let names: Vec<String> = columns().iter().map(Column::name).collect();
    let names = names.iter().map(String::as_str);
    csv::line(["attempt"].into_iter().chain(names))
}

/// The lines of `record`; without attempts it has one, whose attempt is empty.
#[must_use]
pub fn lines(record: &ExchangeRecord) -> String {
    let whole = serde_json::to_value(Json(record)).unwrap_or_default();
    let attempts = whole.get("attempts").and_then(Value::as_array);
    let attempts = attempts.map_or(&[][..], Vec::as_slice);
    let columns = columns();
    let line = |number: String, attempt: &Value| {
        let fields: Vec<String> = columns
            .iter()
            .map(|column| column.field(&whole, attempt))
            .collect();
        csv::line(
            [number.as_str()]
                .into_iter()
                .chain(fields.iter().map(String::as_str)),
        )
    };
    if attempts.is_empty() {
        return line(String::new(), &Value::Null);
    }
    let numbered = attempts.iter().enumerate();
    numbered
        .map(|(at, attempt)| line((at + 1).to_string(), attempt))
        .collect()
}

/// A column, by the path of its field.
enum Column {
    Exchange(&'static str),
    Attempt(&'static str),
    Timeline(Mark),
}

fn columns() -> Vec<Column> {
    let mut columns = Vec::with_capacity(FIELDS.len() + Mark::ALL.len());
    for (path, _) in FIELDS {
        match path.strip_prefix("attempts[].") {
            Some("timeline_ns") => columns.extend(Mark::ALL.map(Column::Timeline)),
            Some(path) => columns.push(Column::Attempt(path)),
            None if *path == "attempts" => {}
            None => columns.push(Column::Exchange(path)),
        }
    }
    columns
}

impl Column {
    fn name(&self) -> String {
        match self {
            Self::Exchange(path) => path.replace('.', "_"),
            Self::Attempt(path) => format!("attempt_{}", path.replace('.', "_")),
            Self::Timeline(mark) => format!("attempt_timeline_{}_ns", mark.name()),
        }
    }

    fn field(&self, exchange: &Value, attempt: &Value) -> String {
        let found = match self {
            Self::Exchange(path) => at(exchange, path),
            Self::Attempt(path) => at(attempt, path),
            Self::Timeline(mark) => attempt
                .get("timeline_ns")
                .and_then(|marks| marks.get(mark.name())),
        };
        match found {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(list)) if list.is_empty() => String::new(),
            Some(Value::Object(map)) if map.is_empty() => String::new(),
            Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
                let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
                texts.join(" ")
            }
            Some(other) => other.to_string(),
        }
    }
}

fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, key| value.get(key))
}
