//! Ports of the host's that lead into guests, and the addresses of guests' cards: what the host says to them.

use super::network::refused;
use hv_api::{Error, Forward, ForwardFault, GuestId, MacAddress, Protocol};
use std::io;
use std::net::{TcpListener, UdpSocket};

/// Makes sure that an engine can listen there, by doing so for a moment.
///
/// # Errors
/// [`Error::ForwardRefused`].
pub fn check(forward: &Forward) -> Result<(), Error> {
    let place = (forward.address.0, forward.host_port);
    let tried = match forward.protocol {
        Protocol::Tcp => TcpListener::bind(place).map(drop),
        Protocol::Udp => UdpSocket::bind(place).map(drop),
    };
    let fault = match tried.map_err(|error| error.kind()) {
        Err(io::ErrorKind::PermissionDenied) => ForwardFault::Privileged,
        Err(io::ErrorKind::AddrInUse) => ForwardFault::HeldByProgram,
        Err(io::ErrorKind::AddrNotAvailable) => ForwardFault::NoSuchAddress,
        // Whatever else is wrong, the engine says it better.
        Ok(()) | Err(_) => return Ok(()),
    };
    Err(refused(forward, fault, ""))
}

/// A card's address: of the range that QEMU uses for guests, with the last three bytes of an id, which are
/// random and stay the same.
pub fn mac_of(id: GuestId) -> MacAddress {
    let [.., a, b, c] = id.as_bytes();
    MacAddress::of_guest([a, b, c])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_refused_and_a_free_one_is_not() {
        for protocol in ["tcp", "udp"] {
            let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = tcp.local_addr().unwrap().port();
            let udp = UdpSocket::bind(("127.0.0.1", port));
            let Ok(udp) = udp else { continue };
            let forward: Forward = format!("{protocol}:{port}:22").parse().unwrap();
            let held = Err(refused(&forward, ForwardFault::HeldByProgram, ""));
            assert_eq!(check(&forward), held);
            // Who listens everywhere listens there, too.
            let everywhere: Forward = format!("{protocol}:0.0.0.0:{port}:22").parse().unwrap();
            assert_eq!(check(&everywhere), Err(refused(&everywhere, ForwardFault::HeldByProgram, "")));
            drop((tcp, udp));
            assert_eq!(check(&forward), Ok(()));
        }
    }

    #[test]
    fn an_address_that_is_not_this_computers_is_refused() {
        // Of a range that is for examples in books.
        let forward: Forward = "tcp:192.0.2.1:40000:22".parse().unwrap();
        assert_eq!(check(&forward), Err(refused(&forward, ForwardFault::NoSuchAddress, "")));
    }
}
