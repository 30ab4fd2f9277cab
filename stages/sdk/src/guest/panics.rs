//! A panic in a component is a bare trap: its message must reach the author another way.

use std::sync::Once;

use super::stage::fermata::stage::log;
use crate::types::Level;

/// From now on a panic first writes its message to the host's log. Cheap enough for the start of every export.
pub(super) fn report() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| std::panic::set_hook(Box::new(|panic| log::write(Level::Error, &panic.to_string()))));
}
