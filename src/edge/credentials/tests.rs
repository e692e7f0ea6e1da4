//! Plays the servers that give out credentials, on loopback, and asks them as a node would.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{CredentialFault, Keyring, Material};
use crate::clock::Clock;
use crate::config::credentials::{
    AwsKeys, AwsLogin, Container, CredentialFrom, EntraLogin, GoogleLogin, KeyCommand, WebIdentity,
};
use crate::edge::upstream::ProxyRules;
use crate::edge::upstream::pool::TlsConfigs;
use crate::record::{Moment, Nanos, WallTime};

/// 2026-11-22T10:00:00Z
const NOW: WallTime = WallTime(1_795_341_600_000_000);
const SECRET: &str = "CANARY-SECRET";

/// A request as the server saw it.
#[derive(Debug, Clone, Default)]
struct Heard {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

type Script = VecDeque<(u16, String)>;

/// A server that is everybody's: it answers what is written, and remembers what it was asked.
struct Server {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    over: Arc<AtomicBool>,
}

impl Server {
    /// Answers in turn; the last answer again and again.
    fn start(answers: &[(u16, Value)]) -> Self {
        let text = |(status, body): &(u16, Value)| {
            let body = body
                .as_str()
                .map_or_else(|| body.to_string(), str::to_owned);
            (*status, body)
        };
        let script: Script = answers.iter().map(text).collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, over) = (
            Arc::<Mutex<Vec<Heard>>>::default(),
            Arc::<AtomicBool>::default(),
        );
        let (notes, stop) = (Arc::clone(&heard), Arc::clone(&over));
        std::thread::spawn(move || serve(&listener, script, &notes, &stop));
        Self {
            address,
            heard,
            over,
        }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(listener: &TcpListener, mut script: Script, heard: &Mutex<Vec<Heard>>, over: &AtomicBool) {
    while let Ok((stream, _)) = listener.accept() {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let request = read(&mut reader);
        heard.lock().unwrap().push(request);
        let answer = if script.len() > 1 {
            script.pop_front()
        } else {
            script.front().cloned()
        };
        let (status, body) = answer.unwrap_or((500, String::new()));
        let head = format!(
            "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        let mut stream = stream;
        let _ = stream.write_all((head + &body).as_bytes());
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Heard {
    let mut heard = Heard::default();
    reader.read_line(&mut heard.line).unwrap();
    heard.line.truncate(heard.line.trim_end().len());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        heard.headers.push((name.to_owned(), value.to_owned()));
    }
    let length = heard.header("content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    heard.body = String::from_utf8(body).unwrap();
    heard
}

struct Rig {
    keyring: Arc<Keyring>,
    clock: Clock,
    server: Server,
}

impl Rig {
    fn new(answers: &[(u16, Value)]) -> Self {
        let server = Server::start(answers);
        let clock = Clock::manual(Moment(1_000_000_000), NOW);
        let keyring = Keyring::new(
            ProxyRules::default(),
            TlsConfigs::default(),
            clock.clone(),
            Some(server.address),
        );
        Self {
            keyring: Arc::new(keyring),
            clock,
            server,
        }
    }

    fn get(&self, from: &CredentialFrom) -> Result<Arc<Material>, CredentialFault> {
        block_on(self.keyring.get(from))
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Nanos(seconds * 1_000_000_000));
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let done = future.await;
        // What was begun beside it goes on to its end.
        let tasks = tokio::runtime::Handle::current().metrics();
        let patience = std::time::Instant::now();
        while tasks.num_alive_tasks() > 0 && patience.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        done
    })
}

fn token(material: &Material) -> String {
    match material {
        Material::Token(token) => token.value.expose_secret().to_owned(),
        Material::Keys(keys) => {
            let token = keys
                .token
                .as_ref()
                .map_or("", |token| token.expose_secret());
            format!("{} {} {token}", keys.id, keys.secret.expose_secret())
        }
    }
}

/// Where AWS's instances have their metadata.
const INSTANCE: &str = "http://169.254.169.254";

/// A folder with AWS's files.
struct Home(tempfile::TempDir);

impl Home {
    fn new(config: &str, credentials: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.write("config", config);
        home.write("credentials", credentials);
        home
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn login(&self) -> AwsLogin {
        AwsLogin {
            region: "eu-west-1".to_owned(),
            service: "bedrock",
            config: Some(self.path("config")),
            credentials: Some(self.path("credentials")),
            sso_cache: Some(self.path("sso")),
            metadata: Some(INSTANCE.to_owned()),
            ..AwsLogin::default()
        }
    }
}

fn aws(login: AwsLogin) -> CredentialFrom {
    CredentialFrom::Aws(Box::new(login))
}

fn sts(action: &str) -> Value {
    Value::from(format!(
        "<{action}Response><{action}Result><Credentials><AccessKeyId>ASIA</AccessKeyId>\
         <SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>T</SessionToken>\
         <Expiration>2026-11-22T11:00:00Z</Expiration></Credentials></{action}Result></{action}Response>"
    ))
}

const STATIC: &str = "[default]\naws_access_key_id = AKIA\naws_secret_access_key = CANARY-SECRET\n";

#[test]
fn the_environment_goes_before_the_files_and_the_named_profile_before_both() {
    let home = Home::new("", STATIC);
    let keys = AwsKeys {
        id: "AKENV".to_owned(),
        secret: SecretString::from(SECRET),
        token: None,
    };
    let rig = Rig::new(&[(500, json!(""))]);
    for (keys, only_profile, expected) in [
        (Some(keys.clone()), false, "AKENV CANARY-SECRET "),
        (Some(keys), true, "AKIA CANARY-SECRET "),
        (None, false, "AKIA CANARY-SECRET "),
    ] {
        let login = AwsLogin {
            keys,
            only_profile,
            profile: only_profile.then(|| "default".to_owned()),
            ..home.login()
        };
        assert_eq!(token(&rig.get(&aws(login)).unwrap()), expected);
    }
    assert!(rig.server.heard().is_empty());
}

#[test]
fn a_role_is_taken_by_the_keys_of_its_source() {
    let config = "[profile work]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = default\n\
        external_id = x y\nregion = us-west-2\n";
    let home = Home::new(config, STATIC);
    let rig = Rig::new(&[(200, sts("AssumeRole"))]);
    let login = AwsLogin {
        profile: Some("work".to_owned()),
        ..home.login()
    };
    assert_eq!(
        token(&rig.get(&aws(login)).unwrap()),
        "ASIA CANARY-SECRET T"
    );
    let heard = &rig.server.heard()[0];
    assert_eq!(heard.line, "POST / HTTP/1.1");
    assert_eq!(heard.header("host"), "sts.us-west-2.amazonaws.com");
    for part in [
        "Action=AssumeRole&",
        "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr",
        "ExternalId=x+y",
    ] {
        assert!(heard.body.contains(part), "{}", heard.body);
    }
    let signed = heard.header("authorization");
    assert!(
        signed
            .starts_with("AWS4-HMAC-SHA256 Credential=AKIA/20261122/us-west-2/sts/aws4_request, "),
        "{signed}"
    );
    assert!(!format!("{heard:?}").contains(SECRET));
}

#[test]
fn a_web_identity_a_container_and_an_instance_are_asked_in_this_order() {
    let home = Home::new("", "");
    let file = home.write("token", "web-token\n");
    let answer = json!({
        "AccessKeyId": "ASIA", "SecretAccessKey": SECRET, "Token": "T",
        "Expiration": "2026-11-22T11:00:00Z",
    });
    let web = Some(WebIdentity {
        token_file: file,
        role: "arn:aws:iam::1:role/w".to_owned(),
        session: None,
    });
    let container = Some(Container {
        uri: "/v2/creds".to_owned(),
        token: Some(SecretString::from("container-token")),
        token_file: None,
    });
    let rows: [(_, _, &[(u16, Value)], &[(&str, &str)]); 3] = [
        (
            web,
            container.clone(),
            &[(200, sts("AssumeRoleWithWebIdentity"))],
            &[("POST / HTTP/1.1", "sts.eu-west-1.amazonaws.com")],
        ),
        (
            None,
            container,
            &[(200, answer.clone())],
            &[("GET /v2/creds HTTP/1.1", "169.254.170.2")],
        ),
        (
            None,
            None,
            &[
                (200, json!("imds-token")),
                (200, json!("my-role")),
                (200, answer),
            ],
            &[
                ("PUT /latest/api/token HTTP/1.1", "169.254.169.254"),
                (
                    "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1",
                    "169.254.169.254",
                ),
                (
                    "GET /latest/meta-data/iam/security-credentials/my-role HTTP/1.1",
                    "169.254.169.254",
                ),
            ],
        ),
    ];
    for (web_identity, container, answers, asked) in rows {
        let rig = Rig::new(answers);
        let login = AwsLogin {
            web_identity,
            container,
            ..home.login()
        };
        assert_eq!(
            token(&rig.get(&aws(login)).unwrap()),
            "ASIA CANARY-SECRET T"
        );
        let heard = rig.server.heard();
        let lines: Vec<_> = heard
            .iter()
            .map(|of| (of.line.as_str(), of.header("host")))
            .collect();
        assert_eq!(lines, asked);
        match asked.len() {
            3 => assert_eq!(heard[2].header("x-aws-ec2-metadata-token"), "imds-token"),
            _ if heard[0].line.starts_with("GET") => {
                assert_eq!(heard[0].header("authorization"), "container-token");
            }
            _ => assert!(heard[0].body.contains("WebIdentityToken=web-token")),
        }
    }
}

#[test]
fn an_instance_is_asked_where_the_environment_says_and_tells_why_it_refuses() {
    let refusal = json!({"Code": "AssumeRoleUnauthorizedAccess", "Message": "not this role"});
    let rig = Rig::new(&[
        (200, json!("imds-token")),
        (200, json!("my-role")),
        (200, refusal),
    ]);
    let fault = rig.get(&aws(AwsLogin {
        metadata: Some("http://[::1]:1338/".to_owned()),
        ..AwsLogin::default()
    }));
    let fault = fault.unwrap_err();
    let told = "an answer without access keys (AssumeRoleUnauthorizedAccess: not this role)";
    assert!(fault.message.contains(told), "{fault}");
    let heard = rig.server.heard();
    assert_eq!(heard[0].line, "PUT /latest/api/token HTTP/1.1");
    assert!(
        heard.iter().all(|of| of.header("host") == "[::1]:1338"),
        "{heard:?}"
    );
    // Nobody is asked where it is switched off, by whichever way one comes there.
    let home = Home::new(
        "[default]\nrole_arn = r\ncredential_source = Ec2InstanceMetadata\n",
        "",
    );
    let rig = Rig::new(&[]);
    let fault = rig.get(&aws(AwsLogin {
        metadata: None,
        ..home.login()
    }));
    let fault = fault.unwrap_err();
    assert!(
        fault.message.contains("AWS_EC2_METADATA_DISABLED"),
        "{fault}"
    );
}

#[test]
fn a_container_elsewhere_gets_no_token_over_plain_http() {
    let home = Home::new("", "");
    let rig = Rig::new(&[(200, json!({}))]);
    let login = AwsLogin {
        container: Some(Container {
            uri: "http://evil.example/creds".to_owned(),
            token: Some(SecretString::from(SECRET)),
            token_file: None,
        }),
        ..home.login()
    };
    let fault = rig.get(&aws(login)).unwrap_err();
    assert!(
        fault
            .message
            .contains("evil.example is neither this machine"),
        "{fault}"
    );
    assert!(rig.server.heard().is_empty());
}

const SSO: &str = "[profile corp]\nsso_session = main\nsso_account_id = 123\nsso_role_name = dev\n\
    [sso-session main]\nsso_start_url = https://corp.example/start\nsso_region = eu-north-1\n";

/// `main` hashed as the AWS command line does.
const SSO_FILE: &str = "sso/b28b7af69320201d1cf206ebf28373980add1451.json";

#[test]
fn an_sso_login_is_used_renewed_and_kept_for_the_other_programs() {
    let keys = json!({"roleCredentials": {
        "accessKeyId": "ASIA", "secretAccessKey": SECRET, "sessionToken": "T",
        "expiration": 1_795_345_200_000_i64,
    }});
    let left = |expires: &str| {
        json!({
            "accessToken": "old", "expiresAt": expires, "refreshToken": "r", "clientId": "c",
            "clientSecret": "s", "registrationExpiresAt": "2027-01-01T00:00:00Z",
        })
    };
    let renewed = json!({"accessToken": "new", "expiresIn": 3600, "refreshToken": "r2"});
    let good = left("2026-11-22T12:00:00Z");
    let old = left("2026-11-22T09:00:00Z");
    let rows: [(Value, &[(u16, Value)], &str); 2] = [
        (good, &[(200, keys.clone())], "old"),
        (old, &[(200, renewed), (200, keys)], "new"),
    ];
    for (left, answers, expected) in rows {
        let home = Home::new(SSO, "");
        let file = home.write(SSO_FILE, &left.to_string());
        let rig = Rig::new(answers);
        let login = AwsLogin {
            profile: Some("corp".to_owned()),
            ..home.login()
        };
        assert_eq!(
            token(&rig.get(&aws(login)).unwrap()),
            "ASIA CANARY-SECRET T"
        );
        let heard = rig.server.heard();
        let last = heard.last().unwrap();
        assert_eq!(
            last.line,
            "GET /federation/credentials?role_name=dev&account_id=123 HTTP/1.1"
        );
        assert_eq!(last.header("host"), "portal.sso.eu-north-1.amazonaws.com");
        assert_eq!(last.header("x-amz-sso_bearer_token"), expected);
        let kept: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert_eq!(kept["accessToken"], expected);
        if expected == "new" {
            assert_eq!(heard[0].header("host"), "oidc.eu-north-1.amazonaws.com");
            assert_eq!(kept["refreshToken"], "r2");
            assert_eq!(kept["expiresAt"], "2026-11-22T11:00:00Z");
        }
    }
}

#[test]
fn what_is_missing_is_said_with_everything_that_was_tried() {
    let circle = "[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = r\n\
        source_profile = a\n[profile code]\nrole_arn = r\nsource_profile = default\nmfa_serial = m\n\
        [profile bad]\ncredential_process = /bin/false\n";
    let sso = format!("{SSO}{circle}");
    let home = Home::new(&sso, STATIC);
    for (profile, parts) in [
        (
            "corp",
            &["profile corp: SSO: nobody has logged in; run `aws sso login --sso-session main`"][..],
        ),
        ("a", &["source_profile", "circle"]),
        ("code", &["mfa_serial"]),
        (
            "bad",
            &["credential_process", "`false` ended with", "run it by hand"],
        ),
    ] {
        let rig = Rig::new(&[(404, json!(""))]);
        let login = AwsLogin {
            profile: Some(profile.to_owned()),
            ..home.login()
        };
        let fault = rig.get(&aws(login)).unwrap_err();
        for part in parts {
            assert!(fault.message.contains(part), "{profile}: {fault}");
        }
        assert!(!fault.message.contains(SECRET), "{fault}");
    }
    let empty = Home::new("", "");
    let rig = Rig::new(&[(200, json!("t")), (404, json!(""))]);
    let fault = rig.get(&aws(empty.login())).unwrap_err();
    for part in [
        "no AWS credentials; tried environment: no AWS_ACCESS_KEY_ID",
        "profile default: not in AWS's files",
        "web identity: no AWS_WEB_IDENTITY_TOKEN_FILE",
        "container: no AWS_CONTAINER_CREDENTIALS",
        "instance metadata: the instance has no role",
        "`aws sso login`",
    ] {
        assert!(fault.message.contains(part), "{fault}");
    }
}

#[test]
fn a_file_of_secrets_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new("", STATIC);
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(home.path("credentials"), open).unwrap();
    let rig = Rig::new(&[(500, json!(""))]);
    let fault = rig.get(&aws(home.login())).unwrap_err();
    assert!(fault.message.contains("chmod 600"), "{fault}");
}

fn google(file: &Path) -> CredentialFrom {
    CredentialFrom::Google(GoogleLogin {
        file: Some(file.to_owned()),
        ..GoogleLogin::default()
    })
}

#[test]
fn a_service_account_signs_for_googles_own_token_server_whatever_its_file_says() {
    let text = include_str!("../../../tests/fixtures/credentials/service-account.json");
    let public = include_bytes!("../../../tests/fixtures/credentials/service-account.der");
    let home = Home::new("", "");
    let file = home.write("service.json", text);
    let rig = Rig::new(&[(
        200,
        json!({"access_token": "ya29.CANARY", "expires_in": 3599}),
    )]);
    let got = rig.get(&google(&file)).unwrap();
    assert_eq!(token(&got), "ya29.CANARY");
    let heard = &rig.server.heard()[0];
    assert_eq!(
        (heard.line.as_str(), heard.header("host")),
        ("POST /token HTTP/1.1", "oauth2.googleapis.com")
    );
    let assertion = heard.body.split_once("assertion=").unwrap().1;
    let parts: Vec<&str> = assertion.split('.').collect();
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let of = |part: &str| serde_json::from_slice::<Value>(&decoded(part)).unwrap();
    assert_eq!(
        of(parts[0]),
        json!({"alg": "RS256", "typ": "JWT", "kid": "kid-1"})
    );
    let claims = of(parts[1]);
    assert_eq!(claims["aud"], "https://oauth2.googleapis.com/token");
    assert_eq!(claims["iss"], "tollgate@proj-1.iam.gserviceaccount.com");
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        3_600
    );
    let signed = format!("{}.{}", parts[0], parts[1]);
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
    key.verify(signed.as_bytes(), &decoded(parts[2])).unwrap();
}

#[test]
fn a_users_grant_is_renewed_and_charged_to_its_project() {
    let home = Home::new("", "");
    let user = json!({
        "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r",
        "quota_project_id": "payer",
    });
    let file = home.write("user.json", &user.to_string());
    let rig = Rig::new(&[(200, json!({"access_token": "t", "expires_in": 3599}))]);
    let got = rig.get(&google(&file)).unwrap();
    let Material::Token(of) = &*got else { panic!() };
    assert_eq!(of.project.as_deref(), Some("payer"));
    assert!(
        rig.server.heard()[0]
            .body
            .contains("grant_type=refresh_token")
    );
    // A grant that was taken back says so, and nothing of the secrets.
    let rig = Rig::new(&[(
        400,
        json!({"error": "invalid_grant", "error_description": "Revoked."}),
    )]);
    let fault = rig.get(&google(&file)).unwrap_err();
    assert!(
        fault.message.contains("(invalid_grant: Revoked.)"),
        "{fault}"
    );
    assert!(!fault.is_passing);
    let rig = Rig::new(&[(503, json!(""))]);
    assert!(rig.get(&google(&file)).unwrap_err().is_passing);
}

#[test]
fn a_workloads_identity_is_exchanged_at_googles_own_servers() {
    let home = Home::new("", "");
    let subject = home.write("subject", "CANARY-SUBJECT\n");
    let account = |source: Value, impersonation: &str| {
        json!({
            "type": "external_account", "audience": "//iam.googleapis.com/pools/p",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            // Not where the token goes.
            "token_url": "https://thief.example/token", "credential_source": source,
            "service_account_impersonation_url": impersonation,
        })
    };
    let file = |source: Value, impersonation: &str| {
        home.write("wif.json", &account(source, impersonation).to_string())
    };
    // By a file.
    let named = file(json!({"file": subject}), "");
    let rig = Rig::new(&[(200, json!({"access_token": "t1", "expires_in": 3599}))]);
    assert_eq!(token(&rig.get(&google(&named)).unwrap()), "t1");
    let heard = &rig.server.heard()[0];
    assert_eq!(
        (heard.line.as_str(), heard.header("host")),
        ("POST /v1/token HTTP/1.1", "sts.googleapis.com")
    );
    assert!(
        heard.body.contains("subject_token=CANARY-SUBJECT&"),
        "{heard:?}"
    );
    // By an address, in JSON, for a service account.
    let email = "a@b.iam.gserviceaccount.com";
    let stands = format!(
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{email}:generateAccessToken"
    );
    let source = json!({
        "url": "http://169.254.169.254/metadata/identity?resource=r",
        "headers": {"Metadata": "True"},
        "format": {"type": "json", "subject_token_field_name": "access_token"},
    });
    let named = file(source, &stands);
    let rig = Rig::new(&[
        (200, json!({"access_token": "CANARY-OTHER"})),
        (200, json!({"access_token": "t2"})),
        (
            200,
            json!({"accessToken": "t3", "expireTime": "2026-11-22T11:00:00Z"}),
        ),
    ]);
    assert_eq!(token(&rig.get(&google(&named)).unwrap()), "t3");
    let heard = rig.server.heard();
    let hosts: Vec<&str> = heard.iter().map(|heard| heard.header("host")).collect();
    assert_eq!(
        hosts,
        [
            "169.254.169.254",
            "sts.googleapis.com",
            "iamcredentials.googleapis.com"
        ]
    );
    assert_eq!(heard[0].header("metadata"), "True");
    assert!(
        heard[1].body.contains("subject_token=CANARY-OTHER&"),
        "{heard:?}"
    );
    assert_eq!(heard[2].header("authorization"), "Bearer t2");
    // What would give a token away, or is not known, is refused with the reason and no secret.
    for (source, impersonation, words) in [
        (
            json!({"url": "http://thief.example/t"}),
            "",
            "neither https",
        ),
        (
            json!({"url": "http://localhost.thief.example/t"}),
            "",
            "neither https",
        ),
        (
            json!({"executable": {"command": "c"}}),
            "",
            "ALLOW_EXECUTABLES=1",
        ),
        (json!({"certificate": {}}), "", "not known here"),
        (json!({"environment_id": "aws2"}), "", "only aws1"),
        (json!({"file": "/nowhere/token"}), "", "/nowhere/token"),
        (
            json!({"file": subject}),
            "https://thief.example/x",
            "does not begin with",
        ),
    ] {
        let named = file(source.clone(), impersonation);
        let rig = Rig::new(&[(200, json!({"access_token": "CANARY-T", "expires_in": 9}))]);
        let fault = rig.get(&google(&named)).unwrap_err();
        assert!(fault.message.contains(words), "{source}: {fault}");
        assert!(!fault.message.contains("CANARY"), "{fault}");
        let heard = rig.server.heard();
        let stolen = |heard: &Heard| heard.header("host").contains("thief");
        assert!(!heard.iter().any(stolen), "{source}: {heard:?}");
    }
}

/// A file of an identity elsewhere, and the login that names it.
fn elsewhere(home: &Home, source: Value, kind: &str) -> GoogleLogin {
    let account = json!({
        "type": "external_account", "audience": "//iam.googleapis.com/pools/p",
        "subject_token_type": format!("urn:ietf:params:{kind}"), "credential_source": source,
    });
    GoogleLogin {
        file: Some(home.write("elsewhere.json", &account.to_string())),
        ..GoogleLogin::default()
    }
}

#[test]
fn aws_vouches_by_a_signed_question_that_google_sends() {
    let home = Home::new("", "");
    let source = |url: &str| {
        json!({
            "environment_id": "aws1", "regional_cred_verification_url": url,
            "url": "http://thief.example/keys", "region_url": "http://thief.example/region",
        })
    };
    let who = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";
    let keys = AwsKeys {
        id: "AKIA".to_owned(),
        secret: SecretString::from(SECRET),
        token: Some(SecretString::from("session")),
    };
    let mut login = elsewhere(&home, source(who), "aws:token-type:aws4_request");
    login.aws = Box::new(AwsLogin {
        region: "eu-west-1".to_owned(),
        keys: Some(keys),
        ..AwsLogin::default()
    });
    let rig = Rig::new(&[(200, json!({"access_token": "t1", "expires_in": 3599}))]);
    let from = CredentialFrom::Google(login.clone());
    assert_eq!(token(&rig.get(&from).unwrap()), "t1");
    let heard = rig.server.heard();
    assert_eq!(heard.len(), 1, "nothing goes to AWS itself");
    let pairs: Vec<(String, String)> = form_urlencoded::parse(heard[0].body.as_bytes())
        .into_owned()
        .collect();
    let of = |name: &str| pairs.iter().find(|(known, _)| known == name).unwrap();
    let whole = format!("v={}", of("subject_token").1);
    let (_, whole) = form_urlencoded::parse(whole.as_bytes()).next().unwrap();
    let question: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(
        question["url"],
        "https://sts.eu-west-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
    );
    assert_eq!(question["method"], "POST");
    let header = |name: &str| {
        let headers = question["headers"].as_array().unwrap().iter();
        let found = headers
            .clone()
            .find(|header| header["key"] == name)
            .unwrap();
        found["value"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        header("x-goog-cloud-target-resource"),
        "//iam.googleapis.com/pools/p"
    );
    assert_eq!(header("x-amz-security-token"), "session");
    assert_eq!(header("host"), "sts.eu-west-1.amazonaws.com");
    let signature = header("Authorization");
    assert!(
        signature.starts_with("AWS4-HMAC-SHA256 Credential=AKIA/20261122/eu-west-1/sts/")
            && signature.contains(
                "SignedHeaders=host;x-amz-date;x-amz-security-token;x-goog-cloud-target-resource,"
            ),
        "{signature}"
    );
    assert!(!heard[0].body.contains("CANARY"), "{heard:?}");
    // Keys and region of the instance, which is asked where AWS has it and nowhere else.
    login.aws = Box::new(AwsLogin {
        metadata: Some(INSTANCE.to_owned()),
        ..AwsLogin::default()
    });
    let rig = Rig::new(&[
        (200, json!("imds-token")),
        (200, json!("us-west-2")),
        (200, json!("imds-token")),
        (200, json!("my-role")),
        (
            200,
            json!({"AccessKeyId": "ASIA", "SecretAccessKey": SECRET, "Token": "T"}),
        ),
        (200, json!({"access_token": "t2"})),
    ]);
    assert_eq!(
        token(&rig.get(&CredentialFrom::Google(login)).unwrap()),
        "t2"
    );
    let heard = rig.server.heard();
    assert!(
        heard.last().unwrap().body.contains("us-west-2"),
        "{heard:?}"
    );
    let stolen = |heard: &Heard| heard.header("host").contains("thief");
    assert!(!heard.iter().any(stolen), "{heard:?}");
    // A question that somebody else would be asked is not signed.
    let mut login = elsewhere(&home, source("https://sts.thief.example/"), "aws");
    login.aws.region = "eu-west-1".to_owned();
    let rig = Rig::new(&[(200, json!({"access_token": "t3"}))]);
    let fault = rig.get(&CredentialFrom::Google(login)).unwrap_err();
    assert!(fault.message.contains("no address of AWS"), "{fault}");
}

#[test]
fn a_program_vouches_where_it_may_be_run() {
    let home = Home::new("", "");
    let kept = home.write("kept", "");
    let script = |body: &str| {
        let script = home.write("vouch.sh", body);
        format!("sh '{}'", script.display())
    };
    let jwt = "urn:ietf:params:oauth:token-type:jwt";
    let good = |token: &str, until: i64| {
        json!({"version": 1, "success": true, "token_type": jwt, "id_token": token,
            "expiration_time": until})
        .to_string()
    };
    let seconds = NOW.0 / 1_000_000;
    let asked = |command: String, output: Option<&Path>| {
        let mut executable = json!({"command": command, "timeout_millis": 20_000});
        if let Some(output) = output {
            executable["output_file"] = output.to_str().unwrap().into();
        }
        let source = json!({"executable": executable});
        let mut login = elsewhere(&home, source, "oauth:token-type:jwt");
        login.runs_programs = true;
        let rig = Rig::new(&[(200, json!({"access_token": "t", "expires_in": 9}))]);
        let got = rig.get(&CredentialFrom::Google(login));
        let body = rig.server.heard().last().map(|heard| heard.body.clone());
        got.map(|_| body.unwrap())
    };
    let echo = script(&format!(
        "echo '{}' | sed \"s|CANARY-SUBJECT|$GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE|\"",
        good("CANARY-SUBJECT", seconds + 60)
    ));
    let body = asked(echo.clone(), None).unwrap();
    assert!(
        body.contains("subject_token=%2F%2Fiam.googleapis.com%2Fpools%2Fp&"),
        "{body}"
    );
    // What it left in its file is taken as long as it holds.
    for (until, expected) in [
        (seconds + 60, "subject_token=kept&"),
        (seconds - 1, "subject_token=%2F%2F"),
    ] {
        std::fs::write(&kept, good("kept", until)).unwrap();
        let body = asked(echo.clone(), Some(&kept)).unwrap();
        assert!(body.contains(expected), "{until}: {body}");
    }
    for (printed, words) in [
        ("no".to_owned(), "no JSON"),
        (good("CANARY-OLD", seconds - 1), "run out"),
        (json!({"version": 2}).to_string(), "`version`"),
        (
            json!({"version": 1, "success": false, "code": "401", "message": "log in"}).to_string(),
            "log in",
        ),
        (
            json!({"version": 1, "success": true, "token_type": "x"}).to_string(),
            "`token_type`",
        ),
    ] {
        let fault = asked(script(&format!("echo '{printed}'")), None).unwrap_err();
        assert!(fault.message.contains(words), "{printed}: {fault}");
        assert!(!fault.message.contains("CANARY"), "{fault}");
    }
}

/// Where Google's machines have their metadata.
const MACHINE: &str = "169.254.169.254";

#[test]
fn the_machines_own_google_account_comes_last() {
    let rig = Rig::new(&[(200, json!({"access_token": "t", "expires_in": 600}))]);
    let from = CredentialFrom::Google(GoogleLogin {
        user_file: Some(PathBuf::from("/nowhere/adc.json")),
        metadata: Some(MACHINE.to_owned()),
        ..GoogleLogin::default()
    });
    assert_eq!(token(&rig.get(&from).unwrap()), "t");
    let heard = &rig.server.heard()[0];
    assert_eq!(heard.header("metadata-flavor"), "Google");
    assert_eq!(heard.header("host"), "169.254.169.254");
}

#[test]
fn entra_is_asked_by_secret_by_workload_and_by_the_machine() {
    let home = Home::new("", "");
    let file = home.write("federated", "jwt\n");
    let application = EntraLogin {
        tenant: Some("tenant-1".to_owned()),
        client: Some("app-1".to_owned()),
        ..EntraLogin::default()
    };
    let rows = [
        (
            EntraLogin {
                secret: Some(SecretString::from(SECRET)),
                ..application.clone()
            },
            "POST /tenant-1/oauth2/v2.0/token HTTP/1.1",
            "client_secret=CANARY-SECRET",
        ),
        (
            EntraLogin {
                token_file: Some(file),
                ..application
            },
            "POST /tenant-1/oauth2/v2.0/token HTTP/1.1",
            "client_assertion=jwt",
        ),
        (
            EntraLogin {
                endpoint: Some(("http://127.0.0.1:1/msi".to_owned(), SecretString::from("h"))),
                ..EntraLogin::default()
            },
            "GET /msi?api-version=2019-08-01&resource=https%3A%2F%2Fcognitiveservices.azure.com HTTP/1.1",
            "",
        ),
        (
            EntraLogin {
                metadata: true,
                ..EntraLogin::default()
            },
            "GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fcognitiveservices.azure.com HTTP/1.1",
            "",
        ),
    ];
    for (login, line, part) in rows {
        // Numbers come as texts from the machine.
        let rig = Rig::new(&[(200, json!({"access_token": "t", "expires_in": "3599"}))]);
        let got = rig.get(&CredentialFrom::Entra(Box::new(login))).unwrap();
        assert_eq!(token(&got), "t");
        let heard = &rig.server.heard()[0];
        assert_eq!(heard.line, line);
        assert!(heard.body.contains(part), "{}", heard.body);
    }
}

fn instance() -> CredentialFrom {
    CredentialFrom::Google(GoogleLogin {
        metadata: Some(MACHINE.to_owned()),
        ..GoogleLogin::default()
    })
}

#[test]
fn a_token_is_kept_renewed_ahead_and_not_used_past_its_end() {
    let answer =
        |name: &str, seconds: u64| (200, json!({"access_token": name, "expires_in": seconds}));
    let rig = Rig::new(&[answer("one", 3_600), answer("two", 3_600), (503, json!(""))]);
    let from = instance();
    for (seconds, expected, asked) in [
        (0, "one", 1),
        (3_000, "one", 1),
        // Within five minutes of its end: the old one at once, a new one meanwhile.
        (400, "one", 2),
        (0, "two", 2),
        // A renewal that fails leaves the old one until its end.
        (3_400, "two", 3),
        (0, "two", 3),
    ] {
        rig.pass(seconds);
        assert_eq!(token(&rig.get(&from).unwrap()), expected);
        assert_eq!(rig.server.heard().len(), asked);
    }
    rig.pass(300);
    assert!(rig.get(&from).is_err());
}

#[test]
fn many_who_ask_at_once_ask_once() {
    let rig = Rig::new(&[(200, json!({"access_token": "t", "expires_in": 3600}))]);
    let from = instance();
    block_on(async {
        let asking: Vec<_> = (0..32)
            .map(|_| {
                let (keyring, from) = (Arc::clone(&rig.keyring), from.clone());
                tokio::spawn(async move { token(&keyring.get(&from).await.unwrap()) })
            })
            .collect();
        for one in asking {
            assert_eq!(one.await.unwrap(), "t");
        }
    });
    assert_eq!(rig.server.heard().len(), 1);
}

#[test]
fn after_a_failure_nobody_is_asked_again_at_once() {
    let rig = Rig::new(&[
        (400, json!({"error": "no"})),
        (400, json!({"error": "no"})),
        (200, json!({"access_token": "t", "expires_in": 60})),
    ]);
    let from = instance();
    for (seconds, works, asked) in [
        (0, false, 1),
        (0, false, 1),
        (2, false, 2),
        // The pause has doubled.
        (1, false, 2),
        (2, true, 3),
    ] {
        rig.pass(seconds);
        assert_eq!(rig.get(&from).is_ok(), works, "{asked}");
        assert_eq!(rig.server.heard().len(), asked);
    }
}

#[test]
fn what_a_provider_refuses_is_got_anew_unless_it_is_new() {
    let answer = |name: &str| (200, json!({"access_token": name, "expires_in": 3600}));
    let rig = Rig::new(&[answer("one"), answer("two")]);
    let from = instance();
    let one = rig.get(&from).unwrap();
    assert!(
        !rig.keyring.refused(&from, &one),
        "just got: another one would be no better"
    );
    rig.pass(60);
    assert!(rig.keyring.refused(&from, &one));
    let two = rig.get(&from).unwrap();
    assert_eq!(token(&two), "two");
    // Whoever was refused with the old one may try the new one.
    assert!(rig.keyring.refused(&from, &one));
    assert_eq!(rig.server.heard().len(), 2);
}

#[test]
fn a_program_prints_a_key_within_its_time() {
    let rig = Rig::new(&[(500, json!(""))]);
    let of = |script: &str, timeout: u64| {
        CredentialFrom::Command(KeyCommand {
            words: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            timeout: Duration::from_millis(timeout),
            lifetime: Some(Duration::from_mins(1)),
        })
    };
    let home = Home::new("", "");
    let count = home.path("count");
    let script = format!("echo x >> {}; echo sk-1", count.display());
    let from = of(&script, 60_000);
    for (seconds, runs) in [(0, 1), (40, 1), (30, 2)] {
        rig.pass(seconds);
        assert_eq!(token(&rig.get(&from).unwrap()), "sk-1");
        assert_eq!(
            std::fs::read_to_string(&count).unwrap().lines().count(),
            runs
        );
    }
    for (script, timeout, part, passing) in [
        ("sleep 60", 50, "took longer than 50ms", true),
        (
            "echo CANARY >&2; exit 3",
            60_000,
            "ended with exit status: 3",
            false,
        ),
        (
            "echo two words",
            60_000,
            "printed nothing that a header can carry",
            false,
        ),
        ("true", 60_000, "printed nothing", false),
    ] {
        let fault = rig.get(&of(script, timeout)).unwrap_err();
        assert!(fault.message.contains(part), "{fault}");
        assert_eq!(fault.is_passing, passing, "{fault}");
        assert!(!fault.message.contains("CANARY"), "{fault}");
    }
    let missing = CredentialFrom::Command(KeyCommand {
        words: vec!["/nowhere/op".to_owned()],
        timeout: Duration::from_secs(1),
        lifetime: None,
    });
    let fault = rig.get(&missing).unwrap_err();
    assert!(fault.message.contains("`op` cannot be run"), "{fault}");
}
