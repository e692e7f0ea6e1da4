//! Says what a credential is once it was got, and why one could not be got.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::settings::AuthScheme;
use crate::record::WallTime;

/// A credential that was got.
#[derive(Debug)]
pub enum Material {
    /// A token that is sent along.
    Token(Token),
    /// Keys that requests are signed with.
    Keys(SigningKeys),
}

/// A token.
#[derive(Debug)]
pub struct Token {
    /// What is sent.
    pub value: SecretString,
    /// How it is put on a request, where the provider's usual way is not that of a token.
    pub auth: Option<AuthScheme>,
    /// The project that a user's requests are charged to (Google).
    pub project: Option<String>,
}

impl Token {
    /// Puts the token on a request; `auth` is the provider's usual way.
    pub fn put(&self, auth: AuthScheme, headers: &mut HeaderMap) {
        let auth = self.auth.unwrap_or(auth);
        if let Some((name, value)) = auth.carry(self.value.expose_secret()) {
            headers.insert(HeaderName::from_static(name), value);
        }
        let project = self.project.as_deref().map(HeaderValue::from_str);
        if let Some(Ok(project)) = project {
            headers.insert("x-goog-user-project", project);
        }
    }
}

/// Access keys of AWS.
pub struct SigningKeys {
    /// The access key's id.
    pub id: String,
    /// The secret access key.
    pub secret: SecretString,
    /// The session's token, where the keys are temporary.
    pub token: Option<SecretString>,
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKeys")
    }
}

/// A credential, and until when it holds.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) material: Material,
    /// When it runs out; never where absent.
    pub(super) expires: Option<WallTime>,
}

impl Got {
    /// A token that is sent as `Authorization: Bearer`.
    pub(super) fn bearer(value: String, expires: Option<WallTime>) -> Self {
        Self {
            material: Material::Token(Token {
                value: SecretString::from(value),
                auth: Some(AuthScheme::Bearer),
                project: None,
            }),
            expires,
        }
    }
}

/// Why there is no credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialFault {
    /// What was tried, what happened, and what to do; without any secret.
    pub message: String,
    /// Whether it may heal by itself: somebody could not be reached.
    pub is_passing: bool,
}

impl fmt::Display for CredentialFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CredentialFault {}

/// How one step of a chain ended without a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Miss {
    /// There is nothing there: the next step may have it.
    Absent(String),
    /// It is there and does not work: nothing else is tried in its place.
    Broken(CredentialFault),
}

impl Miss {
    /// Somebody or something refused.
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self::Broken(CredentialFault {
            message: message.into(),
            is_passing: false,
        })
    }

    /// Somebody could not be reached.
    pub(super) fn unreached(message: impl Into<String>) -> Self {
        Self::Broken(CredentialFault {
            message: message.into(),
            is_passing: true,
        })
    }

    /// The same, with what it was tried for in front.
    pub(super) fn of(self, what: &str) -> Self {
        match self {
            Self::Absent(why) => Self::Absent(format!("{what}: {why}")),
            Self::Broken(fault) => Self::Broken(CredentialFault {
                message: format!("{what}: {}", fault.message),
                ..fault
            }),
        }
    }
}

/// Takes the first of a chain's steps that has something; notes those that have nothing.
#[derive(Debug, Default)]
pub(super) struct Chain(Vec<String>);

impl Chain {
    /// What a step brought: an answer, good or bad, or the way to the next step.
    pub(super) fn step<T>(&mut self, tried: Result<T, Miss>) -> Option<Result<T, Miss>> {
        match tried {
            Err(Miss::Absent(why)) => {
                self.0.push(why);
                None
            }
            Err(Miss::Broken(fault)) if !self.0.is_empty() => {
                let message = format!("{} (before it: {})", fault.message, self.0.join("; "));
                Some(Err(Miss::Broken(CredentialFault { message, ..fault })))
            }
            done => Some(done),
        }
    }

    /// Nothing was found anywhere.
    pub(super) fn nothing(self, what: &str, hint: &str) -> Miss {
        Miss::refused(format!("no {what}; tried {}; {hint}", self.0.join("; ")))
    }
}
