//! Carries finished records to the store and the live feed.
