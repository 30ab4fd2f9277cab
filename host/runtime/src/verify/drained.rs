//! Has everything come to its end, at the cut?

use fermata_core::Sequence;

use super::VerifySpec;
use super::cut::Cut;
use super::report::Findings;
use super::topics::Seen;
use super::views::Whole;

/// All inputs read, and the manifest's `drain` condition holds. Nobody needs to have asked for a drain.
pub fn drained(spec: &VerifySpec<'_>, cut: &Cut, seen: &Seen, findings: &mut Findings) -> bool {
    if seen.unread.is_some() || findings.figures.later > 0 {
        return false;
    }
    if findings.figures.parked > 0 {
        return false;
    }
    let Some(condition) = &spec.manifest.drain.complete_when else {
        return true;
    };
    let Some(views) = spec.views else {
        findings.limited("whether the pipeline is drained is not known: no view can be asked");
        return false;
    };
    match views.whole(&condition.at.view) {
        Ok(answer) if !at_cut(cut, &answer) => {
            findings.limited("whether the pipeline is drained is not known: it moved on before its views were asked");
            false
        }
        Ok(answer) => answer.data.pointer(&condition.at.field) == Some(&condition.equals),
        Err(why) => {
            findings.limited(format!(
                "whether the pipeline is drained is not known: view {}: {why}",
                condition.at.view
            ));
            false
        }
    }
}

/// Is the answer about the very state that the journals end with?
pub fn at_cut(cut: &Cut, answer: &Whole) -> bool {
    !answer.partial
        && cut
            .shards()
            .all(|ledger| answer.positions.get(&ledger.shard).copied().unwrap_or_default() == Sequence(ledger.sequence))
}
