//! Gets the keys that a container or an instance is given by what it runs on.

use http::Method;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::{answered, date};
use crate::config::credentials::{AwsLogin, Container};
use crate::edge::credentials::call::{Caller, Question};
use crate::edge::credentials::material::{Got, Miss};

/// Where a path is asked for that says no host (ECS).
const CONTAINER: &str = "http://169.254.170.2";
/// Hosts that may be asked without TLS: this machine's own.
const INSIDE: [&str; 6] = [
    "169.254.170.2",
    "169.254.170.23",
    "fd00:ec2::23",
    "127.0.0.1",
    "localhost",
    "::1",
];

/// What a container is given.
pub(super) async fn container(given: Option<&Container>, caller: &Caller) -> Result<Got, Miss> {
    let Some(container) = given else {
        return Err(Miss::Absent(
            "container: no AWS_CONTAINER_CREDENTIALS_…".to_owned(),
        ));
    };
    of_container(container, caller)
        .await
        .map_err(|miss| miss.of("container"))
}

async fn of_container(container: &Container, caller: &Caller) -> Result<Got, Miss> {
    let url = if container.uri.starts_with('/') {
        format!("{CONTAINER}{}", container.uri)
    } else {
        container.uri.clone()
    };
    let uri: http::Uri = url
        .parse()
        .map_err(|_| Miss::refused("its address is no URL"))?;
    let host = uri.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let secure = uri.scheme_str() == Some("https");
    if !secure && !INSIDE.contains(&host) {
        return Err(Miss::refused(format!(
            "{host} is neither this machine nor asked over TLS, and gets no token"
        )));
    }
    let token = match (&container.token_file, &container.token) {
        (Some(file), _) => Some(
            std::fs::read_to_string(file)
                .map(|text| text.trim().to_owned())
                .map_err(|error| Miss::refused(format!("{}: {error}", file.display())))?,
        ),
        (None, Some(token)) => Some(token.expose_secret().to_owned()),
        (None, None) => None,
    };
    let mut question = Question::get(url);
    if let Some(token) = token {
        question = question.with("authorization", token);
    }
    let question = if secure { question } else { question.inside() };
    keys(&caller.ask(question).await?.json()?)
}

/// What an instance is given, by the second version of its metadata: a token first.
pub(super) async fn instance(login: &AwsLogin, caller: &Caller) -> Result<Got, Miss> {
    of_instance(login, caller)
        .await
        .map_err(|miss| miss.of("instance metadata"))
}

/// Where the instance's metadata begin.
fn metadata(login: &AwsLogin) -> Result<String, Miss> {
    let base = login.metadata.as_deref();
    let base = base.ok_or_else(|| Miss::Absent("AWS_EC2_METADATA_DISABLED is set".to_owned()))?;
    Ok(format!("{}/latest", base.trim_end_matches('/')))
}

/// The region of the instance.
pub(super) async fn region(login: &AwsLogin, caller: &Caller) -> Result<String, Miss> {
    let metadata = metadata(login)?;
    let token = metadata_token(&metadata, caller).await?;
    let question = Question::get(format!("{metadata}/meta-data/placement/region"))
        .with("x-aws-ec2-metadata-token", token)
        .inside();
    let reply = caller.ask(question).await?;
    Ok(reply.text()?.trim().to_owned())
}

async fn metadata_token(metadata: &str, caller: &Caller) -> Result<String, Miss> {
    let question = Question {
        method: Method::PUT,
        ..Question::get(format!("{metadata}/api/token"))
    };
    let question = question
        .with("x-aws-ec2-metadata-token-ttl-seconds", "21600")
        .inside();
    let reply = caller.ask(question).await?;
    Ok(reply.text()?.trim().to_owned())
}

async fn of_instance(login: &AwsLogin, caller: &Caller) -> Result<Got, Miss> {
    let metadata = metadata(login)?;
    let token = metadata_token(&metadata, caller).await?;
    let get = |path: &str| {
        Question::get(format!(
            "{metadata}/meta-data/iam/security-credentials/{path}"
        ))
        .with("x-aws-ec2-metadata-token", token.clone())
        .inside()
    };
    let roles = caller.ask(get("")).await?;
    if roles.status == http::StatusCode::NOT_FOUND {
        return Err(Miss::Absent("the instance has no role".to_owned()));
    }
    let role = roles
        .text()?
        .lines()
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned();
    if role.is_empty() {
        return Err(Miss::Absent("the instance has no role".to_owned()));
    }
    keys(&caller.ask(get(&role)).await?.json()?)
}

fn keys(json: &Value) -> Result<Got, Miss> {
    let expires = json["Expiration"].as_str().and_then(date);
    answered(json, ["AccessKeyId", "SecretAccessKey", "Token"], expires)
}
