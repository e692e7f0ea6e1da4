//! Reads base URLs and hosts, and knows which of them are private or our own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::settings::BaseUrl;

/// Why a text is no base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UrlFault {
    /// Neither `http://` nor `https://` stands in front.
    Scheme,
    /// A user or password stands in front of the host.
    Credentials,
    /// A `#fragment` stands at the end.
    Fragment,
    /// No host, or none that can be one.
    Host,
    /// A port that is none.
    Port,
    /// A character that no URL may hold unencoded.
    Character,
    /// A path with `.` or `..` in it.
    Dots,
}

/// The base URL that a text is.
pub(super) fn base_url(text: &str) -> Result<BaseUrl, UrlFault> {
    let (scheme, rest) = text.split_once("://").ok_or(UrlFault::Scheme)?;
    let https = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return Err(UrlFault::Scheme),
    };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if authority.contains('@') {
        return Err(UrlFault::Credentials);
    }
    if tail.contains('#') {
        return Err(UrlFault::Fragment);
    }
    if !tail.bytes().all(is_url_byte) {
        return Err(UrlFault::Character);
    }
    let (host, port) = authority_parts(authority)?;
    let (path, query) = match tail.split_once('?') {
        Some((path, query)) => (path, Some(query).filter(|query| !query.is_empty())),
        None => (tail, None),
    };
    let path = path.trim_end_matches('/');
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(UrlFault::Dots);
    }
    Ok(BaseUrl {
        https,
        host,
        port: port.unwrap_or(if https { 443 } else { 80 }),
        path: path.to_owned(),
        query: query.map(str::to_owned),
    })
}

fn authority_parts(authority: &str) -> Result<(String, Option<u16>), UrlFault> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(UrlFault::Host)?;
        let address: Ipv6Addr = host.parse().map_err(|_| UrlFault::Host)?;
        let port = match after.strip_prefix(':') {
            Some(port) => Some(port),
            None if after.is_empty() => None,
            None => return Err(UrlFault::Port),
        };
        (address.to_string(), port)
    } else {
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        (host_name(host).ok_or(UrlFault::Host)?, port)
    };
    let port = match port {
        None | Some("") => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(
            digits
                .parse()
                .ok()
                .filter(|&port| port > 0)
                .ok_or(UrlFault::Port)?,
        ),
        Some(_) => return Err(UrlFault::Port),
    };
    Ok((host, port))
}

/// The host in lower case, where it is a name or an IPv4 address that everyone reads alike.
pub(super) fn host_name(text: &str) -> Option<String> {
    let host = text.to_ascii_lowercase();
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if host.len() > 253 || !host.split('.').all(label) {
        return None;
    }
    // `127.1`, `0x7f000001` and `2130706433` are addresses to some resolvers and names to others.
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    (!numeric || host.parse::<Ipv4Addr>().is_ok()).then_some(host)
}

fn is_url_byte(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(
            byte,
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
        )
}

/// Whether a host is on this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || address(host).is_some_and(|address| address.is_loopback())
}

/// Whether a host is on this machine or on a network of one's own: no plain-text credential
/// leaves the house on the way there.
pub(super) fn is_private(host: &str) -> bool {
    match address(host) {
        Some(IpAddr::V4(address)) => {
            // Shared address space (RFC 6598): Tailscale's and the carriers' own networks.
            let shared = address.octets()[0] == 100 && address.octets()[1] & 0xc0 == 64;
            address.is_loopback() || address.is_private() || address.is_link_local() || shared
        }
        Some(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
        // A name without a dot is a service of one's own compose file or search domain.
        None => {
            is_loopback(host)
                || !host.contains('.')
                || [".local", ".internal", ".lan", ".home.arpa"]
                    .iter()
                    .any(|suffix| host.ends_with(suffix))
        }
    }
}

/// Whether a request to `base` would arrive at the listener itself.
pub(super) fn is_own<'a>(
    base: &BaseUrl,
    listen: SocketAddr,
    mut hosts: impl Iterator<Item = &'a String>,
) -> bool {
    if base.port != listen.port() {
        return false;
    }
    if hosts.any(|host| *host == base.host) {
        return true;
    }
    let own = canonical(listen.ip());
    let here = is_loopback(&base.host)
        || address(&base.host).is_some_and(|address| address.is_unspecified());
    match address(&base.host) {
        Some(address) if address == own => true,
        _ => here && (own.is_loopback() || own.is_unspecified()),
    }
}

fn address(host: &str) -> Option<IpAddr> {
    host.parse().ok().map(canonical)
}

