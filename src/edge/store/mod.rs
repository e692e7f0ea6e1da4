//! Keeps records on disk: a summary and a detail per exchange, and roll-ups beside them.
//!
//! One writer, [`Store`]; any number of readers, [`StoreReader`], also of other processes. Every
//! value carries a version and a checksum. What is appended, with its roll-ups, is one transaction.

mod error;

mod names;

mod codec;

mod summary;

mod keys;

mod tables;

mod ledger;

mod buckets;

mod writer;

mod open;

mod retention;

mod reader;

mod copying;

mod upkeep;

mod verify;

pub use error::StoreError;
pub use keys::{Grain, RollupKey};
pub use names::{NameId, Names};
pub use open::Opened;
pub use reader::{Scanned, StoreReader};
pub use retention::Trimmed;
pub use summary::Summary;
pub use tables::SCHEMA;
pub use upkeep::Compacted;
pub use verify::Verified;
pub use writer::{Appended, Store};
