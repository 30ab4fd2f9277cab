//! From core module to component.

use crate::error::BuildError;
use std::fs;
use std::path::Path;
use wit_component::{ComponentEncoder, DecodedWasm};

/// A component and the world that it was made for.
pub struct Component {
    pub bytes: Vec<u8>,
    pub world: &'static str,
}

/// The interface whose export tells a world from the others.
const WORLDS: [(&str, &str); 3] = [
    ("fermata:stage/processor@", "stage"),
    ("fermata:stage/generation@", "generator"),
    ("fermata:stage/validation@", "validator"),
];

/// The component of the core module in this file.
pub fn component(module: &Path) -> Result<Component, BuildError> {
    let core = fs::read(module).map_err(|found| BuildError::Read {
        path: module.into(),
        found,
    })?;
    encode(&core).map_err(|found| BuildError::Encode {
        module: module.into(),
        found,
    })
}

/// `Err`: why these bytes do not become a component of Fermata.
pub fn encode(core: &[u8]) -> Result<Component, String> {
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true);
    encoder.module(core).map_err(|error| format!("{error:#}"))?;
    known(encoder.encode().map_err(|error| format!("{error:#}"))?)
}

/// A component that is one already.
pub fn known(bytes: Vec<u8>) -> Result<Component, String> {
    let world = world(&bytes)?;
    Ok(Component { bytes, world })
}

/// Read from the component itself, so that nothing else can say otherwise.
fn world(component: &[u8]) -> Result<&'static str, String> {
    let decoded = wit_component::decode(component).map_err(|error| format!("{error:#}"))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err("a package of WIT, not a component".into());
    };
    let exports = &resolve.worlds[world].exports;
    let names: Vec<String> = exports.keys().map(|key| resolve.name_world_key(key)).collect();
    let found = WORLDS
        .iter()
        .find(|(interface, _)| names.iter().any(|name| name.starts_with(interface)));
    found.map(|(_, world)| *world).ok_or_else(|| {
        let names = if names.is_empty() {
            "nothing".to_owned()
        } else {
            names.join(", ")
        };
        format!("it exports {names}, no world of Fermata: does the crate call `fermata_stage::export!` with its stage?")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Magic and version, no section.
    const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn a_module_that_exports_nothing_is_told_what_it_lacks() {
        let found = encode(EMPTY).err().expect("nothing is no stage");
        assert!(found.contains("nothing") && found.contains("export!"), "{found}");
    }

    #[test]
    fn what_is_no_module_does_not_become_a_component() {
        assert!(encode(b"fn main() {}").is_err());
    }
}
