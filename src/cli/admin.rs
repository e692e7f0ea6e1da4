//! Asks the admin plane of a running Tollgate.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use crate::app::{Hand, Surroundings};
use crate::config::is_stand_in;
use crate::config::settings::Settings;
use crate::edge::store::pack;

/// Longest wait for each step.
const PATIENCE: Duration = Duration::from_secs(3);

/// An admin plane, and what opens it.
#[derive(Debug)]
pub(super) struct Admin {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// Its token, where the config sets one and it is at hand.
    pub(super) token: Option<String>,
    /// The config names a token that is not at hand here.
    pub(super) lacks_token: bool,
}

/// What was answered: the status and the body.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The body.
    pub(super) body: String,
}

/// An unspecified address is listened on everywhere, and asked on loopback.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        SocketAddr::from(([127, 0, 0, 1], listen.port()))
    } else {
        listen
    }
}

impl Admin {
    /// The one of the server that these settings are of.
    pub(super) fn of(settings: &Settings) -> Self {
        let token = settings.admin.token.as_ref();
        let at_hand = token.filter(|token| !is_stand_in(token));
        Self {
            address: reachable(settings.admin.listen),
            token: at_hand.map(|token| token.expose_secret().to_owned()),
            lacks_token: token.is_some() && at_hand.is_none(),
        }
    }

    /// What a run of the command finds around it: where a server answers, it can be handed what is
    /// measured.
    pub(super) fn around(self) -> Surroundings {
        let served = TcpStream::connect_timeout(&self.address, PATIENCE).is_ok();
        let hand: Hand = Arc::new(move |records| {
            let packed = pack(records);
            self.hand("/api/records", ("application/octet-stream", &packed))
        });
        Surroundings {
            served,
            hand: Some(hand),
            ..Surroundings::default()
        }
    }

    /// Why it refused who asked, where the status says that it did.
    pub(super) const fn refusal(&self, status: u16) -> Option<&'static str> {
        match status {
            401 if self.lacks_token => {
                Some("`admin.token` comes from a variable that is not set here: set it")
            }
            401 | 403 => Some("the server was started with another `admin.token` or `admin.hosts`"),
            _ => None,
        }
    }

    /// Sends one request, with `body` as JSON where there is one.
    pub(super) fn ask(&self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        self.send(method, path, ("application/json", body.as_bytes()))
    }

    /// Has it take what was measured here: why it did not, in words, where it did not.
    pub(super) fn hand(&self, path: &str, body: (&str, &[u8])) -> Result<(), String> {
        match self.send("POST", path, body) {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            Ok(answer) => Err(format!(
                "{} answers {}: {}",
                self.address,
                answer.status,
                self.refusal(answer.status).unwrap_or(&answer.body)
            )),
            Err(error) => Err(format!(
                "{} (`admin.listen`) does not answer: {error}",
                self.address
            )),
        }
    }

    fn send(&self, method: &str, path: &str, body: (&str, &[u8])) -> io::Result<Answer> {
        let address = self.address;
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let token = self.token.as_ref();
        let token = token.map_or_else(String::new, |token| {
            format!("Authorization: Bearer {token}\r\n")
        });
        let (kind, body) = body;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{token}\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        read(&answer).ok_or_else(|| io::Error::other("it answers no HTTP"))
    }
}

fn read(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some(Answer {
        status,
        body: body.to_owned(),
    })
}
