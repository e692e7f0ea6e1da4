//! Has a forward proxy connect to a provider.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::forward::ForwardProxy;

/// Longest answer to CONNECT that is read.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// Asks the proxy on `stream` to connect to `host:port`; on success the stream is that of the
/// target.
pub(super) async fn open(
    stream: &mut TcpStream,
    proxy: &ForwardProxy,
    host: &str,
    port: u16,
) -> io::Result<()> {
    let target = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(authorization) = proxy.authorization() {
        request.push_str("Proxy-Authorization: ");
        request.push_str(authorization);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(256);
    // Byte by byte, so that nothing of what follows the answer is taken from the TLS layer.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= ANSWER_BYTES_MAX {
            return Err(io::Error::other("its answer to CONNECT has no end"));
        }
        answer.push(stream.read_u8().await?);
    }
    let line = answer
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let status = String::from_utf8_lossy(line);
    if status
        .split(' ')
        .nth(1)
        .is_some_and(|code| code.starts_with('2'))
    {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "it answered CONNECT with `{status}`"
        )))
    }
}
