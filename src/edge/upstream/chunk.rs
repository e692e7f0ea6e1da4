//! A piece of an answer's body, with the read that brought it.

use bytes::Bytes;

use crate::record::Moment;

/// A piece of an answer's body.
#[derive(Debug)]
pub struct Chunk {
    /// Its bytes, as they lie in what was read.
    pub bytes: Bytes,
    /// When the read that brought the last of them was over.
    pub at: Moment,
    /// The number of that read on its connection, from 1.
    pub read: u64,
}
