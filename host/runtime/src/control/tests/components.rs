//! Components that are JSON: what they describe, and views that read one store.

use bytes::Bytes;
use fermata_core::description::{Description, Port, StoreDecl, ViewDecl, ViewScope};
use fermata_core::limits::Limits;
use fermata_core::ports::{
    Artifact, ArtifactError, Artifacts, Called, Executor, Failure, GeneratorInstance, HostCalls, Instance,
    PrepareError, Refused, Version, ViewError,
};
use fermata_core::{Digest, Due, Fault, FaultCode, Input, Outcome, VersionId};
use parking_lot::{Condvar, Mutex};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Component text of the stage `account`; `change` edits it.
pub(crate) fn account(version: &str, change: impl FnOnce(&mut Value)) -> Value {
    let views = json!([
        ["inflight", "all"],
        ["entry", "one"],
        ["writes", "all"],
        ["loops", "all"],
        ["tired", "all"]
    ]);
    let mut text = json!({"name": "account", "version": version, "inputs": ["inflight"], "outputs": ["complete"],
        "stores": {"balances": 3}, "views": views});
    change(&mut text);
    text
}

pub(crate) fn confirm() -> Value {
    json!({"name": "confirm", "version": "1.0.0", "inputs": ["complete"], "outputs": [], "stores": {}, "views": []})
}

/// Keeps components by digest and by reference.
#[derive(Default)]
pub(crate) struct Shelf {
    by_digest: Mutex<BTreeMap<Digest, Artifact>>,
    by_reference: Mutex<BTreeMap<String, Digest>>,
    /// While somebody holds it, nothing is fetched.
    held: Mutex<bool>,
    opened: Condvar,
}

impl Shelf {
    pub fn add(&self, reference: &str, text: &Value) -> Digest {
        let artifact = Artifact::new(text.to_string());
        let digest = artifact.digest;
        self.by_digest.lock().insert(digest, artifact);
        self.by_reference.lock().insert(reference.into(), digest);
        digest
    }
    pub fn hold(&self) {
        *self.held.lock() = true;
    }
    pub fn release(&self) {
        *self.held.lock() = false;
        self.opened.notify_all();
    }
    pub fn lose(&self, digest: &Digest) {
        self.by_digest.lock().remove(digest);
    }
}

impl Artifacts for Shelf {
    fn resolve(&self, reference: &str) -> Result<Artifact, ArtifactError> {
        let digest = self.by_reference.lock().get(reference).copied();
        let missing = || ArtifactError::NotFound {
            reference: reference.into(),
            found: "nothing".into(),
        };
        self.get(&digest.ok_or_else(missing)?)
    }
    fn get(&self, digest: &Digest) -> Result<Artifact, ArtifactError> {
        self.opened.wait_while(&mut self.held.lock(), |held| *held);
        let missing = || ArtifactError::NotFound {
            reference: digest.full(),
            found: "nothing".into(),
        };
        self.by_digest.lock().get(digest).cloned().ok_or_else(missing)
    }
    fn put(&self, bytes: Bytes) -> Result<Artifact, ArtifactError> {
        Ok(Artifact::new(bytes))
    }
}

#[derive(Default)]
pub(crate) struct JsonExecutor {
    pub prepared: AtomicUsize,
}

impl Executor for JsonExecutor {
    fn prepare(&self, component: &Artifact, config: &str, _: &Limits) -> Result<Arc<dyn Version>, PrepareError> {
        self.prepared.fetch_add(1, Ordering::SeqCst);
        let text: Value = serde_json::from_slice(&component.bytes)
            .map_err(|_| PrepareError::NotAComponent("it does not begin with \\0asm".into()))?;
        if let Some(refusal) = text["init"].as_str() {
            return Err(PrepareError::Init(refusal.into()));
        }
        let id = VersionId {
            component: component.digest,
            config: Digest::of(config.as_bytes()),
        };
        Ok(Arc::new(JsonVersion {
            id,
            description: description(&text),
        }))
    }
    fn generator(&self, _: &Artifact, _: &str, _: u64) -> Result<Box<dyn GeneratorInstance>, PrepareError> {
        Err(PrepareError::Host("no generators here".into()))
    }
    fn name(&self) -> &str {
        "json"
    }
}

