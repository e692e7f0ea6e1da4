//! Holds the law of the house: who may import whom, and what the pure layers may not touch.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

#[path = "architecture/scanner.rs"]
mod scanner;

use scanner::{PathUse, has_word, paths, without_comments_and_texts, without_tests};

/// A folder of `src/` and what it may import.
struct Folder(&'static str, &'static [&'static str]);

/// The folders in the order of `core.rs` and `lib.rs`. Arrows point upward only; a new one is a line here and a
/// sentence in the commit.
#[rustfmt::skip]
const LAW: &[Folder] = &[
    Folder("record", &[]),
    Folder("clock", &["record"]),
    Folder("statistics", &["record"]),
    Folder("wire", &["record", "statistics"]),
    Folder("routing", &["record", "statistics"]),
    Folder("workload", &["record", "statistics"]),
    Folder("config", &["record", "statistics", "wire", "routing", "workload"]),
    Folder("edge", &["record", "clock", "statistics", "wire", "config"]),
    Folder("recorder", &["record", "clock", "statistics", "routing", "config", "edge"]),
    Folder("proxy", &["record", "clock", "statistics", "wire", "routing", "config", "edge", "recorder"]),
    Folder("analysis", &["record", "statistics", "routing", "workload"]),
    Folder("active", &["record", "clock", "statistics", "routing", "workload", "analysis", "config", "edge", "recorder", "proxy"]),
    Folder("simulator", &["record", "clock", "statistics", "wire", "workload", "analysis", "config", "edge", "recorder", "proxy", "active"]),
    Folder("ui", &["record", "clock", "statistics", "routing", "analysis", "config", "edge", "recorder", "active"]),
    Folder("app", &["record", "clock", "statistics", "wire", "routing", "workload", "analysis", "config", "edge", "recorder", "proxy", "active", "simulator", "ui"]),
    Folder("cli", &["record", "clock", "statistics", "wire", "routing", "workload", "analysis", "config", "edge", "recorder", "proxy", "active", "simulator", "ui", "app"]),
];

/// The first folder of the package `tollgate`. Those before it are the package `tollgate-core`.
const FIRST_OF_THE_REST: &str = "analysis";

/// Folders of the law that nobody has built yet.
const NOT_YET: &[&str] = &[];

/// The rooms of a folder in order: each imports only those before it. A room may be planned. In a
/// folder that is not listed the rooms may stand in any order, but in no circle.
#[rustfmt::skip]
const ROOMS: &[(&str, &[&str])] = &[
    ("record", &["named", "units", "ids", "usage", "timeline", "outcome", "language", "attempt", "experiment", "decision", "active", "exchange", "note", "score"]),
    ("statistics", &["quantile", "sketch", "metric", "interval", "filter", "compare", "sequence", "drift", "rollup"]),
    ("wire", &["framing", "dialect", "translation", "observer"]),
    ("wire/translation", &["shape", "manners", "efforts", "trial", "fields", "events", "reasoning", "chat", "chat_pieces", "chat_voice", "chat_calls", "chat_read", "carried", "chat_turns", "chat_settings", "chat_request", "chat_to_messages", "chat_to_gemini", "chat_to_converse", "messages_to_chat", "responses_to_chat", "unfold", "opening", "legs"]),
    ("routing", &["route", "catalogue", "pricing", "limits", "health", "learned", "kept", "score", "candidate", "policy", "plan", "rules", "budget", "experiment", "canary"]),
    ("workload", &["prompts", "sizes", "schedule", "cron", "agenda", "pairing", "spec", "sweep", "trace"]),
    ("analysis", &["scoring", "replay", "watch", "tables", "paper", "render", "reports"]),
    ("config", &["routes", "probes", "runs", "profiles", "credentials", "settings", "problem", "expand", "quantity", "address", "read", "yaml", "kinds", "choices", "prices", "workload", "catalogue", "raw_routing", "raw", "presets", "resolve", "fingerprint", "load", "schema", "template"]),
    ("config/resolve", &["work", "numbers", "listeners", "logins", "credentials", "endpoint", "providers", "policies", "models", "rules", "probes", "runs", "experiments", "prices", "vain"]),
    ("edge", &["stamp", "known_names", "server", "upstream", "credentials", "store", "telemetry", "alert"]),
    ("edge/credentials", &["material", "call", "file", "command", "sign", "aws", "entra", "program", "federated", "google", "keyring"]),
    ("proxy", &["names", "secret", "inband", "bill", "booking", "canaries", "presence", "accounts", "settle", "read_on", "tap", "reject", "filter", "address", "paths", "speech", "unknown", "candidates", "quotes", "weigh", "headers", "authorise", "intake", "described", "inquiry", "models", "lot", "ours", "shared", "outlook", "failover", "relay", "shadow", "stateful", "street"]),
    ("active", &["traffic", "named", "digest", "targets", "spending", "probing", "bench", "load", "eval", "asked"]),
    ("simulator", &["truth", "provider", "bare", "cast", "habit", "history", "selftest"]),
];

/// Rooms that do not know each other in either direction.
const STRANGERS: &[(&str, &str)] = &[
    ("edge/store", "edge/upstream"),
    ("edge/store", "edge/server"),
    ("edge/store", "edge/credentials"),
];

/// Folders without clock, IO, async or chance: everything they need is handed to them.
const PURE: &[&str] = &[
    "record",
    "statistics",
    "wire",
    "routing",
    "workload",
    "analysis",
    "config",
];

/// What a pure folder does not import, by the beginning of its path.
#[rustfmt::skip]
const IMPURE_PATHS: &[&str] = &[
    "tokio", "hyper", "hyper_util", "axum", "tower", "redb", "notify", "rustix", "socket2",
    "std::fs", "std::env", "std::net", "std::process", "std::thread", "std::os",
    "std::time::Instant", "std::time::SystemTime",
    "fastrand", "rand", "getrandom",
];

/// Types of `std::net` that are only numbers, for `config`.
const ADDRESSES: &[&str] = &[
    "IpAddr",
    "Ipv4Addr",
    "Ipv6Addr",
    "SocketAddr",
    "SocketAddrV4",
    "SocketAddrV6",
];

/// Words that a pure folder does not use.
const IMPURE_WORDS: &[&str] = &["async", "await", "Instant", "SystemTime"];

/// What only `clock` does.
const CLOCK_READS: &[&str] = &["Instant::now", "SystemTime::now", "clock_gettime"];

#[test]
fn the_house_keeps_its_law() {
    let mut findings = law_is_sound();
    findings.extend(entries_of_src());
    let mut graph = Graph::default();
    for path in rust_files(&root().join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let file = relative(&path);
        findings.extend(check_file(&file, &text, &mut graph));
    }
    findings.extend(graph.circles());
    for folder in ["tests", "benches"] {
        for path in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&path).unwrap();
            findings.extend(first_line(&relative(&path), &text));
        }
    }
    findings.extend(unused_fixtures());
    findings.sort();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

/// Arrows of the table point to rows above, so there is no circle in it.
fn law_is_sound() -> Vec<String> {
    let mut above = BTreeSet::new();
    let mut findings = Vec::new();
    for Folder(name, may) in LAW {
        for target in may.iter().filter(|target| !above.contains(*target)) {
            findings.push(format!(
                "tests/architecture.rs:1: {name} may import {target}, which is not above it"
            ));
        }
        above.insert(name);
    }
    findings
}

fn entries_of_src() -> Vec<String> {
    let named: Vec<&str> = LAW.iter().map(|Folder(name, _)| *name).collect();
    let first_of_the_rest = named.iter().position(|name| *name == FIRST_OF_THE_REST);
    let (core, rest) = named.split_at(first_of_the_rest.unwrap());
    let mut findings = Vec::new();
    let mut expected: BTreeSet<String> = BTreeSet::new();
    for (file, folders) in [("src/core.rs", core), ("src/lib.rs", rest)] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let declared: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
            .collect();
        let built = folders.iter().filter(|name| !NOT_YET.contains(name));
        let built: Vec<&str> = built.copied().collect();
        if declared != built {
            findings.push(format!(
                "{file}:1: modules are {declared:?}, the law says {built:?}"
            ));
        }
        expected.extend(built.into_iter().map(str::to_owned));
    }
    let mut present: BTreeSet<String> = names_in(&root().join("src"));
    for name in ["core.rs", "lib.rs", "main.rs", "sample.rs"] {
        present.remove(name);
    }
    for name in present.symmetric_difference(&expected) {
        findings.push(format!("src/{name}:1: src/ and the law differ"));
    }
    for (folder, rooms) in ROOMS {
        for name in names_in(&root().join("src").join(folder)) {
            let room = name.trim_end_matches(".rs");
            if room != "mod" && !is_test_file(room) && !rooms.contains(&room) {
                findings.push(format!(
                    "src/{folder}/{name}:1: a room that the law does not name"
                ));
            }
        }
    }
    findings
}