/// `::ffff:127.0.0.1` is 127.0.0.1.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_split() {
        for (text, expected) in [
            ("https://api.openai.com/v1", Ok("https://api.openai.com/v1")),
            (
                "https://api.openai.com/v1/",
                Ok("https://api.openai.com/v1"),
            ),
            ("HTTPS://API.OpenAI.com", Ok("https://api.openai.com")),
            ("http://127.0.0.1:8000/v1", Ok("http://127.0.0.1:8000/v1")),
            ("http://[::1]:8000", Ok("http://[::1]:8000")),
            ("https://h:443/", Ok("https://h")),
            ("http://h:443/", Ok("http://h:443")),
            (
                "https://r.openai.azure.com/openai?api-version=2",
                Ok("https://r.openai.azure.com/openai?api-version=2"),
            ),
            ("https://h?", Ok("https://h")),
            ("api.openai.com/v1", Err(UrlFault::Scheme)),
            ("ftp://h", Err(UrlFault::Scheme)),
            ("", Err(UrlFault::Scheme)),
            ("https://user:pw@h/v1", Err(UrlFault::Credentials)),
            ("https://h/v1#top", Err(UrlFault::Fragment)),
            ("https://", Err(UrlFault::Host)),
            ("https:///v1", Err(UrlFault::Host)),
            ("https://bücher.example", Err(UrlFault::Host)),
            ("https://a b", Err(UrlFault::Host)),
            ("http://127.1:80", Err(UrlFault::Host)),
            ("http://2130706433", Err(UrlFault::Host)),
            ("http://0x7f000001", Err(UrlFault::Host)),
            ("http://[::1", Err(UrlFault::Host)),
            ("http://[fe80::1%eth0]", Err(UrlFault::Host)),
            ("http://::1:80", Err(UrlFault::Host)),
            ("http://h:0", Err(UrlFault::Port)),
            ("http://h:65536", Err(UrlFault::Port)),
            ("http://h:+80", Err(UrlFault::Port)),
            ("http://[::1]x", Err(UrlFault::Port)),
            ("https://h/{region}", Err(UrlFault::Character)),
            ("https://h/a b", Err(UrlFault::Character)),
            ("https://h/v1/../v2", Err(UrlFault::Dots)),
        ] {
            let found = base_url(text).map(|base| base.to_string());
            assert_eq!(found, expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn private_hosts_are_known() {
        for (host, private) in [
            ("localhost", true),
            ("app.localhost", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("10.0.0.5", true),
            ("192.168.1.2", true),
            ("172.31.0.1", true),
            ("100.64.0.1", true),
            ("fd00::1", true),
            ("::ffff:10.0.0.1", true),
            ("vllm", true),
            ("gpu.local", true),
            ("172.32.0.1", false),
            ("8.8.8.8", false),
            ("2606:4700::1", false),
            ("api.openai.com", false),
            ("localhost.example.com", false),
        ] {
            assert_eq!(is_private(host), private, "{host}");
        }
    }

    #[test]
    fn our_own_listener_is_known_by_every_name() {
        let hosts = ["gate.example".to_owned()];
        for (listen, base, own) in [
            ("127.0.0.1:4100", "http://127.0.0.1:4100/v1", true),
            ("127.0.0.1:4100", "http://localhost:4100/v1", true),
            ("127.0.0.1:4100", "http://[::1]:4100", true),
            ("127.0.0.1:4100", "http://[::ffff:127.0.0.1]:4100", true),
            ("127.0.0.1:4100", "http://0.0.0.0:4100", true),
            ("127.0.0.1:4100", "http://x.localhost:4100", true),
            ("127.0.0.1:4100", "https://gate.example:4100", true),
            ("0.0.0.0:4100", "http://127.0.0.1:4100", true),
            ("[::]:4100", "http://localhost:4100", true),
            ("192.168.1.2:4100", "http://192.168.1.2:4100", true),
            ("0.0.0.0:443", "https://gate.example", true),
            ("192.168.1.2:4100", "http://127.0.0.1:4100", false),
            ("127.0.0.1:4100", "http://127.0.0.1:8000", false),
            ("127.0.0.1:4100", "http://192.168.1.2:4100", false),
            ("127.0.0.1:443", "https://api.openai.com", false),
        ] {
            let base = base_url(base).unwrap();
            let found = is_own(&base, listen.parse().unwrap(), hosts.iter());
            assert_eq!(found, own, "{listen} {base}");
        }
    }
}
