//! Reads what is known of models: `config/catalogue.toml`, embedded.

use std::sync::OnceLock;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::kinds::{DateText, PatternText};
use super::read::{At, Entries, Reader, Setting, table};
use crate::record::Name;
use crate::routing::catalogue::{ModelFacts, Rung};

table! {
    /// What is known of a model.
    RawModelFacts {
        /// What it is called by those who serve it.
        aliases: Vec<At<PatternText>>,
        /// The models that it belongs to.
        family: String,
        /// Where it stands among them.
        rung: String,
        /// When it came out.
        released: DateText,
        /// When its maker withdraws it.
        retired: DateText,
        /// Tokens of prompt and answer.
        context_length: u64,
        /// Where this is from.
        source: String,
    }
}

/// The embedded file.
pub const CATALOGUE: &str = include_str!("../../config/catalogue.toml");

/// Every model of the catalogue, in the order of the file.
#[must_use]
pub fn catalogue() -> &'static [ModelFacts] {
    static MODELS: OnceLock<Vec<ModelFacts>> = OnceLock::new();
    MODELS.get_or_init(|| read(CATALOGUE).0)
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
    let mut problems = reader.findings.locate(text).len();
    let mut models = Vec::new();
    for (name, raw) in entries.0 {
        let raw = raw.value;
        let named = |text: &str| Rung::ALL.into_iter().find(|rung| rung.name() == text);
        let rung = raw.rung.as_ref().map(|at| named(&at.value));
        let (Some(family), Some(source), false) = (raw.family, raw.source, rung == Some(None))
        else {
            problems += 1;
            continue;
        };
        models.push(ModelFacts {
            name: Name::from(name.value),
            aliases: raw
                .aliases
                .into_iter()
                .flat_map(|at| at.value)
                .map(|at| Name::from(at.value.0))
                .collect(),
            family: Name::from(family.value),
            rung: rung.flatten(),
            released: raw.released.map(|at| at.value.0),
            retired: raw.retired.map(|at| at.value.0),
            context_length: raw.context_length.map(|at| at.value),
            source: source.value,
        });
    }
    (models, problems)
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
