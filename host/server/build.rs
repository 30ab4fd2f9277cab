//! Embeds the components that `FERMATA_BUNDLES` (a folder with an `index.json`) holds, without it none, and the
//! manifests of the examples.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=FERMATA_BUNDLES");
    let folder = env::var_os("FERMATA_BUNDLES")
        .filter(|v| !v.is_empty())
        .map(PathBuf::from);
    let entries = folder.map(|folder| bundles(&folder)).unwrap_or_default();
    let code = format!("pub static ALL: &[Bundle] = &[\n{entries}];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    fs::write(out.join("bundles.rs"), code).expect("cargo's OUT_DIR can be written");
    let code = format!("static ALL: &[Example] = &[\n{}];\n", examples());
    fs::write(out.join("examples.rs"), code).expect("cargo's OUT_DIR can be written");
}

/// Every `examples/<name>/pipeline.toml`, by name.
fn examples() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{} cannot be read: {e}", folder.display()));
    let mut manifests: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a folder can be listed").path().join("pipeline.toml"))
        .filter(|manifest| manifest.is_file())
        .collect();
    manifests.sort();
    let mut code = String::new();
    for manifest in manifests {
        let name = manifest
            .parent()
            .and_then(Path::file_name)
            .expect("a folder of examples");
        writeln!(
            code,
            "    Example {{ name: {:?}, manifest: include_str!({manifest:?}) }},",
            name.to_string_lossy()
        )
        .expect("a String grows as needed");
    }
    code
}

fn bundles(folder: &Path) -> String {
    let folder =
        fs::canonicalize(folder).unwrap_or_else(|e| panic!("FERMATA_BUNDLES={} cannot be read: {e}", folder.display()));
    let index = folder.join("index.json");
    println!("cargo::rerun-if-changed={}", index.display());
    let text = fs::read_to_string(&index).unwrap_or_else(|e| panic!("{} cannot be read: {e}", index.display()));
    let entries: serde_json::Value =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{} is not JSON: {e}", index.display()));
    let mut code = String::new();
    for entry in entries.as_array().expect("the index is a list") {
        let field = |name: &str| {
            let text = entry[name].as_str();
            text.unwrap_or_else(|| panic!("{}: an entry lacks {name:?}", index.display()))
                .to_owned()
        };
        let file = folder.join(field("file"));
        println!("cargo::rerun-if-changed={}", file.display());
        writeln!(
            code,
            "    Bundle {{ name: {:?}, version: {:?}, bytes: include_bytes!({:?}) }},",
            field("name"),
            field("version"),
            file
        )
        .expect("a String grows as needed");
    }
    code
}
