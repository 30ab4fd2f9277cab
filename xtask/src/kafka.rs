//! What the tests on Kafka ask of the machine: Java, and Maven, which brings in Kafka's jars the first time.

use std::process::Command;

use crate::{guests::debian, run};

/// Programs, and Debian's packages that bring them.
const TOOLS: [(&str, &str); 2] = [("java", "openjdk-17-jre-headless"), ("mvn", "maven")];

/// Installs what is missing where that is possible without asking anybody. Where it is not, the tests say what is.
pub fn install_tools() {
    let missing: Vec<&str> = TOOLS
        .iter()
        .filter(|(program, _)| !starts(program))
        .map(|(_, package)| *package)
        .collect();
    if !missing.is_empty() {
        // The tests on Kafka name what they miss, each in one line.
        let _ = debian::add(&missing);
    }
}

fn starts(program: &str) -> bool {
    let home = std::env::var_os("JAVA_HOME").filter(|_| program == "java");
    let path = home.map_or(program.into(), |home| std::path::PathBuf::from(home).join("bin/java"));
    run::output(Command::new(path).arg("-version")).is_some()
}
