//! Splits a request's path into the provider it names and the path there.

use crate::config::settings::Settings;

/// Where a request's path points, before its model is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address<'a> {
    /// The provider that the base URL named (`/{provider}/v1/…`).
    pub provider: Option<&'a str>,
    /// The path without the provider: `/v1/…`.
    pub path: &'a str,
}

/// Splits `/{provider}/v1/…`; any other path is taken whole.
#[must_use]
pub fn split<'a>(path: &'a str, settings: &Settings) -> Address<'a> {
    let rest = path.trim_start_matches('/');
    let first = rest.split('/').next().unwrap_or_default();
    match settings.provider(first) {
        Some(_) if !first.is_empty() => {
            let after = &path[path.len() - rest.len() + first.len()..];
            let after = if after.is_empty() { "/" } else { after };
            Address {
                provider: Some(first),
                path: after,
            }
        }
        _ => Address {
            provider: None,
            path,
        },
    }
}
