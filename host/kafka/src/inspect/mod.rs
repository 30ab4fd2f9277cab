//! What a cluster says of itself and lets us do, for people: `fermata topics` and `fermata doctor`. Nothing here is in
//! the way of a record.

mod create;
mod ears;
mod error;
mod groups;
mod rights;
mod topics;
mod transactions;
mod versions;

pub use create::{Made, Wanted};
pub use error::InspectError;
pub use groups::Group;
pub use rights::Verdict;
pub use topics::Seen;
pub use transactions::{Concluded, NoTransactions, Transactor};

use ears::{Ears, Heard};
use rdkafka::admin::AdminClient;
use rdkafka::client::Client;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Clients that ask. Opening them does not yet reach the cluster: [`Inspector::cluster`] does.
pub struct Inspector {
    settings: BTreeMap<String, String>,
    within: Duration,
    heard: Arc<Heard>,
    asker: BaseConsumer<Ears>,
    admin: AdminClient<Ears>,
}

/// Who answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    pub id: Option<String>,
    /// `host:port` of each broker.
    pub brokers: Vec<String>,
    /// The least Apache Kafka that speaks as these brokers do, as `4.1`.
    pub version: Option<&'static str>,
}

/// What a client waits for at a time before it looks at what its connections met.
const SLICE: Duration = Duration::from_millis(500);
const LISTEN: Duration = Duration::from_millis(20);

impl Inspector {
    /// `settings`: librdkafka's; `within`: how long any one answer may take.
    pub fn open(settings: &BTreeMap<String, String>, within: Duration) -> Result<Self, InspectError> {
        let heard = Arc::new(Heard::default());
        let ears = Ears(heard.clone());
        // A consumer, since a producer that asks about a topic has the broker make it.
        let mut asking = config(settings);
        asking
            .set("debug", debug(settings))
            .set_log_level(RDKafkaLogLevel::Debug);
        let asker = asking
            .create_with_context(ears.clone())
            .map_err(|e| error::client(&e))?;
        let admin = config(settings)
            .create_with_context(ears)
            .map_err(|e| error::client(&e))?;
        Ok(Self {
            settings: settings.clone(),
            within,
            heard,
            asker,
            admin,
        })
    }

    /// Reaches the cluster.
    pub fn cluster(&self) -> Result<Cluster, InspectError> {
        let metadata = self.metadata("reaching the brokers", None)?;
        // What the brokers can do was told before they answered, in lines that are still to be heard.
        let deadline = Instant::now() + self.within;
        while self.heard.version().is_none() && Instant::now() < deadline {
            self.listen();
        }
        let brokers = metadata.brokers().iter();
        let brokers = brokers.map(|b| format!("{}:{}", b.host(), b.port())).collect();
        Ok(Cluster {
            id: self.asker.client().fetch_cluster_id(self.within),
            brokers,
            version: self.heard.version(),
        })
    }

    fn metadata(&self, doing: &str, topic: Option<&str>) -> Result<Metadata, InspectError> {
        let deadline = Instant::now() + self.within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.asker.fetch_metadata(topic, left.min(SLICE));
            self.listen();
            match answer {
                Ok(metadata) => return Ok(metadata),
                // Whoever is refused is refused again, however long we wait.
                Err(error) if left.is_zero() || self.heard.refused() => {
                    return Err(error::explain(doing, &error, &self.heard));
                }
                Err(_) => {}
            }
        }
    }

    /// Log lines and errors wait in the queue until somebody polls; a poll without time takes but one of them.
    fn listen(&self) {
        let until = Instant::now() + LISTEN;
        while Instant::now() < until {
            drop(self.asker.poll(LISTEN));
        }
    }

    fn client(&self) -> &Client<Ears> {
        self.admin.inner()
    }
}

/// What any client is made with.
fn config(settings: &BTreeMap<String, String>) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("client.id", "fermata-doctor");
    for (name, value) in settings {
        config.set(name, value);
    }
    config.set("allow.auto.create.topics", "false");
    config
}

/// The brokers' versions are told in librdkafka's own log alone.
fn debug(settings: &BTreeMap<String, String>) -> String {
    match settings.get("debug").filter(|d| !d.is_empty()) {
        Some(own) => format!("{own},feature"),
        None => "feature".to_owned(),
    }
}
