//! A node's word that something changed: libvirt's lifecycle events of its domains wake whoever looks at it. What an
//! event says is not read, for truth stays with the look; one that gets lost costs freshness and nothing else.
//!
//! The second file with `unsafe`, beside `raw`. libvirt holds a counted pointer to the [`Notify`] from
//! [`Listening::begin`] until it calls [`released`]; a [`Listening`] holds a reference of its own to the connection,
//! and ends before it: libvirt keeps a connection open on which somebody still listens.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use tokio::sync::Notify;
use virt::connect::Connect;
use virt::error::Error;
use virt_sys as sys;

/// Listens on one connection until it is dropped. Needs libvirt's event loop.
#[derive(Debug)]
pub(super) struct Listening {
    connection: Connect,
}

impl Listening {
    /// At most once on a connection.
    pub(super) fn begin(connection: &Connect, changed: &Arc<Notify>) -> Result<Self, Error> {
        let held = Arc::into_raw(Arc::clone(changed));
        let opaque = held.cast_mut().cast::<c_void>();
        // SAFETY: the connection is valid; both functions take what `opaque` points to as what it is, and it lives
        // until `released` is called.
        let answer =
            unsafe { sys::virConnectDomainEventRegister(connection.as_ptr(), Some(woken), opaque, Some(released)) };
        if answer < 0 {
            let error = Error::last_error();
            // SAFETY: libvirt has refused and kept nothing, so that the pointer is still ours.
            drop(unsafe { Arc::from_raw(held) });
            return Err(error);
        }
        Ok(Self { connection: connection.clone() })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // SAFETY: the connection is valid; this ends what `begin` began. Where the node is gone, it is ended here all
        // the same.
        unsafe { sys::virConnectDomainEventDeregister(self.connection.as_ptr(), Some(woken)) };
    }
}

/// # Safety
///
/// `opaque` is the pointer that was given to libvirt and not yet released.
unsafe extern "C" fn woken(
    _: sys::virConnectPtr,
    _: sys::virDomainPtr,
    _: c_int,
    _: c_int,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: see above; libvirt releases it only when no call of this is under way.
    let changed = unsafe { &*opaque.cast_const().cast::<Notify>() };
    changed.notify_one();
    0
}

/// # Safety
///
/// `opaque` is the pointer that was given to libvirt, which doesn't use it any more.
unsafe extern "C" fn released(opaque: *mut c_void) {
    // SAFETY: it came from `Arc::into_raw`, and is given back once.
    drop(unsafe { Arc::from_raw(opaque.cast_const().cast::<Notify>()) });
}

#[cfg(test)]
mod tests {
    use super::super::connection::Connection;
    use super::*;
    use std::time::Duration;
    use tokio::time::{sleep, timeout};

    #[tokio::test]
    async fn a_domain_that_changes_wakes_whoever_waits_and_nothing_is_held_after_the_connection() {
        let changed = Arc::new(Notify::new());
        let mut connection = Connection::new("test:///default".into(), Some(Arc::clone(&changed)));
        let domain = connection.get().unwrap().lookup_domain_by_name("test").unwrap();
        let idle = timeout(Duration::from_millis(300), changed.notified()).await;
        assert!(idle.is_err(), "nothing has changed yet");
        domain.suspend().unwrap();
        timeout(Duration::from_secs(5), changed.notified()).await.unwrap();
        domain.resume().unwrap();
        timeout(Duration::from_secs(5), changed.notified()).await.unwrap();
        drop(domain);
        assert_eq!(Arc::strong_count(&changed), 3, "this test's, the connection's and libvirt's");
        connection.drop_open();
        for _ in 0..100 {
            if Arc::strong_count(&changed) == 2 {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("libvirt still holds it");
    }
}
