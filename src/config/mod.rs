//! Turns text into settings that need no further checking.

mod routes;

pub mod probes;

pub mod runs;

pub mod profiles;

pub mod credentials;

pub mod settings;

pub mod problem;

mod expand;

mod quantity;

mod address;

mod read;

mod yaml;

mod kinds;

mod choices;

pub mod prices;

pub mod workload;

pub mod catalogue;

mod raw_routing;

mod raw;

pub mod presets;

mod resolve;

mod fingerprint;

mod load;

pub mod schema;

pub mod template;

pub use kinds::is_stand_in;
pub use load::{Loaded, load, load_without_secrets};
pub use problem::{Problem, Problems, Severity};
pub use quantity::duration;
pub use resolve::work::Sources;
