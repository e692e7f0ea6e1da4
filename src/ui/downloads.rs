//! Hands reports out as files: the formats there are, and what a browser is told of each.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};
use maud::{Markup, html};

use crate::analysis::render::Format;

use super::fault::Fault;

/// A format that is offered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offered {
    /// Its name in a query.
    name: &'static str,
    /// How it is written.
    pub(super) format: Format,
    media: &'static str,
    ending: &'static str,
}

const fn offered(
    name: &'static str,
    format: Format,
    media: &'static str,
    ending: &'static str,
) -> Offered {
    Offered {
        name,
        format,
        media,
        ending,
    }
}

const OFFERED: [Offered; 4] = [
    offered("html", Format::Html, "text/html; charset=utf-8", "html"),
    offered("csv", Format::Csv, "text/csv; charset=utf-8", "csv"),
    offered("json", Format::Json, "application/json", "json"),
    offered(
        "markdown",
        Format::Markdown,
        "text/markdown; charset=utf-8",
        "md",
    ),
];

/// The format of that name; JSON where none is asked for.
pub(super) fn find(name: Option<&str>) -> Result<Offered, Fault> {
    let wanted = name.unwrap_or("json");
    let found = OFFERED.into_iter().find(|offered| offered.name == wanted);
    found.ok_or_else(|| Fault::bad("format", "format is one of html, csv, json, markdown"))
}

/// Links to a report in every format; `link` makes the address of one.
pub(super) fn links(link: impl Fn(&str) -> String) -> Markup {
    html! {
        p.downloads { "Download: "
            @for offered in OFFERED { a href=(link(offered.name)) download { (offered.name) } " " }
        }
    }
}

impl Offered {
    /// `text` as the file `tollgate-<report>.<ending>`.
    pub(super) fn file(self, report: &str, text: String) -> Response {
        let mut response = text.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media));
        let file = format!("attachment; filename=\"tollgate-{report}.{}\"", self.ending);
        if let Ok(file) = HeaderValue::from_str(&file) {
            headers.insert(header::CONTENT_DISPOSITION, file);
        }
        response
    }
}
