//! Keeps records on disk: a summary and a detail per exchange, and roll-ups beside them.
//!
//! One writer, [`Store`]; any number of readers, [`StoreReader`], also of other processes. Every
//! value carries a version and a checksum. What is appended, with its roll-ups, is one transaction.

mod courtesy;

mod error;

mod names;

mod keys;

mod codec;

mod summary;

mod tables;

mod ledger;

mod meta;

mod file;

mod buckets;

mod copying;

mod source;

mod reader;

mod journal;

mod writer;

mod replay;

mod parcel;

mod open;

mod retention;

mod notes;

mod scores;

mod kept;

mod baselines;

mod upkeep;

mod verify;

pub use courtesy::let_traffic_go_first;
pub use error::{StoreError, is_panic_expected};
pub use journal::Journal;
pub use kept::KeptText;
pub use keys::{Grain, RollupKey};
pub use names::{NameId, Names};
pub use open::Opened;
pub use parcel::{pack, unpack};
pub use reader::{Committed, Scanned, StoreReader};
pub use replay::{Replayed, journal_is_left};
pub use retention::Trimmed;
pub use summary::Summary;
pub use tables::SCHEMA;
pub use upkeep::Compacted;
pub use verify::Verified;
pub use writer::{Appended, Store};
