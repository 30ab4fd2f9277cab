//! Which requests a fault strikes.

use super::protocol::Api;
use std::collections::BTreeMap;
use std::time::Duration;

/// What becomes of a request, and of the connection it came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The broker never sees it, and the connection is cut.
    CutBefore,
    /// The broker sees it, its answer never arrives, and the connection is cut.
    CutAfter,
    /// The broker sees it, its answer never arrives, and the connection stays.
    Swallow,
    /// The broker sees it so much later.
    DelayRequest(Duration),
    /// The answer arrives so much later.
    DelayAnswer(Duration),
}

/// Strikes requests of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    api: Api,
    fault: Fault,
    /// So many pass first.
    skip: u64,
    /// Of those after, so many are struck.
    times: u64,
}

impl Rule {
    /// The next request of this kind.
    pub fn next(api: Api, fault: Fault) -> Self {
        Self {
            api,
            fault,
            skip: 0,
            times: 1,
        }
    }
    /// Lets so many pass first.
    pub fn after(self, skip: u64) -> Self {
        Self { skip, ..self }
    }
    /// Strikes so many in a row.
    pub fn times(self, times: u64) -> Self {
        Self { times, ..self }
    }
    /// Strikes until the rules are cleared.
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }
}

/// Names a rule that was added.
#[derive(Clone, Copy, Debug)]
pub struct RuleId(usize);

#[derive(Default)]
pub struct Rules {
    rules: Vec<(Rule, u64)>,
    seen: BTreeMap<i16, u64>,
}

impl Rules {
    pub fn add(&mut self, rule: Rule) -> RuleId {
        self.rules.push((rule, 0));
        RuleId(self.rules.len() - 1)
    }
    pub fn struck(&self, RuleId(index): RuleId) -> u64 {
        self.rules[index].1
    }
    pub fn seen(&self, api: Api) -> u64 {
        self.seen.get(&(api as i16)).copied().unwrap_or_default()
    }
    pub fn clear(&mut self) {
        for (rule, _) in &mut self.rules {
            rule.times = 0;
        }
    }

    /// Counts a request, and says what becomes of it.
    pub fn judge(&mut self, key: i16) -> Option<Fault> {
        *self.seen.entry(key).or_default() += 1;
        let mut matching = self
            .rules
            .iter_mut()
            .filter(|(rule, _)| rule.api as i16 == key && rule.times > 0);
        let (rule, struck) = matching.next()?;
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        rule.times -= 1;
        *struck += 1;
        Some(rule.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_lets_some_pass_and_strikes_some() {
        let mut rules = Rules::default();
        let id = rules.add(Rule::next(Api::EndTxn, Fault::CutBefore).after(1).times(2));
        let end = Api::EndTxn as i16;
        assert_eq!(rules.judge(Api::Produce as i16), None);
        let judged: Vec<_> = (0..4).map(|_| rules.judge(end)).collect();
        assert_eq!(judged, [None, Some(Fault::CutBefore), Some(Fault::CutBefore), None]);
        assert_eq!(
            (rules.struck(id), rules.seen(Api::EndTxn), rules.seen(Api::Produce)),
            (2, 4, 1)
        );
    }

    #[test]
    fn cleared_rules_strike_no_more_but_remember() {
        let mut rules = Rules::default();
        let id = rules.add(Rule::next(Api::Heartbeat, Fault::Swallow).always());
        assert_eq!(rules.judge(Api::Heartbeat as i16), Some(Fault::Swallow));
        rules.clear();
        assert_eq!(rules.judge(Api::Heartbeat as i16), None);
        assert_eq!(rules.struck(id), 1);
    }
}
