//! Gets the keys of a profile: its own, a role's by another profile, SSO's, or a program's.

use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use secrecy::SecretString;

use super::profile::{Profiles, Section};
use super::{answered, date, machine, of_environment, roles, sso};
use crate::config::credentials::{AwsLogin, WebIdentity};
use crate::edge::credentials::call::Caller;
use crate::edge::credentials::command::{printed, words};
use crate::edge::credentials::file::read_secret;
use crate::edge::credentials::material::{Got, Material, Miss, SigningKeys};

/// Profiles that may lead to each other.
const DEPTH_MAX: usize = 8;
/// How long a `credential_process` may take.
const PROCESS_PATIENCE: Duration = Duration::from_secs(30);

/// The keys of the login's profile.
pub(super) async fn keys(login: &AwsLogin, caller: &Caller) -> Result<Got, Miss> {
    let name = login.profile.as_deref().unwrap_or("default");
    let what = format!("profile {name}");
    let walk = Walk {
        profiles: read(login).map_err(|miss| miss.of(&what))?,
        login,
        caller,
    };
    walk.keys(name, 0).await.map_err(|miss| miss.of(&what))
}

fn read(login: &AwsLogin) -> Result<Profiles, Miss> {
    let text = |file: Option<&Path>, read: fn(&Path) -> std::io::Result<String>| {
        let Some(file) = file else {
            return Ok(String::new());
        };
        read(file).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(String::new()),
            _ => Err(Miss::refused(format!("{}: {error}", file.display()))),
        })
    };
    let config = text(login.config.as_deref(), |file| {
        std::fs::read_to_string(file)
    })?;
    let credentials = text(login.credentials.as_deref(), read_secret)?;
    Ok(Profiles::read(&config, &credentials))
}

/// A walk from profile to profile.
struct Walk<'a> {
    profiles: Profiles,
    login: &'a AwsLogin,
    caller: &'a Caller,
}

type Going<'b> = Pin<Box<dyn Future<Output = Result<Got, Miss>> + Send + 'b>>;

impl Walk<'_> {
    fn keys<'b>(&'b self, name: &'b str, depth: usize) -> Going<'b> {
        Box::pin(async move {
            let Some(section) = self.profiles.profile(name) else {
                return Err(Miss::Absent("not in AWS's files".to_owned()));
            };
            if depth >= DEPTH_MAX {
                return Err(Miss::refused("its source_profile leads in a circle"));
            }
            let says = |key: &str| section.get(key).filter(|value| !value.is_empty());
            let own_source = says("source_profile").is_some_and(|source| source == name);
            if let Some(role) = says("role_arn").filter(|_| depth == 0 || !own_source) {
                return self.role(name, section, role, depth).await;
            }
            if let (Some(id), Some(secret)) =
                (says("aws_access_key_id"), says("aws_secret_access_key"))
            {
                return Ok(Got {
                    material: Material::Keys(SigningKeys {
                        id: id.clone(),
                        secret: SecretString::from(secret.clone()),
                        token: says("aws_session_token").cloned().map(SecretString::from),
                    }),
                    expires: None,
                });
            }
            if says("sso_account_id").is_some() {
                let session = says("sso_session");
                let shared = session.and_then(|session| self.profiles.session(session));
                let sso = sso::Sso::of(section, session.map(String::as_str), shared)?;
                return sso::keys(&sso, self.login.sso_cache.as_deref(), self.caller).await;
            }
            if let Some(process) = says("credential_process") {
                return self.process(process).await;
            }
            Err(Miss::Absent(
                "it holds no keys, role, SSO or process".to_owned(),
            ))
        })
    }

    /// A role, by the keys of the profile or place that it names.
    async fn role(
        &self,
        name: &str,
        section: &Section,
        role: &str,
        depth: usize,
    ) -> Result<Got, Miss> {
        let says = |key: &str| section.get(key).map(String::as_str);
        let region = says("region").unwrap_or(&self.login.region);
        if let Some(file) = says("web_identity_token_file") {
            let web = WebIdentity {
                token_file: file.into(),
                role: role.to_owned(),
                session: says("role_session_name").map(str::to_owned),
            };
            return roles::by_web_identity(&web, region, self.caller).await;
        }
        let source = match (says("source_profile"), says("credential_source")) {
            (Some(source), _) if source == name => self.keys(name, DEPTH_MAX - 1).await,
            (Some(source), _) => self
                .keys(source, depth + 1)
                .await
                .map_err(|miss| miss.of(&format!("source_profile {source}"))),
            (None, Some("Environment")) => self
                .login
                .keys
                .as_ref()
                .map(of_environment)
                .ok_or_else(|| Miss::refused("credential_source: no AWS_ACCESS_KEY_ID")),
            (None, Some("EcsContainer")) => {
                machine::container(self.login.container.as_ref(), self.caller).await
            }
            (None, Some("Ec2InstanceMetadata")) => machine::instance(self.login, self.caller).await,
            (None, _) => Err(Miss::refused(
                "role_arn without source_profile or credential_source",
            )),
        };
        let source = match source {
            // The role was asked for: that its source is missing is a fault.
            Err(Miss::Absent(why)) => return Err(Miss::refused(why)),
            other => other?,
        };
        let Material::Keys(keys) = source.material else {
            return Err(Miss::refused("its source holds no keys"));
        };
        let asked = roles::Role {
            arn: role,
            session: says("role_session_name"),
            external: says("external_id"),
            seconds: says("duration_seconds").and_then(|text| text.parse().ok()),
        };
        if section.contains_key("mfa_serial") {
            return Err(Miss::refused(
                "the role wants a code (mfa_serial), which nobody is here to type",
            ));
        }
        roles::assume(&asked, &keys, region, self.caller).await
    }

    /// A program that prints keys as JSON. It is a line of words, some of which may be quoted.
    async fn process(&self, line: &str) -> Result<Got, Miss> {
        let of = |miss: Miss| miss.of("credential_process");
        let text = printed(&words(line), PROCESS_PATIENCE).await.map_err(of)?;
        let json: serde_json::Value =
            serde_json::from_str(&text).map_err(|_| of(Miss::refused("it printed no JSON")))?;
        let expires = json["Expiration"].as_str().and_then(date);
        answered(
            &json,
            ["AccessKeyId", "SecretAccessKey", "SessionToken"],
            expires,
        )
        .map_err(of)
    }
}