/// Tests that are too long for the file they test stand beside it.
fn is_test_file(module: &str) -> bool {
    module == "tests" || module.ends_with("_tests")
}

/// Everything that is wrong with one file of `src/`.
fn check_file(file: &str, text: &str, graph: &mut Graph) -> Vec<String> {
    let mut findings: Vec<String> = first_line(file, text).into_iter().collect();
    let module = module_of(file);
    let Some(folder) = module
        .first()
        .filter(|name| LAW.iter().any(|row| row.0 == **name))
    else {
        return findings;
    };
    let code = without_comments_and_texts(text);
    let is_test = module.iter().any(|name| is_test_file(name));
    let bare = if is_test {
        String::new()
    } else {
        without_tests(&code)
    };
    // Arrows between folders hold for tests too; what only tests do may be impure.
    for path in paths(&code).iter().filter(|path| path.names[0] == "crate") {
        findings.extend(arrow(file, folder, path));
    }
    for path in paths(&bare) {
        let target = absolute(&module, &path.names);
        if let Some(target) = &target {
            findings.extend(rooms(file, &module, target, path.line, graph));
        }
        if PURE.contains(&folder.as_str()) {
            findings.extend(impure_path(file, folder, &path));
        }
    }
    findings.extend(words(file, folder, &bare));
    findings
}

