//! The stages are the same program natively and in WebAssembly: the same messages make the same calls of the host, the
//! same emissions and the same views, byte for byte.

use bytes::Bytes;
use fermata_core::limits::Limits;
use fermata_core::ports::{Artifacts, Called, Executor, HostCalls, Instance, LogLevel, Refused};
use fermata_core::{Due, Emission, Input, Outcome, Timestamp};
use fermata_engine::{Compile, CompileCommand, EngineOptions, WasmExecutor};
use fermata_native::{NativeArtifacts, NativeExecutor};
use fermata_server::host::artifacts::Files;
use fermata_tests::harness::binary;
use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

const START: i64 = 1_795_388_462_000;
const TIMEOUT: i64 = 30_000;
const LOAD: u64 = 300;
const GENERATOR: &str = r#"{"accounts": 12, "bad": {
    "bad-json": 0.03, "bad-amount": 0.03, "duplicate-id": 0.03, "repeated": 0.03, "insufficient-funds": 0.05,
    "account-frozen": 0.05, "account-closed": 0.05, "currency-mismatch": 0.03, "amount-overflow": 0.03
}}"#;
const STAGES: [(&str, &str, &[&str]); 4] = [
    ("validate", "{}", &["rejections"]),
    ("inflight", "{}", &["inflight"]),
    (
        "account",
        r#"{"one-debit-in-flight": true, "auto-open": true}"#,
        &["ledger", "accounts"],
    ),
    ("confirm", "{}", &["confirmed", "throughput"]),
];

/// State and timers in memory, and all that a stage said to it.
#[derive(Default)]
struct Host {
    now: i64,
    entries: BTreeMap<(String, Vec<u8>), Bytes>,
    timers: BTreeMap<String, Due>,
    said: Vec<String>,
}

