//! The smallest part of a failing plan that still fails: first whole kinds of faults, then actions, in ever smaller
//! pieces (delta debugging). Every piece is run again from the same seed, so what is left is a run like any other.

use super::plan::Plan;

/// Tries at most `tries` parts of a plan that fails.
pub fn shrink(plan: &Plan, mut tries: u32, fails: impl Fn(&Plan) -> bool) -> Plan {
    let mut least = plan.clone();
    let mut fails = |part: &Plan| {
        tries = tries.saturating_sub(1);
        tries > 0 && fails(part)
    };
    for kind in 0..least.faults.kinds().len() {
        let mut without = least.clone();
        *without.faults.kinds()[kind] = 0.0;
        if without != least && fails(&without) {
            least = without;
        }
    }
    let mut piece = least.actions.len().div_ceil(2);
    while piece > 0 {
        let mut from = 0;
        while from < least.actions.len() {
            let mut without = least.clone();
            let until = (from + piece).min(without.actions.len());
            without.actions.drain(from..until);
            if fails(&without) {
                least = without;
            } else {
                from += piece;
            }
        }
        piece /= 2;
    }
    for workers in 1..least.workers {
        let fewer = Plan {
            workers,
            ..least.clone()
        };
        if fails(&fewer) {
            return fewer;
        }
    }
    least
}
