//! The Java that runs Kafka.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Kafka 4 runs on no older one.
const OLDEST: u32 = 17;
const REMEDY: &str = "install it (Debian: `apt-get install openjdk-17-jre-headless maven`), set JAVA_HOME to it, or run \
     `cargo xtask test` as root, which does";

/// `JAVA_HOME`'s, else the one on the PATH. Panics with what to do when there is none.
pub fn java() -> &'static PathBuf {
    static JAVA: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match JAVA.get_or_init(find) {
        Ok(java) => java,
        Err(missing) => panic!("{missing}"),
    }
}

fn find() -> Result<PathBuf, String> {
    let java = match std::env::var_os("JAVA_HOME") {
        Some(home) => PathBuf::from(home).join("bin").join("java"),
        None => PathBuf::from("java"),
    };
    let name = java.display();
    let Ok(Output { stderr, .. }) = Command::new(&java).arg("-version").output() else {
        return Err(format!(
            "tests on Kafka need Java {OLDEST}, and there is no {name}: {REMEDY}"
        ));
    };
    let said = String::from_utf8_lossy(&stderr).into_owned();
    match version(&said) {
        Some(found) if found >= OLDEST => Ok(java),
        _ => Err(format!(
            "tests on Kafka need Java {OLDEST} or newer, and {name} says {said:?}: {REMEDY}"
        )),
    }
}

/// 17 of `openjdk version "17.0.15" 2025-04-15`, 8 of `java version "1.8.0_402"`.
fn version(said: &str) -> Option<u32> {
    let quoted = said.split('"').nth(1)?;
    let quoted = quoted.strip_prefix("1.").unwrap_or(quoted);
    let digits = quoted.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_version_is_read_from_what_java_says() {
        assert_eq!(version("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK ..."), Some(17));
        assert_eq!(version("openjdk version \"25\" 2025-09-16"), Some(25));
        assert_eq!(version("java version \"1.8.0_402\""), Some(8));
        assert_eq!(version("sh: java: not found"), None);
    }
}
