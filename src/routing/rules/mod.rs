//! Finds what holds for a request among the user's rules: the first that matches wins.

mod hours;

mod rule;

pub use hours::Hours;
pub use rule::{Facts, Range, RouteP95, Rule, first};
