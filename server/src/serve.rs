//! Start and stop: opens what the configuration names, binds its listeners (pages for people, a narrow door for
//! utility modules, metrics for Prometheus), and stops in the opposite order.

use crate::configuration::{Configuration, ConfigurationError, Web};
use crate::{observe, seed, simulated};
use axum::Router;
use grid::node::Node;
use grid::{Mib, NodeId};
use leptos::config::LeptosOptions;
use manager::hypervisor::directory::Directory;
use manager::hypervisor::{HypervisorError, UtilityImages};
use manager::lease::{self, Lease};
use manager::store::sqlite::SqliteStore;
use manager::store::{Store, StoreError};
use manager::utility::{ImageLibrary, UtilityHub};
use manager::utility_keys::StoreKeys;
use manager::{Manager, ManagerOptions, NetworkOptions, Pace, UtilityOptions};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What is being answered has so long to end; streams and long polls end by themselves, at once.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArguments {
    /// The configuration; `hostgrid config` prints an example.
    #[arg(long, default_value = "hostgrid.toml")]
    config: PathBuf,
    /// Make what this file names, where it is not there yet.
    #[arg(long, requires = "lab_file")]
    seed: Option<PathBuf>,
    /// Where to write addresses, sign-ins and VMs once the seed is there.
    #[arg(long)]
    lab_file: Option<PathBuf>,
}

