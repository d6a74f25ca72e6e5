//! Images in the pool: fetched from the manager once, checked before they get their name.

use super::Carrier;
use crate::disk_stream::{hexadecimal, is_zero};
use crate::files::{Partial, Readers, failure};
use crate::pool::Pool;
use grid::work::{Image, WorkDone, WorkFailure};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

const PIECE: usize = 64 * 1024;

/// Fetches an image unless the pool holds it: its checksum is in its name and was checked before it got it.
pub fn fetch(pool: &Pool, carrier: &dyn Carrier, image: &Image) -> Result<WorkDone, WorkFailure> {
    let path = pool.image(image)?;
    if path.metadata().is_ok_and(|metadata| metadata.len() == image.bytes) {
        return Ok(WorkDone::Done);
    }
    let stream = carrier.image(image).map_err(|error| WorkFailure::Transfer { reason: error.to_string() })?;
    let partial = Partial::create(&path, Readers::Owner).map_err(failure)?;
    let found = receive(stream, partial.file(), image.bytes)?;
    if found != image.checksum {
        return Err(WorkFailure::Checksum { expected: image.checksum.clone(), found });
    }
    partial.keep().map_err(failure)?;
    Ok(WorkDone::Done)
}

/// Writes the stream, zeros as holes; returns the checksum. It has to be as long as announced.
fn receive(mut stream: impl Read, file: &File, expected: u64) -> Result<String, WorkFailure> {
    let broken = |reason: String| WorkFailure::Transfer { reason };
    let mut digest = Sha256::new();
    let (mut offset, mut piece) = (0_u64, vec![0; PIECE]);
    loop {
        let size = fill(&mut stream, &mut piece).map_err(|error| broken(error.to_string()))?;
        let bytes = &piece[..size];
        if size == 0 {
            break;
        }
        digest.update(bytes);
        if offset + size as u64 > expected {
            return Err(broken(format!("the image is larger than {expected} bytes")));
        }
        if !is_zero(bytes) {
            file.write_all_at(bytes, offset).map_err(failure)?;
        }
        offset += size as u64;
    }
    if offset != expected {
        return Err(broken(format!("the image ended after {offset} of {expected} bytes")));
    }
    file.set_len(offset).map_err(failure)?;
    Ok(hexadecimal(&digest.finalize()))
}

/// Reads until `room` is full or the stream ends.
fn fill(stream: &mut impl Read, room: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < room.len() {
        match stream.read(&mut room[filled..]) {
            Ok(0) => break,
            Ok(size) => filled += size,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
