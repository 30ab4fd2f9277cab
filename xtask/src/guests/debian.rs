//! Debian's own Rust with its library source, installed where that is possible.

use std::path::Path;
use std::process::Command;

use fermata_build::{DEBIAN_PACKAGES, Kind, Toolchain, installed};

use crate::run;

/// Debian's toolchain, after installing the packages, which only root on a Debian machine can.
pub fn added() -> Option<Toolchain> {
    add(&DEBIAN_PACKAGES)?;
    installed(Kind::Debian)
}

/// Installs packages, if that is possible without asking anybody.
pub fn add(packages: &[&str]) -> Option<()> {
    let root = run::output(Command::new("id").arg("-u"))? == "0";
    if !root || !Path::new("/usr/bin/apt-get").is_file() {
        return None;
    }
    eprintln!("apt-get install {}", packages.join(" "));
    apt(&["update", "-qq"])?;
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(packages);
    apt(&install)
}

fn apt(arguments: &[&str]) -> Option<()> {
    let mut apt = Command::new("apt-get");
    apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    run::loudly(&mut apt).inspect_err(|error| eprintln!("{error}")).ok()
}
