//! Gets the keys of an SSO login (IAM Identity Center) by the token that `aws sso login` left.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Value, json};

use super::profile::Section;
use super::{answered, date};
use crate::edge::credentials::call::{Caller, Question};
use crate::edge::credentials::command::after;
use crate::edge::credentials::file::read_secret;
use crate::edge::credentials::material::{Got, Miss};
use crate::record::WallTime;

/// What a profile says of its SSO.
#[derive(Debug)]
pub(super) struct Sso {
    /// What the token's file is named by: the session's name, or the start URL.
    named: String,
    region: String,
    account: String,
    role: String,
    login: String,
}

impl Sso {
    pub(super) fn of(
        profile: &Section,
        session: Option<&str>,
        shared: Option<&Section>,
    ) -> Result<Self, Miss> {
        let says = |key: &str| {
            let found = shared.and_then(|shared| shared.get(key));
            found.or_else(|| profile.get(key)).cloned()
        };
        let need = |key: &str| says(key).ok_or_else(|| Miss::refused(format!("{key} is missing")));
        let start = need("sso_start_url")?;
        Ok(Self {
            named: session.map_or(start, str::to_owned),
            region: need("sso_region")?,
            account: need("sso_account_id")?,
            role: need("sso_role_name")?,
            login: session.map_or_else(
                || "aws sso login".to_owned(),
                |session| format!("aws sso login --sso-session {session}"),
            ),
        })
    }
}

/// The keys of the profile's account and role.
pub(super) async fn keys(sso: &Sso, cache: Option<&Path>, caller: &Caller) -> Result<Got, Miss> {
    of_cache(sso, cache, caller)
        .await
        .map_err(|miss| match miss {
            Miss::Absent(why) => Miss::refused(format!("SSO: {why}; run `{}`", sso.login)),
            broken @ Miss::Broken(_) => broken.of("SSO"),
        })
}

async fn of_cache(sso: &Sso, cache: Option<&Path>, caller: &Caller) -> Result<Got, Miss> {
    let file = cache
        .map(|cache| cache.join(file_name(&sso.named)))
        .ok_or_else(|| Miss::Absent("no home folder".to_owned()))?;
    let text = read_secret(&file).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Miss::Absent("nobody has logged in".to_owned()),
        _ => Miss::refused(format!("{}: {error}", file.display())),
    })?;
    let left: Value = serde_json::from_str(&text)
        .map_err(|_| Miss::refused(format!("{}: no JSON", file.display())))?;
    let token = access_token(sso, left, &file, caller).await?;
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("role_name", &sso.role)
        .append_pair("account_id", &sso.account)
        .finish();
    let url = format!(
        "https://portal.sso.{}.amazonaws.com/federation/credentials?{query}",
        sso.region
    );
    let question = Question::get(url).with("x-amz-sso_bearer_token", token);
    let reply = caller.ask(question).await?;
    if reply.status == http::StatusCode::UNAUTHORIZED {
        return Err(Miss::Absent("the login has run out".to_owned()));
    }
    let json = reply.json()?;
    let keys = &json["roleCredentials"];
    let expires = keys["expiration"]
        .as_i64()
        .map(|millis| WallTime(millis * 1_000));
    answered(
        keys,
        ["accessKeyId", "secretAccessKey", "sessionToken"],
        expires,
    )
}

/// The token that was left, or a new one for it where it has run out.
async fn access_token(
    sso: &Sso,
    left: Value,
    file: &Path,
    caller: &Caller,
) -> Result<String, Miss> {
    let now = caller.clock.wall();
    let at = |key: &str| left[key].as_str().and_then(date);
    let text = |key: &str| left[key].as_str().filter(|text| !text.is_empty());
    // A minute for the way.
    let holds = at("expiresAt").is_some_and(|at| at > after(now, Duration::from_mins(1)));
    if let Some(token) = text("accessToken").filter(|_| holds) {
        return Ok(token.to_owned());
    }
    let registered = at("registrationExpiresAt").is_none_or(|at| at > now);
    let (Some(id), Some(secret), Some(refresh), true) = (
        text("clientId"),
        text("clientSecret"),
        text("refreshToken"),
        registered,
    ) else {
        return Err(Miss::Absent("the login has run out".to_owned()));
    };
    let body = json!({
        "grantType": "refresh_token", "clientId": id, "clientSecret": secret,
        "refreshToken": refresh,
    });
    let question = Question {
        method: Method::POST,
        body: Bytes::from(body.to_string()),
        ..Question::get(format!("https://oidc.{}.amazonaws.com/token", sso.region))
    };
    let reply = caller
        .ask(question.with("content-type", "application/json"))
        .await?;
    if reply.status.is_client_error() {
        return Err(Miss::Absent("the login has run out".to_owned()));
    }
    let new = reply.json()?;
    let token = new["accessToken"].as_str();
    let token = token
        .ok_or_else(|| Miss::refused("an answer without accessToken"))?
        .to_owned();
    let seconds = new["expiresIn"].as_u64().unwrap_or(3_600);
    let mut kept = left;
    kept["accessToken"] = Value::from(token.as_str());
    kept["expiresAt"] = Value::from(written(after(now, Duration::from_secs(seconds))));
    if new["refreshToken"].is_string() {
        kept["refreshToken"] = new["refreshToken"].clone();
    }
    // The old refresh token may be void from now on: whoever shares the file must have the new one.
    if let Err(error) = keep(file, &kept) {
        tracing::warn!(%error, "the renewed SSO login could not be kept: `{}` may be needed", sso.login);
    }
    Ok(token)
}

/// Writes the file anew in one step, readable by its owner only.
fn keep(file: &Path, json: &Value) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    // `tempfile` makes files that only their owner may read.
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(json.to_string().as_bytes())?;
    new.persist(file).map(|_| ()).map_err(|error| error.error)
}

fn file_name(named: &str) -> PathBuf {
    use std::fmt::Write as _;
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, named.as_bytes());
    let mut name = String::new();
    for byte in hash.as_ref() {
        // Writing into a text cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    PathBuf::from(name + ".json")
}

/// A date as the AWS command line writes it.
fn written(at: WallTime) -> String {
    let text = at.rfc3339();
    let seconds = text.get(..19).unwrap_or(&text);
    format!("{seconds}Z")
}
