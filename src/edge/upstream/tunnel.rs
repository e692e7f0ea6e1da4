//! Goes through a forward proxy where `HTTPS_PROXY` or `HTTP_PROXY` say so.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest answer to CONNECT that is read.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// A forward proxy (`http://[user:password@]host:port`).
#[derive(Clone, PartialEq, Eq)]
pub struct ForwardProxy {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `user:password`, percent-decoded by nobody: passed as it stands, in Base64.
    credentials: Option<String>,
}

impl std::fmt::Debug for ForwardProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl ForwardProxy {
    /// Reads a proxy URL; a missing scheme means `http://`, other schemes are not spoken.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = match text.trim().split_once("://") {
            Some(("http", rest)) => rest,
            Some(_) => return None,
            None => text.trim(),
        };
        let rest = rest.trim_end_matches('/');
        let (credentials, address) = match rest.rsplit_once('@') {
            Some((credentials, address)) => (Some(credentials.to_owned()), address),
            None => (None, rest),
        };
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (address, 80),
        };
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        (!host.is_empty()).then_some(Self {
            host,
            port,
            credentials,
        })
    }
}

/// Which hosts are reached through which forward proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyRules {
    https: Option<ForwardProxy>,
    http: Option<ForwardProxy>,
    exempt: Vec<String>,
}

impl ProxyRules {
    /// Reads the rules from the values of `HTTPS_PROXY`, `HTTP_PROXY` (or `ALL_PROXY`) and
    /// `NO_PROXY` (curl's meaning: host suffixes, `*` for all).
    #[must_use]
    pub fn new(https: Option<&str>, http: Option<&str>, no_proxy: Option<&str>) -> Self {
        let exempt = no_proxy
            .unwrap_or_default()
            .split(',')
            .map(|entry| entry.trim().trim_start_matches('.').to_ascii_lowercase())
            .filter(|entry| !entry.is_empty())
            .collect();
        Self {
            https: https.and_then(ForwardProxy::parse),
            http: http.and_then(ForwardProxy::parse),
            exempt,
        }
    }

    /// The proxy for a host, if any. Loopback never goes through one.
    #[must_use]
    pub fn for_host(&self, https: bool, host: &str) -> Option<&ForwardProxy> {
        let loopback = host == "localhost"
            || host
                .parse()
                .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        let exempt = loopback
            || self.exempt.iter().any(|entry| {
                entry == "*"
                    || host == entry
                    || host
                        .strip_suffix(entry.as_str())
                        .is_some_and(|rest| rest.ends_with('.'))
            });
        if exempt {
            return None;
        }
        if https {
            self.https.as_ref()
        } else {
            self.http.as_ref()
        }
    }
}

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
    if let Some(credentials) = &proxy.credentials {
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&base64(credentials.as_bytes()));
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(256);
    // Byte by byte, so that nothing of what follows the answer is taken from the TLS layer.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= ANSWER_BYTES_MAX {
            return Err(io::Error::other(
                "the forward proxy's answer to CONNECT has no end",
            ));
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
            "the forward proxy answered CONNECT with `{status}`"
        )))
    }
}

/// RFC 4648 Base64, for the one short header that needs it.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let value = group
            .iter()
            .fold(0_u32, |value, byte| value << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for position in 0..4 {
            if position <= group.len() {
                let index = (value >> (18 - 6 * position)) & 63;
                text.push(char::from(ALPHABET[index as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_choose_by_scheme_and_host() {
        let rules = ProxyRules::new(
            Some("http://user:secret@proxy.example:3128/"),
            Some("other:8080"),
            Some(".internal.example, exact.example"),
        );
        let ports = |https, host: &str| rules.for_host(https, host).map(|proxy| proxy.port);
        for (https, host, port) in [
            (true, "api.openai.com", Some(3128)),
            (false, "api.openai.com", Some(8080)),
            (true, "a.internal.example", None),
            (true, "internal.example", None),
            (true, "notinternal.example", Some(3128)),
            (true, "exact.example", None),
            (true, "127.0.0.1", None),
            (true, "localhost", None),
        ] {
            assert_eq!(ports(https, host), port, "{host}");
        }
        assert!(!format!("{rules:?}").contains("secret"));
        assert_eq!(ForwardProxy::parse("socks5://x:1"), None);
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
