//! Turns timestamped chunks of one response into its marks, gaps, usage, ending and oddities.

mod seen;

mod share;

mod gaps;

mod oddities;

mod template;

mod reader;

mod framed;

mod observe;

mod aliases;

mod content;

mod ending;

pub use observe::Observer;
pub use seen::{BodyEnd, Expect, Observation, Seen, Stands, TokenKind};

#[cfg(test)]
mod native_tests;

#[cfg(test)]
mod form_tests;
