//! Packs records for another process of the same program, which has the store open.

use super::journal::write_entry;
use super::names::Names;
use super::replay::read_entry;
use crate::record::ExchangeRecord;

/// How a parcel begins; entries as the journal has them follow.
const MAGIC: &[u8; 8] = b"tgrecs1\n";

/// `records` as bytes that [`unpack`] reads.
#[must_use]
pub fn pack(records: &[ExchangeRecord]) -> Vec<u8> {
    let (mut names, mut detail, mut out) = (Names::default(), Vec::new(), MAGIC.to_vec());
    for record in records {
        write_entry(record, &mut names, &mut detail, &mut out);
    }
    out
}

/// The records of a parcel; nothing where any of it is not as [`pack`] writes it.
#[must_use]
pub fn unpack(bytes: &[u8]) -> Option<Vec<ExchangeRecord>> {
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let (mut names, mut records) = (Names::default(), Vec::new());
    while !rest.is_empty() {
        let (record, after) = read_entry(rest, &mut names)?;
        records.push(record);
        rest = after;
    }
    Some(records)
}
