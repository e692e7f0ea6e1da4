//! Takes one request through the street: intake, candidates, plan, failover, relay, tap, settle.

mod names;

pub mod secret;

pub mod inband;

pub mod bill;

mod booking;

mod canaries;

mod presence;

pub mod accounts;

pub mod settle;

mod read_on;

pub mod tap;

pub mod reject;

pub mod filter;

pub mod address;

pub mod paths;

pub mod speech;

mod unknown;

pub mod candidates;

pub mod quotes;

mod weigh;

pub mod headers;

pub mod authorise;

pub mod intake;

mod described;

pub mod inquiry;

pub mod models;

mod lot;

pub mod ours;

pub mod shared;

pub mod outlook;

pub mod failover;

pub mod relay;

mod shadow;

mod stateful;

pub mod street;

pub use secret::Hasher;
pub use shared::Shared;
pub use street::Proxy;
