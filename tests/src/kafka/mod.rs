//! A real Apache Kafka for tests: brokers as child processes that end with the test, a proxy that cuts and delays their
//! connections, Kafka's own console tools, and a reader that knows nothing of Fermata.
//!
//! Java 17 and, the first time, Maven are all that it asks of the machine. `FERMATA_TEST_KAFKA=host:port` names a broker
//! to be used by [`shared`] instead.

mod books;
mod broker;
mod client;
mod cluster;
mod console;
mod jars;
mod java;
mod load;
mod ports;
pub mod proxy;
mod scene;
mod settings;
mod witness;

pub use books::{Figures, settle};
pub use client::{Client, Plain};
pub use cluster::Cluster;
pub use console::Tool;
pub use load::{Load, Payment};
pub use scene::{Node, Scene};
pub use settings::{ADMIN, ClusterOptions, GUEST, User};
pub use witness::{Fate, Witness};

use std::sync::OnceLock;

/// Names a running broker, `host:port`.
const GIVEN: &str = "FERMATA_TEST_KAFKA";

/// Is there a broker to be used?
pub fn given() -> bool {
    std::env::var_os(GIVEN).is_some()
}

/// The cluster of one broker that all tests of this process share: the given one, else [`local`].
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    let given = SHARED.get_or_init(|| std::env::var(GIVEN).ok().map(|bootstrap| Cluster::given(&bootstrap)));
    given.as_ref().unwrap_or_else(|| local())
}

/// A broker of this process, shared by all its tests, with listeners and users as in [`ClusterOptions`]: for tests that
/// ask more of a broker than its bootstrap address.
pub fn local() -> &'static Cluster {
    static LOCAL: OnceLock<Cluster> = OnceLock::new();
    LOCAL.get_or_init(|| Cluster::start(1))
}

/// `name-1f3b5d7a`: pipelines, topics and groups of one test, apart from those of all others on the same broker.
pub fn unique(name: &str) -> String {
    // The last bits of such a UUID are random.
    format!("{name}-{:08x}", uuid::Uuid::now_v7().as_u128() as u32)
}
