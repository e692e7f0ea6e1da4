//! Shows it: page, JSON API, live feed.
