//! Builds, runs, reloads, stops; hands each service exactly what it uses.

pub mod fault;

pub mod sources;

pub mod secret_file;

pub mod machine;

pub mod telemetry;

pub mod node;

pub mod reload;

pub mod banner;

mod keeping;

mod probing;

mod recording;

pub mod admin;

mod trial;

pub mod demo;

pub mod selftest;

pub mod run;

pub mod live;

mod hand_over;

mod own_street;

pub mod results;

pub mod bench;

pub mod bench_papers;

pub mod load;

pub mod eval;

pub mod probe;

pub mod runs;

pub use fault::AppFault;
pub use hand_over::Hand;
pub use own_street::{KeptIn, Surroundings};
