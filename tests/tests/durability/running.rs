//! The payment pipeline inside this process, on native stages, with a gate before its disk.

use super::gate::Gate;
use fermata_core::manifest::{Manifest, parse};
use fermata_core::names::Purpose;
use fermata_core::ports::Probe;
use fermata_core::{Offset, Record, Shard, TopicName};
use fermata_native::{NativeArtifacts, NativeExecutor};
use fermata_server::ground::Ground;
use fermata_server::host::{Host, HostSpec, status};
use fermata_store::{Options, PersistHook};
pub use fermata_tests::harness::PATIENCE;
use fermata_tests::harness::{Answer, PIPELINE, get, payment, post, until};
use serde_json::json;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

const MANIFEST: &str = include_str!("../../../examples/payments/pipeline.toml");

pub fn manifest() -> Manifest {
    parse::parse("pipeline.toml", MANIFEST).expect("the example is right")
}

pub struct Running {
    pub host: Host,
    base: String,
}

impl Running {
    pub fn start(dir: &Path, gate: &Arc<Gate>, probe: Option<Arc<dyn Probe>>) -> Self {
        Self::hooked(dir, gate.clone(), probe).unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// As [`Running::start`]; `Err`: why the process failed before every shard was held.
    pub fn hooked(dir: &Path, hook: Arc<dyn PersistHook>, probe: Option<Arc<dyn Probe>>) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        listener.set_nonblocking(true).expect("a socket can be told so");
        let (executor, artifacts) = (NativeExecutor::default(), NativeArtifacts::default());
        let mut spec = HostSpec::new(
            Arc::new(manifest()),
            MANIFEST.to_owned(),
            dir.to_owned(),
            Arc::new(executor),
            Arc::new(artifacts),
        );
        spec.listener = Some(listener);
        spec.ground = Ground::Embedded(Options {
            persist_hook: Some(hook),
            ..Options::default()
        });
        if let Some(probe) = probe {
            spec.probe = probe;
        }
        let host = Host::start(spec).map_err(|failure| format!("{failure:?}"))?;
        let address = host.address().expect("it has an API");
        let running = Self {
            host,
            base: format!("http://{address}"),
        };
        let ready = || match (get(&running.url("/readyz")), running.host.failed()) {
            (_, Some(because)) => Ok(Some(because)),
            (Ok(answer), None) if answer.status == 200 => Ok(None),
            (other, None) => Err(format!("{other:?}")),
        };
        match until("every shard is held", PATIENCE, ready) {
            None => Ok(running),
            Some(because) => Err(because),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub fn get(&self, path: &str) -> Result<Answer, String> {
        get(&self.url(&format!("{PIPELINE}{path}"))).map_err(|e| e.to_string())
    }

    /// A request that may wait for the disk.
    pub fn asking(&self, path: &str) -> JoinHandle<Result<Answer, String>> {
        let url = self.url(&if path.starts_with("/metrics") {
            path.to_owned()
        } else {
            format!("{PIPELINE}{path}")
        });
        std::thread::spawn(move || get(&url).map_err(|e| e.to_string()))
    }

    pub fn pay(&self, id: &str) -> Result<Answer, String> {
        pay(&self.intake(), id)
    }

    /// A payment whose acknowledgement may wait for the disk.
    pub fn paying(&self, id: &str) -> JoinHandle<Result<Answer, String>> {
        let (url, id) = (self.intake(), id.to_owned());
        std::thread::spawn(move || pay(&url, &id))
    }

    pub fn intake(&self) -> String {
        self.url(&format!("{PIPELINE}/topics/payment.incoming/records"))
    }

    pub fn post(&self, path: &str, body: serde_json::Value) -> Result<Answer, String> {
        let url = self.url(&format!("{PIPELINE}{path}"));
        post(&url, "application/json", &body.to_string()).map_err(|e| e.to_string())
    }

    /// A deployment of the account stage whose acknowledgement may wait for the disk.
    pub fn deploying(&self, component: &str) -> JoinHandle<Result<Answer, String>> {
        let url = self.url(&format!("{PIPELINE}/stages/account/deployments"));
        let body = json!({ "component": component, "probation": "50ms" }).to_string();
        std::thread::spawn(move || post(&url, "application/json", &body).map_err(|e| e.to_string()))
    }

    /// Waits until a payment is complete, as anybody outside may see it.
    pub fn complete(&self, id: &str) {
        until(&format!("payment {id} is complete"), PATIENCE, || {
            match self.get(&format!("/views/payment/{id}")) {
                Ok(answer) if answer.body["data"]["state"] == "complete" => Ok(()),
                other => Err(format!("{other:?}; failed: {:?}", self.host.failed())),
            }
        });
    }

    /// Waits until all that came in has come to its end, and is shown.
    pub fn quiet(&self, ended: u64) {
        until("nothing moves", PATIENCE, || match self.get("/status") {
            Ok(Answer { body, .. })
                if body["lag"] == 0 && body["in_flight"] == 0 && body["summary"]["confirmed"] == ended =>
            {
                Ok(())
            }
            other => Err(format!("{other:?}")),
        });
    }

    /// What the process itself has on a topic, on the disk or not.
    pub fn inside(&self, topic: &str) -> Vec<Record> {
        let name = TopicName::new(topic).expect("a topic's name");
        let log = &self.host.app.log;
        let all = (0..self.host.app.manifest.partitions).map(Shard);
        all.flat_map(|shard| log.read(&name, shard, Offset(0), 100_000).expect("it can be read"))
            .collect()
    }

    pub fn journal(&self) -> Vec<Record> {
        self.inside(Purpose::Journal.topic(&self.host.app.manifest.name).as_str())
    }

    /// Waits until the process itself has confirmed a payment, on the disk or not.
    pub fn confirmed_inside(&self, id: &str) {
        until(&format!("payment {id} is confirmed inside"), PATIENCE, || {
            let found = self.inside("payment.confirmed");
            if found.iter().any(|r| r.key.as_deref() == Some(id.as_bytes())) {
                Ok(())
            } else {
                Err(found.len())
            }
        });
    }

    /// Counters, rates and reports as anybody outside would see them.
    pub fn shown(&self) -> String {
        let app = &self.host.app;
        let counts = status::counts(app);
        let latencies: Vec<_> = app
            .board
            .meters
            .latency()
            .into_iter()
            .map(|(topic, h)| (topic, h.len()))
            .collect();
        let deployments = app.fold().deployments.len();
        format!("{counts:?} {latencies:?} {:?} {deployments}", app.board.meters.series())
    }
}

fn pay(url: &str, id: &str) -> Result<Answer, String> {
    let body = payment(id, &format!("acct-{}", id.len() % 7)).to_string();
    post(url, "application/json", &body).map_err(|e| e.to_string())
}
