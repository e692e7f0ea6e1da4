//! Reads and writes what a store says of itself: its schema, its ledger, its names.

use std::path::Path;

use redb::{ReadTransaction, TableError};

use super::codec::seal;
use super::error::StoreError;
use super::ledger::Ledger;
use super::names::{NameId, Names};
use super::tables::{Identity, META, META_IDENTITY, META_LEDGER, META_SCHEMA, NAMES, SCHEMA};

/// The version of a name's row: its text.
pub(super) const NAME: u8 = 1;

/// Writes what a store says of itself.
pub(super) fn write_meta(
    txn: &redb::WriteTransaction,
    ledger: &Ledger,
    identity: &Identity,
) -> Result<(), redb::Error> {
    let mut meta = txn.open_table(META)?;
    let mut value = Vec::new();
    seal::open(1, &mut value);
    value.extend_from_slice(&SCHEMA.to_le_bytes());
    value.extend_from_slice(env!("CARGO_PKG_VERSION").as_bytes());
    seal::close(META_SCHEMA.as_bytes(), &mut value);
    meta.insert(META_SCHEMA, &*value)?;
    ledger.encode(&mut value);
    meta.insert(META_LEDGER, &*value)?;
    drop(meta);
    write_identity(txn, identity)
}

/// Writes which store it is.
pub(super) fn write_identity(
    txn: &redb::WriteTransaction,
    identity: &Identity,
) -> Result<(), redb::Error> {
    let mut value = Vec::new();
    seal::open(1, &mut value);
    value.extend_from_slice(identity);
    seal::close(META_IDENTITY.as_bytes(), &mut value);
    txn.open_table(META)?.insert(META_IDENTITY, &*value)?;
    Ok(())
}

/// Which store it is; `None` where that was not written down yet, or is damaged.
pub(super) fn read_identity(txn: &ReadTransaction) -> Result<Option<Identity>, redb::Error> {
    let meta = txn.open_table(META)?;
    let value = meta.get(META_IDENTITY)?;
    let sealed = |value: &[u8]| {
        let (_, identity) = seal::check(META_IDENTITY.as_bytes(), value)?;
        identity.try_into().ok()
    };
    Ok(value.and_then(|value| sealed(value.value())))
}

/// Refuses a store that this program cannot read.
pub(super) fn check_schema(txn: &ReadTransaction, path: &Path) -> Result<(), StoreError> {
    let meta = match txn.open_table(META) {
        Err(TableError::TableDoesNotExist(_) | TableError::TableTypeMismatch { .. }) => {
            return Err(StoreError::Foreign(path.to_owned()));
        }
        other => other.map_err(|error| StoreError::at(path, error))?,
    };
    let value = meta
        .get(META_SCHEMA)
        .map_err(|error| StoreError::at(path, error))?;
    let read = value.as_ref().and_then(|value| read_schema(value.value()));
    let (found, program) = read.ok_or_else(|| StoreError::damaged(path, "its schema"))?;
    if found > SCHEMA {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            program,
            known: SCHEMA,
            ours: env!("CARGO_PKG_VERSION"),
        });
    }
    Ok(())
}

/// The seal's own version is 1 for good: the schema of every later store must be readable.
fn read_schema(value: &[u8]) -> Option<(u32, String)> {
    let (_, payload) = seal::check(META_SCHEMA.as_bytes(), value)?;
    let (schema, program) = payload.split_first_chunk()?;
    let program = String::from_utf8_lossy(program).into_owned();
    Some((u32::from_le_bytes(*schema), program))
}

/// The ledger; `None` where it is damaged.
pub(super) fn read_ledger(txn: &ReadTransaction) -> Result<Option<Ledger>, redb::Error> {
    let meta = txn.open_table(META)?;
    let value = meta.get(META_LEDGER)?;
    Ok(value.and_then(|value| Ledger::decode(value.value())))
}

/// Reads the names above those that are known.
pub(super) fn load_names(txn: &ReadTransaction, names: &mut Names) -> Result<(), redb::Error> {
    let table = txn.open_table(NAMES)?;
    let from = names.last().0 + 1;
    for row in table.range(from..)? {
        let (id, value) = row?;
        let id = NameId(id.value());
        let sealed = seal::check(&id.0.to_be_bytes(), value.value());
        let text = sealed
            .filter(|(version, _)| *version == NAME)
            .and_then(|(_, text)| std::str::from_utf8(text).ok());
        names.load(id, text);
    }
    Ok(())
}
