//! Reads files that hold secrets: nobody but their owner may be able to.

use std::io;
use std::path::{Path, PathBuf};

/// Where container runtimes mount secrets, readable by more than their owner by default.
const SECRET_MOUNTS: [&str; 3] = ["/run/secrets", "/var/run/secrets", "/etc/secrets"];

/// Reads a file that holds a secret. What a runtime mounted (a known place, the service manager's
/// credentials, somebody else's file) is as it was given.
pub fn read_secret(path: &Path) -> io::Result<String> {
    let text = std::fs::read_to_string(path)?;
    #[cfg(unix)]
    if let Some(mode) = too_open(path)? {
        return Err(io::Error::other(format!(
            "others may read it (mode {mode:o}); run `chmod 600 {}`",
            path.display()
        )));
    }
    Ok(text)
}

/// The mode of a file of our own that others may read.
#[cfg(unix)]
fn too_open(path: &Path) -> io::Result<Option<u32>> {
    use std::os::unix::fs::MetadataExt as _;
    let given = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let mounted = SECRET_MOUNTS.iter().map(Path::new).chain(given.as_deref());
    if mounted.into_iter().any(|place| path.starts_with(place)) {
        return Ok(None);
    }
    let metadata = std::fs::metadata(path)?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    let mode = metadata.mode() & 0o777;
    Ok((ours && mode & 0o077 != 0).then_some(mode))
}
