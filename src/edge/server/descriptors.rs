//! Asks the system for as many open files as it gives, and says how many clients they last for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::accept::AcceptLimits;

/// Kept for listeners, the store, logs and logins.
const RESERVED: u64 = 32;
/// Fewest clients that are let in, however few descriptors there are: somebody must be told.
const CLIENTS_MIN: u64 = 8;

/// How many files this process may have open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors(Option<u64>);

impl Descriptors {
    /// Raises this process's soft limit to its hard one, as servers do (nginx, Go's runtime): shells
    /// give 1,024, or 256. What the system refuses stays as it is.
    #[must_use]
    pub fn raise() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        let current = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.maximum,
            Err(_) => limit.current,
        };
        Self(current)
    }

    /// How many of `wanted` clients may be connected at once, so that each has a descriptor left
    /// for its provider.
    fn clients(self, wanted: usize) -> usize {
        let Some(files) = self.0 else { return wanted };
        let clients = (files.saturating_sub(RESERVED) / 2).max(CLIENTS_MIN);
        usize::try_from(clients).map_or(wanted, |clients| clients.min(wanted))
    }

    /// `limits`, as far as the descriptors go.
    #[must_use]
    pub fn limit(self, limits: AcceptLimits) -> AcceptLimits {
        AcceptLimits {
            connections: self.clients(limits.connections),
            ..limits
        }
    }

    /// Says in the log where noticeably fewer than `wanted` clients may be connected.
    pub fn warn(self, wanted: usize) {
        let clients = self.clients(wanted);
        if clients < wanted - wanted / 10 {
            tracing::warn!(
                descriptors = self.0,
                clients,
                wanted,
                "the limit of open files allows fewer clients than limits.connections: raise it \
                 (ulimit -n, LimitNOFILE)"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_a_descriptor_for_its_provider() {
        for (files, wanted, clients) in [
            (None, 10_000, 10_000),
            (Some(1_048_576), 10_000, 10_000),
            (Some(1_024), 10_000, 496),
            (Some(256), 100, 100),
            (Some(64), 10_000, 16),
            (Some(16), 10_000, 8),
        ] {
            assert_eq!(Descriptors(files).clients(wanted), clients, "{files:?}");
        }
    }
}
