//! Names runs of our own: each is a folder of results, and a word in its records.

use crate::record::{Name, WallTime};

/// Characters of a name, at most: it names a folder.
const LENGTH_MAX: usize = 100;

/// Whether a run may be called so: letters, digits and `. _ -`, and no hidden folder.
#[must_use]
pub fn is_run_name(name: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=LENGTH_MAX).contains(&name.len()) && name.chars().all(sound) && !name.starts_with('.')
}

/// The name of a run that begins at `now`: the one given, or the date and the seed.
pub fn run_name(given: Option<&str>, seed: u64, now: WallTime) -> Result<Name, String> {
    let day = now.rfc3339();
    let date: String = day
        .chars()
        .take(19)
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let run = given.map_or_else(|| format!("{date}-{seed}"), str::to_owned);
    if is_run_name(&run) {
        Ok(Name::from(run))
    } else {
        Err(
            "--run may have letters, digits and . _ - only, 100 at most: it names a folder"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_out_of_no_folder() {
        for (name, sound) in [
            ("monday", true),
            ("20261122T101500-42", true),
            ("a.b_c-d", true),
            ("", false),
            (".", false),
            ("..", false),
            (".hidden", false),
            ("a/b", false),
            ("a\\b", false),
            ("a b", false),
            ("a\u{0}", false),
            ("ä", false),
            (&"x".repeat(101), false),
        ] {
            assert_eq!(is_run_name(name), sound, "{name:?}");
            assert_eq!(run_name(Some(name), 1, WallTime(0)).is_ok(), sound);
        }
        let drawn = run_name(None, 42, WallTime(0)).unwrap();
        assert_eq!(drawn.as_str(), "19700101T000000-42");
    }
}
