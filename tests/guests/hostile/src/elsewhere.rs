//! What it does in `init` and in views.

use crate::never::never;
use fermata_stage::{Context, Emission, Reader, Rejection};
use serde_json::Value;
use std::hint::black_box;

/// A call that does not come back.
pub fn end(deed: &str, cx: &mut dyn Context) -> Result<Vec<Emission>, Rejection> {
    if deed == "loop-of-calls" {
        loop {
            black_box(cx.id());
        }
    }
    never(deed)
}

pub fn in_init(deed: &str) -> Result<(), String> {
    match deed {
        "refuse" => Err("this configuration does not please me".to_owned()),
        "store" => {
            #[cfg(target_arch = "wasm32")]
            imports::put();
            Ok(())
        }
        other => never(other),
    }
}

pub fn in_view(deed: &str, _cx: &dyn Reader) -> Value {
    match deed {
        "put" => {
            #[cfg(target_arch = "wasm32")]
            imports::put();
            Value::Null
        }
        "set-timer" => {
            #[cfg(target_arch = "wasm32")]
            imports::set_timer();
            Value::Null
        }
        "large" => "x".repeat(16 << 20).into(),
        other => never(other),
    }
}

pub fn in_merge(deed: &str) {
    match deed {
        "store" => {
            #[cfg(target_arch = "wasm32")]
            imports::get();
        }
        other => never(other),
    }
}

/// The contract's imports themselves: the SDK gives a view no way to write.
#[cfg(target_arch = "wasm32")]
mod imports {
    use fermata_stage::guest::stage::fermata::stage::{store, timer};

    pub fn put() {
        store::put(crate::STORE, b"key", b"value");
    }
    pub fn get() {
        store::get(crate::STORE, b"key");
    }
    pub fn set_timer() {
        timer::set("id", 0, b"");
    }
}
