//! The wire between the manager and a utility module: enrolment, work orders, and their answers. JSON over HTTP;
//! the module calls, the manager answers.
//!
//! ```text
//!   POST /utility/enrol        Enrolment          -> Enrolled        (one-time token, given at the module's start)
//!   POST /utility/report       UtilitySample      -> 204             (Authorization: Bearer KEY, as all below)
//!   POST /utility/work?wait=S  Vec<WorkAnswer>    -> Vec<WorkOrder>  (waits up to S seconds for work)
//!   GET  /utility/images/FAMILY/NAME              -> the image's bytes
//!   PUT  /utility/transfers/ID                    <- a disk's chunks, read by the GET of the same ID
//!   GET  /utility/transfers/ID                    -> a disk's chunks
//! ```
//!
//! Every order is idempotent: carried out twice it leaves what once leaves. An answer is repeated until the manager
//! has taken it; an order is repeated until its answer is there.

use crate::identity::{TransferId, WorkId};
use crate::{Gib, NodeId, Size, VmId};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// The first word of a utility module.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enrolment {
    /// One-time; from the kernel's command line or the container's environment.
    pub token: String,
    pub boot_id: String,
    pub version: String,
}

/// The answer: the module's own key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enrolled {
    pub key: String,
    pub node: NodeId,
}

/// A piece of work for a utility module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkOrder {
    pub id: WorkId,
    pub work: Work,
}

/// What to do. Files in the pool: `images/FAMILY/NAME-CHECKSUM.raw`, `VM.raw` (disk), `VM.seed` (vfat seed) or
/// `seeds/VM/` (directory seed), `VM.json` (what was deployed).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Work {
    /// Fetch an image from the manager and check its checksum; kept in the pool.
    FetchImage { image: Image },
    /// Make a VM's disk from an image that the pool holds, of this virtual size. Records the VM as deployed.
    CreateDisk { vm: VmId, image: Image, size: Size },
    /// Write the VM's NoCloud configuration seed.
    WriteSeed { vm: VmId, seed: Seed },
    /// Make a stopped VM's disk this large; never smaller.
    GrowDisk { vm: VmId, disk: Gib },
    /// Record the size that the VM now has.
    RecordSize { vm: VmId, size: Size },
    /// Send the VM's disk through the manager.
    CopyOut { vm: VmId, transfer: TransferId },
    /// Receive a VM's disk through the manager and give it this virtual size; into a partial file, renamed when the
    /// checksum is right.
    CopyIn { vm: VmId, transfer: TransferId, size: Size },
    /// Make an empty disk of this size in bytes, for a live move to fill.
    PrepareDisk { vm: VmId, bytes: u64, size: Size },
    /// Remove all that the pool holds of the VM.
    Delete { vm: VmId },
    /// Ask by ARP on the customers' network, every `every_ms`, whether the address answers, until told to stop.
    WatchStart { watch: WorkId, address: Ipv4Addr, every_ms: u64 },
    /// Wait until the watched address has answered once more, at most `deadline_ms`, and then stop in any case; tell what
    /// was seen, or that it gave no answer.
    WatchStop { watch: WorkId, deadline_ms: u64 },
}

/// An image that the manager serves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Image {
    pub name: String,
    pub family: ImageFamily,
    /// SHA-256, lower-case hexadecimal.
    pub checksum: String,
    pub bytes: u64,
}

/// What form a kind's images and seeds have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageFamily {
    /// A bootable raw disk; the seed is a vfat file system labelled `CIDATA`.
    Disk,
    /// A raw file system holding a container's root; the seed is a directory.
    Root,
}

impl ImageFamily {
    pub const fn of(kind: crate::HypervisorKind) -> Self {
        if kind.is_container() { Self::Root } else { Self::Disk }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Root => "root",
        }
    }
}

/// A VM's first configuration, in the terms of cloud-init's NoCloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    pub family: ImageFamily,
    pub host_name: String,
    pub keys: Vec<String>,
    pub mac: String,
    pub address: Ipv4Addr,
    pub prefix_length: u8,
    pub gateway: Option<Ipv4Addr>,
    #[serde(default)]
    pub name_servers: Vec<Ipv4Addr>,
}

/// How a piece of work ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkAnswer {
    pub id: WorkId,
    pub outcome: Result<WorkDone, WorkFailure>,
    /// Time that the module spent on it.
    pub took_ms: u64,
}

/// What there is to say about finished work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkDone {
    Done,
    /// Bytes that were carried (holes not counted) and the checksum of the whole disk.
    Copied {
        bytes: u64,
        checksum: String,
    },
    /// The longest time without an answer between two answers, and how many asks and answers there were.
    Watched {
        longest_gap_ms: u64,
        asked: u64,
        answered: u64,
    },
}

/// Why work failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum WorkFailure {
    #[error("the pool is full")]
    PoolFull,
    #[error("the checksum is {found}, not {expected}")]
    Checksum { expected: String, found: String },
    #[error("the VM's disk is not in the pool")]
    NoDisk,
    #[error("the image is not in the pool")]
    NoImage,
    #[error("a disk never shrinks: it has {has_bytes} bytes, asked {asked_bytes}")]
    WouldShrink { has_bytes: u64, asked_bytes: u64 },
    #[error("the address gave no answer in time")]
    NoAnswer,
    #[error("the transfer broke off: {reason}")]
    Transfer { reason: String },
    #[error("{reason}")]
    Io { reason: String },
}
