//! What the program knows of its routes outlives a restart and a changed config.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use rustix::process::Signal;
use serde_json::Value;
use tollgate::clock::Clock;
use tollgate::simulator::bare::Connection;

use super::program::{Home, KEY, Program, call, chat, config, simulator, until};

const MODELS: &str = "[providers.second]\nbase_url = \"http://127.0.0.1:9/v1\"\napi_key = \"k\"\n\
    dialect = \"openai\"\n[models.m]\nroutes = [{ provider = \"sim\", model = \"sim:n-4\" }]\n\
    [models.slow]\npolicy = \"fastest\"\n\
    routes = [{ provider = \"good\", model = \"sim:ft-20ms:n-4\" }, { provider = \"second\" }]\n";

/// A config in which the simulated provider `sim` refuses the key, and `good` does not.
fn refusing(simulator: &tollgate::simulator::Simulator) -> String {
    let good = format!(
        "[providers.good]\nbase_url = \"http://{}/v1\"\napi_key = \"{KEY}\"\n{MODELS}",
        simulator.addr()
    );
    let (first, rest) = config(simulator, &good)
        .split_once(KEY)
        .map(|(first, rest)| (first.to_owned(), rest.to_owned()))
        .unwrap();
    format!("{first}sk-not-the-right-one{rest}")
}

fn standing(config: &str) -> Value {
    let (_, after) = config.split_once("[admin]\nlisten = \"").unwrap();
    let admin: SocketAddr = after.split('"').next().unwrap().parse().unwrap();
    let request = format!("GET /api/standing HTTP/1.1\r\nHost: {admin}\r\n\r\n");
    let reading = Connection::open(admin)
        .unwrap()
        .exchange(request.as_bytes());
    serde_json::from_slice(&reading.unwrap().body).unwrap()
}

fn route<'a>(standing: &'a Value, model: &str) -> &'a Value {
    let models = standing["models"].as_array().unwrap();
    let model = models.iter().find(|of| of["model"] == model).unwrap();
    &model["routes"][0]
}

/// The date that is now: dates sort as their texts do.
fn today() -> String {
    Clock::system().wall().rfc3339()
}

const DAY: f64 = 86_400.0;

/// Seconds of its day.
fn seconds(date: &Value) -> f64 {
    let text = date.as_str().unwrap();
    let (hour, minute) = (&text[11..13], &text[14..16]);
    let second = text[17..].trim_end_matches('Z');
    [hour, minute, second]
        .iter()
        .fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap())
}

/// Has the key refused once, and eight answers learned from; how the routes stand then.
fn live(program: &Program, config: &str) -> Value {
    let refused = call(program.address, &chat("m", false, "refused")).unwrap();
    assert_eq!(refused.status, 401);
    for n in 0..8 {
        let answer = call(program.address, &chat("slow", true, &format!("slow-{n}"))).unwrap();
        assert_eq!(answer.status, 200);
    }
    // A client has its answer before its exchange is settled.
    until("eight samples", || {
        let now = standing(config);
        (route(&now, "slow")["expected"]["samples"] == 8).then_some(now)
    })
}

#[test]
fn a_held_route_is_still_held_after_a_restart_and_says_since_when() {
    let simulator = simulator();
    let config = refusing(&simulator);
    let home = Home::new(&config);
    let begun = today();
    let program = home.serve();
    let before = live(&program, &config);
    let (status, said) = program.stop();
    assert!(status.success(), "{said}");
    let ended = today();
    let program = home.serve();
    program.hear("s ago is taken up again");
    let after = standing(&config);
    let (held, still) = (route(&before, "m"), route(&after, "m"));
    for of in [held, still] {
        assert_eq!(
            (&of["state"], &of["why"]),
            (&"credential_held".into(), &"auth".into())
        );
    }
    let since = |of: &Value| of["since"].as_str().unwrap().to_owned();
    assert!(begun < since(still) && since(still) < ended, "{still}");
    // The age is kept in milliseconds, and two clocks are read one after the other.
    let apart = seconds(&held["until"]) - seconds(&still["until"]);
    assert!(
        apart.rem_euclid(DAY).min((-apart).rem_euclid(DAY)) < 5.0,
        "{held} {still}"
    );
    let (was, is) = (
        &route(&before, "slow")["expected"],
        &route(&after, "slow")["expected"],
    );
    assert_eq!(was["samples"], is["samples"]);
    let millis = |of: &Value| of["first_token_ms"].as_f64().unwrap();
    assert!((millis(was) - millis(is)).abs() < 0.01, "{was} {is}");
    // Time since then makes it less sure, never surer.
    let high = |of: &Value| of["first_token_high_ms"].as_f64().unwrap();
    assert!(high(is) >= high(was) - 1e-9, "{was} {is}");
    let output = home.command(&["routes"]).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    for words in [
        "key refused",
        "auth, since 20",
        "slow  (fastest)",
        "good/sim:ft-20ms:n-4",
    ] {
        assert!(table.contains(words), "{words}\n{table}");
    }
    // A kill leaves what was kept last, and a store that is read as before.
    program.signal(Signal::KILL);
    drop(program.ended());
    let program = home.serve();
    assert_eq!(route(&standing(&config), "m")["state"], "credential_held");
    drop(program);
}

