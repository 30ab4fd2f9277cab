//! rustup's way to the target's standard library.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fermata_build::{Kind, TARGET, Toolchain, installed};

use crate::run;

/// Without a way to rustup's servers its retries would hold everything up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The toolchain in use, after asking rustup for the target.
pub fn added() -> Option<Toolchain> {
    run::output(Command::new("rustup").arg("--version"))?;
    eprintln!("guests: rustup target add {TARGET}");
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).stdout(Stdio::null());
    let mut adding = rustup.spawn().ok()?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match adding.try_wait().ok()? {
            Some(status) if status.success() => return installed(Kind::Rustup),
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
