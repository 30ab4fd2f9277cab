//! The metadata that each committed position carries: which transaction put it there. So the group can be asked whether
//! a transaction was committed whose answer was lost.

use fermata_core::Offset;
use std::time::{SystemTime, UNIX_EPOCH};

/// What each token begins with.
const MARK: &str = "fermata";

/// A position of the group and the token of the transaction that committed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stood {
    pub at: Option<Offset>,
    pub token: String,
}

/// Tokens of one session: never the same twice, in no process.
pub(super) struct Tokens {
    incarnation: String,
    number: u64,
}

impl Tokens {
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            incarnation: format!("{}-{:x}", std::process::id(), since.as_nanos()),
            number: 0,
        }
    }
    pub fn next(&mut self, member: &str) -> String {
        self.number += 1;
        format!("{MARK} {member} {} {}", self.incarnation, self.number)
    }
    /// Whether a transaction of this session put it there.
    pub fn own(&self, token: &str) -> bool {
        token.split(' ').nth(2) == Some(self.incarnation.as_str())
    }
}

/// Who put a position there.
pub(super) fn member(token: &str) -> Option<&str> {
    let mut words = token.split(' ');
    words.next().filter(|first| *first == MARK)?;
    words.next().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_knows_its_own_and_no_two_are_the_same() {
        let (mut one, mut two) = (Tokens::new(), Tokens::new());
        let (a, b, c) = (one.next("node.0"), one.next("node.0"), two.next("node.0"));
        assert!(a != b && b != c);
        assert!(one.own(&a) && one.own(&b) && two.own(&c));
        assert!(!one.own("") && !one.own("somebody else's"));
        assert_eq!(
            (member(&a), member(""), member("another 1")),
            (Some("node.0"), None, None)
        );
    }
}
