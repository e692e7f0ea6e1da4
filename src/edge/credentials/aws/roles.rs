//! Takes roles at AWS's token service (STS).

use http::HeaderMap;
use secrecy::SecretString;

use super::date;
use crate::config::credentials::WebIdentity;
use crate::edge::credentials::call::{Caller, Question, tag};
use crate::edge::credentials::material::{Got, Material, Miss, SigningKeys};
use crate::edge::credentials::sign::{Signed, sign};

const VERSION: (&str, &str) = ("Version", "2011-06-15");

/// A role to be taken.
#[derive(Debug)]
pub(super) struct Role<'a> {
    pub(super) arn: &'a str,
    pub(super) session: Option<&'a str>,
    pub(super) external: Option<&'a str>,
    pub(super) seconds: Option<u32>,
}

fn host(region: &str) -> String {
    format!("sts.{region}.amazonaws.com")
}

/// A role, by keys that may take it.
pub(super) async fn assume(
    role: &Role<'_>,
    keys: &SigningKeys,
    region: &str,
    caller: &Caller,
) -> Result<Got, Miss> {
    let seconds = role.seconds.map(|seconds| seconds.to_string());
    let mut pairs = vec![
        ("Action", "AssumeRole"),
        VERSION,
        ("RoleArn", role.arn),
        ("RoleSessionName", role.session.unwrap_or("tollgate")),
    ];
    pairs.extend(role.external.map(|id| ("ExternalId", id)));
    pairs.extend(
        seconds
            .as_deref()
            .map(|seconds| ("DurationSeconds", seconds)),
    );
    let host = host(region);
    let mut question = Question::form(format!("https://{host}/"), &pairs);
    let mut headers = HeaderMap::new();
    let content = http::HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(http::header::CONTENT_TYPE, content);
    let request = Signed {
        method: &question.method,
        authority: &host,
        target: "/",
        body: &question.body,
        region,
        service: "sts",
    };
    sign(&request, keys, &mut headers, caller.clock.wall()).map_err(Miss::refused)?;
    for name in ["authorization", "x-amz-date", "x-amz-security-token"] {
        if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
            question = question.with(name, value);
        }
    }
    read(caller.ask(question).await, role.arn)
}

/// A role, by a token that the platform writes into a file.
pub(super) async fn by_web_identity(
    web: &WebIdentity,
    region: &str,
    caller: &Caller,
) -> Result<Got, Miss> {
    let token = std::fs::read_to_string(&web.token_file)
        .map_err(|error| Miss::refused(format!("{}: {error}", web.token_file.display())))?;
    let pairs = [
        ("Action", "AssumeRoleWithWebIdentity"),
        VERSION,
        ("RoleArn", web.role.as_str()),
        (
            "RoleSessionName",
            web.session.as_deref().unwrap_or("tollgate"),
        ),
        ("WebIdentityToken", token.trim()),
    ];
    let url = format!("https://{}/", host(region));
    read(caller.ask(Question::form(url, &pairs)).await, &web.role)
}

fn read(
    asked: Result<crate::edge::credentials::call::Reply, Miss>,
    role: &str,
) -> Result<Got, Miss> {
    let of = |miss: Miss| miss.of(&format!("role {role}"));
    let reply = asked.map_err(of)?;
    let text = reply.text().map_err(of)?;
    let (Some(id), Some(secret)) = (tag(text, "AccessKeyId"), tag(text, "SecretAccessKey")) else {
        return Err(of(Miss::refused("an answer without access keys")));
    };
    Ok(Got {
        material: Material::Keys(SigningKeys {
            id,
            secret: SecretString::from(secret),
            token: tag(text, "SessionToken").map(SecretString::from),
        }),
        expires: tag(text, "Expiration").as_deref().and_then(date),
    })
}
