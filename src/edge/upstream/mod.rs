//! Talks to providers.