fn arrow(file: &str, folder: &str, path: &PathUse) -> Option<String> {
    let target = path.names.get(1)?;
    let Folder(_, may) = LAW.iter().find(|row| row.0 == folder)?;
    let known = LAW.iter().any(|row| row.0 == target);
    (known && target != folder && !may.contains(&target.as_str()))
        .then(|| format!("{file}:{}: {folder} may not import {target}", path.line))
}

/// Checks two modules of one folder where their paths part.
fn rooms(
    file: &str,
    from: &[String],
    to: &[String],
    line: usize,
    graph: &mut Graph,
) -> Option<String> {
    let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
    let (here, there) = (from.get(shared)?, to.get(shared)?);
    if shared == 0 {
        return None;
    }
    let folder = from[..shared].join("/");
    for (one, other) in STRANGERS {
        let is = |room: &str, name: &String| room == format!("{folder}/{name}");
        if is(one, here) && is(other, there) || is(other, here) && is(one, there) {
            return Some(format!(
                "{file}:{line}: {here} and {there} do not know each other"
            ));
        }
    }
    let Some((_, order)) = ROOMS.iter().find(|(name, _)| *name == folder) else {
        // Only modules count, not what the folder's own face holds.
        let is_module = |room: &str| root().join("src").join(&folder).join(room).exists();
        if is_module(&format!("{there}.rs")) || is_module(there) {
            graph.add(&folder, here, there);
        }
        return None;
    };
    let place = |name: &String| order.iter().position(|room| room == name);
    let (here_at, there_at) = (place(here)?, place(there)?);
    (there_at > here_at).then(|| format!("{file}:{line}: {here} stands before {there} in {folder}"))
}

fn impure_path(file: &str, folder: &str, path: &PathUse) -> Option<String> {
    let names = path.names.join("::");
    let begins = |rule: &str| names == rule || names.starts_with(&format!("{rule}::"));
    let rule = IMPURE_PATHS.iter().find(|rule| begins(rule))?;
    let number = folder == "config"
        && path
            .names
            .get(2)
            .is_some_and(|name| ADDRESSES.contains(&name.as_str()));
    (!(begins("std::net") && number))
        .then(|| format!("{file}:{}: {folder} is pure: no {rule}", path.line))
}

fn words(file: &str, folder: &str, code: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let number = index + 1;
        if PURE.contains(&folder) {
            for word in IMPURE_WORDS.iter().filter(|word| has_word(line, word)) {
                findings.push(format!("{file}:{number}: {folder} is pure: no `{word}`"));
            }
        }
        if folder != "clock" {
            for read in CLOCK_READS.iter().filter(|read| has_word(line, read)) {
                findings.push(format!("{file}:{number}: only clock reads time: no {read}"));
            }
        }
    }
    findings
}

fn first_line(file: &str, text: &str) -> Option<String> {
    let first = text.lines().next().unwrap_or_default();
    (!first.starts_with("//! ")).then(|| format!("{file}:1: a file begins with one `//!` sentence"))
}

