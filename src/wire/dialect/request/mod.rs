//! Reads what routing needs from a request's body without a tree of it, and edits it by splices.

mod fault;

mod depth;

mod reading;

mod facts;

mod native;

mod edit;

#[cfg(test)]
mod tests;

pub use edit::{Edits, edit};
pub use facts::read;
pub use fault::RequestFault;
pub use reading::{RequestReading, path_model};
