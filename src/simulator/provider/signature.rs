//! Checks AWS signatures (`SigV4`) as Bedrock does: what was signed must be what has come.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use ring::digest::{SHA256, digest};
use secrecy::ExposeSecret as _;

use crate::record::WallTime;

use super::quirks::AwsKeys;
use super::request::RequestHead;

/// Why a signature is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadSignature {
    /// The header is not as it should be.
    Incomplete,
    /// Nobody has that access key.
    UnknownKey,
    /// It was made too long before, or for too long after.
    Expired,
    /// It was made for another service.
    WrongScope,
    /// It is not the signature of this request.
    Mismatch,
}

/// What an `authorization` header says that holds a signature.
struct Claim<'a> {
    access_key: &'a str,
    day: &'a str,
    region: &'a str,
    service: &'a str,
    signed: Vec<&'a str>,
    signature: &'a str,
}

/// What every such header begins with.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A signature may be that old, or that far ahead.
const SKEW_SECS: i64 = 5 * 60;

/// Checks a request's signature.
pub(super) fn check(
    head: &RequestHead,
    body: &[u8],
    keys: &AwsKeys,
    now: WallTime,
) -> Result<(), BadSignature> {
    let header = head.header("authorization").unwrap_or("");
    let claim = Claim::read(header).ok_or(BadSignature::Incomplete)?;
    let date = head.header("x-amz-date").ok_or(BadSignature::Incomplete)?;
    let signed_at = moment(date).ok_or(BadSignature::Incomplete)?;
    if claim.access_key != keys.id {
        return Err(BadSignature::UnknownKey);
    }
    if (now.as_secs() - signed_at.as_secs()).abs() > SKEW_SECS {
        return Err(BadSignature::Expired);
    }
    if !claim.service.starts_with("bedrock") || !date.starts_with(claim.day) {
        return Err(BadSignature::WrongScope);
    }
    let hosted = claim.signed.contains(&"host") && claim.signed.contains(&"x-amz-date");
    if !hosted {
        return Err(BadSignature::Incomplete);
    }
    let said = head.header("x-amz-content-sha256");
    let hashed = hash(body);
    if said.is_some_and(|said| said != hashed && said != "UNSIGNED-PAYLOAD") {
        return Err(BadSignature::Mismatch);
    }
    let request = canonical(head, &claim, said.unwrap_or(&hashed));
    let text = format!(
        "{ALGORITHM}\n{date}\n{}/{}/{}/aws4_request\n{}",
        claim.day,
        claim.region,
        claim.service,
        hash(request.as_bytes())
    );
    let seconds = u64::try_from(signed_at.as_secs()).unwrap_or(0);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let secret = keys.secret.expose_secret();
    let key = generate_signing_key(secret, time, claim.region, claim.service);
    if calculate_signature(key, text.as_bytes()) == claim.signature {
        Ok(())
    } else {
        Err(BadSignature::Mismatch)
    }
}

impl<'a> Claim<'a> {
    fn read(header: &'a str) -> Option<Self> {
        let fields = header.strip_prefix(ALGORITHM)?;
        let field = |name: &str| {
            let mut each = fields.split(',').map(str::trim);
            each.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        let mut scope = field("Credential")?.split('/');
        let mut next = || scope.next();
        let (access_key, day, region, service) = (next()?, next()?, next()?, next()?);
        (next()? == "aws4_request").then_some(())?;
        Some(Self {
            access_key,
            day,
            region,
            service,
            signed: field("SignedHeaders")?.split(';').collect(),
            signature: field("Signature")?,
        })
    }
}

/// The canonical form of a request: what is signed.
fn canonical(head: &RequestHead, claim: &Claim<'_>, payload: &str) -> String {
    let (path, query) = head.target.split_once('?').unwrap_or((&head.target, ""));
    // The path is encoded once more than it is on the wire, for every service but S3.
    let segments: Vec<String> = path.split('/').map(encoded).collect();
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    let mut text = format!(
        "{}\n{}\n{}\n",
        head.method,
        segments.join("/"),
        pairs.join("&")
    );
    for name in &claim.signed {
        let values: Vec<String> = head
            .headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}:{}", values.join(","));
    }
    let _ = write!(text, "\n{}\n{payload}", claim.signed.join(";"));
    text
}

fn encoded(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn hash(bytes: &[u8]) -> String {
    let digest = digest(&SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// `20261122T101112Z`.
fn moment(text: &str) -> Option<WallTime> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let shaped = text.len() == 16 && text.as_bytes()[8] == b'T' && text.ends_with('Z');
    if !shaped {
        return None;
    }
    let day = WallTime::of_day(number(0..4)?, number(4..6)?, number(6..8)?)?;
    Some(day.plus_secs(number(9..11)? * 3600 + number(11..13)? * 60 + number(13..15)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Moment;

    /// A request that botocore 1.44.5 signed for `bedrock-runtime`.
    fn signed() -> (RequestHead, Vec<u8>) {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let body = br#"{"messages": [{"role": "user", "content": [{"text": "hi"}]}]}"#;
        let head = RequestHead {
            method: "POST".to_owned(),
            target: "/bedrock/model/us.anthropic.claude-x%3A0/converse".to_owned(),
            headers: vec![
                header("Host", "127.0.0.1:4200"),
                header("Content-Type", "application/json"),
                header("X-Amz-Date", "20261122T100000Z"),
                header(
                    "Authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/bedrock/\
                     aws4_request, SignedHeaders=content-type;host;x-amz-date, \
                     Signature=635d8372a30b9efc489f802685cfcd3d388faa8f2b61a9da48045002e8d48b95",
                ),
            ],
            http10: false,
            first_byte_at: Moment::default(),
        };
        (head, body.to_vec())
    }

    #[test]
    fn only_the_signature_of_this_very_request_is_taken() {
        let keys = AwsKeys::for_tests();
        let now = moment("20261122T100130Z").unwrap();
        let (head, body) = signed();
        assert_eq!(check(&head, &body, &keys, now), Ok(()));
        let late = now.plus_secs(600);
        assert_eq!(check(&head, &body, &keys, late), Err(BadSignature::Expired));
        assert_eq!(check(&head, b"{}", &keys, now), Err(BadSignature::Mismatch));
        let mut other = signed().0;
        other.target = other.target.replace("converse", "invoke");
        assert_eq!(
            check(&other, &body, &keys, now),
            Err(BadSignature::Mismatch)
        );
        let mut other = signed().0;
        other.headers[3].1 = other.headers[3].1.replace("AKIA", "AKIB");
        assert_eq!(
            check(&other, &body, &keys, now),
            Err(BadSignature::UnknownKey)
        );
        let mut other = signed().0;
        other.headers[3].1 = other.headers[3].1.replace("/bedrock/", "/s3/");
        assert_eq!(
            check(&other, &body, &keys, now),
            Err(BadSignature::WrongScope)
        );
        let mut other = signed().0;
        other.headers.remove(2);
        assert_eq!(
            check(&other, &body, &keys, now),
            Err(BadSignature::Incomplete)
        );
    }
}
