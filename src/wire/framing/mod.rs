//! Cuts response bytes into events, frames and objects, undoes compression on a side copy, and filters what we asked for.

pub mod sse;

pub mod event_stream;

pub mod json_objects;

mod zstd;

pub mod inflate;

pub mod usage_filter;
