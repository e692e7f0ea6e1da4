//! Runs the official SDKs against every kind of provider through Tollgate, and holds the table in
//! the README against what comes: `make matrix` writes it anew.
//!
//! Asked for by `TOLLGATE_SDK=1` (`make test`), since it installs packages: see `tests/sdk`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

#[path = "support/program.rs"]
mod program;

use program::Program;

/// What one case of one client at one provider came to.
#[derive(Debug, PartialEq, Eq)]
struct Cell {
    client: String,
    provider: String,
    case: String,
    came: String,
}

/// Clients as the script knows them, and the base URL that each is given; the prefix of the
/// provider's name is in the path or before the model.
const CLIENTS: [(&str, &[&str]); 5] = [
    (
        "openai chat",
        &[
            "openai",
            "azure",
            "mistral",
            "anthropic",
            "gemini",
            "vertex",
            "bedrock",
        ],
    ),
    (
        "openai responses",
        &["openai", "mistral", "anthropic", "gemini", "bedrock"],
    ),
    ("anthropic", &["anthropic", "openai", "gemini", "bedrock"]),
    ("google-genai", &["gemini"]),
    ("boto3", &["bedrock"]),
];

/// Where the table stands.
const BEGIN: &str = "<!-- matrix:begin -->";
const END: &str = "<!-- matrix:end -->";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the script with rows of `client|provider|base URL|model prefix`.
fn cells(simulator: &str, rows: &[String]) -> Vec<Cell> {
    let output = Command::new(root().join("target/sdk/venv/bin/python"))
        .args(["tests/sdk/matrix.py", simulator])
        .args(rows)
        .current_dir(root())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .map(|line| {
            let (client, provider, case, came) =
                serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
            Cell {
                client,
                provider,
                case,
                came,
            }
        })
        .collect()
}

/// Each client at the simulator itself, in its own language.
fn direct(simulator: &str) -> Vec<String> {
    [
        ("openai chat", "openai", "/openai/v1"),
        ("openai chat", "azure", "/azure/openai/v1"),
        ("openai responses", "openai", "/openai/v1"),
        ("anthropic", "anthropic", "/anthropic"),
        ("google-genai", "gemini", "/gemini"),
        ("boto3", "bedrock", "/bedrock"),
    ]
    .iter()
    .map(|(client, provider, path)| format!("{client}|{provider}|http://{simulator}{path}|"))
    .collect()
}

/// Each client through Tollgate, to each provider.
fn through(proxy: &str) -> Vec<String> {
    let rows = CLIENTS.iter().flat_map(|(client, providers)| {
        providers.iter().map(move |provider| match *client {
            "anthropic" => format!("{client}|{provider}|http://{proxy}|{provider}/"),
            "google-genai" | "boto3" => format!("{client}|{provider}|http://{proxy}/{provider}|"),
            _ => format!("{client}|{provider}|http://{proxy}/v1|{provider}/"),
        })
    });
    rows.collect()
}

/// Every provider, played by the simulator, whose models all reason.
fn providers(simulator: &str) -> String {
    let vertex = "vertex/v1/projects/p/locations/us-central1";
    [
        ("openai", "openai/v1"),
        ("azure", "azure/openai/v1"),
        ("mistral", "mistral/v1"),
        ("anthropic", "anthropic"),
        ("gemini", "gemini"),
        ("vertex", vertex),
        ("bedrock", "bedrock"),
    ]
    .iter()
    .map(|(name, path)| {
        format!(
            "[providers.{name}]\nbase_url = \"http://{simulator}/{path}\"\napi_key = \"of-the-test\"\n\
             effort_models = [\"*\"]\n"
        )
    })
    .collect()
}

/// The table, and the notes that its cells point to.
fn table(cells: &[Cell]) -> String {
    let mut cases: Vec<&str> = Vec::new();
    let mut rows: Vec<(&str, &str)> = Vec::new();
    let mut notes: Vec<&str> = Vec::new();
    for cell in cells {
        if !cases.contains(&cell.case.as_str()) {
            cases.push(&cell.case);
        }
        let row = (cell.client.as_str(), cell.provider.as_str());
        if !rows.contains(&row) {
            rows.push(row);
        }
        if cell.came != "yes" && !notes.contains(&cell.came.as_str()) {
            notes.push(&cell.came);
        }
    }
    let mut text = format!("| SDK | provider | {} |\n", cases.join(" | "));
    // Writing to a string cannot fail.
    let _ = writeln!(text, "|---|---|{}", "---|".repeat(cases.len()));
    for (client, provider) in rows {
        let each = cells
            .iter()
            .filter(|cell| cell.client == client && cell.provider == provider)
            .map(
                |cell| match notes.iter().position(|note| *note == cell.came) {
                    None => "yes".to_owned(),
                    Some(place) => {
                        let word = cell.came.split(':').next().unwrap();
                        format!("{word} ({})", place + 1)
                    }
                },
            );
        let each: Vec<String> = each.collect();
        let _ = writeln!(text, "| {client} | {provider} | {} |", each.join(" | "));
    }
    if !notes.is_empty() {
        text.push('\n');
    }
    for (place, note) in notes.iter().enumerate() {
        let plain = note.replace('\n', " ").replace('|', "/");
        let _ = writeln!(text, "{}. {}", place + 1, plain.trim());
    }
    text
}

#[test]
fn the_table_of_the_readme_is_what_the_official_sdks_see() {
    if std::env::var_os("TOLLGATE_SDK").is_none() {
        println!("not asked for: TOLLGATE_SDK=1");
        return;
    }
    let prepared = Command::new("sh")
        .arg("tests/sdk/prepare.sh")
        .current_dir(root())
        .status();
    assert!(prepared.unwrap().success(), "tests/sdk/prepare.sh");
    let behave = "ft-5ms:gap-1ms:n-16";
    let simulator = Program::run(&["simulate", "--listen", "127.0.0.1:0", "--behave", behave]);
    let own = cells(&simulator.address, &direct(&simulator.address));
    let faults: Vec<&Cell> = own
        .iter()
        .filter(|cell| cell.came.starts_with("no:"))
        .collect();
    assert!(faults.is_empty(), "the simulator itself: {faults:#?}");
    let folder = tempfile::tempdir().unwrap();
    let proxy = Program::serve(folder.path(), &providers(&simulator.address));
    let cells = cells(&simulator.address, &through(&proxy.address));
    println!("memory after it: {} KiB", proxy.memory_kib());
    let table = table(&cells);
    println!("{table}");
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{before}{BEGIN}\n\n{table}\n{END}{after}")).unwrap();
        return;
    }
    assert_eq!(
        written.trim(),
        table.trim(),
        "the table in README.md is not what comes: `make matrix` writes it anew"
    );
}
