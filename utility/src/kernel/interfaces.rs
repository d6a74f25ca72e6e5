//! Network interfaces: up, an address, a route; by the old ioctls, which need no netlink.

use super::checked;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Any socket does for these ioctls.
fn control() -> io::Result<OwnedFd> {
    // SAFETY: three numbers.
    let descriptor = checked(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the kernel just gave us this descriptor; nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: `ifreq` is plain numbers and unions of them, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.is_empty() || name.len() >= request.ifr_name.len() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not an interface's name"));
    }
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = byte.cast_signed();
    }
    Ok(request)
}

fn socket_address(address: Ipv4Addr) -> libc::sockaddr {
    let mut data = [0; 14];
    for (place, byte) in data[2..6].iter_mut().zip(address.octets()) {
        *place = byte.cast_signed();
    }
    libc::sockaddr { sa_family: libc::AF_INET.cast_unsigned().try_into().unwrap_or(0), sa_data: data }
}

/// Gives an interface its address.
pub fn set_address(name: &str, address: Ipv4Addr, prefix_length: u8) -> io::Result<()> {
    let socket = control()?;
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix_length.min(32))).unwrap_or(0);
    for (order, value) in [(libc::SIOCSIFADDR, address), (libc::SIOCSIFNETMASK, Ipv4Addr::from_bits(mask))] {
        let mut request = request(name)?;
        request.ifr_ifru.ifru_addr = socket_address(value);
        // SAFETY: an open socket and a request that outlives the call; these orders read a name and an address.
        checked(unsafe { libc::ioctl(socket.as_raw_fd(), order as _, &raw mut request) })?;
    }
    Ok(())
}

/// Brings an interface up.
pub fn bring_up(name: &str) -> io::Result<()> {
    let socket = control()?;
    let mut request = request(name)?;
    // SAFETY: an open socket and a request that outlives the call; the answer is the union's flags.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request) })?;
    // SAFETY: the call above has set this member of the union.
    let flags = i32::from(unsafe { request.ifr_ifru.ifru_flags }) | libc::IFF_UP;
    request.ifr_ifru.ifru_flags = i16::try_from(flags).unwrap_or(i16::MAX);
    // SAFETY: as above; this order reads a name and flags.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw mut request) }).map(|_| ())
}

/// Sends all that isn't local to `gateway`.
pub fn default_route(gateway: Ipv4Addr) -> io::Result<()> {
    let socket = control()?;
    // SAFETY: `rtentry` is plain numbers and pointers that may be null.
    let mut route: libc::rtentry = unsafe { std::mem::zeroed() };
    route.rt_dst = socket_address(Ipv4Addr::UNSPECIFIED);
    route.rt_genmask = socket_address(Ipv4Addr::UNSPECIFIED);
    route.rt_gateway = socket_address(gateway);
    route.rt_flags = libc::RTF_UP | libc::RTF_GATEWAY;
    // SAFETY: an open socket and a route that outlives the call.
    match checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCADDRT as _, &raw mut route) }) {
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        other => other.map(|_| ()),
    }
}

/// The kernel's number of an interface.
pub fn index(name: &str) -> io::Result<i32> {
    let text = std::fs::read_to_string(format!("/sys/class/net/{name}/ifindex"))?;
    text.trim().parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}
