//! PID 1: makes the VM a place to run in, starts the worker and starts it again when it ends, takes the ended
//! children, and switches off when asked to. It never ends otherwise.
//!
//! The worker runs in a process of its own, so that its death is not the VM's; in a VM also in its own process
//! namespace, as in a container.

use crate::configuration::{Configuration, MODULES_ORDER, interface_name};
use crate::kernel::{self, Signal, interfaces};
use crate::log;
use crate::report::boot_id;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// The first argument of a worker.
pub const WORKER: &str = "worker";

/// The virtiofs tag of the pool.
const POOL_TAG: &str = "pool";

/// Runs as PID 1.
pub fn run(arguments: &[String]) -> ! {
    kernel::block_signals();
    // Not even the worker's: it has the same console.
    if let Err(error) = kernel::never_wait(&io::stderr()) {
        log(format_args!("the console may make it wait: {error}"));
    }
    let container = !Path::new(MODULES_ORDER).exists();
    if !container {
        prepare_machine();
    }
    match Configuration::read(arguments) {
        Ok(configuration) => {
            prepare_network(&configuration);
            if !container {
                mount_pool(&configuration.pool);
            }
            let mut arguments = arguments.to_vec();
            arguments.push(format!("hostgrid.boot_id={}", boot_id(container)));
            look_after_worker(&arguments, container)
        }
        Err(error) => {
            log(format_args!("nothing to do: {error}"));
            while kernel::wait_for_signal() != Signal::Stop {}
            stop(container)
        }
    }
}

fn prepare_machine() {
    let mounts = [
        ("proc", "/proc", "proc"),
        ("sysfs", "/sys", "sysfs"),
        ("devtmpfs", "/dev", "devtmpfs"),
        ("tmpfs", "/tmp", "tmpfs"),
    ];
    for (source, target, file_system) in mounts {
        if let Err(error) = kernel::mount(source, Path::new(target), file_system, 0, "") {
            log(format_args!("mount {target}: {error}"));
        }
    }
    let order = std::fs::read_to_string(MODULES_ORDER).unwrap_or_default();
    for module in order.split_ascii_whitespace() {
        let path = Path::new("/modules").join(module).with_extension("ko");
        if let Err(error) = File::open(&path).and_then(|file| kernel::load_module(&file)) {
            log(format_args!("{}: {error}", path.display()));
        }
    }
    kernel::restart_by_signal();
    listen_to_power_button();
}

fn prepare_network(configuration: &Configuration) {
    let patience = Instant::now() + Duration::from_secs(10);
    let management = wait_for_interface(&configuration.management, patience);
    let customers = wait_for_interface(&configuration.customers, patience);
    let result = (|| -> io::Result<()> {
        interfaces::bring_up("lo")?;
        if let Some(management) = &management {
            if let Some((address, prefix_length)) = configuration.address {
                interfaces::set_address(management, address, prefix_length)?;
            }
            interfaces::bring_up(management)?;
        }
        configuration.gateway.map_or(Ok(()), interfaces::default_route)?;
        if let Some(customers) = &customers {
            keep_silent(customers);
            interfaces::bring_up(customers)?;
        }
        Ok(())
    })();
    if let Err(error) = result {
        log(format_args!("network: {error}"));
    }
}

fn wait_for_interface(asked: &str, until: Instant) -> Option<String> {
    loop {
        let found = interface_name(asked);
        if found.is_some() {
            return found;
        }
        if Instant::now() >= until {
            log(format_args!("there is no interface {asked}"));
            return None;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The module has no address in the customers' network and answers nobody there. Where the settings can't be
/// written they are not ours.
fn keep_silent(interface: &str) {
    for (setting, value) in [("ipv6/conf", "disable_ipv6=1"), ("ipv4/conf", "arp_ignore=8")] {
        if let Some((name, value)) = value.split_once('=') {
            let _ = std::fs::write(format!("/proc/sys/net/{setting}/{interface}/{name}"), value);
        }
    }
}

/// Without the pool there is nothing to report: tries for ever.
fn mount_pool(pool: &Path) {
    let mut pause = Duration::from_millis(100);
    while let Err(error) = kernel::mount(POOL_TAG, pool, "virtiofs", 0, "") {
        log(format_args!("the pool: {error}"));
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_secs(10));
    }
}

fn look_after_worker(arguments: &[String], container: bool) -> ! {
    let mut worker = start_worker(arguments, container);
    loop {
        if kernel::wait_for_signal() == Signal::Stop {
            if let Some(worker) = worker {
                kernel::kill(worker);
            }
            stop(container);
        }
        while let Some(ended) = kernel::reap() {
            if Some(ended) == worker {
                log(format_args!("the worker ended; starting it again"));
                thread::sleep(Duration::from_secs(1));
                worker = start_worker(arguments, container);
            }
        }
    }
}

/// Starts the worker from a thread of its own: the process namespace that the thread asks for is for its children.
fn start_worker(arguments: &[String], container: bool) -> Option<u32> {
    let arguments = arguments.to_vec();
    loop {
        let arguments = arguments.clone();
        let started = thread::spawn(move || {
            if !container && let Err(error) = kernel::new_process_namespace() {
                log(format_args!("no process namespace for the worker: {error}"));
            }
            Command::new("/proc/self/exe").arg(WORKER).args(arguments).spawn()
        });
        match started.join() {
            Ok(Ok(child)) => return Some(child.id()),
            Ok(Err(error)) => log(format_args!("the worker doesn't start: {error}")),
            Err(_) => log(format_args!("the worker doesn't start")),
        }
        thread::sleep(Duration::from_secs(5));
    }
}

fn stop(container: bool) -> ! {
    kernel::sync();
    if !container {
        let error = kernel::power_off();
        log(format_args!("power off: {error}"));
    }
    std::process::exit(0)
}

/// Reads the keys of every input device; the power button is one of them.
fn listen_to_power_button() {
    const KEY_EVENT: u16 = 1;
    const POWER: u16 = 116;
    let Ok(devices) = std::fs::read_dir("/dev/input") else { return };
    for device in devices.flatten().filter(|device| device.file_name().to_string_lossy().starts_with("event")) {
        let Ok(mut events) = File::open(device.path()) else { continue };
        thread::spawn(move || {
            // A time of 16 bytes, then type, code and value.
            let mut event = [0_u8; 24];
            while events.read_exact(&mut event).is_ok() {
                let word = |at: usize| u16::from_ne_bytes([event[at], event[at + 1]]);
                if word(16) == KEY_EVENT && word(18) == POWER && event[20] == 1 {
                    kernel::ask_to_stop();
                }
            }
        });
    }
}
