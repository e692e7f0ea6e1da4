//! Gets a token by Google's application default credentials: a service account's key, a user's
//! grant, a workload's identity elsewhere, or the machine's own metadata.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::call::{Caller, Question};
use super::command::after;
use super::entra::bearer;
use super::federated;
use super::file::read_secret;
use super::material::{Chain, Got, Material, Miss};
use crate::config::credentials::GoogleLogin;
use crate::record::WallTime;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Always here, whatever a file says: a key that signs elsewhere is a key given away.
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
/// Where the metadata of a machine have the token of its service account.
const METADATA: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long an assertion holds, at most an hour.
const ASSERTION: Duration = Duration::from_hours(1);

/// The token of the first step that has one.
pub(super) async fn token(login: &GoogleLogin, caller: &Caller) -> Result<Got, Miss> {
    let mut chain = Chain::default();
    let named = match &login.file {
        // Whoever names a file means it.
        Some(file) => of_file(file, login, caller)
            .await
            .map_err(|miss| match miss {
                Miss::Absent(why) => Miss::refused(why),
                broken @ Miss::Broken(_) => broken,
            }),
        None => Err(Miss::Absent(
            "GOOGLE_APPLICATION_CREDENTIALS: not set".to_owned(),
        )),
    };
    if let Some(done) = chain.step(named) {
        return done;
    }
    if let Some(file) = &login.user_file
        && let Some(done) = chain.step(of_file(file, login, caller).await)
    {
        return done;
    }
    if let Some(host) = &login.metadata
        && let Some(done) = chain.step(machine(host, caller).await)
    {
        return done;
    }
    let hint = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS";
    Err(chain.nothing("Google credentials", hint))
}

async fn of_file(file: &Path, login: &GoogleLogin, caller: &Caller) -> Result<Got, Miss> {
    let shown = file.display();
    let text = read_secret(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Miss::Absent(format!("{shown}: not there")),
        _ => Miss::refused(format!("{shown}: {error}")),
    })?;
    let json: Value =
        serde_json::from_str(&text).map_err(|_| Miss::refused(format!("{shown}: no JSON")))?;
    let got = match json["type"].as_str() {
        Some("service_account") => service_account(&json, caller).await,
        Some("authorized_user") => user(&json, login, caller).await,
        Some("external_account") => federated::token(&json, SCOPE, login, caller).await,
        Some(other) => {
            let message = format!(
                "credentials of type {other} are not known here; use a service \
                account's key, a user's grant, a workload's identity, or the metadata server"
            );
            Err(Miss::refused(message))
        }
        None => Err(Miss::refused("no credentials: `type` is missing")),
    };
    got.map_err(|miss| miss.of(&shown.to_string()))
}

/// A service account signs that it is who it is, and gets a token for that (RFC 7523).
async fn service_account(json: &Value, caller: &Caller) -> Result<Got, Miss> {
    let assertion = assertion(json, caller.clock.wall())?;
    let pairs = [("grant_type", GRANT), ("assertion", assertion.as_str())];
    let reply = caller.ask(Question::form(TOKEN_URL, &pairs)).await?;
    bearer(&reply.json()?, caller)
}

/// The JSON web token by which a service account asks, signed with its key (RS256).
fn assertion(json: &Value, now: WallTime) -> Result<String, Miss> {
    let field = |name: &str| {
        let text = json[name].as_str().filter(|text| !text.is_empty());
        text.ok_or_else(|| Miss::refused(format!("`{name}` is missing")))
    };
    let bad = || Miss::refused("`private_key` is no RSA key in PEM (PKCS #8)");
    let der = PrivateKeyDer::from_pem_slice(field("private_key")?.as_bytes()).map_err(|_| bad())?;
    let pair = RsaKeyPair::from_pkcs8(der.secret_der()).map_err(|_| bad())?;
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": field("private_key_id")?});
    let seconds = now.0 / 1_000_000;
    let claims = json!({
        "iss": field("client_email")?, "scope": SCOPE, "aud": TOKEN_URL,
        "iat": seconds, "exp": seconds + ASSERTION.as_secs() as i64,
    });
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let mut token = format!(
        "{}.{}",
        encoded(header.to_string().as_bytes()),
        encoded(claims.to_string().as_bytes())
    );
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        token.as_bytes(),
        &mut signature,
    )
    .map_err(|_| Miss::refused("`private_key` does not sign"))?;
    token.push('.');
    token.push_str(&encoded(&signature));
    Ok(token)
}

/// A user's grant, as `gcloud auth application-default login` leaves it.
async fn user(json: &Value, login: &GoogleLogin, caller: &Caller) -> Result<Got, Miss> {
    let field = |name: &str| json[name].as_str().unwrap_or_default();
    let pairs = [
        ("grant_type", "refresh_token"),
        ("client_id", field("client_id")),
        ("client_secret", field("client_secret")),
        ("refresh_token", field("refresh_token")),
    ];
    let reply = caller.ask(Question::form(TOKEN_URL, &pairs)).await?;
    let mut got = bearer(&reply.json()?, caller)?;
    if let Material::Token(token) = &mut got.material {
        let own = json["quota_project_id"].as_str().map(str::to_owned);
        token.project = login.quota_project.clone().or(own);
    }
    Ok(got)
}

/// The service account of the machine.
async fn machine(host: &str, caller: &Caller) -> Result<Got, Miss> {
    let question = Question::get(format!("http://{host}{METADATA}"))
        .with("metadata-flavor", "Google")
        .inside();
    let asked = caller
        .ask(question)
        .await
        .map_err(|miss| miss.of("metadata server"))?;
    let answer = asked.json().map_err(|miss| miss.of("metadata server"))?;
    let mut got = bearer(&answer, caller)?;
    // What is handed out may have been there for a while.
    got.expires = got
        .expires
        .map(|at| WallTime(at.0 - 5_000_000).max(after(caller.clock.wall(), Duration::ZERO)));
    Ok(got)
}
