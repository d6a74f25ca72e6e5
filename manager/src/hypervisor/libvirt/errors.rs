//! What libvirt's errors mean to the callers of the trait.

use crate::hypervisor::HypervisorError;
use virt::error::{Error, ErrorNumber, ErrorNumberEnum};

/// Why work on a connection failed: libvirt said so, or we did.
#[derive(Debug)]
pub(super) enum Failure {
    Libvirt(Error),
    Ours(HypervisorError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Libvirt(error)
    }
}

impl From<HypervisorError> for Failure {
    fn from(error: HypervisorError) -> Self {
        Self::Ours(error)
    }
}

impl Failure {
    /// Whether libvirt answered with this number.
    pub(super) fn is(&self, number: ErrorNumber) -> bool {
        matches!(self, Self::Libvirt(error) if error.code() == ErrorNumberEnum::from(number))
    }

    /// The trait's error; `alive` is whether the connection still was afterwards.
    pub(super) fn into_error(self, alive: bool) -> HypervisorError {
        match self {
            Self::Ours(error) => error,
            Self::Libvirt(error) if !alive => HypervisorError::Unreachable(words(&error)),
            Self::Libvirt(error) => meaning(&error),
        }
    }
}

fn meaning(error: &Error) -> HypervisorError {
    use HypervisorError as To;
    let text = words(error);
    let code = error.code();
    let is = |number: ErrorNumber| code == ErrorNumberEnum::from(number);
    if is(ErrorNumber::NoDomain) {
        To::NoSuchVm
    } else if is(ErrorNumber::NoSupport) {
        To::Unsupported("its libvirt driver has no such call")
    } else if is(ErrorNumber::NoConnect) || is(ErrorNumber::Rpc) || is(ErrorNumber::SystemError) && is_network(&text) {
        To::Unreachable(text)
    } else if text.contains("No space left on device") || text.contains("Disk quota exceeded") {
        To::PoolFull
    } else {
        To::Refused(text)
    }
}

fn is_network(text: &str) -> bool {
    ["unable to connect", "Connection reset", "Connection refused", "Broken pipe", "No route to host", "timed out"]
        .iter()
        .any(|known| text.contains(known))
}

/// libvirt's message without what a log line or a page must not carry: one line, of bounded length.
pub(super) fn words(error: &Error) -> String {
    let line = error.message().chars().map(|it| if it.is_control() { ' ' } else { it });
    line.take(400).collect()
}
