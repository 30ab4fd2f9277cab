//! One running native stage.

use fermata_core::ports::{Called, Failure, HostCalls, Instance, ViewError};
use fermata_core::{Due, Input, Outcome};
use fermata_stage::AnyStage;

use crate::bridge::Bridge;
use crate::convert;
use crate::unwind::guarded;

pub struct NativeInstance {
    /// `None` after a failure: dead.
    stage: Option<Box<dyn AnyStage>>,
}

impl NativeInstance {
    pub fn new(stage: Box<dyn AnyStage>) -> Self {
        Self { stage: Some(stage) }
    }

    fn call<T>(
        &mut self,
        mut host: Box<dyn HostCalls>,
        call: impl FnOnce(&dyn AnyStage, &mut Bridge<'_>) -> T,
    ) -> Called<T> {
        let result = match self.stage.take() {
            None => Err(Failure::Host(
                "the instance failed in an earlier call; make another".into(),
            )),
            Some(stage) => {
                let mut bridge = Bridge::new(&mut *host);
                let result = guarded(|| call(&*stage, &mut bridge));
                if result.is_ok() {
                    self.stage = Some(stage);
                }
                result
            }
        };
        Called { result, host, fuel: 0 }
    }
}

impl Instance for NativeInstance {
    fn process(&mut self, input: Input, host: Box<dyn HostCalls>) -> Called<Outcome> {
        self.call(host, |stage, cx| {
            convert::outcome(stage.process(cx, convert::input(input)))
        })
    }

    fn fired(&mut self, due: Due, host: Box<dyn HostCalls>) -> Called<Outcome> {
        self.call(host, |stage, cx| convert::outcome(stage.fired(cx, convert::due(due))))
    }

    fn query(&mut self, view: &str, params: &str, host: Box<dyn HostCalls>) -> Called<Result<String, ViewError>> {
        self.call(host, |stage, cx| convert::view_answer(stage.query(cx, view, params)))
    }

    fn merge(
        &mut self,
        view: &str,
        params: &str,
        partials: Vec<String>,
        host: Box<dyn HostCalls>,
    ) -> Called<Result<String, ViewError>> {
        self.call(host, |stage, _cx| {
            convert::view_answer(stage.merge(view, params, &partials))
        })
    }

    fn stretch(&mut self, _factor: u32) {
        // Native code has no deadline.
    }
}
