//! Asking by ARP whether an address answers, without having one: the sender is 0.0.0.0, a probe as in RFC 5227,
//! which no listener learns from.

use super::{checked, interfaces};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

const FRAME: usize = 42;
const PROTOCOL: u16 = 0x0806;
const ETHERNET: u16 = 1;
const IPV4: u16 = 0x0800;
const ASK: u16 = 1;
const ANSWER: u16 = 2;

/// A MAC address.
pub type Mac = [u8; 6];

/// A socket that sends and receives ARP on one interface.
#[derive(Debug)]
pub struct ArpSocket {
    descriptor: OwnedFd,
    mac: Mac,
}

impl ArpSocket {
    /// Opens it on `interface`; `wait` bounds each [`Self::receive`].
    pub fn open(interface: &str, wait: Duration) -> io::Result<Self> {
        let index = interfaces::index(interface)?;
        let mac = std::fs::read_to_string(format!("/sys/class/net/{interface}/address"))?;
        let mac = parse_mac(mac.trim()).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        let protocol = i32::from(PROTOCOL.to_be());
        // SAFETY: three numbers.
        let descriptor =
            checked(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) })?;
        // SAFETY: the kernel just gave us this descriptor; nobody else has it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        // SAFETY: `sockaddr_ll` is plain numbers, for which zero is a value.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
        address.sll_protocol = PROTOCOL.to_be();
        address.sll_ifindex = index;
        // SAFETY: an open socket, and an address that outlives the call, with its size.
        checked(unsafe { libc::bind(descriptor.as_raw_fd(), (&raw const address).cast(), size_of_value(&address)) })?;
        let wait = libc::timeval {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(1),
            tv_usec: i64::from(wait.subsec_micros()),
        };
        // SAFETY: an open socket, and a value that outlives the call, with its size.
        checked(unsafe {
            libc::setsockopt(
                descriptor.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                (&raw const wait).cast(),
                size_of_value(&wait),
            )
        })?;
        Ok(Self { descriptor, mac })
    }

    /// Asks who has `address`.
    pub fn ask(&self, address: Ipv4Addr) -> io::Result<()> {
        let frame = probe(self.mac, address);
        // SAFETY: an open socket and bytes that outlive the call, with their number.
        checked(unsafe { libc::send(self.descriptor.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) }).map(|_| ())
    }

    /// The next answer: whose address it tells. `None` when nothing, or something else, came within the wait.
    pub fn receive(&self) -> io::Result<Option<Ipv4Addr>> {
        let mut frame = [0_u8; 128];
        // SAFETY: an open socket and room for bytes that outlives the call, with its size.
        let received =
            checked(unsafe { libc::recv(self.descriptor.as_raw_fd(), frame.as_mut_ptr().cast(), frame.len(), 0) });
        match received {
            Ok(length) => Ok(answer(frame.get(..length.unsigned_abs()).unwrap_or_default())),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// `52:54:00:12:34:56` as bytes.
pub fn parse_mac(text: &str) -> Option<Mac> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for place in &mut mac {
        let part = parts.next().filter(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        *place = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

fn size_of_value<T>(value: &T) -> libc::socklen_t {
    libc::socklen_t::try_from(size_of_val(value)).unwrap_or_default()
}

fn probe(mac: Mac, address: Ipv4Addr) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    frame[..6].fill(0xff);
    frame[6..12].copy_from_slice(&mac);
    frame[12..14].copy_from_slice(&PROTOCOL.to_be_bytes());
    frame[14..16].copy_from_slice(&ETHERNET.to_be_bytes());
    frame[16..18].copy_from_slice(&IPV4.to_be_bytes());
    frame[18..20].copy_from_slice(&[6, 4]);
    frame[20..22].copy_from_slice(&ASK.to_be_bytes());
    frame[22..28].copy_from_slice(&mac);
    frame[38..42].copy_from_slice(&address.octets());
    frame
}

/// Whose address an ARP answer tells; `None` for any other frame.
fn answer(frame: &[u8]) -> Option<Ipv4Addr> {
    let word = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
    if word(12)? != PROTOCOL || word(16)? != IPV4 || word(20)? != ANSWER {
        return None;
    }
    let sender: [u8; 4] = frame.get(28..32)?.try_into().ok()?;
    Some(Ipv4Addr::from(sender))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_tells_no_sender_address_and_asks_for_the_target() {
        let frame = probe([2, 0, 0, 0, 0, 1], Ipv4Addr::new(10, 77, 1, 5));
        assert_eq!(frame[28..32], [0, 0, 0, 0]);
        assert_eq!(frame[38..42], [10, 77, 1, 5]);
        assert_eq!(answer(&frame), None, "an ask is no answer");
    }

    #[test]
    fn an_answer_tells_its_sender_and_a_short_or_strange_frame_nobody() {
        let mut frame = probe([2, 0, 0, 0, 0, 1], Ipv4Addr::UNSPECIFIED);
        frame[20..22].copy_from_slice(&ANSWER.to_be_bytes());
        frame[28..32].copy_from_slice(&[10, 77, 1, 9]);
        assert_eq!(answer(&frame), Some(Ipv4Addr::new(10, 77, 1, 9)));
        assert_eq!(answer(&frame[..30]), None);
        frame[12] = 0;
        assert_eq!(answer(&frame), None);
    }

    #[test]
    fn only_six_pairs_of_hexadecimal_digits_are_a_mac() {
        assert_eq!(parse_mac("52:54:00:aB:00:01"), Some([0x52, 0x54, 0, 0xab, 0, 1]));
        for wrong in ["", "52:54:00:ab:00", "52:54:00:ab:00:01:02", "+2:54:00:ab:00:01", "525:4:00:ab:00:01"] {
            assert_eq!(parse_mac(wrong), None, "{wrong}");
        }
    }
}
