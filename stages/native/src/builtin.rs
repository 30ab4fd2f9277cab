//! What this workspace ships: every stage in both versions, the generator, and the example of a validator.

use fermata_account::Account;
use fermata_confirm::Confirm;
use fermata_generator::Generator;
use fermata_inflight::Inflight;
use fermata_validate::Validate;

use crate::{NativeValidator, Registry};

/// All four stages in 1.0.0 and 1.1.0, the generator, and `velocity`.
pub fn registry() -> Registry {
    Registry::empty()
        .stage::<Validate<0>>()
        .stage::<Validate<1>>()
        .stage::<Inflight<0>>()
        .stage::<Inflight<1>>()
        .stage::<Account<0>>()
        .stage::<Account<1>>()
        .stage::<Confirm<0>>()
        .stage::<Confirm<1>>()
        .generator::<Generator>()
        .validator(NativeValidator::of::<example_velocity::Velocity>("velocity", "1.0.0"))
}
