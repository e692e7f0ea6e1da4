//! Runs a program that prints a credential.

use std::process::Stdio;

use tokio::io::AsyncReadExt as _;

use super::material::{Got, Material, Miss, Token};
use crate::config::credentials::KeyCommand;
use crate::record::WallTime;

/// Most that is read of what a program prints.
const PRINTED_MAX: u64 = 64 * 1024;

/// What the program prints, without the space around it, as a credential of the provider's usual
/// kind. What it says on stderr is not looked at: nobody knows what stands there.
pub(super) async fn credential(command: &KeyCommand, now: WallTime) -> Result<Got, Miss> {
    let text = printed(&command.words, command.timeout).await?;
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Miss::refused(
            "api_key_command printed nothing that a header can carry (one line of ASCII)",
        ));
    }
    Ok(Got {
        material: Material::Token(Token {
            value: text.to_owned().into(),
            auth: None,
            project: None,
        }),
        expires: command.lifetime.map(|lifetime| after(now, lifetime)),
    })
}

/// What a program prints within its time. It is killed when that is over, or nobody waits.
pub(super) async fn printed(
    words: &[String],
    timeout: std::time::Duration,
) -> Result<String, Miss> {
    told(words, &[], timeout).await
}

/// The same of a program that is told something by variables of its environment.
pub(super) async fn told(
    words: &[String],
    variables: &[(&str, &str)],
    timeout: std::time::Duration,
) -> Result<String, Miss> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Miss::refused("a command without a program"));
    };
    let name = std::path::Path::new(program).file_name();
    let name = name.map_or_else(
        || program.clone(),
        |name| name.to_string_lossy().into_owned(),
    );
    let running = async {
        let mut child = tokio::process::Command::new(program)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Miss::refused(format!("`{name}` cannot be run: {error}")))?;
        let mut text = String::new();
        if let Some(stdout) = child.stdout.take() {
            let read = stdout.take(PRINTED_MAX).read_to_string(&mut text).await;
            read.map_err(|_| Miss::refused(format!("`{name}` printed what is no text")))?;
        }
        let ended = child.wait().await;
        let ended = ended.map_err(|error| Miss::unreached(format!("`{name}`: {error}")))?;
        if !ended.success() {
            let message = format!("`{name}` ended with {ended}; run it by hand to see why");
            return Err(Miss::refused(message));
        }
        Ok(text)
    };
    tokio::time::timeout(timeout, running)
        .await
        .unwrap_or_else(|_| {
            Err(Miss::unreached(format!(
                "`{name}` took longer than {timeout:?}"
            )))
        })
}

/// The words of a line; what stands in quotes is one.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(open), end) if end == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// The date that is so much later.
pub(super) fn after(now: WallTime, span: std::time::Duration) -> WallTime {
    let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    WallTime(now.0.saturating_add(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_a_line_of_words() {
        for (line, expected) in [
            ("/opt/get --account 1", &["/opt/get", "--account", "1"][..]),
            (
                "\"/opt/my tool\" 'a b'  \"\"",
                &["/opt/my tool", "a b", ""][..],
            ),
            ("", &[][..]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }
}
