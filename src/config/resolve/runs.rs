//! Resolves which runs the page may begin, and where their results are kept.

use std::path::PathBuf;

use crate::config::raw::RawRuns;
use crate::config::settings::{RunSettings, StoreSettings};
use crate::record::PicoDollars;

use super::numbers::count;
use super::work::Work;

/// What one run may be given unless the config says otherwise: one dollar.
const ONE_DOLLAR: PicoDollars = PicoDollars(1_000_000_000_000);

/// `[runs]`.
pub(in crate::config) fn runs(
    raw: RawRuns,
    store: &StoreSettings,
    work: &mut Work<'_>,
) -> RunSettings {
    let folder = raw.folder.map(|at| at.value);
    let folder = folder.unwrap_or_else(|| PathBuf::from("results"));
    let most = (1, 1_000_000);
    RunSettings {
        enabled: raw.enabled.is_none_or(|at| at.value),
        folder: store.path.with_file_name("").join(folder),
        sets: raw.sets.map(|at| work.beside(&at.value)),
        cost_max: raw.max_cost.map_or(ONE_DOLLAR, |at| at.value.0),
        requests_max: count(work, "runs.max_requests", raw.max_requests, 20_000, most),
    }
}
