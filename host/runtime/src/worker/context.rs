//! What a running guest may ask: one record's view of its task, over the batch's overlay.

use super::overlay::Overlay;
use super::scanning;
use super::timers::{Timer, Timers};
use bytes::Bytes;
use fermata_core::description::{Description, MetricKind};
use fermata_core::limits as l;
use fermata_core::ports::{HostCalls, LogLevel, Namespace, Refused, StateError, StateRead};
use fermata_core::printable::printable;
use fermata_core::{Fault, FaultCode, Identity, PipelineName, Shard, StageName, Timestamp};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use std::any::Any;
use std::sync::Arc;

/// The stores of one version of a stage, by the names its guest uses.
pub struct Stores {
    pub description: Description,
    pub declared: Vec<(String, Arc<Namespace>)>,
}

impl Stores {
    pub fn new(stage: &StageName, description: &Description) -> Self {
        let declared = description
            .stores
            .iter()
            .map(|s| {
                let namespace = Namespace {
                    stage: stage.clone(),
                    store: s.name.clone(),
                    schema: s.schema,
                };
                (s.name.clone(), Arc::new(namespace))
            })
            .collect();
        Self {
            description: description.clone(),
            declared,
        }
    }
}

/// One change of a business metric, published only after the commit.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricChange {
    pub metric: String,
    pub labels: Vec<String>,
    pub change: Change,
}
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    Add(u64),
    Set(i64),
    Observe(f64),
}

pub struct TaskContext {
    pub pipeline: PipelineName,
    pub stage: StageName,
    pub shard: Shard,
    pub state: Arc<dyn StateRead>,
    pub timers: Arc<Namespace>,
    pub overlay: Overlay,
    pub metrics: Vec<MetricChange>,
    /// How many of `metrics` were there before the record in hand.
    pub metrics_before: usize,
    /// The last tick that the task has processed.
    pub now: Timestamp,
    // Of the record in hand:
    pub stores: Arc<Stores>,
    pub id: Identity,
    pub root: String,
    /// Microseconds.
    pub root_time: i64,
    pub key: Option<Bytes>,
    pub random: Option<ChaCha8Rng>,
    pub logs: LogBudget,
}

/// Lines that a task may still log in this second.
#[derive(Default)]
pub struct LogBudget {
    second: i64,
    used: u32,
}

impl LogBudget {
    fn take(&mut self, now: Timestamp) -> bool {
        let second = now.0 / 1_000;
        if second != self.second {
            *self = Self { second, used: 0 };
        }
        self.used = self.used.saturating_add(1);
        self.used <= l::LOG_LINES_PER_SECOND
    }
}

fn refuse<T>(code: FaultCode, text: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::Fault(Fault::new(code, text)))
}
fn host(error: StateError) -> Refused {
    Refused::Host(error.to_string())
}

fn check_timer(id: &str, payload: &[u8]) -> Result<(), Refused> {
    if id.is_empty() || id.len() > l::MAX_TIMER_ID || payload.len() > l::MAX_TIMER_PAYLOAD {
        let (i, p) = (l::MAX_TIMER_ID, l::MAX_TIMER_PAYLOAD);
        return refuse(
            FaultCode::Size,
            format!("a timer's id holds 1 to {i} bytes, its payload at most {p}"),
        );
    }
    Ok(())
}

impl TaskContext {
    fn store(&self, name: &str) -> Result<&Arc<Namespace>, Refused> {
        match self.stores.declared.iter().find(|(n, _)| n == name) {
            Some((_, namespace)) => Ok(namespace),
            None => refuse(
                FaultCode::Contract,
                format!("store {name:?} is not declared by describe"),
            ),
        }
    }

    fn check_key(key: &[u8]) -> Result<(), Refused> {
        if key.len() > l::MAX_KEY {
            return refuse(
                FaultCode::Size,
                format!("a store key of {} bytes, at most {}", key.len(), l::MAX_KEY),
            );
        }
        Ok(())
    }

    fn metric(&self, name: &str, labels: &[String], kind: MetricKind) -> Result<(), Refused> {
        let Some(declared) = self.stores.description.metric(name) else {
            return refuse(
                FaultCode::Contract,
                format!("metric {name:?} is not declared by describe"),
            );
        };
        if declared.kind != kind {
            return refuse(
                FaultCode::Contract,
                format!("metric {name:?} is a {:?}, not a {kind:?}", declared.kind),
            );
        }
        if declared.labels.len() != labels.len() {
            let (found, expected) = (labels.len(), declared.labels.len());
            return refuse(
                FaultCode::Contract,
                format!("metric {name:?} takes {expected} labels, got {found}"),
            );
        }
        if let Some(long) = labels.iter().map(String::len).find(|bytes| *bytes > l::MAX_LABEL) {
            let text = format!("a label of {long} bytes for metric {name:?}, at most {}", l::MAX_LABEL);
            return refuse(FaultCode::Size, text);
        }
        if self.metrics.len().saturating_sub(self.metrics_before) >= l::MAX_METRIC_CHANGES {
            let text = format!("more than {} changes of metrics by one record", l::MAX_METRIC_CHANGES);
            return refuse(FaultCode::Size, text);
        }
        Ok(())
    }

    fn timers(&self) -> Timers<'_> {
        Timers {
            namespace: &self.timers,
            state: &*self.state,
            shard: self.shard,
        }
    }
}

