//! Writes one record with every field that it has, as JSON or as lines of CSV, and reads the JSON
//! back.
//!
//! Schema `tollgate.exchange/1`: fields are added, never renamed or removed, within one version.
//! What is unknown is absent from JSON's meaning (`null`) and empty in CSV. [`fields::FIELDS`]
//! says what each field means.

pub mod fields;

mod json;

mod csv;

mod read;

pub use csv::{header, lines};
pub use json::Json;
pub use read::read;

/// The name and version of the schema.
pub const SCHEMA: &str = "tollgate.exchange/1";

#[cfg(test)]
pub(in crate::analysis) mod tests;
