//! Holds what all connections of a simulator share: whom it plays, scripts, truths, counters.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Clock;

use super::behaviour::Behaviour;
use super::ledger::Ledger;
use super::quirks::Quirks;
use super::script::Script;

/// How exactly the schedule is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pacing {
    /// By timers: late by up to about a millisecond, cheap enough for thousands of streams.
    #[default]
    Relaxed,
    /// By watching the clock before each write: exact for a single stream, and burns its core.
    Precise,
}

/// One provider that a simulator plays, for the paths that begin with its prefix.
#[derive(Debug, Clone)]
pub struct Persona {
    /// Beginning of the path; empty for all paths.
    pub prefix: String,
    /// In which manner it speaks.
    pub quirks: Quirks,
    /// How its models behave.
    pub behaviour: Behaviour,
    /// How some of them behave instead: exact names, or beginnings with a trailing `*`.
    pub models: Vec<(String, Behaviour)>,
}

impl Persona {
    /// One for all paths.
    #[must_use]
    pub fn new(quirks: Quirks, behaviour: Behaviour) -> Self {
        Self {
            prefix: String::new(),
            quirks,
            behaviour,
            models: Vec::new(),
        }
    }

    /// The same for the paths that begin with that prefix.
    #[must_use]
    pub fn at(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// The behaviour of a model.
    pub(super) fn behaviour_of(&self, model: &str) -> &Behaviour {
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(beginning) => model.starts_with(beginning),
            None => model == pattern,
        };
        let own = self.models.iter().find(|(pattern, _)| fits(pattern));
        own.map_or(&self.behaviour, |(_, behaviour)| behaviour)
    }

    /// Ids for the model list.
    pub(super) fn model_ids(&self) -> Vec<String> {
        let own = self.models.iter().map(|(pattern, _)| pattern.clone());
        own.filter(|pattern| !pattern.ends_with('*'))
            .chain(["sim".to_owned(), "sim-reason".to_owned()])
            .collect()
    }
}

/// What all connections of a simulator share.
pub(super) struct Stage {
    personas: Vec<Persona>,
    pub(super) clock: Clock,
    pub(super) pacing: Pacing,
    pub(super) seed: u64,
    pub(super) port: u16,
    pub(super) body_bytes_max: u64,
    pub(super) ledger: Ledger,
    /// Who answers where nobody else does.
    stranger: Persona,
    scripts: Mutex<HashMap<String, Arc<Script>>>,
    /// Number of scripts, so that the usual request need not lock.
    script_count: AtomicUsize,
    exchanges: AtomicU64,
    connections: AtomicU64,
    open: AtomicUsize,
}

/// What a stage is made from.
pub(super) struct Scene {
    pub(super) personas: Vec<Persona>,
    pub(super) clock: Clock,
    pub(super) pacing: Pacing,
    pub(super) seed: u64,
    pub(super) port: u16,
    pub(super) body_bytes_max: u64,
}

impl Stage {
    /// A stage with nobody on it.
    pub(super) fn new(scene: Scene) -> Self {
        Self {
            personas: scene.personas,
            clock: scene.clock,
            pacing: scene.pacing,
            seed: scene.seed,
            port: scene.port,
            body_bytes_max: scene.body_bytes_max,
            ledger: Ledger::default(),
            stranger: Persona::new(Quirks::openai(), Behaviour::default()),
            scripts: Mutex::default(),
            script_count: AtomicUsize::new(0),
            exchanges: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            open: AtomicUsize::new(0),
        }
    }

    /// The number of the next exchange, from 1.
    pub(super) fn next_exchange(&self) -> u64 {
        self.exchanges.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The number of the next connection, from 1.
    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Who answers at a path.
    pub(super) fn persona(&self, path: &str) -> &Persona {
        // A prefix is whole segments: /gemini is not the beginning of /gemini-openai.
        let fits = |persona: &&Persona| {
            let rest = path.strip_prefix(&persona.prefix);
            rest.is_some_and(|rest| {
                persona.prefix.is_empty() || rest.is_empty() || rest.starts_with('/')
            })
        };
        self.personas.iter().find(fits).unwrap_or(&self.stranger)
    }

    /// The script for a model, a path, or a segment of the path.
    pub(super) fn script(&self, model: Option<&str>, path: &str) -> Option<Arc<Script>> {
        if self.script_count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let scripts = self.scripts();
        let keys = model.into_iter().chain([path]).chain(path.split('/'));
        keys.filter(|key| !key.is_empty())
            .find_map(|key| scripts.get(key).cloned())
    }

    /// Sets or removes a script.
    pub(super) fn set_script(&self, key: &str, script: Option<Script>) {
        let mut scripts = self.scripts();
        match script {
            Some(script) => scripts.insert(key.to_owned(), Arc::new(script)),
            None => scripts.remove(key),
        };
        self.script_count.store(scripts.len(), Ordering::Relaxed);
    }

    fn scripts(&self) -> MutexGuard<'_, HashMap<String, Arc<Script>>> {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections open now, and ever accepted.
    pub(super) fn connection_counts(&self) -> (usize, u64) {
        let open = self.open.load(Ordering::Relaxed);
        (open, self.connections.load(Ordering::Relaxed))
    }
}

/// Counts an open connection as long as it lives.
pub(super) struct OpenCount(Arc<Stage>);

impl OpenCount {
    /// Counts one more.
    pub(super) fn new(stage: &Arc<Stage>) -> Self {
        stage.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(stage))
    }
}

impl Drop for OpenCount {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
