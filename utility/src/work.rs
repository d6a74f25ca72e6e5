//! Carrying out the manager's orders on the pool. Each is idempotent; two orders for the same VM, or for the same
//! image, follow each other.

pub mod disks;
pub mod images;

use crate::kernel::arp::ArpSocket;
use crate::pool::Pool;
use crate::watch::Watches;
use crate::{configuration, lock, seed};
use grid::identity::TransferId;
use grid::work::{Image, Work, WorkDone, WorkFailure};
use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a watch listens before it looks whether to ask again.
const LISTEN: Duration = Duration::from_millis(5);

/// What brings bytes from and to the manager.
pub trait Carrier: fmt::Debug + Send + Sync {
    /// An image's bytes.
    fn image(&self, image: &Image) -> io::Result<Box<dyn Read>>;
    /// Sends a disk; ends well only when the other side has taken all of it.
    fn send(&self, transfer: TransferId, disk: &mut dyn Read) -> io::Result<()>;
    /// Receives a disk.
    fn receive(&self, transfer: TransferId) -> io::Result<Box<dyn Read>>;
}

/// Where the work is done.
#[derive(Debug)]
pub struct Workshop {
    pool: Pool,
    carrier: Arc<dyn Carrier>,
    customers: String,
    watches: Watches,
    places: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

impl Workshop {
    /// `customers`: the interface in the customers' network, by name or MAC.
    pub fn new(pool: Pool, carrier: Arc<dyn Carrier>, customers: String) -> Self {
        Self { pool, carrier, customers, watches: Watches::default(), places: Mutex::default() }
    }

    /// Carries out one order.
    pub fn carry_out(&self, work: &Work) -> Result<WorkDone, WorkFailure> {
        let place = self.place_of(work);
        let _alone = place.as_deref().map(lock);
        let (pool, carrier) = (&self.pool, self.carrier.as_ref());
        match work {
            Work::FetchImage { image } => images::fetch(pool, carrier, image),
            Work::CreateDisk { vm, image, size } => disks::create(pool, *vm, image, *size),
            Work::WriteSeed { vm, seed } => seed::write(pool, *vm, seed).map(|()| WorkDone::Done),
            Work::GrowDisk { vm, disk } => disks::grow(pool, *vm, disk.bytes()),
            Work::RecordSize { vm, size } => pool.record_put(*vm, *size, None).map(|()| WorkDone::Done),
            Work::CopyOut { vm, transfer } => disks::copy_out(pool, carrier, *vm, *transfer),
            Work::CopyIn { vm, transfer, size } => disks::copy_in(pool, carrier, *vm, *transfer, *size),
            Work::PrepareDisk { vm, bytes, size } => disks::prepare(pool, *vm, *bytes, *size),
            Work::Delete { vm } => pool.delete(*vm).map(|()| WorkDone::Done),
            Work::WatchStart { watch, address, every_ms } => {
                let open = || Ok(Box::new(self.socket()?) as Box<_>);
                self.watches.start(*watch, *address, Duration::from_millis(*every_ms), open).map(|()| WorkDone::Done)
            }
            Work::WatchStop { watch, deadline_ms } => self.watches.stop(*watch, Duration::from_millis(*deadline_ms)),
        }
    }

    fn socket(&self) -> io::Result<ArpSocket> {
        let interface = configuration::interface_name(&self.customers)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no interface in the customers' network"))?;
        ArpSocket::open(&interface, LISTEN)
    }

    /// What only one order at a time may touch.
    fn place_of(&self, work: &Work) -> Option<Arc<Mutex<()>>> {
        let name = match work {
            Work::FetchImage { image } => image.checksum.clone(),
            Work::CreateDisk { vm, .. }
            | Work::WriteSeed { vm, .. }
            | Work::GrowDisk { vm, .. }
            | Work::RecordSize { vm, .. }
            | Work::CopyOut { vm, .. }
            | Work::CopyIn { vm, .. }
            | Work::PrepareDisk { vm, .. }
            | Work::Delete { vm } => vm.to_string(),
            Work::WatchStart { .. } | Work::WatchStop { .. } => return None,
        };
        let mut places = lock(&self.places);
        places.retain(|_, place| Arc::strong_count(place) > 1);
        Some(Arc::clone(places.entry(name).or_default()))
    }
}
