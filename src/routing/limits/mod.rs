//! Reads what rate-limit headers say: how long to wait, and how much is left until when.

mod date;

mod meter;

mod declared;

mod fields;

mod span;

mod wait;

pub use date::http_date;
pub use declared::{Declared, declared, declares_tokens};
pub use meter::{Limit, Meter};
pub use span::reset;
pub use wait::wait;