fn description(text: &Value) -> Description {
    let strings = |key: &str| -> Vec<String> {
        let list = text[key].as_array().into_iter().flatten();
        list.map(|v| v.as_str().expect("a name").to_owned()).collect()
    };
    let ports = |key| {
        strings(key)
            .into_iter()
            .map(|name| Port {
                name,
                versions: vec![1],
            })
            .collect()
    };
    let stores = text["stores"].as_object().into_iter().flatten();
    let views = text["views"].as_array().into_iter().flatten();
    Description {
        name: text["name"].as_str().expect("a name").into(),
        version: text["version"].as_str().expect("a version").into(),
        inputs: ports("inputs"),
        outputs: ports("outputs"),
        stores: stores
            .map(|(name, schema)| {
                let schema = schema.as_u64().expect("a schema") as u32;
                StoreDecl {
                    name: name.clone(),
                    schema,
                    migrates: Vec::new(),
                    reverts: false,
                }
            })
            .collect(),
        views: views
            .map(|v| ViewDecl {
                name: v[0].as_str().expect("a name").into(),
                scope: if v[1] == "one" {
                    ViewScope::OneShard
                } else {
                    ViewScope::AllShards
                },
                params: "{}".into(),
                answer: "{}".into(),
            })
            .collect(),
        ..Description::default()
    }
}

struct JsonVersion {
    id: VersionId,
    description: Description,
}

impl Version for JsonVersion {
    fn id(&self) -> VersionId {
        self.id
    }
    fn description(&self) -> &Description {
        &self.description
    }
    fn instantiate(&self) -> Result<Box<dyn Instance>, Fault> {
        Ok(Box::new(JsonInstance {
            version: self.description.version.clone(),
            calls: 0,
        }))
    }
}

struct JsonInstance {
    version: String,
    calls: usize,
}

impl JsonInstance {
    fn answer(&mut self, view: &str, params: &str, host: &mut dyn HostCalls) -> Result<Value, Failure> {
        let failure = |refused| match refused {
            Refused::Fault(fault) => Failure::Fault(fault),
            Refused::Host(found) => Failure::Host(found),
        };
        match view {
            "inflight" => {
                let entries = host.scan("balances", b"open-", None, 100).map_err(failure)?;
                let open = entries
                    .iter()
                    .map(|(key, _)| String::from_utf8_lossy(&key[5..]).into_owned());
                let open: Vec<String> = open.collect();
                Ok(json!({"count": open.len(), "open": open, "by": self.version}))
            }
            "entry" => {
                let params: Value = serde_json::from_str(params).expect("the host sends JSON");
                let key = params["key"].as_str().expect("the host adds the key");
                let found = host.get("balances", key.as_bytes()).map_err(failure)?;
                Ok(json!({"key": key, "found": found.is_some(), "now": host.now()}))
            }
            "writes" => host.put("balances", b"k", b"v").map(|()| Value::Null).map_err(failure),
            // Answers once in a life.
            "tired" if self.calls > 1 => Err(Failure::Fault(Fault::new(FaultCode::Trap, "tired"))),
            "tired" => Ok(json!({"count": 0, "open": []})),
            _ => Err(Failure::Fault(Fault::new(FaultCode::Fuel, "out of fuel"))),
        }
    }
}

impl Instance for JsonInstance {
    fn process(&mut self, _: Input, host: Box<dyn HostCalls>) -> Called<Outcome> {
        Called {
            result: Ok(Ok(Vec::new())),
            host,
            fuel: 0,
        }
    }
    fn fired(&mut self, _: Due, host: Box<dyn HostCalls>) -> Called<Outcome> {
        Called {
            result: Ok(Ok(Vec::new())),
            host,
            fuel: 0,
        }
    }
    fn query(&mut self, view: &str, params: &str, mut host: Box<dyn HostCalls>) -> Called<Result<String, ViewError>> {
        self.calls += 1;
        let result = self.answer(view, params, &mut *host).map(|value| Ok(value.to_string()));
        Called { result, host, fuel: 0 }
    }
    fn merge(
        &mut self,
        _: &str,
        _: &str,
        partials: Vec<String>,
        host: Box<dyn HostCalls>,
    ) -> Called<Result<String, ViewError>> {
        let (mut count, mut open, mut by) = (0, Vec::new(), Value::Null);
        for part in partials {
            let part: Value = serde_json::from_str(&part).expect("own parts");
            count += part["count"].as_u64().unwrap_or_default();
            open.extend(part["open"].as_array().cloned().unwrap_or_default());
            by = part["by"].clone();
        }
        let text = json!({"count": count, "open": open, "by": by}).to_string();
        Called {
            result: Ok(Ok(text)),
            host,
            fuel: 0,
        }
    }
    fn stretch(&mut self, _: u32) {}
}
