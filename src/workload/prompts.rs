//! Makes prompts that no cache has seen: a topic of a pool, and a nonce at the front.

use crate::statistics::compare::Random;

/// A topic of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name in records.
    pub name: String,
    /// What is asked.
    pub text: String,
    /// Words of which an answer to the point has at least one; none where nobody says.
    pub words: Vec<String>,
}

/// The prompts that a run draws from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool(Vec<Topic>);

impl Pool {
    /// The shipped pool: 25 topics of computing and engineering.
    #[must_use]
    pub fn shipped() -> Self {
        let topic = |(name, text, words): &(&str, &str, &str)| Topic {
            name: (*name).to_owned(),
            text: (*text).to_owned(),
            words: words.split(' ').map(str::to_owned).collect(),
        };
        Self(TOPICS.iter().map(topic).collect())
    }

    /// A pool of the user's, one prompt per line that is not blank; `None` where there is none.
    #[must_use]
    pub fn of_lines(text: &str) -> Option<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let topics: Vec<Topic> = lines
            .enumerate()
            .map(|(index, line)| Topic {
                name: format!("line-{}", index + 1),
                text: line.to_owned(),
                words: Vec::new(),
            })
            .collect();
        (!topics.is_empty()).then_some(Self(topics))
    }

    /// Its topics.
    #[must_use]
    pub fn topics(&self) -> &[Topic] {
        &self.0
    }

    /// The topic of a round: every one comes up once before any comes again, in an order that the
    /// seed draws anew each time.
    #[must_use]
    pub fn topic(&self, seed: u64, round: u32) -> &Topic {
        let count = self.0.len();
        let (turn, place) = (round as usize / count, round as usize % count);
        let mut order: Vec<usize> = (0..count).collect();
        Random::new(mixed(seed, turn as u64)).shuffle(&mut order);
        &self.0[order[place]]
    }
}

/// Characters per token that a prompt is lengthened by; the tokens that were counted stand in each
/// record.
const BYTES_PER_TOKEN: usize = 4;

/// The text of a request: a nonce first, so that no provider's prompt cache holds its beginning,
/// then the topic, and filler of drawn words where it is to be about `tokens` long.
#[must_use]
pub fn text(topic: &Topic, nonce: u64, tokens: Option<u64>) -> String {
    let mut text = format!("[{nonce:016x}] {}", topic.text);
    let Some(tokens) = tokens else { return text };
    let wanted = usize::try_from(tokens).unwrap_or(usize::MAX) * BYTES_PER_TOKEN;
    if text.len() >= wanted {
        return text;
    }
    text.push_str("\n\nNotes, for context only:");
    let mut random = Random::new(nonce);
    while text.len() < wanted {
        text.push(' ');
        text.push_str(FILLER[random.below(FILLER.len())]);
    }
    text
}

/// Bytes of [`text`] at most, where the text without filler has so many.
#[must_use]
pub fn bytes_at_most(bare: usize, tokens: Option<u64>) -> u64 {
    let wanted = tokens.unwrap_or(0).saturating_mul(BYTES_PER_TOKEN as u64);
    let bare = bare as u64;
    // What stands before the filler, and its last word.
    if wanted > bare {
        wanted.max(bare + 32).saturating_add(16)
    } else {
        bare
    }
}

/// The nonce of one request of a run. Both of a pair have the same, so that they ask the same; the
/// same seed asks the same again, another one nothing that was asked before.
#[must_use]
pub fn nonce(seed: u64, round: u32, item: u32) -> u64 {
    mixed(
        mixed(seed, 0x006e_6f6e_6365),
        u64::from(round) << 32 | u64::from(item),
    )
}

/// A seed of its own for a part of what another seed began.
#[must_use]
pub fn mixed(seed: u64, part: u64) -> u64 {
    Random::new(seed ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17)).bits()
}

/// Words that lengthen a prompt and mean nothing together.
const FILLER: [&str; 32] = [
    "buffer", "ledger", "valve", "index", "harbour", "signal", "gravel", "matrix", "lantern",
    "socket", "meadow", "kernel", "bridge", "packet", "copper", "thread", "orchard", "cursor",
    "anchor", "vector", "pebble", "router", "willow", "mutex", "canyon", "register", "timber",
    "branch", "quartz", "driver", "saddle", "stack",
];

