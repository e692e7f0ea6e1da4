//! Looks for the secrets of the clouds' logins, and of programs that print keys, where none may be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use tollgate::simulator::bare::post;
use tollgate::simulator::provider::AwsKeys;
use tollgate::simulator::{Behaviour, Config, Persona, Quirks, Simulator};

use super::canary::{CANARY, admin_of, assert_clean, found, on_the_disk, pages};
use super::program::{Home, KEY, Program, call, config};
use crate::support::ports;

/// The variables of the clouds' logins; the session's token makes AWS's keys short-lived ones.
const VARIABLES: [(&str, &str); 7] = [
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "CANARY/AWS/SECRET"),
    ("AWS_SESSION_TOKEN", "CANARY-AWS-SESSION"),
    ("AZURE_TENANT_ID", "tenant.example"),
    ("AZURE_CLIENT_ID", "client-1"),
    ("AZURE_CLIENT_SECRET", "CANARY-ENTRA-SECRET"),
    ("TOLLGATE_LOG", "trace"),
];

/// One provider per kind of credential: that works, and that does not.
fn providers(simulator: &Simulator, secrets: &Path) -> String {
    let (sim, secrets) = (simulator.addr(), secrets.display());
    format!(
        r#"
[providers.bedrock-eu-west-1]
base_url = "http://{sim}"
login = "aws"
[providers.cmd]
base_url = "http://{sim}/v1"
api_key_command = ["cat", "{secrets}/printed"]
[providers.bad]
base_url = "http://{sim}/v1"
api_key_command = ["sh", "-c", "cat {secrets}/other; cat {secrets}/other >&2; exit 3"]
[providers.odd]
base_url = "http://{sim}/v1"
api_key_command = ["cat", "{secrets}/lines"]
[providers.vertex]
base_url = "http://{sim}/v1/projects/p/locations/global"
credentials_file = "{secrets}/service.json"
[providers.azure]
base_url = "http://{sim}/openai/v1"
login = "azure"
"#
    )
}

/// Files that only their owner may read.
fn write_secrets(folder: &Path) {
    let account = include_str!("../fixtures/credentials/service-account.json");
    for (name, text) in [
        ("printed", KEY),
        ("other", "sk-CANARY-OTHER"),
        ("lines", "CANARY-ONE\nCANARY-TWO\u{7f}"),
        ("service.json", account),
    ] {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// The first line of the service account's private key.
fn private_key() -> String {
    let account = include_str!("../fixtures/credentials/service-account.json");
    let account: serde_json::Value = serde_json::from_str(account).unwrap();
    let key = account["private_key"].as_str().unwrap();
    key.lines().nth(1).unwrap().to_owned()
}

/// With the variables, and no way to any server outside this machine.
fn with_logins(mut command: Command, nowhere: &str) -> Command {
    command.envs(VARIABLES).env("HTTPS_PROXY", nowhere);
    command
}

#[test]
fn no_secret_of_a_login_is_kept_or_said() {
    let mut quirks = Quirks::openai().with_key(KEY);
    quirks.aws = AwsKeys {
        id: "AKIDEXAMPLE".to_owned(),
        secret: "CANARY/AWS/SECRET".into(),
    };
    let simulator = Simulator::start(Config {
        personas: vec![Persona::new(quirks, Behaviour::default())],
        ..Config::default()
    })
    .unwrap();
    let secrets = tempfile::tempdir().unwrap();
    write_secrets(secrets.path());
    let dead = ports::dead();
    let nowhere = format!("http://{dead}");
    let text = config(&simulator, &providers(&simulator, secrets.path()));
    let admin = admin_of(&text);
    let home = Home::new(&text);
    let program = Program::start(&mut with_logins(home.command(&["serve"]), &nowhere));

    let chat = |model: &str| {
        format!("{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}")
    };
    let converse = "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}]}";
    let mut ids = Vec::new();
    for (path, body, status) in [
        (
            "/bedrock-eu-west-1/model/sim:n-4/converse",
            converse.to_owned(),
            200,
        ),
        (
            "/bedrock-eu-west-1/v1/chat/completions",
            chat("sim:n-4"),
            200,
        ),
        ("/cmd/v1/chat/completions", chat("sim:n-4"), 200),
        ("/bad/v1/chat/completions", chat("sim:n-4"), 401),
        ("/odd/v1/chat/completions", chat("sim:n-4"), 401),
        ("/vertex/v1/chat/completions", chat("sim:n-4"), 503),
        ("/azure/v1/chat/completions", chat("sim:n-4"), 503),
    ] {
        let reading = call(program.address, &post(path, "", &body)).unwrap();
        assert_eq!(reading.status, status, "{path}: {}", reading.text());
        assert_clean(path, &reading.body);
        ids.push(reading.header("x-tollgate-exchange").unwrap().to_owned());
    }
    on_the_disk(admin, &ids);
    let pages = pages(admin, &ids);
    let (status, said) = program.stop();
    assert_eq!(status.code(), Some(0), "{said}");
    let key = private_key();
    let clean = |place: &str, bytes: &[u8]| {
        assert_clean(place, bytes);
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains(&key), "the private key is in {place}");
    };
    clean("the log", said.as_bytes());
    // It tells why what failed did.
    for word in ["exit", "oauth2.googleapis.com", "Entra ID"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    for (path, bytes) in &pages {
        clean(path, bytes);
    }
    for words in [
        &["export", "--format", "jsonl"][..],
        &["report", "routes"],
        &["check", "--live"],
        &["check", "--live", "--format", "json"],
    ] {
        let mut command = with_logins(home.command(words), &nowhere);
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        assert!(!text.is_empty(), "{words:?}");
        clean(&words.join(" "), &text);
    }
    assert_eq!(found(&home.folder, CANARY), Vec::<String>::new());
    assert_eq!(found(&home.folder, key.as_bytes()), Vec::<String>::new());
}
