//! Turns what a config says into settings, table by table.

pub(super) mod work;

pub(super) mod numbers;

pub(super) mod listeners;

pub(super) mod logins;

pub(super) mod credentials;

pub(super) mod endpoint;

pub(super) mod providers;

pub(super) mod policies;

pub(super) mod models;

pub(super) mod rules;

pub(super) mod vain;

pub(super) mod probes;
pub(super) mod runs;

pub(super) mod experiments;

pub(super) mod prices;
