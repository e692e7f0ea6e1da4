//! Starts the program where it cannot start: it says why in one message, soon, and shows no key.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use redb::{Builder, ConcurrencyMode, TableDefinition};
use rustix::process::Signal;
use tollgate::clock::Clock;
use tollgate::edge::store::{SCHEMA, Store};

use super::program::{Home, KEY, Program, call, chat, config, simulator, store_settings, until};
use crate::support::ports;

/// A user who may do nothing here.
const NOBODY: u32 = 65_534;
/// The bar is a second; a debug build on a machine that has much else to do gets more.
const SOON: Duration = Duration::from_secs(30);

/// A start that must fail.
struct Case {
    name: &'static str,
    /// Put in the place of the usual config, or behind it where it begins with a line break.
    config: String,
    /// What is done to the folder before.
    before: fn(&Home),
    /// Whether it runs as a user who owns nothing.
    as_nobody: bool,
    code: i32,
    /// What the message names.
    names: &'static [&'static str],
}

fn cases(taken: u16) -> Vec<Case> {
    let case = |name, config: &str, code, names| Case {
        name,
        config: config.to_owned(),
        before: |_| {},
        as_nobody: false,
        code,
        names,
    };
    let provider = format!("[providers.openai]\napi_key = \"{KEY}\"\n");
    vec![
        case(
            "TOML that ends within a key",
            &format!("[providers.openai]\napi_key = \"{KEY}\n"),
            2,
            &["tollgate.toml:2"],
        ),
        case(
            "TOML that is none",
            &format!("{provider}[server\n"),
            2,
            &["tollgate.toml:3"],
        ),
        Case {
            before: |home| {
                let proxy = "HTTPS_PROXY=socks5://user:sk-CANARY-PROXY@proxy.example:1080\n";
                fs::write(home.folder.join(".env"), proxy).unwrap();
            },
            ..case(
                "a forward proxy that is not spoken to",
                &provider,
                2,
                &["HTTPS_PROXY", "schemes"],
            )
        },
        Case {
            before: |home| {
                let text = b"# of another editor\n# na\xc3\xafve caf\xe9\n";
                fs::write(home.folder.join("tollgate.toml"), text).unwrap();
            },
            ..case(
                "a config in Latin-1",
                &provider,
                2,
                &["tollgate.toml:2", "0xe9 in column 12", "UTF-8"],
            )
        },
        Case {
            before: |home| {
                let text: Vec<u8> = "\u{feff}[server]\n"
                    .encode_utf16()
                    .flat_map(u16::to_le_bytes)
                    .collect();
                fs::write(home.folder.join("tollgate.toml"), text).unwrap();
            },
            ..case(
                "a config in UTF-16",
                &provider,
                2,
                &[
                    "tollgate.toml:1",
                    "found:    UTF-16",
                    "save the file as UTF-8",
                ],
            )
        },
        case(
            "an unknown key",
            &format!("{provider}[server]\nlistne = \"127.0.0.1:1\"\n"),
            2,
            &["server.listne", "listen"],
        ),
        case(
            "a variable that is not set",
            "[providers.openai]\napi_key = \"${NO_SUCH_KEY}\"\n",
            2,
            &["NO_SUCH_KEY"],
        ),
        case(
            "outside loopback without a token",
            &format!("{provider}[server]\nlisten = \"0.0.0.0:4100\"\n"),
            2,
            &["server.listen", "token"],
        ),
        case(
            "a token file that is not there",
            &format!("{provider}[server]\ntoken_file = \"token\"\n"),
            2,
            &["server.token_file", "token"],
        ),
        Case {
            before: |home| {
                let token = home.folder.join("token");
                fs::write(&token, "sk-CANARY-TOKEN-0123456789").unwrap();
                fs::set_permissions(token, fs::Permissions::from_mode(0o644)).unwrap();
            },
            ..case(
                "a token file that others may read",
                &format!("{provider}[server]\ntoken_file = \"token\"\n"),
                2,
                &["server.token_file", "chmod 600"],
            )
        },
        case(
            "a certificate that is not there",
            &format!(
                "{provider}[server]\nlisten = \"{}\"\n[server.tls]\n\
                 certificate = \"cert.pem\"\nkey = \"key.pem\"\n",
                ports::free()
            ),
            2,
            &["server.tls", "cert.pem"],
        ),
        case(
            "a port in use",
            &format!(
                "{provider}[server]\nlisten = \"127.0.0.1:{taken}\"\n[store]\n\
                 path = \"{{folder}}/store.redb\"\n"
            ),
            3,
            &["already in use", "server.listen"],
        ),
        Case {
            as_nobody: true,
            ..case(
                "a store in a folder that may not be written",
                "\n",
                3,
                &["store.redb", "permissions"],
            )
        },
        Case {
            before: |home| newer(&home.store()),
            ..case(
                "a store of a newer version",
                "\n",
                3,
                &["schema", "9.9.9", "store.path"],
            )
        },
    ]
}

