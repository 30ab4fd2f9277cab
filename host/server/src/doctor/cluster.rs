//! Whether the brokers answer, each of them, and what they are.

use super::Report;
use crate::installation::Installation;
use fermata_kafka::inspect::Inspector;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A broker that takes longer to accept a connection is as good as away.
const CONNECT: Duration = Duration::from_secs(3);

/// The number of brokers, if any answered.
pub fn reach(report: &mut Report<'_>, inspector: &Inspector, installation: &Installation) -> Option<usize> {
    let cluster = match inspector.cluster() {
        Ok(cluster) => cluster,
        Err(error) => {
            report.bad("brokers", installation.mask(&error.to_string()), error.remedy());
            return None;
        }
    };
    let id = cluster.id.as_deref().unwrap_or("without an id");
    match cluster.version {
        Some(version) => report.ok("brokers", format!("cluster {id}, Apache Kafka {version} or later")),
        None => report.bad(
            "brokers",
            format!("cluster {id} does not know the transactions of Apache Kafka 2.5"),
            "upgrade the brokers: positions are committed in the transaction with what came of them (KIP-447)",
        ),
    }
    let away: Vec<_> = cluster
        .brokers
        .iter()
        .filter_map(|b| Some((b, connect(b).err()?)))
        .collect();
    if away.is_empty() {
        report.ok("addresses", cluster.brokers.join(", "));
    }
    for (broker, found) in away {
        report.bad(
            "addresses",
            format!("{broker}, which the cluster advertises, does not accept connections from here: {found}"),
            "start that broker, or set its advertised.listeners to an address that can be reached from here",
        );
    }
    Some(cluster.brokers.len())
}

fn connect(broker: &str) -> Result<(), String> {
    let addresses = broker.to_socket_addrs().map_err(|e| e.to_string())?;
    let mut last = "the name stands for no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(_) => return Ok(()),
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}
