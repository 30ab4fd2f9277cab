//! A stage of closures behind the port, as the runtime would drive it.

use std::sync::Arc;

use bytes::Bytes;
use fermata_core::limits::Limits;
use fermata_core::ports::{Artifact, Artifacts, Executor, Failure, HostCalls, Instance, PrepareError, Refused};
use fermata_core::{Fault, FaultCode, Input, Timestamp};
use fermata_stage::{Description, Emission, Rejection, StoreDecl};

use crate::{Memory, NativeArtifacts, NativeExecutor, NativeStage, Registry};

/// One store; every other one is refused.
fn host() -> Box<dyn HostCalls> {
    let refuse = |store: &str| match store {
        "seen" => None,
        "broken" => Some(Refused::Host("disk gone".into())),
        other => Some(Refused::Fault(Fault::new(
            FaultCode::Contract,
            format!("store {other} is not declared"),
        ))),
    };
    Box::new(Memory {
        refuse: Some(refuse),
        ..Memory::default()
    })
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
        let called = instance.process(record(value), host());
        // The host comes back whatever happened: the worker undoes the record's writes in it.
        let host = called.host.into_any().downcast::<Memory>().unwrap();
        assert_eq!(host.stores["seen"].len(), 1, "the write before the failure is there");
        (called.result.unwrap_err(), instance)
    }
}

#[test]
fn processes_and_keeps_state_in_the_host() {
    let bench = bench();
    assert_eq!(bench.version.description().stores[0].name, "seen");
    let mut instance = bench.version.instantiate().unwrap();
    let mut host = host();
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
    let after = instance.process(record("x"), host()).result;
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
