//! The program: the init of a utility VM, or its worker. Built static, for an initramfs with nothing else in it:
//!
//! ```text
//!   RUSTFLAGS='-C target-feature=+crt-static' \
//!     cargo build -p utility --target x86_64-unknown-linux-gnu --profile utility
//! ```

use std::process::ExitCode;
use utility::configuration::Configuration;
use utility::{init, worker};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let as_worker = arguments.first().map(String::as_str) == Some(init::WORKER);
    if as_worker {
        return match Configuration::read(&arguments[1..]) {
            Ok(configuration) => worker::run(&configuration),
            Err(error) => refuse(&error.to_string()),
        };
    }
    if std::process::id() == 1 {
        init::run(&arguments);
    }
    refuse(
        "this is the init of a utility VM; started by hand it takes: worker hostgrid.manager=URL hostgrid.token=TOKEN",
    )
}

fn refuse(reason: &str) -> ExitCode {
    utility::log(format_args!("{reason}"));
    ExitCode::from(2)
}
