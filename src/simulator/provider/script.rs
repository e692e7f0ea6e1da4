//! Holds a given answer, byte by byte and piece by piece, to be played as it stands.

use bytes::Bytes;

use crate::record::Nanos;

/// How the end of a script's body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Every piece is a chunk.
    Chunked,
    /// `Content-Length`.
    ContentLength,
    /// The end of the connection.
    Close,
    /// Head and pieces go out as they stand: the head brings its framing and its blank line.
    AsGiven,
}

/// What becomes of the connection after the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// FIN.
    Fin,
    /// Reset.
    Reset,
    /// It stays for the next request.
    KeepAlive,
}

/// An answer to be played as it stands.
#[derive(Debug, Clone)]
pub struct Script {
    /// Status line and headers; framing headers and the blank line are added.
    pub head: Bytes,
    /// Pieces of the body, each a write, after the delay given.
    pub body: Vec<(Nanos, Bytes)>,
    /// How the end is told.
    pub framing: Framing,
    /// What comes after.
    pub then: Then,
}

impl Script {
    /// A 200 of that content type with the body cut at those positions, pieces `gap` apart.
    #[must_use]
    pub fn cut(content_type: &str, body: &Bytes, cuts: &[usize], gap: Nanos) -> Self {
        let mut pieces = Vec::new();
        let mut from = 0;
        for to in cuts.iter().copied().chain([body.len()]) {
            let to = to.min(body.len());
            if to > from {
                let delay = if from == 0 { Nanos(0) } else { gap };
                pieces.push((delay, body.slice(from..to)));
                from = to;
            }
        }
        Self {
            head: format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}").into(),
            body: pieces,
            framing: Framing::Chunked,
            then: Then::KeepAlive,
        }
    }

    /// The head as it goes out.
    pub(super) fn head_bytes(&self) -> Vec<u8> {
        if self.framing == Framing::AsGiven {
            return self.head.to_vec();
        }
        let end = self.head.trim_ascii_end().len();
        let mut head = self.head[..end].to_vec();
        match self.framing {
            Framing::Chunked => head.extend_from_slice(b"\r\ntransfer-encoding: chunked"),
            Framing::ContentLength => {
                let length: usize = self.body.iter().map(|(_, piece)| piece.len()).sum();
                head.extend_from_slice(format!("\r\ncontent-length: {length}").as_bytes());
            }
            Framing::Close => head.extend_from_slice(b"\r\nconnection: close"),
            Framing::AsGiven => {}
        }
        head.extend_from_slice(b"\r\n\r\n");
        head
    }
}
