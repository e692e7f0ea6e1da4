//! Says why the program cannot start or go on, and which exit code that is.

use crate::config::Problems;
use crate::edge::server::ListenFault;

/// Why the program cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum AppFault {
    /// The config is wrong: exit code 2.
    #[error("{0}")]
    Config(#[from] Problems),
    /// A file that the user named cannot be read: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// An address cannot be listened on: exit code 3.
    #[error("{0}")]
    Listen(#[from] ListenFault),
    /// Something of the machine's: exit code 3.
    #[error("{0}")]
    Runtime(String),
}

impl AppFault {
    /// The exit code: 2 for what the user can mend by other words, 3 for the rest.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Usage(_) => 2,
            Self::Listen(_) | Self::Runtime(_) => 3,
        }
    }
}
