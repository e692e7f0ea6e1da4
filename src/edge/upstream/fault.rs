//! Says where a call to a provider failed, and whether it can have been billed.

use std::fmt;
use std::io;

use rustls::CertificateError;

use super::forward::ForwardProxy;
use crate::record::ErrorClass;

/// The phase of a call in which it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for a free connection.
    Pool,
    /// Resolving the host name.
    Dns,
    /// Connecting TCP (or the tunnel through a forward proxy).
    Connect,
    /// Shaking hands for TLS or HTTP/2.
    Tls,
    /// Sending the request.
    Send,
    /// Waiting for the response headers.
    Headers,
}

/// A call that got no response headers.
#[derive(Debug)]
pub struct SendFault {
    /// Where it failed.
    pub phase: Phase,
    /// What kind of error it is.
    pub class: ErrorClass,
    /// What the system said: host names and system errors, never content.
    pub detail: String,
    /// Whether bytes of the request were written: the provider may have worked on it.
    pub written: bool,
    /// Whether this machine had nothing left to make a connection of: it says nothing about the
    /// provider.
    pub ours: bool,
}

impl SendFault {
    /// A fault before anything was written.
    pub fn before(phase: Phase, class: ErrorClass, detail: impl fmt::Display) -> Self {
        Self {
            phase,
            class,
            detail: detail.to_string(),
            written: false,
            ours: false,
        }
    }

    /// The same, told by the system's `error`.
    pub fn of_system(phase: Phase, class: ErrorClass, what: &str, error: &io::Error) -> Self {
        Self {
            ours: is_exhausted(error),
            ..Self::before(phase, class, format!("{what}: {error}"))
        }
    }
}

impl SendFault {
    /// The same, met on the way that the environment asks for: the provider may be well.
    pub(super) fn through(self, proxy: &ForwardProxy) -> Self {
        let detail = format!(
            "forward proxy {proxy:?} (HTTPS_PROXY or http_proxy): {}",
            self.detail
        );
        Self { detail, ..self }
    }
}

impl fmt::Display for SendFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for SendFault {}

/// How the body of an answer broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFault {
    /// The connection ended before the body did.
    Truncated,
    /// The connection was reset, or broke in another way.
    Reset,
    /// What came is no body as it was announced.
    Protocol,
}

/// What ended an exchange on an HTTP/1 connection before its end.
#[derive(Debug)]
pub(super) enum Broke {
    /// The provider closed the connection.
    Closed,
    /// The system, or TLS, reported an error.
    Io(io::Error),
    /// What the provider sent is no HTTP/1.
    Protocol(&'static str),
    /// The client's upload broke off.
    Upload,
}

impl Broke {
    /// What kind of error it is where no head has come.
    pub(super) fn class(&self) -> ErrorClass {
        match self {
            Self::Protocol(_) => ErrorClass::ProtocolError,
            Self::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                ErrorClass::ProtocolError
            }
            Self::Closed | Self::Io(_) | Self::Upload => ErrorClass::Reset,
        }
    }

    /// What the system said.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::Closed => "the connection was closed before an answer came".to_owned(),
            Self::Io(error) => root_cause(error),
            Self::Protocol(what) => (*what).to_owned(),
            Self::Upload => "the upload broke off".to_owned(),
        }
    }
}

impl BodyFault {
    /// What it means in the middle of a body.
    pub(super) fn of(broke: &Broke) -> Self {
        match broke {
            Broke::Closed => Self::Truncated,
            Broke::Io(error) => Self::of_kind(error.kind()),
            Broke::Protocol(_) => Self::Protocol,
            Broke::Upload => Self::Reset,
        }
    }

    /// The same of an HTTP/2 connection.
    pub(super) fn of_shared(error: &hyper::Error) -> Self {
        if error.is_incomplete_message() {
            return Self::Truncated;
        }
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            if let Some(error) = cause.downcast_ref::<io::Error>() {
                return Self::of_kind(error.kind());
            }
            source = cause.source();
        }
        Self::Reset
    }

    const fn of_kind(kind: io::ErrorKind) -> Self {
        match kind {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Self::Protocol,
            _ => Self::Reset,
        }
    }
}

/// Whether the system had no descriptor or buffer for a connection.
fn is_exhausted(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let lacking = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    let code = error.raw_os_error();
    code.is_some_and(|code| lacking.iter().any(|errno| errno.raw_os_error() == code))
}

/// The innermost cause of an error, which is the one that says something.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// What a handshake failed of, in words: rustls names what is wrong with a certificate as its code
/// does.
pub(super) fn tls_cause(error: &io::Error) -> String {
    let found = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let why = match found {
        Some(rustls::Error::InvalidCertificate(fault)) => refused(fault),
        _ => None,
    };
    why.map_or_else(
        || root_cause(error),
        |why| format!("the provider's certificate is not taken: {why}"),
    )
}

fn refused(fault: &CertificateError) -> Option<&'static str> {
    use CertificateError as Fault;
    Some(match fault {
        Fault::UnknownIssuer => "nobody who is trusted here has signed it",
        Fault::Expired | Fault::ExpiredContext { .. } => "it has run out",
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => "it is not valid yet",
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => {
            "it is for another name than that of base_url"
        }
        Fault::Revoked => "it has been revoked",
        Fault::BadSignature => "its signature is wrong",
        // What openssl makes of `req -x509` unless told otherwise.
        Fault::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "it is marked as an authority (CA:TRUE), which no server may be; make one with \
             basicConstraints=critical,CA:FALSE, or one that a root of yours has signed, and give \
             that root as ca_file"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_certificate_that_is_not_taken_is_told_in_words() {
        #[derive(Debug, thiserror::Error)]
        #[error("no words")]
        struct CaUsedAsEndEntity;

        let other = rustls::OtherError(Arc::new(CaUsedAsEndEntity));
        for (fault, words) in [
            (CertificateError::UnknownIssuer, "nobody who is trusted"),
            (CertificateError::Expired, "has run out"),
            (CertificateError::NotValidForName, "another name"),
            (CertificateError::Other(other), "CA:FALSE"),
            (CertificateError::BadEncoding, "BadEncoding"),
        ] {
            let error = io::Error::other(rustls::Error::InvalidCertificate(fault));
            let said = tls_cause(&error);
            assert!(said.contains(words), "{said}");
        }
        let error = io::Error::other("reset");
        assert_eq!(tls_cause(&error), "reset");
    }
}
