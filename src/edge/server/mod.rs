//! Listens to clients.
