//! `tollgate bench charts`: draws what is in result files, each by its shape.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

use super::results;
use crate::active::bench::Finished;
use crate::active::bench::result::SCHEMA;
use crate::active::eval::charts as evaluated;
use crate::active::eval::result as eval;
use crate::active::load::charts::{self, Drawn};
use crate::active::load::result as load;
use crate::analysis::paper::Chart;
use crate::analysis::render::paper::{exact, picture};
use crate::app::bench::FILE;
use crate::app::bench_papers::{analysis, papers};
use crate::app::eval::FILE as EVAL;
use crate::app::load::FILE as LOAD;
use crate::cli::output;
use crate::cli::stored::Stop;
use crate::clock::Clock;
use crate::ui::papers::Known;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tollgate bench charts results --out charts\n  \
    tollgate bench charts results/monday/benchmark.json --out monday\n\n\
    Of each run it draws what it was made for: routers against the direct provider, regions, who\n\
    served behind a router, the prompt cache by turn, rate by length of answers, JSON, and how\n\
    steady each route was; of several runs also how they differ. Of a load: answers per second by model\n\
    and region, how requests ended, what answers cost, and of each route latency against the load\n\
    with the level of service, requests per second, how late they were sent, and latency over time.\n\
    Of an evaluation: score against duration and against cost, for each scorer.\n\
    A route that mostly failed is drawn as ∞. Each chart is an SVG, a PNG, and a\n\
    text with the exact numbers and their 95 % intervals."
)]
pub(super) struct Charts {
    /// A result file, or a folder of runs
    path: PathBuf,
    /// The folder that the charts are written to
    #[arg(long, default_value = "charts", value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(args: &Charts) -> Result<ExitCode, Stop> {
    let clock = Clock::system();
    let files = if args.path.is_file() {
        vec![args.path.clone()]
    } else {
        results::find(&args.path, &[results::BENCH, results::LOAD, results::EVAL])?
    };
    let mut drawn = Vec::new();
    let mut runs = Vec::new();
    for file in &files {
        match shape(file)? {
            Shape::Run(run) => {
                let papers = papers(
                    std::slice::from_ref(&*run),
                    &Known::of_routes(&run.routed()),
                    &clock,
                )
                .map_err(Stop::Config)?;
                for paper in &papers {
                    for chart in &paper.charts {
                        drawn.push((format!("{}-{}", run.run, paper.name), chart.clone()));
                    }
                }
                runs.push(*run);
            }
            Shape::Load(load) => {
                let name = format!("{}-load", load.run);
                drawn.extend(load.charts.into_iter().map(|chart| (name.clone(), chart)));
            }
            Shape::Eval(eval) => {
                let name = format!("{}-eval", eval.run);
                drawn.extend(eval.charts.into_iter().map(|chart| (name.clone(), chart)));
            }
        }
    }
    if runs.len() > 1 {
        let paper = analysis(&runs, &clock);
        drawn.extend(
            paper
                .charts
                .into_iter()
                .map(|chart| (paper.name.to_owned(), chart)),
        );
    }
    if drawn.is_empty() {
        let message = "nothing to draw: no route has the 6 answers that a median needs, nor a score with a \
                       duration or a cost";
        return Err(Stop::Nothing(message.to_owned()));
    }
    let cannot = |error: std::io::Error| {
        Stop::Usage(format!("cannot write to {}: {error}", args.out.display()))
    };
    std::fs::create_dir_all(&args.out).map_err(cannot)?;
    for (number, (name, chart)) in drawn.iter().enumerate() {
        // Charts of one report are told apart by their number.
        let earlier = drawn[..number]
            .iter()
            .filter(|(other, _)| other == name)
            .count();
        let name = match earlier {
            0 => name.clone(),
            n => format!("{name}-{}", n + 1),
        };
        write(&args.out, &name, chart).map_err(cannot)?;
        output::print(&format!(
            "{}: {}",
            args.out.join(name).display(),
            chart.title
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn write(folder: &Path, name: &str, chart: &Chart) -> std::io::Result<()> {
    let picture = picture(chart);
    std::fs::write(folder.join(format!("{name}.svg")), picture.svg())?;
    std::fs::write(folder.join(format!("{name}.png")), picture.png())?;
    std::fs::write(folder.join(format!("{name}.txt")), exact(chart))
}

/// What a file is.
enum Shape {
    /// The result of a run of `tollgate bench`: rounds, pairs, a sweep, conversations.
    Run(Box<Finished>),
    /// The result of `tollgate bench load`: a load, or the loads of a search.
    Load(Drawn),
    /// The result of `tollgate eval`.
    Eval(evaluated::Drawn),
}

fn shape(path: &Path) -> Result<Shape, Stop> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Stop::Usage(format!("cannot read {name}: {error}")))?;
    // Any other shape has a schema of another name.
    let schema = serde_json::from_str::<Value>(&text);
    let schema = schema
        .ok()
        .and_then(|value| value["schema"].as_str().map(str::to_owned));
    let family = |name: &str| name.split('/').next().map(str::to_owned);
    if let Some(schema) = schema
        && family(&schema) != family(SCHEMA)
    {
        if family(&schema) == family(load::SCHEMA) {
            let drawn = charts::read(&text).map_err(|what| Stop::Usage(format!("{name} {what}")));
            return drawn.map(Shape::Load);
        }
        if family(&schema) == family(eval::SCHEMA) {
            let drawn = evaluated::read(&text);
            let drawn = drawn.map_err(|what| Stop::Usage(format!("{name} {what}")));
            return drawn.map(Shape::Eval);
        }
        let message = format!(
            "{name} is of schema {schema}: there are charts of {SCHEMA} ({FILE} of a run), {} \
             ({LOAD} of a load) and {} ({EVAL} of an evaluation)",
            load::SCHEMA,
            eval::SCHEMA
        );
        return Err(Stop::Usage(message));
    }
    let run = Finished::read(&text).map_err(|what| Stop::Usage(format!("{name} {what}")))?;
    Ok(Shape::Run(Box::new(run)))
}
