//! The journals' counts and hashes against what the topics hold.

use fermata_core::journal::Counts;
use fermata_core::names::Purpose;
use fermata_core::ports::LogError;

use super::cut::Cut;
use super::journal::hex;
use super::report::{Check, Findings};
use super::topics::Seen;
use super::{VerifySpec, locate};

/// Tasks whose differences are traced to single transactions; each costs a reading of all topics.
const TRACED: usize = 8;

/// Records that the journals count as processed or skipped, against those that lie below the positions.
pub fn inputs(spec: &VerifySpec<'_>, cut: &Cut, seen: &Seen, findings: &mut Findings) {
    for ledger in cut.shards() {
        for stage in &spec.manifest.stages {
            let trimmed = stage.inputs.iter().find(|(_, topic)| seen.trimmed.contains(topic));
            if let Some((_, topic)) = trimmed {
                findings.limited(format!(
                    "inputs of stage {} are not counted: the first records of {topic} are no longer kept",
                    stage.name
                ));
                continue;
            }
            if !ledger.complete {
                continue;
            }
            let counts = ledger
                .tasks
                .get(stage.name.as_str())
                .map(|task| task.counts)
                .unwrap_or_default();
            let found = seen
                .inputs
                .get(&(ledger.shard, stage.name.to_string()))
                .copied()
                .unwrap_or_default();
            let place = format!("stage {} on shard {}", stage.name, ledger.shard);
            let records = counts.processed.saturating_sub(counts.timers);
            if found.read + found.fused != records {
                findings.problem(
                    Check::Positions,
                    format!(
                        "{place}: the journal counts {records} records processed; {} lie below its positions and {} were fused",
                        found.read, found.fused
                    ),
                );
            }
            if found.skipped != counts.skipped {
                findings.problem(
                    Check::Positions,
                    format!(
                        "{place}: the journal counts {} records skipped, {} below its positions bear its done mark",
                        counts.skipped, found.skipped
                    ),
                );
            }
        }
    }
}

pub fn outputs(spec: &VerifySpec<'_>, cut: &Cut, seen: &Seen, findings: &mut Findings) -> Result<(), LogError> {
    let dead_letters = Purpose::DeadLetters.topic(&spec.manifest.name);
    let mut traced = 0;
    for ledger in cut.shards() {
        for stage in &spec.manifest.stages {
            let outputs = stage.outputs.values().chain([&dead_letters]);
            if let Some(topic) = outputs.into_iter().find(|t| seen.trimmed.contains(*t)) {
                findings.limited(format!(
                    "outputs of stage {} are not compared: the first records of {topic} are no longer kept",
                    stage.name
                ));
                continue;
            }
            let said = ledger.tasks.get(stage.name.as_str());
            let counts = said.map_or_else(Counts::default, |task| task.counts);
            let hash = said.map(|task| task.output_hash).unwrap_or_default();
            let found = seen
                .tallies
                .get(&(ledger.shard, stage.name.to_string()))
                .copied()
                .unwrap_or_default();
            let place = format!("stage {} on shard {}", stage.name, ledger.shard);
            let refused = counts.dead_letters();
            if found.emitted != counts.emitted {
                findings.problem(
                    Check::Outputs,
                    format!(
                        "{place}: the journal counts {} records, the topics hold {}",
                        counts.emitted, found.emitted
                    ),
                );
            }
            if found.dead_letters != refused {
                findings.problem(
                    Check::DeadLetters,
                    format!(
                        "{place}: the journal counts {refused} dead letters, {dead_letters} holds {}",
                        found.dead_letters
                    ),
                );
            }
            if found.hash == hash {
                continue;
            }
            findings.problem(
                Check::Outputs,
                format!(
                    "{place}: the journal's output hash is {}, the topics' {}",
                    hex(&hash.0),
                    hex(&found.hash.0)
                ),
            );
            if traced < TRACED {
                traced += 1;
                locate::differences(spec, cut, ledger, &stage.name, findings)?;
            }
        }
    }
    Ok(())
}
