//! Runs a scorer of the user's own: JSON on its stdin, JSON on its stdout, within its time.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command as Process};

use crate::analysis::scoring::{Graded, ScorerFault, read_reply};

/// A program that scores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// How long it may take for one answer.
    pub timeout: Duration,
}

/// Most that is read of what it prints, bytes.
const PRINTED_MAX: u64 = 64 * 1024;

impl Command {
    /// Whether its program is there and may be run: known before anything is asked and paid for.
    pub fn check(&self) -> Result<(), String> {
        let Some(program) = self.words.first() else {
            return Err("a command without a program".to_owned());
        };
        let runs = |path: &Path| {
            let found = std::fs::metadata(path);
            found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        let found = if program.contains('/') {
            runs(Path::new(program))
        } else {
            let folders = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&folders).any(|folder| runs(&folder.join(program)))
        };
        if found {
            Ok(())
        } else {
            Err(format!("{program} is no program that may be run"))
        }
    }

    /// What it says of an answer, given as JSON. What it writes to stderr is not looked at: nobody
    /// knows what stands there. When its time is over, it is killed with all that it started.
    pub async fn score(&self, given: &Value) -> Result<Graded, ScorerFault> {
        let printed = tokio::time::timeout(self.timeout, self.printed(given.to_string()));
        let Ok(printed) = printed.await else {
            return Err(ScorerFault(format!(
                "it took longer than {:?}",
                self.timeout
            )));
        };
        read_reply(&printed?)
    }

    async fn printed(&self, given: String) -> Result<String, ScorerFault> {
        let fault = |text: String| ScorerFault(text);
        let (program, arguments) = self
            .words
            .split_first()
            .ok_or_else(|| fault("a command without a program".to_owned()))?;
        let child = Process::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            // A group of its own, so that what it started ends with it.
            .process_group(0)
            .spawn()
            .map_err(|error| fault(format!("it cannot be run: {error}")))?;
        let mut running = Running(child);
        let child = &mut running.0;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // Whoever does not read what is given may still know a score.
                let _ = stdin.write_all(given.as_bytes()).await;
            }
        };
        let read = async {
            let mut text = Vec::new();
            if let Some(stdout) = stdout {
                let read = stdout.take(PRINTED_MAX + 1).read_to_end(&mut text).await;
                read.map_err(|error| fault(format!("its output cannot be read: {error}")))?;
            }
            Ok(text)
        };
        let ((), text) = tokio::join!(write, read);
        let text = text?;
        if text.len() as u64 > PRINTED_MAX {
            return Err(fault(format!("it printed more than {PRINTED_MAX} bytes")));
        }
        let ended = running.0.wait().await;
        let ended = ended.map_err(|error| fault(format!("it cannot be waited for: {error}")))?;
        if !ended.success() {
            return Err(fault(format!("it ended with {ended}")));
        }
        String::from_utf8(text).map_err(|_| fault("it printed what is no text".to_owned()))
    }
}

/// A program at work. Left before its end, it is killed with its group.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let id = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(rustix::process::Pid::from_raw) {
            // One that has just ended is no longer there to be killed.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::analysis::scoring::Grade;

    async fn score(script: &str) -> Result<Graded, String> {
        let command = Command {
            words: ["sh", "-c", script].map(str::to_owned).into(),
            timeout: Duration::from_secs(if script.contains("sleep") { 1 } else { 60 }),
        };
        let given = json!({"answer": "Oslo ".repeat(100_000)});
        command.score(&given).await.map_err(|fault| fault.0)
    }

    #[tokio::test]
    async fn programs_say_scores_or_fail_in_their_own_way() {
        let scored = score("grep -q Oslo && echo '{\"score\": 1, \"rationale\": \"city\"}'").await;
        assert_eq!(scored.unwrap().grade, Grade::Score(1.0));
        // It need not read what it is given.
        let scored = score("echo '{\"score\": 0.25}'").await.unwrap();
        assert_eq!(scored.grade, Grade::Score(0.25));
        for (script, message) in [
            ("exit 3", "ended with exit status: 3"),
            ("kill -SEGV $$", "ended with signal: 11"),
            ("echo rubbish", "no JSON"),
            ("true", "no JSON"),
            ("sleep 60 & wait", "longer than 1s"),
            ("head -c 70000 /dev/zero", "more than 65536 bytes"),
            ("printf '\\377'", "no text"),
        ] {
            let fault = score(script).await.unwrap_err();
            assert!(fault.contains(message), "{script}: {fault}");
        }
        let missing = Command {
            words: vec!["/nonexistent/scorer".to_owned()],
            timeout: Duration::from_secs(5),
        };
        let fault = missing.score(&json!({})).await.unwrap_err();
        assert!(fault.0.contains("cannot be run"), "{fault}");
    }
}
