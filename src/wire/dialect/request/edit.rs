//! Edits a request's body by splices that leave every other byte as it was.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::reading::{RequestReading, UsagePlace};

/// What to change in a request's body.
#[derive(Debug, Clone, Copy, Default)]
pub struct Edits<'a> {
    /// The model's name at the route, where it differs from the one asked for.
    pub model: Option<&'a str>,
    /// Ask for the usage event, unless the client decided itself.
    pub include_usage: bool,
    /// A member in the place of `model`, where the path names the model and the body may not.
    pub instead_of_model: Option<(&'a str, &'a str)>,
    /// Leave out `anthropic_version`, where a header says the version and the body may not.
    pub without_version: bool,
    /// Say in the body that a stream is asked for, where only the path does.
    pub stream: bool,
}

/// The body with `edits` made; the same bytes, uncopied, where there is nothing to do.
#[must_use]
pub fn edit(body: &Bytes, reading: &RequestReading, edits: &Edits<'_>) -> Bytes {
    let mut splices = Vec::new();
    if edits.include_usage {
        splices.extend(include_usage(reading));
    }
    if let Some(member) = edits.instead_of_model {
        splices.extend(replace_member(body, reading, member));
    } else if let Some(model) = edits.model {
        splices.extend(replace_model(reading, model));
    }
    if edits.stream && reading.stream && !reading.names_stream {
        splices.push(Splice {
            place: reading.inside..reading.inside,
            text: "\"stream\":true".to_owned(),
            member: true,
        });
    }
    if edits.without_version {
        splices.extend(without_version(body, reading));
    }
    if splices.is_empty() {
        return body.clone();
    }
    // Two new members may go to the same place; the sort keeps their order.
    splices.sort_by_key(|splice| splice.place.start);
    apply(body, &splices, reading.no_members)
}

/// Bytes to put in the place of others; a new member goes to an empty place.
struct Splice {
    place: Range<usize>,
    text: String,
    /// Whether `text` is a new member of the top level, to be followed by a comma.
    member: bool,
}

fn include_usage(reading: &RequestReading) -> Option<Splice> {
    let (place, text, member) = match &reading.usage_place {
        UsagePlace::NoOptions => (
            reading.inside..reading.inside,
            r#""stream_options":{"include_usage":true}"#,
            true,
        ),
        UsagePlace::NullOptions(place) => (place.clone(), r#"{"include_usage":true}"#, false),
        UsagePlace::Options {
            inside,
            no_members: true,
        } => (*inside..*inside, r#""include_usage":true"#, false),
        UsagePlace::Options { inside, .. } => (*inside..*inside, r#""include_usage":true,"#, false),
        UsagePlace::NullUsage(place) => (place.clone(), "true", false),
        UsagePlace::Decided => return None,
    };
    let text = text.to_owned();
    Some(Splice {
        place,
        text,
        member,
    })
}

fn replace_model(reading: &RequestReading, model: &str) -> Option<Splice> {
    if reading.model.as_deref() == Some(model) {
        return None;
    }
    let json = serde_json::Value::from(model).to_string();
    Some(match &reading.model_span {
        Some(place) => Splice {
            place: place.clone(),
            text: json,
            member: false,
        },
        None => Splice {
            place: reading.inside..reading.inside,
            text: format!("\"model\":{json}"),
            member: true,
        },
    })
}

/// The whole member `"model": …` gives way to another one. A key that is written with escapes is
/// left as it is: the provider says what it thinks of it.
fn replace_member(
    body: &Bytes,
    reading: &RequestReading,
    (key, value): (&str, &str),
) -> Option<Splice> {
    let value = serde_json::Value::from(value);
    Some(Splice {
        place: member(body, "model", reading.model_span.as_ref()?)?,
        text: format!("\"{key}\":{value}"),
        member: false,
    })
}

/// The member `"anthropic_version": …` goes, and a comma with it. One that stands alone stays: no
/// such body is taken anywhere.
fn without_version(body: &Bytes, reading: &RequestReading) -> Option<Splice> {
    let member = member(body, "anthropic_version", reading.version_span.as_ref()?)?;
    let (before, after) = (body.get(..member.start)?, body.get(member.end..)?);
    let place = if let Some(rest) = after.trim_ascii_start().strip_prefix(b",") {
        member.start..body.len() - rest.len()
    } else {
        before.trim_ascii_end().strip_suffix(b",")?.len()..member.end
    };
    Some(Splice {
        place,
        text: String::new(),
        member: false,
    })
}

/// The bytes of a member, of which those of the value are known.
fn member(body: &Bytes, key: &str, value: &Range<usize>) -> Option<Range<usize>> {
    let before = body.get(..value.start)?.trim_ascii_end();
    let before = before.strip_suffix(b":")?.trim_ascii_end();
    let before = before.strip_suffix(b"\"")?.strip_suffix(key.as_bytes())?;
    Some(before.strip_suffix(b"\"")?.len()..value.end)
}

fn apply(body: &Bytes, splices: &[Splice], no_members: bool) -> Bytes {
    let added: usize = splices.iter().map(|splice| splice.text.len() + 1).sum();
    let mut edited = BytesMut::with_capacity(body.len() + added);
    let mut done = 0;
    for (index, splice) in splices.iter().enumerate() {
        // A reading of another body could point anywhere: then nothing is edited.
        let Some(kept) = body.get(done..splice.place.start) else {
            return body.clone();
        };
        edited.extend_from_slice(kept);
        edited.extend_from_slice(splice.text.as_bytes());
        let another = splices.get(index + 1).is_some_and(|next| next.member);
        if splice.member && (!no_members || another) {
            edited.extend_from_slice(b",");
        }
        done = splice.place.end;
    }
    edited.extend_from_slice(body.get(done..).unwrap_or_default());
    edited.freeze()
}
