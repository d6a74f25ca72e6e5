//! All that the program asks of the kernel beyond the standard library, behind safe functions. The only `unsafe` in
//! the program is here, one call a block.
//!
//! Network interfaces and ARP, which need more of it, are in [`interfaces`] and [`arp`]; both use what stands here.

pub mod arp;
pub mod interfaces;

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What a C function returned, as a result: -1 means that `errno` says why.
fn checked<N: Copy + PartialEq + From<i8>>(returned: N) -> io::Result<N> {
    if returned == N::from(-1) { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

/// Mounts `source` at `target`, which is made where it is missing.
pub fn mount(source: &str, target: &Path, file_system: &str, flags: u64, options: &str) -> io::Result<()> {
    std::fs::create_dir_all(target)?;
    let source = c_string(OsStr::new(source))?;
    let target = c_string(target.as_os_str())?;
    let file_system = c_string(OsStr::new(file_system))?;
    let options = c_string(OsStr::new(options))?;
    // SAFETY: four strings that end in NUL and outlive the call.
    let returned =
        unsafe { libc::mount(source.as_ptr(), target.as_ptr(), file_system.as_ptr(), flags, options.as_ptr().cast()) };
    checked(returned).map(|_| ())
}

/// Loads a kernel module from its file. One that is loaded already is no error.
pub fn load_module(file: &File) -> io::Result<()> {
    let options = c"";
    // SAFETY: an open descriptor and a string that ends in NUL; the kernel reads the file itself.
    let returned = unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), options.as_ptr(), 0) };
    match checked(returned) {
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        other => other.map(|_| ()),
    }
}

/// From now on, writing to `file` fails where it would have to wait.
pub fn never_wait(file: &impl AsFd) -> io::Result<()> {
    let descriptor = file.as_fd().as_raw_fd();
    // SAFETY: an open descriptor; the call only asks.
    let flags = checked(unsafe { libc::fcntl(descriptor, libc::F_GETFL) })?;
    // SAFETY: an open descriptor and the flags that it has, with one more.
    checked(unsafe { libc::fcntl(descriptor, libc::F_SETFL, flags | libc::O_NONBLOCK) }).map(|_| ())
}

/// A file system's capacity and what is free for its users, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub capacity: u64,
    pub free: u64,
}

/// The space of the file system that holds `path`.
pub fn space(path: &Path) -> io::Result<Space> {
    let path = c_string(path.as_os_str())?;
    // SAFETY: `statvfs` is plain numbers, for which zero is a value.
    let mut answer: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: a string that ends in NUL and a place for the answer, both outlive the call.
    checked(unsafe { libc::statvfs(path.as_ptr(), &raw mut answer) })?;
    Ok(Space {
        capacity: answer.f_frsize.saturating_mul(answer.f_blocks),
        free: answer.f_frsize.saturating_mul(answer.f_bavail),
    })
}

/// The memory of the machine that the kernel runs on, in bytes: total and free. In a container this is the node's.
pub fn machine_memory() -> io::Result<Space> {
    // SAFETY: `sysinfo` is plain numbers, for which zero is a value.
    let mut answer: libc::sysinfo = unsafe { std::mem::zeroed() };
    // SAFETY: a place for the answer that outlives the call.
    checked(unsafe { libc::sysinfo(&raw mut answer) })?;
    let unit = u64::from(answer.mem_unit);
    Ok(Space { capacity: answer.totalram.saturating_mul(unit), free: answer.freeram.saturating_mul(unit) })
}

