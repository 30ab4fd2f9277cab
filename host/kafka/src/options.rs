//! What a log on Kafka is opened with.

use fermata_core::{PipelineName, TopicName};
use std::{collections::BTreeMap, time::Duration};

/// What `ensure` does about topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CreateTopics {
    /// Makes what is missing; says where an existing topic differs.
    #[default]
    Auto,
    /// Makes nothing: a topic that is missing or differs is an error.
    Verify,
    /// Makes nothing and looks at no configuration: a topic that is missing is an error.
    Never,
}

#[derive(Clone, Debug)]
pub struct KafkaOptions {
    pub pipeline: PipelineName,
    /// Stable name of this process: transactional ids come from it. No two processes of a pipeline share one.
    pub node: String,
    /// Members that will join under this process: their transactions are prepared as soon as the topics are there.
    pub members: Vec<String>,
    /// By librdkafka's names; at least `bootstrap.servers`.
    pub settings: BTreeMap<String, String>,
    /// Configuration of topics by Kafka's names, for making and verifying them.
    pub topics: BTreeMap<TopicName, BTreeMap<String, String>>,
    /// Copies of each partition; -1: as many as the broker makes by default.
    pub replication: i32,
    pub create: CreateTopics,
    /// How long the brokers may take to answer anything but a commit.
    pub answer_within: Duration,
    /// How long a commit may take before its outcome counts as unknown.
    pub commit_within: Duration,
    /// A partition that has records and yields none for so long makes the session begin anew.
    pub stalled_after: Duration,
}

impl KafkaOptions {
    pub fn new(pipeline: PipelineName, node: impl Into<String>, settings: BTreeMap<String, String>) -> Self {
        Self {
            pipeline,
            node: node.into(),
            members: Vec::new(),
            settings,
            topics: BTreeMap::new(),
            replication: -1,
            create: CreateTopics::default(),
            answer_within: Duration::from_secs(10),
            commit_within: Duration::from_secs(15),
            stalled_after: Duration::from_secs(20),
        }
    }
}
