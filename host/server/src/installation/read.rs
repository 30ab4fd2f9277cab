//! The keys of `fermata.toml`. Keys that are not due yet are unknown keys, never ignored.

use super::setting::Setting;
use super::{Create, DATA_DIR, Installation, LogKind, Node, Topics};
use crate::cli::args::DEFAULT_LISTEN;
use fermata_core::TopicName;
use fermata_core::codes;
use fermata_core::manifest::problem::Problem;
use fermata_core::manifest::raw::{At, Checked, Fields, Problems, Value};
use fermata_core::manifest::secrets::Secrets;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeTable;

/// More threads than any machine of today has use for.
const MAX_WORKERS: u64 = 64;
/// Node names stand in members of a group, which Kafka bounds, and in transactional ids.
const MAX_NODE: usize = 64;
/// Longer than anything is kept: ten years.
const MAX_RETENTION: Duration = Duration::from_secs(3_650 * 86_400);
/// librdkafka's settings that are secrets however they are written.
const HIDDEN: [&str; 8] = [
    "sasl.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.assertion.private.key.pem",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "ssl_key",
];

/// `None`: something was noted.
pub fn installation(table: &Spanned<DeTable<'_>>, problems: &Problems, secrets: &dyn Secrets) -> Option<Installation> {
    let top = Fields::top(table, problems);
    let node = top.read("node", |v| node(v, secrets)).unwrap_or_else(no_node);
    let listen = top.read("http", |v| http(v, secrets)).flatten();
    let peer_secret = top.read("auth", |v| auth(v, secrets)).flatten();
    let named = top.read("log", |v| log(v, secrets)).flatten();
    let settings = top.get("kafka");
    let place = settings.as_ref().map(Value::span);
    let kafka = settings.and_then(|v| v.keep(kafka(&v, secrets)));
    let log = match (named, &place) {
        (Some(named), _) => named,
        (None, Some(place)) => {
            let problem = Problem::new(
                codes::MANIFEST_SYNTAX,
                place.clone(),
                "there are settings of Kafka, and nothing says that the log is Kafka's",
            );
            problems.note(problem.help("log = { kind = \"kafka\" }, or leave the settings out"));
            LogKind::Kafka
        }
        (None, None) => LogKind::Embedded,
    };
    let kafka = kafka.unwrap_or_default();
    if log == LogKind::Kafka && !kafka.contains_key("bootstrap.servers") && problems.count() == 0 {
        let message = "\"kafka.bootstrap.servers\" is missing: log.kind is \"kafka\"";
        let problem = Problem::new(codes::MANIFEST_SYNTAX, place.unwrap_or(0..0), message);
        problems.note(problem.help("kafka = { \"bootstrap.servers\" = \"host:9092\" }"));
    }
    let topics = top.read("topics", |v| topics(v, secrets)).unwrap_or_default();
    top.close();
    (problems.count() == 0).then(|| Installation {
        node,
        listen: listen.unwrap_or_else(default_listen),
        peer_secret,
        log,
        kafka,
        topics,
    })
}

fn default_listen() -> SocketAddr {
    DEFAULT_LISTEN.parse().expect("a constant address")
}

fn no_node() -> Node {
    Node {
        id: None,
        data_dir: PathBuf::from(DATA_DIR),
        workers: 0,
        advertise: None,
    }
}

/// A text with its references filled in that is not empty.
fn text(value: &Value<'_>, secrets: &dyn Secrets) -> Checked<Setting> {
    let before = value.problems.count();
    let text = Setting::read(value, secrets)?;
    if text.reveal().trim().is_empty() && value.problems.count() == before {
        return Err(value.bad(format!("expected a text, found {text:?}, which is empty")));
    }
    Ok(text)
}

/// A number, also as text: so it may come out of the environment.
fn count(value: &Value<'_>, secrets: &dyn Secrets, least: u64, most: u64) -> Checked<u64> {
    if !value.is_text() {
        return value.count(least, most);
    }
    let text = text(value, secrets)?;
    let number = text.reveal().trim().parse().ok().filter(|n| (least..=most).contains(n));
    number.ok_or_else(|| value.bad(format!("expected a number from {least} to {most}, found {text:?}")))
}

fn node(value: &Value<'_>, secrets: &dyn Secrets) -> Checked<Node> {
    let fields = value.fields()?;
    let none = no_node();
    let node = Node {
        id: fields.read("id", |v| node_id(v, secrets)),
        data_dir: fields
            .read("data-dir", |v| text(v, secrets))
            .map_or(none.data_dir, |text| PathBuf::from(text.reveal())),
        workers: fields
            .read("workers", |v| count(v, secrets, 0, MAX_WORKERS))
            .map_or(none.workers, |n| n as usize),
        advertise: fields.read("advertise", |v| advertise(v, secrets)),
    };
    fields.close();
    Ok(node)
}

fn node_id(value: &Value<'_>, secrets: &dyn Secrets) -> Checked<String> {
    let before = value.problems.count();
    let id = text(value, secrets)?;
    // What stands in for a text that cannot be had is told of once.
    if valid_node(id.reveal()) || value.problems.count() > before {
        return Ok(id.reveal().to_owned());
    }
    Err(value.bad(format!(
        "expected a name ([A-Za-z0-9._-], at most {MAX_NODE} bytes), found {id:?}"
    )))
}