/// Why the program did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    #[error("store: {0}")]
    Store(#[from] StoreError),
    #[error("node {0}: {1}")]
    Node(String, HypervisorError),
    #[error("the simulated grid: {0}")]
    SimulatedGrid(std::io::Error),
    #[error("images: {0}")]
    Images(std::io::Error),
    #[error("{0} can't be listened on: {1}")]
    Bind(SocketAddr, std::io::Error),
    #[error("metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    #[error("seed: {0}")]
    Seed(#[from] seed::SeedError),
    #[error("{0}")]
    Manager(#[from] manager::OpenError),
    #[error("another server has taken over: this one gave no sign for {} s", lease::LASTS.as_secs())]
    Replaced,
    #[error("a listener failed: {0}")]
    Listener(#[from] std::io::Error),
}

/// Runs until the process is told to stop (SIGINT or SIGTERM), or something that can't be mended fails.
pub(crate) async fn serve(arguments: ServeArguments) -> Result<(), Box<dyn std::error::Error>> {
    let configuration = Configuration::load(&arguments.config)?;
    run(&configuration, &arguments).await.map_err(Into::into)
}

async fn run(configuration: &Configuration, arguments: &ServeArguments) -> Result<(), ServeError> {
    let metrics = observe::recorder()?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&configuration.storage.directory).await?);
    let lease = Lease::take(Arc::clone(&store), lease::LASTS).await?;
    let nodes = record_nodes(&store, configuration).await?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let manager = open(configuration, &store, &nodes, &lease, &stop, &tasks).await?;

    let mut pages = app::router(app::AppState {
        manager: manager.clone(),
        store: Arc::clone(&store),
        leptos_options: leptos_options(&configuration.web),
        secure_cookies: configuration.web.is_encrypted(),
        stopping: stop.clone(),
    })
    .merge(observe::router(manager.clone(), Arc::clone(&store)));
    let (web, utility) = (&configuration.web, &configuration.utility);
    let mut doors = vec![(utility.address, manager.utility_router())];
    if web.metrics_address == web.address {
        pages = pages.merge(observe::metrics_router(metrics));
    } else {
        doors.push((web.metrics_address, observe::metrics_router(metrics)));
    }
    doors.push((web.address, pages));
    let mut listeners = Vec::with_capacity(doors.len());
    for (address, router) in doors {
        listeners.push((bind(address).await?, router));
    }
    let listening = listeners.into_iter().map(|(at, router)| tasks.spawn(listen(at, router, stop.clone())));
    let listening = futures::future::select_all(listening);
    manager.start();
    tracing::info!(
        pages = %web.address,
        modules = %utility.address,
        metrics = %web.metrics_address,
        nodes = nodes.len(),
        "started"
    );

    let seeding = async {
        if let (Some(seed), Some(lab)) = (&arguments.seed, &arguments.lab_file) {
            seed::seed(&manager, &store, configuration, &nodes, seed, lab).await?;
        }
        std::future::pending::<Result<(), ServeError>>().await
    };
    let ended = tokio::select! {
        () = told_to_stop() => Ok(()),
        () = lease.lost() => Err(ServeError::Replaced),
        ended = seeding => ended,
        (ended, ..) = listening => ended.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(Into::into),
    };
    tracing::info!("stopping");
    stop.cancel();
    manager.stop().await;
    lease.give_back().await;
    tasks.close();
    // Whoever doesn't end is left behind.
    if tokio::time::timeout(STOP_PATIENCE, tasks.wait()).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    ended
}

fn leptos_options(web: &Web) -> LeptosOptions {
    LeptosOptions::builder()
        .output_name("hostgrid")
        .site_root(web.site.to_string_lossy().into_owned())
        .site_pkg_dir("pkg")
        .site_addr(web.address)
        .build()
}

/// Each configured node in the store; those that are there keep their ids and what the admin set.
async fn record_nodes(store: &Arc<dyn Store>, configuration: &Configuration) -> Result<Vec<Node>, ServeError> {
    let nodes = configuration.nodes.iter().map(|entry| entry.to_node(NodeId(uuid::Uuid::now_v7())));
    Ok(store.nodes_put(&nodes.collect::<Vec<_>>()).await?)
}

/// What the manager is made of, and what must be kept beside it while it runs.
async fn open(
    configuration: &Configuration,
    store: &Arc<dyn Store>,
    nodes: &[Node],
    lease: &Lease,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<Manager, ServeError> {
    let images = ImageLibrary::open(configuration.images.directory.clone()).await.map_err(ServeError::Images)?;
    let files = images.utility_files();
    let hub = UtilityHub::new(Arc::new(StoreKeys(Arc::clone(store))));
    let hypervisors = if configuration.is_simulated() {
        simulated::hypervisors(configuration, store, nodes, &hub, stop, tasks).await?
    } else {
        let directory = Directory::default();
        let connect = |node: &Node| directory.connect(node).map_err(|error| ServeError::Node(node.name.clone(), error));
        nodes.iter().map(connect).collect::<Result<_, _>>()?
    };
    let addresses = configuration.nodes.iter().map(|node| (node.name.clone(), node.utility_address.clone())).collect();
    let network = &configuration.network;
    Ok(Manager::open(ManagerOptions {
        store: Arc::clone(store),
        hypervisors,
        hub,
        images: Arc::new(images),
        utility: UtilityOptions {
            manager: format!("http://{}", configuration.utility.address),
            memory: Mib(configuration.utility.memory_mib),
            images: UtilityImages { kernel: files.kernel, initrd: files.initrd, root: files.root },
            addresses,
        },
        network: NetworkOptions {
            first: network.first,
            last: network.last,
            prefix_length: network.prefix_length,
            gateway: network.gateway,
            name_servers: network.name_servers.clone(),
        },
        simulated: configuration.is_simulated(),
        lease: lease.clone(),
        pace: Pace {
            moves: configuration.moves.into(),
            shut_down: Duration::from_secs(configuration.guests.shut_down_seconds),
            revert_window: Duration::from_hours(configuration.operations.revert_window_hours),
            unknown: Duration::from_secs(configuration.operations.unknown_seconds),
            reconcile_every: Duration::from_secs(configuration.operations.reconcile_seconds),
            ..Pace::default()
        },
    })
    .await?)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| ServeError::Bind(address, error))
}

async fn listen(listener: TcpListener, router: Router, stop: CancellationToken) -> std::io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await }).await
}

async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without the handler, the signal ends the process by itself.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
