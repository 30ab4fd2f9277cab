//! A running stage.

use crate::bindings::{processor, timers, views};
use crate::budget::Budget;
use crate::call::Guest;
use crate::contract::StageExports;
use crate::convert::{self, InputParts};
use crate::quiet::Quiet;
use crate::sandbox::Sandbox;
use fermata_core::limits::Limits;
use fermata_core::ports::{Called, Failure, HostCalls, Instance, ViewError};
use fermata_core::{Due, Fault, FaultCode, Input, Outcome};
use wasmtime::component::InstancePre;

pub struct WasmInstance {
    guest: Guest,
    functions: Functions,
    limits: Limits,
    stretch: u32,
}

struct Functions {
    processor: processor::Guest,
    timers: Option<timers::Guest>,
    views: Option<views::Guest>,
}

impl WasmInstance {
    /// An instance before `init`.
    pub fn raw(pre: &InstancePre<Sandbox>, exports: &StageExports, limits: &Limits) -> Result<Self, Fault> {
        let (guest, functions) = Guest::instantiate(pre, limits, |store, instance| {
            let timers = exports.timers.as_ref();
            let views = exports.views.as_ref();
            Ok(Functions {
                processor: exports.processor.load(&mut *store, instance)?,
                timers: timers.map(|t| t.load(&mut *store, instance)).transpose()?,
                views: views.map(|v| v.load(&mut *store, instance)).transpose()?,
            })
        })?;
        Ok(Self {
            guest,
            functions,
            limits: limits.clone(),
            stretch: 1,
        })
    }

    /// See [`Quiet::boxed`] for `chance`.
    pub fn describe(&mut self, chance: u8) -> Result<processor::Description, Fault> {
        let processor = &self.functions.processor;
        self.guest
            .call_quietly(Quiet::boxed("describe", chance), |store| processor.call_describe(store))
    }

    /// `Ok(Err(_))`: the reason for which the component refuses this configuration.
    pub fn init(&mut self, config: &str) -> Result<Result<(), String>, Fault> {
        let processor = &self.functions.processor;
        self.guest
            .call_quietly(Quiet::boxed("init", 0), |store| processor.call_init(store, config))
    }
}

impl Instance for WasmInstance {
    fn process(&mut self, input: Input, host: Box<dyn HostCalls>) -> Called<Outcome> {
        let processor = &self.functions.processor;
        let budget = Budget::record(&self.limits, self.stretch);
        let parts = InputParts::of(&input);
        self.guest.call(host, budget, |store| {
            let answer = processor.call_process(store, parts.lend(&input))?;
            Ok(convert::outcome(answer))
        })
    }

    fn fired(&mut self, due: Due, host: Box<dyn HostCalls>) -> Called<Outcome> {
        let Some(timers) = &self.functions.timers else {
            return absent("timers", host);
        };
        let budget = Budget::record(&self.limits, self.stretch);
        self.guest.call(host, budget, |store| {
            let answer = timers.call_fired(store, convert::due(&due))?;
            Ok(convert::outcome(answer))
        })
    }

    fn query(&mut self, view: &str, params: &str, host: Box<dyn HostCalls>) -> Called<Result<String, ViewError>> {
        let Some(views) = &self.functions.views else {
            return absent("views", host);
        };
        let budget = Budget::view(&self.limits, self.stretch);
        self.guest.call(host, budget, |store| {
            let answer = views.call_query(store, view, params)?;
            Ok(answer.map_err(convert::view_error))
        })
    }

    fn merge(
        &mut self,
        view: &str,
        params: &str,
        partials: Vec<String>,
        host: Box<dyn HostCalls>,
    ) -> Called<Result<String, ViewError>> {
        let Some(views) = &self.functions.views else {
            return absent("views", host);
        };
        let budget = Budget::view(&self.limits, self.stretch);
        let partials: Vec<&str> = partials.iter().map(String::as_str).collect();
        self.guest.call(host, budget, |store| {
            let answer = views.call_merge(store, view, params, &partials)?;
            Ok(answer.map_err(convert::view_error))
        })
    }

    fn stretch(&mut self, factor: u32) {
        self.stretch = factor.max(1);
    }
}

/// A call of an interface that the component does not export. The instance stays as it was.
fn absent<T>(interface: &str, host: Box<dyn HostCalls>) -> Called<T> {
    Called {
        result: Err(Failure::Fault(Fault::new(
            FaultCode::Contract,
            format!("the component does not export the interface {interface}"),
        ))),
        host,
        fuel: 0,
    }
}
