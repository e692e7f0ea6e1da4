//! Addresses that no other test can get: those at which nobody listens, and those at which a program
//! that the test starts will.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

/// An address that refuses connections. A port that was only let go could be the next one of
/// another test's server: this one is kept for as long as the process lives.
pub(crate) fn dead() -> SocketAddr {
    kept(false)
}

/// An address for a program that is yet to be started. A port that was only free just now could be
/// another test's by then, or a connection's own end: a client that tries until somebody listens
/// there may even reach itself. Kept as this one is, nobody is given it; who names it and allows it
/// to be used again, as servers do, may listen there.
pub(crate) fn free() -> SocketAddr {
    kept(true)
}

/// An address bound for as long as the process lives.
fn kept(shared: bool) -> SocketAddr {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(shared).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    std::mem::forget(socket);
    address
}
