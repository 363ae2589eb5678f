use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

use super::ListenError;

/// One listening socket per worker, all on one port.
pub(super) struct Sockets {
    pub(super) addr: SocketAddr,
    pub(super) listeners: Vec<TcpListener>,
}

/// Binds `addr` once per worker. A port that anybody else listens on is refused, also when the
/// other is a process of the same user that would be willing to share it.
pub(super) fn bind(addr: SocketAddr, workers: usize) -> Result<Sockets, ListenError> {
    let failed = |error: io::Error| explain(addr, &error);

    // SO_REUSEPORT alone would let a second server of the same user take half of the connections
    // in silence. A socket without it cannot be bound beside any listener, so it asks first. Held
    // until the end: meanwhile SO_REUSEADDR lets our own sockets bind beside it, as it never listens.
    let probe = socket(addr)
        .and_then(|s| s.bind(&addr.into()).map(|()| s))
        .map_err(failed)?;
    let bound = probe
        .local_addr()
        .map_err(failed)?
        .as_socket()
        .ok_or_else(|| failed(io::ErrorKind::Unsupported.into()))?;
    let mut sockets = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = socket(addr).map_err(failed)?;
        socket.set_reuse_port(true).map_err(failed)?;
        socket.bind(&bound.into()).map_err(failed)?;
        sockets.push(socket);
    }
    let listeners = sockets
        .into_iter()
        .map(|socket| socket.listen(BACKLOG).map(|()| socket.into()))
        .collect::<io::Result<Vec<TcpListener>>>()
        .map_err(failed)?;
    Ok(Sockets {
        addr: bound,
        listeners,
    })
}

fn socket(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for connections of the process before it to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Answers leave as soon as they are written. Accepted sockets inherit it, which saves a
    // system call per connection.
    socket.set_tcp_nodelay(true)?;
    if addr.is_ipv6() && addr.ip().is_unspecified() {
        // `[::]` means everywhere, whatever the system's default is.
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

fn explain(addr: SocketAddr, error: &io::Error) -> ListenError {
    match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::AddressInUse { addr },
        io::ErrorKind::AddrNotAvailable => ListenError::AddressUnavailable { addr },
        io::ErrorKind::PermissionDenied => ListenError::AddressForbidden { addr },
        _ => ListenError::Bind {
            addr,
            detail: error.to_string(),
        },
    }
}

/// Connections waiting for `accept`, per worker: a reconnect storm after a restart fits; the
/// kernel caps it at net.core.somaxconn (4096 by default).
const BACKLOG: i32 = 4096;
