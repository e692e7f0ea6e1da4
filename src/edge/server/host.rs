//! Reads the name that a client asks for, which must be ours.

/// The lower-case name of a Host value; IPv6 without its brackets.
#[must_use]
pub fn host_name(value: &str) -> Option<String> {
    let (name, port) = match value.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (
                address,
                after
                    .strip_prefix(':')
                    .or_else(|| after.is_empty().then_some("80"))?,
            )
        }
        None => value.split_once(':').unwrap_or((value, "80")),
    };
    let plausible = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    let ok = !name.is_empty()
        && name.bytes().all(plausible)
        && !port.is_empty()
        && port.len() <= 5
        && port.bytes().all(|byte| byte.is_ascii_digit());
    ok.then(|| name.to_ascii_lowercase())
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
            ("127.0.0.1", Some("127.0.0.1")),
            ("evil.example:80", Some("evil.example")),
            ("localhost:", None),
            ("localhost:99999999", None),
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
