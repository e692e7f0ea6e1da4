//! Reads what is known of models: `config/catalogue.toml`, embedded.

use std::sync::{Arc, OnceLock};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::kinds::{DateText, ModelText, PatternText};
use super::read::{At, Entries, Reader, Setting, table};
use crate::record::Name;
use crate::routing::catalogue::{ModelFacts, Rung};

table! {
    /// What is known of a model.
    RawModelFacts {
        /// What it is called by those who serve it.
        aliases: Vec<At<PatternText>>,
        /// The models that it belongs to; itself unless given.
        family: String,
        /// Where it stands among them: flagship, balanced, fast or ultra-fast.
        rung: Rung,
        /// When it came out.
        released: DateText,
        /// When its maker withdraws it.
        retired: DateText,
        /// Tokens of prompt and answer.
        context_length: u64,
        /// Tokens of an answer, at most.
        output_max: u64,
        /// Whether it takes an effort of reasoning; its name tells unless given.
        takes_effort: bool,
        /// What it is called at the providers of each preset: there a request for its name goes.
        at: Entries<ModelText>,
        /// Its page in the documentation.
        docs: String,
        /// Where this is from.
        source: String,
    }
}

/// The embedded file.
pub const CATALOGUE: &str = include_str!("../../config/catalogue.toml");

/// Every model of the shipped catalogue, in the order of the file.
#[must_use]
pub fn catalogue() -> &'static Arc<[ModelFacts]> {
    static MODELS: OnceLock<Arc<[ModelFacts]>> = OnceLock::new();
    MODELS.get_or_init(|| read(CATALOGUE).0.into())
}

/// The models of a text, and how many problems there were; a test holds them at none.
fn read(text: &str) -> (Vec<ModelFacts>, usize) {
    let Ok(root) = DeTable::parse(text) else {
        return (Vec::new(), 1);
    };
    let root = Spanned::new(root.span(), DeValue::Table(root.into_inner()));
    let no_env = |_: &str| None;
    let mut reader = Reader::new(&no_env);
    let entries = Entries::<RawModelFacts>::read(&root, &mut reader).unwrap_or_default();
    let problems = reader.findings.locate(text).len();
    (facts(entries, ""), problems)
}

/// The source of what a config says itself.
pub const OWN_SOURCE: &str = "config";

/// `[catalogue]` of a config before the shipped one: its entry of a name stands for the shipped one.
pub(super) fn with_own(own: Entries<RawModelFacts>) -> Arc<[ModelFacts]> {
    if own.0.is_empty() {
        return Arc::clone(catalogue());
    }
    let mut all = facts(own, OWN_SOURCE);
    let names: Vec<Name> = all.iter().map(|facts| facts.name.clone()).collect();
    let shipped = catalogue().iter();
    all.extend(
        shipped
            .filter(|facts| !names.contains(&facts.name))
            .cloned(),
    );
    all.into()
}

/// The facts that a table of models holds; `source` is said where an entry says none.
pub(super) fn facts(entries: Entries<RawModelFacts>, source: &str) -> Vec<ModelFacts> {
    let one = |(name, raw): (At<String>, At<RawModelFacts>)| {
        let (name, raw) = (Name::from(name.value), raw.value);
        let list = |aliases: Option<At<Vec<At<PatternText>>>>| {
            let aliases = aliases.into_iter().flat_map(|at| at.value);
            aliases.map(|at| Name::from(at.value.0)).collect()
        };
        let at = raw.at.into_iter().flat_map(|at| at.value.0);
        ModelFacts {
            aliases: list(raw.aliases),
            family: raw.family.map_or(name.clone(), |at| Name::from(at.value)),
            rung: raw.rung.map(|at| at.value),
            released: raw.released.map(|at| at.value.0),
            retired: raw.retired.map(|at| at.value.0),
            context_length: raw.context_length.map(|at| at.value),
            output_max: raw.output_max.map(|at| at.value),
            takes_effort: raw.takes_effort.map(|at| at.value),
            at: at
                .map(|(preset, model)| (Name::from(preset.value), Name::from(model.value.0)))
                .collect(),
            docs: raw.docs.map(|at| at.value),
            source: raw.source.map_or_else(|| source.to_owned(), |at| at.value),
            name,
        }
    };
    entries.0.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::catalogue::facts_of;

    #[test]
    fn the_embedded_file_has_no_problem_and_says_where_it_is_from() {
        let (models, problems) = read(CATALOGUE);
        assert_eq!(problems, 0);
        assert!(models.len() >= 20, "{}", models.len());
        for model in &models {
            assert!(!model.source.is_empty(), "{}", model.name);
        }
    }

    #[test]
    fn models_are_known_by_every_name() {
        for (called, name) in [
            ("gpt-4.1", "gpt-4.1"),
            ("openai/gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"),
            (
                "us.anthropic.claude-haiku-4-5-20251001-v1:0",
                "claude-haiku-4-5",
            ),
            (
                "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo",
                "llama-3.1-8b",
            ),
            (
                "accounts/fireworks/models/llama-v3p1-405b-instruct",
                "llama-3.1-405b",
            ),
            ("google/gemini-2.5-flash", "gemini-2.5-flash"),
        ] {
            let found = facts_of(called, catalogue()).map(|facts| facts.name.to_string());
            assert_eq!(found.as_deref(), Some(name), "{called}");
        }
        assert_eq!(facts_of("nobody-knows", catalogue()), None);
    }
}