#[rustfmt::skip]
const TOPICS: [(&str, &str, &str); 25] = [
    ("consensus", "Explain how a group of servers agrees on one log although some of them may crash, and what a leader does in it.", "leader log quorum majority replica raft paxos"),
    ("garbage-collection", "Describe how generational garbage collection works and what it costs a program with a large heap.", "young generation collector heap pause object"),
    ("tcp-congestion", "Explain how a TCP sender finds out how fast it may send, and what happens when packets are lost.", "window congestion packet loss sender slow"),
    ("index-structures", "Compare B-trees with log-structured merge trees as the index of a database that is written to often.", "tree write read compaction page disk"),
    ("type-systems", "Explain what a type system with ownership catches at compile time that tests would find late.", "type compile ownership borrow memory error"),
    ("virtual-memory", "Describe what happens in a processor and its kernel when a program touches a page that is not in memory.", "page fault table kernel address disk"),
    ("tls-handshake", "Walk through a TLS 1.3 handshake and say which messages can be saved when a session is resumed.", "handshake key certificate client server session"),
    ("bridges", "Explain how a suspension bridge carries its load, and which part engineers inspect most often.", "cable load tower tension deck anchor"),
    ("caching", "Discuss how to invalidate a cache that several services share, and what can go wrong.", "cache stale invalidate key expire consistent"),
    ("compilers", "Describe how a compiler gets from an abstract syntax tree to machine code, and where optimisation happens.", "intermediate code register optimis tree instruction"),
    ("queues", "Explain why latency rises steeply as a server comes near its full load, with a simple model of a queue.", "queue load utilis wait arrival latency"),
    ("floating-point", "Explain why adding many floating-point numbers gives different sums in different orders, and how to sum well.", "rounding error precision sum bits order"),
    ("batteries", "Explain how a lithium-ion cell ages, and how a battery management system slows that down.", "cell charge temperature lithium voltage capacity"),
    ("schedulers", "Describe how an operating system's scheduler shares two cores among hundreds of threads fairly.", "thread core fair time priority run"),
    ("observability", "Explain the difference between metrics, logs and traces, and when each of them fails an engineer on call.", "metric log trace latency request error"),
    ("control-theory", "Explain how a PID controller holds a temperature, and what each of its three terms is for.", "integral derivative proportional error controller"),
    ("public-keys", "Explain how two people who have never met agree on a secret over a line that others listen to.", "key public private secret exchange prime"),
    ("version-control", "Describe how a distributed version control system stores history, and what a rebase does to it.", "commit history branch hash tree rebase"),
    ("error-correction", "Explain how an error-correcting code lets a receiver repair a damaged message without asking again.", "bit code parity redundan error message"),
    ("turbines", "Describe how a wind turbine turns wind into electric power, and what limits its efficiency.", "blade rotor generator wind power gearbox"),
    ("search-engines", "Explain how an inverted index answers a search for several words, and how results are ranked.", "index document term rank word score"),
    ("deadlocks", "Explain how a deadlock among threads comes about, and three ways to make it impossible.", "lock thread wait order cycle resource"),
    ("filters", "Explain how a digital low-pass filter works, and what it does to a square wave.", "frequency filter signal sample wave"),
    ("migrations", "Plan the migration of a large table's column to another type without stopping the service.", "column table write read deploy backfill"),
    ("load-balancing", "Compare round robin, least connections and two random choices as ways to balance load.", "server request connection random load balanc"),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_topic_comes_up_once_before_any_comes_again() {
        let pool = Pool::shipped();
        let names = |seed, from: u32| -> Vec<&str> {
            let rounds = from..from + 25;
            rounds
                .map(|round| pool.topic(seed, round).name.as_str())
                .collect()
        };
        for seed in [0, 1, 42, u64::MAX] {
            let (first, second) = (names(seed, 0), names(seed, 25));
            assert_eq!(
                first.iter().collect::<HashSet<_>>().len(),
                25,
                "seed {seed}"
            );
            assert_eq!(
                second.iter().collect::<HashSet<_>>().len(),
                25,
                "seed {seed}"
            );
            assert_ne!(first, second, "seed {seed}");
            assert_eq!(first, names(seed, 0), "the same seed, the same order");
        }
        assert_ne!(names(1, 0), names(2, 0));
    }

    #[test]
    fn prompts_differ_at_the_front_and_are_about_as_long_as_asked() {
        let pool = Pool::shipped();
        let topic = &pool.topics()[0];
        let mut seen = HashSet::new();
        for round in 0..50 {
            for item in 0..4 {
                let nonce = nonce(7, round, item);
                let text = text(topic, nonce, Some(1_000));
                assert!(
                    seen.insert(text[..18].to_owned()),
                    "round {round} item {item}"
                );
                assert!((4_000..4_020).contains(&text.len()), "{}", text.len());
                let most = bytes_at_most(super::text(topic, nonce, None).len(), Some(1_000));
                assert!((text.len() as u64..4_040).contains(&most), "{most}");
            }
        }
        assert_ne!(nonce(7, 0, 0), nonce(8, 0, 0));
        assert_eq!(text(topic, 1, Some(1)), text(topic, 1, None), "never cut");
    }

    #[test]
    fn a_pool_of_ones_own_has_a_prompt_per_line() {
        let pool = Pool::of_lines("\n one \n\n two\n").unwrap();
        let texts: Vec<_> = pool
            .topics()
            .iter()
            .map(|topic| topic.text.as_str())
            .collect();
        assert_eq!(texts, ["one", "two"]);
        assert_eq!(Pool::of_lines(" \n\n"), None);
    }
}
