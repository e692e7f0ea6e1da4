//! Writes to the terminal: results to stdout, everything else to stderr.

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use crate::app::AppFault;

/// Prints a result. A closed pipe ends the program's output, not its work; a result that cannot be
/// written otherwise (a full disk) is lost, which is said and is exit code 3.
pub(super) fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(end.as_bytes()))
        .and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        note(&format!("tollgate: cannot write to stdout: {error}"));
        std::process::exit(3);
    }
}

/// Prints what is not a result.
pub(super) fn note(text: &str) {
    let mut err = anstream::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| {
        if text.ends_with('\n') {
            Ok(())
        } else {
            err.write_all(b"\n")
        }
    });
}

/// Prints a fault, and is its exit code.
pub(super) fn fail(fault: &AppFault) -> ExitCode {
    match fault {
        AppFault::Config(problems) => {
            note(&problems.to_string());
            let errors = problems.list.len();
            note(&format!(
                "tollgate: {errors} problem(s) in the config; nothing was started"
            ));
        }
        other => note(&format!("tollgate: {other}")),
    }
    ExitCode::from(fault.exit_code())
}
