//! Talks to providers: connects, pools, sends, and times every phase of it.

pub mod forward;

pub mod fault;

pub mod body;

pub mod outgoing;

pub mod chunk;

pub mod tunnel;

pub mod network;

pub mod tls;

mod socket;

mod http1;

pub mod connect;

pub mod pool;

pub mod answer;

pub mod send;

pub use answer::AnswerBody;
pub use body::UpstreamBody;
pub use chunk::Chunk;
pub use fault::{BodyFault, Phase, SendFault};
pub use forward::{ForwardFault, ProxyRules};
pub use network::{Dialled, Network};
pub use outgoing::{Outgoing, OutgoingBody};
pub use pool::{Lease, Pool};
pub use send::{Answer, Phases};
