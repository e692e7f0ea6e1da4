//! Reads the command line: one file per command.

mod output;

mod serve;

mod demo;

mod simulate;

mod selftest;

mod stored;

mod sides;

mod routes;

mod report;

mod experiments;

mod explain;

mod export;

mod replay;

mod bench;

mod eval;

mod probe;
mod serving;

mod saved;

mod baseline;

mod db;

mod check;

mod config;

mod prices;

mod admin;

mod healthcheck;

mod note;

mod completions;

mod man;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::edge::store::is_panic_expected;

/// What the command line says.
#[derive(Debug, Parser)]
#[command(
    name = "tollgate",
    version,
    about = "Measures, routes and explains what LLM providers and routers really cost",
    long_about = "A local, OpenAI-compatible measuring reverse proxy: point an app's base URL at \
                  it, and every exchange is timed to the token, recorded and reported.",
    after_help = "Examples:\n  tollgate                       serve with what the environment offers\n  \
                  tollgate demo                  everything, simulated, without a key\n  \
                  tollgate check                 is my config right?\n  \
                  tollgate routes                what would be chosen now, and why\n  \
                  tollgate report routes         what was measured\n\n\
                  Exit codes: 0 ok, 1 findings, 2 usage or config, 3 runtime"
)]
struct Cli {
    /// Config file; ./tollgate.toml or the user's config directory otherwise
    #[arg(
        long,
        short,
        global = true,
        env = "TOLLGATE_CONFIG",
        value_name = "FILE"
    )]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    Demo(demo::Args),
    Routes(routes::Args),
    Report(report::Args),
    Experiments(experiments::Args),
    Explain(explain::Args),
    Export(export::Args),
    Replay(replay::Args),
    Bench(Box<bench::Args>),
    Eval(Box<eval::Args>),
    Probe(Box<probe::Args>),
    Baseline(baseline::Args),
    Db(db::Args),
    Check(check::Args),
    Simulate(simulate::Args),
    Selftest(selftest::Args),
    Prices(prices::Args),
    Note(note::Args),
    Config(config::Args),
    Healthcheck(healthcheck::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Runs the command line's command.
#[must_use]
pub fn run() -> ExitCode {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_panic_expected() {
            usual(panic);
        }
    }));
    let cli = Cli::parse();
    crate::app::machine::outlive_large_files();
    let config = cli.config.as_deref();
    match cli.command.unwrap_or(Command::Serve(serve::Args {})) {
        Command::Serve(_) => serve::run(config),
        Command::Demo(args) => demo::run(&args),
        Command::Routes(args) => routes::run(&args, config),
        Command::Report(args) => report::run(&args, config),
        Command::Experiments(args) => experiments::run(&args, config),
        Command::Explain(args) => explain::run(&args, config),
        Command::Export(args) => export::run(&args, config),
        Command::Replay(args) => replay::run(&args, config),
        Command::Bench(args) => bench::run(&args, config),
        Command::Eval(args) => eval::run(&args, config),
        Command::Probe(args) => probe::run(&args, config),
        Command::Baseline(args) => baseline::run(&args, config),
        Command::Db(args) => db::run(&args, config),
        Command::Check(args) => check::run(&args, config),
        Command::Selftest(args) => selftest::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Prices(args) => prices::run(&args, config),
        Command::Note(args) => note::run(&args, config),
        Command::Config(args) => config::run(&args),
        Command::Healthcheck(args) => healthcheck::run(&args, config),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// The words of a line of a shell, up to a pipe, a redirection or what is said of it.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), None);
        let line = line.split("   ").next().unwrap();
        for letter in line.chars().chain([' ']) {
            match (quoted, letter) {
                (None, '\'' | '"') => quoted = Some(letter),
                (Some(open), close) if open == close => quoted = None,
                (None, ' ') if !word.is_empty() => words.push(std::mem::take(&mut word)),
                (None, ' ') => {}
                _ => word.push(letter),
            }
        }
        let end = words
            .iter()
            .position(|word| [">", "|", "#"].contains(&word.as_str()));
        words.truncate(end.unwrap_or(words.len()));
        words
    }

    /// The examples of a command and of those below it, each held against the command line.
    fn hold(command: &mut clap::Command, path: &str) {
        // Lines are not to be broken.
        let mut wide = command.clone().term_width(0);
        let help = wide.render_long_help().to_string();
        // A line that goes on is one with what follows.
        let help = help.replace("\\\n", " ");
        let examples: Vec<&str> = help
            .lines()
            .skip_while(|line| !line.starts_with("Example"))
            .skip(1)
            .take_while(|line| line.starts_with("  "))
            .collect();
        assert!(!examples.is_empty(), "`{path} --help` has no example");
        for line in examples {
            let words = words(line.trim());
            // Of other programs nothing is known here.
            if words.first().map(String::as_str) != Some("tollgate") {
                continue;
            }
            if let Err(error) = Cli::command().try_get_matches_from(&words) {
                panic!("{path}: {line}: {error}");
            }
        }
        for below in command.get_subcommands_mut() {
            let path = format!("{path} {}", below.get_name());
            if below.get_name() != "help" {
                hold(below, &path);
            }
        }
    }

    #[test]
    fn every_help_has_examples_that_the_command_line_takes() {
        let mut command = Cli::command();
        command.build();
        hold(&mut command, "tollgate");
    }
}
