//! The WebAssembly side: a typed validator behind the exports of its world. Public for `export!` alone.

// The canonical ABI of the generated bindings is made of raw pointers.
#![allow(unsafe_code)]

use std::any::Any;
use std::cell::OnceCell;
use std::marker::PhantomData;

use world::exports::fermata::stage::validation::{self, Refusal, Subject};

use crate::{Record, Validator, Verdict};

/// Bindings of world `validator`. The headers are the crate's own type, so that they are not copied on the way.
#[allow(clippy::all)]
pub mod world {
    wit_bindgen::generate!({
        world: "validator",
        path: "../../wit",
        pub_export_macro: true,
        export_macro_name: "export_validator_world",
        default_bindings_module: "fermata_validator::guest::world",
        with: { "fermata:stage/validation@0.1.0/header": crate::Header },
    });
}

pub struct Guest<V>(PhantomData<V>);

// One instance of a component holds one validator, and has one thread.
thread_local! {
    static VALIDATOR: OnceCell<Box<dyn Any>> = const { OnceCell::new() };
}

impl<V: Validator> validation::Guest for Guest<V> {
    fn init(config: String) -> Result<(), String> {
        let validator: V = crate::init(&config)?;
        VALIDATOR
            .with(|cell| cell.set(Box::new(validator)))
            .map_err(|_| "init was called twice on one instance".to_owned())
    }

    fn validate(subject: Subject, memo: Option<Vec<u8>>) -> (Option<Refusal>, Option<Vec<u8>>) {
        let record = Record {
            key: subject.key,
            value: subject.value,
            headers: subject.headers,
            timestamp: subject.timestamp,
        };
        VALIDATOR.with(|cell| {
            let validator = cell.get().and_then(|any| any.downcast_ref::<V>());
            let validator = validator.expect("validate is called after init");
            let (verdict, memo) = validator.validate(&record, memo);
            let refusal = match verdict {
                Verdict::Accept => None,
                Verdict::Reject { code, reason } => Some(Refusal {
                    code: code.to_owned(),
                    reason,
                }),
            };
            (refusal, memo)
        })
    }
}
