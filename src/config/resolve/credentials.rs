//! Finds the credentials of a provider: in the config, in a file, in the preset's variables, or
//! the way to them through a cloud's own login.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::config::choices::LoginWord;
use crate::config::credentials::{CredentialFrom, CredentialSource, KeyCommand};
use crate::config::kinds::{Deadline, Secret};
use crate::config::presets::Preset;
use crate::config::raw::RawProvider;
use crate::config::read::At;

use super::logins::{self, Login, Where, distrust};
use super::work::{Span, Work};

/// What a provider's table says of its credentials.
pub(in crate::config) struct Asked {
    key: Option<At<Secret>>,
    keys: Option<At<Vec<At<Secret>>>>,
    file: Option<At<PathBuf>>,
    command: Option<At<Vec<At<String>>>>,
    timeout: Option<At<Duration>>,
    lifetime: Option<At<Deadline>>,
    login: Login,
}

impl Asked {
    /// Takes them out of the table.
    pub(in crate::config) fn of(raw: &mut RawProvider) -> Self {
        Self {
            key: raw.api_key.take(),
            keys: raw.api_keys.take(),
            file: raw.api_key_file.take(),
            command: raw.api_key_command.take(),
            timeout: raw.api_key_timeout.take(),
            lifetime: raw.api_key_lifetime.take(),
            login: Login {
                word: raw.login.take(),
                profile: raw.aws_profile.take(),
                file: raw.credentials_file.take(),
            },
        }
    }

    /// The keys given that say a credential, in the order of the documentation.
    fn given(&self) -> Vec<(&'static str, Span)> {
        let span = |range: &std::ops::Range<usize>| Some(range.clone());
        [
            ("api_key", self.key.as_ref().and_then(|at| span(&at.span))),
            ("api_keys", self.keys.as_ref().and_then(|at| span(&at.span))),
            (
                "api_key_file",
                self.file.as_ref().and_then(|at| span(&at.span)),
            ),
            (
                "api_key_command",
                self.command.as_ref().and_then(|at| span(&at.span)),
            ),
            ("login", self.login.span()),
        ]
        .into_iter()
        .filter(|(_, span)| span.is_some())
        .collect()
    }
}

/// The provider's own credentials, in the order of the config.
pub(in crate::config) fn credentials(
    path: &str,
    asked: Asked,
    preset: Option<&Preset>,
    place: &Where<'_>,
    work: &mut Work<'_>,
) -> Vec<CredentialSource> {
    let given = asked.given();
    if let [_, (name, span), ..] = given.as_slice() {
        let expected =
            "one of `api_key`, `api_keys`, `api_key_file`, `api_key_command` and `login`";
        let hint = "several keys stand in `api_keys`";
        work.refuse(
            format!("{path}.{name}"),
            span.clone(),
            "two credentials",
            expected,
            hint,
        );
        return Vec::new();
    }
    refuse_idle(path, &asked, work);
    if let Some(at) = asked.key {
        // `${NAME:-}` says in one word: the key where there is one.
        if at.value.0.expose_secret().is_empty() {
            return Vec::new();
        }
        let path = format!("{path}.api_key");
        return key(&path, Some(at.span), at.value.0, "api_key", work)
            .into_iter()
            .collect();
    }
    if let Some(list) = asked.keys {
        return several(&format!("{path}.api_keys"), list, work);
    }
    if let Some(file) = asked.file {
        let path = format!("{path}.api_key_file");
        let text = work.secret_file(&path, &file);
        return text
            .and_then(|text| key(&path, Some(file.span), text, "api_key_file", work))
            .into_iter()
            .collect();
    }
    if let Some(words) = asked.command {
        let terms = (asked.timeout, asked.lifetime);
        return command(&format!("{path}.api_key_command"), words, terms, work)
            .into_iter()
            .collect();
    }
    let said = asked.login.word.as_ref().map(|at| at.value);
    if said != Some(LoginWord::None) && asked.login.is_given() {
        return logins::asked(path, &asked.login, preset, place, work)
            .into_iter()
            .collect();
    }
    let Some(preset) = preset else {
        return Vec::new();
    };
    if let Some((name, value)) = work.first_env(&preset.variables) {
        if !preset.trusts(&place.base.host) {
            distrust(path, (&name, preset), place, work);
            return Vec::new();
        }
        let path = format!("{path}.api_key");
        return key(&path, None, SecretString::from(value), &name, work)
            .into_iter()
            .collect();
    }
    if said == Some(LoginWord::None) {
        return Vec::new();
    }
    logins::found(path, preset, place, work)
        .into_iter()
        .collect()
}

