//! Names what the page is given to look at and to act on.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::broadcast;

use super::desk::RunDesk;
use crate::active::probing::Watched;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::edge::server::Drain;
use crate::edge::store::{StoreError, StoreReader};
use crate::record::{ExchangeRecord, Note, Origin, RouteScore};
use crate::recorder::{StandingNow, StoreHealth};

/// Asks a service for something, whenever it is wanted.
pub type Ask<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// What may be done with notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteEdit {
    /// Write one down.
    Add(Note),
    /// Take that one away.
    Remove(u32),
}

/// Edits notes: the number of the note, or none where there is no such note. Nothing at all where
/// the store takes nothing now. Blocks.
pub type EditNotes = Arc<dyn Fn(NoteEdit) -> Option<Result<Option<u32>, StoreError>> + Send + Sync>;

/// Takes scores of routes into the store, and tells routing. Nothing at all where the store takes
/// nothing now. Blocks.
pub type TakeScores = Arc<dyn Fn(Vec<RouteScore>) -> Option<Result<(), StoreError>> + Send + Sync>;

/// Takes a record of our own that another process made, and says whether there was room for it.
pub type TakeRecord = Arc<dyn Fn(ExchangeRecord) -> bool + Send + Sync>;

/// What may be done with baselines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaselineEdit {
    /// Save one under a name, as text.
    Save(String, String),
    /// Take the one of that name away.
    Remove(String),
}

/// Edits baselines: whether the name was free, or was there. Nothing at all where the store takes
/// nothing now. Blocks.
pub type EditBaselines =
    Arc<dyn Fn(BaselineEdit) -> Option<Result<bool, StoreError>> + Send + Sync>;

/// What is counted while the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Exchanges at work.
    pub in_flight: u64,
    /// Exchanges begun since the start.
    pub accepted: u64,
    /// Open client connections.
    pub connections: u64,
    /// Connections refused at the limit since the start.
    pub refused: u64,
}

/// What became of changed configs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reloads {
    /// Configs put in force since the start.
    pub taken: u64,
    /// The refusal of the last one, where it was refused.
    pub refused: Option<String>,
    /// Keys whose new values wait for the next start.
    pub waiting: Vec<&'static str>,
}

/// Where the services listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The data plane.
    pub data: SocketAddr,
    /// The admin plane: this page.
    pub admin: SocketAddr,
}

/// What the page is given.
#[derive(Clone)]
pub struct Handles {
    /// A reader of the store, opened anew where the last one is of no use any more.
    pub reader: Ask<Result<Arc<StoreReader>, StoreError>>,
    /// The live feed: records once they are on the disk.
    pub feed: Ask<broadcast::Receiver<Arc<ExchangeRecord>>>,
    /// How the store does.
    pub store: Ask<StoreHealth>,
    /// Writes and removes notes.
    pub notes: EditNotes,
    /// Takes scores of routes.
    pub scores: TakeScores,
    /// Takes records of probes.
    pub records: TakeRecord,
    /// Saves and removes baselines.
    pub baselines: EditBaselines,
    /// Begins runs.
    pub runs: Arc<dyn RunDesk>,
    /// How the routes stand now.
    pub standing: Ask<StandingNow>,
    /// What probes found, and which alerts hold.
    pub watched: Ask<Watched>,
    /// What is counted.
    pub counts: Ask<Counts>,
    /// The settings in force.
    pub settings: Ask<Arc<Settings>>,
    /// What became of changed configs.
    pub reloads: Ask<Reloads>,
    /// The clock.
    pub clock: Clock,
    /// Where this program's own records are said to come from.
    pub origin: Origin,
    /// Where the services listen.
    pub addresses: Addresses,
    /// The word to stop.
    pub drain: Drain,
}

impl fmt::Debug for Handles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handles")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}
