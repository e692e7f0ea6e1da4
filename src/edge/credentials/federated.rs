//! Exchanges the token of another identity (a pipeline's, another cloud's, a cluster's) for one of
//! Google's: workload identity federation by a file of type `external_account`.
//!
//! RFC 8693 at Google's own token service; the formats are those of
//! <https://google.aip.dev/auth/4117>.

use std::net::Ipv4Addr;

use bytes::Bytes;
use http::Uri;
use serde_json::{Value, json};

use super::aws::date;
use super::call::{Caller, Question};
use super::entra::bearer;
use super::material::{Got, Miss};

/// Always here, whatever a file says: a token that is shown elsewhere is a token given away.
const EXCHANGE: &str = "https://sts.googleapis.com/v1/token";
/// How the address begins at which a service account is stood in for.
const IMPERSONATION: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The token that the identity of `json` gets for `scope`.
pub(super) async fn token(json: &Value, scope: &str, caller: &Caller) -> Result<Got, Miss> {
    let subject = subject_token(&json["credential_source"], caller).await?;
    let pairs = [
        ("grant_type", GRANT),
        ("requested_token_type", ACCESS_TOKEN),
        ("audience", field(json, "audience")?),
        ("subject_token_type", field(json, "subject_token_type")?),
        ("subject_token", subject.trim()),
        ("scope", scope),
    ];
    let reply = caller.ask(Question::form(EXCHANGE, &pairs)).await;
    let reply = reply.map_err(|miss| miss.of("token exchange"))?;
    let answer = reply.json().map_err(|miss| miss.of("token exchange"))?;
    match json["service_account_impersonation_url"].as_str() {
        None | Some("") => bearer(&answer, caller),
        Some(url) => {
            let stands_for = field(&answer, "access_token")?;
            stand_in(url, stands_for, scope, caller)
                .await
                .map_err(|miss| miss.of("service account"))
        }
    }
}

fn field<'a>(json: &'a Value, name: &str) -> Result<&'a str, Miss> {
    let text = json[name].as_str().filter(|text| !text.is_empty());
    text.ok_or_else(|| Miss::refused(format!("`{name}` is missing")))
}

/// What proves the other identity: out of a file that the platform writes anew now and then, or
/// from an address.
async fn subject_token(source: &Value, caller: &Caller) -> Result<String, Miss> {
    let text = if let Some(file) = source["file"].as_str() {
        let read = std::fs::read_to_string(file);
        read.map_err(|error| Miss::refused(format!("{file}: {error}")))?
    } else if let Some(url) = source["url"].as_str() {
        asked(url, &source["headers"], caller).await?
    } else {
        let why = "a `credential_source` other than a file or an address is not known here; use \
                   one of them, or a service account's key";
        return Err(Miss::refused(why));
    };
    if source["format"]["type"] != "json" {
        return Ok(text);
    }
    let json: Value = serde_json::from_str(&text)
        .map_err(|_| Miss::refused("the subject's token is not in JSON, as `format` says"))?;
    field(&json, field(&source["format"], "subject_token_field_name")?).map(str::to_owned)
}

/// Asks an address for the subject's token: the machine's own over plain HTTP, all others over TLS,
/// since the question may carry a secret and the answer is one.
async fn asked(url: &str, headers: &Value, caller: &Caller) -> Result<String, Miss> {
    let address: Uri = url
        .parse()
        .map_err(|_| Miss::refused("`credential_source.url` is no address"))?;
    let inside = address.scheme_str() == Some("http") && address.host().is_some_and(is_own);
    if !inside && address.scheme_str() != Some("https") {
        return Err(Miss::refused(
            "`credential_source.url` is neither https nor this machine's own",
        ));
    }
    let mut question = Question::get(url);
    for (name, value) in headers.as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        question = question.with(name.to_ascii_lowercase(), value);
    }
    let question = if inside { question.inside() } else { question };
    let reply = caller.ask(question).await;
    let reply = reply.map_err(|miss| miss.of("credential_source.url"))?;
    let text = reply
        .text()
        .map_err(|miss| miss.of("credential_source.url"))?;
    Ok(text.to_owned())
}

/// Whether a host is this machine, or where clouds have their machines' metadata.
fn is_own(host: &str) -> bool {
    let ip: Option<Ipv4Addr> = host.parse().ok();
    host == "localhost" || ip.is_some_and(|ip| ip.is_loopback() || ip.is_link_local())
}

/// Gets a token of the service account for which the identity may stand.
async fn stand_in(url: &str, token: &str, scope: &str, caller: &Caller) -> Result<Got, Miss> {
    if !url.starts_with(IMPERSONATION) {
        let why =
            format!("`service_account_impersonation_url` does not begin with {IMPERSONATION}");
        return Err(Miss::refused(why));
    }
    let body = json!({"scope": [scope], "lifetime": "3600s"}).to_string();
    let question = Question {
        method: http::Method::POST,
        body: Bytes::from(body),
        ..Question::get(url)
    };
    let question = question
        .with("content-type", "application/json")
        .with("authorization", format!("Bearer {token}"));
    let answer = caller.ask(question).await?.json()?;
    let own = field(&answer, "accessToken")?.to_owned();
    let expires = answer["expireTime"].as_str().and_then(date);
    Ok(Got::bearer(own, expires))
}
