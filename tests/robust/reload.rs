//! Changes the config of a running program in every way, under traffic: no request notices.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::process::Signal;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use tollgate::simulator::bare::{Connection, ReadEnd, post};

use super::canary::admin_of;
use super::program::{Home, KEY, Program, call, chat, config, simulator, until};
use crate::support::tls::Certificates;

/// How a new config gets there.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// The file is written anew.
    Written,
    /// Another file takes its name, as editors do.
    Renamed,
    /// It lies elsewhere, where nobody watches, and SIGHUP tells of it.
    Hangup,
    /// What is written is no config, and what the refusal says of it.
    Bad(&'static str, &'static str),
}

const CHANGES: &[Way] = &[
    Way::Written,
    Way::Renamed,
    Way::Bad("[server\n", "tollgate.toml:1"),
    Way::Renamed,
    Way::Bad("[serverr]\n", "serverr"),
    // Cut to nothing, and not written yet.
    Way::Bad("", "is empty"),
    Way::Written,
    Way::Hangup,
    Way::Bad("[providers.nowhere]\n", "base_url"),
    Way::Hangup,
];

/// The number of the config in force: only with it is that model known.
fn has(program: &Program, number: usize) -> bool {
    let request = chat(&format!("missing-{number}"), false, "probe");
    call(program.address, &request).unwrap().status == 200
}

fn change(home: &Home, way: Way, text: &str) {
    let (path, other) = (home.config(), home.folder.join("elsewhere"));
    match way {
        Way::Written | Way::Bad(..) => fs::write(path, text).unwrap(),
        Way::Renamed => {
            let new = home.folder.join("new");
            fs::write(&new, text).unwrap();
            fs::rename(new, path).unwrap();
        }
        Way::Hangup => {
            fs::create_dir_all(&other).unwrap();
            fs::write(other.join("real.toml"), text).unwrap();
            if !path.is_symlink() {
                symlink(other.join("real.toml"), home.folder.join("link")).unwrap();
                fs::rename(home.folder.join("link"), path).unwrap();
            }
        }
    }
}

fn traffic(program: &Program, over: &AtomicBool, tag: &str) -> usize {
    let mut calls = 0;
    let mut connection = Connection::open(program.address).unwrap();
    while !over.load(Ordering::Relaxed) {
        let stream = calls % 2 == 1;
        let request = chat("sim:ft-1ms:gap-1ms:n-4", stream, &format!("{tag}-{calls}"));
        let reading = connection.exchange(&request).unwrap();
        assert_eq!((reading.status, reading.end), (200, ReadEnd::Complete));
        calls += 1;
    }
    calls
}

/// Ends the traffic, also where the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn configs_change_under_traffic_and_bad_ones_change_nothing() {
    let simulator = simulator();
    let plain = config(&simulator, "");
    let home = Home::new(&plain);
    let with = |number: usize| {
        let route = "{ provider = \"sim\", model = \"sim:n-2\" }";
        let text = format!("{plain}[models.missing-{number}]\nroutes = [{route}]\n");
        text.replace("{folder}", &home.folder.display().to_string())
    };
    let program = home.serve();
    let (over, failed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let calls = thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|client| {
                let (program, over) = (&program, &over);
                scope.spawn(move || traffic(program, over, &format!("c{client}")))
            })
            .collect();
        let _over = Over(&over);
        let mut force = None;
        for (number, way) in CHANGES.iter().enumerate() {
            let text = match way {
                Way::Bad(text, _) => (*text).to_owned(),
                _ => with(number),
            };
            change(&home, *way, &text);
            if home.config().is_symlink() {
                program.signal(Signal::HUP);
            }
            if let Way::Bad(_, reason) = way {
                // Not any refusal: what was bad before may have been read, and refused, twice.
                program.hear(reason);
            } else {
                until("the new config in force", || {
                    has(&program, number).then_some(())
                });
                assert!(force.is_none_or(|old| !has(&program, old)), "{way:?}");
                force = Some(number);
            }
            assert!(has(&program, force.unwrap()), "after {way:?}");
        }
        over.store(true, Ordering::Relaxed);
        let calls: usize = clients
            .into_iter()
            .map(|client| {
                client.join().unwrap_or_else(|_| {
                    failed.fetch_add(1, Ordering::Relaxed);
                    0
                })
            })
            .sum();
        calls
    });
    let said = program.said();
    assert_eq!(failed.into_inner(), 0, "{said}");
    println!("{} configs under {calls} calls: 0 failed", CHANGES.len());
    let (status, said) = program.stop();
    assert_eq!(status.code(), Some(0), "{said}");
}

/// Writes other secrets into the config: the one that the provider gets, and the clients'.
fn rotate(home: &Home, key: &str, token: &str) {
    let text = fs::read_to_string(home.config()).unwrap();
    let line = |name: &str, value: &str| format!("{name} = \"{value}\"");
    let lines = text.lines().map(|old| match old.split(" = ").next() {
        Some("api_key") => line("api_key", key),
        Some("token") => line("token", token),
        _ => old.to_owned(),
    });
    let new = lines.collect::<Vec<_>>().join("\n");
    fs::write(home.config(), new).unwrap();
}

