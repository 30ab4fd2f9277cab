//! What a test may ask of its brokers, and the server.properties that say so.

use super::jars::Kafka;
use super::ports::port;
use std::fs;
use std::path::Path;
use uuid::Uuid;

/// A user of the SASL/PLAIN listener.
#[derive(Clone, Copy, Debug)]
pub struct User {
    pub name: &'static str,
    pub password: &'static str,
}
/// May do everything, as everybody may who comes without SASL.
pub const ADMIN: User = User {
    name: "admin",
    password: "admin-secret",
};
/// May do nothing until ACLs allow it.
pub const GUEST: User = User {
    name: "fermata",
    password: "fermata-secret",
};

#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// 1, or 3 with three replicas of everything, of which two must be in sync.
    pub brokers: u32,
    /// So many listeners to which clients come through a proxy each.
    pub proxies: usize,
    /// Settings of every broker, over the usual ones.
    pub settings: Vec<(String, String)>,
    /// The memory and the compiler of a broker that serves, not of one that starts quickly: to be measured with.
    pub serving: bool,
}

impl ClusterOptions {
    pub fn new(brokers: u32) -> Self {
        Self {
            brokers,
            proxies: 0,
            settings: Vec::new(),
            serving: false,
        }
    }
    pub fn serving(self) -> Self {
        Self { serving: true, ..self }
    }
    pub fn proxies(self, proxies: usize) -> Self {
        Self { proxies, ..self }
    }
    pub fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }
}

/// One broker's ports.
#[derive(Clone, Debug)]
pub struct Ports {
    pub plain: u16,
    pub sasl: u16,
    pub controller: u16,
    pub proxied: Vec<Proxied>,
}
/// A listener behind a proxy.
#[derive(Clone, Copy, Debug)]
pub struct Proxied {
    /// What the broker tells clients: the proxy's.
    pub told: u16,
    /// Where the broker itself listens.
    pub behind: u16,
}

impl Ports {
    pub fn pick(proxies: usize) -> Self {
        let proxied = (0..proxies).map(|_| Proxied {
            told: port(),
            behind: port(),
        });
        Self {
            plain: port(),
            sasl: port(),
            controller: port(),
            proxied: proxied.collect(),
        }
    }
}

/// `server.properties` of node `node` of those that have `ports`.
pub fn properties(options: &ClusterOptions, node: u32, ports: &[Ports], data: &Path) -> String {
    let own = &ports[node as usize - 1];
    let replicas = options.brokers.min(3);
    let in_sync = replicas.min(2);
    let voters: Vec<String> = ports
        .iter()
        .enumerate()
        .map(|(i, p)| format!("{}@127.0.0.1:{}", i + 1, p.controller))
        .collect();
    let at = |name: &str, port: u16| format!("{name}://127.0.0.1:{port}");
    let mut listeners = vec![at("PLAINTEXT", own.plain), at("SASL", own.sasl)];
    let mut advertised = listeners.clone();
    let mut protocols = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT".to_owned();
    for (i, Proxied { told, behind }) in own.proxied.iter().enumerate() {
        listeners.push(at(&format!("PROXIED{i}"), *behind));
        advertised.push(at(&format!("PROXIED{i}"), *told));
        protocols += &format!(",PROXIED{i}:PLAINTEXT");
    }
    listeners.push(at("CONTROLLER", own.controller));
    let users: String = [ADMIN, GUEST]
        .iter()
        .map(|u| format!(" user_{}=\"{}\"", u.name, u.password))
        .collect();
    let mut text = format!(
        "process.roles=broker,controller
node.id={node}
controller.quorum.voters={}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners={}
advertised.listeners={}
listener.security.protocol.map={protocols}
listener.name.sasl.sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required{users};
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:{}
log.dirs={}
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
",
        voters.join(","),
        listeners.join(","),
        advertised.join(","),
        ADMIN.name,
        data.display(),
    );
    for (name, value) in USUAL {
        if !options.settings.iter().any(|(set, _)| set == name) {
            text += &format!("{name}={value}\n");
        }
    }
    for (name, value) in &options.settings {
        text += &format!("{name}={value}\n");
    }
    text
}

/// Small and quick to start, for many tests on few cores; and sessions that a test may let end.
const USUAL: &[(&str, &str)] = &[
    ("num.partitions", "4"),
    ("auto.create.topics.enable", "false"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.num.partitions", "4"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "1000"),
    ("log.index.size.max.bytes", "1048576"),
    ("log.cleaner.dedupe.buffer.size", "16777216"),
    ("num.network.threads", "2"),
    ("num.io.threads", "4"),
    ("background.threads", "2"),
    ("initial.broker.registration.timeout.ms", "120000"),
];

/// What a log folder holds before its broker's first start.
pub struct Format<'a> {
    pub node: u32,
    pub cluster: &'a str,
}

impl Format<'_> {
    /// Does in an instant what `kafka-storage format` takes a Java machine for.
    pub fn write(&self, kafka: &Kafka, data: &Path) {
        fs::create_dir_all(data).expect("a temporary folder can be written to");
        let properties = format!(
            "version=1\nnode.id={}\ndirectory.id={}\ncluster.id={}\n",
            self.node,
            identity(),
            self.cluster
        );
        fs::write(data.join("meta.properties"), properties).expect("a temporary folder can be written to");
        let checkpoint = kafka.checkpoint();
        let name = checkpoint.file_name().expect("a checkpoint is a file");
        fs::copy(&checkpoint, data.join(name)).expect("a temporary folder can be written to");
    }

    /// Lets Kafka format a folder, and keeps of it what is the same for all.
    pub fn checkpoint(kafka: &Kafka, to: &Path) {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let data = folder.path().join("data");
        let file = folder.path().join("server.properties");
        let ports = [Ports {
            plain: 1,
            sasl: 2,
            controller: 3,
            proxied: Vec::new(),
        }];
        fs::write(&file, properties(&ClusterOptions::new(1), 1, &ports, &data)).expect("a temporary folder");
        let mut format = kafka.command(64);
        format
            .args(["kafka.tools.StorageTool", "format", "-t", &identity(), "-c"])
            .arg(&file);
        let output = format.output().expect("Java was found");
        let checkpoint = data.join(to.file_name().expect("a checkpoint is a file"));
        assert!(
            output.status.success() && fs::copy(&checkpoint, to).is_ok(),
            "kafka-storage format: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// 16 bytes that nobody else has, as Kafka writes them: 22 letters, digits, `-` and `_`.
pub fn identity() -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = Uuid::now_v7().as_u128();
    let six = |i: u32| {
        // The last of the 22 holds two bits and four zeros.
        let shift = 122_i32 - 6 * i as i32;
        let value = if shift >= 0 { bits >> shift } else { bits << -shift };
        DIGITS[(value & 63) as usize] as char
    };
    (0..22).map(six).collect()
}

#[cfg(test)]
mod tests {
    use super::identity;

    #[test]
    fn identities_are_as_kafka_writes_them() {
        let made = identity();
        assert_eq!(made.len(), 22);
        assert!(made.ends_with(['A', 'Q', 'g', 'w']), "{made} holds more than 16 bytes");
        assert_ne!(made, identity());
    }
}
