//! Rebuilding a VM whose node is fenced: as it was deployed, on another node, as who it was. Its disk begins anew, for the
//! old one is where nobody can reach it; that one is left alone, whatever becomes of its node.

use super::step::Step;
use super::steps::cut_off::LookAtNodes;
use super::steps::disk::{CreateDisk, FetchImage};
use super::steps::install::{Define, WriteSeed};
use super::steps::power::Start;
use super::steps::settle::Settle;
use super::steps::verify::Verify;
use crate::store::rows::OperationFilter;
use crate::store::{Store, StoreError};
use grid::operation::OperationKind;
use grid::{NodeId, VmId};

pub(super) fn steps() -> Vec<Box<dyn Step>> {
    vec![
        Box::new(LookAtNodes),
        Box::new(FetchImage),
        Box::new(CreateDisk),
        Box::new(WriteSeed),
        Box::new(Define),
        Box::new(Start { no_return: true }),
        Box::new(Verify { running: true }),
        Box::new(Settle { no_return: false }),
    ]
}

/// Whether the VM was once rebuilt elsewhere because this node was fenced: what is left of it there is its old data.
pub(crate) async fn was_rebuilt_from(store: &dyn Store, vm: VmId, node: NodeId) -> Result<bool, StoreError> {
    let filter = OperationFilter { vm: Some(vm), node: Some(node), limit: u32::MAX, ..OperationFilter::default() };
    let known = store.operation_list(&filter).await?;
    Ok(known.iter().any(|it| perhaps_rebuilds(&it.kind) == Some(node)))
}

/// The node whose VM it begins anew elsewhere, or may: nobody knows that of one that can't be read.
pub(crate) fn perhaps_rebuilds(kind: &OperationKind) -> Option<NodeId> {
    match kind {
        OperationKind::Rebuild { from, .. } => Some(*from),
        OperationKind::Unreadable { from, .. } => *from,
        _ => None,
    }
}
