//! A stage of closures behind the port, as the runtime would drive it.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use fermata_core::limits::Limits;
use fermata_core::ports::{
    Artifact, Artifacts, Executor, Failure, HostCalls, Instance, LogLevel, PrepareError, Refused,
};
use fermata_core::{Fault, FaultCode, Input, Timestamp};
use fermata_stage::{Description, Emission, Rejection, StoreDecl};

use crate::{NativeArtifacts, NativeExecutor, NativeStage, Registry};

/// One store; every other one is refused.
#[derive(Default)]
struct Host(BTreeMap<Vec<u8>, Vec<u8>>);

fn only_seen(store: &str) -> Result<(), Refused> {
    match store {
        "seen" => Ok(()),
        "broken" => Err(Refused::Host("disk gone".into())),
        other => Err(Refused::Fault(Fault::new(
            FaultCode::Contract,
            format!("store {other} is not declared"),
        ))),
    }
}

impl HostCalls for Host {
    fn id(&self) -> &str {
        "head/0/7"
    }
    fn root(&self) -> (&str, Timestamp) {
        ("head/0/7", Timestamp(5))
    }
    fn now(&self) -> Timestamp {
        Timestamp(9)
    }
    fn random(&mut self) -> u64 {
        4
    }
    fn get(&mut self, store: &str, key: &[u8]) -> Result<Option<Bytes>, Refused> {
        only_seen(store)?;
        Ok(self.0.get(key).cloned().map(Bytes::from))
    }
    fn put(&mut self, store: &str, key: &[u8], value: &[u8]) -> Result<(), Refused> {
        only_seen(store)?;
        self.0.insert(key.to_vec(), value.to_vec());
        Ok(())
    }
    fn delete(&mut self, store: &str, key: &[u8]) -> Result<(), Refused> {
        only_seen(store)?;
        self.0.remove(key);
        Ok(())
    }
    fn scan(
        &mut self,
        store: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<(Bytes, Bytes)>, Refused> {
        only_seen(store)?;
        let entries = self
            .0
            .iter()
            .filter(|(k, _)| k.starts_with(prefix) && after.is_none_or(|a| k.as_slice() > a));
        Ok(entries
            .take(limit as usize)
            .map(|(k, v)| (k.clone().into(), v.clone().into()))
            .collect())
    }
    fn set_timer(&mut self, _: &str, _: Timestamp, _: &[u8]) -> Result<(), Refused> {
        Ok(())
    }
    fn cancel_timer(&mut self, _: &str) -> Result<(), Refused> {
        Ok(())
    }
    fn add(&mut self, _: &str, _: &[String], _: u64) -> Result<(), Refused> {
        Ok(())
    }
    fn set(&mut self, _: &str, _: &[String], _: i64) -> Result<(), Refused> {
        Ok(())
    }
    fn observe(&mut self, _: &str, _: &[String], _: f64) -> Result<(), Refused> {
        Ok(())
    }
    fn log(&mut self, _: LogLevel, _: &str) -> Result<(), Refused> {
        Ok(())
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Counts records by key and does on demand what a stage must not do.
fn counter() -> NativeStage {
    let description = Description::new("counter", "1.0.0")
        .input("in", &[1])
        .output("out", &[1])
        .store(StoreDecl::new("seen", 1));
    NativeStage::closure(description, |cx, input| {
        let key = input.key.clone().unwrap_or_default();
        let seen = cx.get_raw("seen", &key).map_or(0, |v| v[0]) + 1;
        cx.put_raw("seen", &key, &[seen]);
        match input.value.as_deref() {
            Some(b"panic") => panic!("no {}", "way"),
            Some(b"other store") => cx.put_raw("other", b"k", b"v"),
            Some(b"broken store") => cx.put_raw("broken", b"k", b"v"),
            Some(b"reject") => return Err(Rejection::new("not-mine", "no")),
            _ => {}
        }
        Ok(vec![Emission::new("out").with_key(key).with_value(vec![seen])])
    })
}

fn record(value: &str) -> Input {
    Input {
        port: "in".into(),
        key: Some(Bytes::from_static(b"k")),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: vec![],
        timestamp: Timestamp(1),
        verdicts: vec![],
    }
}

struct Bench {
    version: Arc<dyn fermata_core::ports::Version>,
}

fn bench() -> Bench {
    let registry = Registry::empty().with(counter());
    let artifact = NativeArtifacts::new(&registry)
        .resolve("builtin:counter@1.0.0")
        .unwrap();
    Bench {
        version: NativeExecutor::new(registry)
            .prepare(&artifact, "{}", &Limits::default())
            .unwrap(),
    }
}

impl Bench {
    fn fails(&self, value: &str) -> (Failure, Box<dyn Instance>) {
        let mut instance = self.version.instantiate().unwrap();
        let called = instance.process(record(value), Box::<Host>::default());
        // The host comes back whatever happened: the worker undoes the record's writes in it.
        let host = called.host.into_any().downcast::<Host>().unwrap();
        assert_eq!(host.0.len(), 1, "the write before the failure is there");
        (called.result.unwrap_err(), instance)
    }
}

#[test]
fn processes_and_keeps_state_in_the_host() {
    let bench = bench();
    assert_eq!(bench.version.description().stores[0].name, "seen");
    let mut instance = bench.version.instantiate().unwrap();
    let mut host: Box<dyn HostCalls> = Box::<Host>::default();
    for round in 1..=3 {
        let called = instance.process(record("x"), host);
        let emissions = called.result.unwrap().unwrap();
        assert_eq!(emissions[0].value.as_deref(), Some([round].as_slice()));
        assert_eq!(emissions[0].port, "out");
        host = called.host;
    }
    let rejected = instance.process(record("reject"), host).result.unwrap().unwrap_err();
    assert_eq!(rejected.code, "not-mine");
}

#[test]
fn a_panic_is_a_trap_with_its_message_and_the_instance_is_dead() {
    let (failure, mut instance) = bench().fails("panic");
    let Failure::Fault(fault) = failure else {
        panic!("not a fault: {failure:?}")
    };
    assert_eq!(fault.code, FaultCode::Trap);
    assert!(
        fault.message.ends_with("no way") && fault.message.contains("tests.rs"),
        "{}",
        fault.message
    );
    let after = instance.process(record("x"), Box::<Host>::default()).result;
    assert!(matches!(after, Err(Failure::Host(_))), "{after:?}");
}

#[test]
fn a_refused_host_call_ends_the_call() {
    let (failure, _) = bench().fails("other store");
    assert_eq!(
        failure,
        Failure::Fault(Fault::new(FaultCode::Contract, "store other is not declared"))
    );
    let (failure, _) = bench().fails("broken store");
    assert_eq!(failure, Failure::Host("disk gone".into()));
}

#[test]
fn refuses_what_it_does_not_know() {
    let executor = NativeExecutor::new(Registry::empty().with(counter()));
    let prepare = |bytes: &'static [u8]| executor.prepare(&Artifact::new(bytes), "{}", &Limits::default());
    let wasm = prepare(b"\0asm").err().unwrap();
    assert!(matches!(wasm, PrepareError::NotAComponent(_)), "{wasm}");
    let unknown = prepare(b"native:counter@9.0.0").err().unwrap();
    assert!(unknown.to_string().contains("counter@1.0.0"), "{unknown}");
    let artifacts = NativeArtifacts::new(&Registry::empty().with(counter()));
    assert!(artifacts.resolve("builtin:nobody@1.0.0").is_err());
    let kept = artifacts.put(Bytes::from_static(b"native:counter@1.0.0")).unwrap();
    assert_eq!(
        artifacts
            .resolve(&format!("sha256:{}", kept.digest.full()))
            .unwrap()
            .bytes,
        kept.bytes
    );
}

/// Every shipped stage is there in both versions, and the rest once.
#[test]
fn ships_all_stages_twice_the_generator_and_the_validator() {
    let registry = crate::registry();
    let references: Vec<&str> = registry.references().collect();
    for stage in ["validate", "inflight", "account", "confirm"] {
        for version in ["1.0.0", "1.1.0"] {
            assert!(
                references.contains(&format!("{stage}@{version}").as_str()),
                "{stage}@{version} in {references:?}"
            );
        }
    }
    assert_eq!(references[8..], ["generator@1.0.0", "velocity@1.0.0"], "{references:?}");
}
