//! Cuts response bytes into events and frames, undoes compression on a side copy, and filters what we asked for.

pub mod sse;

pub mod event_stream;

mod zstd;

pub mod inflate;

pub mod usage_filter;
