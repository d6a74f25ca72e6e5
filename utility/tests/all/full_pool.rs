//! Work on a pool that is full: a small file system of its own, which only root can mount.

use crate::pools::{Memory, Node, offer_image, seed, size, transfer, vm};
use grid::work::{ImageFamily, Work, WorkFailure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::tempdir;

/// A file system in memory of this many KiB; unmounted when dropped.
struct SmallPool(PathBuf);

impl SmallPool {
    fn mount(at: &Path, kib: u32) -> Self {
        utility::kernel::mount("tmpfs", at, "tmpfs", 0, &format!("size={kib}k,huge=never"))
            .expect("this test mounts a small file system: run it as root");
        Self(at.to_owned())
    }
}

impl Drop for SmallPool {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} stays mounted", self.0.display());
    }
}

#[test]
fn what_does_not_fit_is_a_full_pool_and_leaves_nothing() {
    let (folder, other_folder) = (tempdir().unwrap(), tempdir().unwrap());
    let carrier = Arc::<Memory>::default();
    let image = offer_image(&carrier, "tiny");
    let large = Node::new(other_folder.path(), &carrier);
    large.with_vm(vm(1), size(1));
    large.work(Work::CopyOut { vm: vm(1), transfer: transfer(1) }).unwrap();

    let pool = SmallPool::mount(folder.path(), 64);
    let small = Node::new(folder.path(), &carrier);
    let too_large = [
        Work::FetchImage { image },
        Work::CopyIn { vm: vm(1), transfer: transfer(1), size: size(1) },
        Work::WriteSeed { vm: vm(1), seed: seed(ImageFamily::Disk) },
    ];
    for work in too_large {
        assert_eq!(small.work(work.clone()), Err(WorkFailure::PoolFull), "{work:?}");
        assert!(small.files().is_empty(), "{work:?}: {:?}", small.files());
    }
    small.work(Work::PrepareDisk { vm: vm(2), bytes: 1 << 30, size: size(1) }).unwrap();
    assert!(small.pool().space().unwrap().capacity_mib < 1);
    drop(pool);
}