impl HostCalls for Host {
    fn id(&self) -> &str {
        "payment.incoming/0/7"
    }
    fn root(&self) -> (&str, Timestamp) {
        (self.id(), Timestamp(START))
    }
    fn now(&self) -> Timestamp {
        Timestamp(self.now)
    }
    fn random(&mut self) -> u64 {
        self.said.push("random".into());
        4
    }
    fn get(&mut self, store: &str, key: &[u8]) -> Result<Option<Bytes>, Refused> {
        Ok(self.entries.get(&(store.to_owned(), key.to_vec())).cloned())
    }
    fn put(&mut self, store: &str, key: &[u8], value: &[u8]) -> Result<(), Refused> {
        self.said.push(format!("put {store} {key:?} {value:?}"));
        let value = Bytes::copy_from_slice(value);
        self.entries.insert((store.to_owned(), key.to_vec()), value);
        Ok(())
    }
    fn delete(&mut self, store: &str, key: &[u8]) -> Result<(), Refused> {
        self.said.push(format!("delete {store} {key:?}"));
        self.entries.remove(&(store.to_owned(), key.to_vec()));
        Ok(())
    }
    fn scan(
        &mut self,
        store: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<(Bytes, Bytes)>, Refused> {
        let of = self.entries.iter().filter(|((of, key), _)| {
            of == store && key.starts_with(prefix) && after.is_none_or(|after| key.as_slice() > after)
        });
        let entries = of.map(|((_, key), value)| (key.clone().into(), value.clone()));
        Ok(entries.take(limit.min(1_000) as usize).collect())
    }
    fn set_timer(&mut self, id: &str, at: Timestamp, payload: &[u8]) -> Result<(), Refused> {
        self.said.push(format!("timer {id} {at:?} {payload:?}"));
        let payload = Bytes::copy_from_slice(payload);
        let (id, key) = (id.to_owned(), None);
        self.timers.insert(id.clone(), Due { id, key, at, payload });
        Ok(())
    }
    fn cancel_timer(&mut self, id: &str) -> Result<(), Refused> {
        self.said.push(format!("no timer {id}"));
        self.timers.remove(id);
        Ok(())
    }
    fn add(&mut self, metric: &str, labels: &[String], value: u64) -> Result<(), Refused> {
        self.said.push(format!("add {metric} {labels:?} {value}"));
        Ok(())
    }
    fn set(&mut self, metric: &str, labels: &[String], value: i64) -> Result<(), Refused> {
        self.said.push(format!("set {metric} {labels:?} {value}"));
        Ok(())
    }
    fn observe(&mut self, metric: &str, labels: &[String], value: f64) -> Result<(), Refused> {
        self.said.push(format!("observe {metric} {labels:?} {value:?}"));
        Ok(())
    }
    fn log(&mut self, level: LogLevel, message: &str) -> Result<(), Refused> {
        self.said.push(format!("log {level:?} {message}"));
        Ok(())
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// An instance with its host.
struct Running {
    instance: Box<dyn Instance>,
    host: Option<Box<Host>>,
}

impl Running {
    fn new(executor: &dyn Executor, artifacts: &dyn Artifacts, stage: &str, config: &str) -> Self {
        let component = artifacts.resolve(&format!("builtin:{stage}@1.1.0"));
        let component = component.unwrap_or_else(|e| panic!("{stage}: {e}"));
        let version = executor.prepare(&component, config, &Limits::default());
        let version = version.unwrap_or_else(|e| panic!("{stage}: {e}"));
        Self {
            instance: version.instantiate().unwrap_or_else(|e| panic!("{stage}: {e:?}")),
            host: Some(Box::default()),
        }
    }

    /// What the stage answered, and what it said to its host meanwhile.
    fn call<T>(
        &mut self,
        now: i64,
        call: impl FnOnce(&mut dyn Instance, Box<dyn HostCalls>) -> Called<T>,
    ) -> (T, Vec<String>) {
        let mut host = self.host.take().expect("given back by the call before");
        host.now = now;
        let Called { result, host, .. } = call(&mut *self.instance, host);
        let mut host: Box<Host> = host.into_any().downcast().expect("it was one");
        let said = std::mem::take(&mut host.said);
        self.host = Some(host);
        (result.unwrap_or_else(|failure| panic!("{failure:?}")), said)
    }

    fn due(&mut self, now: i64) -> Option<Due> {
        let timers = &mut self.host.as_mut().expect("no call is under way").timers;
        let id = timers.values().find(|timer| timer.at.0 <= now)?.id.clone();
        timers.remove(&id)
    }
}

/// One stage, twice.
struct Pair {
    name: &'static str,
    views: &'static [&'static str],
    native: Running,
    wasm: Running,
}

impl Pair {
    fn alike<T: PartialEq + std::fmt::Debug>(
        &mut self,
        now: i64,
        what: &str,
        mut call: impl FnMut(&mut dyn Instance, Box<dyn HostCalls>) -> Called<T>,
    ) -> T {
        let native = self.native.call(now, &mut call);
        let wasm = self.wasm.call(now, &mut call);
        assert_eq!(wasm, native, "{}: {what}", self.name);
        native.0
    }
}

fn reads(topic: &str) -> &'static [usize] {
    match topic {
        "payment.incoming" => &[0],
        "payment.accepted" | "payment.failed" => &[1],
        "payment.inflight" | "account.commands" => &[2],
        "payment.complete" => &[1, 3],
        _ => &[],
    }
}

fn topic(port: &str) -> String {
    match port {
        "payments" => "payment.incoming".to_owned(),
        "commands" => "account.commands".to_owned(),
        port => format!("payment.{port}"),
    }
}

struct Pipeline {
    stages: Vec<Pair>,
    unread: VecDeque<(usize, Input)>,
    now: i64,
    calls: u64,
    cancels: u64,
    rejections: u64,
}

impl Pipeline {
    fn append(&mut self, emissions: Vec<Emission>) {
        for emission in emissions {
            let value = emission.value.as_deref().unwrap_or_default();
            self.cancels += u64::from(value.windows(8).any(|part| part == b"\"cancel\""));
            let port = topic(&emission.port);
            for stage in reads(&port) {
                let input = Input {
                    port: port.clone(),
                    key: emission.key.clone(),
                    value: emission.value.clone(),
                    headers: Vec::new(),
                    timestamp: Timestamp(self.now),
                    verdicts: Vec::new(),
                };
                self.unread.push_back((*stage, input));
            }
        }
    }

