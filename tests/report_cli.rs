//! Tests the commands that read a store, as a user runs them.

#![expect(
    clippy::unwrap_used,
    reason = "what a test helper cannot do, its test cannot either"
)]

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

#[path = "support/filled.rs"]
mod filled;
#[expect(dead_code, reason = "each test needs another part of it")]
#[path = "support/ports.rs"]
mod ports;

use filled::{recent, store};
use tollgate::analysis::reports::Listed;

/// Runs `tollgate` with `arguments` in `directory`, whose config names the store `s.redb`.
fn command(directory: &Path, arguments: &[&str]) -> Command {
    let config = directory.join("tollgate.toml");
    let text = format!(
        "[store]\npath = \"{}\"\n[admin]\nlisten = \"127.0.0.1:9\"\n",
        directory.join("s.redb").display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    // Where it may use some processors only, the allocator says so in a line of its own.
    command.env("_RJEM_MALLOC_CONF", "percpu_arena:disabled");
    command
        .current_dir(directory)
        .env_remove("TOLLGATE_CONFIG")
        .arg("--config")
        .arg(config)
        .args(arguments);
    command
}

fn run(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    done(&mut command(directory, arguments))
}

/// Runs with no config but what is named.
fn bare(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    // Where it may use some processors only, the allocator says so in a line of its own.
    command.env("_RJEM_MALLOC_CONF", "percpu_arena:disabled");
    command.current_dir(directory).env_remove("TOLLGATE_CONFIG");
    done(command.args(arguments))
}

fn done(command: &mut Command) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn a_report_is_read_beside_the_writer_in_every_format() {
    let directory = tempfile::tempdir().unwrap();
    let records = recent(1, 900, 1_000_000);
    let writer = store(&directory.path().join("s.redb"), &records);
    for (format, part) in [
        ("table", "openrouter"),
        ("markdown", "| route |"),
        ("json", "\"schema\": \"tollgate.report.routes/1\""),
        ("csv", "provider,model,region"),
    ] {
        let arguments = ["report", "routes", "--format", format];
        let (code, out, err) = run(directory.path(), &arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        assert!(out.contains(part), "{format}: {out}");
    }
    drop(writer);
}

/// The reports of whole records that need nothing but calls.
const LISTED: [&str; 10] = [
    "models",
    "regions",
    "backends",
    "consistency",
    "errors",
    "length",
    "cache",
    "json-tax",
    "trend",
    "cost",
];

#[test]
fn every_report_is_written_in_every_format_of_any_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    let names = Listed::ALL.map(Listed::name);
    assert!(LISTED.iter().all(|name| names.contains(name)) && names.len() == LISTED.len());
    for count in [0, 1, 1_200] {
        let _ = fs::remove_file(&path);
        drop(store(&path, &recent(6, count, 1_000_000)));
        for name in LISTED {
            for format in ["table", "markdown", "json", "csv", "html"] {
                let (code, out, err) = run(directory.path(), &["report", name, "--format", format]);
                assert_eq!(code, 0, "{name} {format} of {count}: {out}{err}");
                assert!(!out.contains("NaN"), "{name} {format} of {count}: {out}");
                match format {
                    "json" => {
                        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
                        assert_eq!(json["schema"], format!("tollgate.report.{name}/1"));
                        assert!(!json["findings"].as_array().unwrap().is_empty());
                    }
                    "table" => {
                        let wide = out.lines().find(|line| line.chars().count() > 100);
                        assert_eq!(wide, None, "{name} of {count}");
                    }
                    "html" if count > 1 && name != "json-tax" => {
                        assert!(out.contains("<svg"), "{name} has a chart");
                    }
                    _ => {}
                }
            }
        }
        let (code, out, err) = run(directory.path(), &["report", "throughput"]);
        assert_eq!(code, 0, "{err}");
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(json["schema"], "tollgate.report.throughput/1");
        assert_eq!(json["providers"].as_array().unwrap().is_empty(), count == 0);
    }
}

/// What the config says of a model goes before what the shipped catalogue does.
#[test]
fn the_throughput_tells_of_models_what_the_config_does() {
    let directory = tempfile::tempdir().unwrap();
    drop(store(
        &directory.path().join("s.redb"),
        &recent(7, 300, 1_000_000),
    ));
    let told = |catalogue: &str| {
        let mut command = command(directory.path(), &["report", "throughput"]);
        let path = directory.path().join("tollgate.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}\n{catalogue}")).unwrap();
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(!told("").contains("1234567"));
    let json = told("[catalogue.\"gpt-4.1\"]\naliases = [\"*\"]\ncontext_length = 1234567\n");
    assert!(json.contains("1234567"), "{json}");
}

/// A probe of each of two routes every quarter of an hour of a week, and clients' traffic beside.
fn a_week_of_probes(directory: &Path) {
    let mut records = recent(8, 2 * 4 * 24 * 7, 450 * 1_000_000);
    for (n, record) in records.iter_mut().enumerate() {
        record.origin = tollgate::record::Origin::Probe;
        record.attempts.truncate(1);
        let attempt = &mut record.attempts[0];
        attempt.provider = ["openai", "openrouter"][n % 2].into();
        attempt.model = Some("gpt-4.1".into());
    }
    records.extend(recent(9, 50, 1_000_000));
    records.sort_by_key(|record| record.id);
    drop(store(&directory.join("s.redb"), &records));
}

#[test]
fn probes_have_a_report_of_their_own_and_feed_the_throughput() {
    let directory = tempfile::tempdir().unwrap();
    a_week_of_probes(directory.path());
    let run = |arguments: &[&str]| {
        let (code, out, err) = run(directory.path(), arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}: {out}");
        out
    };
    let json = run(&["report", "probes", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["schema"], "tollgate.report.probes/1");
    let rows = |key: &str| json["tables"][key].as_array().unwrap();
    let providers: Vec<_> = rows("routes").iter().map(|row| &row["provider"]).collect();
    assert_eq!(providers, ["openai", "openrouter"]);
    for row in rows("routes") {
        // The first one may be a moment older than the window.
        assert!(row["probes"].as_u64().unwrap() >= 671, "{row}");
        let share = row["availability_fraction"].as_f64().unwrap();
        let [low, high] = ["low", "high"].map(|end| {
            row[format!("availability_fraction_{end}")]
                .as_f64()
                .unwrap()
        });
        assert!(low < share && share < high && low > 0.8, "{row}");
        assert!(row["cold_starts_fraction"].is_number(), "{row}");
    }
    for row in rows("baseline") {
        assert!(
            row["baseline_first_token_ms"].as_f64().unwrap() > 0.0,
            "{row}"
        );
        assert!(row["trend_ms"].is_number(), "{row}");
    }
    assert_eq!(rows("days").len(), 2 * 7);
    for format in ["table", "markdown", "csv", "html"] {
        let out = run(&["report", "probes", "--format", format]);
        assert!(out.contains("openrouter"), "{format}");
        assert!(!out.contains("NaN"), "{format}: {out}");
        if format == "table" {
            let wide = out.lines().find(|line| line.chars().count() > 100);
            assert_eq!(wide, None);
        }
    }
    let none = run(&["report", "probes", "--models", "nobody"]);
    assert!(
        none.contains("is what the report was narrowed to"),
        "{none}"
    );
    let tested = |origin: &[&str]| {
        let out = run(&[&["report", "throughput", "--since", "7d"], origin].concat());
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        let providers = json["providers"].as_array().unwrap();
        let one =
            |of: &&serde_json::Value| of["provider"] == "openrouter" && of["model"] == "gpt-4.1";
        let count = |of: &serde_json::Value| of["metrics"]["n"].as_u64().unwrap();
        (
            json["origin"].clone(),
            providers.iter().find(one).map_or(0, count),
        )
    };
    let (origin, with) = tested(&[]);
    let (_, without) = tested(&["--origin", "live"]);
    assert_eq!(origin, "live+probe");
    assert!(with > 500 && without < 50, "{with} {without}");
}

#[test]
fn two_windows_or_two_files_are_set_side_by_side() {
    let directory = tempfile::tempdir().unwrap();
    let records = recent(6, 1_200, 1_000_000);
    drop(store(&directory.path().join("s.redb"), &records));
    let [begin, middle, end] = [0, 600, 1_199].map(|at: usize| records[at].started.rfc3339());
    for (from, until, file) in [(&begin, &middle, "..a.jsonl"), (&middle, &end, "b.jsonl")] {
        let range = [
            "export", "--since", from, "--until", until, "--output", file,
        ];
        let (code, _, err) = run(directory.path(), &range);
        assert_eq!(code, 0, "{err}");
    }
    let windows = format!("{begin}/{middle}..{middle}/{end}");
    let windows = windows.as_str();
    for (name, format) in LISTED.into_iter().chain(["tax", "routes"]).zip(
        ["table", "markdown", "json", "csv", "html"]
            .into_iter()
            .cycle(),
    ) {
        for sides in [windows, "30m..10m", "..a.jsonl..b.jsonl"] {
            let arguments = ["report", name, "--compare", sides, "--format", format];
            let (code, out, err) = run(directory.path(), &arguments);
            assert_eq!((code, err.as_str()), (0, ""), "{name} {sides}: {out}");
            assert!(!out.contains("NaN"), "{name} {sides} {format}: {out}");
        }
    }
    let of = |name, sides| {
        let arguments = ["report", name, "--compare", sides, "--format", "json"];
        let (_, out, _) = run(directory.path(), &arguments);
        serde_json::from_str::<serde_json::Value>(&out).unwrap()
    };
    let json = |sides| of("models", sides);
    let (stored, exported) = (json(windows), json("..a.jsonl..b.jsonl"));
    assert_eq!(stored["schema"], "tollgate.report.compare/1");
    let differences = |of: &serde_json::Value| of["tables"]["differences"].clone();
    assert!(!differences(&stored).as_array().unwrap().is_empty());
    assert!(
        differences(&stored) == differences(&exported),
        "the files give what the store gives"
    );
    assert_eq!(
        differences(&of("routes", windows)),
        differences(&stored),
        "routes are the rows of models"
    );
    let (code, out, err) = run(
        directory.path(),
        &[
            "report",
            "routes",
            "--format",
            "csv",
            "--output",
            "routes.csv",
        ],
    );
    assert_eq!((code, out.as_str(), err.as_str()), (0, "", ""));
    let file = fs::read_to_string(directory.path().join("routes.csv")).unwrap();
    assert!(file.starts_with("provider,model,region"), "{file}");
    for (sides, said) in [
        ("7d", "names no two windows"),
        ("7d..14d", "before it begins"),
        ("none.jsonl..b.jsonl", "cannot read none.jsonl"),
        ("tollgate.jsonl..b.jsonl", "tollgate.jsonl line 1: no JSON"),
    ] {
        fs::write(directory.path().join("tollgate.jsonl"), "[store]\n").unwrap();
        let (code, _, err) = run(directory.path(), &["report", "cost", "--compare", sides]);
        assert!(code == 2 && err.contains(said), "{sides}: {err}");
    }
}

#[test]
fn notes_are_kept_in_the_store_and_stand_in_reports() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    drop(store(&path, &recent(6, 300, 1_000_000)));
    let run = |arguments: &[&str]| run(directory.path(), arguments);
    let (code, out, err) = run(&[
        "note",
        "add",
        "new prompt",
        "--at",
        "2m",
        "--route",
        "openai",
    ]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.starts_with("note 1, at "), "{out}");
    assert_eq!(run(&["note", "add", "second"]).0, 0);
    let (_, list, _) = run(&["note", "list", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["notes"][0]["route"], "openai");
    assert_eq!(list["notes"][1]["text"], "second");
    let (_, trend, _) = run(&["report", "trend"]);
    assert!(
        trend.contains("new prompt") && trend.contains("second"),
        "{trend}"
    );
    let copy = directory.path().join("copy.redb");
    assert_eq!(run(&["db", "backup", copy.to_str().unwrap()]).0, 0);
    let (_, list, _) = run(&["note", "list", "--store", copy.to_str().unwrap()]);
    assert_eq!(list.lines().count(), 2, "{list}");
    assert_eq!(run(&["note", "remove", "1"]).0, 0);
    for (arguments, code, said) in [
        (vec!["note", "remove", "1"], 2, "there is no note 1"),
        (vec!["note", "add", ""], 2, "1 to 500 bytes"),
        (
            vec!["note", "add", "x", "--at", "soon"],
            2,
            "neither an age",
        ),
    ] {
        let (found, _, err) = run(&arguments);
        assert!(found == code && err.contains(said), "{arguments:?}: {err}");
    }
    // A program that holds the store and does not answer at the admin address.
    let writer = store(&path, &[]);
    let (code, _, err) = run(&["note", "add", "x"]);
    assert!(
        code == 3 && err.contains("another program has the store"),
        "{code} {err}"
    );
    drop(writer);
    assert_eq!(run(&["db", "verify"]).0, 0);
}

/// Classes of errors that are held against no route.
const SPARED: [&str; 10] = [
    "rate_limited",
    "quota",
    "auth",
    "permission",
    "not_found",
    "bad_request",
    "unprocessable",
    "context_length",
    "payload_too_large",
    "content_filter",
];

#[test]
fn every_figure_can_be_computed_again_from_the_export() {
    let directory = tempfile::tempdir().unwrap();
    let records = recent(2, 1_500, 500_000);
    drop(store(&directory.path().join("s.redb"), &records));
    let (_, report, _) = run(directory.path(), &["report", "routes", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let (_, export, _) = run(directory.path(), &["export", "--format", "jsonl"]);
    let lines: Vec<serde_json::Value> = export
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 1_500);
    let route = &report["routes"][0];
    let failing = [
        "upstream_error",
        "timed_out",
        "empty",
        "truncated",
        "stalled",
        "in_band_error",
    ];
    let (mut times, mut failures) = (Vec::new(), 0);
    for line in &lines {
        let attempts = line["attempts"].as_array().unwrap();
        let Some((attempt, lost)) = attempts.split_last() else {
            continue;
        };
        let is_route = |attempt: &serde_json::Value| {
            attempt["provider"] == route["provider"] && attempt["model"] == route["model"]
        };
        let own_fault = |lost: &&serde_json::Value| {
            let class = lost["error_class"].as_str().unwrap_or_default();
            is_route(lost) && !SPARED.contains(&class) && lost["cancelled_by"] != "hedge"
        };
        if line["request"]["stream"] == true {
            failures += lost.iter().filter(own_fault).count() as u64;
        }
        if attempt["provider"] != route["provider"] || attempt["model"] != route["model"] {
            continue;
        }
        let outcome = line["outcome"].as_str().unwrap();
        if failing.contains(&outcome) {
            failures += u64::from(line["request"]["stream"] == true);
        } else if ["ok", "client_gone", "shutdown"].contains(&outcome) && !attempt["gaps"].is_null()
        {
            let marks = &attempt["timeline_ns"];
            let mark = |name: &str| marks[name].as_i64().unwrap();
            times.push((mark("first_token") - mark("send_start")) as u64);
        }
    }
    times.sort_unstable();
    let spread = &route["first_token_ms"];
    assert_eq!(spread["n"], times.len());
    assert_eq!(spread["failures"], failures);
    let p50 = tollgate::statistics::quantile::of_sorted_among(&times, failures as usize, 0.5);
    let told = spread["p50"]["value"].as_f64().unwrap();
    assert!((told - p50.unwrap() / 1e6).abs() < 1e-6, "{told} {p50:?}");
}

#[test]
fn what_is_wrong_with_a_store_is_said_with_its_code() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    let report = ["report", "routes"];
    let (code, _, err) = run(directory.path(), &report);
    assert_eq!(code, 2);
    assert!(err.contains("there is no store at"), "{err}");

    drop(store(&path, &[]));
    let (code, out, err) = run(directory.path(), &report);
    assert_eq!(code, 0, "{out}");
    assert!(err.contains("no exchange in this window"), "{err}");

    fs::write(&path, vec![7; 5_000]).unwrap();
    let (code, _, err) = run(directory.path(), &report);
    assert_eq!(code, 3);
    assert!(err.contains("is damaged"), "{err}");
    let (code, _, err) = run(directory.path(), &["db", "verify"]);
    assert_eq!(code, 1, "{err}");
    assert!(path.exists(), "verify moves nothing");

    for arguments in [
        &["report", "routes", "--since", "yesterday"][..],
        &["report", "routes", "--origin", "mars"],
        &["report", "routes", "--since", "1h", "--until", "2h"],
        &["explain", "12"],
    ] {
        assert_eq!(run(directory.path(), arguments).0, 2, "{arguments:?}");
    }
}

#[test]
fn a_store_is_verified_compacted_and_backed_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    drop(store(&path, &recent(3, 300, 1_000_000)));
    let (code, out, err) = run(directory.path(), &["db", "verify"]);
    assert_eq!(
        (code, out.contains("sound: 300 exchanges")),
        (0, true),
        "{out}{err}"
    );
    assert_eq!(
        run(directory.path(), &["db", "compact", "--format", "json"]).0,
        0
    );
    let copy = directory.path().join("copy.redb");
    let backup = ["db", "backup", copy.to_str().unwrap()];
    assert_eq!(run(directory.path(), &backup).0, 0);
    let (code, _, err) = run(directory.path(), &backup);
    assert_eq!(code, 2, "a copy is never overwritten");
    assert!(err.contains("copy.redb exists already"), "{err}");
    let nowhere = run(directory.path(), &["db", "backup", "no-folder/copy.redb"]);
    assert_eq!(nowhere.0, 2);
    assert!(
        nowhere.2.contains("there is no folder no-folder"),
        "{}",
        nowhere.2
    );
    let arguments = ["export", "--store", copy.to_str().unwrap()];
    assert_eq!(run(directory.path(), &arguments).1.lines().count(), 300);

    let writer = store(&path, &[]);
    let beside = directory.path().join("beside.redb");
    let (code, _, err) = run(
        directory.path(),
        &["db", "backup", beside.to_str().unwrap()],
    );
    assert_eq!(code, 0, "a backup beside the writer: {err}");
    let (code, _, err) = run(directory.path(), &["db", "compact"]);
    assert_eq!((code, err.contains("in use")), (3, true), "{err}");
    drop(writer);
}

/// Who looks whether a store is damaged takes nothing away, and finds the same the next time.
#[test]
fn a_check_of_a_damaged_store_leaves_it_where_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    drop(store(&path, &recent(5, 300, 1_000_000)));
    let mut bytes = fs::read(&path).unwrap();
    // A page in the middle is none any more.
    let page = bytes.len() / 8192 * 4096;
    bytes[page..page + 4096].fill(0);
    fs::write(&path, &bytes).unwrap();
    for command in ["verify", "verify", "compact", "verify"] {
        let (code, out, err) = run(directory.path(), &["db", command]);
        assert_eq!(code, 1, "{command}: {out}{err}");
        assert!(
            err.contains("db backup rescued.redb --store"),
            "{command}: {err}"
        );
    }
    let names = fs::read_dir(directory.path()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    let aside = |name: &std::ffi::OsString| name.to_string_lossy().contains("corrupt");
    assert!(path.exists() && !names.iter().any(aside), "{names:?}");
    let copy = directory.path().join("rescued.redb");
    let (_, _, err) = run(directory.path(), &["db", "backup", copy.to_str().unwrap()]);
    let arguments = ["export", "--store", copy.to_str().unwrap()];
    assert!(
        run(directory.path(), &arguments).1.lines().count() > 100,
        "{err}"
    );
}

/// Keys are the server's: who reads what it wrote has them seldom.
#[test]
fn the_store_is_read_where_no_key_is_set() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    drop(store(&path, &recent(6, 100, 1_000_000)));
    let config = directory.path().join("keys.toml");
    let with = |more: &str| {
        let text = format!(
            "[store]\npath = \"{}\"\n[admin]\nlisten = \"127.0.0.1:9\"\n\
             token = \"${{NOT_SET_ADMIN}}\"\n\
             [alerts]\nwebhook = \"${{NOT_SET_HOOK}}\"\n\
             [providers.a]\npreset = \"openai\"\napi_keys = [\"${{NOT_SET_A}}\", \"${{NOT_SET_B}}\"]\n\
             [providers.b]\npreset = \"openai\"\napi_key_file = \"/nonexistent/key\"\n\
             headers = {{ x-team = \"${{NOT_SET_TEAM}}\" }}\n{more}",
            path.display()
        );
        fs::write(&config, text).unwrap();
        config.to_str().unwrap().to_owned()
    };
    let good = with("");
    let copy = directory.path().join("copy.redb");
    for command in [
        &["report", "routes"][..],
        &["export"],
        &["db", "verify"],
        &["db", "backup", copy.to_str().unwrap()],
        &["routes"],
        &["prices"],
    ] {
        let mut arguments = vec!["--config", good.as_str()];
        arguments.extend(command);
        let (code, _, err) = bare(directory.path(), &arguments);
        assert_eq!(code, 0, "{command:?}: {err}");
    }
    // What serves needs them, and says so.
    let (code, _, err) = bare(directory.path(), &["--config", &good, "check"]);
    assert_eq!(code, 2);
    for missing in ["NOT_SET_A", "NOT_SET_HOOK", "/nonexistent/key"] {
        assert!(err.contains(missing), "{err}");
    }
    // Mistakes are told, of what else is not set too.
    let bad = with("[limits]\nevnt = \"1MB\"\n[server]\nlisten = \"${NOT_SET_PLACE}\"\n");
    let (code, _, err) = bare(directory.path(), &["--config", &bad, "report", "routes"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("evnt") && err.contains("NOT_SET_PLACE"),
        "{err}"
    );
    assert!(!err.contains("NOT_SET_A"), "{err}");
}

#[test]
fn without_a_server_the_configured_routes_are_shown_as_unknown() {
    let directory = tempfile::tempdir().unwrap();
    let admin = ports::dead();
    let config = format!(
        "[admin]\nlisten = \"{admin}\"\n\
         [providers.a]\ndialect = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\n\
         [providers.b]\ndialect = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\n\
         [models.m]\npolicy = \"fastest\"\n\
         routes = [{{ provider = \"a\" }}, {{ provider = \"b\", model = \"x\" }}]\n"
    );
    fs::write(directory.path().join("routes.toml"), config).unwrap();
    let (code, out, err) = run(directory.path(), &["routes", "--config", "routes.toml"]);
    assert_eq!(code, 0, "{err}");
    let said = format!("no server answers at {admin} (`admin.listen`)");
    assert!(
        err.contains(&said) && err.contains("nothing is known"),
        "{err}"
    );
    for words in ["m  (fastest)", "a/m", "b/x", "unknown"] {
        assert!(out.contains(words), "{words}\n{out}");
    }
    let json = ["routes", "--config", "routes.toml", "--json"];
    let (code, out, _) = run(directory.path(), &json);
    let out: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &out["models"][0]["routes"][1]["model"]),
        (0, &"x".into())
    );
    let (code, _, err) = run(
        directory.path(),
        &["routes", "--config", "routes.toml", "--model", "n"],
    );
    assert!(code == 1 && err.contains("there are: m"), "{code} {err}");
}

