//! What it does instead of judging.

use crate::never::never;
use crate::{LAST, SEEN};
use fermata_validator::{Memo, Verdict};

const MIB: usize = 1 << 20;

/// Carries out a deed by its name, which a fixture's configuration gives.
pub fn commit(deed: &str, memo: Memo) -> (Verdict, Memo) {
    match deed {
        "bad-code" => (reject("Not Kebab!\n", "a code that is no code"), memo),
        "dashed-code" => (reject("-", "a code of a dash alone"), memo),
        "slashed-code" => (reject("another/code", "the name of another validator"), memo),
        "long-code" => (
            reject("ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", ""),
            memo,
        ),
        "forged-fault" => (reject("fault-trap", "a refusal that passes for a fault"), memo),
        "forged-figure" => (reject("accepted", "a refusal that counts as none"), memo),
        "code-flood" => {
            let code = format!("code-{}", SEEN.get());
            (reject(Box::leak(code.into_boxed_str()), "a code for each record"), memo)
        }
        "large-reason" => (reject("large-reason", &"r".repeat(MIB)), memo),
        "control-reason" => (reject("control-reason", "red \u{1b}[31m and\na line of its own"), memo),
        "large-answer" => (reject("large-answer", &"r".repeat(12 * MIB)), memo),
        // On a fresh instance it has nothing to remember.
        "from-memory" if SEEN.get() < 2 => (Verdict::Accept, memo),
        "from-memory" => (reject("from-memory", "the record is not my first"), memo),
        other => (Verdict::Accept, lie(other, memo)),
    }
}

fn reject(code: &'static str, reason: &str) -> Verdict {
    let reason = reason.to_owned();
    Verdict::Reject { code, reason }
}

/// What it says that it wants to know the next time.
fn lie(deed: &str, memo: Memo) -> Memo {
    match deed {
        "memo-large" => Some(vec![b'm'; 1025]),
        "memo-huge" => Some(vec![b'm'; 2 * MIB]),
        // Within its limit at first.
        "memo-grows" => Some([memo.unwrap_or_default(), vec![b'm'; 600]].concat()),
        "memo-of-another" => LAST.take(),
        "memo-garbage" => Some((0..=255).rev().collect()),
        "memo-forgotten" => None,
        other => never(other),
    }
}

pub fn in_init(deed: &str) -> Result<(), String> {
    match deed {
        "refuse" => Err("this configuration does not please me".to_owned()),
        other => never(other),
    }
}
