//! Opens the listening sockets: one per worker on the same port, shared out by the kernel.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections the kernel may hold for us.
const BACKLOG: i32 = 1024;

/// Bytes that the kernel may hold of a connection that its client has no room for: a client that
/// does not read is felt by the provider then, and not after megabytes. What is on its way is not
/// limited by it, so that fast clients far away stay fast.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_MAX: u32 = 128 * 1024;

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenFault {
    /// Somebody else has it.
    #[error(
        "{address} is already in use: another program (or another tollgate) listens there; \
         stop it, or set `{key}` to a free address"
    )]
    InUse {
        /// The address.
        address: SocketAddr,
        /// The config key that sets it.
        key: &'static str,
    },
    /// The system refuses.
    #[error("cannot listen on {address}: {error}; check `{key}`")]
    Refused {
        /// The address.
        address: SocketAddr,
        /// The config key that sets it.
        key: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

/// Opens `count` sockets on `address`; with port 0 all get the port that the first one got.
///
/// Ports are shared among the sockets of one call only: before sharing, an exclusive bind makes
/// sure that no other process (which could share too, and take half of the traffic) is there.
pub fn listen(
    address: SocketAddr,
    count: usize,
    key: &'static str,
) -> Result<Vec<TcpListener>, ListenFault> {
    let fault = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => ListenFault::InUse { address, key },
        _ => ListenFault::Refused {
            address,
            key,
            error,
        },
    };
    // It does not listen: whoever called in this moment would be cut off.
    drop(bound(address, false).map_err(fault)?);
    let first = open(address, count > 1).map_err(fault)?;
    let address = first.local_addr().map_err(fault)?;
    let mut listeners = vec![first];
    for _ in 1..count {
        listeners.push(open(address, true).map_err(fault)?);
    }
    Ok(listeners)
}

fn open(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = bound(address, shared)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bound(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for connections of the last run to time out.
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    // Connections take it over from the socket that they came to.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_notsent_lowat(UNSENT_MAX)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_calls_before_the_port_is_ours_is_refused_and_not_cut_off() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let first = bound(any, false).unwrap();
        let address = first.local_addr().unwrap().as_socket().unwrap();
        assert!(std::net::TcpStream::connect(address).is_err());
    }

    #[test]
    fn a_port_in_use_is_named_with_its_key() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let first = listen(any, 2, "server.listen").unwrap();
        let taken = first[0].local_addr().unwrap();
        assert_eq!(first[1].local_addr().unwrap(), taken);
        let second = listen(taken, 2, "server.listen").unwrap_err().to_string();
        assert!(
            second.contains("already in use") && second.contains("server.listen"),
            "{second}"
        );
    }
}
