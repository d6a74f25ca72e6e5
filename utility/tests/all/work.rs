//! Every kind of work: done, done again, and done wrong.

use crate::pools::{CONTENT, Memory, Node, offer_image, seed, size, start_of, transfer, vm};
use grid::Gib;
use grid::work::{Image, ImageFamily, Work, WorkDone, WorkFailure};
use std::sync::Arc;
use tempfile::{TempDir, tempdir};

fn node() -> (TempDir, Node) {
    let folder = tempdir().unwrap();
    let node = Node::new(folder.path(), &Arc::default());
    (folder, node)
}

#[test]
fn every_work_done_twice_leaves_what_once_leaves() {
    let (_folder, node) = node();
    let image = offer_image(&node.carrier, "tiny");
    let steps = [
        Work::FetchImage { image: image.clone() },
        Work::CreateDisk { vm: vm(1), image, size: size(1) },
        Work::WriteSeed { vm: vm(1), seed: seed(ImageFamily::Disk) },
        Work::WriteSeed { vm: vm(2), seed: seed(ImageFamily::Root) },
        Work::GrowDisk { vm: vm(1), disk: Gib(2) },
        Work::RecordSize { vm: vm(1), size: size(2) },
        Work::CopyOut { vm: vm(1), transfer: transfer(1) },
        Work::CopyIn { vm: vm(3), transfer: transfer(1), size: size(3) },
        Work::PrepareDisk { vm: vm(4), bytes: 1 << 30, size: size(1) },
        Work::Delete { vm: vm(1) },
        Work::Delete { vm: vm(2) },
    ];
    for step in steps {
        let once = node.work(step.clone()).unwrap_or_else(|error| panic!("{step:?}: {error}"));
        let files = node.files();
        assert_eq!(node.work(step.clone()), Ok(once), "{step:?}");
        assert_eq!(node.files(), files, "{step:?}");
    }
}

#[test]
fn a_disk_begins_with_its_image_and_has_its_size() {
    let (_folder, node) = node();
    node.with_vm(vm(1), size(1));
    let disk = node.pool().disks().unwrap();
    assert_eq!((disk[0].vm, disk[0].virtual_bytes), (vm(1), 1 << 30));
    assert!(disk[0].real_bytes < 300_000, "holes stay holes: {}", disk[0].real_bytes);
    let bytes = start_of(&node.pool().disk(vm(1)));
    assert_eq!(bytes[..CONTENT], node.carrier.images.lock().unwrap()["tiny"]);
    assert!(bytes[CONTENT..].iter().all(|byte| *byte == 0));
    assert_eq!(node.pool().deployed().unwrap()[0].size, size(1));
}

#[test]
fn an_image_with_another_checksum_or_length_is_not_kept() {
    let (_folder, node) = node();
    let good = offer_image(&node.carrier, "tiny");
    let other = Image { checksum: "0".repeat(64), ..good.clone() };
    assert!(matches!(node.work(Work::FetchImage { image: other }), Err(WorkFailure::Checksum { .. })));
    for bytes in [good.bytes - 1, good.bytes + 1] {
        let result = node.work(Work::FetchImage { image: Image { bytes, ..good.clone() } });
        assert!(matches!(result, Err(WorkFailure::Transfer { .. })), "{result:?}");
    }
    *node.carrier.break_after.lock().unwrap() = Some(1000);
    let result = node.work(Work::FetchImage { image: good });
    assert!(matches!(result, Err(WorkFailure::Transfer { .. })), "{result:?}");
    assert!(node.files().is_empty(), "{:?}", node.files());
}

#[test]
fn a_name_that_leads_out_of_the_pool_is_refused() {
    let (_folder, node) = node();
    let good = offer_image(&node.carrier, "tiny");
    for name in ["../x", "a/b", "", ".hidden", "a\0b", "ä"] {
        let image = Image { name: name.to_owned(), ..good.clone() };
        assert!(node.work(Work::FetchImage { image: image.clone() }).is_err(), "{name}");
        assert!(node.work(Work::CreateDisk { vm: vm(1), image, size: size(1) }).is_err(), "{name}");
    }
    let image = Image { checksum: "../../../etc/passwd".to_owned(), ..good };
    assert!(node.work(Work::FetchImage { image }).is_err());
    assert!(node.files().is_empty());
}

#[test]
fn a_disk_never_shrinks() {
    let (_folder, node) = node();
    let image = node.with_vm(vm(1), size(2));
    let shrinks = [
        Work::GrowDisk { vm: vm(1), disk: Gib(1) },
        Work::CreateDisk { vm: vm(1), image: image.clone(), size: size(1) },
        Work::PrepareDisk { vm: vm(1), bytes: 1 << 30, size: size(1) },
        Work::CreateDisk { vm: vm(2), image, size: size(0) },
    ];
    let files = node.files();
    for work in shrinks {
        assert!(matches!(node.work(work.clone()), Err(WorkFailure::WouldShrink { .. })), "{work:?}");
        assert_eq!(node.files(), files, "{work:?}");
    }
}

