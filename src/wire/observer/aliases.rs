//! Tells whether another model answered than was asked for, by their names.

/// Whether `answered` is another model than `asked`. An alias answers with its dated name, routers
/// add or drop the maker's and the provider's, Bedrock its profiles' regions: those are no change.
pub(super) fn is_changed(asked: Option<&str>, answered: Option<&str>) -> bool {
    let (Some(asked), Some(answered)) = (asked, answered) else {
        return false;
    };
    if asked == answered {
        return false;
    }
    let (asked, answered) = (core(asked), core(answered));
    let rest = answered
        .strip_prefix(&asked)
        .or_else(|| asked.strip_prefix(&answered));
    !rest.is_some_and(is_edition) && !is_latest(&asked, &answered)
}

/// A model's name without its makers, sellers, regions and versions.
fn core(model: &str) -> String {
    let name = model.rsplit('/').next().unwrap_or(model);
    let name = name.split(':').next().unwrap_or(name).to_ascii_lowercase();
    // `us.anthropic.claude-…-v1`, `anthropic.claude-…`: what stands before a dot is Bedrock's,
    // where it is no part of a version (`gpt-4.1`).
    let mut rest = name.as_str();
    while let Some((before, behind)) = rest.split_once('.')
        && before.bytes().all(|byte| byte.is_ascii_alphabetic())
    {
        rest = behind;
    }
    let (head, tail) = rest.rsplit_once('-').unwrap_or((rest, ""));
    let version = tail.strip_prefix('v').unwrap_or_default();
    // Of a dated name only: `deepseek-v3` is a name.
    let dated = head
        .rsplit('-')
        .next()
        .is_some_and(|date| date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()));
    if dated && !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()) {
        rest = head;
    }
    rest.to_owned()
}

/// Whether the name asked for is that of the latest model of a family, and the other one is of it:
/// which one that is changes with time.
fn is_latest(asked: &str, answered: &str) -> bool {
    let Some(family) = asked.strip_suffix("-latest") else {
        return false;
    };
    // `gemini-flash-latest` is `gemini-2.5-flash`: each word of the family stands in the name.
    let mut words = answered.split(['-', '@']);
    family
        .split('-')
        .all(|word| words.by_ref().any(|of| of == word))
        && words.all(|word| is_number(word) || matches!(word, "preview" | "it" | "instruct"))
}

/// Whether what one name has more than another tells an edition of the same model (`-2025-04-14`,
/// `-0613`, `-latest`) and not another one (`-mini`, or `-6` after a version 4).
fn is_edition(rest: &str) -> bool {
    let mut dated = false;
    rest.split(['-', '@'])
        .filter(|part| !part.is_empty())
        .all(|part| {
            dated |= is_number(part) && part.len() >= 3;
            (is_number(part) && dated)
                || matches!(part, "latest" | "preview" | "instruct" | "it" | "chat")
        })
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}