/// What the program answers to whoever brings this token.
fn answer_to(program: &Program, token: &str) -> u16 {
    let body = r#"{"model":"sim:n-2","messages":[{"role":"user","content":"hi"}]}"#;
    let headers = format!("x-tollgate-token: {token}\r\n");
    let request = post("/v1/chat/completions", &headers, body);
    call(program.address, &request).unwrap().status
}

#[test]
fn secrets_are_rotated_though_nothing_else_changes() {
    const TOKENS: [&str; 2] = ["the-first-token-of-all", "the-next-token-of-all"];
    let simulator = simulator();
    let text = config(&simulator, "").replace("[admin]", "token = \"\"\n[admin]");
    let home = Home::new(&text);
    rotate(&home, "sk-not-yet", TOKENS[0]);
    let program = home.serve();
    assert_eq!(answer_to(&program, TOKENS[0]), 401, "the key is wrong");
    // A key that was refused is held for long; the next one is another key.
    rotate(&home, KEY, TOKENS[0]);
    until("the key", || {
        (answer_to(&program, TOKENS[0]) == 200).then_some(())
    });
    rotate(&home, KEY, TOKENS[1]);
    until("the token", || {
        (answer_to(&program, TOKENS[1]) == 200).then_some(())
    });
    assert_eq!(answer_to(&program, TOKENS[0]), 401, "the old token is over");
    // A file that is named, and nothing else.
    let file = home.folder.join("key");
    fs::write(&file, "sk-not-yet").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let text = fs::read_to_string(home.config()).unwrap();
    let named = format!("api_key_file = \"{}\"", file.display());
    let text = text.replace(&format!("api_key = \"{KEY}\""), &named);
    fs::write(home.config(), text).unwrap();
    until("the file's key", || {
        (answer_to(&program, TOKENS[1]) == 401).then_some(())
    });
    fs::write(&file, KEY).unwrap();
    until("the file's next key", || {
        (answer_to(&program, TOKENS[1]) == 200).then_some(())
    });
    // A config that names a file which comes later is taken when it comes, though its folder and
    // the one above it come later too.
    let late = home.folder.join("comes/later/late");
    let text = fs::read_to_string(home.config()).unwrap();
    let text = text.replace("/key\"", "/comes/later/late\"");
    // At once: what an editor writes in steps may be told in steps.
    let whole = home.folder.join("whole");
    fs::write(&whole, text.replace(TOKENS[1], TOKENS[0])).unwrap();
    fs::rename(whole, home.config()).unwrap();
    program.hear("config not reloaded");
    fs::create_dir(home.folder.join("comes")).unwrap();
    fs::create_dir(home.folder.join("comes/later")).unwrap();
    let new = home.folder.join("new");
    fs::write(&new, KEY).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&new, &late).unwrap();
    until("the late file's key", || {
        (answer_to(&program, TOKENS[0]) == 200).then_some(())
    });
    let (_, said) = program.stop();
    assert_eq!(said.matches("config not reloaded").count(), 1, "{said}");
    for secret in [TOKENS[0], TOKENS[1], KEY, "sk-not-yet"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}

#[test]
fn a_mistake_that_is_undone_ends_its_alarm() {
    let simulator = simulator();
    let home = Home::new(&config(&simulator, ""));
    let program = home.serve();
    let good = fs::read_to_string(home.config()).unwrap();
    let refused = || {
        let page = call(
            admin_of(&good),
            b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        )
        .unwrap();
        String::from_utf8(page.body)
            .unwrap()
            .contains("tollgate_config_refused 1")
    };
    fs::write(home.config(), format!("{good}\nx = [")).unwrap();
    until("the refusal", || refused().then_some(()));
    fs::write(home.config(), &good).unwrap();
    until("its end", || (!refused()).then_some(()));
    program.hear("the config is the one in force again");
}

#[test]
fn renewed_certificates_are_shown_to_the_next_client() {
    let (old, new) = (Certificates::new(), Certificates::new());
    let simulator = simulator();
    let tls = "[server.tls]\ncertificate = \"{folder}/own.pem\"\nkey = \"{folder}/key.pem\"\n";
    let home = Home::new(&config(&simulator, tls));
    let put = |certificates: &Certificates| {
        for file in &certificates.files()[1..] {
            fs::copy(file, home.folder.join(file.file_name().unwrap())).unwrap();
        }
    };
    put(&old);
    let program = home.serve();
    let shows = |certificates: &Certificates| {
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(certificates.client(&["http/1.1"]), name).unwrap();
        let mut socket = TcpStream::connect(program.address).unwrap();
        client.complete_io(&mut socket).is_ok()
    };
    assert!(shows(&old) && !shows(&new));
    put(&new);
    until("the new certificate", || shows(&new).then_some(()));
    assert!(!shows(&old));
    // Half of a pair is refused, and the pair before stays.
    fs::copy(&old.files()[2], home.folder.join("key.pem")).unwrap();
    program.hear("config not reloaded");
    assert!(shows(&new));
}
