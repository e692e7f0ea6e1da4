//! A table of a report.

use super::cell::{Cell, Unit};

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its key where a machine reads it, without the unit's suffix.
    pub key: &'static str,
    /// Its name where a person reads it.
    pub name: &'static str,
    /// What its numbers are measured in.
    pub unit: Unit,
    /// Whether people see it: what only machines need is left out for them.
    pub shown: bool,
    /// Whether its words are a remark on the row, and not a part of what the row is of.
    pub remark: bool,
}

impl Column {
    /// A column of numbers.
    #[must_use]
    pub const fn new(key: &'static str, name: &'static str, unit: Unit) -> Self {
        Self {
            key,
            name,
            unit,
            shown: true,
            remark: false,
        }
    }

    /// A column of words that remark on a row: of two windows they may differ in the same row.
    #[must_use]
    pub const fn remark(key: &'static str, name: &'static str) -> Self {
        Self {
            remark: true,
            ..Self::words(key, name)
        }
    }

    /// A column that only machines read.
    #[must_use]
    pub const fn hidden(key: &'static str) -> Self {
        Self {
            shown: false,
            ..Self::new(key, key, Unit::Number)
        }
    }

    /// A column of names or words.
    #[must_use]
    pub const fn words(key: &'static str, name: &'static str) -> Self {
        Self::new(key, name, Unit::Number)
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// Its key where a machine reads it.
    pub key: &'static str,
    /// What it shows.
    pub title: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// How many of the first columns name a group of rows: people see a table for each group.
    pub grouped_by: usize,
    /// Its rows: as many cells each as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

impl Sheet {
    /// A table without rows.
    pub fn new(key: &'static str, title: impl Into<String>, columns: Vec<Column>) -> Self {
        Self {
            key,
            title: title.into(),
            columns,
            grouped_by: 0,
            rows: Vec::new(),
        }
    }

    /// The same with rows in groups, named by the first `count` columns.
    #[must_use]
    pub fn grouped(mut self, count: usize) -> Self {
        self.grouped_by = count;
        self
    }

    /// The words that say what `row` is of.
    #[must_use]
    pub fn names_of<'a>(&self, row: &'a [Cell]) -> Vec<&'a str> {
        let cells = self.columns.iter().zip(row);
        cells
            .filter_map(|(column, cell)| match cell {
                Cell::Text(text) if !column.remark => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Whether its rows are of moments, which another window does not have.
    #[must_use]
    pub fn is_of_moments(&self) -> bool {
        self.columns.iter().any(|column| column.key == "at")
    }

    /// The tables that people see: a title, the places of the columns, the rows.
    #[must_use]
    pub fn tables(&self) -> Vec<(String, Vec<usize>, Vec<&[Cell]>)> {
        let shown: Vec<usize> = (self.grouped_by..self.columns.len())
            .filter(|at| self.columns[*at].shown)
            .collect();
        let mut tables: Vec<(String, Vec<usize>, Vec<&[Cell]>)> = Vec::new();
        for row in &self.rows {
            let group: Vec<&str> = row[..self.grouped_by.min(row.len())]
                .iter()
                .filter_map(|cell| match cell {
                    Cell::Text(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect();
            let title = match group.join(", ") {
                group if group.is_empty() => self.title.clone(),
                group => format!("{}: {group}", self.title),
            };
            match tables.last_mut().filter(|(last, ..)| *last == title) {
                Some((_, _, rows)) => rows.push(row),
                None => tables.push((title, shown.clone(), vec![row])),
            }
        }
        tables
    }
}
