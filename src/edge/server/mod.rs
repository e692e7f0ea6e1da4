//! Listens to clients: sockets, TLS, connection limits and time-outs, draining.

pub mod drain;

pub mod host;

pub mod listen;

pub mod tls;

pub mod limits;

pub mod request_body;

mod http1;

mod resumed;

mod seldom;

mod library;

mod unread;

mod http2;

pub mod connection;

pub mod accept;

pub mod descriptors;

pub mod inlet;

pub use accept::{AcceptLimits, Counters, serve};
pub use connection::Peer;
pub use descriptors::Descriptors;
pub use drain::{Drain, Stop};
pub use host::host_name;
pub use inlet::{Door, Inlet, serve_inlet};
pub use limits::ConnectionLimits;
pub use listen::{ListenFault, listen};
pub use request_body::{RequestBody, RequestBroke};
pub use tls::{CertificateFault, Certificates};