/// The next part of `file` at or after `offset` that is no hole, as `(start, end)`; `None` where only holes follow.
/// A file system that doesn't know holes gives the whole rest.
pub fn next_data(file: &File, offset: u64) -> io::Result<Option<(u64, u64)>> {
    let seek = |offset: u64, whence: libc::c_int| {
        let offset = i64::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // SAFETY: an open descriptor and two numbers.
        checked(unsafe { libc::lseek(file.as_raw_fd(), offset, whence) }).map(i64::cast_unsigned)
    };
    let length = file.metadata()?.len();
    if offset >= length {
        return Ok(None);
    }
    match seek(offset, libc::SEEK_DATA) {
        Ok(start) => Ok(Some((start, seek(start, libc::SEEK_HOLE)?))),
        Err(error) => match error.raw_os_error() {
            Some(libc::ENXIO) => Ok(None),
            Some(libc::EINVAL | libc::EOPNOTSUPP | libc::ENOSYS) => Ok(Some((offset, length))),
            _ => Err(error),
        },
    }
}

/// The signals that PID 1 waits for. Blocked in every thread that is started afterwards.
fn awaited() -> libc::sigset_t {
    // SAFETY: a set of signals is plain numbers; `sigemptyset` gives it its value.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: a set that outlives the call.
    unsafe { libc::sigemptyset(&raw mut set) };
    for signal in [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT] {
        // SAFETY: a set that outlives the call, and a signal's number.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    set
}

/// Blocks the signals that [`wait_for_signal`] takes. To be called before the first thread starts.
pub fn block_signals() {
    let set = awaited();
    // SAFETY: a set that outlives the call; the old set isn't asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
}

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A child ended.
    Child,
    /// Somebody wants the program to end.
    Stop,
}

/// Waits for one of the blocked signals.
pub fn wait_for_signal() -> Signal {
    let set = awaited();
    loop {
        let mut signal = 0;
        // SAFETY: a set and a place for a number, both outlive the call.
        let error = unsafe { libc::sigwait(&raw const set, &raw mut signal) };
        match (error, signal) {
            (0, libc::SIGCHLD) => return Signal::Child,
            (0, libc::SIGTERM | libc::SIGINT) => return Signal::Stop,
            _ => {}
        }
    }
}

/// Takes the next ended child, whoever started it; `None` where there is none.
pub fn reap() -> Option<u32> {
    let mut status = 0;
    // SAFETY: a place for a number that outlives the call; it doesn't wait.
    let child = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    u32::try_from(child).ok().filter(|child| *child != 0)
}

/// Ends a child at once.
pub fn kill(child: u32) {
    if let Ok(child) = libc::pid_t::try_from(child)
        && child > 1
    {
        // SAFETY: two numbers.
        unsafe { libc::kill(child, libc::SIGKILL) };
    }
}

/// Sends PID 1 the signal that asks it to stop.
pub fn ask_to_stop() {
    // SAFETY: two numbers.
    unsafe { libc::kill(1, libc::SIGTERM) };
}

/// The children that this thread starts from now on live in a process namespace of their own.
pub fn new_process_namespace() -> io::Result<()> {
    // SAFETY: a number; it concerns only children to come.
    checked(unsafe { libc::unshare(libc::CLONE_NEWPID) }).map(|_| ())
}

/// Writes everything to the disks.
pub fn sync() {
    // SAFETY: takes nothing, can't fail.
    unsafe { libc::sync() };
}

/// Switches the machine off; returns only where that isn't allowed.
pub fn power_off() -> io::Error {
    // SAFETY: a number.
    unsafe { libc::reboot(libc::RB_POWER_OFF) };
    io::Error::last_os_error()
}

/// Control-Alt-Delete and the like send a signal to PID 1 instead of restarting the machine at once.
pub fn restart_by_signal() {
    // SAFETY: a number; where it isn't allowed nothing changes.
    unsafe { libc::reboot(libc::RB_DISABLE_CAD) };
}

#[cfg(test)]
mod tests {
    use super::never_wait;
    use std::io::{ErrorKind, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_writer_that_nobody_reads_fails_instead_of_waiting() {
        let (mut writer, _reader) = UnixStream::pair().unwrap();
        never_wait(&writer).unwrap();
        let error = (0..).find_map(|_| writer.write_all(&[b'x'; 4096]).err()).unwrap();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}
