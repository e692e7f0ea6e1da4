//! Finds where JSON is nested deeper than allowed, without recursion.

/// Offset of the first bracket that opens level `max + 1`, if any.
///
/// Text that is not JSON gives some answer too: whether it is JSON is the parser's to say.
pub(super) fn too_deep_at(body: &[u8], max: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        match byte {
            b'"' => at = string_end(body, at + 1),
            b'{' | b'[' => {
                depth += 1;
                if depth > max {
                    return Some(at);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Offset of the quote that ends the string whose content starts at `at`.
fn string_end(body: &[u8], mut at: usize) -> usize {
    while let Some(rest) = body.get(at..) {
        match memchr::memchr2(b'"', b'\\', rest) {
            Some(found) if rest[found] == b'"' => return at + found,
            Some(found) => at += found + 2,
            None => break,
        }
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        for (text, max, at) in [
            ("{}", 1, None),
            ("{}", 0, Some(0)),
            (r#"{"a":[1,[2]]}"#, 3, None),
            (r#"{"a":[1,[2]]}"#, 2, Some(8)),
            (r#"{"a":"[[[[\"[[["}"#, 1, None),
            (r#"{"a":"\\"}[["#, 1, Some(11)),
            (r#""open [[["#, 0, None),
            (r#""\"#, 0, None),
        ] {
            assert_eq!(too_deep_at(text.as_bytes(), max), at, "{text}");
        }
    }

    #[test]
    fn ten_million_brackets_do_not_overflow_the_stack() {
        let bomb = vec![b'['; 10_000_000];
        assert_eq!(too_deep_at(&bomb, 128), Some(128));
        assert_eq!(too_deep_at(&bomb, usize::MAX), None);
    }
}
