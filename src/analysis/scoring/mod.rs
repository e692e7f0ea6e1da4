//! Judges answers: what one is worth against what was expected, and why there may be no score.
//!
//! A scorer has three ways to end. It gives a score of 0 to 1; it says that there is nothing to
//! score in the answer, which counts as 0 and lowers the share of answers with a score; or it
//! fails, which says nothing of the answer and is counted apart.

mod answer;

mod grade;

mod number;

mod words;

mod pattern;

mod schema;

mod field;

mod call;

mod choice;

mod reply;

mod check;

pub use answer::{Answer, Call, json_in};
pub use check::{Check, Misfit};
pub use choice::{Choices, Chosen};
pub use field::Path;
pub use grade::{Grade, Scored, ScorerFault};
pub use pattern::Pattern;
pub use reply::{Graded, read_reply};
pub use schema::Schema;
