//! Where the databases are: on a disk, and what that disk is like.

use crate::Failure;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Writes to a disk that are timed.
const WRITES: u32 = 200;

/// A folder of the bench's own that goes with it, under the target folder; never on tmpfs.
pub(crate) fn place() -> Result<tempfile::TempDir, Failure> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    fs::create_dir_all(&target)?;
    let place = tempfile::Builder::new().prefix("bench-operations-").tempdir_in(target.canonicalize()?)?;
    match file_system(place.path())?.as_str() {
        "tmpfs" | "ramfs" => Err(format!("{} is in memory: nothing is durable there", place.path().display()).into()),
        _ => Ok(place),
    }
}

/// The type of the file system that this folder is on.
pub(crate) fn file_system(folder: &Path) -> Result<String, Failure> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let mut found = (0, String::from("unknown"));
    for line in mounts.lines() {
        let mut words = line.split(' ').skip(1);
        let (Some(at), Some(kind)) = (words.next(), words.next()) else { continue };
        // Of two on one place the later lies above.
        if folder.starts_with(at) && at.len() >= found.0 {
            found = (at.len(), kind.to_owned());
        }
    }
    Ok(found.1)
}

/// What a small write takes until it is on the disk, in milliseconds, on average.
pub(crate) fn fsync_ms(folder: &Path) -> Result<f64, Failure> {
    let path = folder.join("written");
    let mut file = File::create(&path)?;
    let began = Instant::now();
    for _ in 0..WRITES {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
    }
    let took = began.elapsed();
    fs::remove_file(path)?;
    Ok(took.as_secs_f64() * 1000.0 / f64::from(WRITES))
}

/// Copies a store's folder, and has the copy on the disk.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<PathBuf, Failure> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copied = to.join(entry.file_name());
        fs::copy(entry.path(), &copied)?;
        File::open(&copied)?.sync_all()?;
    }
    Ok(to.to_owned())
}
