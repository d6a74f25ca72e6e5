//! What the module is told at its start: `hostgrid.KEY=VALUE` words on the kernel's command line in a VM; in a
//! container the same words as arguments of init, or `HOSTGRID_KEY` in its environment.
//!
//! ```text
//!   hostgrid.manager=http://172.31.250.1:7600   where the manager answers; an address, for there is no DNS
//!   hostgrid.token=…                            one-time, for the enrolment
//!   hostgrid.address=172.31.250.101/24          the module's own; left out where it is set already
//!   hostgrid.gateway=172.31.250.254             where the manager is behind one
//!   hostgrid.management=eth0                    the interface towards the manager: its name or its MAC
//!   hostgrid.customers=eth1                     the interface in the customers' network, without an address
//!   hostgrid.pool=/pool                         where the pool is
//! ```

use crate::kernel::arp::parse_mac;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// Its being there is what tells a utility VM from a container.
pub const MODULES_ORDER: &str = "/modules/order";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Without a slash at its end.
    pub manager: String,
    pub token: String,
    pub address: Option<(Ipv4Addr, u8)>,
    pub gateway: Option<Ipv4Addr>,
    pub management: String,
    pub customers: String,
    pub pool: PathBuf,
    /// Identifies this start of the VM or container; init tells its workers.
    pub boot_id: Option<String>,
    /// Whether the kernel is the node's.
    pub container: bool,
}

/// A word that is missing or makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    #[error("hostgrid.{0} is missing")]
    Missing(&'static str),
    #[error("hostgrid.{0} makes no sense")]
    Invalid(&'static str),
}

impl Configuration {
    /// Reads it from where this machine has it.
    pub fn read(arguments: &[String]) -> Result<Self, ConfigurationError> {
        let container = !Path::new(MODULES_ORDER).exists();
        let mut words = arguments.join(" ");
        if !container {
            words.push(' ');
            words.push_str(&std::fs::read_to_string("/proc/cmdline").unwrap_or_default());
        }
        Self::parse(&words, std::env::vars(), container)
    }

    fn parse(
        words: &str,
        environment: impl Iterator<Item = (String, String)>,
        container: bool,
    ) -> Result<Self, ConfigurationError> {
        let mut values: BTreeMap<String, String> = environment
            .filter_map(|(key, value)| Some((key.strip_prefix("HOSTGRID_")?.to_ascii_lowercase(), value)))
            .collect();
        values.extend(words.split_ascii_whitespace().filter_map(|word| {
            let (key, value) = word.strip_prefix("hostgrid.")?.split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        }));
        let mut take = |key| values.remove(key).filter(|value| !value.is_empty());
        let manager = take("manager").ok_or(ConfigurationError::Missing("manager"))?;
        if !manager.starts_with("http://") {
            return Err(ConfigurationError::Invalid("manager"));
        }
        Ok(Self {
            manager: manager.trim_end_matches('/').to_owned(),
            token: take("token").ok_or(ConfigurationError::Missing("token"))?,
            address: take("address")
                .map(|text| network(&text).ok_or(ConfigurationError::Invalid("address")))
                .transpose()?,
            gateway: take("gateway")
                .map(|text| text.parse().map_err(|_| ConfigurationError::Invalid("gateway")))
                .transpose()?,
            management: take("management").unwrap_or_else(|| "eth0".to_owned()),
            customers: take("customers").unwrap_or_else(|| "eth1".to_owned()),
            boot_id: take("boot_id"),
            pool: take("pool").map_or_else(|| PathBuf::from("/pool"), PathBuf::from),
            container,
        })
    }
}

fn network(text: &str) -> Option<(Ipv4Addr, u8)> {
    let (address, prefix_length) = text.split_once('/')?;
    let prefix_length = prefix_length.parse().ok().filter(|length| *length <= 32)?;
    Some((address.parse().ok()?, prefix_length))
}

/// The name of the interface that `asked` names or whose MAC it is.
pub fn interface_name(asked: &str) -> Option<String> {
    let Some(mac) = parse_mac(asked) else {
        return Path::new("/sys/class/net").join(asked).exists().then(|| asked.to_owned());
    };
    std::fs::read_dir("/sys/class/net").ok()?.flatten().find_map(|entry| {
        let text = std::fs::read_to_string(entry.path().join("address")).ok()?;
        (parse_mac(text.trim()) == Some(mac)).then(|| entry.file_name().into_string().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernels_command_line_is_read() {
        let words = "console=ttyS0 hostgrid.manager=http://172.31.250.1:7600/ hostgrid.token=abc=  \
                     hostgrid.address=172.31.250.111/24 hostgrid.customers=eth1 quiet";
        let read = Configuration::parse(words, std::iter::empty(), false).unwrap();
        assert_eq!(read.manager, "http://172.31.250.1:7600");
        assert_eq!(read.token, "abc=");
        assert_eq!(read.address, Some((Ipv4Addr::new(172, 31, 250, 111), 24)));
        assert_eq!((read.management.as_str(), read.customers.as_str()), ("eth0", "eth1"));
    }

    #[test]
    fn a_containers_environment_is_read() {
        let environment = [("HOSTGRID_MANAGER", "http://10.0.0.1:1"), ("HOSTGRID_TOKEN", "t"), ("PATH", "/bin")];
        let environment = environment.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
        let read = Configuration::parse("", environment, true).unwrap();
        assert_eq!((read.manager.as_str(), read.token.as_str()), ("http://10.0.0.1:1", "t"));
        assert_eq!(read.address, None);
    }

    #[test]
    fn what_is_missing_or_senseless_is_named() {
        let parse = |words: &str| Configuration::parse(words, std::iter::empty(), false).unwrap_err();
        assert_eq!(parse("hostgrid.token=t"), ConfigurationError::Missing("manager"));
        assert_eq!(parse("hostgrid.manager=ftp://x hostgrid.token=t"), ConfigurationError::Invalid("manager"));
        assert_eq!(parse("hostgrid.manager=http://x hostgrid.token="), ConfigurationError::Missing("token"));
        for address in ["1.2.3.4", "1.2.3.4/33", "1.2.3/24"] {
            let words = format!("hostgrid.manager=http://x hostgrid.token=t hostgrid.address={address}");
            assert_eq!(parse(&words), ConfigurationError::Invalid("address"));
        }
    }
}
