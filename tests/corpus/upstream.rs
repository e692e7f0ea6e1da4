//! A provider on bare sockets that keeps every byte it gets, and forgives nothing.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::client::dechunk;

/// Headers that no provider may see: hop-by-hop, who came before, what is ours. The same with
/// underscores, which some servers take for dashes.
const DENIED: [&str; 26] = [
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "expect",
    "cookie",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
    "origin",
    "referer",
    "sec-fetch-site",
    "sec-fetch-mode",
    "http2-settings",
    "x-tollgate-tags",
    "x-tollgate-route",
    "x-tollgate-session",
    "x-tollgate-policy",
    "x-tollgate-token",
];

/// One request as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Method.
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Headers in order, names as they came.
    pub(crate) headers: Vec<(String, String)>,
    /// The body without its framing.
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) whole: bool,
    /// Everything about it that somebody else could read otherwise.
    pub(crate) faults: Vec<String>,
}

impl Seen {
    /// All values of a header.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let fits = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        let found = self.headers.iter().filter(fits);
        found.map(|(_, value)| value.as_str()).collect()
    }
}

/// The provider.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    /// Listens on a free port. Its threads end with the test.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (count, log) = (Arc::clone(&connections), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                let log = Arc::clone(&log);
                std::thread::spawn(move || converse(stream, address, &log));
            }
        });
        Self {
            address,
            connections,
            seen,
        }
    }

    /// Connections ever accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Requests seen so far, also unfinished ones.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// The requests after the first `skipped`.
    pub(crate) fn since(&self, skipped: usize) -> Vec<Seen> {
        self.seen.lock().unwrap()[skipped..].to_vec()
    }
}

/// Reads one request after the other; each is in the log from the end of its head on.
fn converse(mut stream: TcpStream, address: SocketAddr, log: &Mutex<Vec<Seen>>) {
    let mut inbox = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = memchr::memmem::find(&inbox, b"\r\n\r\n") {
                break at + 4;
            }
            if !more(&mut stream, &mut inbox) {
                if !inbox.is_empty() {
                    let faults = vec!["bytes that are no request".to_owned()];
                    log.lock().unwrap().push(Seen {
                        faults,
                        ..Seen::default()
                    });
                }
                return;
            }
        };
        let head: Vec<u8> = inbox.drain(..end).collect();
        let (mut seen, framing) = read_head(&head, address);
        let place = {
            let mut log = log.lock().unwrap();
            log.push(seen.clone());
            log.len() - 1
        };
        let used = loop {
            let body = match framing {
                Framing::None => Some((Vec::new(), 0)),
                Framing::Length(length) => inbox.get(..length).map(|body| (body.to_vec(), length)),
                Framing::Chunked => dechunk(&inbox),
            };
            if let Some((body, used)) = body {
                seen.body = body;
                break used;
            }
            if !more(&mut stream, &mut inbox) {
                return;
            }
        };
        inbox.drain(..used);
        seen.whole = true;
        let answer = answer(&seen);
        log.lock().unwrap()[place] = seen;
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn more(stream: &mut TcpStream, inbox: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 16 << 10];
    match stream.read(&mut buffer) {
        Ok(count) if count > 0 => {
            inbox.extend_from_slice(&buffer[..count]);
            true
        }
        _ => false,
    }
}

enum Framing {
    None,
    Length(usize),
    Chunked,
}

/// Reads a head as strictly as RFC 9112 allows, and notes what is not beyond doubt.
fn read_head(head: &[u8], address: SocketAddr) -> (Seen, Framing) {
    let mut seen = Seen::default();
    let mut faults = Vec::new();
    let text = String::from_utf8_lossy(head).into_owned();
    if text.replace("\r\n", "").contains(['\r', '\n', '\0']) {
        faults.push("a bare CR, LF or NUL".to_owned());
    }
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let line: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    match line[..] {
        [method, target, "HTTP/1.1"] if target.starts_with('/') && !target.contains('#') => {
            method.clone_into(&mut seen.method);
            target.clone_into(&mut seen.target);
        }
        _ => faults.push(format!("request line {line:?}")),
    }
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) || !line.contains(':') {
            faults.push(format!("header line {line:?}"));
        }
        let dashed = name.to_ascii_lowercase().replace('_', "-");
        if DENIED.contains(&dashed.as_str()) {
            faults.push(format!("denied header {name}"));
        }
        seen.headers
            .push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
    }
    if seen.values("host") != [address.to_string()] {
        faults.push(format!("Host {:?}", seen.values("host")));
    }
    if seen.values("x-tollgate-instance").is_empty() {
        faults.push("no x-tollgate-instance".to_owned());
    }
    let (lengths, codings) = (
        seen.values("content-length"),
        seen.values("transfer-encoding"),
    );
    let framing = match (&lengths[..], &codings[..]) {
        ([], []) => Framing::None,
        ([length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
            Framing::Length(length.parse().unwrap_or(usize::MAX))
        }
        ([], ["chunked"]) => Framing::Chunked,
        _ => {
            faults.push(format!("framing by {lengths:?} and {codings:?}"));
            Framing::None
        }
    };
    seen.faults = faults;
    (seen, framing)
}

/// The answer to a chat.
pub(crate) const CHAT_ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"CANARY-ANSWER"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;
/// The answer to a message.
pub(crate) const MESSAGE_ANSWER: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"CANARY-ANSWER"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}"#;
/// The answer to anything else.
pub(crate) const LIST_ANSWER: &str = r#"{"object":"list","data":[]}"#;

/// The body that this provider answers to `target`.
pub(crate) fn answer_to(target: &str) -> &'static str {
    if target.contains("/chat/completions") {
        CHAT_ANSWER
    } else if target.contains("/messages") {
        MESSAGE_ANSWER
    } else {
        LIST_ANSWER
    }
}

fn answer(seen: &Seen) -> String {
    let body = answer_to(&seen.target);
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         set-cookie: session=CANARY\r\n\r\n"
    );
    if seen.method == "HEAD" {
        head
    } else {
        head + body
    }
}
