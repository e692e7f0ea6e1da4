//! Talks to providers: connects, pools, sends, and times every phase of it.

pub mod fault;

pub mod body;

pub mod tunnel;

pub mod tls;

mod socket;

mod driver;

pub mod connect;

pub mod pool;

pub mod answer;

pub mod send;

pub use answer::AnswerBody;
pub use body::UpstreamBody;
pub use fault::{Phase, SendFault};
pub use pool::{Lease, Pool};
pub use send::{Answer, Outgoing, Phases};
pub use tunnel::ProxyRules;
