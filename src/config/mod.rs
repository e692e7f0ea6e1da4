//! Turns text into settings that need no further checking.

pub mod settings;
