//! Finds what a cloud's own login can be made of: the standard variables and files of AWS, Google
//! and Azure. Nothing is read but the environment; files are read when a request needs them.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::config::choices::LoginWord;
use crate::config::credentials::{
    AwsKeys, AwsLogin, Container, CredentialFrom, CredentialSource, EntraLogin, GoogleLogin,
    WebIdentity,
};
use crate::config::presets::Preset;
use crate::config::read::At;
use crate::config::settings::BaseUrl;

use super::work::{Span, Work};

/// Where a provider is, as far as its credentials are concerned.
pub(in crate::config) struct Where<'a> {
    pub(in crate::config) base: &'a BaseUrl,
    /// Where `base_url` stands, where the config gives one.
    pub(in crate::config) span: Span,
    pub(in crate::config) region: Option<&'a str>,
    /// Whether the config names the provider.
    pub(in crate::config) is_configured: bool,
}

/// What a provider's table says of its login.
pub(super) struct Login {
    pub(super) word: Option<At<LoginWord>>,
    pub(super) profile: Option<At<String>>,
    pub(super) file: Option<At<PathBuf>>,
}

impl Login {
    pub(super) fn span(&self) -> Span {
        let word = self.word.as_ref().filter(|at| at.value != LoginWord::None);
        let profile = self.profile.as_ref().map(|at| &at.span);
        let file = self.file.as_ref().map(|at| &at.span);
        word.map(|at| &at.span).or(profile).or(file).cloned()
    }

    pub(super) fn is_given(&self) -> bool {
        self.span().is_some()
    }
}

/// The login that the config asks for.
pub(super) fn asked(
    path: &str,
    login: &Login,
    preset: Option<&Preset>,
    place: &Where<'_>,
    work: &mut Work<'_>,
) -> Option<CredentialSource> {
    let usual = preset.and_then(|preset| preset.login);
    let of_keys = match (&login.profile, &login.file) {
        (Some(_), _) => Some(LoginWord::Aws),
        (None, Some(_)) => Some(LoginWord::Google),
        (None, None) => None,
    };
    let word = login
        .word
        .as_ref()
        .map(|at| at.value)
        .or(usual)
        .or(of_keys)?;
    for (key, span, belongs) in [
        (
            "aws_profile",
            login.profile.as_ref().map(|at| &at.span),
            LoginWord::Aws,
        ),
        (
            "credentials_file",
            login.file.as_ref().map(|at| &at.span),
            LoginWord::Google,
        ),
    ] {
        if let Some(span) = span.filter(|_| belongs != word) {
            let found = format!("`{key}` with the login of another cloud");
            let expected = format!("login = \"{}\"", belongs.name());
            work.refuse(
                format!("{path}.{key}"),
                Some(span.clone()),
                found,
                expected,
                None,
            );
            return None;
        }
    }
    match word {
        LoginWord::Aws => {
            let Some(region) = place.region else {
                let expected = "a `region` beside it: requests are signed for one";
                let path = format!("{path}.login");
                work.refuse(path, login.span(), "aws, without a region", expected, None);
                return None;
            };
            let profile = login.profile.as_ref().map(|at| at.value.clone());
            let label = profile
                .as_ref()
                .map_or("AWS".to_owned(), |name| format!("AWS profile {name}"));
            Some(CredentialSource {
                label,
                from: CredentialFrom::Aws(Box::new(aws(region, place, profile, work))),
            })
        }
        LoginWord::Google => {
            let file = login.file.as_ref().map(|at| work.beside(&at.value));
            let label = if file.is_some() {
                "credentials_file"
            } else {
                "Google ADC"
            };
            Some(CredentialSource {
                label: label.to_owned(),
                from: CredentialFrom::Google(google(file, work)),
            })
        }
        LoginWord::Azure => Some(CredentialSource {
            label: "Entra ID".to_owned(),
            from: CredentialFrom::Entra(Box::new(entra(work))),
        }),
        LoginWord::None => None,
    }
}

