//! Writes what was seen of the presets as a table, and holds the README to it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tollgate::config::presets::Preset;
use tollgate::config::settings::{AuthScheme, UsagePlace};
use tollgate::record::Language;

use crate::calls::Seen;
use crate::places::Place;

const BEGIN: &str = "<!-- providers:begin -->";
const END: &str = "<!-- providers:end -->";

/// Compares the block of the README with what was seen; `UPDATE=1` writes it instead.
pub(crate) fn check(presets: &[Preset], seen: &[(&Place, Seen)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let block = format!("{BEGIN}\n{}{END}", rendered(presets, seen));
    let from = readme.find(BEGIN).unwrap();
    let to = readme.find(END).unwrap() + END.len();
    if std::env::var_os("UPDATE").is_some() {
        let updated = format!("{}{block}{}", &readme[..from], &readme[to..]);
        fs::write(&path, updated).unwrap();
    } else if readme[from..to] != block {
        panic!(
            "README.md: the table of providers is old; run `UPDATE=1 cargo test --test presets`\n{block}"
        );
    }
}

fn rendered(presets: &[Preset], seen: &[(&Place, Seen)]) -> String {
    let mut text = String::from(
        "| provider | kind | auth, variables | base URL | usage in a stream | keep-alive | plain | \
         streamed | errors |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for preset in presets {
        row(preset, seen, &mut text);
    }
    text.push_str(
        "\nEach row was called through Tollgate in front of a simulated provider that plays the \
         documented manner below the documented path: method, path, query, headers, the one right \
         credential and no other, token counts, error classes and the record were compared. None \
         of it was called live. Unverified, by preset:\n\n",
    );
    for preset in presets {
        if let Some(note) = &preset.note {
            let note = note.replace('<', "\\<");
            writeln!(text, "- **{}**: {note}", preset.name).unwrap();
        }
    }
    text
}

fn row(preset: &Preset, all: &[(&Place, Seen)], text: &mut String) {
    let own: Vec<_> = all
        .iter()
        .filter(|(place, _)| *preset.name == *place.preset)
        .collect();
    let (_, seen) = own.first().unwrap();
    for (place, other) in &own {
        assert_eq!(other, seen, "{} is not as elsewhere", place.name());
    }
    writeln!(
        text,
        "| {}{} | {} | {} | {} | {} | {} | {} | {} | {} |",
        preset.name,
        preset.note.as_ref().map_or("", |_| " ¹"),
        preset.traits.kind.name(),
        auth(preset),
        bases(
            preset,
            &own.iter().map(|(place, _)| *place).collect::<Vec<_>>()
        ),
        usage_name(preset),
        seen.keepalive,
        seen.plain,
        seen.streamed,
        seen.errors,
    )
    .unwrap();
}

fn auth(preset: &Preset) -> String {
    let mut cell = match preset.traits.auth {
        AuthScheme::Bearer => "bearer".to_owned(),
        other => format!("`{}`", other.header().unwrap_or("none")),
    };
    for variable in &preset.variables {
        write!(cell, ", `{variable}`").unwrap();
    }
    if preset.variables.is_empty() {
        cell.push_str(", no variable");
    }
    cell
}

/// The preset's templates, and the places tried.
fn bases(preset: &Preset, own: &[&Place]) -> String {
    let mut lines = Vec::new();
    lines.extend(preset.base_url.iter().map(|url| format!("`{url}`")));
    lines.extend(preset.region_url.iter().map(|url| format!("`{url}`")));
    lines.extend(
        preset
            .region_urls
            .iter()
            .map(|(region, url)| format!("{region}: `{url}`")),
    );
    for place in own {
        if place.given {
            lines.push(format!("given by the user: `{}`", place.base));
        }
    }
    let regions: Vec<_> = own.iter().filter_map(|place| place.region).collect();
    if !regions.is_empty() {
        lines.push(format!("tried: {}", regions.join(", ")));
    }
    lines.join("<br>")
}

fn usage_name(preset: &Preset) -> &'static str {
    match (preset.speaks[0], preset.traits.usage_place) {
        (Language::GeminiGenerate, _) => "in each event",
        (Language::BedrockConverse, _) => "`metadata`, last",
        (Language::OllamaNative, _) => "in the last line",
        (_, UsagePlace::OwnChunkOnRequest) => "own chunk, when asked",
        (_, UsagePlace::OwnChunk) => "own chunk, always",
        (_, UsagePlace::FinishChunk) => "on the finish chunk",
        (_, UsagePlace::GroqAndOwnChunk) => "`x_groq`, and own chunk when asked",
        (_, UsagePlace::AnthropicEvents) => "`message_start`, `message_delta`",
    }
}
