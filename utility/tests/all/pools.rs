//! Pools in temporary folders, joined by a carrier in memory that can break.

use grid::identity::TransferId;
use grid::work::{Image, ImageFamily, Seed, Work, WorkDone, WorkFailure};
use grid::{Gib, Mib, Size, Vcpus, VmId};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use utility::disk_stream::hexadecimal;
use utility::pool::Pool;
use utility::work::{Carrier, Workshop};
use uuid::Uuid;

pub(crate) const CONTENT: usize = 300_000;

/// Carries in memory; what is sent can be received as often as wanted.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) images: Mutex<BTreeMap<String, Vec<u8>>>,
    pub(crate) sent: Mutex<BTreeMap<TransferId, Vec<u8>>>,
    /// Breaks off each stream after this many bytes.
    pub(crate) break_after: Mutex<Option<usize>>,
}

struct Breaking(Cursor<Vec<u8>>, Option<usize>);

impl Read for Breaking {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let at = usize::try_from(self.0.position()).unwrap();
        match self.1 {
            Some(end) if at >= end => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
            Some(end) => {
                let size = room.len().min(end - at);
                self.0.read(&mut room[..size])
            }
            None => self.0.read(room),
        }
    }
}

impl Carrier for Memory {
    fn image(&self, image: &Image) -> io::Result<Box<dyn Read>> {
        let bytes = self.images.lock().unwrap().get(&image.name).cloned();
        let bytes = bytes.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Box::new(Breaking(Cursor::new(bytes), *self.break_after.lock().unwrap())))
    }

    fn send(&self, transfer: TransferId, disk: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        disk.read_to_end(&mut bytes)?;
        self.sent.lock().unwrap().insert(transfer, bytes);
        Ok(())
    }

    fn receive(&self, transfer: TransferId) -> io::Result<Box<dyn Read>> {
        let bytes = self.sent.lock().unwrap().get(&transfer).cloned();
        let bytes = bytes.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Box::new(Breaking(Cursor::new(bytes), *self.break_after.lock().unwrap())))
    }
}

/// A node's pool and the workshop on it.
pub(crate) struct Node {
    pub(crate) folder: PathBuf,
    pub(crate) carrier: Arc<Memory>,
    pub(crate) workshop: Workshop,
}

impl Node {
    pub(crate) fn new(folder: &Path, carrier: &Arc<Memory>) -> Self {
        let pool = Pool::new(folder.to_owned());
        let workshop = Workshop::new(pool, Arc::clone(carrier) as Arc<_>, "eth1".to_owned());
        Self { folder: folder.to_owned(), carrier: Arc::clone(carrier), workshop }
    }

    pub(crate) fn pool(&self) -> Pool {
        Pool::new(self.folder.clone())
    }

    pub(crate) fn work(&self, work: Work) -> Result<WorkDone, WorkFailure> {
        self.workshop.carry_out(&work)
    }

    /// With an image fetched and a VM's disk made from it.
    pub(crate) fn with_vm(&self, vm: VmId, size: Size) -> Image {
        let image = offer_image(&self.carrier, "tiny");
        self.work(Work::FetchImage { image: image.clone() }).unwrap();
        self.work(Work::CreateDisk { vm, image: image.clone(), size }).unwrap();
        image
    }

    /// Every file of the pool with its content's checksum and its length.
    pub(crate) fn files(&self) -> BTreeMap<String, (String, u64)> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&self.folder).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, (hexadecimal(&Sha256::digest(start_of(&path))), path.metadata().unwrap().len()));
                }
            }
        }
        found
    }
}

/// A file's first mebibyte: the rest of the tests' disks is holes.
pub(crate) fn start_of(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).unwrap().take(1 << 20).read_to_end(&mut bytes).unwrap();
    bytes
}

pub(crate) fn offer_image(carrier: &Memory, name: &str) -> Image {
    let mut bytes: Vec<u8> = (0..CONTENT).map(|index| u8::try_from(index % 251).unwrap()).collect();
    bytes[100_000..220_000].fill(0);
    let checksum = hexadecimal(&Sha256::digest(&bytes));
    let image = Image { name: name.to_owned(), family: ImageFamily::Disk, checksum, bytes: bytes.len() as u64 };
    carrier.images.lock().unwrap().insert(name.to_owned(), bytes);
    image
}

pub(crate) fn vm(number: u128) -> VmId {
    VmId(Uuid::from_u128(number))
}

pub(crate) fn transfer(number: u128) -> TransferId {
    TransferId(Uuid::from_u128(number))
}

pub(crate) fn size(disk: u64) -> Size {
    Size::new(Vcpus(1), Mib(256), Gib(disk))
}

pub(crate) fn seed(family: ImageFamily) -> Seed {
    Seed {
        family,
        host_name: "web-1".to_owned(),
        keys: vec!["ssh-ed25519 AAAA me".to_owned()],
        mac: "52:54:00:00:00:01".to_owned(),
        address: Ipv4Addr::new(10, 77, 1, 5),
        prefix_length: 16,
        gateway: Some(Ipv4Addr::new(10, 77, 0, 1)),
        name_servers: Vec::new(),
    }
}
