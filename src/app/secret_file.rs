//! Keeps the secret of this installation, with which prompts and keys are hashed.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom as _, SystemRandom};

/// Length of the secret in bytes.
const LENGTH: usize = 32;

/// The secret beside `store`, made where there is none yet. Without a place to keep it, one for
/// this run: sessions are then recognised only within the run.
pub fn of_store(store: &Path) -> (Vec<u8>, Option<String>) {
    let path = beside(store);
    match read(&path) {
        Ok(secret) => (secret, None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = fresh();
            let warning = write(&path, &secret)
                .err()
                .map(|error| not_kept(&path, &error));
            (secret, warning)
        }
        Err(error) => (fresh(), Some(not_kept(&path, &error))),
    }
}

fn not_kept(path: &Path, error: &io::Error) -> String {
    format!(
        "the hashing secret cannot be kept in {}: {error}",
        path.display()
    )
}

fn beside(store: &Path) -> PathBuf {
    store.with_extension("secret")
}

fn fresh() -> Vec<u8> {
    let mut secret = vec![0; LENGTH];
    if SystemRandom::new().fill(&mut secret).is_err() {
        // No system randomness at all: hashes of this run are still not those of another.
        secret.fill_with(|| fastrand::u8(..));
    }
    secret
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut secret = Vec::new();
    std::fs::File::open(path)?.read_to_end(&mut secret)?;
    if secret.len() == LENGTH {
        Ok(secret)
    } else {
        Err(io::Error::other(format!(
            "it has {} bytes instead of {LENGTH}",
            secret.len()
        )))
    }
}

fn write(path: &Path, secret: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)?.write_all(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("deeper").join("tollgate.redb");
        let (first, warning) = of_store(&store);
        assert_eq!((first.len(), warning), (LENGTH, None));
        assert_eq!(of_store(&store), (first, None));
    }
}