/// Fixtures whose folder or name no Rust file mentions.
fn unused_fixtures() -> Vec<String> {
    let sources: String = ["src", "tests", "benches"]
        .iter()
        .flat_map(|folder| rust_files(&root().join(folder)))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let used = |path: &Path| {
        let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
        // `fixtures/config/bad` or any longer part of the path, also without `fixtures/`.
        (2..=names.len())
            .any(|end| (0..end - 1).any(|start| sources.contains(&names[start..end].join("/"))))
    };
    let base = root().join("tests/fixtures");
    let hidden = |path: &Path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'))
    };
    files(&base)
        .iter()
        .filter(|path| !hidden(path))
        .filter(|path| !used(path.strip_prefix(root().join("tests")).unwrap()))
        .map(|path| format!("{}:1: a fixture that no test mentions", relative(path)))
        .collect()
}

/// Imports seen in folders whose rooms have no order.
#[derive(Default)]
struct Graph(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Graph {
    fn add(&mut self, folder: &str, from: &str, to: &str) {
        let edges = self.0.entry(folder.to_owned()).or_default();
        edges
            .entry(from.to_owned())
            .or_default()
            .insert(to.to_owned());
    }

    fn circles(&self) -> Vec<String> {
        let mut findings = Vec::new();
        for (folder, edges) in &self.0 {
            for start in edges.keys() {
                let mut seen = BTreeSet::new();
                let mut next = vec![start];
                while let Some(room) = next.pop() {
                    for target in edges.get(room).into_iter().flatten() {
                        if target == start {
                            findings.push(format!(
                                "src/{folder}/{start}.rs:1: part of a circle in {folder}"
                            ));
                        }
                        if seen.insert(target) {
                            next.push(target);
                        }
                    }
                }
            }
        }
        findings.dedup();
        findings
    }
}

/// The module path that `crate::…` or `super::…` means inside a module.
fn absolute(module: &[String], names: &[String]) -> Option<Vec<String>> {
    match names[0].as_str() {
        "crate" => Some(names[1..].to_vec()),
        "super" => {
            let ups = names.iter().take_while(|name| *name == "super").count();
            let kept = module.len().checked_sub(ups)?;
            Some([&module[..kept], &names[ups..]].concat())
        }
        _ => None,
    }
}

/// `src/config/resolve/work.rs` is `config, resolve, work`; a `mod.rs` is its folder.
fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    path.split('/')
        .filter(|name| *name != "mod")
        .map(str::to_owned)
        .collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut list = Vec::new();
    for name in names_in(folder) {
        let path = folder.join(name);
        if path.is_dir() {
            list.extend(files(&path));
        } else {
            list.push(path);
        }
    }
    list
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut list = files(folder);
    list.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    list
}

/// Files outside `src/` that are part of the program, by its `include_str!` and `include_bytes!`.
fn compiled_in() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in rust_files(&root().join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let parts = text.split("include_").skip(1);
        let named = parts.filter_map(|part| {
            let (_, rest) = part.split_once("!(\"").filter(|(kind, _)| kind.len() < 6)?;
            rest.split('"').next()
        });
        for name in named {
            let beside = path.parent().unwrap().join(name).canonicalize().unwrap();
            found.insert(relative(&beside));
        }
    }
    found.retain(|file| !file.starts_with("src/") && !file.starts_with("tests/"));
    found
}

#[test]
fn what_is_compiled_in_gets_into_an_image() {
    let files = compiled_in();
    assert!(files.len() > 8, "{files:?}");
    let ignore = fs::read_to_string(root().join(".dockerignore")).unwrap();
    let image: Vec<&str> = ignore
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    let lets_in = |file: &str| {
        image.iter().any(|rule| match rule.split_once('*') {
            Some((before, after)) => {
                file.starts_with(before) && file.ends_with(after.trim_start_matches('*'))
            }
            None => file == *rule || file.starts_with(&format!("{rule}/")),
        })
    };
    let manifests = ["Cargo.toml", "core/Cargo.toml"].map(str::to_owned);
    for file in files.into_iter().chain(manifests) {
        assert!(lets_in(&file), "{file} is not in an image");
    }
}

