//! Whose turn it is with a VM: the reconciler's while it mends, else an operation's.
//!
//! The reconciler enters first and then looks whether an operation is recorded; an operation is recorded first and then
//! waits until the reconciler has left. So never both work on one VM.

use grid::VmId;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// The VMs that are being mended.
#[derive(Debug, Default)]
pub(crate) struct Mending {
    vms: Mutex<BTreeSet<VmId>>,
    left: Notify,
}

impl Mending {
    /// Enters; the VM is free again when what is answered is dropped.
    pub(crate) fn enter(&self, vm: VmId) -> Option<Turn<'_>> {
        let is_new = self.vms.lock().unwrap_or_else(PoisonError::into_inner).insert(vm);
        is_new.then_some(Turn { mending: self, vm })
    }

    /// Waits until nobody mends the VM.
    pub(crate) async fn until_left(&self, vm: VmId) {
        loop {
            let left = self.left.notified();
            if !self.vms.lock().unwrap_or_else(PoisonError::into_inner).contains(&vm) {
                return;
            }
            left.await;
        }
    }
}

pub(crate) struct Turn<'a> {
    mending: &'a Mending,
    vm: VmId,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.mending.vms.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.vm);
        self.mending.left.notify_waiters();
    }
}
