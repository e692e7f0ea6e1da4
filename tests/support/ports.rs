//! Addresses at which nobody listens, and nobody will while the test runs.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

/// An address that refuses connections. A port that was only let go could be the next one of
/// another test's server: this one is kept for as long as the process lives.
pub(crate) fn dead() -> SocketAddr {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    std::mem::forget(socket);
    address
}
