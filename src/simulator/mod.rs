//! Plays providers with stamped timing and faults, and tells Tollgate's own measuring error.

pub mod truth;

pub mod provider;

pub mod bare;

pub mod cast;

pub mod habit;

pub mod history;

pub mod selftest;

pub use provider::{
    AnswerKey, Behaviour, Config, Delay, Delivery, Fault, Framing, Pacing, Persona, Quirks, Script,
    Simulator, Then,
};
pub use truth::{Carried, PeerEnd, Truth, Write};
