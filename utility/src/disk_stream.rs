//! A disk as a stream of bytes, holes left out: how it goes from one node's utility module to another's, through
//! the manager, which doesn't look inside.
//!
//! ```text
//!   stream := "HGDISK1\0"  length:u64  block*  end            numbers are little-endian
//!   block  := offset:u64  length:u32  bytes                   offsets ascend, in whole steps of 64 KiB
//!   end    := 0xffff_ffff_ffff_ffff:u64  0:u32  checksum
//! ```
//!
//! A block is 64 KiB, the last one of a disk may be shorter. Blocks of zeros only are left out, wherever the file
//! system keeps its holes: so the stream is the same for the same content, and the checksum, the SHA-256 of all that
//! stands before `end`'s checksum except the magic word, is one of the whole disk.

use crate::files::failure;
use crate::kernel;
use grid::work::WorkFailure;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

const MAGIC: &[u8; 8] = b"HGDISK1\0";
const BLOCK: u64 = 64 * 1024;
const HEAD: usize = 12;
const END: u64 = u64::MAX;

/// What was carried: the bytes of the blocks, and the disk's checksum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    pub bytes: u64,
    pub checksum: String,
}

/// A checksum as text.
pub fn hexadecimal(digest: &[u8]) -> String {
    use std::fmt::Write;
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether all bytes are zero.
pub fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<16>();
    words.iter().all(|word| u128::from_ne_bytes(*word) == 0) && rest.iter().all(|byte| *byte == 0)
}

/// Reads a disk's file as a stream.
#[derive(Debug)]
pub struct Outgoing<'a> {
    file: &'a File,
    length: u64,
    /// The next block to look at.
    next: u64,
    /// Where the part of the file that `next` is in becomes a hole.
    data_until: u64,
    digest: Sha256,
    waiting: Vec<u8>,
    taken: usize,
    bytes: u64,
    ended: Option<String>,
}

impl<'a> Outgoing<'a> {
    pub fn new(file: &'a File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let mut waiting = MAGIC.to_vec();
        waiting.extend(length.to_le_bytes());
        let digest = Sha256::new_with_prefix(length.to_le_bytes());
        Ok(Self { file, length, next: 0, data_until: 0, digest, waiting, taken: 0, bytes: 0, ended: None })
    }

    /// What was carried; `None` before the stream's end was read.
    pub fn carried(self) -> Option<Carried> {
        let bytes = self.bytes;
        self.ended.map(|checksum| Carried { bytes, checksum })
    }

    /// Puts the next block, or the end, into `waiting`.
    fn fill(&mut self) -> io::Result<()> {
        self.waiting.clear();
        self.taken = 0;
        while self.next < self.length {
            if self.next >= self.data_until {
                let Some((start, end)) = kernel::next_data(self.file, self.next)? else {
                    self.next = self.length;
                    break;
                };
                self.next = start - start % BLOCK;
                self.data_until = end;
            }
            let (offset, size) = (self.next, BLOCK.min(self.length - self.next));
            self.next += size;
            let size = u32::try_from(size).map_err(io::Error::other)?;
            self.waiting.clear();
            self.waiting.extend(offset.to_le_bytes());
            self.waiting.extend(size.to_le_bytes());
            self.waiting.resize(HEAD + size as usize, 0);
            self.file.read_exact_at(&mut self.waiting[HEAD..], offset)?;
            if !is_zero(&self.waiting[HEAD..]) {
                self.digest.update(&self.waiting);
                self.bytes += u64::from(size);
                return Ok(());
            }
        }
        self.waiting.clear();
        self.waiting.extend(END.to_le_bytes());
        self.waiting.extend(0_u32.to_le_bytes());
        self.digest.update(&self.waiting);
        let checksum = std::mem::take(&mut self.digest).finalize();
        self.waiting.extend(checksum);
        self.ended = Some(hexadecimal(&checksum));
        Ok(())
    }
}

impl Read for Outgoing<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.waiting.len() {
            if self.ended.is_some() {
                return Ok(0);
            }
            self.fill()?;
        }
        let size = room.len().min(self.waiting.len() - self.taken);
        room[..size].copy_from_slice(&self.waiting[self.taken..self.taken + size]);
        self.taken += size;
        Ok(size)
    }
}

