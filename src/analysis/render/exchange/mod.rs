//! Writes one record with every field that it has, as JSON or as lines of CSV.
//!
//! Schema `tollgate.exchange/1`: fields are added, never renamed or removed, within one version.
//! What is unknown is absent from JSON's meaning (`null`) and empty in CSV. [`fields::FIELDS`]
//! says what each field means.

pub mod fields;

mod json;

mod csv;

pub use csv::{header, lines};
pub use json::Json;

/// The name and version of the schema.
pub const SCHEMA: &str = "tollgate.exchange/1";

#[cfg(test)]
pub(super) mod tests;
