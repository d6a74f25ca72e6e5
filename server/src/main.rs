//! The binary: command line, configuration, router, start and stop.

mod check;
mod configuration;
mod observe;
mod people;
mod seed;
mod seed_file;
mod serve;
mod simulated;

use clap::{Parser, Subcommand};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

/// A control panel for a grid of hosting resources.
#[derive(Debug, Parser)]
#[command(name = "hostgrid", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the pages, collect statistics, carry out operations.
    Serve(serve::ServeArguments),
    /// Look whether every promise is kept (ARCHITECTURE.md says which); exits with an error where one is broken.
    Check {
        /// The configuration of the server, which may be running.
        #[arg(long, default_value = "hostgrid.toml")]
        config: PathBuf,
    },
    /// Customers' organisations and what they may hold.
    #[command(subcommand)]
    Tenant(people::TenantCommand),
    /// Who may sign in.
    #[command(subcommand)]
    User(people::UserCommand),
    /// The sizes for sale.
    #[command(subcommand)]
    Offer(people::OfferCommand),
    /// Print the annotated example configuration, or check the given one.
    Config {
        #[arg(long)]
        check: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("HOSTGRID_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .init();
    let done = match Arguments::parse().command {
        Command::Serve(arguments) => serve::serve(arguments).await,
        Command::Check { config } => check::check(&config).await.map_err(Into::into),
        Command::Tenant(command) => people::tenant(command).await.map_err(Into::into),
        Command::User(command) => people::user(command).await.map_err(Into::into),
        Command::Offer(command) => people::offer(command).await.map_err(Into::into),
        Command::Config { check: None } => {
            print!("{}", configuration::EXAMPLE);
            Ok(())
        }
        Command::Config { check: Some(path) } => configuration::Configuration::load(&path)
            .map(|configuration| println!("{} nodes; the configuration is valid", configuration.nodes.len()))
            .map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}
