//! The manager's side of the utility modules alone, to try a module by hand:
//!
//! ```text
//!   cargo run -p manager --example utility_hub -- 172.31.250.1:7601 IMAGES 2
//! ```
//!
//! prints a token for each of two nodes, then the reports. Lines on the standard input are orders: a node's number and
//! the work as JSON, `1 {"do":"delete","vm":"…"}`; `images`; `transfer 1 2` opens a transfer; `token 1` gives a new token.

use grid::NodeId;
use grid::work::{ImageFamily, Work};
use manager::utility::{ImageLibrary, MemoryKeys, UtilityHub, router};
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn node(number: &str) -> Result<NodeId> {
    Ok(NodeId(Uuid::from_u128(number.parse()?)))
}

async fn obey(hub: &Arc<UtilityHub>, images: &ImageLibrary, line: &str) -> Result<String> {
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    match first {
        "images" => {
            let all = [ImageFamily::Disk, ImageFamily::Root].map(|family| images.list(family)).concat();
            Ok(serde_json::to_string(&all)?)
        }
        "token" => Ok(format!("token {rest} {}", hub.token_issue(node(rest)?).await?)),
        "transfer" => {
            let (source, destination) = rest.split_once(' ').ok_or("transfer SOURCE DESTINATION")?;
            Ok(format!("transfer {}", hub.transfer_open(node(source)?, node(destination)?)))
        }
        number => {
            let work: Work = serde_json::from_str(rest)?;
            let begin = Instant::now();
            let outcome = hub.module(node(number)?).carry_out(work, Duration::from_mins(5)).await;
            Ok(format!("{number} {outcome:?} after {} ms", begin.elapsed().as_millis()))
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().ok_or("LISTEN IMAGES NODES")?;
    let images = Arc::new(ImageLibrary::open(PathBuf::from(arguments.next().ok_or("IMAGES")?)).await?);
    let nodes: u32 = arguments.next().ok_or("NODES")?.parse()?;
    let hub = UtilityHub::new(Arc::new(MemoryKeys::default()));
    for number in 1..=nodes {
        println!("{}", obey(&hub, &images, &format!("token {number}")).await?);
    }
    let mut reports = hub.reports();
    tokio::spawn(async move {
        while let Ok(report) = reports.recv().await {
            println!("report {} {:?}", report.node.0.as_u128(), report.sample);
        }
    });
    let orders = (Arc::clone(&hub), Arc::clone(&images), tokio::runtime::Handle::current());
    std::thread::spawn(move || {
        let (hub, images, runtime) = orders;
        for line in std::io::stdin().lines().map_while(std::result::Result::ok) {
            let (hub, images) = (Arc::clone(&hub), Arc::clone(&images));
            runtime.spawn(async move {
                match obey(&hub, &images, line.trim()).await {
                    Ok(told) => println!("{told}"),
                    Err(error) => println!("error: {error}"),
                }
            });
        }
    });
    let listener = tokio::net::TcpListener::bind(&listen).await?;
    axum::serve(listener, router(hub, images)).await?;
    Ok(())
}
