//! Reads each provider's language and turns timestamped chunks into timings, usage and oddities.

pub mod framing;

pub mod dialect;

pub mod translation;

pub mod observer;
