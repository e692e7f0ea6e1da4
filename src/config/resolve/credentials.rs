//! Finds the credential of a provider: in the config, in a file, or in the preset's variables.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use crate::config::kinds::Secret;
use crate::config::presets::Preset;
use crate::config::read::At;
use crate::config::settings::BaseUrl;

use super::work::{Span, Work};

/// A credential and where it came from.
#[derive(Debug)]
pub(in crate::config) struct Credential {
    pub(in crate::config) key: SecretString,
    pub(in crate::config) source: String,
}

/// What a provider's table says of its credential.
pub(in crate::config) struct Asked {
    pub(in crate::config) api_key: Option<At<Secret>>,
    pub(in crate::config) api_key_file: Option<At<PathBuf>>,
    /// Where `base_url` stands, where the config gives one.
    pub(in crate::config) base_span: Span,
}

/// The provider's own credential, where it has one.
pub(in crate::config) fn credential(
    path: &str,
    asked: Asked,
    preset: Option<&Preset>,
    base: &BaseUrl,
    work: &mut Work<'_>,
) -> Option<Credential> {
    let key_path = format!("{path}.api_key");
    match (asked.api_key, asked.api_key_file) {
        (Some(at), Some(_)) => {
            let expected = "`api_key` or `api_key_file`, not both";
            work.refuse(key_path, Some(at.span), "two credentials", expected, None);
            None
        }
        // `${NAME:-}` says in one word: the key where there is one.
        (Some(at), None) if at.value.0.expose_secret().is_empty() => None,
        (Some(at), None) => checked(&key_path, Some(at.span), at.value.0, "api_key", work),
        (None, Some(file)) => {
            let path = format!("{path}.api_key_file");
            let key = work.secret_file(&path, &file)?;
            checked(&path, Some(file.span), key, "api_key_file", work)
        }
        (None, None) => from_variables(path, preset?, base, asked.base_span, work),
    }
}

fn from_variables(
    path: &str,
    preset: &Preset,
    base: &BaseUrl,
    base_span: Span,
    work: &mut Work<'_>,
) -> Option<Credential> {
    let (name, value) = work.first_env(&preset.variables)?;
    if !preset.trusts(&base.host) {
        work.warn(
            format!("{path}.base_url"),
            base_span,
            format!(
                "{}, which is not a host of the preset {}",
                base.host, preset.name
            ),
            format!("{name} is not sent there unless the config says so"),
            format!("write api_key = \"${{{name}}}\" if it is meant for that host"),
        );
        return None;
    }
    checked(
        &format!("{path}.api_key"),
        None,
        SecretString::from(value),
        &name,
        work,
    )
}

fn checked(
    path: &str,
    span: Span,
    key: SecretString,
    source: &str,
    work: &mut Work<'_>,
) -> Option<Credential> {
    if key
        .expose_secret()
        .bytes()
        .all(|byte| byte.is_ascii_graphic())
    {
        return Some(Credential {
            key,
            source: source.to_owned(),
        });
    }
    work.refuse(
        path,
        span,
        format!("a credential that no header can carry (from {source})"),
        "printable ASCII without spaces",
        "look for quotes, spaces or line breaks that were copied with it",
    );
    None
}
