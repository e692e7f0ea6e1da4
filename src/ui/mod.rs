//! Shows it: page, JSON API, live feed; acts on services by handles.

pub mod rows;
