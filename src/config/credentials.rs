//! Says where a provider's credentials come from, so that whoever calls it can get them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// One credential of a provider.
#[derive(Debug, Clone)]
pub struct CredentialSource {
    /// Where it comes from, for people: a variable's name, `api_key`, `AWS`, …
    pub label: String,
    /// The way to it.
    pub from: CredentialFrom,
}

/// The way to a credential.
#[derive(Debug, Clone)]
pub enum CredentialFrom {
    /// It is known.
    Key(SecretString),
    /// A program prints it.
    Command(KeyCommand),
    /// AWS's chain; requests are signed.
    Aws(Box<AwsLogin>),
    /// Google's application default credentials.
    Google(GoogleLogin),
    /// A token of Microsoft Entra ID.
    Entra(Box<EntraLogin>),
}

impl CredentialFrom {
    /// What tells it from others, without any secret; nothing for a key, which is told by itself.
    #[must_use]
    pub fn identity(&self) -> Option<String> {
        match self {
            Self::Key(_) => None,
            Self::Command(command) => Some(format!("command {:?}", command.words)),
            Self::Aws(login) => {
                // What is not looked at tells nothing apart.
                let alone = login.only_profile;
                let id = login.keys.as_ref().map(|keys| &keys.id).filter(|_| !alone);
                let (profile, files) = (&login.profile, (&login.config, &login.credentials));
                let web = login.web_identity.as_ref().filter(|_| !alone);
                let web = web.map(|web| (&web.token_file, &web.role));
                let container = login.container.as_ref().filter(|_| !alone);
                let container = container.map(|container| &container.uri);
                Some(format!(
                    "aws {alone} {profile:?} {id:?} {files:?} {web:?} {container:?} {:?} {:?}",
                    login.region, login.metadata
                ))
            }
            Self::Google(login) => Some(format!(
                "google {:?} {:?} {:?}",
                login.file, login.user_file, login.metadata
            )),
            Self::Entra(login) => Some(format!("entra {:?} {:?}", login.tenant, login.client)),
        }
    }
}

/// A program that prints a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCommand {
    /// The program and its arguments; no shell reads them.
    pub words: Vec<String>,
    /// How long it may run.
    pub timeout: Duration,
    /// How long what it printed holds; until it is refused where absent.
    pub lifetime: Option<Duration>,
}

/// Access keys of AWS.
#[derive(Clone)]
pub struct AwsKeys {
    /// The access key's id, which is no secret.
    pub id: String,
    /// The secret access key.
    pub secret: SecretString,
    /// The session's token, where the keys are temporary.
    pub token: Option<SecretString>,
}

impl fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsKeys")
    }
}

/// What AWS's chain is looked for in, in its order.
#[derive(Debug, Clone, Default)]
pub struct AwsLogin {
    /// The region that requests are signed for.
    pub region: String,
    /// The service that they are signed for.
    pub service: &'static str,
    /// Keys out of the environment; not looked at where the config names a profile.
    pub keys: Option<AwsKeys>,
    /// The profile: the config's, or the environment's.
    pub profile: Option<String>,
    /// Whether the config names it: then nothing else is looked at.
    pub only_profile: bool,
    /// `~/.aws/config`.
    pub config: Option<PathBuf>,
    /// `~/.aws/credentials`.
    pub credentials: Option<PathBuf>,
    /// `~/.aws/sso/cache`.
    pub sso_cache: Option<PathBuf>,
    /// A token file and the role that it is good for, out of the environment (EKS).
    pub web_identity: Option<WebIdentity>,
    /// What a container is given (ECS, EKS).
    pub container: Option<Container>,
    /// Where the instance's own metadata are asked for, at last: a URL without a path. Absent where
    /// they are not to be asked.
    pub metadata: Option<String>,
}

/// A role taken by a token that somebody else signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebIdentity {
    /// The file with the token; it is read each time.
    pub token_file: PathBuf,
    /// The role.
    pub role: String,
    /// The session's name.
    pub session: Option<String>,
}

/// Where a container gets its credentials.
#[derive(Debug, Clone)]
pub struct Container {
    /// A path at the usual address, or a whole URL.
    pub uri: String,
    /// The token to send with the question.
    pub token: Option<SecretString>,
    /// The file with that token.
    pub token_file: Option<PathBuf>,
}

/// What Google's chain is looked for in, in its order.
#[derive(Debug, Clone, Default)]
pub struct GoogleLogin {
    /// A service account's key or a user's grant: the config's file, or the environment's.
    pub file: Option<PathBuf>,
    /// What `gcloud auth application-default login` left.
    pub user_file: Option<PathBuf>,
    /// The project that is charged for a user's requests.
    pub quota_project: Option<String>,
    /// The host, with its port, whose metadata are asked, at last; none where absent.
    pub metadata: Option<String>,
    /// Where a file says that AWS vouches for who asks: the keys by which it does.
    pub aws: Box<AwsLogin>,
    /// Whether programs may be run that a file names (`GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES`).
    pub runs_programs: bool,
}

/// What a token of Entra ID is asked for with, in its order.
#[derive(Debug, Clone, Default)]
pub struct EntraLogin {
    /// The tenant.
    pub tenant: Option<String>,
    /// The application, or the identity among several of a machine.
    pub client: Option<String>,
    /// The application's secret.
    pub secret: Option<SecretString>,
    /// A file with a token that stands for the secret (workload identity).
    pub token_file: Option<PathBuf>,
    /// App Service's address of its managed identity, and what must be sent along.
    pub endpoint: Option<(String, SecretString)>,
    /// Whether the machine's managed identity is asked, at last.
    pub metadata: bool,
}