/// May members and transactional ids be made of it?
pub fn valid_node(id: &str) -> bool {
    (1..=MAX_NODE).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn advertise(value: &Value<'_>, secrets: &dyn Secrets) -> Checked<String> {
    let url = text(value, secrets)?;
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| url.reveal().strip_prefix(scheme));
    let host = rest.map(|rest| rest.trim_end_matches('/'));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => {
            Ok(url.reveal().trim_end_matches('/').to_owned())
        }
        _ => Err(value.bad(format!(
            "expected a URL such as \"http://10.0.3.11:8640\", found {url:?}"
        ))),
    }
}

fn http(value: &Value<'_>, secrets: &dyn Secrets) -> Checked<Option<SocketAddr>> {
    let fields = value.fields()?;
    let listen = fields.read("listen", |v| {
        let listen = text(v, secrets)?;
        let address = listen.reveal().parse();
        address.map_err(|_| {
            v.bad(format!(
                "expected an address such as {DEFAULT_LISTEN:?}, found {listen:?}"
            ))
        })
    });
    fields.close();
    Ok(listen)
}

fn auth(value: &Value<'_>, secrets: &dyn Secrets) -> Checked<Option<Setting>> {
    let fields = value.fields()?;
    let secret = fields.read("peer-secret", |v| text(v, secrets));
    fields.close();
    Ok(secret.map(hide))
}

/// What was written down openly is a secret all the same.
fn hide(setting: Setting) -> Setting {
    if setting.is_secret() {
        setting
    } else {
        Setting::hidden(setting.reveal())
    }
}

fn log(value: &Value<'_>, secrets: &dyn Secrets) -> Checked<Option<LogKind>> {
    const KINDS: [(&str, LogKind); 2] = [("embedded", LogKind::Embedded), ("kafka", LogKind::Kafka)];
    let fields = value.fields()?;
    let kind = fields.must("kind", |v| one_of(v, secrets, &KINDS));
    fields.close();
    Ok(kind)
}

fn one_of<T: Copy>(value: &Value<'_>, secrets: &dyn Secrets, all: &[(&'static str, T)]) -> Checked<T> {
    let found = text(value, secrets)?;
    let chosen = all.iter().find(|(name, _)| *name == found.reveal());
    chosen.map(|(_, one)| *one).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
        let problem = value.bad(format!("expected {}, found {found:?}", quoted.join(" or ")));
        problem.nearest(&found.to_string(), names)
    })
}

/// What Kafka's client understands is for it to say; here they are texts, numbers and switches.
fn kafka(value: &Value<'_>, secrets: &dyn Secrets) -> Checked<BTreeMap<String, Setting>> {
    let mut all = BTreeMap::new();
    for (key, value) in value.fields()?.entries() {
        let read = if value.is_text() {
            Setting::read(&value, secrets)
        } else if let Ok(number) = value.integer() {
            Ok(Setting::plain(number.to_string()))
        } else {
            let switch = value.boolean().map(|switch| Setting::plain(switch.to_string()));
            switch.map_err(|_| value.expected("a text, a whole number, true or false"))
        };
        if let Some(setting) = value.keep(read) {
            let hidden = HIDDEN.contains(&key.value.as_str());
            all.insert(key.value, if hidden { hide(setting) } else { setting });
        }
    }
    Ok(all)
}

fn topics(value: &Value<'_>, secrets: &dyn Secrets) -> Checked<Topics> {
    const CREATE: [(&str, Create); 3] = [
        ("auto", Create::Auto),
        ("verify", Create::Verify),
        ("never", Create::Never),
    ];
    const MOST: u64 = i16::MAX as u64;
    let fields = value.fields()?;
    let number = |key| fields.read(key, |v| count(v, secrets, 1, MOST)).map(|n| n as u16);
    let topics = Topics {
        create: fields
            .read("create", |v| one_of(v, secrets, &CREATE))
            .unwrap_or_default(),
        replication_factor: number("replication-factor"),
        min_insync_replicas: number("min-insync-replicas"),
        retention: fields.read("retention", retention).unwrap_or_default(),
    };
    if let (Some(copies), Some(least)) = (topics.replication_factor, topics.min_insync_replicas)
        && least > copies
    {
        let message = format!("\"topics.min-insync-replicas\": {least} of {copies} replicas can never be in sync");
        let problem = Problem::new(codes::MANIFEST_VALUE, value.span(), message);
        value
            .problems
            .note(problem.help("with 3 replicas, 2 in sync survive the loss of one"));
    }
    fields.close();
    Ok(topics)
}

fn retention(value: &Value<'_>) -> Checked<BTreeMap<String, Duration>> {
    let mut all = BTreeMap::new();
    for (At { value: name, span }, value) in value.fields()?.entries() {
        if TopicName::new(&name).is_err() {
            let message = format!("{name:?} is neither \"dlq\", \"journal\", \"ticks\" nor the name of a topic");
            value.problems.note(Problem::new(codes::MANIFEST_VALUE, span, message));
        }
        if let Some(kept) = value.keep(value.duration_within(MAX_RETENTION)) {
            all.insert(name, kept);
        }
    }
    Ok(all)
}