/// A command reads the config without its secrets, and asks the server with nothing made up.
#[test]
fn a_token_that_is_not_at_hand_is_told_and_none_is_made_up() {
    let simulator = simulator();
    let token = "[admin]\ntoken = \"${ADMIN_TOKEN_OF_THE_TEST}\"";
    let home = Home::new(&config(&simulator, "").replace("[admin]", token));
    let with = |words: &[&str], value: Option<&str>| {
        let mut command = home.command(words);
        let _ = value.map(|value| command.env("ADMIN_TOKEN_OF_THE_TEST", value));
        command
    };
    let right = "sk-CANARY-ADMIN-0123456789";
    let program = Program::start(&mut with(&["serve"], Some(right)));
    for words in [&["routes"][..], &["baseline", "remove", "none"]] {
        for (value, code, said) in [
            (
                None,
                3,
                "comes from a variable that is not set here: set it",
            ),
            (
                Some("sk-CANARY-OTHER-0123456789"),
                3,
                "started with another",
            ),
            (Some(right), i32::from(words[0] != "routes"), ""),
        ] {
            let output = with(words, value).output().unwrap();
            let err = String::from_utf8_lossy(&output.stderr);
            assert_eq!(
                output.status.code(),
                Some(code),
                "{words:?} {value:?}: {err}"
            );
            assert!(err.contains(said), "{words:?} {value:?}: {err}");
        }
    }
    drop(program);
}

#[test]
fn learned_state_is_not_lost_on_reload() {
    let simulator = simulator();
    let config = refusing(&simulator);
    let home = Home::new(&config);
    let begun = today();
    let program = home.serve();
    let before = live(&program, &config);
    let changed = today();
    home.write(&config.replace("policy = \"fastest\"", "policy = \"least_busy\""));
    program.hear("config reloaded");
    let after = until("the new policy", || {
        let now = standing(&config);
        let of = |now: &Value| now["models"][1]["policy"].clone();
        (of(&now) == "least_busy").then_some(now)
    });
    let (was, is) = (route(&before, "slow"), route(&after, "slow"));
    for field in ["samples", "first_token_ms", "success"] {
        assert_eq!(was["expected"][field], is["expected"][field], "{field}");
    }
    assert_eq!(route(&after, "m")["state"], "credential_held");
    // Dates of moments: two clocks are read one after the other, and now and then much later.
    let since = |now: &Value| route(now, "m")["since"].as_str().unwrap().to_owned();
    until("the same hold", || {
        let since = since(&standing(&config));
        (begun < since && since < changed).then_some(())
    });
}

/// The address of a server that has no model.
fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let _ = client.read(&mut [0; 4096]);
            let body = r#"{"error":{"code":"model_not_found"}}"#;
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            let _ = client.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn a_mended_address_is_asked_again_over_a_reload_and_a_restart() {
    let simulator = simulator();
    let text = config(
        &simulator,
        &format!(
            "[providers.other]\nbase_url = \"http://{}/v1\"\napi_key = \"{KEY}\"\n[models.two]\nroutes = [\
             {{ provider = \"sim\", model = \"sim:n-4\" }}, {{ provider = \"other\", model = \"sim:n-4\" }}]\n",
            simulator.addr()
        ),
    );
    let right = format!(
        "[providers.sim]\nbase_url = \"http://{}/v1\"",
        simulator.addr()
    );
    let wrong = format!("[providers.sim]\nbase_url = \"http://{}/v1\"", nobody());
    for restarts in [false, true] {
        let home = Home::new(&text.replace(&right, &wrong));
        let program = home.serve();
        let served_by = |program: &Program, tag: &str| {
            let answer = call(program.address, &chat("two", false, tag)).unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer.header("x-tollgate-route").unwrap().to_owned()
        };
        assert_eq!(served_by(&program, "wrong"), "other/sim:n-4");
        until("the hold", || {
            let now = standing(&text);
            (now["models"][0]["routes"][0]["state"] == "held").then_some(())
        });
        let program = if restarts {
            program.stop();
            home.write(&text);
            home.serve()
        } else {
            home.write(&text);
            program.hear("config reloaded");
            program
        };
        assert_eq!(
            served_by(&program, "right"),
            "sim/sim:n-4",
            "{}",
            program.said()
        );
    }
}