/// A store whose schema is the next one.
fn newer(path: &Path) {
    const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta.v1");
    drop(Store::open(&store_settings(path), &Clock::system()).unwrap());
    let mut value = vec![1, 0, 0, 0, 0];
    value.extend_from_slice(&(SCHEMA + 1).to_le_bytes());
    value.extend_from_slice(b"9.9.9");
    let mut sum = crc32fast::Hasher::new();
    for part in [&b"schema"[..], &value[..1], &value[5..]] {
        sum.update(part);
    }
    value[1..5].copy_from_slice(&sum.finalize().to_le_bytes());
    let mut builder = Builder::new();
    builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
    let db = builder.open(path).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(META)
        .unwrap()
        .insert("schema", &*value)
        .unwrap();
    txn.commit().unwrap();
}

#[test]
fn what_cannot_start_says_why_and_shows_no_key() {
    let simulator = simulator();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut slowest = Duration::ZERO;
    let cases = cases(taken.local_addr().unwrap().port());
    for case in cases {
        let name = case.name;
        let text = match case.config.strip_prefix('\n') {
            Some(more) => config(&simulator, more),
            None => case.config.clone(),
        };
        let home = Home::new(&text);
        (case.before)(&home);
        let mut command = home.command(&["serve"]);
        if case.as_nobody {
            // Without rights of its own, the folder is closed to it.
            if chown(&home.folder, Some(0), Some(0)).is_err() {
                println!("skipped: {name}: only root can be somebody else");
                continue;
            }
            fs::set_permissions(&home.folder, fs::Permissions::from_mode(0o755)).unwrap();
            command.uid(NOBODY).gid(NOBODY);
        }
        let began = Instant::now();
        let output = command.output().unwrap();
        let after = began.elapsed();
        slowest = slowest.max(after);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert_eq!(output.status.code(), Some(case.code), "{name}: {said}");
        for part in case.names {
            assert!(said.contains(part), "{name}: {part} is not in: {said}");
        }
        for part in ["CANARY", "panicked", "backtrace", "RUST_"] {
            assert!(!said.contains(part), "{name}: {part} is in: {said}");
        }
        if case.code == 3 {
            assert_eq!(said.trim_end().lines().count(), 1, "{name}: {said}");
        }
        assert!(after < SOON, "{name}: {after:?}");
        println!("{name}: exit {}, {after:?}", case.code);
    }
    println!("the slowest: {slowest:?}");
}

#[test]
fn a_second_program_on_one_store_is_refused_and_the_first_goes_on() {
    let simulator = simulator();
    let home = Home::new(&config(&simulator, ""));
    let first = home.serve();
    home.write(&config(&simulator, ""));
    let output = home.command(&["serve"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("in use by another tollgate"), "{said}");
    let lines: Vec<&str> = said.trim_end().lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].contains("is in use: waiting up to"), "{said}");
    assert_eq!(first.stop().0.code(), Some(0));
}

#[test]
fn a_store_that_is_held_for_a_moment_is_waited_for() {
    let simulator = simulator();
    let home = Home::new(&config(&simulator, ""));
    // What a report does that meets the store of a killed writer.
    let held = Store::open(&store_settings(&home.store()), &Clock::system()).unwrap();
    let program = Program::begun(&mut home.command(&["serve"]));
    program.hear("is in use: waiting up to");
    assert!(!program.said().contains("data plane"), "{}", program.said());
    drop(held);
    let program = program.ready();
    assert_eq!(program.stop().0.code(), Some(0));
}

#[test]
fn a_report_in_the_moment_after_a_kill_does_not_keep_it_from_starting() {
    let simulator = simulator();
    let home = Home::new(&config(&simulator, ""));
    for round in 0..5 {
        let program = home.serve();
        let request = chat("sim:n-2", false, &format!("round-{round}"));
        assert!(call(program.address, &request).is_some());
        program.signal(Signal::KILL);
        drop(program);
        let reports: Vec<_> = (0..4)
            .map(|_| home.command(&["report", "routes"]).spawn().unwrap())
            .collect();
        // Ready, or the test fails.
        assert_eq!(home.serve().stop().0.code(), Some(0));
        for mut report in reports {
            report.wait().unwrap();
        }
    }
}

#[test]
fn a_damaged_store_is_moved_aside_and_said() {
    let simulator = simulator();
    let home = Home::new(&config(&simulator, ""));
    fs::write(home.store(), vec![7; 100_000]).unwrap();
    let program = home.serve();
    let said = until("the word of the damage", || {
        Some(program.said()).filter(|said| said.contains("moved aside to"))
    });
    let aside = fs::read_dir(&home.folder).unwrap().filter_map(Result::ok);
    let aside: Vec<_> = aside
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("corrupt-"))
        .collect();
    assert_eq!(aside.len(), 1, "{said}");
    assert!(said.contains(&aside[0]), "{said}");
    let kept = fs::read(home.folder.join(&aside[0])).unwrap();
    assert_eq!(kept, vec![7; 100_000], "what was there is still there");
    assert_eq!(program.stop().0.code(), Some(0));
}
