//! Makes requests, arrivals and randomised orders from a seed: the same seed, the same run.

pub mod prompts;

pub mod sizes;

pub mod schedule;

pub mod cron;

pub mod pairing;

pub mod spec;