#[test]
fn the_scanner_finds_what_breaks_the_law() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "src/wire/framing.rs",
            "//! A.\nuse crate::record::Name;\nuse crate::statistics::sketch;",
            &[],
        ),
        (
            "src/wire/framing.rs",
            "use crate::record::Name;",
            &["1: a file begins with one `//!` sentence"],
        ),
        (
            "src/wire/framing.rs",
            "//! A.\nuse crate::config::Settings;",
            &["2: wire may not import config"],
        ),
        (
            "src/wire/framing.rs",
            "//! A.\nuse crate::{record::Name, proxy::{self, tap}};",
            &[
                "2: wire may not import proxy",
                "2: wire may not import proxy",
            ],
        ),
        (
            "src/wire/framing.rs",
            "//! A.\nfn f(x: crate::edge::store::Store) {}",
            &["2: wire may not import edge"],
        ),
        (
            "src/wire/framing.rs",
            "//! A.\n// crate::edge\n/* crate::edge */ const A: &str = \"crate::edge\";",
            &[],
        ),
        (
            "src/wire/framing.rs",
            "//! A.\n#[cfg(test)]\nmod tests {\n    use crate::edge::store;\n}",
            &["4: wire may not import edge"],
        ),
        (
            "src/record/units.rs",
            "//! A.\nuse super::ids::TraceId;",
            &["2: units stands before ids in record"],
        ),
        (
            "src/record/ids.rs",
            "//! A.\nuse super::units::Name;\nuse crate::record::units::Moment;",
            &[],
        ),
        (
            "src/record/units.rs",
            "//! A.\nuse crate::record::{exchange::Origin, units};",
            &["2: units stands before exchange in record"],
        ),
        (
            "src/record/units.rs",
            "//! A.\n#[cfg(test)]\nmod tests { use super::super::exchange::Origin; }",
            &[],
        ),
        (
            "src/config/resolve/work.rs",
            "//! A.\nuse super::models::models;\nuse super::super::load::load;",
            &[
                "2: work stands before models in config/resolve",
                "3: resolve stands before load in config",
            ],
        ),
        (
            "src/edge/store/mod.rs",
            "//! A.\nuse crate::edge::upstream::Pool;",
            &["2: store and upstream do not know each other"],
        ),
        (
            "src/routing/plan.rs",
            "//! A.\nasync fn f() { g().await }",
            &[
                "2: routing is pure: no `async`",
                "2: routing is pure: no `await`",
            ],
        ),
        (
            "src/routing/plan.rs",
            "//! A.\nuse std::{collections::BTreeMap, fs};",
            &["2: routing is pure: no std::fs"],
        ),
        (
            "src/routing/plan.rs",
            "//! A.\nuse std::net::SocketAddr;",
            &["2: routing is pure: no std::net"],
        ),
        (
            "src/config/raw.rs",
            "//! A.\nuse std::net::{IpAddr, SocketAddr};",
            &[],
        ),
        (
            "src/config/raw.rs",
            "//! A.\nuse std::net::{IpAddr, TcpStream};",
            &["2: config is pure: no std::net"],
        ),
        (
            "src/routing/plan.rs",
            "//! A.\nfn f() -> u64 { fastrand::u64(..) }",
            &["2: routing is pure: no fastrand"],
        ),
        (
            "src/routing/plan.rs",
            "//! A.\nuse tokio::sync::mpsc as channel;",
            &["2: routing is pure: no tokio"],
        ),
        (
            "src/routing/plan.rs",
            "//! A.\n#[cfg(test)]\nmod tests { fn f() { std::fs::read(\"x\"); } }\nfn g<'static_>() {}",
            &[],
        ),
        (
            "src/proxy/tap.rs",
            "//! A.\nlet now = std::time::Instant::now();",
            &["2: only clock reads time: no Instant::now"],
        ),
        (
            "src/proxy/tap.rs",
            "//! A.\nlet now = tokio::time::Instant::now();",
            &["2: only clock reads time: no Instant::now"],
        ),
        (
            "src/clock/mod.rs",
            "//! A.\nlet now = clock_gettime(id);",
            &[],
        ),
    ];
    for (file, text, expected) in cases {
        let found = check_file(file, text, &mut Graph::default());
        let expected: Vec<String> = expected
            .iter()
            .map(|rule| format!("{file}:{rule}"))
            .collect();
        assert_eq!(found, expected, "{file}\n{text}");
    }
}

#[test]
fn the_scanner_finds_circles() {
    let mut graph = Graph::default();
    graph.add("edge/store", "tables", "codec");
    graph.add("edge/store", "codec", "keys");
    assert_eq!(graph.circles(), [""; 0]);
    graph.add("edge/store", "keys", "tables");
    assert_eq!(graph.circles().len(), 3);
}
