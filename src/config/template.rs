//! Holds the configs that are shipped as texts: an example to start from, and every default.

/// What `config init` writes: a short commented example.
pub const EXAMPLE: &str = include_str!("../../config/examples/tollgate.toml");

/// Every key, its default, and why.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");