/// The login of the preset's cloud, where the environment has one; of a provider that the config
/// names, also where the files of a login are there.
pub(super) fn found(
    path: &str,
    preset: &Preset,
    place: &Where<'_>,
    work: &mut Work<'_>,
) -> Option<CredentialSource> {
    let (by, from) = match preset.login? {
        LoginWord::Aws => {
            let region = place.region?;
            let by = aws_evidence(place.is_configured, work)?;
            (
                by,
                CredentialFrom::Aws(Box::new(aws(region, place, None, work))),
            )
        }
        LoginWord::Google => {
            let by = google_evidence(place.is_configured, work)?;
            (by, CredentialFrom::Google(google(None, work)))
        }
        LoginWord::Azure => {
            let by = azure_evidence(work)?;
            (by, CredentialFrom::Entra(Box::new(entra(work))))
        }
        LoginWord::None => return None,
    };
    if !preset.trusts(&place.base.host) {
        distrust(path, (&by, preset), place, work);
        return None;
    }
    Some(CredentialSource { label: by, from })
}

/// The variable by which the preset's cloud login is there, for a provider that no config names.
pub(super) fn evidence(preset: &Preset, work: &Work<'_>) -> Option<String> {
    match preset.login? {
        LoginWord::Aws => aws_evidence(false, work),
        LoginWord::Google => google_evidence(false, work),
        LoginWord::Azure => azure_evidence(work),
        LoginWord::None => None,
    }
}

fn aws_evidence(files: bool, work: &Work<'_>) -> Option<String> {
    const VARIABLES: [&str; 6] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    let variable = VARIABLES.into_iter().find(|name| work.env(name).is_some());
    let there = |file: Option<PathBuf>| file.filter(|file| work.is_there(file));
    let file = || {
        let (config, credentials, _) = aws_files(work);
        there(credentials).or(there(config)).filter(|_| files)
    };
    variable
        .map(str::to_owned)
        .or_else(|| file().map(|_| "AWS files".to_owned()))
}

