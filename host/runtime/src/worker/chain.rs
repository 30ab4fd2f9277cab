//! A chain: one record (or timer) and everything that fused readers make of it, all or nothing.

use super::fusion::Track;
use super::lineage::{Failed, Source, Speaker, Work};
use super::shard::ShardState;
use super::task::{Ended, Instances, Loaded, Mark};
use fermata_core::limits::MAX_RECORD;
use fermata_core::names::headers as h;
use fermata_core::{Digest, Fault, Header, Identity, NewRecord, StageName, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A chain no longer than this stays in one transaction; what follows is read back from the log.
const MAX_RECORDS: usize = 256;
const MAX_DEPTH: usize = 16;
/// Bytes of its records: each stage of a chain may make much of little.
const MAX_BYTES: usize = 8 << 20;

/// What a chain leaves behind once it has concluded.
pub struct Concluded {
    pub records: Vec<NewRecord>,
    pub refuted: Vec<Refuted>,
    /// The reader that began it emitted: it passed the record, neither rejecting nor parking it.
    pub passed: bool,
}

/// A version in probation faulted where its predecessor did not.
#[derive(Clone, Debug)]
pub struct Refuted {
    pub stage: StageName,
    pub deployment: u64,
    pub identity: Identity,
    pub fault: Fault,
}

pub enum ChainEnd {
    Concluded(Concluded),
    /// A task could not conclude and is paused; everything the chain did is undone.
    Undone,
}

/// What the whole chain shares.
pub struct Ground<'a> {
    pub instances: &'a mut Instances,
    pub second: &'a BTreeMap<StageName, Arc<Loaded>>,
    pub now: Timestamp,
}

struct Out {
    producer: usize,
    record: NewRecord,
    /// Readers (indexes of tasks) that concluded.
    done: Vec<usize>,
}

struct Open<'a> {
    begun_by: Source,
    out: Vec<Out>,
    bytes: usize,
    marks: Vec<(usize, Mark)>,
    refuted: Vec<Refuted>,
    ground: Ground<'a>,
}

/// Makes a dead letter of a parked record, as its reader is told to. `digest`: whose failure it tells of.
/// The error: it does not fit on the log.
pub fn skip(
    shard: &mut ShardState,
    reader: usize,
    work: &Work,
    failed: &Failed,
    (digest, now): (Digest, Timestamp),
) -> Result<Concluded, String> {
    let task = &mut shard.tasks[reader];
    let wiring = task.wiring.clone();
    let speaker = Speaker {
        wiring: &wiring,
        shard: shard.shard,
        digest,
        now,
    };
    let begun_by = work.again.as_ref().map_or(&work.source, |again| &again.begun_by);
    let record = letter(&speaker, work, begun_by, failed)?;
    task.output_hash.add(&record);
    task.settle();
    Ok(Concluded {
        records: vec![record],
        refuted: Vec::new(),
        passed: false,
    })
}

/// A dead letter that fits on the log.
fn letter(speaker: &Speaker<'_>, work: &Work, begun_by: &Source, failed: &Failed) -> Result<NewRecord, String> {
    let record = speaker.dead_letter(work, begun_by, failed);
    let size = record.size();
    if size <= MAX_RECORD {
        return Ok(record);
    }
    Err(format!(
        "{} is rejected or faulted ({}), and its dead letter would hold {size} bytes where {} takes {MAX_RECORD}: \
         take the record off the topic, or deploy a version that treats it",
        work.identity, failed.code, record.topic
    ))
}

/// Runs `reader` on `work` and every fused reader behind it, depth first, in emission order.
pub fn run(shard: &mut ShardState, reader: usize, work: &Work, ground: Ground<'_>) -> Result<ChainEnd, String> {
    let mut open = Open {
        begun_by: work
            .again
            .as_ref()
            .map_or(&work.source, |again| &again.begun_by)
            .clone(),
        out: Vec::new(),
        bytes: 0,
        marks: Vec::new(),
        refuted: Vec::new(),
        ground,
    };
    match open.conclude(shard, reader, work, 0)? {
        Step::Done { passed } => {
            let mut concluded = open.close(shard, passed);
            // Of all that read the topic one sends it on; it is no emission, and nobody's output.
            let sends = shard.tasks[reader]
                .wiring
                .inputs
                .get(&work.source.topic)
                .is_some_and(|i| i.first);
            concluded.records.extend(work.rerouted().filter(|_| sends));
            Ok(ChainEnd::Concluded(concluded))
        }
        Step::Stuck(stuck, why) => {
            for (task, mark) in open.marks.iter().rev() {
                shard.tasks[*task].undo_to(mark);
            }
            shard.tasks[stuck].paused = Some(why);
            Ok(ChainEnd::Undone)
        }
    }
}

