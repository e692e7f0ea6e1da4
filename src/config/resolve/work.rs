//! Holds what every part of resolving needs: the sources, the place of files, the problems.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::config::kinds::stand_in;
use crate::config::presets::Preset;
use crate::config::problem::{Finding, Findings, Severity, nearest};
use crate::config::read::At;

/// Everything that settings are made of; nothing else is read.
pub struct Sources<'a> {
    /// The config; nothing where there is no file.
    pub text: Option<&'a str>,
    /// Its path, for messages and as the place that relative files are relative to.
    pub file: &'a str,
    /// Looks up an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Reads a `token_file` or `api_key_file`; who else may read it is the caller's to check.
    pub read_file: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Reads a file whose readers are nobody's concern here: prices, certificates and their keys.
    pub read_text: &'a dyn Fn(&Path) -> io::Result<String>,
    /// The user's data directory.
    pub data_dir: PathBuf,
    /// Cores of the machine.
    pub cores: usize,
}

impl std::fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources")
            .field("file", &self.file)
            .field("data_dir", &self.data_dir)
            .field("cores", &self.cores)
            .finish_non_exhaustive()
    }
}

/// Settings in the making.
pub(in crate::config) struct Work<'a> {
    pub(in crate::config) sources: &'a Sources<'a>,
    pub(in crate::config) presets: &'a [Preset],
    /// Whether secrets that are not there are none of the problems.
    pub(in crate::config) spares_secrets: bool,
    pub(in crate::config) findings: Findings,
}

/// Bytes of the text that a problem points to.
pub(in crate::config) type Span = Option<Range<usize>>;

impl Work<'_> {
    /// Notes an error.
    pub(in crate::config) fn refuse(
        &mut self,
        path: impl Into<String>,
        span: Span,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<Hint>,
    ) {
        self.note(
            Severity::Error,
            path.into(),
            span,
            found.into(),
            expected.into(),
            hint.into(),
        );
    }

    /// Notes a warning.
    pub(in crate::config) fn warn(
        &mut self,
        path: impl Into<String>,
        span: Span,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<Hint>,
    ) {
        self.note(
            Severity::Warning,
            path.into(),
            span,
            found.into(),
            expected.into(),
            hint.into(),
        );
    }

    fn note(
        &mut self,
        severity: Severity,
        key_path: String,
        span: Span,
        found: String,
        expected: String,
        hint: Hint,
    ) {
        self.findings.push(Finding {
            key_path,
            span,
            found,
            expected,
            hint: hint.0,
            severity,
        });
    }

    /// A text as a message may show it.
    pub(in crate::config) fn show(&self, at: &At<String>) -> String {
        self.findings.show(&at.value, &at.span)
    }

    /// The preset that a name was most likely meant to be.
    pub(in crate::config) fn nearest_preset(&self, name: &str) -> Option<&'_ str> {
        nearest(name, self.presets.iter().map(|preset| preset.name.as_str()))
    }

    /// A variable that is set to something.
    pub(in crate::config) fn env(&self, name: &str) -> Option<String> {
        let value = (self.sources.env)(name)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    /// The first of the variables that is set, and its name.
    pub(in crate::config) fn first_env(&self, names: &[String]) -> Option<(String, String)> {
        names
            .iter()
            .find_map(|name| Some((name.clone(), self.env(name)?)))
    }

    /// Whether a file is there that can be read; what it holds is looked at later.
    pub(in crate::config) fn is_there(&self, path: &Path) -> bool {
        (self.sources.read_text)(path).is_ok()
    }

    /// Where a file of the config is: relative to the config's own folder.
    pub(in crate::config) fn beside(&self, path: &Path) -> PathBuf {
        Path::new(self.sources.file)
            .parent()
            .map_or_else(|| path.to_owned(), |folder| folder.join(path))
    }

    /// Where a PEM file with something of `label` in it is.
    pub(in crate::config) fn pem_file(
        &mut self,
        path: &str,
        file: &At<PathBuf>,
        label: &str,
    ) -> Option<PathBuf> {
        let place = self.beside(&file.value);
        let (found, hint) = match (self.sources.read_text)(&place) {
            Ok(text) if text.contains(label) => return Some(place),
            Ok(_) => (
                format!("a file without `{label}`"),
                "certificate and key are two PEM files: are they the right way round?".to_owned(),
            ),
            Err(error) => (
                format!("a file that cannot be read: {error}"),
                format!("looked for {}", place.display()),
            ),
        };
        let span = Some(file.span.clone());
        self.refuse(path, span, found, "a readable file in PEM", hint);
        None
    }

    /// The secret that a file holds.
    pub(in crate::config) fn secret_file(
        &mut self,
        path: &str,
        file: &At<PathBuf>,
    ) -> Option<SecretString> {
        let place = self.beside(&file.value);
        let (found, hint) = match (self.sources.read_file)(&place) {
            Ok(text) if !text.trim().is_empty() => {
                return Some(SecretString::from(text.trim().to_owned()));
            }
            Err(_) if self.spares_secrets => {
                return Some(SecretString::from(stand_in(&place.to_string_lossy())));
            }
            Ok(_) => ("an empty file".to_owned(), Hint::default()),
            Err(error) => (
                format!("a file that cannot be read: {error}"),
                Hint::from(format!("looked for {}", place.display())),
            ),
        };
        let span = Some(file.span.clone());
        self.refuse(
            path,
            span,
            found,
            "a readable file that holds the secret",
            hint,
        );
        None
    }
}

/// What to do about a problem, where there is something to say.
#[derive(Debug, Default)]
pub(in crate::config) struct Hint(pub(in crate::config) Option<String>);

impl From<&str> for Hint {
    fn from(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self(Some(text))
    }
}

impl From<Option<String>> for Hint {
    fn from(text: Option<String>) -> Self {
        Self(text)
    }
}

/// The values of a list; none where there is no list.
pub(in crate::config) fn texts<T, U>(
    given: Option<At<Vec<At<T>>>>,
    read: impl Fn(T) -> U,
) -> Vec<U> {
    let list = given.map_or_else(Vec::new, |at| at.value);
    list.into_iter().map(|at| read(at.value)).collect()
}