/// `config`, `credentials` and the folder of SSO's tokens.
fn aws_files(work: &Work<'_>) -> (Option<PathBuf>, Option<PathBuf>, Option<PathBuf>) {
    let home = work
        .env("HOME")
        .map(|home| PathBuf::from(home).join(".aws"));
    let of = |variable: &str, name: &str| {
        let own = work.env(variable).map(PathBuf::from);
        own.or_else(|| home.as_ref().map(|home| home.join(name)))
    };
    (
        of("AWS_CONFIG_FILE", "config"),
        of("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        home.as_ref().map(|home| home.join("sso").join("cache")),
    )
}

fn aws(region: &str, place: &Where<'_>, profile: Option<String>, work: &Work<'_>) -> AwsLogin {
    let secret = |name: &str| work.env(name).map(SecretString::from);
    let (config, credentials, sso_cache) = aws_files(work);
    let only_profile = profile.is_some();
    let container = work
        .env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        .or_else(|| work.env("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
    AwsLogin {
        region: region.to_owned(),
        service: if place.base.host.starts_with("bedrock-mantle") {
            "bedrock-mantle"
        } else {
            "bedrock"
        },
        keys: aws_keys(work),
        profile: profile
            .or_else(|| work.env("AWS_PROFILE"))
            .or_else(|| work.env("AWS_DEFAULT_PROFILE")),
        only_profile,
        config,
        credentials,
        sso_cache,
        web_identity: work
            .env("AWS_WEB_IDENTITY_TOKEN_FILE")
            .zip(work.env("AWS_ROLE_ARN"))
            .map(|(file, role)| WebIdentity {
                token_file: PathBuf::from(file),
                role,
                session: work.env("AWS_ROLE_SESSION_NAME"),
            }),
        container: container.map(|uri| Container {
            uri,
            token: secret("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
            token_file: work
                .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
                .map(PathBuf::from),
        }),
        metadata: aws_metadata(work),
    }
}

/// The keys in the environment.
fn aws_keys(work: &Work<'_>) -> Option<AwsKeys> {
    let secret = |name: &str| work.env(name).map(SecretString::from);
    let keys = work
        .env("AWS_ACCESS_KEY_ID")
        .zip(secret("AWS_SECRET_ACCESS_KEY"));
    keys.map(|(id, key)| AwsKeys {
        id,
        secret: key,
        token: secret("AWS_SESSION_TOKEN"),
    })
}

/// Where the instance's metadata may be asked for: at the usual address, unless the environment
/// knows better, as that of a container's stand-in for it does.
fn aws_metadata(work: &Work<'_>) -> Option<String> {
    let says = |name: &str, word: &str| {
        let said = work.env(name);
        said.is_some_and(|said| said.eq_ignore_ascii_case(word))
    };
    if says("AWS_EC2_METADATA_DISABLED", "true") {
        return None;
    }
    let own = work.env("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    let usual = if says("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv6") {
        "http://[fd00:ec2::254]"
    } else {
        "http://169.254.169.254"
    };
    Some(own.unwrap_or_else(|| usual.to_owned()))
}

/// The host that is asked for a machine's metadata at Google.
fn google_metadata(work: &Work<'_>) -> String {
    work.env("GCE_METADATA_HOST")
        .unwrap_or_else(|| "169.254.169.254".to_owned())
}

const GOOGLE_FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

fn google_evidence(files: bool, work: &Work<'_>) -> Option<String> {
    let variable = work.env(GOOGLE_FILE).map(|_| GOOGLE_FILE.to_owned());
    let file = || google_user_file(work).filter(|file| files && work.is_there(file));
    variable.or_else(|| file().map(|_| "gcloud's login".to_owned()))
}

fn google_user_file(work: &Work<'_>) -> Option<PathBuf> {
    let folder = work.env("CLOUDSDK_CONFIG").map(PathBuf::from).or_else(|| {
        let home = work.env("HOME")?;
        Some(PathBuf::from(home).join(".config").join("gcloud"))
    });
    folder.map(|folder| folder.join("application_default_credentials.json"))
}

fn google(file: Option<PathBuf>, work: &Work<'_>) -> GoogleLogin {
    GoogleLogin {
        file: file.or_else(|| work.env(GOOGLE_FILE).map(PathBuf::from)),
        user_file: google_user_file(work),
        quota_project: work.env("GOOGLE_CLOUD_QUOTA_PROJECT"),
        metadata: Some(google_metadata(work)),
        aws: Box::new(AwsLogin {
            region: work
                .env("AWS_REGION")
                .or_else(|| work.env("AWS_DEFAULT_REGION"))
                .unwrap_or_default(),
            service: "sts",
            keys: aws_keys(work),
            metadata: aws_metadata(work),
            ..AwsLogin::default()
        }),
        runs_programs: work
            .env("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES")
            .is_some_and(|word| word == "1"),
    }
}

fn azure_evidence(work: &Work<'_>) -> Option<String> {
    work.env("AZURE_TENANT_ID")?;
    work.env("AZURE_CLIENT_ID")?;
    let by = ["AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"];
    let by = by.into_iter().find(|name| work.env(name).is_some())?;
    Some(by.to_owned())
}

fn entra(work: &Work<'_>) -> EntraLogin {
    EntraLogin {
        tenant: work.env("AZURE_TENANT_ID"),
        client: work.env("AZURE_CLIENT_ID"),
        secret: work.env("AZURE_CLIENT_SECRET").map(SecretString::from),
        token_file: work.env("AZURE_FEDERATED_TOKEN_FILE").map(PathBuf::from),
        endpoint: work
            .env("IDENTITY_ENDPOINT")
            .zip(work.env("IDENTITY_HEADER").map(SecretString::from)),
        metadata: true,
    }
}

/// Says that what a variable holds is not sent to a host that the preset does not know.
pub(super) fn distrust(
    path: &str,
    (name, preset): (&str, &Preset),
    place: &Where<'_>,
    work: &mut Work<'_>,
) {
    let host = &place.base.host;
    work.warn(
        format!("{path}.base_url"),
        place.span.clone(),
        format!("{host}, which is not a host of the preset {}", preset.name),
        format!("{name} is not sent there unless the config says so"),
        format!("write api_key = \"${{{name}}}\" if it is meant for that host"),
    );
}
