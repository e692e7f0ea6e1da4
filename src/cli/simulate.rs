//! `tollgate simulate`: runs the simulated providers alone, for users' own tests.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::output;
use crate::config::presets::presets;
use crate::simulator::provider::{
    AnswerKey, AwsKeys, Behaviour, Config, Pacing, Persona, Quirks, Simulator, grammar,
};

/// Run simulated providers in their own languages, with declared timing and faults
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tollgate simulate --listen 127.0.0.1:4200\n  \
    tollgate simulate --behave ft-350ms:gap-12ms:n-120\n  \
    curl http://127.0.0.1:4200/v1/chat/completions -H 'content-type: application/json' \\\n    \
    -d '{\"model\":\"sim:ft-200ms:gap-20ms:n-32\",\"stream\":true,\"messages\":[]}'\n\n\
    Base URLs: /openai/v1, /groq/v1 and so on (each preset below its own name), /anthropic, /gemini,\n\
    /vertex/v1/projects/p/locations/l, /bedrock, /azure/openai/deployments/NAME?api-version=V,\n\
    /ollama. Bedrock's signatures are checked by --aws-keys. Elsewhere any key is taken, unless\n\
    --key says which. The stamps of a request are at GET /truth/{id}, with the id of its answer."
)]
pub(super) struct Args {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:4200")]
    listen: SocketAddr,
    /// How models behave unless their name says so: words of the model-name grammar
    #[arg(long, value_name = "WORDS", default_value = "ft-350ms:gap-12ms:n-120")]
    behave: String,
    /// The only key taken, as header, bearer token or query; any key otherwise
    #[arg(long)]
    key: Option<String>,
    /// The pair by which requests to Bedrock are signed; without it, the one of Amazon's examples
    #[arg(long, value_name = "ID:SECRET")]
    aws_keys: Option<String>,
    /// What is said to which prompts: JSONL of `{"contains": ["…"], "say": "…"}`
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Seed of every draw
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Keep the schedule exactly, at the price of a core (for a single stream)
    #[arg(long)]
    precise: bool,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let mut behaviour = Behaviour::default();
    if let Err(word) = grammar::apply(&args.behave, &mut behaviour) {
        output::note(&format!(
            "tollgate: --behave: `{}` is no word of the grammar",
            word.0
        ));
        return ExitCode::from(2);
    }
    if let Some(path) = &args.answers {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
        match text.and_then(|text| AnswerKey::of_lines(&text)) {
            Ok(key) => behaviour.key = Some(Arc::new(key)),
            Err(what) => {
                let path = path.display();
                output::note(&format!("tollgate: --answers {path}: {what}"));
                return ExitCode::from(2);
            }
        }
    }
    let aws = match args.aws_keys.as_deref().map(|pair| pair.split_once(':')) {
        None => AwsKeys::for_tests(),
        Some(Some((id, secret))) => AwsKeys {
            id: id.to_owned(),
            secret: secret.into(),
        },
        Some(None) => {
            output::note("tollgate: --aws-keys: an id and a secret with a colon between them");
            return ExitCode::from(2);
        }
    };
    let taking = |quirks: Quirks| {
        let quirks = Quirks {
            aws: aws.clone(),
            ..quirks
        };
        match &args.key {
            Some(key) => quirks.with_key(key),
            None => quirks,
        }
    };
    let named = presets().into_iter().map(|preset| {
        let quirks = taking(Quirks::of_preset(&preset));
        Persona::new(quirks, behaviour.clone()).at(&format!("/{}", preset.name))
    });
    let everywhere = Persona::new(taking(Quirks::openai()), behaviour.clone());
    let config = Config {
        listen: args.listen,
        personas: named.chain([everywhere]).collect(),
        pacing: if args.precise {
            Pacing::Precise
        } else {
            Pacing::Relaxed
        },
        threads: args.threads.max(1),
        seed: args.seed,
        ..Config::default()
    };
    match Simulator::start(config) {
        Ok(simulator) => {
            output::note(&format!(
                "simulating at {} (seed {})",
                simulator.url("/v1"),
                args.seed
            ));
            loop {
                // Its threads do the work until somebody ends the program.
                std::thread::park();
            }
        }
        Err(error) => {
            output::note(&format!(
                "tollgate: cannot listen on {}: {error}",
                args.listen
            ));
            ExitCode::from(3)
        }
    }
}
