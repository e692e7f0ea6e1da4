//! Writes a laid-out report as Markdown.

use super::text;
use crate::analysis::paper::Paper;
use crate::analysis::render::markdown;

pub(super) fn write(paper: &Paper) -> String {
    let tables = markdown::write(&text::document(paper));
    let (title, rest) = tables.split_once('\n').unwrap_or((tables.as_str(), ""));
    let findings: String = paper
        .findings
        .iter()
        .map(|finding| format!("> {}\n>\n", markdown::escaped(finding)))
        .collect();
    format!("{title}\n\n{findings}{rest}")
}
