//! What an evaluation is asked for with, on the command line and on the page alike: it becomes a
//! plan.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::dataset;
use super::plan::{Plan, tools};
use super::scorers::{Scorer, Sources};
use super::template::{Reader, Template};
use crate::active::digest::sha256;
use crate::active::targets::{Target, Wanted};
use crate::config::settings::Settings;
use crate::record::Name;

/// An evaluation as it is asked for; what is not said is as usual.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wish {
    /// The file of the data set.
    pub set: PathBuf,
    /// Models, as applications ask for them.
    pub models: Vec<String>,
    /// Only these providers.
    pub providers: Vec<String>,
    /// Only providers of these regions.
    pub regions: Vec<String>,
    /// Scorers in words: `exact`, `judge:MODEL`.
    pub scorer: Vec<String>,
    /// A file of scorers.
    pub scorers: Option<PathBuf>,
    /// A file with the prompt.
    pub prompt: Option<PathBuf>,
    /// A file with the system prompt.
    pub system: Option<PathBuf>,
    /// A file with the tools that are offered.
    pub tools: Option<PathBuf>,
    /// How often each item is asked.
    pub trials: u32,
    /// Requests to one route at a time.
    pub concurrency: u32,
    /// Tokens of an answer, at most.
    pub max_tokens: u64,
    /// The temperature; none is sent where there is none.
    pub temperature: Option<f64>,
    /// Metadata fields by which scores are grouped.
    pub group_by: Vec<String>,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            set: PathBuf::new(),
            models: Vec::new(),
            providers: Vec::new(),
            regions: Vec::new(),
            scorer: Vec::new(),
            scorers: None,
            prompt: None,
            system: None,
            tools: None,
            trials: 1,
            concurrency: 3,
            max_tokens: 2_048,
            temperature: Some(0.0),
            group_by: Vec::new(),
        }
    }
}

/// Reads the text of a file, from wherever whoever asks may take one.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> Result<String, String>;

impl Wish {
    /// The plan of a run of that name and seed, every item of which can be asked and scored.
    pub fn plan(
        &self,
        settings: &Settings,
        read: ReadFile<'_>,
        run: Name,
        seed: u64,
    ) -> Result<Plan, String> {
        let text = read(&self.set)?;
        let set = self.set.file_name().unwrap_or(self.set.as_os_str());
        let set = set.to_string_lossy().into_owned();
        let items = dataset::read(&set, &text)?;
        let template = |path: &Option<PathBuf>| {
            let path = path.as_ref()?;
            let read = read(path).and_then(|text| {
                let named = |what| format!("{} {what}", path.display());
                Ok((
                    Template::read(&text, Reader::Examinee).map_err(named)?,
                    text,
                ))
            });
            Some(read)
        };
        let (prompt, system) = (
            template(&self.prompt).transpose()?,
            template(&self.system).transpose()?,
        );
        let offered = self.tools.as_ref().map(|path| {
            read(path)
                .and_then(|text| tools(&text).map_err(|what| format!("{}: {what}", path.display())))
        });
        let offered = offered.transpose()?;
        let (scorers, told) = self.scorers(settings, read)?;
        let asked =
            [prompt.as_ref(), system.as_ref()].map(|of| of.map_or("", |(_, text)| text.as_str()));
        let asked = format!(
            "{}\0{}\0{}\0{told}",
            asked[0],
            asked[1],
            offered.clone().unwrap_or_default()
        );
        let plan = Plan {
            run,
            seed,
            targets: targets(&self.models, &self.providers, &self.regions, settings)?,
            set,
            items,
            system: system.map(|(template, _)| template),
            prompt: prompt.map(|(template, _)| template),
            tools: offered,
            trials: self.trials,
            concurrency: self.concurrency as usize,
            max_tokens: self.max_tokens,
            temperature: self.temperature,
            scorers,
            groups: self.group_by.clone(),
            digests: [sha256(text.as_bytes()), sha256(asked.as_bytes())],
        };
        plan.check()?;
        Ok(plan)
    }

    /// The scorers, and all that they are made of as one text: two runs are told apart by it.
    fn scorers(
        &self,
        settings: &Settings,
        read: ReadFile<'_>,
    ) -> Result<(Vec<Scorer>, String), String> {
        let told = RefCell::new(self.scorer.join("\0"));
        let file = |path: &Path| {
            let text = read(path)?;
            told.borrow_mut().push_str(&text);
            Ok(text)
        };
        let target = |model: &str, provider: Option<&str>| {
            let providers: Vec<String> = provider.map(str::to_owned).into_iter().collect();
            let found = targets(&[model.to_owned()], &providers, &[], settings)?;
            // The first of the config, as an application's request would find it.
            found
                .into_iter()
                .next()
                .ok_or_else(|| format!("no provider here serves {model}"))
        };
        let sources = Sources {
            file: &file,
            target: &target,
        };
        let mut all = Vec::new();
        for word in &self.scorer {
            all.push(Scorer::of_word(word, &sources)?);
        }
        if let Some(path) = &self.scorers {
            let text = file(path)?;
            all.extend(Scorer::of_file(path, &text, &sources)?);
        }
        if all.is_empty() {
            return Err("name who scores: --scorer normalised, or --scorers FILE".to_owned());
        }
        for (place, scorer) in all.iter().enumerate() {
            if all[..place].iter().any(|other| other.name == scorer.name) {
                return Err(format!(
                    "two scorers are called {}: give them names in a file (--scorers)",
                    scorer.name
                ));
            }
        }
        Ok((all, told.into_inner()))
    }
}

fn targets(
    models: &[String],
    providers: &[String],
    regions: &[String],
    settings: &Settings,
) -> Result<Vec<Target>, String> {
    let wanted = Wanted {
        models: models.to_vec(),
        providers: providers.to_vec(),
        regions: regions.to_vec(),
    };
    wanted.targets(settings).map_err(|fault| fault.to_string())
}
