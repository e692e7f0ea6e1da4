//! Writes to the terminal: results to stdout, everything else to stderr.

use std::io::Write as _;
use std::process::ExitCode;

use crate::app::AppFault;

/// Prints a result. A closed pipe ends the program's output, not its work.
pub(super) fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| {
        if text.ends_with('\n') {
            Ok(())
        } else {
            out.write_all(b"\n")
        }
    });
    let _ = out.flush();
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
