//! A client that writes HTTP/2 frames by hand, as no honest client would.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::tls::Certificates;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_HEADERS: u8 = 4;

/// What became of a flood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The node closed the connection.
    Closed,
    /// The node took no more of it.
    Stalled,
    /// The node took it all.
    Taken,
}

/// A connection that is past its preface.
pub(crate) struct Flood(StreamOwned<ClientConnection, TcpStream>);

impl Flood {
    /// Connects to a node that speaks TLS.
    pub(crate) fn open(address: SocketAddr, certificates: &Certificates) -> Self {
        let mut flood = Self::silent(address, certificates);
        flood.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        flood.frame(SETTINGS, 0, 0, &[]).unwrap();
        flood
    }

    /// Connects and shakes hands, and says nothing.
    pub(crate) fn silent(address: SocketAddr, certificates: &Certificates) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(certificates.client(&["h2"]), name).unwrap();
        let socket = TcpStream::connect(address).unwrap();
        for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
            set(&socket, Some(Duration::from_secs(2))).unwrap();
        }
        let mut silent = Self(StreamOwned::new(session, socket));
        while silent.0.conn.is_handshaking() {
            silent.0.conn.complete_io(&mut silent.0.sock).unwrap();
        }
        silent
    }

    /// Writes bytes that need be no frame.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Reads for `patience` and answers pings, as every honest client does: whether the node closed,
    /// and what kinds of frames it sent.
    pub(crate) fn answer_pings(&mut self, patience: Duration) -> (Fate, Vec<u8>) {
        self.answer_pings_and(patience, |_, _| {})
    }

    /// The same; `also` is told of the kind of each frame before the next is answered.
    pub(crate) fn answer_pings_and(
        &mut self,
        patience: Duration,
        mut also: impl FnMut(&mut Self, u8),
    ) -> (Fate, Vec<u8>) {
        let (mut kinds, mut bytes) = (Vec::new(), Vec::new());
        let deadline = Instant::now() + patience;
        let mut read = [0; 4096];
        while Instant::now() < deadline {
            match self.0.read(&mut read) {
                Ok(0) => return (Fate::Closed, kinds),
                Ok(length) => bytes.extend_from_slice(&read[..length]),
                Err(error) if fate_of(&error) == Fate::Closed => return (Fate::Closed, kinds),
                Err(_) => {}
            }
            while let Some((head, rest)) = bytes.split_first_chunk::<9>() {
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
                let (kind, flags) = (head[3], head[4]);
                let Some(payload) = rest.get(..length).map(<[u8]>::to_vec) else {
                    break;
                };
                bytes.drain(..9 + length);
                kinds.push(kind);
                also(self, kind);
                if kind == PING && flags == 0 && self.frame(PING, 1, 0, &payload).is_err() {
                    return (Fate::Closed, kinds);
                }
            }
        }
        (Fate::Taken, kinds)
    }

    /// Writes one frame.
    pub(crate) fn frame(&mut self, kind: u8, flags: u8, id: u32, payload: &[u8]) -> io::Result<()> {
        let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
        let mut bytes = vec![a, b, c, kind, flags];
        bytes.extend_from_slice(&id.to_be_bytes());
        bytes.extend_from_slice(payload);
        self.0.write_all(&bytes)
    }

    /// Calls `write` with each number below `count`, reading nothing, and says how that went.
    pub(crate) fn run(
        &mut self,
        count: u32,
        mut write: impl FnMut(&mut Self, u32) -> io::Result<()>,
    ) -> Fate {
        for number in 0..count {
            if let Err(error) = write(self, number) {
                return fate_of(&error);
            }
        }
        Fate::Taken
    }

    /// Reads until the node has nothing more to say: whether it closed.
    pub(crate) fn drained(&mut self) -> Fate {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut bytes = vec![0; 64 * 1024];
        while Instant::now() < deadline {
            match self.0.read(&mut bytes) {
                Ok(0) => return Fate::Closed,
                Ok(_) => {}
                Err(error) => return fate_of(&error),
            }
        }
        Fate::Taken
    }
}

fn fate_of(error: &io::Error) -> Fate {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Fate::Stalled,
        _ => Fate::Closed,
    }
}

/// The head of a POST to `path`, without a table and without compression (RFC 7541).
pub(crate) fn post_head(path: &str) -> Vec<u8> {
    // `:method: POST` and `:scheme: https` by their places in the static table.
    let mut head = vec![0x83, 0x87];
    // `:path`, `:authority` and `content-type` by theirs, each with a value spelled out.
    for (place, value) in [
        (&[0x04][..], path),
        (&[0x01], "localhost"),
        (&[0x0f, 0x10], "application/json"),
    ] {
        head.extend_from_slice(place);
        head.push(value.len() as u8);
        head.extend_from_slice(value.as_bytes());
    }
    head
}
