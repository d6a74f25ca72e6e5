//! VMs' disks: raw files, sparse. A disk is never made smaller, and one that is there is never emptied: an order that
//! comes late must not harm a VM that has started meanwhile.

use super::Carrier;
use crate::disk_stream::{self, Carried, Outgoing, is_zero};
use crate::files::{Partial, Readers, failure};
use crate::kernel;
use crate::pool::{Arrival, Pool};
use grid::identity::TransferId;
use grid::work::{Image, WorkDone, WorkFailure};
use grid::{Size, VmId};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

const PIECE: usize = 64 * 1024;

/// Makes a VM's disk from an image that the pool holds, and records the VM as deployed.
pub fn create(pool: &Pool, vm: VmId, image: &Image, size: Size) -> Result<WorkDone, WorkFailure> {
    let disk = pool.disk(vm);
    if disk.exists() {
        grow(pool, vm, size.disk.bytes())?;
    } else {
        let source = File::open(pool.image(image)?).map_err(|_| WorkFailure::NoImage)?;
        let has_bytes = source.metadata().map_err(failure)?.len();
        let asked_bytes = size.disk.bytes();
        if has_bytes > asked_bytes {
            return Err(WorkFailure::WouldShrink { has_bytes, asked_bytes });
        }
        let partial = Partial::create(&disk, Readers::Owner).map_err(failure)?;
        copy(&source, partial.file()).map_err(failure)?;
        partial.file().set_len(asked_bytes).map_err(failure)?;
        partial.keep().map_err(failure)?;
    }
    pool.record_put(vm, size, None)?;
    Ok(WorkDone::Done)
}

/// Makes an empty disk for a live move to fill.
pub fn prepare(pool: &Pool, vm: VmId, bytes: u64, size: Size) -> Result<WorkDone, WorkFailure> {
    let disk = pool.disk(vm);
    if disk.exists() {
        grow(pool, vm, bytes)?;
    } else {
        let partial = Partial::create(&disk, Readers::Owner).map_err(failure)?;
        partial.file().set_len(bytes).map_err(failure)?;
        partial.keep().map_err(failure)?;
    }
    pool.record_put(vm, size, None)?;
    Ok(WorkDone::Done)
}

/// Makes a stopped VM's disk this large.
pub fn grow(pool: &Pool, vm: VmId, asked_bytes: u64) -> Result<WorkDone, WorkFailure> {
    let file = open(&pool.disk(vm), true)?;
    let has_bytes = file.metadata().map_err(failure)?.len();
    if has_bytes > asked_bytes {
        return Err(WorkFailure::WouldShrink { has_bytes, asked_bytes });
    }
    if has_bytes < asked_bytes {
        file.set_len(asked_bytes).and_then(|()| file.sync_all()).map_err(failure)?;
    }
    Ok(WorkDone::Done)
}

/// Sends a VM's disk; only reads it.
pub fn copy_out(pool: &Pool, carrier: &dyn Carrier, vm: VmId, transfer: TransferId) -> Result<WorkDone, WorkFailure> {
    let file = open(&pool.disk(vm), false)?;
    let mut outgoing = Outgoing::new(&file).map_err(failure)?;
    carrier.send(transfer, &mut outgoing).map_err(|error| WorkFailure::Transfer { reason: error.to_string() })?;
    match outgoing.carried() {
        Some(Carried { bytes, checksum }) => Ok(WorkDone::Copied { bytes, checksum }),
        None => Err(WorkFailure::Transfer { reason: "the other side stopped reading".to_owned() }),
    }
}

/// Receives a VM's disk and gives it its new size. The same transfer again has the same answer.
pub fn copy_in(
    pool: &Pool,
    carrier: &dyn Carrier,
    vm: VmId,
    transfer: TransferId,
    size: Size,
) -> Result<WorkDone, WorkFailure> {
    let disk = pool.disk(vm);
    let arrived = pool.record(vm).and_then(|record| record.arrived).filter(|arrived| arrived.transfer == transfer);
    if let Some(Arrival { bytes, checksum, .. }) = arrived
        && disk.exists()
    {
        return Ok(WorkDone::Copied { bytes, checksum });
    }
    let stream = carrier.receive(transfer).map_err(|error| WorkFailure::Transfer { reason: error.to_string() })?;
    let partial = Partial::create(&disk, Readers::Owner).map_err(failure)?;
    let Carried { bytes, checksum } = disk_stream::receive(stream, partial.file(), size.disk.bytes())?;
    partial.file().set_len(size.disk.bytes()).map_err(failure)?;
    partial.keep().map_err(failure)?;
    pool.record_put(vm, size, Some(Arrival { transfer, bytes, checksum: checksum.clone() }))?;
    Ok(WorkDone::Copied { bytes, checksum })
}

fn open(disk: &Path, to_write: bool) -> Result<File, WorkFailure> {
    OpenOptions::new().read(true).write(to_write).open(disk).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => WorkFailure::NoDisk,
        _ => failure(error),
    })
}

/// Copies what is not zero.
fn copy(source: &File, target: &File) -> io::Result<()> {
    let length = source.metadata()?.len();
    let (mut next, mut piece) = (0, vec![0; PIECE]);
    while let Some((start, end)) = kernel::next_data(source, next)? {
        let end = end.min(length);
        let mut offset = start;
        while offset < end {
            let size = usize::try_from(end - offset).unwrap_or(PIECE).min(PIECE);
            source.read_exact_at(&mut piece[..size], offset)?;
            if !is_zero(&piece[..size]) {
                target.write_all_at(&piece[..size], offset)?;
            }
            offset += size as u64;
        }
        next = end;
    }
    Ok(())
}
