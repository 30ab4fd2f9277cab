//! What a benchmark on Kafka needs besides: the load generator, a workspace of its own, and the peer on Kafka Streams.

use std::path::PathBuf;
use std::process::Command;

use miette::{Result, bail};

use crate::{kafka, run, workspace};

/// Where the peer is built.
fn folder() -> PathBuf {
    workspace::target().join("bench").join("peer")
}

/// Java and Maven, where they can be had without asking anybody.
pub fn install_tools() {
    kafka::install_tools();
}

/// Into the target folder of this workspace, with which it shares librdkafka.
pub fn build_load() -> Result<()> {
    let manifest = workspace::root().join("bench/load/Cargo.toml");
    let mut cargo = run::cargo();
    cargo
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(manifest);
    run::loudly(cargo.arg("--target-dir").arg(workspace::target()))
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
    maven.arg(format!("-Dbuild.dir={}", folder().display()));
    run::loudly(maven.arg("package"))
}
