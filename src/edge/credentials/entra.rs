//! Gets a token of Microsoft Entra ID: an application's secret, a workload's token, or the
//! machine's managed identity.

use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::call::{Caller, Question, Reply};
use super::command::after;
use super::material::{Chain, Got, Miss};
use crate::config::credentials::EntraLogin;

/// What the token is for: Azure's AI services, OpenAI and Foundry among them.
const SCOPE: &str = "https://cognitiveservices.azure.com/.default";
const RESOURCE: &str = "https://cognitiveservices.azure.com";
const AUTHORITY: &str = "https://login.microsoftonline.com";
const METADATA: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The token of the first step that has one.
pub(super) async fn token(login: &EntraLogin, caller: &Caller) -> Result<Got, Miss> {
    let mut chain = Chain::default();
    if let Some(done) = chain.step(application(login, caller).await) {
        return done;
    }
    if let Some(done) = chain.step(app_service(login, caller).await) {
        return done;
    }
    if login.metadata
        && let Some(done) = chain.step(machine(login, caller).await)
    {
        return done;
    }
    let hint = "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or api_key";
    Err(chain.nothing("token of Entra ID", hint))
}

/// An application that shows its secret, or a token that stands for it.
async fn application(login: &EntraLogin, caller: &Caller) -> Result<Got, Miss> {
    let (Some(tenant), Some(client)) = (&login.tenant, &login.client) else {
        let why = "environment: no AZURE_TENANT_ID and AZURE_CLIENT_ID";
        return Err(Miss::Absent(why.to_owned()));
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !tenant.bytes().all(plain) {
        return Err(Miss::refused("AZURE_TENANT_ID is no tenant's id or domain"));
    }
    let url = format!("{AUTHORITY}/{tenant}/oauth2/v2.0/token");
    let mut pairs = vec![
        ("client_id", client.as_str()),
        ("scope", SCOPE),
        ("grant_type", "client_credentials"),
    ];
    let assertion;
    if let Some(secret) = &login.secret {
        pairs.push(("client_secret", secret.expose_secret()));
    } else if let Some(file) = &login.token_file {
        // The platform writes it anew now and then.
        assertion = std::fs::read_to_string(file).map_err(|error| {
            Miss::refused(format!(
                "AZURE_FEDERATED_TOKEN_FILE {}: {error}",
                file.display()
            ))
        })?;
        pairs.push(("client_assertion_type", ASSERTION));
        pairs.push(("client_assertion", assertion.trim()));
    } else {
        let why = "environment: no AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE";
        return Err(Miss::Absent(why.to_owned()));
    }
    let asked = caller.ask(Question::form(url, &pairs)).await;
    read(asked, caller).map_err(|miss| miss.of("Entra ID"))
}

/// App Service and its kin, which say where their identity is asked for.
async fn app_service(login: &EntraLogin, caller: &Caller) -> Result<Got, Miss> {
    let Some((endpoint, header)) = &login.endpoint else {
        return Err(Miss::Absent("App Service: no IDENTITY_ENDPOINT".to_owned()));
    };
    let url = managed(endpoint, "2019-08-01", login);
    let question = Question::get(url)
        .with("x-identity-header", header.expose_secret())
        .inside();
    let asked = caller.ask(question).await;
    read(asked, caller).map_err(|miss| miss.of("App Service identity"))
}

/// The machine's managed identity.
async fn machine(login: &EntraLogin, caller: &Caller) -> Result<Got, Miss> {
    let url = managed(METADATA, "2018-02-01", login);
    let question = Question::get(url).with("metadata", "true").inside();
    let asked = caller.ask(question).await;
    read(asked, caller).map_err(|miss| miss.of("managed identity"))
}

fn managed(endpoint: &str, version: &str, login: &EntraLogin) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("api-version", version);
    query.append_pair("resource", RESOURCE);
    if let Some(client) = &login.client {
        query.append_pair("client_id", client);
    }
    let sign = if endpoint.contains('?') { '&' } else { '?' };
    format!("{endpoint}{sign}{}", query.finish())
}

fn read(asked: Result<Reply, Miss>, caller: &Caller) -> Result<Got, Miss> {
    bearer(&asked?.json()?, caller)
}

/// The token of an OAuth answer, with the time that it says to hold for: as a number, or as a text.
pub(super) fn bearer(answer: &Value, caller: &Caller) -> Result<Got, Miss> {
    let token = answer["access_token"]
        .as_str()
        .filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| Miss::refused("an answer without access_token"))?;
    let holds = &answer["expires_in"];
    let seconds = holds.as_u64().or_else(|| holds.as_str()?.parse().ok());
    let seconds = seconds.unwrap_or(USUAL_SECONDS);
    let expires = after(caller.clock.wall(), std::time::Duration::from_secs(seconds));
    Ok(Got::bearer(token.to_owned(), Some(expires)))
}

/// Where an answer does not say how long its token holds.
const USUAL_SECONDS: u64 = 600;