enum Step {
    Done {
        /// The reader emitted.
        passed: bool,
    },
    /// The task that cannot conclude, and why.
    Stuck(usize, String),
}

impl Open<'_> {
    fn conclude(&mut self, shard: &mut ShardState, reader: usize, work: &Work, depth: usize) -> Result<Step, String> {
        let task = &mut shard.tasks[reader];
        if self.marks.iter().all(|(t, _)| *t != reader) {
            self.marks.push((reader, task.mark()));
        }
        if work.source.fused && depth > 0 {
            task.fused(&work.source.topic, &work.identity);
        }
        let second = self.ground.second.get(&task.wiring.stage);
        let ran = task.take_in(work, &self.begun_by, self.ground.instances, second)?;
        if let Some(fault) = ran.refuted {
            self.refuted.push(Refuted {
                stage: task.wiring.stage.clone(),
                deployment: task.deployment,
                identity: work.identity.clone(),
                fault,
            });
            // The journal says by which version the record was concluded.
            task.concluded_by(ran.by.id(), work);
        }
        let wiring = task.wiring.clone();
        let digest = ran.by.id().component;
        let speaker = Speaker {
            wiring: &wiring,
            shard: shard.shard,
            digest,
            now: self.ground.now,
        };
        let emissions = match ran.ended {
            Ended::Stuck(why) => return Ok(Step::Stuck(reader, why)),
            Ended::Parked => return Ok(Step::Done { passed: false }),
            Ended::DeadLetter(failed) => {
                return Ok(match self.dead_letter(&speaker, reader, work, &failed) {
                    Ok(()) => Step::Done { passed: false },
                    Err(too_large) => Step::Stuck(reader, too_large),
                });
            }
            Ended::Emitted(emissions) => emissions,
        };
        for (ordinal, emission) in emissions.into_iter().enumerate() {
            let topic = wiring
                .outputs
                .get(&emission.port)
                .expect("ports were checked against the wiring");
            let (record, stays) = speaker.emission(work, ordinal, emission, topic);
            let slot = self.out.len();
            self.bytes += record.size();
            self.out.push(Out {
                producer: reader,
                record: record.clone(),
                done: Vec::new(),
            });
            if !stays || depth >= MAX_DEPTH || self.out.len() >= MAX_RECORDS || self.bytes > MAX_BYTES {
                continue;
            }
            for next in shard.fused_readers(&record.topic) {
                let port = shard.tasks[next].wiring.inputs[&record.topic].port.clone();
                let onward = Work::of_emission(&record, &port, &self.begun_by);
                match self.conclude(shard, next, &onward, depth + 1)? {
                    Step::Done { passed: true } => shard.tasks[next].good = Some(onward),
                    Step::Done { passed: false } => {}
                    stuck @ Step::Stuck(..) => return Ok(stuck),
                }
                self.out[slot].done.push(next);
            }
        }
        // What the stage was not shown says nothing of the stage.
        Ok(Step::Done {
            passed: work.refused.is_none(),
        })
    }

    /// The error: even the dead letter would not fit on the log.
    fn dead_letter(
        &mut self,
        speaker: &Speaker<'_>,
        producer: usize,
        work: &Work,
        failed: &Failed,
    ) -> Result<(), String> {
        let record = letter(speaker, work, &self.begun_by, failed)?;
        self.out.push(Out {
            producer,
            record,
            done: Vec::new(),
        });
        Ok(())
    }

    /// The chain stands: its records get their marks, the tasks their hashes, the tracks what is still to be read.
    fn close(self, shard: &mut ShardState, passed: bool) -> Concluded {
        let mut records = Vec::with_capacity(self.out.len());
        for Out {
            producer,
            mut record,
            done,
        } in self.out
        {
            shard.tasks[producer].output_hash.add(&record);
            if !done.is_empty() {
                let marks: Vec<_> = done.iter().map(|t| shard.tasks[*t].wiring.mark.as_str()).collect();
                record.headers.push(Header::new(h::DONE, marks.join(",")));
            }
            if record.shard == shard.shard {
                for (reader, topics) in shard.tracks.iter_mut().enumerate() {
                    if let Some(track) = topics.get_mut(&record.topic).filter(|_| !done.contains(&reader)) {
                        Track::appended(track);
                    }
                }
            }
            records.push(record);
        }
        for (task, _) in &self.marks {
            shard.tasks[*task].settle();
        }
        Concluded {
            records,
            refuted: self.refuted,
            passed,
        }
    }
}
