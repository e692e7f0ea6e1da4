//! `tollgate check`: validates a config, all problems at once, and asks its providers if told to.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::output;
use crate::app::live::{self, Asked, Went};
use crate::app::machine::proxies;
use crate::app::{AppFault, sources};
use crate::config::Loaded;
use crate::config::problem::Problem;

/// Validate a config: every problem with its key, line, what was found and what was expected
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tollgate check\n  tollgate check --config tollgate.toml --format json\n  \
    tollgate check --live\n\n\
    --live asks each provider one GET that costs nothing (its list of models, or what stands for\n\
    one) with each of its credentials, as they are got for calls: exit code 1 where one fails.\n\
    Exit codes: 0 ok, 1 a provider fails, 2 the config is wrong, 3 nothing could be asked."
)]
pub(super) struct Args {
    /// Ask each provider one GET with its credentials
    #[arg(long)]
    live: bool,
    /// How to print the findings
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    let path = sources::config_path(config);
    let shown = path.as_ref().map_or_else(
        || "environment".to_owned(),
        |path| path.display().to_string(),
    );
    let as_json = args.format == Format::Json;
    let loaded = match sources::load(path.as_deref()) {
        Ok(loaded) => loaded,
        Err(AppFault::Config(problems)) if as_json => {
            output::print(&problems.view().to_string());
            return ExitCode::from(2);
        }
        Err(fault) => return output::fail(&fault),
    };
    if let Err(fault) = proxies() {
        return output::fail(&fault);
    }
    if !as_json {
        print_settings(&loaded, &shown);
    }
    let asked = if args.live {
        match ask(&loaded, as_json) {
            Ok(asked) => Some(asked),
            Err(fault) => return output::fail(&fault),
        }
    } else {
        None
    };
    if as_json {
        output::print(&view(&loaded, &shown, asked.as_deref()).to_string());
    }
    let failed = asked.iter().flatten().any(has_failed);
    ExitCode::from(u8::from(failed))
}

fn print_settings(loaded: &Loaded, shown: &str) {
    for warning in &loaded.warnings {
        output::print(&warning.render(shown));
    }
    let (providers, models) = (&loaded.settings.providers, &loaded.settings.models);
    output::print(&format!(
        "{shown}: ok, {} provider(s), {} model(s)",
        providers.len(),
        models.len()
    ));
}

/// Asks all providers; prints each line as it comes, unless all is printed as one at the end.
fn ask(loaded: &Loaded, as_json: bool) -> Result<Vec<Asked>, AppFault> {
    let name = |asked: &Asked| asked.provider.chars().count();
    let names = loaded.settings.providers.iter();
    let width = names.map(|provider| provider.name.chars().count()).max();
    let bar = std::io::stderr().is_terminal().then(|| {
        let bar = indicatif::ProgressBar::new_spinner().with_message("asking the providers");
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    });
    let mut all = Vec::new();
    let went = live::ask(&loaded.settings, &mut |asked| {
        if !as_json {
            let pad = width.unwrap_or(0).saturating_sub(name(&asked));
            let print = || output::print(&line(&asked, pad));
            bar.as_ref().map_or_else(print, |bar| bar.suspend(print));
        }
        all.push(asked);
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    went.map(|()| all)
}

fn has_failed(asked: &Asked) -> bool {
    matches!(asked.went, Went::Badly { .. })
}

/// One provider's line; `pad` spaces behind its name.
fn line(asked: &Asked, pad: usize) -> String {
    let name = &asked.provider;
    let from = asked.credential.as_deref().unwrap_or("no credential");
    let said = match &asked.went {
        Went::Well { took, models, note } => {
            let took = Duration::from_nanos(took.0).as_millis();
            let models = models.map_or_else(String::new, |count| format!(", {count} model(s)"));
            let note = note.map_or_else(String::new, |note| format!("; {note}"));
            format!("ok       {took} ms{models} ({from}){note}")
        }
        Went::Unasked => "skipped  no credential here: the clients bring their own".to_owned(),
        Went::Badly { what, message, .. } => format!("FAILED   {what} ({from}): {message}"),
    };
    format!("{name}{}  {said}", " ".repeat(pad))
}

fn view(loaded: &Loaded, shown: &str, asked: Option<&[Asked]>) -> Value {
    let warnings: Vec<_> = loaded.warnings.iter().map(Problem::view).collect();
    let mut view = json!({
        "file": shown, "ok": true,
        "providers": loaded.settings.providers.len(), "models": loaded.settings.models.len(),
        "problems": warnings,
    });
    if let Some(asked) = asked {
        view["ok"] = (!asked.iter().any(has_failed)).into();
        view["live"] = asked.iter().map(view_of).collect();
    }
    view
}

fn view_of(asked: &Asked) -> Value {
    let mut view = json!({"provider": asked.provider, "credential": asked.credential});
    match &asked.went {
        Went::Well { took, models, note } => {
            view["result"] = "ok".into();
            view["latency_ms"] = (took.0 as f64 / 1e6).into();
            view["models"] = (*models).into();
            view["note"] = (*note).into();
        }
        Went::Unasked => view["result"] = "skipped".into(),
        Went::Badly {
            status,
            what,
            message,
        } => {
            view["result"] = "failed".into();
            view["status"] = status.map(|status| status.as_u16()).into();
            view["error"] = (*what).into();
            view["message"] = message.as_str().into();
        }
    }
    view
}
