//! Holds the roll-ups that records are being folded into.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;
use redb::ReadableTable;

use crate::record::{ExchangeRecord, Name};
use crate::statistics::{DEFINITIONS, Figures, Part, Rollup};

use super::codec;
use super::keys::{self, Grain, RollupBytes, RollupKey};
use super::names::{NameId, Names, Scope};

/// Roll-ups of one grain in memory; what is on disk is read once.
#[derive(Debug)]
pub(super) struct Buckets {
    grain: Grain,
    held: HashMap<RollupKey, Bucket, RandomState>,
}

#[derive(Debug)]
struct Bucket {
    rollup: Rollup,
    dirty: bool,
}

/// Most roll-ups held at a time: those of the newest minutes stay.
const HELD_MAX: usize = 4096;

impl Buckets {
    pub(super) fn new(grain: Grain) -> Self {
        Self {
            grain,
            held: HashMap::default(),
        }
    }

    /// Folds the parts of `record` into the roll-ups of its minute or hour.
    pub(super) fn fold(
        &mut self,
        table: &impl ReadableTable<&'static RollupBytes, &'static [u8]>,
        record: &ExchangeRecord,
        figures: &Figures,
        names: &mut Names,
    ) -> Result<(), redb::StorageError> {
        for part in Part::of(record) {
            let key = key(self.grain, part, record, names);
            let bucket = match self.held.entry(key) {
                Entry::Occupied(held) => held.into_mut(),
                Entry::Vacant(place) => place.insert(Bucket {
                    rollup: load(table, &key)?,
                    dirty: false,
                }),
            };
            bucket.rollup.fold_part(part, figures);
            bucket.dirty = true;
        }
        Ok(())
    }

    /// Gives every roll-up that is not on disk as it stands.
    pub(super) fn changed(&self) -> impl Iterator<Item = (&RollupKey, &Rollup)> {
        let changed = self.held.iter().filter(|(_, bucket)| bucket.dirty);
        changed.map(|(key, bucket)| (key, &bucket.rollup))
    }

    /// Everything is on disk now; the newest stay in memory.
    pub(super) fn settle(&mut self) {
        let newest = self.held.keys().map(|key| key.place).max().unwrap_or(0);
        let crowded = self.held.len() > HELD_MAX;
        self.held.retain(|key, bucket| {
            bucket.dirty = false;
            !crowded && key.place.saturating_add(2) > newest
        });
    }
}

/// The roll-up that a part of `record` belongs to.
pub(super) fn key(
    grain: Grain,
    part: Part<'_>,
    record: &ExchangeRecord,
    names: &mut Names,
) -> RollupKey {
    let (provider, model) = part.route(record);
    // Counts of tokens and what warms a connection are no requests of a model: no report takes them.
    let aside = record.language.counts_tokens()
        || record.active.as_ref().is_some_and(|active| active.warm_up);
    let model = model.filter(|_| !aside);
    let mut id = |name: Option<&Name>, scope| match name {
        None => NameId::NONE,
        Some(name) => names.id(name, scope).unwrap_or(NameId::OTHER),
    };
    RollupKey {
        definitions: DEFINITIONS,
        place: grain.place(keys::date(record.id)),
        provider: id(provider, Scope::Core),
        model: id(model, codec::exchange::asked_scope(record)),
        origin: record.origin,
        stream: record.request.stream,
    }
}

fn load(
    table: &impl ReadableTable<&'static RollupBytes, &'static [u8]>,
    key: &RollupKey,
) -> Result<Rollup, redb::StorageError> {
    let bytes = key.encode();
    let Some(value) = table.get(&bytes)? else {
        return Ok(Rollup::default());
    };
    let rollup = codec::rollup::decode(&bytes, value.value());
    Ok(rollup.unwrap_or_else(|| {
        tracing::warn!(?key, "a roll-up is damaged and starts anew");
        Rollup::default()
    }))
}
