//! Signs requests for AWS (`SigV4`), by AWS's own crate.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use secrecy::ExposeSecret as _;

use super::material::SigningKeys;
use crate::record::WallTime;

/// A request to be signed: the very bytes that will be sent.
#[derive(Debug)]
pub struct Signed<'a> {
    /// Method.
    pub method: &'a Method,
    /// Host, with its port where it is not the scheme's own.
    pub authority: &'a str,
    /// Path and query, as they are sent.
    pub target: &'a str,
    /// Body.
    pub body: &'a [u8],
    /// Region that the signature is for.
    pub region: &'a str,
    /// Service that it is for.
    pub service: &'a str,
}

/// Names whom a request is for that Google is to send: signed, so that nobody else can use it.
pub(super) const AUDIENCE: &str = "x-goog-cloud-target-resource";

/// Puts a signature on the headers of a request. Host, content type and [`AUDIENCE`] are signed;
/// what a proxy on the way may change is not. Fails with what is wrong with the request.
pub fn sign(
    request: &Signed<'_>,
    keys: &SigningKeys,
    headers: &mut HeaderMap,
    now: WallTime,
) -> Result<(), String> {
    let token = keys
        .token
        .as_ref()
        .map(|token| token.expose_secret().to_owned());
    let credentials = Credentials::new(
        &keys.id,
        keys.secret.expose_secret(),
        token,
        None,
        "tollgate",
    );
    let identity = credentials.into();
    let micros = u64::try_from(now.0).unwrap_or(0);
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(request.region)
        .name(request.service)
        .time(UNIX_EPOCH + Duration::from_micros(micros))
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let mut signed = vec![("host", request.authority)];
    for name in [header::CONTENT_TYPE.as_str(), AUDIENCE] {
        if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
            signed.push((name, value));
        }
    }
    let url = format!("https://{}{}", request.authority, request.target);
    let body = SignableBody::Bytes(request.body);
    let signable = SignableRequest::new(
        request.method.as_str(),
        url.as_str(),
        signed.into_iter(),
        body,
    )
    .map_err(|error| error.to_string())?;
    let (instructions, _) = aws_sigv4::http_request::sign(signable, &params)
        .map_err(|error| error.to_string())?
        .into_parts();
    let (put, _) = instructions.into_parts();
    for put in put {
        let name = HeaderName::from_static(put.name());
        let mut value = HeaderValue::from_str(put.value()).map_err(|error| error.to_string())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(token: Option<&str>) -> SigningKeys {
        SigningKeys {
            id: "AKIDEXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned().into(),
            token: token.map(|token| token.to_owned().into()),
        }
    }

    /// Of AWS's published test suite (aws-sig-v4-test-suite), whose date, keys, region and service
    /// are the same in all: get-vanilla, get-vanilla-query-order-key-case, post-vanilla, and
    /// post-x-www-form-urlencoded.
    #[test]
    fn signatures_are_those_that_aws_published() {
        // 2015-08-30T12:36:00Z
        let now = WallTime(1_440_938_160_000_000);
        for (method, target, content, body, headers, signature) in [
            (
                Method::GET,
                "/",
                None,
                "",
                "host;x-amz-date",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                Method::GET,
                "/?Param2=value2&Param1=value1",
                None,
                "",
                "host;x-amz-date",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                Method::POST,
                "/",
                None,
                "",
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                Method::POST,
                "/",
                Some("application/x-www-form-urlencoded"),
                "Param1=value1",
                "content-type;host;x-amz-date",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            let mut sent = HeaderMap::new();
            if let Some(content) = content {
                sent.insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
            }
            let request = Signed {
                method: &method,
                authority: "example.amazonaws.com",
                target,
                body: body.as_bytes(),
                region: "us-east-1",
                service: "service",
            };
            sign(&request, &keys(None), &mut sent, now).unwrap();
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders={headers}, Signature={signature}"
            );
            assert_eq!(sent[header::AUTHORIZATION], expected, "{method} {target}");
            assert_eq!(sent["x-amz-date"], "20150830T123600Z");
        }
    }

    #[test]
    fn a_sessions_token_is_sent_and_no_header_shows_itself() {
        let mut sent = HeaderMap::new();
        let request = Signed {
            method: &Method::POST,
            authority: "bedrock-runtime.eu-west-1.amazonaws.com",
            target: "/model/eu.anthropic.claude-haiku-4-5-20251001-v1:0/converse",
            body: b"{}",
            region: "eu-west-1",
            service: "bedrock",
        };
        sign(&request, &keys(Some("CANARY")), &mut sent, WallTime(0)).unwrap();
        assert_eq!(sent["x-amz-security-token"], "CANARY");
        let shown = format!("{sent:?} {:?}", keys(Some("CANARY")));
        assert!(
            !shown.contains("CANARY") && !shown.contains("wJal"),
            "{shown}"
        );
    }
}
