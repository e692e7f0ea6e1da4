//! Makes intervals that stay true however often one looks, for pages that are always on.

pub mod mixture;

pub mod adjusted;

pub mod arms;

pub mod ratio;

pub use adjusted::{Adjusted, Observation, SEQUENCE_FROM, asymptotic, cuped, lin};
pub use arms::{Location, Looks, sign_design};
pub use mixture::{
    CENTRE, quantile_sequence, quantile_sequence_deff, quantiles_differ_p, rate_sequence,
    rates_differ_p, subtract,
};
pub use ratio::RatioWatch;
