//! The images that the manager serves: guests' by family, and what utility VMs boot.
//!
//! ```text
//!   DIR/disk/NAME.raw    bootable disks            DIR/utility/vmlinuz   kernel of utility VMs
//!   DIR/root/NAME.raw    roots of containers       DIR/utility/initrd    their initramfs
//!                                                  DIR/utility/root.raw  root of utility containers
//! ```
//!
//! Checksums are computed once and kept beside the image, in `NAME.raw.sha256`, with the size and the time that they
//! are good for. An image that is replaced while the manager runs is known after its next start; until then nobody
//! takes it, for its checksum is wrong.

use super::keys::hexadecimal;
use grid::work::{Image, ImageFamily};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Images as they were found at the start.
#[derive(Clone, Debug)]
pub struct ImageLibrary {
    folder: PathBuf,
    images: Vec<Image>,
}

/// What utility VMs and containers boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UtilityFiles {
    pub kernel: PathBuf,
    pub initrd: PathBuf,
    pub root: PathBuf,
}

impl ImageLibrary {
    /// Looks what is in the folder; reads every image whose checksum isn't known. A folder that is not there holds
    /// no images.
    pub async fn open(folder: PathBuf) -> io::Result<Self> {
        tokio::task::spawn_blocking(|| Self::read(folder)).await.map_err(io::Error::other)?
    }

    fn read(folder: PathBuf) -> io::Result<Self> {
        let mut images = Vec::new();
        for family in [ImageFamily::Disk, ImageFamily::Root] {
            let entries = match fs::read_dir(folder.join(family.as_str())) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let file = entry?.file_name();
                let Some(name) = file.to_str().and_then(|file| file.strip_suffix(".raw")) else { continue };
                if !is_name(name) {
                    tracing::warn!(name, "an image is left out: its name has other than letters, digits and ._-");
                    continue;
                }
                let path = path_of(&folder, family, name);
                let bytes = fs::metadata(&path)?.len();
                images.push(Image { name: name.to_owned(), family, checksum: checksum(&path)?, bytes });
            }
        }
        images.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { folder, images })
    }

    /// The images of a family, by name.
    pub fn list(&self, family: ImageFamily) -> Vec<Image> {
        self.images.iter().filter(|image| image.family == family).cloned().collect()
    }

    pub fn find(&self, family: ImageFamily, name: &str) -> Option<Image> {
        self.images.iter().find(|image| image.family == family && image.name == name).cloned()
    }

    /// Where an image is.
    pub fn path(&self, image: &Image) -> PathBuf {
        path_of(&self.folder, image.family, &image.name)
    }

    /// Where the utility VMs' files are, whether they are there or not.
    pub fn utility_files(&self) -> UtilityFiles {
        let folder = self.folder.join("utility");
        UtilityFiles { kernel: folder.join("vmlinuz"), initrd: folder.join("initrd"), root: folder.join("root.raw") }
    }
}

/// The names that a utility module takes for a file: letters, digits, `.`, `_` and `-`, at most 100, no leading `.`.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=100).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('.')
}

fn path_of(folder: &Path, family: ImageFamily, name: &str) -> PathBuf {
    folder.join(family.as_str()).join(format!("{name}.raw"))
}

/// The file's SHA-256: the one beside it where it is of this size and time, else read anew and put there.
fn checksum(path: &Path) -> io::Result<String> {
    let metadata = fs::metadata(path)?;
    let changed = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let good_for = format!("{} {changed}", metadata.len());
    let side = path.with_extension("raw.sha256");
    let kept = fs::read_to_string(&side).unwrap_or_default();
    if let Some((checksum, state)) = kept.trim().split_once(' ')
        && state == good_for
        && checksum.len() == 64
    {
        return Ok(checksum.to_owned());
    }
    let checksum = read_checksum(path)?;
    if let Err(error) = fs::write(&side, format!("{checksum} {good_for}\n")) {
        tracing::warn!(%error, file = %side.display(), "a checksum could not be kept; it is computed at each start");
    }
    Ok(checksum)
}

fn read_checksum(path: &Path) -> io::Result<String> {
    let (mut file, mut digest, mut piece) = (File::open(path)?, Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hexadecimal(&digest.finalize())),
            size => digest.update(&piece[..size]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    #[tokio::test]
    async fn images_are_found_by_family_and_name_with_their_checksums() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("disk")).unwrap();
        fs::write(folder.path().join("disk/tiny.raw"), "hello").unwrap();
        fs::write(folder.path().join("disk/a b.raw"), "left out").unwrap();
        fs::write(folder.path().join("disk/notes.txt"), "no image").unwrap();
        let library = ImageLibrary::open(folder.path().to_owned()).await.unwrap();
        let image = library.find(ImageFamily::Disk, "tiny").unwrap();
        assert_eq!((image.checksum.as_str(), image.bytes), (HELLO, 5));
        assert_eq!(library.list(ImageFamily::Disk), [image]);
        assert_eq!(library.find(ImageFamily::Root, "tiny"), None);
    }

    #[tokio::test]
    async fn a_kept_checksum_is_used_until_the_image_changes() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("root")).unwrap();
        let (path, side) = (folder.path().join("root/tiny.raw"), folder.path().join("root/tiny.raw.sha256"));
        fs::write(&path, "hello").unwrap();
        assert_eq!(checksum(&path).unwrap(), HELLO);
        let forged = fs::read_to_string(&side).unwrap().replace(HELLO, &"0".repeat(64));
        fs::write(&side, forged).unwrap();
        assert_eq!(checksum(&path).unwrap(), "0".repeat(64), "not read again");
        fs::write(&path, "hello, you").unwrap();
        assert_ne!(checksum(&path).unwrap(), "0".repeat(64));
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_holds_no_images() {
        let library = ImageLibrary::open(PathBuf::from("/nonexistent")).await.unwrap();
        assert!(library.list(ImageFamily::Disk).is_empty());
    }
}
