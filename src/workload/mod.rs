//! Makes requests, arrivals and randomised orders from a seed: the same seed, the same run.

pub mod prompts;

pub mod sizes;

pub mod schedule;

pub mod cron;

pub mod agenda;

pub mod pairing;

pub mod spec;

pub mod sweep;

pub mod trace;
