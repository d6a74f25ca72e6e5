//! What `virt` doesn't wrap, made safe: the bulk statistics' values, the node's CPU times, a job's figures
//! and its abort, a container's init process.
//!
//! Beside `events` the only file with `unsafe`. Each function takes a live [`Connect`] or [`Domain`], whose pointer is valid
//! as long as the reference, and frees what libvirt allocated before it returns.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_int, c_uint};
use std::ptr;
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::Error;
use virt_sys as sys;

/// One domain's statistics: libvirt's field names with their values where they are numbers.
#[derive(Debug)]
pub(super) struct DomainStatistics {
    pub(super) uuid: uuid::Uuid,
    pub(super) fields: BTreeMap<String, u64>,
}

impl DomainStatistics {
    pub(super) fn get(&self, field: &str) -> Option<u64> {
        self.fields.get(field).copied()
    }

    /// The sum over a numbered group: `sum("block", "capacity")` adds all `block.N.capacity`.
    pub(super) fn sum(&self, group: &str, field: &str) -> u64 {
        let count = self.get(&format!("{group}.count")).unwrap_or(0).min(1024);
        let values = (0..count).filter_map(|n| self.get(&format!("{group}.{n}.{field}")));
        values.fold(0, u64::saturating_add)
    }
}

/// The statistics of all domains by one call.
pub(super) fn all_domain_statistics(
    connection: &Connect,
    groups: c_uint,
    flags: c_uint,
) -> Result<Vec<DomainStatistics>, Error> {
    let mut records: *mut sys::virDomainStatsRecordPtr = ptr::null_mut();
    // SAFETY: the connection is valid; libvirt writes a list of its own to `records`.
    let count = unsafe { sys::virConnectGetAllDomainStats(connection.as_ptr(), groups, &raw mut records, flags) };
    let Ok(count) = usize::try_from(count) else { return Err(Error::last_error()) };
    let mut all = Vec::with_capacity(count);
    for index in 0..count {
        // SAFETY: libvirt promises `count` valid records, each with `nparams` parameters and a valid domain.
        unsafe {
            let record = *records.add(index);
            all.push(DomainStatistics {
                uuid: domain_uuid((*record).dom),
                fields: numbers((*record).params, (*record).nparams),
            });
        }
    }
    // SAFETY: the list is libvirt's own and is not used after this.
    unsafe { sys::virDomainStatsRecordListFree(records) };
    Ok(all)
}

/// # Safety
///
/// `domain` is valid.
unsafe fn domain_uuid(domain: sys::virDomainPtr) -> uuid::Uuid {
    let mut bytes = [0_u8; 16];
    // SAFETY: libvirt writes VIR_UUID_BUFLEN = 16 bytes; where it fails they stay zero.
    unsafe { sys::virDomainGetUUID(domain, bytes.as_mut_ptr()) };
    uuid::Uuid::from_bytes(bytes)
}

/// # Safety
///
/// `parameters` points to `count` valid parameters.
unsafe fn numbers(parameters: sys::virTypedParameterPtr, count: c_int) -> BTreeMap<String, u64> {
    let mut fields = BTreeMap::new();
    for index in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: the index is below `count`; the type says which part of the union is set.
        unsafe {
            let parameter = &*parameters.add(index);
            let value = match c_uint::try_from(parameter.type_).unwrap_or(0) {
                sys::VIR_TYPED_PARAM_INT => u64::try_from(parameter.value.i).ok(),
                sys::VIR_TYPED_PARAM_UINT => Some(u64::from(parameter.value.ui)),
                sys::VIR_TYPED_PARAM_LLONG => u64::try_from(parameter.value.l).ok(),
                sys::VIR_TYPED_PARAM_ULLONG => Some(parameter.value.ul),
                _ => None,
            };
            if let Some(value) = value {
                fields.insert(field_name(&parameter.field), value);
            }
        }
    }
    fields
}

