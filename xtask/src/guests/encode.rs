//! From core module to component.

use std::fs;
use std::path::Path;

use miette::{IntoDiagnostic, Result, WrapErr, bail, miette};
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

pub fn component(module: &Path) -> Result<Component> {
    let context = || format!("encoding {}", module.display());
    let core = fs::read(module).into_diagnostic().wrap_err_with(context)?;
    let bytes = encode(&core)
        .map_err(|error| miette!("{error}"))
        .wrap_err_with(context)?;
    known(bytes).wrap_err_with(context)
}

/// A component that is one already.
pub fn known(bytes: Vec<u8>) -> Result<Component> {
    let world = world(&bytes)?;
    Ok(Component { bytes, world })
}

fn encode(core: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true);
    encoder.module(core).map_err(|error| format!("{error:#}"))?;
    encoder.encode().map_err(|error| format!("{error:#}"))
}

/// Read from the component itself, so that the index cannot say otherwise.
fn world(component: &[u8]) -> Result<&'static str> {
    let decoded = wit_component::decode(component).map_err(|error| miette!("{error:#}"))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        bail!("a package of WIT, not a component");
    };
    let exports = &resolve.worlds[world].exports;
    let names: Vec<String> = exports.keys().map(|key| resolve.name_world_key(key)).collect();
    let found = WORLDS
        .iter()
        .find(|(interface, _)| names.iter().any(|name| name.starts_with(interface)));
    found
        .map(|(_, world)| *world)
        .ok_or_else(|| miette!("no world of Fermata: it exports {names:?}"))
}
