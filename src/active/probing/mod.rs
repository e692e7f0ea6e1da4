//! Asks routes for a few tokens, so that how they are is known without anybody's traffic.

mod ask;

mod purse;

pub mod idle;

pub mod round;

pub mod wish;

pub mod history;

pub mod outbox;

pub mod watching;

pub mod lists;

pub mod scheduled;

pub use ask::PROMPT_TOKENS;
pub use idle::{Idle, due};
pub use purse::Purse;
pub use round::{Round, asked_models, cost_of};
pub use scheduled::{Scheduled, deliver};
pub use watching::{Watched, Watching};
pub use wish::Wish;
