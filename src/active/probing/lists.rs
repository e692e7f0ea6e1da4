//! Asks for the providers' lists of models, as a client of the street would.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::active::traffic::{Traffic, TrafficFault};
use crate::config::settings::Settings;
use crate::proxy::models::listed;
use crate::proxy::ours::Mark;
use crate::record::{Active, Name, Origin};

/// The models that each provider lists; whoever does not answer is not in it.
pub(super) async fn lists(
    traffic: &Traffic,
    settings: &Settings,
) -> Result<BTreeMap<Name, Vec<Name>>, TrafficFault> {
    let mark = Mark {
        origin: Origin::Probe,
        active: Active {
            run: Name::from("model-lists"),
            ..Active::default()
        },
    };
    let reply = traffic.get("/v1/models", mark, 0).await?;
    let read = serde_json::from_slice(&reply.body).ok();
    let entries = read.filter(|_| reply.status == 200).and_then(listed);
    Ok(entries.map_or_else(BTreeMap::new, |entries| by_provider(&entries, settings)))
}

/// Of several providers every entry begins with its provider's name; of the only one it is as the
/// provider has it.
fn by_provider(entries: &[Value], settings: &Settings) -> BTreeMap<Name, Vec<Name>> {
    let mut lists: BTreeMap<Name, Vec<Name>> = BTreeMap::new();
    let only = match &settings.providers[..] {
        [only] => Some(&only.name),
        _ => None,
    };
    for entry in entries {
        // What the config names is nobody's offer.
        if entry["owned_by"] == "tollgate" {
            continue;
        }
        let Some(id) = entry["id"].as_str() else {
            continue;
        };
        let (provider, id) = match (only, id.split_once('/')) {
            (Some(only), _) => (only.clone(), id),
            (None, Some((provider, id))) => (Name::from(provider), id),
            (None, None) => continue,
        };
        lists.entry(provider).or_default().push(Name::from(id));
    }
    lists
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::{Sources, load};

    fn settings(providers: &[&str]) -> Settings {
        let table = |name: &&str| {
            format!("[providers.{name}]\nbase_url = \"http://127.0.0.1:9/v1\"\napi_key = \"k\"\n")
        };
        let text: String = providers.iter().map(table).collect();
        let none = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        let loaded = load(&Sources {
            text: Some(&text),
            file: "tollgate.toml",
            env: &|_| None,
            read_file: &none,
            read_text: &none,
            data_dir: std::path::PathBuf::new(),
            cores: 1,
        });
        loaded.unwrap().settings
    }

    #[test]
    fn entries_are_told_apart_by_their_providers() {
        let entries = [
            json!({ "id": "gpt-4.1", "owned_by": "tollgate" }),
            json!({ "id": "one/gpt-4.1", "owned_by": "openai" }),
            json!({ "id": "two/openai/gpt-4.1" }),
            json!({ "id": 7 }),
        ];
        let of = |providers: &[&str]| -> Vec<String> {
            let lists = by_provider(&entries, &settings(providers));
            let said = lists.iter().map(|(provider, ids)| {
                let ids: Vec<&str> = ids.iter().map(Name::as_str).collect();
                format!("{provider}: {}", ids.join(" "))
            });
            said.collect()
        };
        assert_eq!(of(&["one", "two"]), ["one: gpt-4.1", "two: openai/gpt-4.1"]);
        assert_eq!(of(&["one"]), ["one: one/gpt-4.1 two/openai/gpt-4.1"]);
    }
}
