//! Knows what models cost: a price table, and the cost of an attempt in whole pico-dollars.
//!
//! **Exactness.** A price is US dollars per million tokens with at most six decimals, which is a
//! whole number of pico-dollars per token: every product and sum is exact. Only a share (batch,
//! discount) can leave a fraction; it is applied once, to the sum, and rounded to the nearest
//! pico-dollar, halves upward.
//!
//! **Unknown is not zero.** What has no verified price has no cost, and a reason
//! ([`crate::record::NoCost`]).

mod amount;

mod moment;

mod row;

mod table;

mod cost;

mod quote;

mod hosting;

mod diff;

pub use amount::{Rate, Share, dollars};
pub use cost::{Call, cost};
pub use diff::{Change, diff};
pub use hosting::Hosting;
pub use moment::{Days, Span, day, instant};
pub use quote::Quote;
pub use row::{LongContext, PriceRow, Prices, Tier, Window};
pub use table::{Asked, PriceTable};

#[cfg(test)]
mod tests;
