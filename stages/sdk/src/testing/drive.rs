//! Records and timers through a stage, treated as the host treats them.

use super::context::TestContext;
use crate::stage::Stage;
use crate::types::{Input, Rejection};

impl TestContext {
    /// One record through a stage. Each record has an identity of its own; a rejection undoes what it wrote.
    pub fn process<S: Stage>(&mut self, stage: &S, input: Input) -> Result<Vec<S::Output>, Rejection> {
        self.set_key(input.key.clone());
        self.set_id(format!("test/0/{}", self.record));
        self.record += 1;
        self.undo_if_rejected(|cx| stage.process(cx, S::parse(input)?))
    }

    /// Fires what is due, in the order of time, then of id; one outcome for each timer. A timer that a timer sets
    /// for the present or the past waits for the next call, as it waits for the next tick of the host.
    pub fn fire_due<S: Stage>(&mut self, stage: &S) -> Vec<Result<Vec<S::Output>, Rejection>> {
        let mut outcomes = Vec::new();
        for timer in self.pop_due() {
            self.set_key(timer.key.clone());
            self.set_id(format!("test-tick/0/{}#timer.{}", self.now, timer.id));
            outcomes.push(self.undo_if_rejected(|cx| stage.fired(cx, timer)));
        }
        outcomes
    }

    fn undo_if_rejected<T>(&mut self, call: impl FnOnce(&mut Self) -> Result<T, Rejection>) -> Result<T, Rejection> {
        let savepoint = self.clone();
        let outcome = call(self);
        if outcome.is_err() {
            // Logs stay: they are how an author finds out why.
            let logs = self.logs().to_vec();
            *self = savepoint;
            self.restore_logs(logs);
        }
        outcome
    }
}
