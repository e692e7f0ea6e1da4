//! Reads Rust just well enough to see which paths and words a file uses.

/// A path used in code (`a::b`), with its line.
#[derive(Debug, PartialEq)]
pub(crate) struct PathUse {
    pub(crate) line: usize,
    pub(crate) names: Vec<String>,
}

/// Every path of two names and more; `a::{b, c::d}` is two.
pub(crate) fn paths(code: &str) -> Vec<PathUse> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        let word = ident(rest);
        let begins = !code[..at].ends_with([':', '.']);
        if word.is_empty() {
            at += rest.chars().next().map_or(1, char::len_utf8);
        } else if begins && rest[word.len()..].starts_with("::") {
            let line = code[..at].matches('\n').count() + 1;
            let mut leaves = Vec::new();
            at += tree(rest, &[], &mut leaves);
            found.extend(leaves.into_iter().map(|names| PathUse { line, names }));
        } else {
            at += word.len();
        }
    }
    found.retain(|path| path.names.len() > 1);
    found
}

/// Reads one path or use tree; returns its length.
fn tree(text: &str, before: &[String], leaves: &mut Vec<Vec<String>>) -> usize {
    let word = ident(text);
    let mut names = before.to_vec();
    names.extend((!word.is_empty() && word != "self").then(|| word.to_owned()));
    let mut at = word.len();
    let Some(after) = text[at..].strip_prefix("::") else {
        leaves.push(names);
        return at;
    };
    at += 2;
    let Some(mut inside) = after.strip_prefix('{') else {
        return at + tree(after, &names, leaves);
    };
    at += 1;
    loop {
        let skipped = inside.len() - inside.trim_start_matches([' ', '\n', '\t', ',']).len();
        (at, inside) = (at + skipped, &inside[skipped..]);
        if inside.is_empty() || inside.starts_with('}') {
            return at + usize::from(!inside.is_empty());
        }
        let length = tree(inside, &names, leaves);
        // What is not part of a name (`as x`, `*`) is stepped over up to the next one.
        let rest = &inside[length..];
        let gap = rest.find([',', '}']).unwrap_or(rest.len());
        (at, inside) = (at + length + gap, &rest[gap..]);
    }
}

fn ident(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    &text[..end]
}

pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '\'';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part))
}

/// The code with comments, texts and characters blanked out, each line kept in its place.
pub(crate) fn without_comments_and_texts(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let length = blank_length(&text[at..], at > 0 && is_name(bytes[at - 1]));
        for byte in &mut code[at..at + length] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at += length.max(1);
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// How much at the beginning of a text is a comment, a text or a character; 0 where none is.
fn blank_length(text: &str, after_name: bool) -> usize {
    let until = |from: usize, end: &str| {
        text[from..]
            .find(end)
            .map_or(text.len(), |at| from + at + end.len())
    };
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return until(2, "*/");
    }
    if !after_name && (text.starts_with("r\"") || text.starts_with("r#") || text.starts_with("br"))
    {
        let body = text.trim_start_matches('b').trim_start_matches('r');
        let hashes = body.len() - body.trim_start_matches('#').len();
        if body[hashes..].starts_with('"') {
            let start = text.len() - body.len() + hashes + 1;
            return until(start, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    if text.starts_with('"') {
        return quoted_length(text, b'"').unwrap_or(text.len());
    }
    // A lifetime is no character: 'a, 'static.
    let character = text
        .starts_with('\'')
        .then(|| quoted_length(text, b'\''))
        .flatten();
    character
        .filter(|length| text[1..].starts_with('\\') || text[..*length].chars().count() == 3)
        .unwrap_or(0)
}

fn quoted_length(text: &str, quote: u8) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            _ if byte == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The code without what stands under `#[cfg(test)]`, each line kept in its place.
pub(crate) fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        let end = at + item_length(&rest[at..]);
        kept.extend(rest[at..end].chars().filter(|c| *c == '\n'));
        rest = &rest[end..];
    }
    kept + rest
}

/// Up to the `;` or the closing brace of the item that begins here.
fn item_length(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b';' if depth == 0 => return at + 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

#[test]
fn the_scanner_reads_paths_and_blanks_texts() {
    for (code, expected) in [
        ("use a::b;", "a::b"),
        (
            "use a::{b, c::{d, e as f}, self, g::*};",
            "a::b a::c::d a::c::e a::g",
        ),
        ("x.crate::y; z::w()", "z::w"),
        ("let a = b::c::<D>();", "b::c"),
        ("pub(in crate::config) fn f()", "crate::config"),
    ] {
        let found: Vec<String> = paths(code)
            .iter()
            .map(|path| path.names.join("::"))
            .collect();
        assert_eq!(found.join(" "), expected, "{code}");
    }
    for (text, expected) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b\nc */ d", "a     \n     d"),
        (r#"f("a\"b") c"#, "f(      ) c"),
        ("r#\"a\"b\"# c", "         c"),
        (
            "'a' 'b x<'static> '\\n' '\\''",
            "    'b x<'static>          ",
        ),
        ("bar\"x\"", "bar   "),
        ("\"é\" é", "     é"),
    ] {
        assert_eq!(
            without_comments_and_texts(text).trim_end(),
            expected.trim_end(),
            "{text}"
        );
    }
}
