//! The manifest's own invariants.

use fermata_core::manifest::{Field, InvariantRule};
use serde_json::Value;

use super::VerifySpec;
use super::cut::Cut;
use super::drained::{at_cut, drained};
use super::report::{Check, Findings};
use super::topics::Seen;

pub fn check(spec: &VerifySpec<'_>, cut: &Cut, seen: &Seen, findings: &mut Findings) {
    let tasks = cut.shards().flat_map(|ledger| ledger.tasks.values());
    findings.figures.parked = tasks.map(|task| task.counts.in_quarantine()).sum();
    let drained = drained(spec, cut, seen, findings);
    findings.figures.drained = drained;
    for invariant in &spec.manifest.invariants {
        let name = &invariant.name;
        if invariant.when_drained && !drained {
            let under_way = match findings.figures.parked {
                0 => "units of work are under way".to_owned(),
                parked => format!("{parked} records are parked"),
            };
            let why = seen.unread.clone().unwrap_or(under_way);
            findings.limited(format!(
                "invariant {name} holds when the pipeline is drained, and it is not: {why}"
            ));
            continue;
        }
        findings.figures.invariants += 1;
        match &invariant.rule {
            InvariantRule::EndsOnce { of, ends_in } => {
                let trimmed = ends_in.iter().chain([of]).find(|topic| seen.trimmed.contains(*topic));
                if let Some(topic) = trimmed {
                    findings.limited(format!(
                        "invariant {name}: the first records of {topic} are no longer kept"
                    ));
                }
                // A dead letter may be what should have ended a unit of work.
                let all = drained && trimmed.is_none() && findings.figures.dead_letters == 0;
                if let Some(ends) = seen.ends.get(name) {
                    ends.check(name, all, findings);
                }
            }
            InvariantRule::Each { at, each } => {
                let each = Each { name, at, each: *each };
                if invariant.when_drained {
                    each.whole(spec, Some(cut), findings);
                } else {
                    each.parts(spec, findings);
                    each.whole(spec, None, findings);
                }
            }
        }
    }
}

/// The number at a pointer into a view's answer, or each directly under it, is the same.
struct Each<'a> {
    name: &'a str,
    at: &'a Field,
    each: i64,
}

impl Each<'_> {
    /// On every shard, at whatever commit it answers for.
    fn parts(&self, spec: &VerifySpec<'_>, findings: &mut Findings) {
        let Some(views) = spec.views else {
            findings.limited(format!("invariant {}: no view can be asked", self.name));
            return;
        };
        match views.parts(&self.at.view) {
            Ok(parts) => {
                for (shard, part) in parts {
                    let place = format!("shard {shard} at journal sequence {}", part.sequence);
                    self.numbers(&place, &part.data, findings);
                }
            }
            Err(why) => findings.problem(Check::Invariants, self.no_answer(&why)),
        }
    }

    /// Over all shards; `cut`: only if the answer is about that state.
    fn whole(&self, spec: &VerifySpec<'_>, cut: Option<&Cut>, findings: &mut Findings) {
        let Some(views) = spec.views else { return };
        match views.whole(&self.at.view) {
            Ok(answer) if cut.is_some_and(|cut| !at_cut(cut, &answer)) => findings.limited(format!(
                "invariant {}: the pipeline moved on before its views were asked",
                self.name
            )),
            Ok(answer) if answer.partial => {
                findings.limited(format!("invariant {}: not all shards answered", self.name));
            }
            Ok(answer) => self.numbers("all shards", &answer.data, findings),
            Err(why) => findings.problem(Check::Invariants, self.no_answer(&why)),
        }
    }

    fn no_answer(&self, why: &str) -> String {
        format!("{}: view {} does not answer: {why}", self.name, self.at.view)
    }

    fn numbers(&self, place: &str, answer: &Value, findings: &mut Findings) {
        let Some(part) = answer.pointer(&self.at.field) else {
            let what = format!(
                "{}: {place}: view {} has no {:?}",
                self.name, self.at.view, self.at.field
            );
            findings.problem(Check::Invariants, what);
            return;
        };
        let mut wrong = Vec::new();
        differing(part, &self.at.field, self.each, &mut wrong);
        for (pointer, found) in wrong {
            findings.problem(
                Check::Invariants,
                format!(
                    "{}: {place}: {}{pointer} is {found}, expected {}",
                    self.name, self.at.view, self.each
                ),
            );
        }
    }
}

/// Pointers and values of the number at `value`, or of those directly under it, that are not `each`. Deeper ones are
/// what the view made its sums of. Numbers beyond 64 bits are decimal texts.
fn differing(value: &Value, pointer: &str, each: i64, wrong: &mut Vec<(String, String)>) {
    let mut look = |value: &Value, pointer: String| {
        let found = match value {
            Value::Number(number) if number.as_i64() != Some(each) => number.to_string(),
            Value::String(text) if text.parse::<i128>().is_ok_and(|n| n != i128::from(each)) => text.clone(),
            _ => return,
        };
        wrong.push((pointer, found));
    };
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(i, v)| look(v, format!("{pointer}/{i}"))),
        Value::Object(fields) => fields.iter().for_each(|(name, v)| look(v, format!("{pointer}/{name}"))),
        one => look(one, pointer.to_owned()),
    }
}
