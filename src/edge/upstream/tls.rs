//! Builds the TLS settings towards providers: the system's roots, or a given file's beside them.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::ConfigVerifierExt as _;

/// A TLS setting that could not be made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TlsFault {
    /// The file of further roots could not be read.
    #[error("ca_file {0}: {1}")]
    CaFile(PathBuf, String),
    /// The system's roots could not be had.
    #[error("system root certificates: {0}")]
    System(String),
}

/// What tells a file from the one that took its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileState {
    inode: u64,
    bytes: u64,
    written: Option<SystemTime>,
}

impl FileState {
    /// Of the file there now, where there is one.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok()?;
        Some(Self {
            inode: found.ino(),
            bytes: found.len(),
            written: found.modified().ok(),
        })
    }
}

/// The TLS settings for providers with these roots.
pub fn client_config(ca_file: Option<&Path>, http2: bool) -> Result<Arc<ClientConfig>, TlsFault> {
    let mut config = match ca_file {
        Some(path) => with_roots_of(path)?,
        None => with_system_roots()?,
    };
    config.alpn_protocols = if http2 {
        vec![b"h2".to_vec(), b"http/1.1".to_vec()]
    } else {
        vec![b"http/1.1".to_vec()]
    };
    Ok(Arc::new(config))
}

fn with_system_roots() -> Result<ClientConfig, TlsFault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // The process default is asked for by the verifier; setting it twice is harmless.
    let _ = provider.as_ref().clone().install_default();
    ClientConfig::with_platform_verifier().map_err(|error| TlsFault::System(error.to_string()))
}

fn with_roots_of(path: &Path) -> Result<ClientConfig, TlsFault> {
    let fault = |text: String| TlsFault::CaFile(path.to_owned(), text);
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))?
    {
        let certificate = certificate.map_err(|error| fault(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| fault(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(fault("no certificate in it; expected PEM".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
        .map_err(|error| fault(error.to_string()))
}
