//! Exchanges the token of another identity (a pipeline's, another cloud's, a cluster's) for one of
//! Google's: workload identity federation by a file of type `external_account`.
//!
//! RFC 8693 at Google's own token service; the formats are those of
//! <https://google.aip.dev/auth/4117>.

use std::net::Ipv4Addr;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri};
use serde_json::{Value, json};

use super::aws::{self, date};
use super::call::{Caller, Question};
use super::entra::bearer;
use super::material::{Got, Material, Miss};
use super::program;
use super::sign::{AUDIENCE, Signed, sign};
use crate::config::credentials::GoogleLogin;

/// Always here, whatever a file says: a token that is shown elsewhere is a token given away.
const EXCHANGE: &str = "https://sts.googleapis.com/v1/token";
/// How the address begins at which a service account is stood in for.
const IMPERSONATION: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The token that the identity of `json` gets for `scope`.
pub(super) async fn token(
    json: &Value,
    scope: &str,
    login: &GoogleLogin,
    caller: &Caller,
) -> Result<Got, Miss> {
    let subject = subject_token(json, login, caller).await?;
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

/// What proves the other identity: out of a file that the platform writes anew now and then, from
/// an address, from AWS, or by a program.
async fn subject_token(json: &Value, login: &GoogleLogin, caller: &Caller) -> Result<String, Miss> {
    let source = &json["credential_source"];
    if let Some(environment) = source["environment_id"].as_str() {
        let asked = by_aws(json, environment, login, caller).await;
        return asked.map_err(|miss| miss.of("AWS"));
    }
    if source["executable"].is_object() {
        let ran = program::subject_token(json, login, caller.clock.wall()).await;
        return ran.map_err(|miss| miss.of("credential_source.executable"));
    }
    let text = if let Some(file) = source["file"].as_str() {
        let read = std::fs::read_to_string(file);
        read.map_err(|error| Miss::refused(format!("{file}: {error}")))?
    } else if let Some(url) = source["url"].as_str() {
        asked(url, &source["headers"], caller).await?
    } else {
        let why = "a `credential_source` other than a file, an address, AWS or a program is not \
                   known here; use one of them, or a service account's key";
        return Err(Miss::refused(why));
    };
    if source["format"]["type"] != "json" {
        return Ok(text);
    }
    let json: Value = serde_json::from_str(&text)
        .map_err(|_| Miss::refused("the subject's token is not in JSON, as `format` says"))?;
    field(&json, field(&source["format"], "subject_token_field_name")?).map(str::to_owned)
}

/// What AWS vouches with: a question to it who somebody is, signed and not sent. Google sends it.
async fn by_aws(
    json: &Value,
    environment: &str,
    login: &GoogleLogin,
    caller: &Caller,
) -> Result<String, Miss> {
    if environment != "aws1" {
        let why = format!("`environment_id` is {environment}; only aws1 is known here");
        return Err(Miss::refused(why));
    }
    let region = aws::region(&login.aws, caller).await?;
    let asked = json["credential_source"]["regional_cred_verification_url"].as_str();
    let url = asked.unwrap_or(WHO_AM_I).replace("{region}", &region);
    let address: Option<Uri> = url.parse().ok();
    let address = address.filter(|url| {
        let host = url.host().unwrap_or_default();
        let own = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
        own && host.starts_with("sts.") && url.scheme_str() == Some("https")
    });
    let address = address.ok_or_else(|| {
        Miss::refused("`regional_cred_verification_url` is no address of AWS's token service")
    })?;
    let authority = address
        .authority()
        .map_or("", |authority| authority.as_str());
    let keys = match aws::keys(&login.aws, caller).await?.material {
        Material::Keys(keys) => keys,
        Material::Token(_) => return Err(Miss::refused("no keys to sign with")),
    };
    let mut headers = HeaderMap::new();
    let audience = HeaderValue::from_str(field(json, "audience")?)
        .map_err(|_| Miss::refused("`audience` is nothing that a header can carry"))?;
    headers.insert(AUDIENCE, audience);
    let question = Signed {
        method: &Method::POST,
        authority,
        target: address
            .path_and_query()
            .map_or("/", |target| target.as_str()),
        body: b"",
        region: &region,
        service: "sts",
    };
    sign(&question, &keys, &mut headers, caller.clock.wall()).map_err(Miss::refused)?;
    let mut said = vec![json!({"key": "host", "value": authority})];
    for (name, value) in &headers {
        let value = value.to_str().unwrap_or_default();
        // Google looks for this one as it is usually written.
        let name = match name.as_str() {
            "authorization" => "Authorization",
            name => name,
        };
        said.push(json!({"key": name, "value": value}));
    }
    let whole = json!({"url": url, "method": "POST", "headers": said}).to_string();
    Ok(form_urlencoded::byte_serialize(whole.as_bytes()).collect())
}

/// Where AWS says who somebody is.
const WHO_AM_I: &str =
    "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";

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
        method: Method::POST,
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
