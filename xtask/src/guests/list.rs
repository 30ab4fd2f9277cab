//! Which guests there are.

use std::fs;
use std::path::PathBuf;

use miette::{IntoDiagnostic, Result, WrapErr, miette};

use crate::workspace;

/// Where fixtures go, inside the folder of the guests.
pub const FIXTURES: &str = "fixtures";

/// A version that a guest's crate can ship, and the cargo feature that chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    pub number: &'static str,
    pub feature: Option<&'static str>,
}

pub const VERSIONS: [Version; 2] = [
    Version {
        number: "1.0.0",
        feature: None,
    },
    Version {
        number: "1.1.0",
        feature: Some("v1-1"),
    },
];

/// The product's own guests: component name and package.
const PRODUCT: [(&str, &str); 5] = [
    ("validate", "fermata-validate"),
    ("inflight", "fermata-inflight"),
    ("account", "fermata-account"),
    ("confirm", "fermata-confirm"),
    ("generator", "fermata-generator"),
];

/// Guests of the examples, which the product ships as well: component name, package and folder.
const EXAMPLES: [(&str, &str, &str); 3] = [
    ("reserve", "orders-reserve", "examples/orders/reserve"),
    ("ship", "orders-ship", "examples/orders/ship"),
    ("orders", "orders-generator", "examples/orders/generator"),
];

/// A crate that ships as a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The component's name.
    pub name: String,
    pub package: String,
    /// The crate's cargo features, which say what versions it ships.
    pub features: Vec<String>,
    /// Made for tests: each folder of `tests/guests`, component and folder of one name.
    pub fixture: bool,
}

impl Guest {
    /// Whether the crate ships this version.
    pub fn has(&self, version: &Version) -> bool {
        version
            .feature
            .is_none_or(|feature| self.features.iter().any(|known| known == feature))
    }

    /// The file that cargo makes of the package.
    pub fn artefact(&self) -> String {
        file_of(&self.package)
    }
}

fn file_of(package: &str) -> String {
    format!("{}.wasm", package.replace('-', "_"))
}

/// The file that cargo makes of the crate in this folder.
pub fn module(folder: PathBuf) -> Result<String> {
    Ok(file_of(&Crate::read(folder)?.package))
}

/// Product guests in the order of the tables, then fixtures by name.
pub fn all() -> Result<Vec<Guest>> {
    let stages = PRODUCT.map(|(name, package)| {
        let folder = format!("stages/{}", package.trim_start_matches("fermata-"));
        (name, package, folder)
    });
    let examples = EXAMPLES.map(|(name, package, folder)| (name, package, folder.to_owned()));
    let mut guests = Vec::new();
    for (name, package, folder) in stages.into_iter().chain(examples) {
        let crate_ = Crate::read(workspace::root().join(folder))?;
        guests.push(Guest {
            name: name.to_owned(),
            package: package.to_owned(),
            features: crate_.features,
            fixture: false,
        });
    }
    guests.extend(fixtures()?);
    Ok(guests)
}

fn fixtures() -> Result<Vec<Guest>> {
    let folder = workspace::root().join("tests").join("guests");
    let Ok(entries) = fs::read_dir(&folder) else {
        return Ok(Vec::new());
    };
    let mut guests = Vec::new();
    for entry in entries {
        let path = entry.into_diagnostic().wrap_err("reading tests/guests")?.path();
        if path.join("Cargo.toml").is_file() {
            let name = path
                .file_name()
                .expect("an entry has a name")
                .to_string_lossy()
                .into_owned();
            let Crate { package, features } = Crate::read(path)?;
            guests.push(Guest {
                name,
                package,
                features,
                fixture: true,
            });
        }
    }
    guests.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(guests)
}

/// What of a crate's manifest matters here.
struct Crate {
    package: String,
    features: Vec<String>,
}

impl Crate {
    fn read(folder: PathBuf) -> Result<Self> {
        let path = folder.join("Cargo.toml");
        let context = || format!("reading {}", path.display());
        let text = fs::read_to_string(&path).into_diagnostic().wrap_err_with(context)?;
        let manifest: toml::Table = text.parse().into_diagnostic().wrap_err_with(context)?;
        let package = manifest
            .get("package")
            .and_then(|package| package.get("name"))
            .and_then(toml::Value::as_str);
        let package = package
            .ok_or_else(|| miette!("{} names no package", path.display()))?
            .to_owned();
        let features = manifest.get("features").and_then(toml::Value::as_table);
        let features = features
            .map(|table| table.keys().cloned().collect())
            .unwrap_or_default();
        Ok(Self { package, features })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_ships_the_versions_of_its_features() {
        let guest = |features: &[&str]| Guest {
            name: "echo".to_owned(),
            package: "guest-echo".to_owned(),
            features: features.iter().map(|&feature| feature.to_owned()).collect(),
            fixture: true,
        };
        let numbers = |guest: &Guest| -> Vec<&str> {
            VERSIONS
                .iter()
                .filter(|version| guest.has(version))
                .map(|version| version.number)
                .collect()
        };
        assert_eq!(numbers(&guest(&[])), ["1.0.0"]);
        assert_eq!(numbers(&guest(&["v1-1"])), ["1.0.0", "1.1.0"]);
        assert_eq!(guest(&[]).artefact(), "guest_echo.wasm");
    }

    #[test]
    fn the_list_holds_product_and_fixtures() {
        let guests = all().expect("the workspace's own manifests");
        let name = |fixture: bool| {
            guests
                .iter()
                .filter(move |guest| guest.fixture == fixture)
                .map(|guest| guest.name.as_str())
        };
        let stages = ["validate", "inflight", "account", "confirm", "generator"];
        assert!(name(false).eq(stages.into_iter().chain(["reserve", "ship", "orders"])));
        assert!(name(true).any(|name| name == "echo"));
    }
}
