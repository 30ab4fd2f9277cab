//! Who is measured, and how each is started.

use super::Outcome;
use super::tools::{Broker, PEER_JAR, Tools};
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use toml::{Table, Value};

const MANIFEST: &str = include_str!("../../../../examples/payments/pipeline.toml");
const PARTITIONS: u32 = 4;
/// No debit of any load takes an account under it.
const OVERDRAFT: i64 = -1_000_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Kafka Streams, tuned for latency: one topology, commits every 20 ms.
    Peer,
    /// Kafka Streams, tuned for throughput: a topology for each stage, commits every 100 ms.
    BulkPeer,
    Fermata,
}

impl Side {
    pub const ALL: [Self; 3] = [Self::Peer, Self::BulkPeer, Self::Fermata];

    pub fn name(self) -> &'static str {
        match self {
            Self::Peer => "Kafka Streams",
            Self::BulkPeer => "Kafka Streams, tuned for throughput",
            Self::Fermata => "Fermata",
        }
    }
    /// Its latency is measured, too.
    pub fn steady(self) -> bool {
        self != Self::BulkPeer
    }
    pub fn restarts(self) -> bool {
        self != Self::BulkPeer
    }
}

/// One side, about to be measured: its topics exist.
pub struct Prepared {
    pub command: String,
    /// After SIGKILL, with what it had on disk.
    pub restart: String,
    pub incoming: String,
    pub confirmed: String,
    /// How the load generator speaks to it, besides.
    pub flags: Vec<(&'static str, String)>,
}

/// `run`: begins the name of every topic. `folder`: for state.
pub fn prepare(side: Side, tools: &Tools, broker: &Broker, run: &str, folder: &Path) -> Outcome<Prepared> {
    match side {
        Side::Peer | Side::BulkPeer => peer(side, tools, broker, run, folder),
        Side::Fermata => fermata(tools, broker, run, folder),
    }
}

fn peer(side: Side, tools: &Tools, broker: &Broker, run: &str, folder: &Path) -> Outcome<Prepared> {
    let tuned = match side {
        Side::BulkPeer => "--threads 1 --commit-ms 100",
        // Static membership, and the shortest session that brokers allow by default: the quickest way back.
        _ => "--combined --threads 1 --commit-ms 20 --instance-id bench --prop session.timeout.ms=6000",
    };
    let lib = tools.peer.display();
    let command = format!(
        "java -Xmx2g -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp '{lib}/{PEER_JAR}:{lib}/lib/*' fermata.peer.Peer All \
         --bootstrap {} --app {run} --topics {run}. --state-dir '{}' {tuned}",
        broker.bootstrap(),
        folder.join("peer").display()
    );
    let topic = |name: &str| format!("{run}.{name}");
    let topics = ["incoming", "inflight", "complete", "confirmed"].map(topic);
    let mut making = Command::new(&tools.payload);
    making.args([
        "topics",
        "--bootstrap",
        broker.bootstrap(),
        "--create",
        &topics.join(","),
    ]);
    done(making.args(["--partitions", &PARTITIONS.to_string()]))?;
    Ok(Prepared {
        restart: format!("{command} --keep-state"),
        command,
        incoming: topic("incoming"),
        confirmed: topic("confirmed"),
        flags: Vec::new(),
    })
}

fn fermata(tools: &Tools, broker: &Broker, run: &str, folder: &Path) -> Outcome<Prepared> {
    let manifest = folder.join("pipeline.toml");
    let config = folder.join("fermata.toml");
    std::fs::write(&manifest, renamed(run)?)?;
    std::fs::write(&config, installation(broker.bootstrap(), folder))?;
    let binary = tools.fermata.display();
    let files = format!("--config '{}' '{}'", config.display(), manifest.display());
    let mut making = Command::new(&tools.fermata);
    making
        .args(["topics", "create", "--quiet", "--config"])
        .arg(&config)
        .arg(&manifest);
    done(&mut making)?;
    let command = format!("'{binary}' run {files}");
    let topic = |name: &str| format!("{run}.{name}");
    let flags = [
        (
            "--template",
            r#"{"id":"{id}","from":"{from}","to":"{to}","amount":{cents},"currency":"EUR","at":"{at}","due":{sched}}"#
                .to_owned(),
        ),
        ("--id-field", "id".to_owned()),
        ("--sched-field", "due".to_owned()),
        ("--setup-topic", topic("account.commands")),
        (
            "--setup-template",
            format!(r#"{{"type":"open","account":"{{account}}","currency":"EUR","limit":{OVERDRAFT}}}"#),
        ),
        ("--setup-out", topic("account.results")),
    ];
    Ok(Prepared {
        restart: command.clone(),
        command,
        incoming: topic("payment.incoming"),
        confirmed: topic("payment.confirmed"),
        flags: flags.into(),
    })
}

/// The example, with a name and topics of its own. Ports keep their names: they are the components'.
fn renamed(run: &str) -> Outcome<String> {
    let mut text: Table = toml::from_str(MANIFEST)?;
    text.insert("name".into(), run.into());
    text.insert("partitions".into(), PARTITIONS.into());
    for (key, value) in &mut text {
        match (key.as_str(), value) {
            ("topics", Value::Table(topics)) => {
                *topics = std::mem::take(topics)
                    .into_iter()
                    .map(|(name, topic)| (own(run, &name), topic))
                    .collect();
            }
            ("stage", Value::Table(stages)) => stages.iter_mut().for_each(|(_, stage)| wire(run, stage)),
            (_, value) => rename(run, value),
        }
    }
    Ok(toml::to_string(&text)?)
}

/// A list of topics names ports as well: it becomes a table.
fn wire(run: &str, stage: &mut Value) {
    if let Some(Value::Array(topics)) = stage.get("in") {
        let ports = topics.iter().filter_map(Value::as_str);
        let ports: Table = ports.map(|port| (port.to_owned(), port.into())).collect();
        if let Some(stage) = stage.as_table_mut() {
            stage.insert("in".into(), ports.into());
        }
    }
    rename(run, stage);
}

fn rename(run: &str, value: &mut Value) {
    match value {
        Value::String(text) if topic(text) => *text = own(run, text),
        Value::Array(all) => all.iter_mut().for_each(|value| rename(run, value)),
        Value::Table(all) => all.iter_mut().for_each(|(_, value)| rename(run, value)),
        _ => {}
    }
}

fn topic(text: &str) -> bool {
    ["payment.", "account."].iter().any(|begin| text.starts_with(begin))
}

fn own(run: &str, topic: &str) -> String {
    format!("{run}.{topic}")
}

fn installation(bootstrap: &str, folder: &Path) -> String {
    let mut text = String::new();
    let data = toml::Value::from(folder.join("data").display().to_string());
    let _ = writeln!(text, "node = {{ id = \"bench\", data-dir = {data}, workers = 2 }}");
    let _ = writeln!(text, "http = {{ listen = \"127.0.0.1:0\" }}");
    let _ = writeln!(text, "log = {{ kind = \"kafka\" }}");
    let _ = writeln!(text, "kafka = {{ \"bootstrap.servers\" = \"{bootstrap}\" }}");
    text
}

/// Runs a program that should succeed.
pub fn done(command: &mut Command) -> Outcome<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{:?} ended with {}: {said}", command.get_program(), output.status).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fermata_core::manifest::parse;

    #[test]
    fn the_example_stays_a_pipeline_under_another_name() {
        let before = parse::parse("pipeline.toml", MANIFEST).expect("the example is right");
        let after = parse::parse("pipeline.toml", &renamed("bench-1").expect("it is TOML"))
            .expect("it is right under another name");
        assert_eq!(after.name.as_str(), "bench-1");
        assert_eq!(after.topics.len(), before.topics.len());
        assert!(
            after.topics.keys().all(|t| t.as_str().starts_with("bench-1.")),
            "{:?}",
            after.topics.keys()
        );
        assert_eq!(after.partitions, PARTITIONS);
        for (before, after) in before.stages.iter().zip(&after.stages) {
            let ports =
                |stage: &fermata_core::manifest::Stage| stage.inputs.iter().map(|(p, _)| p.clone()).collect::<Vec<_>>();
            assert_eq!(ports(before), ports(after));
        }
    }
}
