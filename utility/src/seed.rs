//! A VM's first configuration as cloud-init's NoCloud expects it: the files `meta-data`, `user-data` and
//! `network-config`, in a vfat image labelled `CIDATA` for a VM that boots a disk, in a folder for a container.
//!
//! What customers gave (keys, host name) is hostile: it is checked, and written as quoted JSON strings of plain
//! ASCII, which every YAML reader takes as text.

use crate::files::{self, Readers, failure};
use crate::kernel::arp::parse_mac;
use crate::pool::Pool;
use grid::VmId;
use grid::vm::is_host_name;
use grid::work::{ImageFamily, Seed, WorkFailure};
use std::fmt::Write as _;
use std::io::{self, Cursor, Write as _};

/// The vfat image's size: the smallest that every system takes.
const BYTES: usize = 1 << 20;

/// The three files, by name.
pub type Documents = [(&'static str, String); 3];

/// Writes the seed of a VM into the pool.
pub fn write(pool: &Pool, vm: VmId, seed: &Seed) -> Result<(), WorkFailure> {
    let documents = documents(vm, seed)?;
    match seed.family {
        ImageFamily::Disk => {
            let image = vfat(&documents).map_err(failure)?;
            files::write_whole(&pool.seed_file(vm), &image, Readers::Owner).map_err(failure)
        }
        ImageFamily::Root => {
            let folder = pool.seed_folder(vm);
            documents.iter().try_for_each(|(name, text)| {
                files::write_whole(&folder.join(name), text.as_bytes(), Readers::Everybody).map_err(failure)
            })
        }
    }
}

/// The seed's text; refuses what can't be one.
pub fn documents(vm: VmId, seed: &Seed) -> Result<Documents, WorkFailure> {
    let refuse = |what: &str| Err(WorkFailure::Io { reason: format!("the seed's {what} makes no sense") });
    if !is_host_name(&seed.host_name) {
        return refuse("host name");
    }
    if parse_mac(&seed.mac).is_none() {
        return refuse("MAC");
    }
    if seed.prefix_length > 32 {
        return refuse("prefix length");
    }
    let keys: Vec<&str> = seed.keys.iter().map(|key| key.trim()).filter(|key| !key.is_empty()).collect();
    if keys.iter().any(|key| key.chars().any(char::is_control)) {
        return refuse("key");
    }
    let meta = format!("instance-id: {}\nlocal-hostname: {}\n", quoted(&vm.to_string()), quoted(&seed.host_name));
    let mut user = format!("#cloud-config\nhostname: {}\n", quoted(&seed.host_name));
    if !keys.is_empty() {
        user.push_str("ssh_authorized_keys:\n");
        for key in keys {
            let _ = writeln!(user, "  - {}", quoted(key));
        }
    }
    Ok([("meta-data", meta), ("user-data", user), ("network-config", network(seed))])
}

fn network(seed: &Seed) -> String {
    let mut text = format!(
        "version: 2\nethernets:\n  id0:\n    match:\n      macaddress: {}\n    dhcp4: false\n    addresses:\n      - {}/{}\n",
        quoted(&seed.mac.to_ascii_lowercase()),
        seed.address,
        seed.prefix_length
    );
    if let Some(gateway) = seed.gateway {
        let _ = writeln!(text, "    gateway4: {gateway}");
    }
    if !seed.name_servers.is_empty() {
        text.push_str("    nameservers:\n      addresses:\n");
        for server in &seed.name_servers {
            let _ = writeln!(text, "        - {server}");
        }
    }
    text
}

/// A JSON string in ASCII, which is a YAML one too.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            ' '..='~' => quoted.push(character),
            other => other.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                let _ = write!(quoted, "\\u{unit:04x}");
            }),
        }
    }
    quoted.push('"');
    quoted
}

