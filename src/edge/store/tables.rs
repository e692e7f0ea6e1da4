//! Lists every table of a store: names carry the version of what their keys mean.

use redb::TableDefinition;

use super::keys::{ExchangeKey, Grain, RollupBytes};
use super::summary::Row;

/// The version of the whole: which tables there are and how they hang together. A store of a
/// higher one is refused, of a lower one migrated.
pub const SCHEMA: u32 = 1;

/// A table with sealed values of any length.
pub(super) type Sealed<K> = TableDefinition<'static, K, &'static [u8]>;

/// What the store knows of itself: [`META_SCHEMA`] and the rest.
pub(super) const META: Sealed<&str> = TableDefinition::new("meta.v1");

/// Exchange → summary, fixed width: what reports scan.
pub(super) const SUMMARIES: TableDefinition<'static, &ExchangeKey, &Row> =
    TableDefinition::new("summaries.v1");

/// Exchange → everything else of its record.
pub(super) const DETAILS: Sealed<&ExchangeKey> = TableDefinition::new("details.v1");

/// Number → text.
pub(super) const NAMES: Sealed<u32> = TableDefinition::new("names.v1");

/// Definitions, minute, route, origin, stream → roll-up.
pub(super) const MINUTES: Sealed<&RollupBytes> = TableDefinition::new("minutes.v1");

/// Definitions, hour, route, origin, stream → roll-up.
pub(super) const HOURS: Sealed<&RollupBytes> = TableDefinition::new("hours.v1");

/// Number → note: made with the first one.
pub(super) const NOTES: Sealed<u32> = TableDefinition::new("notes.v1");

/// Run, model, provider, model there, scorer → score: made with the first one.
pub(super) const SCORES: Sealed<&str> = TableDefinition::new("scores.v1");

/// Name → text of another service: made with the first one.
pub(super) const KEPT: Sealed<&str> = TableDefinition::new("kept.v1");

/// Name → saved results, as text: made with the first ones.
pub(super) const BASELINES: Sealed<&str> = TableDefinition::new("baselines.v1");

/// The schema, four bytes, and the version of the program that wrote it, text.
pub(super) const META_SCHEMA: &str = "schema";

/// Bytes of rows, and up to where they were trimmed: [`super::ledger::Ledger`].
pub(super) const META_LEDGER: &str = "ledger";

/// Which store it is, by chance: kept by its copies. Its journal bears it, too.
pub(super) const META_IDENTITY: &str = "identity";

/// What a store is told apart from others by.
pub(super) type Identity = [u8; 16];

/// The table of that grain.
pub(super) const fn rollups(grain: Grain) -> Sealed<&'static RollupBytes> {
    match grain {
        Grain::Minute => MINUTES,
        Grain::Hour => HOURS,
    }
}
