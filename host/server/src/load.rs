//! Load from a generator component: set-up first, then an open loop on a schedule, or a backlog.

use crate::failure::Failure;
use fermata_core::manifest::{Generator, Manifest};
use fermata_core::partition::shard_of;
use fermata_core::ports::{Artifact, Executor, GeneratorInstance};
use fermata_core::{NewRecord, Timestamp, TopicName, codes};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Sequence numbers generated at once at most.
pub const BATCH: u64 = 250;

/// A generator component wired to the heads of a pipeline.
pub struct Load {
    instance: Box<dyn GeneratorInstance>,
    outputs: BTreeMap<String, TopicName>,
    partitions: u32,
    name: String,
}

impl Load {
    /// `config`: a JSON object whose entries replace the manifest's.
    pub fn start(
        executor: &dyn Executor,
        artifact: &Artifact,
        manifest: &Manifest,
        generator: &Generator,
        config: Option<&str>,
        seed: u64,
    ) -> Result<Self, Failure> {
        let config = merged(&generator.config, config)?;
        let instance = executor.generator(artifact, &config.to_string(), seed)?;
        if let Some(port) = instance
            .plan()
            .outputs
            .iter()
            .find(|p| !generator.outputs.contains_key(*p))
        {
            return Err(Failure::failed(
                codes::MANIFEST_PORT,
                format!(
                    "generator {}: its output port {port:?} has no topic in the manifest",
                    generator.name
                ),
            ));
        }
        Ok(Self {
            instance,
            outputs: generator.outputs.clone(),
            partitions: manifest.partitions,
            name: generator.name.clone(),
        })
    }

    /// Sequence numbers below this one are set-up.
    pub fn setup(&self) -> u64 {
        self.instance.plan().setup
    }

    /// The records of one sequence number; their timestamp is their scheduled time.
    pub fn records(&mut self, sequence: u64, due: Timestamp) -> Result<Vec<NewRecord>, Failure> {
        let emissions = self.instance.next(sequence, due).map_err(|fault| {
            Failure::failed(
                codes::COMPONENT_CONTRACT,
                format!("generator {} failed at {sequence}: {fault}", self.name),
            )
        })?;
        let records = emissions.into_iter().map(|e| {
            let topic = self.outputs.get(&e.port).cloned().ok_or_else(|| {
                Failure::failed(
                    codes::MANIFEST_PORT,
                    format!(
                        "generator {}: it emitted on the undeclared port {:?}",
                        self.name, e.port
                    ),
                )
            })?;
            let place = e.key.as_ref().or(e.value.as_ref()).map_or(&b""[..], |b| &b[..]);
            Ok(NewRecord {
                shard: shard_of(place, self.partitions),
                topic,
                timestamp: due,
                key: e.key,
                value: e.value,
                headers: e.headers,
            })
        });
        records.collect()
    }
}

fn merged(own: &Value, over: Option<&str>) -> Result<Value, Failure> {
    let mut config = own.clone();
    let Some(text) = over else { return Ok(config) };
    let over: Value = serde_json::from_str(text).map_err(|e| Failure::usage(format!("--config is not JSON: {e}")))?;
    let (Some(config_map), Value::Object(over)) = (config.as_object_mut(), over) else {
        return Err(Failure::usage("--config is not a JSON object"));
    };
    config_map.extend(over);
    Ok(config)
}

/// The machine's time.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// When something is due: by the machine's time, and as a moment from which latency counts.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    pub at: Timestamp,
    pub moment: Instant,
}

/// An open loop: what is due does not wait for what was sent. Latency counts from the scheduled time.
pub struct Schedule {
    began: Instant,
    began_at: Timestamp,
    /// A second; 0: everything is due at once.
    rate: u64,
    sent: u64,
}

impl Schedule {
    pub fn new(rate: u64) -> Self {
        Self {
            began: Instant::now(),
            began_at: now(),
            rate,
            sent: 0,
        }
    }

    /// The next ones, at most `most`; empty: nothing is due yet.
    pub fn due(&mut self, most: u64) -> Vec<Due> {
        if self.rate == 0 {
            self.sent += most;
            let due = Due {
                at: now(),
                moment: Instant::now(),
            };
            return vec![due; most as usize];
        }
        let passed = self.began.elapsed().as_micros() as u64;
        let due = (u128::from(passed) * u128::from(self.rate) / 1_000_000) as u64;
        let count = due.saturating_sub(self.sent).min(most);
        let times = (self.sent..self.sent + count).map(|n| {
            let after = self.after(n);
            Due {
                at: Timestamp(self.began_at.0 + after.as_millis() as i64),
                moment: self.began + after,
            }
        });
        let times = times.collect();
        self.sent += count;
        times
    }

    /// How long after the beginning the `n`th one is due, counted from 0.
    fn after(&self, n: u64) -> Duration {
        Duration::from_micros((u128::from(n) * 1_000_000 / u128::from(self.rate.max(1))) as u64)
    }

    /// `unused` of the last ones could not be sent since the source has nothing: the schedule goes on from now, without
    /// a debt that would come as a burst.
    pub fn wait_for_source(&mut self, unused: u64) {
        let sent = self.sent.saturating_sub(unused);
        *self = Self::new(self.rate);
        self.sent = sent;
        let passed = self.after(sent);
        if self.rate > 0 {
            self.began = self.began.checked_sub(passed).unwrap_or(self.began);
            self.began_at.0 -= passed.as_millis() as i64;
        }
    }

    /// How long until the next one is due.
    pub fn wait(&self) -> Duration {
        if self.rate == 0 {
            return Duration::ZERO;
        }
        let next = u128::from(self.sent + 1) * 1_000_000 / u128::from(self.rate);
        Duration::from_micros(next as u64).saturating_sub(self.began.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_catches_up_with_the_times_that_were_due() {
        let mut schedule = Schedule::new(1_000);
        schedule.began = Instant::now().checked_sub(Duration::from_millis(100)).unwrap();
        let first = schedule.due(40);
        assert_eq!(first.len(), 40);
        assert_eq!(
            first[39].at.0 - first[0].at.0,
            39,
            "a millisecond apart, whenever they were asked for"
        );
        let rest = schedule.due(1_000);
        assert!((60..=80).contains(&rest.len()), "{}", rest.len());
        assert_eq!(rest[0].at.0 - first[39].at.0, 1);
        assert_eq!(rest[0].moment - first[39].moment, Duration::from_millis(1));
    }

    #[test]
    fn what_the_source_did_not_have_is_no_debt() {
        let mut schedule = Schedule::new(1_000);
        schedule.began = Instant::now().checked_sub(Duration::from_secs(10)).unwrap();
        assert_eq!(schedule.due(500).len(), 500);
        schedule.wait_for_source(400);
        let next = schedule.due(10_000);
        assert!(next.len() < 1_000, "{} are due at once", next.len());
        assert_eq!(schedule.sent, 100 + next.len() as u64);
    }

    #[test]
    fn the_command_line_replaces_entries_of_the_configuration() {
        let own = serde_json::json!({"accounts": 10, "skew": 1});
        assert_eq!(
            merged(&own, Some("{\"skew\": 2}")).unwrap(),
            serde_json::json!({"accounts": 10, "skew": 2})
        );
        assert!(merged(&own, Some("[]")).is_err());
        assert!(merged(&own, Some("{")).is_err());
    }
}
