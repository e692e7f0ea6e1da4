//! Keeps records on disk.
