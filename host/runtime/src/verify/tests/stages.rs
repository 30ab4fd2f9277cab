//! The story's two stages as code, so that its journals can be executed again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use fermata_core::description::{Description, StoreDecl};
use fermata_core::limits::Limits;
use fermata_core::ports::{
    Artifact, ArtifactError, Artifacts, Called, Executor, Failure, GeneratorInstance, HostCalls, Instance,
    PrepareError, Refused, Version, ViewError,
};
use fermata_core::{Digest, Due, Emission, Fault, FaultCode, Input, Outcome, Rejection, Timestamp, VersionId};

use super::story::STAGES;

/// Value of a record that the first stage refuses, and its code.
pub const REFUSED: &[u8] = b"refuse me";
pub const CODE: &str = "bad";

/// What stands for a component's bytes.
pub fn component(stage: &str, version: u32) -> Vec<u8> {
    format!("{stage}@{version}").into_bytes()
}

/// The `n`-th emission of a task.
pub fn value(id: &str, n: u64) -> String {
    format!("{{\"of\":\"{id}\",\"n\":{n}}}")
}

/// Id of the timer that is set with the `n`-th emission.
pub fn timer(n: u64) -> String {
    format!("timer-{n:04}")
}

/// Prepares the story's stages. `wrong`: from this emission on they write something else than they once did.
#[derive(Default)]
pub struct Stages {
    pub wrong_from: Option<u64>,
    /// Count in memory, not in the store, as a guest must not.
    pub remember: bool,
    pub instances: Arc<AtomicU64>,
}

impl Artifacts for Stages {
    fn resolve(&self, reference: &str) -> Result<Artifact, ArtifactError> {
        Err(ArtifactError::NotFound {
            reference: reference.into(),
            found: "only digests".into(),
        })
    }
    fn get(&self, digest: &Digest) -> Result<Artifact, ArtifactError> {
        let all = STAGES
            .iter()
            .flat_map(|stage| [0, 1].map(|version| Artifact::new(component(stage, version))));
        all.into_iter()
            .find(|artifact| artifact.digest == *digest)
            .ok_or_else(|| ArtifactError::NotFound {
                reference: digest.full(),
                found: "four components".into(),
            })
    }
    fn put(&self, bytes: Bytes) -> Result<Artifact, ArtifactError> {
        Ok(Artifact::new(bytes))
    }
}

impl Executor for Stages {
    fn prepare(&self, component: &Artifact, config: &str, _: &Limits) -> Result<Arc<dyn Version>, PrepareError> {
        let text = String::from_utf8_lossy(&component.bytes).into_owned();
        let (stage, _version) = text
            .split_once('@')
            .ok_or_else(|| PrepareError::NotAComponent(text.clone()))?;
        let second = stage == STAGES[1];
        let timers = second && config.contains("true");
        let store = StoreDecl {
            name: "n".into(),
            schema: 1,
            migrates: vec![],
            reverts: false,
        };
        Ok(Arc::new(Prepared {
            id: VersionId {
                component: component.digest,
                config: Digest::of(config.as_bytes()),
            },
            description: Description {
                name: stage.into(),
                stores: vec![store],
                timers,
                ..Default::default()
            },
            running: Running {
                stage: stage.into(),
                port: if second { "out" } else { "mid" },
                timers,
                wrong_from: self.wrong_from.unwrap_or(u64::MAX),
                remembered: self.remember.then_some(0),
            },
            instances: self.instances.clone(),
        }))
    }
    fn generator(&self, _: &Artifact, _: &str, _: u64) -> Result<Box<dyn GeneratorInstance>, PrepareError> {
        Err(PrepareError::NotAComponent("no generators here".into()))
    }
    fn name(&self) -> &str {
        "story"
    }
}

struct Prepared {
    id: VersionId,
    description: Description,
    running: Running,
    instances: Arc<AtomicU64>,
}

impl Version for Prepared {
    fn id(&self) -> VersionId {
        self.id
    }
    fn description(&self) -> &Description {
        &self.description
    }
    fn instantiate(&self) -> Result<Box<dyn Instance>, Fault> {
        self.instances.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(self.running.clone()))
    }
}

#[derive(Clone)]
struct Running {
    stage: String,
    port: &'static str,
    timers: bool,
    wrong_from: u64,
    remembered: Option<u64>,
}

impl Running {
    fn emit(&mut self, key: Option<Bytes>, host: &mut dyn HostCalls, timer_id: bool) -> Result<Outcome, Refused> {
        let stored = host.get("n", b"n")?.map_or(0, |v| v[0].into());
        let n = self.remembered.unwrap_or(stored) + 1;
        host.put("n", b"n", &[u8::try_from(stored + 1).expect("a short story")])?;
        if let Some(remembered) = &mut self.remembered {
            *remembered = n;
        }
        if timer_id {
            host.set_timer(&timer(n), Timestamp(host.now().0 + 1), b"")?;
        }
        let joint = if host.id().contains('#') { '/' } else { '#' };
        let id = format!("{}{joint}{}.0", host.id(), self.stage);
        let shown = if n >= self.wrong_from { n + 1 } else { n };
        let value = Some(value(&id, shown).into());
        Ok(Ok(vec![Emission {
            port: self.port.into(),
            key,
            value,
            headers: vec![],
        }]))
    }
}

fn called<T>(result: Result<T, Refused>, host: Box<dyn HostCalls>) -> Called<T> {
    let result = result.map_err(|refused| match refused {
        Refused::Fault(fault) => Failure::Fault(fault),
        Refused::Host(why) => Failure::Host(why),
    });
    Called { result, host, fuel: 0 }
}

impl Instance for Running {
    fn process(&mut self, input: Input, mut host: Box<dyn HostCalls>) -> Called<Outcome> {
        if input.value.as_deref() == Some(REFUSED) {
            let refused = host.put("n", b"undone", b"1");
            let rejection = Rejection {
                code: CODE.into(),
                reason: "as asked".into(),
            };
            return called(refused.map(|()| Err(rejection)), host);
        }
        let result = self.emit(input.key, &mut *host, self.timers);
        called(result, host)
    }
    fn fired(&mut self, due: Due, mut host: Box<dyn HostCalls>) -> Called<Outcome> {
        let result = self.emit(Some(due.id.into()), &mut *host, false);
        called(result, host)
    }
    fn query(&mut self, _: &str, _: &str, host: Box<dyn HostCalls>) -> Called<Result<String, ViewError>> {
        called(Err(Refused::Fault(Fault::new(FaultCode::Contract, "no views"))), host)
    }
    fn merge(
        &mut self,
        _: &str,
        _: &str,
        _: Vec<String>,
        host: Box<dyn HostCalls>,
    ) -> Called<Result<String, ViewError>> {
        called(Err(Refused::Fault(Fault::new(FaultCode::Contract, "no views"))), host)
    }
    fn stretch(&mut self, _: u32) {}
}
