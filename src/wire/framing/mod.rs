//! Cuts response bytes into events, undoes compression on a side copy, and filters what we asked for.

pub mod sse;

mod zstd;

pub mod inflate;

pub mod usage_filter;
