//! The toolchain in use, with the target's standard library that rustup installs.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::toolchain::{self, TARGET, Toolchain};
use crate::run;

/// Without a way to rustup's servers its retries would hold everything up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The toolchain in use, if it has the target.
pub fn installed() -> Option<Toolchain> {
    let (version, sysroot) = toolchain::about("rustc")?;
    if !sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir() {
        return None;
    }
    let name = version.lines().next()?.to_owned();
    Some(Toolchain {
        name,
        cargo: std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from),
        arguments: Vec::new(),
        environment: Vec::new(),
        version,
    })
}

/// The same, after asking rustup for the target.
pub fn added() -> Option<Toolchain> {
    run::output(Command::new("rustup").arg("--version"))?;
    eprintln!("guests: rustup target add {TARGET}");
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).stdout(Stdio::null());
    let mut adding = rustup.spawn().ok()?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match adding.try_wait().ok()? {
            Some(status) if status.success() => return installed(),
            Some(_) => return None,
            None if Instant::now() > deadline => {
                eprintln!("guests: rustup got no answer within {} s", PATIENCE.as_secs());
                adding.kill().ok()?;
                adding.wait().ok()?;
                return None;
            }
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}
