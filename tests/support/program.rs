//! Runs the program itself, and ends it with the test.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

/// A process of ours.
pub(crate) struct Program {
    child: Child,
    /// The address that it printed.
    pub(crate) address: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Starts it, and waits for the first address that it prints.
    pub(crate) fn run(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let streams: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for stream in streams {
            let sender = sender.clone();
            // Read to the end, so that the program never waits for a full pipe.
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    // Once the address is known nobody listens.
                    let _ = sender.send(line);
                }
            });
        }
        drop(sender);
        let found = lines.iter().find_map(|line| {
            let (_, rest) = line.split_once("http://127.0.0.1:")?;
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            Some(format!("127.0.0.1:{port}"))
        });
        Self {
            child,
            address: found.unwrap(),
        }
    }

    /// Serves with these providers, its files in `folder`.
    pub(crate) fn serve(folder: &Path, providers: &str) -> Self {
        let config = folder.join("tollgate.toml");
        let store = folder.join("store.redb");
        let text = format!(
            "server.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\n\
             store.path = \"{}\"\n{providers}",
            store.display()
        );
        fs::write(&config, text).unwrap();
        Self::run(&["serve", "--config", config.to_str().unwrap()])
    }

    /// Its resident memory.
    pub(crate) fn memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}
