//! Looks at the credential of a request, and says what its provider would.

use crate::config::settings::AuthScheme;
use crate::record::{Language, WallTime};
use crate::simulator::truth::Credential;

use super::endpoints::{Address, Cloud};
use super::errors::Problem;
use super::manner::Manner;
use super::quirks::Quirks;
use super::request::RequestHead;
use super::signature::{self, ALGORITHM, BadSignature};

/// What came as credential, for the truth, and why it is not taken.
pub(super) struct Judged {
    /// For the truth.
    pub(super) credential: Credential,
    /// Why it is not taken.
    pub(super) problem: Option<Problem>,
}

/// Looks at the credential of a request.
pub(super) fn judge(
    head: &RequestHead,
    body: &[u8],
    address: &Address,
    quirks: &Quirks,
    now: WallTime,
) -> Judged {
    let found = found(head, quirks);
    let manner = Manner::of(address, quirks);
    let problem = match address.endpoint.language() {
        Language::BedrockConverse | Language::BedrockInvoke => aws(head, body, quirks, now),
        Language::GeminiGenerate => google(found, address, quirks),
        _ => {
            let wrong = found.is_none_or(|(name, value)| !quirks.accepts(name, value));
            let wrong = quirks.key.is_some() && quirks.auth != AuthScheme::None && wrong;
            wrong.then(|| Problem::of_wrong_key(&manner.owner))
        }
    };
    let judged = manner.native || quirks.key.is_some();
    let wrong = found.is_none_or(|(name, value)| !quirks.accepts(name, value));
    Judged {
        credential: Credential {
            header: found.map(|(name, _)| name),
            matched: judged.then_some(if manner.native {
                problem.is_none()
            } else {
                !wrong
            }),
        },
        problem,
    }
}

/// The credential, and the header that it came in; `key` for the one of a query.
fn found<'a>(head: &'a RequestHead, quirks: &Quirks) -> Option<(&'static str, &'a str)> {
    // Besides the persona's own header, those that SDKs of any family send are looked at.
    let own = quirks.auth.header();
    let mut names =
        own.into_iter()
            .chain(["authorization", "x-api-key", "api-key", "x-goog-api-key"]);
    let header = names.find_map(|name| head.header(name).map(|value| (name, value)));
    header.or_else(|| {
        let (_, query) = head.target.split_once('?')?;
        let mut pairs = query.split('&');
        pairs
            .find_map(|pair| pair.strip_prefix("key="))
            .map(|key| ("key", key))
    })
}

/// Google takes a key in its own header or in the query, and a token of its own as bearer.
fn google(
    found: Option<(&'static str, &str)>,
    address: &Address,
    quirks: &Quirks,
) -> Option<Problem> {
    let vertex = address.cloud == Cloud::Vertex;
    let Some((name, value)) = found else {
        return Some(if vertex {
            Problem::of_wrong_key("vertex")
        } else {
            let message = "Method doesn't allow unregistered callers (callers without established \
                           identity). Please use API Key or other form of API consumer identity \
                           to call this API.";
            Problem::new(403, "unregistered_caller", message)
        });
    };
    let token = name == "authorization";
    if token && !vertex && !value.starts_with("Bearer ya29.") {
        // A key is no token: this is what the API says to one in the wrong header.
        return Some(Problem::of_wrong_key("vertex"));
    }
    if matches!(name, "x-api-key" | "api-key") || !quirks.accepts(name, value) {
        return Some(Problem::of_wrong_key(if vertex {
            "vertex"
        } else {
            "gemini"
        }));
    }
    None
}

/// Amazon takes a signature, or a Bedrock key as bearer.
fn aws(head: &RequestHead, body: &[u8], quirks: &Quirks, now: WallTime) -> Option<Problem> {
    let refused = |name, message| Some(Problem::of_aws(403, name, message));
    let Some(header) = head.header("authorization") else {
        return refused(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        );
    };
    if !header.starts_with(ALGORITHM) {
        let taken = header.starts_with("Bearer ") && quirks.accepts("authorization", header);
        let message = "Authentication failed: Please make sure your API Key is valid.";
        return if taken {
            None
        } else {
            refused("AccessDeniedException", message)
        };
    }
    match signature::check(head, body, &quirks.aws, now) {
        Ok(()) => None,
        Err(BadSignature::UnknownKey) => refused(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        Err(BadSignature::Incomplete) => refused(
            "IncompleteSignatureException",
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header, \
             and 'Credential', 'SignedHeaders' and 'Signature' parameters.",
        ),
        Err(BadSignature::Expired) => refused(
            "InvalidSignatureException",
            "Signature expired: the date of the request is too far from the service's.",
        ),
        Err(BadSignature::WrongScope) => refused(
            "InvalidSignatureException",
            "Credential should be scoped to correct service: 'bedrock'.",
        ),
        Err(BadSignature::Mismatch) => refused(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check \
             your AWS Secret Access Key and signing method. Consult the service documentation for \
             details.",
        ),
    }
}
