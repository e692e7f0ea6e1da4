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
}

impl Column {
    /// A column of numbers.
    #[must_use]
    pub const fn new(key: &'static str, name: &'static str, unit: Unit) -> Self {
        Self { key, name, unit }
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
            rows: Vec::new(),
        }
    }
}
