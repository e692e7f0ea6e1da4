//! Carries finished records to the statistics in memory, the store and the live feed.

pub mod recent;

pub mod canaries;

pub mod addresses;

mod spending;

pub mod standing;

pub mod shown;

mod health;

mod sleep;

mod inbox;

mod shared;

mod intake;

mod writer;

mod handle;

pub mod kept;

pub use addresses::Addresses;
pub use handle::{Recorder, Running};
pub use health::{State, StoreHealth};
pub use recent::Recent;
pub use shown::StandingNow;
pub use spending::{Spending, Spent};
pub use standing::Standing;
pub use writer::{Opener, Pace};
