//! Reads and writes one connection, stamps every write, and sees the peer go.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::clock::Clock;
use crate::record::{Moment, Nanos};
use crate::simulator::truth::{Carried, PeerEnd, Sizes};

use super::ledger::OpenTruth;
use super::stage::Pacing;

/// The kinds of connection.
pub(super) enum Io {
    /// TCP.
    Plain(TcpStream),
    /// TLS on TCP.
    Tls(Box<TlsStream<TcpStream>>),
    /// Within this process.
    Pipe(DuplexStream),
}

/// One connection.
pub(super) struct Socket {
    io: Io,
    clock: Clock,
    pacing: Pacing,
    /// Bytes read and not yet used.
    pub(super) inbox: BytesMut,
    /// When the first byte of the inbox was read.
    pub(super) inbox_since: Moment,
    /// When the peer was seen to close, and how.
    pub(super) peer_end: Option<(Moment, PeerEnd)>,
}

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// It waits for the next request.
    Keep,
    /// It is closed so that the peer sees FIN.
    Close,
    /// It is closed at once: the peer has gone.
    Drop,
    /// It is reset.
    Reset,
    /// Its writing side is closed.
    HalfClose,
}

/// The peer has gone: there is nobody to write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// Bytes read ahead of a request at work; more wait in the kernel.
const READ_AHEAD_MAX: usize = 64 << 10;

/// How long before its moment a precise write stops sleeping and watches the clock. The timer
/// rounds up to whole milliseconds, so that less would be overslept.
const WATCH: Nanos = Nanos(2_000_000);

impl Socket {
    /// A connection.
    pub(super) fn new(io: Io, clock: Clock, pacing: Pacing) -> Self {
        Self {
            io,
            clock,
            pacing,
            inbox: BytesMut::new(),
            inbox_since: Moment(0),
            peer_end: None,
        }
    }

    /// The clock that stamps.
    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Reads more into the inbox; 0 means that the peer has closed its side.
    pub(super) async fn fill(&mut self, room: usize) -> io::Result<usize> {
        self.inbox.reserve(room);
        let was_empty = self.inbox.is_empty();
        let read = match &mut self.io {
            Io::Plain(stream) => stream.read_buf(&mut self.inbox).await,
            Io::Tls(stream) => stream.read_buf(&mut self.inbox).await,
            Io::Pipe(pipe) => pipe.read_buf(&mut self.inbox).await,
        };
        let now = self.clock.now();
        match &read {
            Ok(0) => self.peer_end = self.peer_end.or(Some((now, PeerEnd::Fin))),
            Ok(_) if was_empty => self.inbox_since = now,
            Ok(_) => {}
            Err(_) => self.peer_end = self.peer_end.or(Some((now, PeerEnd::Reset))),
        }
        read
    }

    /// Reads directly behind a body, at most `most` bytes.
    pub(super) async fn fill_body(&mut self, body: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        use bytes::BufMut as _;
        let mut room = body.limit(most);
        match &mut self.io {
            Io::Plain(stream) => stream.read_buf(&mut room).await,
            Io::Tls(stream) => stream.read_buf(&mut room).await,
            Io::Pipe(pipe) => pipe.read_buf(&mut room).await,
        }
    }

    /// Gives back the memory of an empty inbox before a long wait.
    pub(super) fn shrink(&mut self) {
        if self.inbox.is_empty() {
            self.inbox = BytesMut::new();
        }
    }

    /// Waits until `due` while it watches the peer.
    pub(super) async fn wait(&mut self, due: Moment) -> Result<(), Gone> {
        loop {
            if self.peer_end.is_some() {
                return Err(Gone);
            }
            let left = due.since(self.clock.now());
            if left.0 == 0 {
                return Ok(());
            }
            let watch = self.pacing == Pacing::Precise && left <= WATCH;
            let margin = if self.pacing == Pacing::Precise {
                WATCH.0
            } else {
                0
            };
            let sleep = Duration::from_nanos(left.0.saturating_sub(margin));
            let pause = async {
                if watch {
                    tokio::task::yield_now().await;
                } else {
                    tokio::time::sleep(sleep).await;
                }
            };
            if self.inbox.len() > READ_AHEAD_MAX {
                pause.await;
                continue;
            }
            tokio::select! {
                biased;
                _ = self.fill(256) => {}
                () = pause => {}
            }
        }
    }

