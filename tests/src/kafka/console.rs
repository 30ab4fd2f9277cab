//! Kafka's own console tools, as a Kafka user runs them.

use super::cluster::Cluster;
use super::jars::kafka;
use std::process::{Output, Stdio};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Acls,
    Configs,
    ConsoleConsumer,
    ConsoleProducer,
    ConsumerGroups,
    DeleteRecords,
    Topics,
    Transactions,
}

impl Tool {
    fn class(self) -> &'static str {
        match self {
            Self::Acls => "org.apache.kafka.tools.AclCommand",
            Self::Configs => "kafka.admin.ConfigCommand",
            Self::ConsoleConsumer => "org.apache.kafka.tools.consumer.ConsoleConsumer",
            Self::ConsoleProducer => "org.apache.kafka.tools.ConsoleProducer",
            Self::ConsumerGroups => "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            Self::DeleteRecords => "org.apache.kafka.tools.DeleteRecordsCommand",
            Self::Topics => "org.apache.kafka.tools.TopicCommand",
            Self::Transactions => "org.apache.kafka.tools.TransactionsCommand",
        }
    }
}

impl Cluster {
    /// What `kafka-<tool>.sh --bootstrap-server ... args` prints on standard output. Panics when it fails.
    pub fn console(&self, tool: Tool, args: &[&str]) -> String {
        let output = self.console_output(tool, args);
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "{tool:?} {args:?}: {}\n{out}{err}",
            output.status
        );
        out.into_owned()
    }

    /// As [`Cluster::console`], whatever comes of it.
    pub fn console_output(&self, tool: Tool, args: &[&str]) -> Output {
        let mut command = kafka().command(96);
        command
            .arg(tool.class())
            .args(["--bootstrap-server", self.bootstrap()])
            .args(args);
        command.stdin(Stdio::null()).output().expect("Java was found")
    }
}
