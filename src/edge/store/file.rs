//! Makes, names and moves the files of stores.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::record::WallTime;

use super::error::StoreError;

/// Makes the file and its directory, readable by their owner only: records say who asked whom.
pub(super) fn prepare(path: &Path) -> Result<(), StoreError> {
    let failed = |source| match StoreError::io(path.to_owned(), source) {
        // The directory is made here: what is missing cannot be made.
        StoreError::Missing(path) => StoreError::Denied {
            path,
            source: io::ErrorKind::NotFound.into(),
        },
        other => other,
    };
    if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    match create_file(path) {
        Err(StoreError::Missing(_)) => Err(failed(io::ErrorKind::NotFound.into())),
        other => other,
    }
}

/// Makes the file where there is none.
pub(super) fn create_file(path: &Path) -> Result<(), StoreError> {
    let opened = own_file().read(true).write(true).open(path).map(drop);
    opened.map_err(|source| StoreError::io(path.to_owned(), source))
}

/// How a file is opened and made that only its owner may read.
pub(super) fn own_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Renames a damaged file, and never over another one.
pub(super) fn move_aside(path: &Path, now: WallTime) -> Result<PathBuf, StoreError> {
    let date: String = now
        .rfc3339()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(15)
        .collect();
    let aside = free_beside(path, &format!(".corrupt-{date}Z"))?;
    fs::rename(path, &aside).map_err(|error| StoreError::io(path.to_owned(), error))?;
    Ok(aside)
}

/// Keeps the file under a name of its own too, whatever takes its place, and says which.
pub(super) fn keep(path: &Path, ending: &str) -> Result<PathBuf, StoreError> {
    let kept = free_beside(path, ending)?;
    // Not every file system has links.
    let done = fs::hard_link(path, &kept).or_else(|_| fs::copy(path, &kept).map(drop));
    done.map_err(|error| StoreError::io(kept.clone(), error))?;
    Ok(kept)
}

/// A name of that ending beside the file that no file has yet.
fn free_beside(path: &Path, ending: &str) -> Result<PathBuf, StoreError> {
    let endings = (1..1000_u32).map(|turn| format!("{ending}-{turn}"));
    std::iter::once(ending.to_owned())
        .chain(endings)
        .map(|ending| beside(path, &ending))
        .find(|name| !name.exists())
        .ok_or_else(|| StoreError::damaged(path, "too many damaged files beside it"))
}

/// The file of that name and ending, in the same directory.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Gives a file the name and the permissions of another one, for good.
pub(super) fn durable_rename(from: &Path, to: &Path) -> io::Result<()> {
    let permissions = fs::metadata(to)?.permissions();
    fs::set_permissions(from, permissions)?;
    File::open(from)?.sync_all()?;
    fs::rename(from, to)?;
    match to.parent() {
        // A rename is durable when its directory is.
        Some(directory) if directory.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}
