//! Calls as clients do: whole answers, streams, faults of the provider, and leaving at any moment.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tollgate::simulator::bare::{Connection, ReadEnd};

use crate::program::chat;

/// What is asked for, and whether as a stream.
const MODELS: [(&str, bool); 11] = [
    ("sim:n-2", false),
    ("sim:n-4", true),
    ("sim:gap-1ms:n-8", true),
    ("sim:ft-5ms:gap-2ms:n-10", true),
    ("sim:ft-5ms:n-40", false),
    ("sim:n-200", true),
    ("sim:fault-http_500", false),
    ("sim:fault-rate_limit", true),
    ("sim:n-9:fault-reset_mid", true),
    ("sim:n-9:fault-close_mid", true),
    ("sim:n-40:fault-close_mid", false),
];

/// Of a hundred exchanges, those whose client leaves.
const LEAVING: u32 = 20;

/// Clients of one program.
pub(crate) struct Load {
    address: SocketAddr,
    seed: u64,
    answered: AtomicU64,
    broken: AtomicU64,
    left: [AtomicU64; 4],
}

impl Load {
    /// Clients that draw by `seed`.
    pub(crate) fn new(address: SocketAddr, seed: u64) -> Self {
        Self {
            address,
            seed,
            answered: AtomicU64::new(0),
            broken: AtomicU64::new(0),
            left: Default::default(),
        }
    }

    /// `exchanges` on each of so many connections, `at_a_time` of them together.
    pub(crate) fn run(&self, connections: u64, exchanges: usize, at_a_time: usize) {
        let next = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..at_a_time {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= connections {
                            return;
                        }
                        let mut rng = Rng::with_seed(self.seed ^ (number << 20));
                        let mut client = None;
                        for _ in 0..exchanges {
                            self.exchange(&mut client, &mut rng);
                        }
                    }
                });
            }
        });
    }

    /// So many clients at a time, for that long.
    pub(crate) fn run_for(&self, span: Duration, clients: u64) {
        let end = Instant::now() + span;
        thread::scope(|scope| {
            for number in 0..clients {
                scope.spawn(move || {
                    let mut rng = Rng::with_seed(self.seed ^ (number << 20));
                    let mut client = None;
                    while Instant::now() < end {
                        self.exchange(&mut client, &mut rng);
                        if rng.u8(..) < 8 {
                            client = None;
                        }
                    }
                });
            }
        });
    }

    /// One exchange; where the client leaves, the next one connects anew.
    fn exchange(&self, client: &mut Option<Connection>, rng: &mut Rng) {
        let mut connection = client.take().unwrap_or_else(|| self.connect());
        let (model, stream) = MODELS[rng.usize(..MODELS.len())];
        let request = chat(model, stream, "soak");
        if rng.u32(..100) < LEAVING {
            self.leave(connection, &request, rng);
            return;
        }
        match connection.exchange(&request) {
            Ok(reading) if reading.end == ReadEnd::Complete => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                let closes = reading.header("connection") == Some("close");
                *client = Some(connection).filter(|_| !closes);
            }
            // A fault of the provider's that cannot be told otherwise.
            _ => {
                self.broken.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Connects; a program that is not there is for the test to notice.
    fn connect(&self) -> Connection {
        loop {
            match Connection::open(self.address) {
                Ok(connection) => return connection,
                Err(_) => thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    /// Leaves anywhere: within the head, within the body, before the answer, within it; by FIN or
    /// by RST.
    fn leave(&self, mut connection: Connection, request: &[u8], rng: &mut Rng) {
        let head = memchr::memmem::find(request, b"\r\n\r\n").unwrap() + 4;
        let place = rng.usize(..4);
        self.left[place].fetch_add(1, Ordering::Relaxed);
        // Who is cut off by the other side first has left all the same.
        let _ = match place {
            0 => connection
                .socket()
                .write_all(&request[..rng.usize(1..head)]),
            1 => connection
                .socket()
                .write_all(&request[..rng.usize(head..request.len())]),
            2 => connection.socket().write_all(request),
            _ => {
                let bytes = rng.usize(1..600);
                connection.exchange_until(request, bytes).map(|_| ())
            }
        };
        if rng.bool() {
            thread::sleep(Duration::from_micros(rng.u64(..5000)));
        }
        if rng.bool() {
            let socket = socket2::SockRef::from(connection.socket());
            socket.set_linger(Some(Duration::ZERO)).unwrap();
        }
    }

    /// What was done so far.
    pub(crate) fn told(&self) -> String {
        let left = |place: usize| self.left[place].load(Ordering::Relaxed);
        format!(
            "{} answered, {} cut, as the provider cut them; left by the client: {} within the head, \
             {} within the body, {} before the answer, {} within it",
            self.answered.load(Ordering::Relaxed),
            self.broken.load(Ordering::Relaxed),
            left(0),
            left(1),
            left(2),
            left(3),
        )
    }
}
