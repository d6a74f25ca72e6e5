//! The node's pool as a folder: where everything is in it, and what there is.
//!
//! Every path is made from a UUID or from a checked name, so that none leads out of the pool.

use crate::files::{self, Readers, failure};
use crate::kernel;
use grid::identity::TransferId;
use grid::sample::{DeployedVm, DiskSample, ImageSample, PoolSample};
use grid::work::{Image, ImageFamily, WorkFailure};
use grid::{Size, VmId};
use serde::{Deserialize, Serialize};
use std::fs::{DirEntry, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The pool's folder.
#[derive(Clone, Debug)]
pub struct Pool {
    root: PathBuf,
}

/// `VM.json`: that the VM was deployed here, with which size, and by which transfer its disk came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    #[serde(flatten)]
    pub deployed: DeployedVm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrived: Option<Arrival>,
}

/// The transfer by which a disk came, so that the same order again has the same answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    pub transfer: TransferId,
    pub bytes: u64,
    pub checksum: String,
}

impl Pool {
    pub const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn disk(&self, vm: VmId) -> PathBuf {
        self.root.join(format!("{vm}.raw"))
    }

    pub fn seed_file(&self, vm: VmId) -> PathBuf {
        self.root.join(format!("{vm}.seed"))
    }

    pub fn seed_folder(&self, vm: VmId) -> PathBuf {
        self.root.join("seeds").join(vm.to_string())
    }

    fn record_file(&self, vm: VmId) -> PathBuf {
        self.root.join(format!("{vm}.json"))
    }

    /// Where an image is; refuses a name or a checksum that isn't one.
    pub fn image(&self, image: &Image) -> Result<PathBuf, WorkFailure> {
        if !is_image_name(&image.name) || !is_checksum(&image.checksum) {
            return Err(WorkFailure::Io { reason: "not an image's name and checksum".to_owned() });
        }
        let file = format!("{}-{}.raw", image.name, image.checksum);
        Ok(self.root.join("images").join(image.family.as_str()).join(file))
    }

    pub fn record(&self, vm: VmId) -> Option<Record> {
        let text = std::fs::read(self.record_file(vm)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Records the VM as deployed with this size; how its disk came stays as it is unless told anew.
    pub fn record_put(&self, vm: VmId, size: Size, arrived: Option<Arrival>) -> Result<(), WorkFailure> {
        let old = self.record(vm);
        let arrived = arrived.or_else(|| old.as_ref().and_then(|old| old.arrived.clone()));
        let new = Record { deployed: DeployedVm { vm, size }, arrived };
        if old.as_ref() == Some(&new) {
            return Ok(());
        }
        let text = serde_json::to_vec(&new).map_err(|error| failure(error.into()))?;
        files::write_whole(&self.record_file(vm), &text, Readers::Owner).map_err(failure)
    }

    /// Removes all that there is of the VM.
    pub fn delete(&self, vm: VmId) -> Result<(), WorkFailure> {
        let known = [self.disk(vm), self.seed_file(vm), self.seed_folder(vm), self.record_file(vm)];
        for path in known.into_iter().chain(self.consoles(vm).map_err(failure)?) {
            files::remove(&path).map_err(failure)?;
        }
        Ok(())
    }

    /// What the VM said on its console: `VM.console`, and `VM.console.0` and so on where it was cut.
    fn consoles(&self, vm: VmId) -> io::Result<Vec<PathBuf>> {
        let name = format!("{vm}.console");
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.root)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|file| file.starts_with(&name)) {
                found.push(entry.path());
            }
        }
        Ok(found)
    }

    /// Capacity and free space.
    pub fn space(&self) -> io::Result<PoolSample> {
        let space = kernel::space(&self.root)?;
        Ok(PoolSample { capacity_mib: space.capacity >> 20, free_mib: space.free >> 20 })
    }

    /// How long a synchronous write of 4 KiB takes, always to the same place: it needs no room after the first.
    pub fn write_latency(&self) -> io::Result<Duration> {
        let path = self.root.join(".latency");
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).custom_flags(libc::O_DSYNC).open(path)?;
        let begin = Instant::now();
        file.write_all_at(&[0x48; 4096], 0)?;
        Ok(begin.elapsed())
    }

    /// The VMs' disks.
    pub fn disks(&self) -> io::Result<Vec<DiskSample>> {
        let mut disks = Vec::new();
        for (vm, entry) in self.of_vms("raw")? {
            let Ok(metadata) = entry.metadata() else { continue };
            disks.push(DiskSample { vm, virtual_bytes: metadata.len(), real_bytes: files::real_bytes(&metadata) });
        }
        Ok(disks)
    }

    /// The VMs that were deployed here.
    pub fn deployed(&self) -> io::Result<Vec<DeployedVm>> {
        let records = self.of_vms("json")?.into_iter();
        Ok(records.filter_map(|(vm, _)| self.record(vm)).map(|record| record.deployed).collect())
    }

    /// The images held, with the checksums that they had when they came.
    pub fn images(&self) -> io::Result<Vec<ImageSample>> {
        let mut images = Vec::new();
        for family in [ImageFamily::Disk, ImageFamily::Root] {
            let entries = match std::fs::read_dir(self.root.join("images").join(family.as_str())) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let Some((name, checksum)) = entry.file_name().to_str().and_then(image_of_file) else { continue };
                images.push(ImageSample { name, checksum, bytes: entry.metadata()?.len() });
            }
        }
        Ok(images)
    }

    fn of_vms(&self, extension: &str) -> io::Result<Vec<(VmId, DirEntry)>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name();
            let vm = name.to_str().and_then(|name| name.strip_suffix(extension)?.strip_suffix('.')?.parse().ok());
            if let Some(vm) = vm {
                found.push((vm, entry));
            }
        }
        found.sort_by_key(|(vm, _)| *vm);
        Ok(found)
    }
}

/// Whether a name can stand in a file's: letters, digits, `.`, `_` and `-`, at most 100, and no leading `.`.
pub fn is_image_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=100).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('.')
}

/// Whether this is a SHA-256 in lower-case hexadecimal.
pub fn is_checksum(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn image_of_file(file: &str) -> Option<(String, String)> {
    let (name, checksum) = file.strip_suffix(".raw")?.rsplit_once('-')?;
    (is_image_name(name) && is_checksum(checksum)).then(|| (name.to_owned(), checksum.to_owned()))
}
