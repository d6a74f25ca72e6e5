//! Files that are there whole or not at all: written under a temporary name, brought to the disk, then renamed.

use grid::work::WorkFailure;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// How the temporary names begin.
const PARTIAL: &str = ".partial-";

/// Who may read a file. A container's root, whose ids are shifted, reads as anybody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    Owner,
    Everybody,
}

/// A file on its way: removed again unless it is kept.
#[derive(Debug)]
pub struct Partial {
    file: File,
    path: PathBuf,
    target: PathBuf,
    kept: bool,
}

impl Partial {
    /// Begins the file that will be `target`; what an earlier attempt left is gone.
    pub fn create(target: &Path, readers: Readers) -> io::Result<Self> {
        let name = target.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut partial = OsString::from(PARTIAL);
        partial.push(name);
        let path = target.with_file_name(partial);
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mode = if readers == Readers::Everybody { 0o644 } else { 0o600 };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(mode).open(&path)?;
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        Ok(Self { file, path, target: target.to_owned(), kept: false })
    }

    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Brings it to the disk and gives it its name, in place of what had it.
    pub fn keep(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, &self.target)?;
        self.kept = true;
        sync_folder_of(&self.target)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Writes a small file whole.
pub fn write_whole(target: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let partial = Partial::create(target, readers)?;
    partial.file().write_all(bytes)?;
    partial.keep()
}

/// Removes a file or a folder with all in it; one that is not there is no error.
pub fn remove(path: &Path) -> io::Result<()> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_folder_of(path),
    }
}

/// Removes what attempts that were cut off have left in `folder` and below.
pub fn remove_partials(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let left_over = entry.file_name().to_string_lossy().starts_with(PARTIAL);
        if left_over {
            remove(&entry.path())?;
        } else if entry.file_type()?.is_dir() && entry.file_name() != "lost+found" {
            remove_partials(&entry.path())?;
        }
    }
    Ok(())
}

/// The bytes that a file really takes.
pub fn real_bytes(metadata: &std::fs::Metadata) -> u64 {
    metadata.blocks().saturating_mul(512)
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// What a failed file operation means for the work.
pub fn failure(error: io::Error) -> WorkFailure {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => WorkFailure::PoolFull,
        _ => WorkFailure::Io { reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_kept_leaves_the_old_one_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        write_whole(&target, b"old", Readers::Owner).unwrap();
        let partial = Partial::create(&target, Readers::Owner).unwrap();
        partial.file().write_all(b"new").unwrap();
        drop(partial);
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_cut_off_is_removed_at_the_start_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("images/disk");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(below.join(".partial-x"), "x").unwrap();
        std::fs::write(below.join("y"), "y").unwrap();
        remove_partials(folder.path()).unwrap();
        let names: Vec<_> = std::fs::read_dir(&below).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["y"]);
    }

    #[test]
    fn removing_twice_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d");
        std::fs::create_dir_all(path.join("e")).unwrap();
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
    }
}