fn vfat(documents: &Documents) -> io::Result<Vec<u8>> {
    let mut image = Cursor::new(vec![0; BYTES]);
    let label = *b"CIDATA     ";
    fatfs::format_volume(&mut image, fatfs::FormatVolumeOptions::new().volume_label(label).volume_id(0x4847_5344))?;
    image.set_position(0);
    let volume = fatfs::FileSystem::new(&mut image, fatfs::FsOptions::new())?;
    for (name, text) in documents {
        volume.root_dir().create_file(name)?.write_all(text.as_bytes())?;
    }
    volume.unmount()?;
    Ok(image.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::Ipv4Addr;

    fn seed() -> Seed {
        Seed {
            family: ImageFamily::Disk,
            host_name: "web-1".to_owned(),
            keys: vec!["ssh-ed25519 AAAA me@here".to_owned(), String::new()],
            mac: "52:54:00:AB:00:01".to_owned(),
            address: Ipv4Addr::new(10, 77, 1, 5),
            prefix_length: 16,
            gateway: None,
            name_servers: Vec::new(),
        }
    }

    #[test]
    fn the_documents_are_the_simple_block_style() {
        let [meta, user, network] = documents(VmId(uuid::Uuid::nil()), &seed()).unwrap();
        assert_eq!(meta.1, "instance-id: \"00000000-0000-0000-0000-000000000000\"\nlocal-hostname: \"web-1\"\n");
        assert_eq!(
            user.1,
            "#cloud-config\nhostname: \"web-1\"\nssh_authorized_keys:\n  - \"ssh-ed25519 AAAA me@here\"\n"
        );
        assert_eq!(
            network.1,
            "version: 2\nethernets:\n  id0:\n    match:\n      macaddress: \"52:54:00:ab:00:01\"\n    dhcp4: false\n    \
             addresses:\n      - 10.77.1.5/16\n"
        );
    }

    #[test]
    fn a_guest_is_told_its_way_out_and_whom_to_ask_for_names() {
        let mut seed = seed();
        seed.gateway = Some(Ipv4Addr::new(10, 77, 0, 1));
        seed.name_servers = vec![Ipv4Addr::new(10, 77, 0, 2), Ipv4Addr::new(10, 77, 0, 3)];
        let [_, _, network] = documents(VmId(uuid::Uuid::nil()), &seed).unwrap();
        let ways =
            "    gateway4: 10.77.0.1\n    nameservers:\n      addresses:\n        - 10.77.0.2\n        - 10.77.0.3\n";
        assert!(network.1.ends_with(ways), "{}", network.1);
    }

    #[test]
    fn a_hostile_key_stays_one_quoted_string() {
        let key = "ssh-rsa AAAA \"\\: - {x}\u{2028}\u{1f600}#";
        let mut seed = seed();
        seed.keys = vec![key.to_owned()];
        let [_, user, _] = documents(VmId(uuid::Uuid::nil()), &seed).unwrap();
        let line = user.1.lines().last().unwrap().strip_prefix("  - ").unwrap();
        assert!(line.is_ascii());
        assert_eq!(serde_json::from_str::<String>(line).unwrap(), key);
    }

    #[test]
    fn what_can_be_no_seed_is_refused() {
        let wrong: [fn(&mut Seed); 5] = [
            |seed| seed.host_name = "../x".to_owned(),
            |seed| seed.host_name = "a\nruncmd: [x]".to_owned(),
            |seed| seed.mac = "x".to_owned(),
            |seed| seed.prefix_length = 33,
            |seed| seed.keys = vec!["a\nruncmd:".to_owned()],
        ];
        for change in wrong {
            let mut seed = seed();
            change(&mut seed);
            assert!(documents(VmId(uuid::Uuid::nil()), &seed).is_err(), "{seed:?}");
        }
    }

    #[test]
    fn the_image_is_a_vfat_labelled_cidata_with_the_three_files() {
        let documents = documents(VmId(uuid::Uuid::nil()), &seed()).unwrap();
        let image = vfat(&documents).unwrap();
        let volume = fatfs::FileSystem::new(Cursor::new(image), fatfs::FsOptions::new()).unwrap();
        assert_eq!(volume.volume_label(), "CIDATA");
        assert_eq!(volume.read_volume_label_from_root_dir().unwrap().as_deref(), Some("CIDATA"));
        for (name, text) in documents {
            let mut read = String::new();
            volume.root_dir().open_file(name).unwrap().read_to_string(&mut read).unwrap();
            assert_eq!(read, text);
        }
    }
}