/// The generator of a call: the same in every replay.
pub fn random_for(pipeline: &PipelineName, stage: &StageName, id: &Identity) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    for part in [pipeline.as_str(), stage.as_str(), id.as_str()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    ChaCha8Rng::from_seed(hash.finalize().into())
}

impl HostCalls for TaskContext {
    fn id(&self) -> &str {
        self.id.as_str()
    }
    fn root(&self) -> (&str, Timestamp) {
        (&self.root, Timestamp(self.root_time / 1_000))
    }
    fn now(&self) -> Timestamp {
        self.now
    }
    fn random(&mut self) -> u64 {
        let Self {
            random,
            pipeline,
            stage,
            id,
            ..
        } = self;
        random.get_or_insert_with(|| random_for(pipeline, stage, id)).next_u64()
    }

    fn get(&mut self, store: &str, key: &[u8]) -> Result<Option<Bytes>, Refused> {
        let namespace = self.store(store)?;
        Self::check_key(key)?;
        self.overlay.get(&*self.state, namespace, self.shard, key).map_err(host)
    }
    fn put(&mut self, store: &str, key: &[u8], value: &[u8]) -> Result<(), Refused> {
        let namespace = self.store(store)?.clone();
        Self::check_key(key)?;
        if value.len() > l::MAX_VALUE {
            let found = value.len();
            return refuse(
                FaultCode::Size,
                format!("a store value of {found} bytes, at most {}", l::MAX_VALUE),
            );
        }
        self.overlay.write(&namespace, key, Some(Bytes::copy_from_slice(value)));
        Ok(())
    }
    fn delete(&mut self, store: &str, key: &[u8]) -> Result<(), Refused> {
        let namespace = self.store(store)?.clone();
        Self::check_key(key)?;
        self.overlay.write(&namespace, key, None);
        Ok(())
    }
    fn scan(
        &mut self,
        store: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<(Bytes, Bytes)>, Refused> {
        let namespace = self.store(store)?;
        Self::check_key(prefix)?;
        scanning::within_bounds(limit, after, |after, limit| {
            self.overlay
                .scan(&*self.state, namespace, self.shard, prefix, after, limit)
        })
    }

    fn set_timer(&mut self, id: &str, at: Timestamp, payload: &[u8]) -> Result<(), Refused> {
        if !self.stores.description.timers {
            return refuse(
                FaultCode::Contract,
                "a timer set by a stage whose describe says it has none",
            );
        }
        check_timer(id, payload)?;
        let delay = i64::try_from(l::MIN_TIMER_DELAY.as_millis()).unwrap_or(i64::MAX);
        let timer = Timer {
            id: id.into(),
            at: at.max(Timestamp(self.now.0.saturating_add(delay))),
            key: self.key.clone(),
            root: self.root.clone(),
            root_time: self.root_time,
            payload: Bytes::copy_from_slice(payload),
        };
        let mut overlay = std::mem::take(&mut self.overlay);
        let set = self.timers().set(&mut overlay, &timer);
        self.overlay = overlay;
        set.map_err(host)
    }
    fn cancel_timer(&mut self, id: &str) -> Result<(), Refused> {
        check_timer(id, b"")?;
        let mut overlay = std::mem::take(&mut self.overlay);
        let cancelled = self.timers().cancel(&mut overlay, id);
        self.overlay = overlay;
        cancelled.map_err(host)
    }

    fn add(&mut self, metric: &str, labels: &[String], value: u64) -> Result<(), Refused> {
        self.metric(metric, labels, MetricKind::Counter)?;
        self.metrics.push(MetricChange {
            metric: metric.into(),
            labels: labels.into(),
            change: Change::Add(value),
        });
        Ok(())
    }
    fn set(&mut self, metric: &str, labels: &[String], value: i64) -> Result<(), Refused> {
        self.metric(metric, labels, MetricKind::Gauge)?;
        self.metrics.push(MetricChange {
            metric: metric.into(),
            labels: labels.into(),
            change: Change::Set(value),
        });
        Ok(())
    }
    fn observe(&mut self, metric: &str, labels: &[String], value: f64) -> Result<(), Refused> {
        self.metric(metric, labels, MetricKind::Histogram)?;
        if !value.is_finite() {
            let text = format!("metric {metric:?} observes a finite number, got {value}");
            return refuse(FaultCode::Contract, text);
        }
        self.metrics.push(MetricChange {
            metric: metric.into(),
            labels: labels.into(),
            change: Change::Observe(value),
        });
        Ok(())
    }

    fn log(&mut self, level: LogLevel, message: &str) -> Result<(), Refused> {
        if !self.logs.take(self.now) {
            return Ok(());
        }
        let (stage, shard, text) = (self.stage.as_str(), self.shard.0, printable(message, l::MAX_LOG_LINE));
        match level {
            LogLevel::Debug => tracing::debug!(target: "fermata::stage", stage, shard, "{text}"),
            LogLevel::Info => tracing::info!(target: "fermata::stage", stage, shard, "{text}"),
            LogLevel::Warn => tracing::warn!(target: "fermata::stage", stage, shard, "{text}"),
            LogLevel::Error => tracing::error!(target: "fermata::stage", stage, shard, "{text}"),
        }
        Ok(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
