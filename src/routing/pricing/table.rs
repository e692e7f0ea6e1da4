//! Finds the row of a price table that a call falls under.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;

use crate::record::{Name, NoCost, WallTime};

use super::row::{PriceRow, Tier};

/// What the row of a call is found by.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The provider's name in the config.
    pub provider: &'a str,
    /// The preset that it was made from.
    pub preset: Option<&'a str>,
    /// The model's name there.
    pub model: &'a str,
    /// When the call was made.
    pub at: WallTime,
    /// How it was worked on.
    pub tier: Tier,
}

/// What models cost. A user's own rows go before the shipped ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriceTable {
    version: Name,
    rows: Vec<PriceRow>,
    places: Places,
}

/// Where the rows of a provider stand whose names of models begin with a byte: every exchange is
/// priced, and few rows can be meant.
type Places = HashMap<Name, BTreeMap<u8, Vec<usize>>, FixedState>;

impl PriceTable {
    /// A table of shipped rows.
    #[must_use]
    pub fn new(version: impl Into<Name>, rows: Vec<PriceRow>) -> Self {
        let mut table = Self {
            version: version.into(),
            rows,
            places: Places::default(),
        };
        table.sort_in();
        table
    }

    /// The same table with a user's rows before it. They become part of its version, so that a
    /// record says which prices it was made with.
    #[must_use]
    pub fn with_own(mut self, own: Vec<PriceRow>) -> Self {
        if own.is_empty() {
            return self;
        }
        let hash = fnv(&format!("{own:?}"));
        self.version = format!("{}+{:08x}", self.version, hash as u32).into();
        self.rows.splice(
            ..0,
            own.into_iter().map(|row| PriceRow { own: true, ..row }),
        );
        self.sort_in();
        self
    }

    fn sort_in(&mut self) {
        self.places.clear();
        for (place, row) in self.rows.iter().enumerate() {
            for provider in &row.providers {
                let of_provider = self.places.entry(provider.clone()).or_default();
                for model in &row.models {
                    let first = model.bytes().next().unwrap_or_default();
                    of_provider.entry(first).or_default().push(place);
                }
            }
        }
    }

    /// The rows, in order, that may name this model of this provider.
    fn near(&self, asked: &Asked<'_>) -> Vec<usize> {
        // A pattern of nothing but `*` is near every model.
        let firsts = [asked.model.bytes().next().unwrap_or_default(), b'*'];
        // Most providers are called as their preset is.
        let preset = asked.preset.filter(|preset| *preset != asked.provider);
        let mut near: Vec<usize> = [Some(asked.provider), preset]
            .into_iter()
            .flatten()
            .filter_map(|provider| self.places.get(provider))
            .flat_map(|rows| firsts.iter().filter_map(|first| rows.get(first)))
            .flatten()
            .copied()
            .collect();
        near.sort_unstable();
        near.dedup();
        near
    }

    /// What it is called: a date, and a mark where a user's own rows are in it.
    #[must_use]
    pub const fn version(&self) -> &Name {
        &self.version
    }

    /// Its rows, a user's own first.
    #[must_use]
    pub fn rows(&self) -> &[PriceRow] {
        &self.rows
    }

    /// The row of a call, or why there is none. Of a user's rows and the shipped ones the user's
    /// count; of these the one that names the model most closely, whether it holds at that date or
    /// not: an outdated price is not replaced by that of another model. A row with a batch's share
    /// stands for batches too.
    pub fn find(&self, asked: &Asked<'_>) -> Result<&PriceRow, NoCost> {
        let near = self.near(asked);
        let named = near
            .iter()
            .map(|place| &self.rows[*place])
            .filter_map(|row| {
                let close = row.closeness(asked.model)?;
                Some(((row.own, close), row))
            });
        let mut closest: Vec<(_, &PriceRow)> = Vec::new();
        for (rank, row) in named {
            match closest.first() {
                Some((best, _)) if rank < *best => continue,
                Some((best, _)) if rank > *best => closest.clear(),
                _ => {}
            }
            closest.push((rank, row));
        }
        if closest.is_empty() {
            return Err(NoCost::NoPrice);
        }
        let valid: Vec<&PriceRow> = closest
            .into_iter()
            .map(|(_, row)| row)
            .filter(|row| row.is_valid(asked.at))
            .collect();
        if valid.is_empty() {
            return Err(NoCost::NoPriceThen);
        }
        let latest = |tier: Tier| {
            let of_tier = valid.iter().filter(|row| row.tier == tier);
            of_tier.max_by_key(|row| row.valid_from).copied()
        };
        let row = latest(asked.tier)
            .or_else(|| {
                latest(Tier::Standard).filter(|row| {
                    asked.tier == Tier::Batch && row.batch.is_some() || row.unknown.is_some()
                })
            })
            .ok_or(NoCost::NoTierPrice)?;
        if row.unknown.is_some() {
            return Err(NoCost::PriceUnknown);
        }
        Ok(row)
    }
}

/// FNV-1a: the same on every machine and in every build.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
