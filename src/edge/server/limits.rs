//! Says what one client connection may take.

use std::time::Duration;

/// Limits of one connection.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// From the first byte of a request to the end of its headers; also a client that connects
    /// and says nothing.
    pub request_headers: Duration,
    /// Between exchanges.
    pub idle: Duration,
    /// A client that does not read what is written to it.
    pub write: Duration,
    /// Size of all headers together, bytes.
    pub header_bytes: usize,
    /// Number of headers.
    pub headers: usize,
}
