//! Looks into a running program from outside: its memory, its descriptors, its own counts.

use std::fs;
use std::net::SocketAddr;

use tollgate::simulator::bare::{Connection, get};

/// A running program.
pub(crate) struct Inside {
    pub(crate) process: u32,
    /// The port of its only provider.
    pub(crate) provider: u16,
    pub(crate) admin: Admin,
}

/// Its admin plane.
pub(crate) struct Admin(SocketAddr);

impl Admin {
    /// The one of this config.
    pub(crate) fn of(config: &str) -> Self {
        let (_, after) = config.split_once("[admin]\nlisten = \"").unwrap();
        Self(after.split('"').next().unwrap().parse().unwrap())
    }

    /// A number of the overview.
    pub(crate) fn number(&self, name: &str) -> u64 {
        let mut connection = Connection::open(self.0).unwrap();
        let reading = connection.exchange(&get("/api/overview")).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&reading.body).unwrap();
        json[name].as_u64().unwrap()
    }
}

impl Inside {
    fn status(&self, key: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process)).unwrap();
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        let number = line.split_whitespace().nth(1).unwrap();
        number.parse().unwrap()
    }

    /// Resident memory.
    pub(crate) fn memory_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// Threads.
    pub(crate) fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        let folder = fs::read_dir(format!("/proc/{}/fd", self.process)).unwrap();
        folder.count()
    }

    /// Open sockets whose other end is the provider.
    pub(crate) fn connections_to_provider(&self) -> usize {
        let table = fs::read_to_string(format!("/proc/{}/net/tcp", self.process)).unwrap();
        let provider = format!(":{:04X}", self.provider);
        let is_open = |line: &&str| {
            let mut words = line.split_whitespace().skip(2);
            let (remote, state) = (words.next(), words.next());
            // Established, or closed by the provider only.
            remote.is_some_and(|remote| remote.ends_with(&provider))
                && matches!(state, Some("01" | "08"))
        };
        table.lines().filter(is_open).count()
    }
}

/// The slope of a line through these points, by least squares.
pub(crate) fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let above: f64 = points
        .iter()
        .map(|point| (point.0 - x) * (point.1 - y))
        .sum();
    let below: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if below > 0.0 { above / below } else { 0.0 }
}
