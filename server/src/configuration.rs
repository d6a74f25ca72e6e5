//! The program's configuration: one TOML file, checked as a whole before anything starts.
//!
//! `hostgrid config` prints the annotated example, which is compiled in and tested to be valid. A single
//! value can be given by an environment variable too: `HOSTGRID__WEB__ADDRESS` is `web.address`.

use grid::node::{Administration, Node, NodeSettings, Overcommit};
use grid::{HypervisorKind, NodeId, PerResource, Resource, Resources};
use manager::MoveLimits;
use manager::hypervisor::directory::check_uri;
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The annotated example.
pub(crate) const EXAMPLE: &str = include_str!("../hostgrid.example.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Configuration {
    pub(crate) web: Web,
    pub(crate) utility: Utility,
    pub(crate) storage: Storage,
    pub(crate) images: Images,
    pub(crate) network: Network,
    #[serde(default)]
    pub(crate) guests: Guests,
    #[serde(default)]
    pub(crate) moves: Moves,
    #[serde(default)]
    pub(crate) operations: Operations,
    #[serde(default, rename = "node")]
    pub(crate) nodes: Vec<NodeEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Web {
    /// Where the pages are served.
    pub(crate) address: SocketAddr,
    /// The address that people type: where it begins with `https://`, cookies are never sent without encryption.
    pub(crate) url: String,
    /// The folder with `pkg/`, made by the build.
    pub(crate) site: PathBuf,
    /// Where Prometheus is answered `/metrics`, which name nodes: on this machine alone where nothing is said. The same
    /// as `address` to have them beside the pages.
    #[serde(default = "Web::metrics_address")]
    pub(crate) metrics_address: SocketAddr,
}

impl Web {
    /// Whether people come by HTTPS only. A scheme is read as browsers read it: in capitals too.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.scheme().eq_ignore_ascii_case("https")
    }

    fn scheme(&self) -> &str {
        self.url.split_once("://").map_or("", |(scheme, _)| scheme)
    }

    fn metrics_address() -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 7601).into()
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Utility {
    /// Where utility modules reach the manager: on the management network only.
    pub(crate) address: SocketAddr,
    pub(crate) memory_mib: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Storage {
    pub(crate) directory: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Images {
    pub(crate) directory: PathBuf,
}

/// The customers' network.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    pub(crate) first: Ipv4Addr,
    pub(crate) last: Ipv4Addr,
    pub(crate) prefix_length: u8,
    pub(crate) gateway: Option<Ipv4Addr>,
    #[serde(default)]
    pub(crate) name_servers: Vec<Ipv4Addr>,
}

/// What is expected of the guests.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Guests {
    /// How long a guest may take to shut down, in seconds; 1 to 3600.
    pub(crate) shut_down_seconds: u64,
}

impl Default for Guests {
    fn default() -> Self {
        Self { shut_down_seconds: manager::Pace::default().shut_down.as_secs() }
    }
}

/// How many moves of VMs go at once.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Moves {
    pub(crate) per_node: usize,
    pub(crate) altogether: usize,
}

impl Default for Moves {
    fn default() -> Self {
        let MoveLimits { per_node, altogether } = MoveLimits::default();
        Self { per_node, altogether }
    }
}

impl From<Moves> for MoveLimits {
    fn from(moves: Moves) -> Self {
        Self { per_node: moves.per_node, altogether: moves.altogether }
    }
}

/// How long operations are looked after, and what customers can still do about them.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Operations {
    /// For how many hours after a resize the way back is offered; 0 to 8760, 0 for never.
    pub(crate) revert_window_hours: u64,
    /// How long both ends of a move are looked at before where the VM runs is called unknown, in seconds; 10 to 3600.
    pub(crate) unknown_seconds: u64,
    /// Between two looks at what is not as it is recorded, in seconds; 5 to 3600.
    pub(crate) reconcile_seconds: u64,
}

impl Operations {
    const LONGEST_WINDOW_HOURS: u64 = 365 * 24;
}

