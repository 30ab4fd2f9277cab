//! A proxy between a client and the brokers that cuts and delays connections at a given request of Kafka's protocol.
//!
//! Every proxied listener of a cluster (`ClusterOptions::proxies`) tells clients the proxy's addresses, so whoever
//! bootstraps through a proxy stays behind it; brokers among themselves and other clients do not pass it.

mod connection;
mod protocol;
mod rules;

pub use protocol::Api;
pub use rules::{Fault, Rule, RuleId};

use super::settings::Proxied;
use connection::Connection;
use parking_lot::Mutex;
use rules::Rules;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What becomes of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    #[default]
    Through,
    /// Connections are made and stay open, and nothing passes in either direction until that changes.
    Frozen,
    /// Connections are cut as soon as they are made, and those that were there are cut.
    Refused,
}

/// One proxied listener of all brokers.
pub struct Proxy {
    bootstrap: String,
    shared: Arc<Shared>,
}

/// What its threads share.
#[derive(Default)]
struct Shared {
    rules: Mutex<Rules>,
    /// By broker.
    reach: Mutex<Vec<Reach>>,
    /// Every frame waits so long, in both directions.
    latency: Mutex<Duration>,
    connections: Mutex<Vec<Connection>>,
}

impl Proxy {
    /// Listens for the clients of every broker. The threads end with the process.
    pub(super) fn listen(brokers: &[Proxied]) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        shared.reach.lock().resize(brokers.len(), Reach::Through);
        for (broker, Proxied { told, behind }) in brokers.iter().copied().enumerate() {
            let (listener, shared) = (TcpListener::bind(("127.0.0.1", told))?, shared.clone());
            thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    shared.accept(client, broker, behind);
                }
            });
        }
        let addresses: Vec<String> = brokers.iter().map(|b| format!("127.0.0.1:{}", b.told)).collect();
        Ok(Self {
            bootstrap: addresses.join(","),
            shared,
        })
    }

    /// `host:port` of the proxy for every broker.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// From now on; the oldest rule that matches a request decides what becomes of it.
    pub fn add(&self, rule: Rule) -> RuleId {
        self.shared.rules.lock().add(rule)
    }

    /// How often a rule has struck.
    pub fn struck(&self, rule: RuleId) -> u64 {
        self.shared.rules.lock().struck(rule)
    }

    /// Requests of one kind that clients have sent so far.
    pub fn seen(&self, api: Api) -> u64 {
        self.shared.rules.lock().seen(api)
    }

    /// No rule strikes any more.
    pub fn clear(&self) {
        self.shared.rules.lock().clear();
    }

    /// Every frame waits so long, in both directions. Zero: no longer.
    pub fn delay(&self, latency: Duration) {
        *self.shared.latency.lock() = latency;
    }

    /// Of all brokers.
    pub fn set(&self, reach: Reach) {
        let brokers = self.shared.reach.lock().len() as u32;
        (1..=brokers).for_each(|node| self.set_node(node, reach));
    }

    /// Of one broker, by its node id.
    pub fn set_node(&self, node: u32, reach: Reach) {
        let broker = node as usize - 1;
        self.shared.reach.lock()[broker] = reach;
        if reach == Reach::Refused {
            for connection in self.shared.connections.lock().iter().filter(|c| c.broker() == broker) {
                connection.cut();
            }
        }
    }

    /// Cuts every connection that there is now; says how many.
    pub fn cut(&self) -> usize {
        let connections = std::mem::take(&mut *self.shared.connections.lock());
        connections.iter().filter(|connection| connection.cut()).count()
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, client: TcpStream, node: usize, behind: u16) {
        if self.reach.lock()[node] == Reach::Refused {
            return;
        }
        // A broker that is down: the client sees its connection closed.
        let Ok(broker) = TcpStream::connect(("127.0.0.1", behind)) else {
            return;
        };
        if let Ok(connection) = Connection::start(client, broker, node, self) {
            let mut connections = self.connections.lock();
            connections.retain(|c| c.open());
            connections.push(connection);
        }
    }

    /// Waits while nothing passes, and for the latency.
    fn wait(&self, broker: usize) {
        while self.reach.lock()[broker] == Reach::Frozen {
            thread::park_timeout(Duration::from_millis(5));
        }
        let latency = *self.latency.lock();
        if !latency.is_zero() {
            thread::sleep(latency);
        }
    }
}
