//! Touches the outside world, one thing each: client sockets, provider sockets, the disk.

pub mod stamp;

mod known_names;

pub mod server;

pub mod upstream;

pub mod credentials;

pub mod store;

pub mod alert;
