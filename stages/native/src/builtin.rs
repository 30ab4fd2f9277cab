//! x
pub fn registry() -> crate::Registry { crate::Registry::empty() }
