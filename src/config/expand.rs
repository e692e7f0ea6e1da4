//! Expands `${ENV}`, `${ENV:-default}` and `$$` in a text.

use std::borrow::Cow;

/// Why a text could not be expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ExpandError {
    /// No variable of that name is set, and no default stands there.
    Missing(String),
    /// The brace is never closed.
    Unclosed,
    /// What stands in the braces is no variable's name.
    BadName,
    /// A `$` followed by neither `{` nor `$`.
    LoneDollar,
}

/// The text with its variables put in; borrowed where there are none.
///
/// What comes out of a variable is not expanded again.
pub(super) fn expand<'a>(
    text: &'a str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Cow<'a, str>, ExpandError> {
    if !text.contains('$') {
        return Ok(Cow::Borrowed(text));
    }
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let end = after.find('}').ok_or(ExpandError::Unclosed)?;
            expanded.push_str(&value(&after[..end], env)?);
            rest = &after[end + 1..];
        } else {
            return Err(ExpandError::LoneDollar);
        }
    }
    expanded.push_str(rest);
    Ok(Cow::Owned(expanded))
}

/// The value of what stands between the braces. As in a shell, `:-` takes the default for a
/// variable that is set but empty too.
fn value(inside: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_variable(name) {
        return Err(ExpandError::BadName);
    }
    match (env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(ExpandError::Missing(name.to_owned())),
    }
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in() {
        let env = |name: &str| match name {
            "KEY" => Some("sk-1".to_owned()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${KEY}".to_owned()),
            _ => None,
        };
        let cases: &[(&str, Result<&str, ExpandError>)] = &[
            ("", Ok("")),
            ("plain", Ok("plain")),
            ("${KEY}", Ok("sk-1")),
            ("a${KEY}b${KEY}c", Ok("ask-1bsk-1c")),
            ("é${KEY}é", Ok("ésk-1é")),
            ("${EMPTY}", Ok("")),
            ("${EMPTY:-x}", Ok("x")),
            ("${KEY:-x}", Ok("sk-1")),
            ("${NONE:-x}", Ok("x")),
            ("${NONE:-}", Ok("")),
            ("${NONE:-a:-b}", Ok("a:-b")),
            ("${NESTED}", Ok("${KEY}")),
            ("$$", Ok("$")),
            ("$${KEY}", Ok("${KEY}")),
            ("$$$$", Ok("$$")),
            ("${NONE}", Err(ExpandError::Missing("NONE".to_owned()))),
            ("${KEY", Err(ExpandError::Unclosed)),
            ("$KEY", Err(ExpandError::LoneDollar)),
            ("end$", Err(ExpandError::LoneDollar)),
            ("${}", Err(ExpandError::BadName)),
            ("${1A}", Err(ExpandError::BadName)),
            ("${A B}", Err(ExpandError::BadName)),
            ("${KEY-x}", Err(ExpandError::BadName)),
        ];
        for (text, expected) in cases {
            let found = expand(text, &env);
            let found = found.as_deref().map_err(Clone::clone);
            assert_eq!(found, expected.clone(), "{text}");
        }
    }
}
