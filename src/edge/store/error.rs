//! Says why a store cannot be used, and what to do about it.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};

use crate::record::ExchangeId;

/// A store that cannot be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process writes to it.
    #[error(
        "the store {0} is in use by another tollgate: stop that one, or give this one a \
         `store.path` of its own"
    )]
    InUse(PathBuf),
    /// A newer version wrote it.
    #[error(
        "the store {path} has schema {found}, written by tollgate {program}; this is tollgate \
         {ours} and knows schema {known}: use that version, or another `store.path`"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The version that wrote it.
        program: String,
        /// The schema known here.
        known: u32,
        /// The version of this program.
        ours: &'static str,
    },
    /// A database of something else.
    #[error("{0} is a redb file and no tollgate store: give `store.path` another name")]
    Foreign(PathBuf),
    /// There is none.
    #[error("there is no store at {0}: `tollgate serve` makes one, or set `store.path`")]
    Missing(PathBuf),
    /// The file or its directory may not be used.
    #[error(
        "the store {path} may not be used ({source}): check its owner and permissions, and \
             those of its directory, or set `store.path`"
    )]
    Denied {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No space is left.
    #[error("no space is left for the store {0}: records are dropped until there is")]
    Full(PathBuf),
    /// The file is as large as this process may make one.
    #[error(
        "no space is left for the store {0}: it is as large as this process may make a file \
             (ulimit -f, LimitFSIZE): records are dropped until the limit is raised"
    )]
    TooLarge(PathBuf),
    /// The disk failed otherwise.
    #[error("the store {path} cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what was written to it.
    #[error("the store {path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// One row is not what was written.
    #[error("the row of exchange {id} in the store {path} is damaged")]
    Row {
        /// The file.
        path: PathBuf,
        /// The exchange.
        id: ExchangeId,
    },
    /// An earlier error left the handle unusable.
    #[error("the store {0} failed before and must be opened again")]
    Broken(PathBuf),
    /// Its writer was killed, and nobody has opened it for writing since.
    #[error("the store {0} was not closed well and is being put in order: try again")]
    Unsettled(PathBuf),
    /// The same, and what that takes cannot be written.
    #[error(
        "the store {0} was not closed well, and no space is left to put it in order: it can be read \
         when its disk, or this process's limit of a file's size, has room"
    )]
    NoRoom(PathBuf),
    /// Somebody still reads.
    #[error("the store {0} is being read: try again when that is over")]
    Busy(PathBuf),
}

impl StoreError {
    /// Whether the file itself is beyond use, so that it is moved aside.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }

    /// Whether trying again later may help without anybody doing something to the store.
    #[must_use]
    pub const fn may_heal(&self) -> bool {
        matches!(
            self,
            Self::Full(_)
                | Self::TooLarge(_)
                | Self::NoRoom(_)
                | Self::Io { .. }
                | Self::Denied { .. }
                | Self::InUse(_)
                | Self::Busy(_)
        )
    }

    /// What `error`, met on the file `path`, means to who uses the store.
    pub(super) fn at(path: &Path, error: impl Into<redb::Error>) -> Self {
        let path = path.to_owned();
        match error.into() {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
                Self::InUse(path)
            }
            redb::Error::TransactionInProgress => Self::Busy(path),
            redb::Error::Io(source) => Self::io(path, source),
            redb::Error::PreviousIo
            | redb::Error::DatabaseClosed
            | redb::Error::LockPoisoned(_) => Self::Broken(path),
            other => Self::Damaged {
                path,
                what: other.to_string(),
            },
        }
    }

    pub(super) fn io(path: PathBuf, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(path),
            io::ErrorKind::FileTooLarge => Self::TooLarge(path),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Denied { path, source }
            }
            io::ErrorKind::NotFound => Self::Missing(path),
            // redb says so of files that are none of its own, and of cut ones.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Damaged {
                path,
                what: source.to_string(),
            },
            _ => Self::Io { path, source },
        }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            what: what.into(),
        }
    }
}

thread_local! {
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread is expected, and read as damage to the store: nobody needs to be
/// told where in a library it was.
#[must_use]
pub fn is_panic_expected() -> bool {
    EXPECTED.get()
}

/// Runs `work`, and gives the panic in it where there is one.
pub(super) fn quietly<T>(work: impl FnOnce() -> T) -> std::thread::Result<T> {
    let before = EXPECTED.replace(true);
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    EXPECTED.set(before);
    done
}

/// Runs `work`, and reads a panic in it as damage: redb trusts a file that was closed well, and
/// panics on some of what it then finds.
pub(super) fn guarded<T>(
    path: &Path,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    quietly(work).unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        Err(StoreError::damaged(
            path,
            format!("reading it panicked: {what}"),
        ))
    })
}
