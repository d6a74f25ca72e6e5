//! The way back from a resize: for a while after it the earlier size is offered again. To revert is an ordinary resize to
//! that size, with its own plan and its own consent; all that is kept is the history of the VM's operations.

use crate::accounts::Principal;
use crate::store::rows::OperationFilter;
use crate::{Manager, ManagerError, clock};
use grid::operation::{Operation, OperationKind, OperationState};
use grid::vm::Vm;
use grid::{Gib, Size, UnixMillis, VmId};
use std::time::Duration;

/// What can be gone back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revert {
    /// The size to ask for: vCPUs and memory as they were, and the disk that there is.
    pub to: Size,
    /// What the disk was, where it has grown since: it never shrinks.
    pub disk_was: Option<Gib>,
    /// Until when it is offered.
    pub until: UnixMillis,
}

impl Manager {
    /// The way back from the VM's last change of size, while its window lasts and the VM still has the size that it led
    /// to; none where nothing but the disk would be reverted.
    pub async fn vm_revert(&self, principal: &Principal, vm: VmId) -> Result<Option<Revert>, ManagerError> {
        let vm = self.vm_allowed(principal, vm).await?;
        let filter = OperationFilter { vm: Some(vm.id), ..OperationFilter::default() };
        let operations = self.shared.store.operation_list(&filter).await?;
        Ok(revert_of(&vm, &operations, clock::now(), self.shared.pace.revert_window))
    }
}

/// `operations`: the VM's, newest first.
fn revert_of(vm: &Vm, operations: &[Operation], now: UnixMillis, window: Duration) -> Option<Revert> {
    let mut changes = operations.iter().filter(|it| it.state == OperationState::Succeeded).filter_map(change_of);
    let (from, to, ended) = changes.next()?;
    let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
    let until = UnixMillis(ended.0.saturating_add(window_ms));
    let back = Size { disk: vm.size.disk, ..from };
    // A move that failed on its way may have left it at yet another size.
    let is_as_changed = vm.size == to && back != vm.size;
    let disk_was = (from.disk != vm.size.disk).then_some(from.disk);
    (is_as_changed && now < until).then_some(Revert { to: back, disk_was, until })
}

/// The sizes before and after an operation that changes it, and when it ended.
fn change_of(operation: &Operation) -> Option<(Size, Size, UnixMillis)> {
    match &operation.kind {
        OperationKind::Resize { plan, .. } if plan.from != plan.to => Some((plan.from, plan.to, operation.ended_at?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::rig::{Rig, size};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_window_closes_and_a_size_that_is_another_by_now_has_no_way_back() {
        let rig = Rig::new().await;
        let id = rig.vm_on("lxc-a").await;
        rig.succeeded(rig.resize(id, size(2, 256, 1)).await).await;
        let vm = rig.vm(id).await;
        let filter = OperationFilter { vm: Some(id), ..OperationFilter::default() };
        let operations = rig.store.operation_list(&filter).await.unwrap();
        let ended = operations[0].ended_at.unwrap();
        let after = |ms: i64| UnixMillis(ended.0 + ms);
        let second = Duration::from_secs(1);
        assert!(revert_of(&vm, &operations, after(999), second).is_some());
        assert_eq!(revert_of(&vm, &operations, after(1000), second), None);
        assert_eq!(revert_of(&vm, &operations, after(0), Duration::ZERO), None, "never offered");
        let other = Vm { size: size(3, 256, 1), ..vm };
        assert_eq!(revert_of(&other, &operations, after(0), second), None);
    }
}
