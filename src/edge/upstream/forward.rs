//! Reads which hosts are reached through which forward proxy: `HTTPS_PROXY`, `NO_PROXY`.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

/// A forward proxy (`http://[user:password@]host:port`).
#[derive(Clone, PartialEq, Eq)]
pub struct ForwardProxy {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The value of `Proxy-Authorization`.
    authorization: Option<String>,
}

impl std::fmt::Debug for ForwardProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A variable that names no proxy that can be used. Passed over, it would send keys and prompts
/// another way than the network's owner wants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{variable}: {reason}; a forward proxy is http://[user:password@]host[:port], and CONNECT is \
     what it has to know"
)]
pub struct ForwardFault {
    variable: String,
    reason: &'static str,
}

impl ForwardProxy {
    /// Reads a proxy URL; a missing scheme means `http://`, user and password are percent-encoded.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = match text.trim().split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err("proxies by other schemes than http are not spoken"),
            None => text.trim(),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, address) = match rest.rsplit_once('@') {
            Some((credentials, address)) => (Some(credentials), address),
            None => (None, rest),
        };
        if address.contains(['/', '?', '#']) {
            return Err("there is a path behind the host");
        }
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| "the port is no number")?)
            }
            _ => (address, 80),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("there is no host");
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            authorization: credentials.map(basic),
        })
    }

    /// The value of `Proxy-Authorization`, where the proxy wants one.
    pub(super) fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }
}

/// RFC 7617: user, colon, password, as they are and not as a URL writes them.
fn basic(credentials: &str) -> String {
    let plain: Vec<u8> = percent_decode_str(credentials).collect();
    format!("Basic {}", STANDARD.encode(plain))
}

/// Which hosts are reached through which forward proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyRules {
    https: Option<ForwardProxy>,
    http: Option<ForwardProxy>,
    exempt: Vec<Exempt>,
}

/// Hosts that are reached without a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exempt {
    All,
    /// A name and all under it, or an address.
    Name(String, Option<u16>),
    /// All addresses that begin with so many bits of this one.
    Network(IpAddr, u8),
}

impl Exempt {
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_ascii_lowercase();
        if entry == "*" {
            return Some(Self::All);
        }
        if let Some((address, bits)) = entry.split_once('/')
            && let (Ok(address), Ok(bits)) = (address.parse(), bits.parse())
        {
            return Some(Self::Network(address, bits));
        }
        let bare = entry.trim_start_matches('[');
        let (name, port) = match bare.rsplit_once(':') {
            // More than one colon is an address, unless brackets tell it from a port.
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => {
                (name, port.parse().ok())
            }
            _ => (bare, None),
        };
        let name = name.trim_end_matches(']').trim_start_matches("*.");
        let name = name.trim_start_matches('.');
        (!name.is_empty()).then(|| Self::Name(name.to_owned(), port))
    }

    fn covers(&self, host: &str, port: u16) -> bool {
        match self {
            Self::All => true,
            Self::Name(name, only) => {
                let under = host.strip_suffix(name.as_str());
                let named = under.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                named && only.is_none_or(|only| only == port)
            }
            Self::Network(network, bits) => host
                .parse()
                .is_ok_and(|host| begin_alike(*network, host, *bits)),
        }
    }
}

/// Whether two addresses of one kind have their first `bits` bits in common.
fn begin_alike(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    let (differ, width) = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            (u128::from(one.to_bits() ^ other.to_bits()) << 96, 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits(), 128),
        _ => return false,
    };
    bits <= width && differ.leading_zeros() >= u32::from(bits)
}

impl ProxyRules {
    /// Reads the rules from variables, each with its name: `HTTPS_PROXY`, `http_proxy` (or
    /// `ALL_PROXY`), and from the value of `NO_PROXY` (hosts with all under them, `host:port`,
    /// addresses, networks as `10.0.0.0/8`, `*` for all).
    pub fn new(
        https: Option<(&str, &str)>,
        http: Option<(&str, &str)>,
        no_proxy: Option<&str>,
    ) -> Result<Self, ForwardFault> {
        let read = |variable: Option<(&str, &str)>| {
            let parsed = variable.map(|(name, value)| {
                ForwardProxy::parse(value).map_err(|reason| ForwardFault {
                    variable: name.to_owned(),
                    reason,
                })
            });
            parsed.transpose()
        };
        let entries = no_proxy.unwrap_or_default().split([',', ' ']);
        Ok(Self {
            https: read(https)?,
            http: read(http)?,
            exempt: entries.filter_map(Exempt::parse).collect(),
        })
    }

