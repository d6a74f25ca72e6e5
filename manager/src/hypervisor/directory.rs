//! All nodes' hypervisors, by URI: the one place that knows which implementation speaks for a node.

use super::libvirt::{LibvirtHypervisor, runs};
use super::simulated::SimulatedGrid;
use super::{Hypervisor, HypervisorError};
use grid::HypervisorKind;
use grid::node::Node;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Whether a node of this kind can be meant by the URI; if not, why.
pub fn check_uri(uri: &str, kind: HypervisorKind) -> Result<(), &'static str> {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return Err("it is no URI; qemu+tcp://HOST/system, or simulated:///NAME, would be one");
    };
    if uri.len() > 1024 || uri.chars().any(|it| it.is_control() || it.is_whitespace()) {
        return Err("it holds blanks or is too long");
    }
    if scheme == "simulated" {
        let is_named = rest.strip_prefix('/').is_some_and(|name| !name.is_empty());
        return if is_named { Ok(()) } else { Err("simulated:///NAME is how a simulated node is called") };
    }
    let (driver, transport) = scheme.split_once('+').unwrap_or((scheme, "unix"));
    if !runs(driver, kind) {
        return Err("its driver does not run this hypervisor kind");
    }
    if !TRANSPORTS.contains(&transport) {
        return Err("libvirt is reached by unix, tls, tcp, ssh, libssh, libssh2 or ext");
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if !authority.is_empty() && !is_authority(authority) {
        return Err("it names no host, or a port that there can't be");
    }
    if path.is_empty() { Err("it ends with a path, such as /system") } else { Ok(()) }
}

/// How libvirt can be reached (<https://libvirt.org/uri.html>).
const TRANSPORTS: [&str; 7] = ["unix", "tls", "tcp", "ssh", "libssh", "libssh2", "ext"];

/// Whether this is a host, perhaps with who signs in and with a port.
fn is_authority(text: &str) -> bool {
    let Ok(authority) = text.parse::<http::uri::Authority>() else { return false };
    let host_and_port = text.rsplit('@').next().unwrap_or_default();
    let has_port = host_and_port.len() > authority.host().len();
    !authority.host().is_empty()
        && text.matches('@').count() < 2
        && (!has_port || authority.port_u16().is_some_and(|port| port > 0))
}

/// Makes hypervisors and remembers them, so that a move finds its destination. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    simulated: SimulatedGrid,
    libvirt: Arc<Mutex<BTreeMap<String, Weak<LibvirtHypervisor>>>>,
}

impl Directory {
    /// `simulated` is where nodes with `simulated:///NAME` are.
    pub fn new(simulated: SimulatedGrid) -> Self {
        Self { simulated, libvirt: Arc::default() }
    }

    pub fn simulated(&self) -> &SimulatedGrid {
        &self.simulated
    }

    /// The hypervisor behind a node's URI. Nothing is opened yet; a URI that can't be meant is refused.
    pub fn connect(&self, node: &Node) -> Result<Arc<dyn Hypervisor>, HypervisorError> {
        let refused = |why: &str| Err(HypervisorError::Refused(format!("the URI of node {}: {why}", node.name)));
        if let Err(why) = check_uri(&node.uri, node.kind) {
            return refused(why);
        }
        if node.uri.starts_with("simulated:") {
            let known = self.simulated.has(node.id);
            return if known { Ok(self.simulated.hypervisor(node)) } else { refused("no such simulated node") };
        }
        let hypervisor = Arc::new(LibvirtHypervisor::new(node, self.clone())?);
        let mut known = self.libvirt.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(node.uri.clone(), Arc::downgrade(&hypervisor));
        Ok(hypervisor)
    }

    /// The node that is reached by this URI, where it is one of ours.
    pub(super) fn by_uri(&self, uri: &str) -> Option<Arc<LibvirtHypervisor>> {
        self.libvirt.lock().unwrap_or_else(PoisonError::into_inner).get(uri)?.upgrade()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid::NodeId;
    use grid::node::{Administration, NodeSettings};

    fn node(uri: &str) -> Node {
        Node {
            id: NodeId(uuid::Uuid::from_u128(1)),
            name: "a".into(),
            kind: HypervisorKind::Qemu,
            region: "north".into(),
            uri: uri.into(),
            settings: NodeSettings::default(),
            administration: Administration::Open,
            failure_domain: None,
        }
    }

    #[test]
    fn a_uri_that_cannot_be_meant_is_a_clear_error() {
        let directory = Directory::default();
        for uri in ["", "qemu", "lxc+tcp://h/system", "ftp://h/", "qemu://h/ x", "simulated:///b", "qemu+tcp://h/\u{0}"]
        {
            let error = directory.connect(&node(uri)).err().map(|error| error.to_string());
            assert!(error.as_ref().is_some_and(|text| text.contains("URI")), "{uri}: {error:?}");
        }
        assert!(directory.connect(&node("qemu+tcp://10.0.0.1/system")).is_ok());
    }
}