#[test]
fn one_exchange_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    let records = recent(4, 3, 1_000_000);
    drop(store(&directory.path().join("s.redb"), &records));
    let id = records[1].id.to_string();
    let (code, out, _) = run(directory.path(), &["explain", &id]);
    assert_eq!(
        (code, out.contains(&id), out.contains("send_start")),
        (0, true, true),
        "{out}"
    );
    let (_, out, _) = run(directory.path(), &["explain", &id, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["id"], id);
    let unknown = "00000000-0000-7000-8000-000000000000";
    assert_eq!(run(directory.path(), &["explain", unknown]).0, 1);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let directory = tempfile::tempdir().unwrap();
    drop(store(
        &directory.path().join("s.redb"),
        &recent(5, 2_000, 100_000),
    ));
    for format in ["jsonl", "csv"] {
        let mut child = command(directory.path(), &["export", "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut beginning = [0; 100];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut beginning)
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    }
}

#[test]
fn the_fields_of_an_export_are_listed() {
    let directory = tempfile::tempdir().unwrap();
    let (code, out, _) = run(directory.path(), &["export", "--fields"]);
    assert_eq!(code, 0);
    assert!(out.contains("attempts[].gaps.sketch_bins"));
    let (_, help, _) = run(directory.path(), &["export", "--help"]);
    assert!(help.contains("started_mono_ns"), "{help}");
}

#[test]
fn prices_are_shown_with_their_age_and_the_reason_of_what_is_unknown() {
    let directory = tempfile::tempdir().unwrap();
    let ask = |arguments: &[&str]| run(directory.path(), arguments);
    let (code, out, err) = ask(&["prices", "--provider", "anthropic", "--model", "haiku"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("claude-haiku-4-5"), "{out}");
    assert!(!out.contains("sonnet"), "{out}");
    assert!(out.contains(" d "), "{out}");
    let (_, out, _) = ask(&["prices", "--provider", "vertex", "--model", "chat-bison"]);
    assert!(
        out.contains("unknown: PaLM 2 was billed by the character"),
        "{out}"
    );
    let (code, out, _) = ask(&["prices", "--model", "gpt-4.1", "--format", "json"]);
    let seen: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, seen["schema"].as_str()),
        (0, Some("tollgate.prices/1"))
    );
    assert_eq!(seen["rows"][0]["prices"]["input"], "2");
    assert!(seen["rows"][0]["age_days"].is_i64());
    let (code, out, _) = ask(&["prices", "--format", "csv"]);
    assert_eq!(code, 0);
    let mut lines = csv::Reader::from_reader(out.as_bytes());
    assert!(lines.records().map(Result::unwrap).count() > 80);
    let (code, _, err) = ask(&["prices", "--model", "nobody-knows"]);
    assert_eq!(code, 1);
    assert!(err.contains("no row is of that kind"), "{err}");
}

#[test]
fn a_newer_price_table_is_compared_and_taken_with_care() {
    let directory = tempfile::tempdir().unwrap();
    let ask = |arguments: &[&str]| run(directory.path(), arguments);
    let shipped = tollgate::config::prices::PRICES;
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("same.toml", shipped);
    let (code, out, _) = ask(&["prices", "--diff", "same.toml"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("0 new, 0 gone, 0 changed"), "{out}");
    let gpt = "models = [\"gpt-4.1\", \"gpt-4.1-2025-04-14\"]\ninput = ";
    assert!(shipped.contains(&format!("{gpt}2.00")));
    write(
        "cheaper.toml",
        &shipped.replace(&format!("{gpt}2.00"), &format!("{gpt}1.50")),
    );
    let (code, out, _) = ask(&["prices", "--diff", "cheaper.toml"]);
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("- input 2, ") && out.contains("+ input 1.50, "),
        "{out}"
    );
    assert!(out.contains("0 new, 0 gone, 1 changed"), "{out}");
    let take = |file: &'static str, more: &[&'static str]| {
        let words = ["prices", "--refresh", file, "--output", "mine.toml"];
        ask(&words.iter().chain(more).copied().collect::<Vec<_>>())
    };
    let (code, _, err) = take("cheaper.toml", &[]);
    assert_eq!(code, 0, "{err}");
    let mine = fs::read_to_string(directory.path().join("mine.toml")).unwrap();
    assert!(mine.contains(&format!("{gpt}1.50")));
    // A price a hundred times what it was is a slip more often than a price.
    write(
        "slip.toml",
        &shipped.replace(&format!("{gpt}2.00"), &format!("{gpt}200.00")),
    );
    let (code, _, err) = take("slip.toml", &[]);
    assert_eq!(code, 1);
    assert!(err.contains("--accept"), "{err}");
    assert_eq!(
        fs::read_to_string(directory.path().join("mine.toml")).unwrap(),
        mine
    );
    assert_eq!(take("slip.toml", &["--accept"]).0, 0);
    write(
        "bad.toml",
        "version = \"x\"\n[[price]]\nproviders = [\"a\"]\nmodels = [\"m\"]\ninput = -1\n",
    );
    let (code, _, err) = take("bad.toml", &[]);
    assert_eq!(code, 2);
    assert!(err.contains("bad.toml:5:9: error: price[0].input"), "{err}");
    assert_eq!(ask(&["prices", "--diff", "none.toml"]).0, 2);
}

#[test]
fn a_replay_plays_one_models_own_traffic() {
    use tollgate::record::Origin;
    let directory = tempfile::tempdir().unwrap();
    let mut records = recent(3, 600, 1_000_000);
    for (n, record) in records.iter_mut().enumerate() {
        record.model = Some(["one", "two", "copied"][n % 3].into());
        record.origin = [Origin::Live, Origin::Live, Origin::Shadow][n % 3];
        for attempt in &mut record.attempts {
            attempt.provider = ["here", "there"][n % 2].into();
            attempt.model = Some("m".into());
        }
    }
    let writer = store(&directory.path().join("s.redb"), &records);
    let (code, out, err) = run(directory.path(), &["replay", "--worlds", "1"]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("one (") && err.contains("two ("), "{err}");
    assert!(!err.contains("copied"), "{err}");
    let asked = ["replay", "--worlds", "1", "--model", "one"];
    let (code, out, err) = run(directory.path(), &asked);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("on 2 routes"), "{out}");
    let (code, ..) = run(directory.path(), &["replay", "--model", "copied"]);
    assert_ne!(code, 0, "copies are no traffic of a user");
    drop(writer);
}
