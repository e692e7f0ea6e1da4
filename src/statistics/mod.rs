//! Summarises many numbers honestly.