impl Default for Operations {
    fn default() -> Self {
        let pace = manager::Pace::default();
        Self {
            revert_window_hours: pace.revert_window.as_secs() / 3600,
            unknown_seconds: pace.unknown.as_secs(),
            reconcile_seconds: pace.reconcile_every.as_secs(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeEntry {
    pub(crate) name: String,
    pub(crate) kind: HypervisorKind,
    pub(crate) region: String,
    pub(crate) uri: String,
    /// The utility VM's own address with prefix length, on the management network.
    pub(crate) utility_address: String,
    /// What fails together with it; the initial value.
    pub(crate) failure_domain: Option<String>,
    /// What its network carries each way, in Mbit/s; the initial value.
    #[serde(default)]
    pub(crate) network_mbit: u64,
    #[serde(default)]
    pub(crate) reserve: Resources,
    #[serde(default)]
    pub(crate) overcommit: Ratios,
}

/// How many times each resource is sold: 1.0 sells it once.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ratios {
    pub(crate) vcpus: f64,
    pub(crate) memory: f64,
    pub(crate) disk: f64,
    pub(crate) network: f64,
}

impl Default for Ratios {
    fn default() -> Self {
        Self { vcpus: 1.0, memory: 1.0, disk: 1.0, network: 1.0 }
    }
}

impl Ratios {
    const fn of(&self, resource: Resource) -> f64 {
        match resource {
            Resource::Vcpus => self.vcpus,
            Resource::Memory => self.memory,
            Resource::Disk => self.disk,
            Resource::Network => self.network,
        }
    }
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigurationError {
    #[error("the configuration can't be read: {0}")]
    Unreadable(#[from] config::ConfigError),
    #[error("node {node}: {problem}")]
    Node { node: String, problem: String },
    #[error("{0}")]
    Wrong(String),
}

impl Configuration {
    /// Reads `path` and the environment.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigurationError> {
        Self::from_sources(
            config::Config::builder()
                .add_source(config::File::from(path).format(config::FileFormat::Toml))
                .add_source(config::Environment::with_prefix("HOSTGRID").separator("__").prefix_separator("__")),
        )
    }

    fn from_sources(builder: config::ConfigBuilder<config::builder::DefaultState>) -> Result<Self, ConfigurationError> {
        let configuration: Self = builder.build()?.try_deserialize()?;
        configuration.check()?;
        Ok(configuration)
    }

    fn check(&self) -> Result<(), ConfigurationError> {
        if !self.web.is_encrypted() && !self.web.scheme().eq_ignore_ascii_case("http") {
            return Err(ConfigurationError::Wrong("web.url begins with http:// or https://".to_owned()));
        }
        if self.moves.per_node == 0 || self.moves.altogether == 0 {
            return Err(ConfigurationError::Wrong("moves: at least one must be able to go".to_owned()));
        }
        if !(1..=3600).contains(&self.guests.shut_down_seconds) {
            return Err(ConfigurationError::Wrong("guests: shut_down_seconds is from 1 to 3600".to_owned()));
        }
        if self.operations.revert_window_hours > Operations::LONGEST_WINDOW_HOURS {
            return Err(ConfigurationError::Wrong("operations: revert_window_hours is from 0 to 8760".to_owned()));
        }
        if !(10..=3600).contains(&self.operations.unknown_seconds) {
            return Err(ConfigurationError::Wrong("operations: unknown_seconds is from 10 to 3600".to_owned()));
        }
        if !(5..=3600).contains(&self.operations.reconcile_seconds) {
            return Err(ConfigurationError::Wrong("operations: reconcile_seconds is from 5 to 3600".to_owned()));
        }
        if self.network.first > self.network.last {
            return Err(ConfigurationError::Wrong("network.first is above network.last".to_owned()));
        }
        if self.network.prefix_length > 30 {
            return Err(ConfigurationError::Wrong("network.prefix_length is at most 30".to_owned()));
        }
        let mut names = std::collections::HashSet::new();
        for node in &self.nodes {
            node.check()?;
            if node.is_simulated() != self.is_simulated() {
                return Err(node.wrong("simulated and real nodes can't be mixed"));
            }
            if !names.insert(&node.name) {
                return Err(node.wrong("another node has the same name"));
            }
        }
        Ok(())
    }

    /// Whether all nodes are simulated. Simulated and real nodes are never mixed.
    pub(crate) fn is_simulated(&self) -> bool {
        self.nodes.first().is_some_and(NodeEntry::is_simulated)
    }
}

impl NodeEntry {
    fn wrong(&self, problem: impl Into<String>) -> ConfigurationError {
        // What is wrong may be the name.
        ConfigurationError::Node { node: self.name.escape_debug().to_string(), problem: problem.into() }
    }

    fn check(&self) -> Result<(), ConfigurationError> {
        if !grid::vm::is_host_name(&self.name) {
            return Err(self.wrong("a node's name is made of small letters, digits and hyphens, at most 63"));
        }
        if let Err(why) = check_uri(&self.uri, self.kind) {
            return Err(self.wrong(format!("its uri {:?}: {why}", self.uri)));
        }
        if self.failure_domain.as_deref().is_some_and(|word| !grid::node::is_failure_domain(word)) {
            return Err(self.wrong("a failure domain is made of letters, digits, and - _ . between them, at most 63"));
        }
        for resource in Resource::ALL {
            let most = f64::from(Overcommit::MOST_PERMILLE) / 1000.0;
            if !(0.001..=most).contains(&self.overcommit.of(resource)) {
                let what = resource.overcommit_field().replacen('_', ".", 1);
                return Err(self.wrong(format!("{what} is a ratio from 0.001 to {most}")));
            }
        }
        Ok(())
    }

    pub(crate) fn is_simulated(&self) -> bool {
        self.uri.starts_with("simulated:")
    }

    /// The node as the store takes it, with an id for the case that it is new there.
    pub(crate) fn to_node(&self, id: NodeId) -> Node {
        Node {
            id,
            name: self.name.clone(),
            kind: self.kind,
            region: self.region.clone(),
            uri: self.uri.clone(),
            settings: NodeSettings {
                reserve: self.reserve,
                network_mbit: self.network_mbit,
                overcommit: Overcommit(PerResource::each(|resource| permille(self.overcommit.of(resource)))),
            },
            administration: Administration::Open,
            failure_domain: self.failure_domain.clone(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be from 0.001 to 100")]
fn permille(ratio: f64) -> u32 {
    (ratio * 1000.0).round() as u32
}

#[cfg(test)]
mod tests;