    /// Writes, and notes the write. The stamp is taken when the socket is ready, just before the
    /// call.
    pub(super) async fn write(
        &mut self,
        bytes: &[u8],
        body: usize,
        due: Option<Moment>,
        carried: Carried,
        truth: &OpenTruth,
    ) -> Result<(), Gone> {
        let wire = bytes.len();
        let note = Note {
            due,
            sizes: Sizes { wire, body },
            carried,
        };
        let result = match &mut self.io {
            Io::Plain(stream) => write_plain(stream, bytes, &self.clock, truth, note).await,
            Io::Tls(stream) => {
                note.write_down(self.clock.now(), truth);
                let written = stream.write_all(bytes).await;
                if written.is_ok() {
                    stream.flush().await
                } else {
                    written
                }
            }
            Io::Pipe(pipe) => {
                note.write_down(self.clock.now(), truth);
                pipe.write_all(bytes).await
            }
        };
        result.map_err(|_| {
            let now = self.clock.now();
            self.peer_end = self.peer_end.or(Some((now, PeerEnd::Reset)));
            Gone
        })
    }

    /// Writes what belongs to no request's answer: `100 Continue`.
    pub(super) async fn write_aside(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.io {
            Io::Plain(stream) => stream.write_all(bytes).await,
            Io::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
            Io::Pipe(pipe) => pipe.write_all(bytes).await,
        }
    }

    /// Closes the writing side.
    pub(super) async fn shut(&mut self) {
        // The peer may have gone already: then there is nothing to shut.
        let _ = match &mut self.io {
            Io::Plain(stream) => stream.shutdown().await,
            Io::Tls(stream) => stream.shutdown().await,
            Io::Pipe(pipe) => pipe.shutdown().await,
        };
    }

    /// Closes without the peer's leave: it sees a reset, and of a pipe its end.
    pub(super) fn reset(self) {
        let tcp = match &self.io {
            Io::Plain(stream) => stream,
            Io::Tls(stream) => stream.get_ref().0,
            Io::Pipe(_) => return,
        };
        // Lingering for no time makes `close` send RST.
        let _ = socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO));
    }

    /// Closes so that the peer sees FIN: unread bytes would turn it into a reset.
    pub(super) async fn close(mut self) {
        self.shut().await;
        let drained = async {
            while self.fill(16 << 10).await.is_ok_and(|read| read > 0) {
                self.inbox.clear();
            }
        };
        // The peer has this long to see what was sent last.
        let _ = tokio::time::timeout(Duration::from_secs(1), drained).await;
    }
}

/// What is noted about a write.
struct Note {
    due: Option<Moment>,
    sizes: Sizes,
    carried: Carried,
}

impl Note {
    fn write_down(self, at: Moment, truth: &OpenTruth) {
        truth.lock().note(at, self.due, self.sizes, self.carried);
    }
}

async fn write_plain(
    stream: &TcpStream,
    bytes: &[u8],
    clock: &Clock,
    truth: &OpenTruth,
    mut note: Note,
) -> io::Result<()> {
    let mut first = None;
    let mut written = 0;
    loop {
        stream.writable().await?;
        // Who asks for the truth after having read these bytes must find them noted: the lock is
        // taken before the call, and no await comes before it is given back.
        let mut truth = truth.lock();
        let now = clock.now();
        let at = *first.get_or_insert(now);
        match stream.try_write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if written == bytes.len() {
            truth.note(at, note.due, note.sizes, note.carried);
            return Ok(());
        }
        note.carried = note.carried.and(Carried::BLOCKED);
    }
}
