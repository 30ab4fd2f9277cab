//! What a benchmark on Kafka needs besides: the load generator, a workspace of its own, and the peer on Kafka Streams.

use std::path::PathBuf;
use std::process::Command;

use miette::{Result, bail};

use crate::{kafka, run, workspace};

/// Where both are built: `release/payload`, and `peer`.
fn target() -> PathBuf {
    workspace::target().join("bench")
}

/// Java and Maven, where they can be had without asking anybody.
pub fn install_tools() {
    kafka::install_tools();
}

/// It takes some minutes the first time: it has a librdkafka of its own.
pub fn build_load() -> Result<()> {
    let manifest = workspace::root().join("bench/load/Cargo.toml");
    let mut cargo = run::cargo();
    cargo
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(manifest);
    run::loudly(cargo.arg("--target-dir").arg(target()))
}

pub fn build() -> Result<()> {
    if run::output(Command::new("mvn").arg("--version")).is_none() {
        bail!(
            "the benchmark beside Kafka Streams needs Maven and Java 17, and mvn does not start: install them (Debian: \
             `apt-get install maven openjdk-17-jdk-headless`)"
        );
    }
    let mut maven = Command::new("mvn");
    maven.current_dir(workspace::root().join("bench/peer-kstreams"));
    maven.args(["--quiet", "--batch-mode"]);
    maven.arg(format!("-Dbuild.dir={}", target().join("peer").display()));
    run::loudly(maven.arg("package"))
}