    /// The proxy for a host and port, if any. Loopback never goes through one.
    #[must_use]
    pub fn for_host(&self, https: bool, host: &str, port: u16) -> Option<&ForwardProxy> {
        let proxy = if https { &self.https } else { &self.http };
        let proxy = proxy.as_ref()?;
        let address = host.parse::<IpAddr>();
        let loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        let exempt = || self.exempt.iter().any(|entry| entry.covers(host, port));
        (!loopback && !exempt()).then_some(proxy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_choose_by_scheme_and_host() {
        let rules = ProxyRules::new(
            Some(("HTTPS_PROXY", "http://user:secret@proxy.example:3128/")),
            Some(("http_proxy", "other:8080")),
            Some(
                ".internal.example, exact.example,*.stars.example ported.example:8443, 10.0.0.0/8,\
                 192.0.2.7, 2001:db8::/32, [2001:db9::1]:443",
            ),
        )
        .unwrap();
        let through = |https, host: &str, port| {
            let proxy = rules.for_host(https, host, port);
            proxy.map(|proxy| proxy.port)
        };
        for (https, host, port, expected) in [
            (true, "api.openai.com", 443, Some(3128)),
            (false, "api.openai.com", 80, Some(8080)),
            (true, "a.internal.example", 443, None),
            (true, "internal.example", 443, None),
            (true, "notinternal.example", 443, Some(3128)),
            (true, "exact.example", 443, None),
            (true, "a.stars.example", 443, None),
            (true, "ported.example", 8443, None),
            (true, "ported.example", 443, Some(3128)),
            (true, "10.9.8.7", 443, None),
            (true, "11.9.8.7", 443, Some(3128)),
            (true, "192.0.2.7", 443, None),
            (true, "192.0.2.77", 443, Some(3128)),
            (true, "2001:db8:1::2", 443, None),
            (true, "2001:db9::1", 443, None),
            (true, "2001:db9::1", 444, Some(3128)),
            (true, "127.0.0.1", 443, None),
            (true, "localhost", 443, None),
        ] {
            assert_eq!(through(https, host, port), expected, "{host}:{port}");
        }
        assert!(!format!("{rules:?}").contains("secret"));
        let all = ProxyRules::new(Some(("HTTPS_PROXY", "p:1")), None, Some("*")).unwrap();
        assert_eq!(all.for_host(true, "api.openai.com", 443), None);
    }

    #[test]
    fn proxies_are_read_as_urls_or_refused() {
        for (text, expected) in [
            ("http://proxy", Ok(("proxy", 80, None))),
            ("HTTP://proxy:3128", Ok(("proxy", 3128, None))),
            ("[::1]:3128", Ok(("::1", 3128, None))),
            ("http://[2001:db8::1]", Ok(("2001:db8::1", 80, None))),
            // `us@er:p:w`, as curl, Python and Go send it.
            (
                "http://us%40er:p%3Aw@proxy:1/",
                Ok(("proxy", 1, Some("Basic dXNAZXI6cDp3"))),
            ),
            (
                "http://user@proxy:1",
                Ok(("proxy", 1, Some("Basic dXNlcg=="))),
            ),
            ("socks5://proxy:1", Err("schemes")),
            ("https://proxy:1", Err("schemes")),
            ("http://proxy:3128/x", Err("path")),
            ("proxy:http", Err("number")),
            ("http://", Err("no host")),
        ] {
            let read = ProxyRules::new(Some(("HTTPS_PROXY", text)), None, None);
            match (read, expected) {
                (Ok(rules), Ok((host, port, authorization))) => {
                    let proxy = rules.https.unwrap();
                    assert_eq!((proxy.host.as_str(), proxy.port), (host, port), "{text}");
                    assert_eq!(proxy.authorization(), authorization, "{text}");
                }
                (Err(fault), Err(words)) => {
                    let said = fault.to_string();
                    assert!(
                        said.starts_with("HTTPS_PROXY: ") && said.contains(words),
                        "{said}"
                    );
                }
                (read, _) => panic!("{text}: {read:?}"),
            }
        }
    }
}
