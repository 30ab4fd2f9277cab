//! One call into a guest: budget in, host context in, result and host context out.

use crate::budget::Budget;
use crate::quiet::Quiet;
use crate::sandbox::{self, Sandbox};
use crate::verdict;
use fermata_core::limits::Limits;
use fermata_core::ports::{Called, Failure, HostCalls};
use fermata_core::{Fault, FaultCode};
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

/// A guest in its store. Once a call has failed nothing is known of its memory, and it is never entered again.
pub struct Guest {
    store: Store<Sandbox>,
    dead: bool,
}

impl Guest {
    /// Makes an instance and finds its functions.
    pub fn instantiate<F>(
        pre: &InstancePre<Sandbox>,
        limits: &Limits,
        find: impl FnOnce(&mut Store<Sandbox>, &Instance) -> wasmtime::Result<F>,
    ) -> Result<(Self, F), Fault> {
        let mut guest = Self {
            store: sandbox::store(pre.component().engine(), limits),
            dead: false,
        };
        let functions = guest.call_quietly(Quiet::boxed("start", 0), |store| {
            let instance = pre.instantiate(&mut *store)?;
            find(store, &instance)
        })?;
        Ok((guest, functions))
    }

    /// Calls with the caller's host context, which comes back however the call ends.
    pub fn call<T>(
        &mut self,
        host: Box<dyn HostCalls>,
        budget: Budget,
        call: impl FnOnce(&mut Store<Sandbox>) -> wasmtime::Result<T>,
    ) -> Called<T> {
        if self.dead {
            let found = "an instance was called after it had failed: make another";
            return Called {
                result: Err(Failure::Host(found.into())),
                host,
                fuel: 0,
            };
        }
        budget.grant(&mut self.store);
        self.store.data_mut().host = Some(host);
        let result = call(&mut self.store);
        let host = self.store.data_mut().host.take();
        let host = host.expect("imports put the context back before they return");
        let result = result.map_err(|error| {
            self.dead = true;
            verdict::failure(&error, self.store.data())
        });
        Called {
            result,
            host,
            fuel: budget.used(&self.store),
        }
    }

    /// Calls where there is no record. Nothing but the guest can fail such a call, so every failure is its fault.
    pub fn call_quietly<T>(
        &mut self,
        quiet: Box<dyn HostCalls>,
        call: impl FnOnce(&mut Store<Sandbox>) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        let called = self.call(quiet, Budget::init(), call);
        called.result.map_err(|failure| match failure {
            Failure::Fault(fault) => fault,
            Failure::Deadline => Fault::new(FaultCode::Fuel, "the call took too long"),
            Failure::Host(found) => Fault::new(FaultCode::Trap, found),
        })
    }
}
