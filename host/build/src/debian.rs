//! Debian's own Rust with its library source: the target's standard library is built with the guests.

use crate::toolchain::{self, Toolchain};
use std::fs;
use std::path::{Path, PathBuf};

/// The linker is lld's, unless a rustup toolchain brings its own.
pub const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld"];

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";

pub fn installed() -> Option<Toolchain> {
    let (version, sysroot) = toolchain::about(RUSTC)?;
    let source = sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml");
    if !source.is_file() || !Path::new(CARGO).is_file() {
        return None;
    }
    Some(Toolchain {
        name: format!("Debian's {}", version.lines().next()?),
        cargo: PathBuf::from(CARGO),
        arguments: vec!["-Zbuild-std=std,panic_abort"],
        environment: vec![
            ("RUSTC", RUSTC.to_owned()),
            // -Zbuild-std is unstable.
            ("RUSTC_BOOTSTRAP", "1".to_owned()),
            (
                "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER",
                linker()?.display().to_string(),
            ),
        ],
        version,
    })
}

/// rust-lld of the toolchain in use, else Debian's wasm-ld.
fn linker() -> Option<PathBuf> {
    let sysroot = toolchain::about("rustc").map(|(_, sysroot)| sysroot);
    let hosts = sysroot.and_then(|sysroot| fs::read_dir(sysroot.join("lib/rustlib")).ok());
    let bundled = hosts
        .into_iter()
        .flatten()
        .flatten()
        .map(|host| host.path().join("bin/rust-lld"));
    let packaged = ["/usr/bin/wasm-ld", "/usr/bin/rust-lld"].map(PathBuf::from);
    bundled.chain(packaged).find(|linker| linker.is_file())
}
