//! Shows it: page, JSON API, live feed; acts on services by handles.

pub mod reading;

pub mod rows;

mod charges;

pub mod papers;

pub mod listing;

pub mod desk;

pub mod handles;

mod downloads;

mod baselines;

mod fault;

mod writer;

mod sessions;

mod kept;

mod lately;

mod metrics;

mod probes;

mod state;

mod guard;

pub mod view;

mod svg;

mod ask;

mod charts;

pub mod standing;

mod openapi;

mod assets;

mod live;

mod api;

mod notes;

mod records;

mod runs;

pub mod scores;

mod page;

mod router;

pub use handles::{Addresses, Counts, Handles, Reloads};
pub use router::{Ui, router};