    fn concluded(&mut self, outcome: Outcome) {
        self.calls += 1;
        match outcome {
            Ok(emissions) => self.append(emissions),
            Err(_) => self.rejections += 1,
        }
    }

    fn read(&mut self, most: usize) {
        for _ in 0..most {
            let Some((stage, input)) = self.unread.pop_front() else {
                return;
            };
            let what = format!("{input:?}");
            let outcome = self.stages[stage].alike(self.now, &what, |it, host| it.process(input.clone(), host));
            self.concluded(outcome);
        }
    }

    fn pass(&mut self, millis: i64) {
        self.now += millis;
        for stage in 0..self.stages.len() {
            let pair = &mut self.stages[stage];
            let (native, wasm) = (pair.native.due(self.now), pair.wasm.due(self.now));
            assert_eq!(native, wasm, "{}", pair.name);
            if let Some(due) = native {
                let outcome = pair.alike(self.now, "a timer", |it, host| it.fired(due.clone(), host));
                self.concluded(outcome);
            }
        }
    }

    fn views(&mut self) -> usize {
        let mut asked = 0;
        for pair in &mut self.stages {
            for view in pair.views {
                let part = pair.alike(self.now, view, |it, host| it.query(view, "{}", host));
                let part = part.unwrap_or_else(|e| panic!("{view}: {e}"));
                let answer = pair.alike(self.now, view, |it, host| {
                    it.merge(view, "{}", vec![part.clone(), part.clone()], host)
                });
                assert!(answer.is_ok(), "{view}: {answer:?}");
                asked += 1;
            }
        }
        asked
    }
}

fn pipeline(dir: &Path) -> Pipeline {
    let compile = Compile::Child(CompileCommand {
        program: binary(),
        args: vec!["__compile".into()],
    });
    let wasm = WasmExecutor::new(EngineOptions {
        compile,
        cache: Some(dir.join("compiled")),
    });
    let wasm = wasm.unwrap_or_else(|e| panic!("{e}"));
    let components = Files::open(dir, ".").unwrap_or_else(|e| panic!("{e}"));
    let (native, built_in) = (NativeExecutor::default(), NativeArtifacts::default());
    let pair = |(name, config, views)| Pair {
        name,
        views,
        native: Running::new(&native, &built_in, name, config),
        wasm: Running::new(&wasm, &components, name, config),
    };
    Pipeline {
        stages: STAGES.into_iter().map(pair).collect(),
        unread: VecDeque::new(),
        now: START,
        calls: 0,
        cancels: 0,
        rejections: 0,
    }
}

#[test]
fn native_and_wasm_stages_write_the_same_bytes() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut pipeline = pipeline(dir.path());
    let generator = NativeArtifacts::default().resolve("builtin:generator@1.0.0");
    let generator = generator.unwrap_or_else(|e| panic!("{e}"));
    let generator = NativeExecutor::default().generator(&generator, GENERATOR, 7);
    let mut generator = generator.unwrap_or_else(|e| panic!("{e}"));
    let setup = generator.plan().setup;
    for sequence in 0..setup + LOAD {
        if sequence == setup {
            pipeline.read(usize::MAX);
        }
        let emissions = generator.next(sequence, Timestamp(START)).expect("it generates");
        pipeline.append(emissions);
        // Slower than it comes in, so that payments are cancelled on their way.
        pipeline.read(3);
        pipeline.pass(TIMEOUT / 50);
    }
    for _ in 0..8 {
        pipeline.read(usize::MAX);
        pipeline.pass(TIMEOUT);
    }
    // Everything is forgotten.
    for _ in 0..40 {
        pipeline.pass(6 * 3_600_000);
    }
    let views = pipeline.views();
    let Pipeline {
        calls,
        cancels,
        rejections,
        ..
    } = pipeline;
    assert!(
        calls > LOAD && cancels > 0 && rejections > 0,
        "{calls} {cancels} {rejections}"
    );
    println!("{calls} calls ({cancels} cancels, {rejections} rejections) and {views} views alike");
}
