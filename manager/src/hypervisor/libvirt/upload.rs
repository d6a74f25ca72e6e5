//! Puts a file of the manager's machine into a node's pool, by libvirt's own stream. The name carries the checksum, so
//! that what is there is not sent twice; what is only half there has another name.

use super::create::POOL;
use super::errors::Failure;
use super::xml::Element;
use crate::hypervisor::HypervisorError;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use virt::connect::Connect;
use virt::storage_pool::StoragePool;
use virt::storage_vol::StorageVol;
use virt::stream::Stream;

const CHUNK: usize = 256 * 1024;

/// The name under which a file lies in a pool: `PREFIX-CHECKSUM.EXTENSION`, 16 digits of its SHA-256.
pub(super) fn name_of(file: &Path, prefix: &str, extension: &str) -> Result<String, HypervisorError> {
    let mut hash = Sha256::new();
    let mut opened = File::open(file).map_err(|error| unreadable(file, &error))?;
    std::io::copy(&mut opened, &mut hash).map_err(|error| unreadable(file, &error))?;
    let first = hash.finalize().iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    Ok(format!("{prefix}-{first:016x}{extension}"))
}

/// Sends the file unless the pool has it.
pub(super) fn ensure(connection: &Connect, file: &Path, name: &str) -> Result<(), Failure> {
    let mut opened = File::open(file).map_err(|error| unreadable(file, &error))?;
    let bytes = opened.metadata().map_err(|error| unreadable(file, &error))?.len();
    let pool = connection.lookup_storage_pool_by_name(POOL)?;
    pool.refresh(0)?;
    if let Ok(volume) = pool.lookup_storage_vol_by_name(name) {
        if volume.info()?.capacity == bytes && is_whole(&pool, name) {
            return Ok(());
        }
        volume.delete(0)?;
    }
    if pool.info()?.available < bytes {
        return Err(HypervisorError::PoolFull.into());
    }
    let volume = create(&pool, name, bytes)?;
    let sent = send(connection, &volume, &mut opened, bytes, file);
    if let Err(failure) = sent {
        // What is half there must not be taken for whole.
        let _ = volume.delete(0);
        return Err(failure);
    }
    mark_whole(&pool, name)
}

fn create(pool: &StoragePool, name: &str, bytes: u64) -> Result<StorageVol, Failure> {
    let amount = |element: &str, value: u64| Element::new(element).with("unit", "bytes").text(value.to_string());
    let volume = Element::new("volume")
        .child(Element::new("name").text(name))
        .child(amount("capacity", bytes))
        .child(amount("allocation", 0))
        .child(Element::new("target").child(Element::new("format").with("type", "raw")));
    Ok(StorageVol::create_xml(pool, &volume.write()?, 0)?)
}

fn send(connection: &Connect, volume: &StorageVol, from: &mut File, bytes: u64, file: &Path) -> Result<(), Failure> {
    from.rewind().map_err(|error| unreadable(file, &error))?;
    let stream = Stream::new(connection, 0)?;
    volume.upload(&stream, 0, bytes, 0)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk).map_err(|error| unreadable(file, &error))?;
        if read == 0 {
            break;
        }
        let mut rest = &chunk[..read];
        while !rest.is_empty() {
            let sent = usize::try_from(stream.send(rest)?).unwrap_or(0);
            rest = &rest[sent.min(rest.len())..];
        }
    }
    Ok(stream.finish()?)
}

/// The mark of a whole upload: an empty volume beside it.
fn mark(name: &str) -> String {
    format!("{name}.whole")
}

fn is_whole(pool: &StoragePool, name: &str) -> bool {
    pool.lookup_storage_vol_by_name(&mark(name)).is_ok()
}

fn mark_whole(pool: &StoragePool, name: &str) -> Result<(), Failure> {
    if !is_whole(pool, name) {
        create(pool, &mark(name), 0)?;
    }
    Ok(())
}

/// Removes what earlier versions of the files left behind.
pub(super) fn remove_others(connection: &Connect, prefix: &str, keep: &[String]) -> Result<(), Failure> {
    let pool = connection.lookup_storage_pool_by_name(POOL)?;
    for volume in pool.list_all_volumes(0)? {
        let name = volume.name()?;
        let kept = keep.iter().any(|kept| name == *kept || name == mark(kept));
        if name.starts_with(prefix) && !kept {
            volume.delete(0)?;
        }
    }
    Ok(())
}

fn unreadable(file: &Path, error: &std::io::Error) -> HypervisorError {
    HypervisorError::Refused(format!("{}: {error}", file.display()))
}