/// The text before the terminating zero of a fixed field.
fn field_name(field: &[c_char]) -> String {
    let bytes: Vec<u8> = field.iter().map(|it| it.to_ne_bytes()[0]).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// CPU time of the whole node since its start, in nanoseconds, by libvirt's names (`user`, `kernel`, `idle`, …).
pub(super) fn node_cpu_times(connection: &Connect) -> Result<BTreeMap<String, u64>, Error> {
    let all = sys::VIR_NODE_CPU_STATS_ALL_CPUS;
    let entries = named_values(sys::virNodeCPUStats { field: [0; 80], value: 0 }, |buffer, count| {
        // SAFETY: `named_values` gives no buffer, or one with room for `count` entries.
        unsafe { sys::virNodeGetCPUStats(connection.as_ptr(), all, buffer, count, 0) }
    })?;
    Ok(entries.iter().map(|entry| (field_name(&entry.field), entry.value)).collect())
}

/// Memory of the whole node, in KiB, by libvirt's names (`total`, `free`, `cached`, …).
pub(super) fn node_memory(connection: &Connect) -> Result<BTreeMap<String, u64>, Error> {
    let all = sys::VIR_NODE_MEMORY_STATS_ALL_CELLS;
    let entries = named_values(sys::virNodeMemoryStats { field: [0; 80], value: 0 }, |buffer, count| {
        // SAFETY: `named_values` gives no buffer, or one with room for `count` entries.
        unsafe { sys::virNodeGetMemoryStats(connection.as_ptr(), all, buffer, count, 0) }
    })?;
    Ok(entries.iter().map(|entry| (field_name(&entry.field), entry.value)).collect())
}

/// The way in which libvirt tells lists of named values: asked without a buffer it says how many there are; asked again
/// it writes at most that many and says how many.
fn named_values<T: Clone>(empty: T, ask: impl Fn(*mut T, *mut c_int) -> c_int) -> Result<Vec<T>, Error> {
    let mut count: c_int = 0;
    if ask(ptr::null_mut(), &raw mut count) < 0 {
        return Err(Error::last_error());
    }
    let length = usize::try_from(count).unwrap_or(0).min(64);
    let mut entries = vec![empty; length];
    let mut filled = c_int::try_from(length).unwrap_or(0);
    if ask(entries.as_mut_ptr(), &raw mut filled) < 0 {
        return Err(Error::last_error());
    }
    entries.truncate(usize::try_from(filled).unwrap_or(0));
    Ok(entries)
}

/// What a domain's job has done, by libvirt's names (`data_processed`, `memory_iteration`, …): of the one that runs, or
/// with `VIR_DOMAIN_JOB_STATS_COMPLETED` of the last. Empty where there is none; there `virt` would read a list at no
/// address.
pub(super) fn job(domain: &Domain, flags: c_uint) -> Result<BTreeMap<String, u64>, Error> {
    let mut kind: c_int = 0;
    let mut parameters: sys::virTypedParameterPtr = ptr::null_mut();
    let mut count: c_int = 0;
    // SAFETY: the domain is valid; libvirt writes a list of its own to `parameters`, or leaves it null with no entry.
    unsafe {
        if sys::virDomainGetJobStats(domain.as_ptr(), &raw mut kind, &raw mut parameters, &raw mut count, flags) < 0 {
            return Err(Error::last_error());
        }
        let fields = numbers(parameters, count);
        sys::virTypedParamsFree(parameters, count);
        Ok(fields)
    }
}

/// Aborts the job that runs on a domain.
pub(super) fn abort_job(domain: &Domain) -> Result<(), Error> {
    // SAFETY: the domain is valid.
    let answer = unsafe { sys::virDomainAbortJob(domain.as_ptr()) };
    if answer < 0 { Err(Error::last_error()) } else { Ok(()) }
}

/// Asks whether a domain's init process, which the driver of containers alone knows, could be sent a signal; sends none.
pub(super) fn touch_init(domain: &Domain) -> Result<(), Error> {
    let nothing = sys::VIR_DOMAIN_PROCESS_SIGNAL_NOP;
    // SAFETY: the domain is valid.
    let answer = unsafe { sys::virDomainSendProcessSignal(domain.as_ptr(), 1, nothing, 0) };
    if answer < 0 { Err(Error::last_error()) } else { Ok(()) }
}
