//! Apache Kafka's jars: a fixed list with checksums, brought in by Maven once per machine.

use super::java::java;
use super::settings::Format;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// `group:artifact:version sha256`, one a line: Kafka 4.3.0 with its tools and a logger.
const LIST: &str = include_str!("../../kafka/jars.txt");
const LOGGING: &str = include_str!("../../kafka/log4j2.properties");
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// A folder with `lib/*.jar`, `log4j2.properties` and what a formatted log folder holds.
pub struct Kafka {
    folder: PathBuf,
}

/// The jars, which are fetched if this machine has none. Panics with what to do when that is not possible.
pub fn kafka() -> &'static Kafka {
    static KAFKA: OnceLock<Kafka> = OnceLock::new();
    KAFKA.get_or_init(|| Kafka { folder: folder() })
}

impl Kafka {
    /// A command that runs a class of Kafka with so much heap.
    pub fn command(&self, heap_mib: u32) -> Command {
        // Short lives on few cores: the quick compiler, the small collector.
        let mut command = self.java(&["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]);
        command.arg(format!("-Xmx{heap_mib}m"));
        self.classes(&mut command);
        command
    }

    /// As Kafka's own scripts start a broker.
    pub fn serving(&self) -> Command {
        let mut command = self.java(&["-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-Xms1g", "-Xmx1g"]);
        self.classes(&mut command);
        command
    }

    fn java(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(java());
        command.args(flags);
        command
    }

    fn classes(&self, command: &mut Command) {
        let logging = self.folder.join("log4j2.properties");
        command
            .arg(format!("-Dlog4j2.configurationFile={}", logging.display()))
            .arg("-Dlog4j2.disableJmx=true")
            .arg("-cp")
            .arg(self.folder.join("lib").join("*"));
    }

    /// What `kafka-storage format` writes besides the identities.
    pub fn checkpoint(&self) -> PathBuf {
        self.folder.join(CHECKPOINT)
    }
}

const CHECKPOINT: &str = "bootstrap.checkpoint";

/// The folder of this very list in the user's cache; made if it is not there.
fn folder() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = cache.or_else(home).unwrap_or_else(std::env::temp_dir).join("fermata");
    let parts = [LIST, LOGGING].concat();
    let ready = cache.join(format!("kafka-{}", &hex::encode(Sha256::digest(parts))[..12]));
    if ready.is_dir() {
        return ready;
    }
    fs::create_dir_all(&cache).unwrap_or_else(|e| panic!("{} cannot be made: {e}", cache.display()));
    let lock = File::create(cache.join("kafka.lock")).expect("the cache folder can be written to");
    lock.lock().expect("a file of one's own can be locked");
    // Another process may have made it while this one waited.
    if !ready.is_dir() {
        let making = tempfile::tempdir_in(&cache).expect("the cache folder can be written to");
        fetch(making.path());
        let made = Kafka {
            folder: making.path().to_path_buf(),
        };
        Format::checkpoint(&made, &made.checkpoint());
        fs::rename(making.keep(), &ready).expect("both are in one folder");
    }
    ready
}

fn fetch(folder: &Path) {
    fs::write(folder.join("pom.xml"), pom()).expect("the cache folder can be written to");
    fs::write(folder.join("log4j2.properties"), LOGGING).expect("the cache folder can be written to");
    let lib = folder.join("lib");
    let mut maven = Command::new("mvn");
    maven.current_dir(folder).args(["--quiet", "--batch-mode", COPY]);
    maven.arg(format!("-DoutputDirectory={}", lib.display()));
    let output = maven.output().unwrap_or_else(|e| {
        panic!(
            "tests on Kafka need Maven once, to bring in Kafka's jars, and mvn does not start ({e}): install it (Debian: \
             `apt-get install maven`), run `cargo xtask test` as root, which does, or name a broker in {}",
            super::GIVEN
        )
    });
    assert!(
        output.status.success(),
        "Maven could not bring in Kafka's jars; is its repository within reach?\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
    for (artifact, sum) in list() {
        let jar = lib.join(artifact.file());
        let bytes = fs::read(&jar).unwrap_or_else(|e| panic!("Maven left no {}: {e}", jar.display()));
        assert_eq!(
            hex::encode(Sha256::digest(bytes)),
            sum,
            "{} is not the one that was listed",
            jar.display()
        );
    }
}

struct Artifact {
    group: &'static str,
    name: &'static str,
    version: &'static str,
}

impl Artifact {
    fn file(&self) -> String {
        format!("{}-{}.jar", self.name, self.version)
    }
}

fn list() -> impl Iterator<Item = (Artifact, &'static str)> {
    LIST.lines().map(|line| {
        let (coordinates, sum) = line
            .split_once(' ')
            .expect("a line of jars.txt is an artifact and its sum");
        let mut parts = coordinates.split(':');
        let mut part = || parts.next().expect("an artifact is group:artifact:version");
        let artifact = Artifact {
            group: part(),
            name: part(),
            version: part(),
        };
        (artifact, sum)
    })
}

/// Exactly what is listed: nothing else that these would ask for.
fn pom() -> String {
    let dependencies: String = list()
        .map(|(Artifact { group, name, version }, _)| {
            format!(
                "<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>\
                 <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>\
                 </dependency>\n"
            )
        })
        .collect();
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\n\
         <groupId>fermata</groupId><artifactId>test-kafka</artifactId><version>1</version><packaging>pom</packaging>\n\
         <dependencies>\n{dependencies}</dependencies></project>\n"
    )
}
