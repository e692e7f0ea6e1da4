//! Builds the TLS settings towards clients from certificate files.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::settings::TlsFiles;

/// Certificate files that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct CertificateFault {
    file: String,
    reason: String,
}

/// What a listener shows its clients, which may be renewed while it listens: connections that are
/// open keep what they began with.
#[derive(Debug, Clone)]
pub struct Certificates(Arc<ArcSwap<ServerConfig>>);

impl Certificates {
    /// Reads `files`.
    pub fn read(files: &TlsFiles) -> Result<Self, CertificateFault> {
        server_config(files).map(|config| Self(Arc::new(ArcSwap::new(config))))
    }

    /// Takes what is in `files` now from the next connection on; what cannot be used changes
    /// nothing.
    pub fn renew(&self, files: &TlsFiles) -> Result<(), CertificateFault> {
        server_config(files).map(|config| self.0.store(config))
    }

    /// Shakes hands with the next client.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.load_full())
    }
}

/// The TLS settings of a listener; HTTP/2 is offered by ALPN first.
fn server_config(files: &TlsFiles) -> Result<Arc<ServerConfig>, CertificateFault> {
    let fault = |file: &std::path::Path, reason: String| CertificateFault {
        file: file.display().to_string(),
        reason,
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| fault(&files.certificate, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| fault(&files.key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| fault(&files.certificate, error.to_string()))?;
    // A client that speaks HTTP/1.0 alone says so.
    config.alpn_protocols = [&b"h2"[..], b"http/1.1", b"http/1.0"]
        .map(<[u8]>::to_vec)
        .into();
    Ok(Arc::new(config))
}