#[test]
fn preparing_a_disk_that_is_there_does_not_empty_it() {
    let (_folder, node) = node();
    node.with_vm(vm(1), size(1));
    let before = start_of(&node.pool().disk(vm(1)));
    node.work(Work::PrepareDisk { vm: vm(1), bytes: 1 << 30, size: size(1) }).unwrap();
    assert_eq!(start_of(&node.pool().disk(vm(1))), before);
}

#[test]
fn what_is_missing_is_named() {
    let (_folder, node) = node();
    let image = offer_image(&node.carrier, "tiny");
    assert_eq!(node.work(Work::CreateDisk { vm: vm(1), image, size: size(1) }), Err(WorkFailure::NoImage));
    assert_eq!(node.work(Work::GrowDisk { vm: vm(1), disk: Gib(1) }), Err(WorkFailure::NoDisk));
    let out = Work::CopyOut { vm: vm(1), transfer: transfer(1) };
    assert_eq!(node.work(out), Err(WorkFailure::NoDisk));
}

#[test]
fn a_disk_moves_to_another_pool_whole_and_larger() {
    let (source_folder, destination_folder) = (tempdir().unwrap(), tempdir().unwrap());
    let carrier = Arc::<Memory>::default();
    let (source, destination) =
        (Node::new(source_folder.path(), &carrier), Node::new(destination_folder.path(), &carrier));
    source.with_vm(vm(1), size(1));
    let before = source.files();
    let out = source.work(Work::CopyOut { vm: vm(1), transfer: transfer(1) }).unwrap();
    assert_eq!(source.files(), before, "the source is as it was");
    let work = Work::CopyIn { vm: vm(1), transfer: transfer(1), size: size(2) };
    assert_eq!(destination.work(work.clone()), Ok(out.clone()));
    let disk = destination.pool().disks().unwrap()[0];
    assert_eq!(disk.virtual_bytes, 2 << 30);
    assert!(start_of(&destination.pool().disk(vm(1))) == start_of(&source.pool().disk(vm(1))), "the same content");
    // The transfer is over; the same order again has the same answer.
    carrier.sent.lock().unwrap().clear();
    assert_eq!(destination.work(work), Ok(out));
    // Another transfer is another disk.
    let other = Work::CopyIn { vm: vm(1), transfer: transfer(2), size: size(2) };
    assert!(matches!(destination.work(other), Err(WorkFailure::Transfer { .. })));
}

#[test]
fn a_copy_that_breaks_off_leaves_nothing_and_can_be_repeated() {
    let (_folder, node) = node();
    node.with_vm(vm(1), size(1));
    let WorkDone::Copied { bytes, .. } = node.work(Work::CopyOut { vm: vm(1), transfer: transfer(1) }).unwrap() else {
        panic!("no copy")
    };
    let files = node.files();
    let work = Work::CopyIn { vm: vm(2), transfer: transfer(1), size: size(1) };
    for broken_after in [0, 10, 70_000, usize::try_from(bytes).unwrap()] {
        *node.carrier.break_after.lock().unwrap() = Some(broken_after);
        let result = node.work(work.clone());
        assert!(matches!(result, Err(WorkFailure::Transfer { .. })), "{result:?}");
        assert_eq!(node.files(), files);
    }
    *node.carrier.break_after.lock().unwrap() = None;
    node.work(work).unwrap();
}

#[test]
fn a_disk_that_was_changed_on_the_way_is_not_kept() {
    let (_folder, node) = node();
    node.with_vm(vm(1), size(1));
    node.work(Work::CopyOut { vm: vm(1), transfer: transfer(1) }).unwrap();
    node.carrier.sent.lock().unwrap().get_mut(&transfer(1)).unwrap()[50_000] ^= 1;
    let files = node.files();
    let result = node.work(Work::CopyIn { vm: vm(2), transfer: transfer(1), size: size(1) });
    assert!(matches!(result, Err(WorkFailure::Checksum { .. })), "{result:?}");
    assert_eq!(node.files(), files);
}

#[test]
fn deleting_leaves_other_vms_alone() {
    let (_folder, node) = node();
    node.with_vm(vm(1), size(1));
    let before = node.files();
    node.with_vm(vm(2), size(1));
    node.work(Work::WriteSeed { vm: vm(2), seed: seed(ImageFamily::Disk) }).unwrap();
    node.work(Work::WriteSeed { vm: vm(2), seed: seed(ImageFamily::Root) }).unwrap();
    for rotated in ["console", "console.0", "console.1"] {
        std::fs::write(node.folder.join(format!("{}.{rotated}", vm(2))), "hello").unwrap();
    }
    node.work(Work::Delete { vm: vm(2) }).unwrap();
    assert_eq!(node.files(), before);
}