/// Refuses credentials that nothing carries.
pub(in crate::config) fn refuse(path: &str, asked: &Asked, work: &mut Work<'_>) {
    for (name, span) in asked.given() {
        let expected = "no credential, or another `auth`";
        let found = "a key with auth = \"none\"";
        work.refuse(format!("{path}.{name}"), span, found, expected, None);
    }
}

/// Terms of a command where there is none.
fn refuse_idle(path: &str, asked: &Asked, work: &mut Work<'_>) {
    if asked.command.is_some() {
        return;
    }
    let timeout = asked
        .timeout
        .as_ref()
        .map(|at| ("api_key_timeout", &at.span));
    let lifetime = asked
        .lifetime
        .as_ref()
        .map(|at| ("api_key_lifetime", &at.span));
    for (name, span) in timeout.into_iter().chain(lifetime) {
        let (path, span) = (format!("{path}.{name}"), Some(span.clone()));
        work.warn(
            path,
            span,
            "terms of a command",
            "`api_key_command` beside it",
            None,
        );
    }
}

fn several(path: &str, list: At<Vec<At<Secret>>>, work: &mut Work<'_>) -> Vec<CredentialSource> {
    if list.value.is_empty() {
        let hint = "api_keys = [\"${KEY_1}\", \"${KEY_2}\"]";
        work.refuse(
            path,
            Some(list.span),
            "an empty list",
            "at least one key",
            hint,
        );
        return Vec::new();
    }
    let mut sources: Vec<CredentialSource> = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    for (index, at) in list.value.into_iter().enumerate() {
        let (path, label) = (format!("{path}[{index}]"), format!("api_keys[{index}]"));
        let text = at.value.0.expose_secret().to_owned();
        // `${NAME:-}` again: the keys that there are.
        if text.is_empty() {
            continue;
        }
        if let Some(twin) = texts.iter().position(|other| *other == text) {
            let found = format!("the same key as [{twin}]");
            work.refuse(path, Some(at.span), found, "each key once", None);
            continue;
        }
        texts.push(text);
        sources.extend(key(&path, Some(at.span), at.value.0, &label, work));
    }
    sources
}

fn command(
    path: &str,
    words: At<Vec<At<String>>>,
    (timeout, lifetime): (Option<At<Duration>>, Option<At<Deadline>>),
    work: &mut Work<'_>,
) -> Option<CredentialSource> {
    let span = Some(words.span);
    let words: Vec<String> = words.value.into_iter().map(|at| at.value).collect();
    let hint = "api_key_command = [\"op\", \"read\", \"op://vault/openai/key\"]; no shell reads it";
    match words.first() {
        Some(program) if !program.is_empty() => {}
        _ => {
            let expected = "a program and its arguments";
            work.refuse(path, span, "no program", expected, hint);
            return None;
        }
    }
    Some(CredentialSource {
        label: "api_key_command".to_owned(),
        from: CredentialFrom::Command(KeyCommand {
            words,
            timeout: timeout.map_or(COMMAND_TIMEOUT, |at| at.value),
            lifetime: lifetime.map_or(Some(COMMAND_LIFETIME), |at| at.value.0),
        }),
    })
}

const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
const COMMAND_LIFETIME: Duration = Duration::from_hours(1);

fn key(
    path: &str,
    span: Span,
    key: SecretString,
    label: &str,
    work: &mut Work<'_>,
) -> Option<CredentialSource> {
    if key
        .expose_secret()
        .bytes()
        .all(|byte| byte.is_ascii_graphic())
    {
        return Some(CredentialSource {
            label: label.to_owned(),
            from: CredentialFrom::Key(key),
        });
    }
    work.refuse(
        path,
        span,
        format!("a credential that no header can carry (from {label})"),
        "printable ASCII without spaces",
        "look for quotes, spaces or line breaks that were copied with it",
    );
    None
}
