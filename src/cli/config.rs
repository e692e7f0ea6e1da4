//! `tollgate config`: writes an example config, prints the schema or every default.

use std::path::PathBuf;
use std::process::ExitCode;

use super::output;
use crate::config::{schema, template};

/// Write an example config, or print the schema or every default
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tollgate config init\n  tollgate config schema > tollgate.schema.json\n  tollgate config defaults"
)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Write a short commented example to a file that does not exist yet
    #[command(
        after_help = "Examples:\n  tollgate config init\n  tollgate config init /etc/tollgate.toml"
    )]
    Init {
        /// The file to write
        #[arg(default_value = "tollgate.toml")]
        file: PathBuf,
    },
    /// Print the JSON Schema of the config, for editors
    #[command(after_help = "Examples:\n  tollgate config schema > tollgate.schema.json")]
    Schema,
    /// Print every key with its default and the reason for it
    #[command(after_help = "Examples:\n  tollgate config defaults")]
    Defaults,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match &args.what {
        What::Init { file } => init(file),
        What::Schema => {
            output::print(&format!("{:#}", schema::schema()));
            ExitCode::SUCCESS
        }
        What::Defaults => {
            output::print(template::DEFAULTS);
            ExitCode::SUCCESS
        }
    }
}

fn init(file: &PathBuf) -> ExitCode {
    use std::io::Write as _;
    let created = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(file);
    match created.and_then(|mut file| file.write_all(template::EXAMPLE.as_bytes())) {
        Ok(()) => {
            output::note(&format!(
                "wrote {}; `tollgate check` looks at it",
                file.display()
            ));
            ExitCode::SUCCESS
        }
        Err(error) => {
            output::note(&format!(
                "tollgate: cannot write {}: {error}",
                file.display()
            ));
            ExitCode::from(2)
        }
    }
}
