//! Reads the name that a client asks for, which must be ours.

use std::net::Ipv6Addr;

/// Longest host name there is (RFC 1035, 2.3.4, without the final dot).
const HOST_NAME_BYTES_MAX: usize = 253;

/// The lower-case name of a Host value; IPv6 without its brackets.
#[must_use]
pub fn host_name(value: &str) -> Option<String> {
    let (name, port) = if let Some(rest) = value.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        // One address, one spelling: that of the config.
        let address = address.parse::<Ipv6Addr>().ok()?.to_string();
        (
            address,
            after
                .strip_prefix(':')
                .or_else(|| after.is_empty().then_some("80"))?,
        )
    } else {
        let (name, port) = value.split_once(':').unwrap_or((value, "80"));
        (name.to_ascii_lowercase(), port)
    };
    let plausible = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    // `parse` would take a sign.
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let ok = !name.is_empty()
        && name.len() <= HOST_NAME_BYTES_MAX
        && name.bytes().all(plausible)
        && is_port;
    ok.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_read_or_refused() {
        for (value, name) in [
            ("localhost:4100", Some("localhost")),
            ("LOCALHOST", Some("localhost")),
            ("[::1]:4100", Some("::1")),
            ("[2001:DB8:0::1]", Some("2001:db8::1")),
            ("localhost:65536", None),
            ("localhost:+80", None),
            ("127.0.0.1", Some("127.0.0.1")),
            ("evil.example:80", Some("evil.example")),
            ("localhost:", None),
            ("localhost:99999999", None),
            ("localhost:65536", None),
            ("localhost:+80", None),
            ("localhost:80@evil", None),
            ("a b", None),
            ("", None),
            ("[::1", None),
            ("[::1]x", None),
            ("[nonsense]:1", None),
        ] {
            assert_eq!(host_name(value).as_deref(), name, "{value}");
        }
    }
}
