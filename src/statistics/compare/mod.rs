//! Compares two ways: how far apart, how surely, and whether that matters.

pub mod random;

pub mod index_law;

pub mod bootstrap;

pub mod resample;

pub mod verdict;

pub mod rank;

pub mod shift;

pub mod resistant;

pub mod paired;

pub mod permutation;

pub mod multiplicity;

pub mod dispersion;

pub mod runs;

pub mod weighted;

pub mod design;

pub use bootstrap::{
    Resampling, Stratum, bootstrap_difference, bootstrap_ratio, overlap_weight,
    stratified_contrast, stratified_difference, stratified_ratio,
};
pub use design::{Plan, sample_ratio_p};
pub use dispersion::{Dispersion, dispersion};
pub use multiplicity::{benjamini_hochberg, e_benjamini_hochberg, e_value, holm};
pub use paired::{OrderEffect, Paired, order_effect, paired};
pub use permutation::permutation_p;
pub use random::Random;
pub use rank::{mann_whitney_p, sign_p, wilcoxon_p};
pub use resample::{block_bootstrap, cluster_bootstrap};
pub use resistant::resistant_slope;
pub use runs::{Spread, deviation, mean_of_runs, spread};
pub use shift::{a12, hodges_lehmann, hodges_lehmann_paired};
pub use verdict::{Margin, Verdict, decide};
pub use weighted::{standardised_difference, weighted_quantile};
