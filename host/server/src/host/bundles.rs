//! Components inside this binary, put there by the build script.

pub struct Bundle {
    pub name: &'static str,
    pub version: &'static str,
    pub bytes: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/bundles.rs"));