/// Writes a stream into an empty file, which gets the length that the stream tells, at most `limit`. The stream's
/// words are not believed: what doesn't fit breaks it off.
pub fn receive(mut stream: impl Read, file: &File, limit: u64) -> Result<Carried, WorkFailure> {
    let mut magic = [0; 8];
    read(&mut stream, &mut magic)?;
    if &magic != MAGIC {
        return Err(broken("it is no disk"));
    }
    let mut length = [0; 8];
    read(&mut stream, &mut length)?;
    let mut digest = Sha256::new_with_prefix(length);
    let length = u64::from_le_bytes(length);
    if length > limit {
        return Err(WorkFailure::WouldShrink { has_bytes: length, asked_bytes: limit });
    }
    file.set_len(length).map_err(failure)?;
    let (mut next, mut bytes, mut block) = (0, 0_u64, Vec::new());
    loop {
        let mut head = [0; HEAD];
        read(&mut stream, &mut head)?;
        digest.update(head);
        let (offset, size) = head.split_at(8);
        let offset = u64::from_le_bytes(offset.try_into().unwrap_or_default());
        let size = u32::from_le_bytes(size.try_into().unwrap_or_default());
        if offset == END && size == 0 {
            break;
        }
        let fits = offset >= next && offset < length && offset.is_multiple_of(BLOCK);
        if !fits || u64::from(size) != BLOCK.min(length - offset) {
            return Err(broken("a block is where none can be"));
        }
        block.resize(size as usize, 0);
        read(&mut stream, &mut block)?;
        digest.update(&block);
        file.write_all_at(&block, offset).map_err(failure)?;
        next = offset + u64::from(size);
        bytes += u64::from(size);
    }
    let mut expected = [0; 32];
    read(&mut stream, &mut expected)?;
    let (expected, found) = (hexadecimal(&expected), hexadecimal(&digest.finalize()));
    if expected == found {
        Ok(Carried { bytes, checksum: found })
    } else {
        Err(WorkFailure::Checksum { expected, found })
    }
}

fn read(stream: &mut impl Read, room: &mut [u8]) -> Result<(), WorkFailure> {
    stream.read_exact(room).map_err(|error| broken(&error.to_string()))
}

fn broken(reason: &str) -> WorkFailure {
    WorkFailure::Transfer { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: u64 = 10 * BLOCK + 1000;

    /// A disk with data in its first, fifth and last block, zeros written in its third, and holes.
    fn disk() -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(LENGTH).unwrap();
        file.write_all_at(b"boot", 0).unwrap();
        file.write_all_at(&vec![0; 65_536], 2 * BLOCK).unwrap();
        file.write_all_at(b"data", 4 * BLOCK + 17).unwrap();
        file.write_all_at(b"end", LENGTH - 3).unwrap();
        file
    }

    fn stream(file: &File) -> (Vec<u8>, Carried) {
        let mut outgoing = Outgoing::new(file).unwrap();
        let mut bytes = Vec::new();
        outgoing.read_to_end(&mut bytes).unwrap();
        (bytes, outgoing.carried().unwrap())
    }

    fn content(file: &File) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn a_disk_arrives_as_it_was_and_zeros_are_not_carried() {
        let source = disk();
        let (bytes, sent) = stream(&source);
        assert_eq!(sent.bytes, 2 * BLOCK + 1000);
        let destination = tempfile::tempfile().unwrap();
        let received = receive(bytes.as_slice(), &destination, LENGTH).unwrap();
        assert_eq!(received, sent);
        assert_eq!(content(&destination), content(&source));
    }

    #[test]
    fn the_checksum_depends_on_content_and_not_on_holes() {
        let (sparse, full) = (disk(), tempfile::tempfile().unwrap());
        full.write_all_at(&content(&sparse), 0).unwrap();
        assert_eq!(stream(&sparse).1, stream(&full).1);
        full.write_all_at(b"x", 7 * BLOCK).unwrap();
        assert_ne!(stream(&sparse).1.checksum, stream(&full).1.checksum);
    }

    #[test]
    fn a_stream_that_is_cut_off_anywhere_is_broken() {
        let (bytes, _) = stream(&disk());
        for cut in [0, 5, 12, 16, 20, 30, 70_000, bytes.len() - 1] {
            let destination = tempfile::tempfile().unwrap();
            let result = receive(&bytes[..cut], &destination, LENGTH);
            assert!(matches!(result, Err(WorkFailure::Transfer { .. })), "{cut}: {result:?}");
        }
    }

    #[test]
    fn a_changed_byte_shows_in_the_checksum() {
        let (mut bytes, _) = stream(&disk());
        bytes[40] ^= 1;
        let result = receive(bytes.as_slice(), &tempfile::tempfile().unwrap(), LENGTH);
        assert!(matches!(result, Err(WorkFailure::Checksum { .. })), "{result:?}");
    }

    #[test]
    fn a_block_outside_the_disk_and_a_disk_above_the_limit_are_refused() {
        let (mut bytes, _) = stream(&disk());
        let result = receive(bytes.as_slice(), &tempfile::tempfile().unwrap(), LENGTH - 1);
        assert_eq!(result, Err(WorkFailure::WouldShrink { has_bytes: LENGTH, asked_bytes: LENGTH - 1 }));
        bytes[16..24].copy_from_slice(&(1_u64 << 60).to_le_bytes());
        let result = receive(bytes.as_slice(), &tempfile::tempfile().unwrap(), LENGTH);
        assert!(matches!(result, Err(WorkFailure::Transfer { .. })), "{result:?}");
    }

    #[test]
    fn an_empty_disk_of_holes_is_a_few_bytes() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 40).unwrap();
        let (bytes, carried) = stream(&file);
        assert_eq!(carried.bytes, 0);
        assert!(bytes.len() < 100);
    }
}
